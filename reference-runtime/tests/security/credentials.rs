//! What a process holds beside its ids: capabilities and keys.

use crate::attacker::{self, told};
use crate::support::{Bundle, skipped, succeeded, sys};
use serde_json::json;

/// The value of a set in the form of /proc/PID/status.
fn sets(status: &str) -> Vec<(String, u64)> {
    let lines = status.lines().filter_map(|line| line.split_once(":\t"));
    let caps = lines.filter(|(name, _)| name.starts_with("Cap"));
    caps.map(|(name, value)| (name.to_owned(), u64::from_str_radix(value, 16).unwrap()))
        .collect()
}

/// CVE-2022-24769, CVE-2022-29162: capabilities that were inheritable came back by executing a
/// file that has them, after the user had been changed.
#[test]
fn nothing_is_inheritable_that_is_not_listed() {
    if skipped() {
        return;
    }
    const KILL: u64 = 1 << 5;
    let expected = |granted| {
        [
            ("CapInh", 0),
            ("CapPrm", granted),
            ("CapEff", granted),
            ("CapBnd", granted),
            ("CapAmb", 0),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    };
    let list = json!(["CAP_KILL"]);
    let script = "cat /proc/self/status; read line < /scratch/never";
    let bundle = Bundle::new("inheritable", script)
        .set(
            "/linux/devices",
            json!([{"path": "/scratch/never", "type": "p"}]),
        )
        .set(
            "/process/capabilities",
            json!({"bounding": list, "permitted": list, "effective": list}),
        );
    // Also if the caller's are.
    let started = bundle.write_config();
    let mut create = bundle.command(&["create", "--bundle", &started, &bundle.id]);
    sys::make_inheritable(&mut create, 0);
    create.stdout(std::fs::File::create(bundle.file("stdout")).unwrap());
    assert!(create.status().unwrap().success());
    succeeded(&bundle.refrun(&["start", &bundle.id]));
    for (options, granted) in [(&[][..], KILL), (&["--cap", "CAP_CHOWN"][..], KILL | 1)] {
        let words = [
            &["exec"],
            options,
            &[&bundle.id, "cat", "/proc/self/status"],
        ]
        .concat();
        let mut exec = bundle.command(&words);
        sys::make_inheritable(&mut exec, 0);
        let output = exec.output().unwrap();
        succeeded(&output);
        let status = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(sets(&status), expected(granted), "{options:?}");
    }
    std::fs::write(bundle.path().join("rootfs/scratch/never"), "on\n").unwrap();
    bundle.wait_for("stopped");
    assert_eq!(sets(&bundle.printed()), expected(KILL));
}

/// Keys belong to no namespace, so that what the caller of the runtime can find by its session
/// keyring (credentials of network file systems, say) would be the container's to use.
#[test]
fn the_callers_keys_are_not_the_containers() {
    if skipped() {
        return;
    }
    let key = format!("refrun-secret-{}", std::process::id());
    if !sys::add_session_key(&key) || !sys::finds_key(&key) {
        eprintln!("skipped: this kernel keeps no keys");
        return;
    }
    let run = |name: &str, option: &[&str]| {
        let bundle = attacker::bundle(name, &key);
        let path = bundle.write_config();
        let words = [&["run", "--bundle", &path], option, &[&bundle.id]].concat();
        let output = bundle.refrun(&words);
        succeeded(&output);
        told(&String::from_utf8_lossy(&output.stdout))
    };
    assert_eq!(run("keys", &[]), [format!("{key} false")]);
    // The same with the keyring kept shows that it would have been found.
    assert_eq!(
        run("keys-kept", &["--no-new-keyring"]),
        [format!("{key} true")]
    );
}
