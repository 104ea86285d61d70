//! The lists of names in the features document: each name must be recognized in `config.json`.

use serde_json::{Value, json};

use super::{NEEDS, list};
use crate::case::{Case, Need};
use crate::cases::mounts::source::{directory, make};
use crate::trial::{Stop, Trial};

pub(in crate::cases) const CASES: &[Case] = &[
    Case {
        id: "features/mount-options-that-are-listed-are-recognized",
        judges: &["features.mountOptions.recognized"],
        needs: NEEDS,
        run: |trial| {
            each(
                trial,
                "features.mountOptions.recognized",
                "/mountOptions",
                mount_option,
            )
        },
    },
    Case {
        id: "features/mount-options-are-those-of-every-file-system",
        judges: &["features.mountOptions.linux-no-fs-specific"],
        needs: NEEDS,
        run: |trial| {
            let listed = list(trial, "/mountOptions")?;
            let specific: Vec<&String> = listed
                .iter()
                .filter(|name| DATA.iter().any(|data| name.split('=').next() == Some(data)))
                .collect();
            let what = "options that only some file systems have";
            trial.expect_in(
                "features.mountOptions.linux-no-fs-specific",
                what,
                json!([]),
                specific,
            )
        },
    },
    Case {
        id: "features/namespaces-that-are-listed-are-recognized",
        judges: &["features-linux.namespaces.recognized"],
        needs: NEEDS,
        run: |trial| {
            each(
                trial,
                "features-linux.namespaces.recognized",
                "/linux/namespaces",
                namespace,
            )
        },
    },
    Case {
        id: "features/capabilities-that-are-listed-are-recognized",
        judges: &["features-linux.capabilities.recognized"],
        needs: NEEDS,
        run: |trial| {
            each(
                trial,
                "features-linux.capabilities.recognized",
                "/linux/capabilities",
                |trial, name| {
                    trial.set("/process/capabilities/bounding/-", name);
                    Ok(true)
                },
            )
        },
    },
    Case {
        id: "features/seccomp-actions-that-are-listed-are-recognized",
        judges: &["features-linux.seccomp.actions.recognized"],
        needs: NEEDS,
        run: |trial| {
            each(
                trial,
                "features-linux.seccomp.actions.recognized",
                "/linux/seccomp/actions",
                |trial, name| {
                    // It needs an agent that listens, and is a case of its own.
                    if name == "SCMP_ACT_NOTIFY" {
                        return Ok(false);
                    }
                    if name != "SCMP_ACT_ALLOW" {
                        rule(trial, json!({"action": name}));
                    }
                    trial.set("/linux/seccomp/defaultAction", "SCMP_ACT_ALLOW");
                    Ok(true)
                },
            )
        },
    },
    Case {
        id: "features/seccomp-operators-that-are-listed-are-recognized",
        judges: &["features-linux.seccomp.operators.recognized"],
        needs: NEEDS,
        run: |trial| {
            each(
                trial,
                "features-linux.seccomp.operators.recognized",
                "/linux/seccomp/operators",
                |trial, name| {
                    rule(
                        trial,
                        json!({
                            "action": "SCMP_ACT_ERRNO",
                            "args": [{"index": 0, "value": 7, "valueTwo": 7, "op": name}],
                        }),
                    );
                    Ok(true)
                },
            )
        },
    },
    Case {
        id: "features/seccomp-architectures-that-are-listed-are-recognized",
        judges: &["features-linux.seccomp.archs.recognized"],
        needs: NEEDS,
        run: |trial| {
            each(
                trial,
                "features-linux.seccomp.archs.recognized",
                "/linux/seccomp/archs",
                |trial, name| {
                    // One filter cannot serve both byte orders: a refusal says nothing about the name.
                    if BIG_ENDIAN.contains(&name) != cfg!(target_endian = "big") {
                        return Ok(false);
                    }
                    rule(trial, json!({"action": "SCMP_ACT_ERRNO"}));
                    trial.set("/linux/seccomp/architectures/-", name);
                    Ok(true)
                },
            )
        },
    },
    Case {
        id: "features/seccomp-flags-that-are-listed-are-supported",
        judges: &["features-linux.seccomp.supportedFlags.recognized"],
        needs: NEEDS,
        run: |trial| {
            let clause = "features-linux.seccomp.supportedFlags.recognized";
            each(trial, clause, "/linux/seccomp/supportedFlags", seccomp_flag)
        },
    },
    Case {
        id: "features/seccomp-flags-that-are-known-and-supported-are-recognized",
        judges: &["features-linux.seccomp.knownFlags.recognized"],
        needs: NEEDS,
        run: |trial| {
            let clause = "features-linux.seccomp.knownFlags.recognized";
            each(trial, clause, "/linux/seccomp/knownFlags", |trial, name| {
                // One that is known and not supported may be refused for that.
                let supported = list(trial, "/linux/seccomp/supportedFlags")?;
                if supported.iter().any(|flag| flag == name) {
                    seccomp_flag(trial, name)
                } else {
                    Ok(false)
                }
            })
        },
    },
    Case {
        id: "features/memory-policy-modes-that-are-listed-are-recognized",
        judges: &["features-linux.memoryPolicy.modes.recognized"],
        needs: &[Need::Features, Need::Path("/sys/devices/system/node/node0")],
        run: |trial| {
            let clause = "features-linux.memoryPolicy.modes.recognized";
            each_alone(trial, clause, "/linux/memoryPolicy/modes", |trial, name| {
                let nodes = match name {
                    "MPOL_DEFAULT" | "MPOL_LOCAL" => "",
                    _ => "0",
                };
                // Newer than what every kernel has: its refusal says nothing about the name.
                if matches!(name, "MPOL_WEIGHTED_INTERLEAVE" | "MPOL_PREFERRED_MANY") {
                    return Ok(false);
                }
                trial.set("/linux/memoryPolicy", json!({"mode": name}));
                if !nodes.is_empty() {
                    trial.set("/linux/memoryPolicy/nodes", nodes);
                }
                Ok(true)
            })
        },
    },
    Case {
        id: "features/memory-policy-flags-that-are-listed-are-recognized",
        judges: &["features-linux.memoryPolicy.flags.recognized"],
        needs: &[Need::Features, Need::Path("/sys/devices/system/node/node0")],
        run: |trial| {
            let clause = "features-linux.memoryPolicy.flags.recognized";
            each_alone(trial, clause, "/linux/memoryPolicy/flags", |trial, name| {
                // Balancing goes with binding only, and is newer than the others.
                if name == "MPOL_F_NUMA_BALANCING" {
                    return Ok(false);
                }
                let policy = json!({"mode": "MPOL_BIND", "nodes": "0", "flags": [name]});
                trial.set("/linux/memoryPolicy", policy);
                Ok(true)
            })
        },
    },
];

