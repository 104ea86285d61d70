//! What of the host's control groups a container can see and change.

use serde_json::json;

use crate::case::{Case, Need};

const NAMESPACE: &str = "security.cgroup.escape.namespace";
const READ_ONLY: &str = "security.cgroup.escape.read-only";

pub(in crate::cases) const CASES: &[Case] = &[
    Case {
        id: "security/cgroup/nothing-above-is-seen-from-a-namespace-of-its-own",
        judges: &[NAMESPACE],
        needs: &[Need::Root, Need::SharedKernel, Need::Namespace("cgroup")],
        run: |trial| {
            trial.add_namespace(json!({"type": "cgroup"}));
            let world = trial.observe()?;
            let above: Vec<_> = world
                .cgroups
                .iter()
                .flatten()
                .filter(|cgroup| cgroup.path != "/")
                .collect();
            let known = world.cgroups.is_some();
            trial.expect_in(
                NAMESPACE,
                "whether /proc/self/cgroup can be read",
                true,
                known,
            )?;
            trial.expect_in(
                NAMESPACE,
                "cgroups that are not the root of what it sees",
                json!([]),
                above,
            )
        },
    },
    Case {
        id: "security/cgroup/a-read-only-mount-cannot-be-written",
        judges: &[READ_ONLY],
        needs: &[Need::Root, Need::SharedKernel],
        run: |trial| {
            trial.mount(json!({
                "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                "options": ["nosuid", "noexec", "nodev", "ro"],
            }));
            // Where the hierarchy is of version 1, its controllers are directories in the mount.
            let mut directories = vec!["/sys/fs/cgroup".to_owned()];
            for hierarchy in trial
                .host()
                .cgroups
                .iter()
                .filter(|hierarchy| !hierarchy.unified)
            {
                let name = hierarchy.controllers.join(",").replace("name=", "");
                directories.push(format!("/sys/fs/cgroup/{name}"));
            }
            let mut words = Vec::new();
            for directory in &directories {
                // Opened, not written: where it can be, the host is as it was.
                for file in ["release_agent", "notify_on_release", "cgroup.procs"] {
                    words.extend([
                        "open".to_owned(),
                        format!("{directory}/{file}"),
                        "w".to_owned(),
                    ]);
                    words.push("then".to_owned());
                }
            }
            words.pop();
            trial.probe(&words.iter().map(String::as_str).collect::<Vec<_>>());
            let lines = trial.run_to_end()?;
            let done: Vec<_> = lines
                .iter()
                .filter(|line| line.errno.is_none())
                .filter_map(|line| line.args.first())
                .collect();
            let what = "files of a read-only mount of cgroups that were opened for writing";
            trial.expect_in(READ_ONLY, what, json!([]), done)
        },
    },
];
