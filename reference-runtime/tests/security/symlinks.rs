//! Images and volumes whose names are not what they seem: links where a runtime makes, mounts or
//! covers something, which lead to the host or to what was to be covered, also such as change
//! while it does.

use crate::canary::Canary;
use crate::support::{Bundle, failed, skipped, succeeded, sys};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// A mount, a device and a covered path for everything that a link can be in the place of.
fn furnish(bundle: Bundle, place: &str) -> Bundle {
    let source = bundle.path();
    let below = format!("{place}/below/further");
    let (directory, file) = (bundle.file("source"), bundle.file("source/file"));
    fs::create_dir_all(&directory).unwrap();
    fs::write(&file, "source").unwrap();
    assert!(source.is_dir());
    let bind = |destination: &str, source: &Path| json!({"destination": destination, "source": source, "options": ["bind"]});
    bundle
        .set("/mounts/-", bind(&below, &directory))
        .set("/mounts/-", bind(&format!("{place}/file"), &file))
        .set("/mounts/-", json!({"destination": place, "type": "tmpfs", "source": "tmpfs"}))
        .set("/linux/devices", json!([{"path": format!("{place}/node"), "type": "c", "major": 1, "minor": 3, "uid": 5}]))
        .set("/linux/maskedPaths", json!([place, below]))
        .set("/linux/readonlyPaths", json!([place, below]))
}

/// A bundle without the mounts over the given names, in whose image links stand for them.
fn image(name: &str, script: &str, without: &[&str]) -> Bundle {
    let mut bundle = Bundle::new(name, script);
    let mounts = bundle.config["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| {
        let destination = mount["destination"].as_str().unwrap();
        let is_below = |name: &&str| Path::new(destination).starts_with(name);
        !without.iter().any(is_below)
    });
    bundle
}

/// Puts a link in the place of whatever is there in the root filesystem.
fn plant(bundle: &Bundle, place: &str, target: &Path) {
    let path = bundle.path().join("rootfs").join(&place[1..]);
    let _ = fs::remove_file(&path);
    let _ = fs::remove_dir(&path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    symlink(target, path).unwrap();
}

/// CVE-2019-16884, CVE-2021-30465, CVE-2024-45310: what was made, mounted or covered at a name of
/// the image was made, mounted or covered at the host's file that a link of that name led to.
#[test]
fn a_link_in_an_image_leads_to_nothing_of_the_host() {
    if skipped() {
        return;
    }
    let places = [
        "/proc",
        "/sys",
        "/dev",
        "/dev/pts",
        "/dev/null",
        "/dev/console",
        "/scratch",
        "/scratch/deep/er",
    ];
    for place in places {
        let mut succeeded_once = false;
        for kind in ["absolute", "climbing", "dangling", "file"] {
            let name = format!("link{}-{kind}", place.replace('/', "-"));
            let bundle = furnish(image(&name, "true", &[place]), "/scratch/deep/er");
            let bundle = bundle.set("/process/terminal", json!(place == "/dev/console"));
            let canary = Canary::plant(&bundle);
            let climbing = Path::new("../../../../../../../../..");
            let target = match kind {
                "absolute" => canary.root.clone(),
                "climbing" => climbing.join(canary.root.strip_prefix("/").unwrap()),
                "dangling" => canary.root.join("missing/further"),
                _ => canary.root.join("file"),
            };
            plant(&bundle, place, &target);
            let path = bundle.write_config();
            let output = bundle.refrun(&["run", "--bundle", &path, &bundle.id]);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!said.contains("panicked"), "{said}");
            succeeded_once |= output.status.success();
            canary.is_untouched(&format!("{name}: {said}"));
            let _ = bundle.refrun(&["delete", "--force", &bundle.id]);
            assert_eq!(bundle.remains(), Vec::<String>::new(), "{name}");
        }
        // Or else it would only have been refused for another reason.
        let harmless = ["/scratch", "/scratch/deep/er"].contains(&place);
        assert!(succeeded_once || !harmless, "{place}");
    }
}

/// CVE-2019-19921, CVE-2023-27561, CVE-2023-28642: a procfs or sysfs behind a link is not where
/// its masked paths are covered.
#[test]
fn a_procfs_is_never_mounted_behind_a_link() {
    if skipped() {
        return;
    }
    for place in ["/proc", "/sys"] {
        for target in ["/scratch", "scratch", "/missing", "/"] {
            let bundle = Bundle::new("proc-link", "true").set(
                "/mounts/-",
                json!({"destination": "/sys", "type": "sysfs", "source": "sysfs"}),
            );
            plant(&bundle, place, Path::new(target));
            let error = failed(&bundle.create());
            assert!(
                error.contains("RESOLVE_NO_SYMLINKS"),
                "{place} {target}: {error}"
            );
        }
    }
}

/// CVE-2025-31133: what was masked was bound to what the image had for /dev/null.
#[test]
fn a_masked_path_is_covered_by_the_null_device_or_not_at_all() {
    if skipped() {
        return;
    }
    let masked = json!(["/proc/timer_list", "/proc/version", "/scratch/secret"]);
    let script = "stat -c %t:%T /proc/version /scratch/secret";
    // Without a mount over /dev the image's own node is what the container has.
    let honest = image("mask-honest", script, &["/dev"]).set("/linux/maskedPaths", masked.clone());
    fs::write(honest.path().join("rootfs/scratch/secret"), "x").unwrap();
    assert_eq!(honest.run(), "1:3\n1:3\n");
    for target in [
        "/proc/sysrq-trigger",
        "/proc/sys/kernel/core_pattern",
        "/scratch/secret",
        "/missing",
    ] {
        let bundle = image("mask", script, &["/dev"]).set("/linux/maskedPaths", masked.clone());
        fs::write(bundle.path().join("rootfs/scratch/secret"), "x").unwrap();
        plant(&bundle, "/dev/null", Path::new(target));
        let error = failed(&bundle.create());
        assert!(error.contains("\"/dev/null\""), "{target}: {error}");
        assert_eq!(bundle.remains(), Vec::<String>::new());
    }
}