/// Options of tmpfs, devpts, proc and overlayfs, which go to mount(2) as data.
const DATA: [&str; 15] = [
    "size",
    "mode",
    "uid",
    "gid",
    "nr_inodes",
    "nr_blocks",
    "huge",
    "newinstance",
    "ptmxmode",
    "hidepid",
    "lowerdir",
    "upperdir",
    "workdir",
    "data",
    "context",
];

const BIG_ENDIAN: [&str; 10] = [
    "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",
    "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",
    "SCMP_ARCH_PARISC",
    "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_M68K",
];

/// Puts one name into the configuration; `false` if it cannot be tried.
type Apply = fn(&mut Trial<'_>, &str) -> Result<bool, Stop>;

/// Judges a list: all names in one container, and if that is refused, each in one of its own.
fn each(
    trial: &mut Trial<'_>,
    clause: &'static str,
    pointer: &str,
    apply: Apply,
) -> Result<(), Stop> {
    let names = list(trial, pointer)?;
    let mut tried = Vec::new();
    for name in &names {
        if apply(trial, name)? {
            tried.push(name.clone());
        }
    }
    if tried.is_empty() {
        return Err(Stop::Inapplicable(format!(
            "a name in {pointer} that can be tried"
        )));
    }
    if runs(trial)? {
        let what = format!("a container with all that can be tried of {pointer}");
        return trial.expect_in(clause, &what, json!("runs"), "runs");
    }
    trial.another()?;
    alone(trial, clause, &tried, apply)
}

/// As [`each`], for properties that take one name.
fn each_alone(
    trial: &mut Trial<'_>,
    clause: &'static str,
    pointer: &str,
    apply: Apply,
) -> Result<(), Stop> {
    let names = list(trial, pointer)?;
    alone(trial, clause, &names, apply)
}

fn alone(
    trial: &mut Trial<'_>,
    clause: &'static str,
    names: &[String],
    apply: Apply,
) -> Result<(), Stop> {
    let mut judged = false;
    for name in names {
        if !apply(trial, name)? {
            continue;
        }
        let runs = runs(trial)?;
        trial.expect_that(clause, runs, format!("a container with {name} runs"), runs)?;
        judged = true;
        trial.another()?;
    }
    if judged {
        Ok(())
    } else {
        Err(Stop::Inapplicable("a listed name that can be tried".into()))
    }
}

/// Whether the current container can be created, started and deleted.
fn runs(trial: &mut Trial<'_>) -> Result<bool, Stop> {
    match trial.run_to_end() {
        Ok(_) => Ok(true),
        Err(Stop::Refused {
            operation: "create",
            ..
        }) => Ok(false),
        Err(Stop::Refused {
            operation: "start", ..
        }) => trial.give_up().map(|()| false),
        Err(other) => Err(other),
    }
}

/// A mount with the option, of a kind that it is made for.
fn mount_option(trial: &mut Trial<'_>, name: &str) -> Result<bool, Stop> {
    let place = format!("mnt/{name}");
    let destination = format!("/{place}");
    // A name that is no file name is none of an option either: it stays for the runtime to refuse.
    if !name.contains('/') {
        make(&trial.rootfs().join(&place))?;
    }
    let tmpfs = json!({"destination": destination, "type": "tmpfs", "source": "tmpfs"});
    let bind = |trial: &Trial<'_>, options: Value| {
        directory(trial, "source").map(|source| {
            json!({"destination": destination, "type": "none", "source": source, "options": options})
        })
    };
    let propagation = ["private", "slave", "shared", "unbindable"];
    let plain = name.strip_prefix('r').unwrap_or(name);
    let mount = match name {
        // Mappings of a mount have cases of their own.
        "idmap" | "ridmap" => return Ok(false),
        "bind" | "rbind" => bind(trial, json!([name]))?,
        "remount" => {
            trial.mount(tmpfs.clone());
            with_options(tmpfs, json!(["remount"]))
        }
        _ if propagation.contains(&name) || propagation.contains(&plain) => {
            bind(trial, json!(["rbind", name]))?
        }
        // The recursive ones need mount_setattr(2).
        _ if RECURSIVE.contains(&name) => {
            let host = trial.host();
            let new = crate::host::kernel_version(&host.kernel) >= (5, 14);
            // Elsewhere inherited mounts keep their options.
            if !new || !host.root() || !host.initial_user_namespace {
                return Ok(false);
            }
            bind(trial, json!(["rbind", name]))?
        }
        _ => with_options(tmpfs, json!([name])),
    };
    trial.mount(mount);
    Ok(true)
}

