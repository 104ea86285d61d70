//! Values of the configuration that the runtime writes to files of the kernel: they must not be
//! written anywhere else.

use serde_json::json;

use super::{contents, dare, for_each_lure, inside, outside, untouched};
use crate::case::Case;
use crate::cases::mounts::source::{make, put};
use crate::trial::Stop;

const KEY: &str = "net.ipv4.ip_forward";
const FILE: &str = "sys/net/ipv4/ip_forward";

pub(in crate::cases) const CASES: &[Case] = &[
    Case {
        id: "security/sysctl/is-not-written-behind-a-link",
        judges: &["security.sysctl.via-symlink"],
        needs: &[],
        run: |trial| {
            let clause = "security.sysctl.via-symlink";
            let outside = outside(trial)?;
            imitate(&outside)?;
            for_each_lure(trial, &outside, |trial, lure| {
                lure.lay(&trial.rootfs(), "proc")?;
                let within = inside(&trial.rootfs(), &lure.inside);
                imitate(&within)?;
                trial.set(&format!("/linux/sysctl/{KEY}"), "1");
                dare(trial)?;
                let what = format!("{} link: the imitation outside", lure.name);
                let kept = std::fs::read_to_string(outside.join(FILE)).unwrap_or_default();
                trial.expect_in(clause, &what, "untouched", kept)?;
                let what = format!("{} link: the imitation in the image", lure.name);
                let kept = std::fs::read_to_string(within.join(FILE)).unwrap_or_default();
                trial.expect_in(clause, &what, "untouched", kept)
            })
        },
    },
    Case {
        id: "security/sysctl/a-key-with-dotdot-reaches-no-other-file",
        judges: &["security.sysctl.traversal"],
        needs: &[],
        run: |trial| {
            let clause = "security.sysctl.traversal";
            let outside = outside(trial)?;
            put(&trial.rootfs().join("victim"), "untouched")?;
            let host = outside.join("kept").display().to_string();
            let keys = [
                format!("net/ipv4/../../../..{host}"),
                format!("net.ipv4/../../../..{host}"),
                "net/ipv4/../../../../victim".to_owned(),
                "net/../../../victim".to_owned(),
            ];
            for (number, key) in keys.iter().enumerate() {
                if number > 0 {
                    trial.another()?;
                    put(&trial.rootfs().join("victim"), "untouched")?;
                }
                trial.set("/linux/sysctl", json!({key: "1"}));
                dare(trial)?;
                trial.expect_in(clause, key, untouched(), contents(&outside))?;
                let victim =
                    std::fs::read_to_string(trial.rootfs().join("victim")).unwrap_or_default();
                trial.expect_in(clause, key, "untouched", victim)?;
            }
            Ok(())
        },
    },
    Case {
        id: "security/procfs/is-not-written-through-a-mount-over-it",
        judges: &["security.procfs-write.redirected"],
        needs: &[],
        run: |trial| {
            let clause = "security.procfs-write.redirected";
            let outside = outside(trial)?;
            let kept = outside.join("kept");
            trial.mount(json!({
                "destination": format!("/proc/{FILE}"), "type": "none", "source": kept, "options": ["bind"],
            }));
            trial.set(&format!("/linux/sysctl/{KEY}"), "1");
            dare(trial)?;
            let what = "the file that is mounted over the sysctl";
            trial.expect_in(clause, what, untouched(), contents(&outside))
        },
    },
];

/// Makes a directory look like procfs to whoever writes the sysctl below it.
fn imitate(directory: &std::path::Path) -> Result<(), Stop> {
    let file = directory.join(FILE);
    make(file.parent().unwrap_or(directory))?;
    put(&file, "untouched")
}