/// CVE-2025-52565: the terminal was mounted over whatever /dev/console led to, before it was masked.
#[test]
fn a_terminal_is_never_mounted_behind_a_link() {
    if skipped() {
        return;
    }
    for target in [
        "/proc/sysrq-trigger",
        "/scratch/file",
        "/missing",
        "pts/ptmx",
    ] {
        let bundle = image("console", "true", &["/dev"]).set("/process/terminal", json!(true));
        plant(&bundle, "/dev/console", Path::new(target));
        let path = bundle.write_config();
        let error = failed(&bundle.refrun(&["run", "--bundle", &path, &bundle.id]));
        assert!(error.contains("\"/dev/console\""), "{target}: {error}");
    }
}

/// A destination that climbs, or goes through a link of procfs, stays in the root.
#[test]
fn a_destination_stays_in_the_root() {
    if skipped() {
        return;
    }
    let bundle = Bundle::new("climbing", "true");
    let canary = Canary::plant(&bundle);
    let own = std::process::id();
    let host = canary.root.to_str().unwrap();
    for destination in [
        "..".to_owned(),
        format!("../../../../../../../..{host}/empty"),
        format!("/../..{host}/made"),
        format!("/scratch/../../..{host}/made"),
        "/proc/self/cwd".to_owned(),
        format!("/proc/self/cwd/../../..{host}/made"),
        format!("/proc/1/root{host}/made"),
        format!("/proc/self/root{host}/made"),
        format!("/proc/{own}/root{host}/made"),
        format!("/proc/self/fd/6{host}/made"),
        "/dev/fd/6/made".to_owned(),
    ] {
        let mount = json!({"destination": destination, "type": "tmpfs", "source": "tmpfs"});
        let bundle = Bundle::new("destination", "true").set("/mounts/-", mount);
        let path = bundle.write_config();
        let output = bundle.refrun(&["run", "--bundle", &path, &bundle.id]);
        canary.is_untouched(&format!("{destination}: {output:?}"));
    }
}

/// CVE-2021-30465, CVE-2024-45310: another container that shares a volume exchanges what a mount
/// target leads through with a link, between the moment it is looked at and the moment it is used.
#[test]
fn a_link_that_comes_and_goes_leads_to_nothing_of_the_host() {
    if skipped() {
        return;
    }
    let bundle = furnish(Bundle::new("race", "true"), "/scratch/race");
    let bundle = bundle.without("hostname");
    let canary = Canary::plant(&bundle);
    let (race, link) = (
        bundle.path().join("rootfs/scratch/race"),
        bundle.path().join("rootfs/scratch/link"),
    );
    fs::create_dir(&race).unwrap();
    symlink(&canary.root, &link).unwrap();
    let done = AtomicBool::new(false);
    let (mut created, mut refused, mut failed_deletes) = (0, 0, 0);
    let delete = ["delete", "--force", &bundle.id];
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                sys::exchange(&race, &link).unwrap();
                // Each takes a lock of the whole host, which others need too.
                thread::yield_now();
            }
        });
        for _ in 0..50 {
            match bundle.create().status.success() {
                true => created += 1,
                false => refused += 1,
            }
            failed_deletes += u32::from(!bundle.refrun(&delete).status.success());
        }
        done.store(true, Ordering::Relaxed);
    });
    eprintln!("{created} created, {refused} refused");
    assert_eq!(failed_deletes, 0);
    assert!(created > 0);
    canary.is_untouched("exchanged while it was created");
    assert_eq!(bundle.remains(), Vec::<String>::new());
}

/// The class of CVE-2021-30465 for devices: a node that was just made is exchanged with a link
/// before its owner and mode are set.
#[test]
fn the_mode_of_a_device_goes_to_nothing_of_the_host() {
    if skipped() {
        return;
    }
    let numbers = 0..20;
    let device = |number: u32| {
        let path = format!("/scratch/node{number}");
        json!({"path": path, "type": "c", "major": 1, "minor": 3, "fileMode": 0o6666, "uid": 5})
    };
    let devices: Vec<Value> = numbers.clone().map(device).collect();
    let bundle = Bundle::new("node-race", "true").set("/linux/devices", json!(devices));
    let canary = Canary::plant(&bundle);
    let scratch = bundle.path().join("rootfs/scratch");
    let mut exchanged = 0;
    for _ in 0..10 {
        let _ = fs::remove_dir_all(&scratch);
        fs::create_dir(&scratch).unwrap();
        for number in numbers.clone() {
            symlink(
                canary.root.join("file"),
                scratch.join(format!("link{number}")),
            )
            .unwrap();
        }
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let racer = scope.spawn(|| {
                // One after the other, each as soon as it is there.
                let made = numbers.clone().take_while(|number| {
                    let node = scratch.join(format!("node{number}"));
                    let link = scratch.join(format!("link{number}"));
                    while !done.load(Ordering::Relaxed) {
                        if sys::exchange(&node, &link).is_ok() {
                            return true;
                        }
                    }
                    false
                });
                made.count()
            });
            bundle.create();
            done.store(true, Ordering::Relaxed);
            exchanged += racer.join().unwrap();
        });
        succeeded(&bundle.refrun(&["delete", "--force", &bundle.id]));
    }
    assert!(exchanged > 0);
    canary.is_untouched("exchanged while devices were made");
}