const RECURSIVE: [&str; 18] = [
    "rro",
    "rrw",
    "rnosuid",
    "rsuid",
    "rnodev",
    "rdev",
    "rnoexec",
    "rexec",
    "rnoatime",
    "ratime",
    "rnodiratime",
    "rdiratime",
    "rrelatime",
    "rnorelatime",
    "rstrictatime",
    "rnostrictatime",
    "rnosymfollow",
    "rsymfollow",
];

fn with_options(mut mount: Value, options: Value) -> Value {
    mount["options"] = options;
    mount
}

/// A filter with the flag, unless it is one for an agent that listens.
fn seccomp_flag(trial: &mut Trial<'_>, name: &str) -> Result<bool, Stop> {
    if name == "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" {
        return Ok(false);
    }
    rule(trial, json!({"action": "SCMP_ACT_ERRNO"}));
    trial.set("/linux/seccomp/flags/-", name);
    Ok(true)
}

/// A namespace of the type, if the host has such.
fn namespace(trial: &mut Trial<'_>, name: &str) -> Result<bool, Stop> {
    let file = match name {
        "network" => "net",
        "mount" => "mnt",
        other => other,
    };
    let known = trial.host().namespaces.contains(file);
    // A user namespace wants mappings, which have cases of their own.
    if !known || name == "user" {
        return Ok(false);
    }
    trial.add_namespace(json!({"type": name}));
    Ok(true)
}

/// Adds a rule to a filter that allows the rest, for a system call that the probe does not make and
/// that no rule has yet: two rules for one call may exclude each other.
fn rule(trial: &mut Trial<'_>, mut rule: Value) {
    let count = trial
        .config
        .pointer("/linux/seccomp/syscalls")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    rule["names"] = json!([UNUSED_CALLS[count % UNUSED_CALLS.len()]]);
    trial.set("/linux/seccomp/defaultAction", "SCMP_ACT_ALLOW");
    trial.set("/linux/seccomp/syscalls/-", rule);
}

const UNUSED_CALLS: [&str; 20] = [
    "kexec_load",
    "reboot",
    "swapon",
    "swapoff",
    "acct",
    "quotactl",
    "init_module",
    "delete_module",
    "settimeofday",
    "adjtimex",
    "add_key",
    "request_key",
    "mq_open",
    "mq_unlink",
    "semget",
    "semctl",
    "shmget",
    "shmctl",
    "msgget",
    "msgctl",
];
