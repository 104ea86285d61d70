//! `--features`: whether a runtime can do what a config asks for, by what the runtime says of itself
//! (features.md, features-linux.md).
//!
//! What the runtime's document leaves out, or has null for, is unknown: that is one note for each
//! feature that the config uses. An empty list, in contrast, says that there is nothing.

use std::cmp::Ordering;
use std::collections::HashSet;

use crate::context::{Context, NEWEST};
use crate::document::{Document, Kind, Value};
use crate::finding::Severity;
use crate::options::DocumentKind;
use crate::rule::Rule;
use crate::rules::{mount_options, places};

const PROCESS: &[DocumentKind] = &[DocumentKind::Config, DocumentKind::Process];
const RESOURCES: &[DocumentKind] = &[DocumentKind::Config, DocumentKind::Resources];
const SECCOMP: &[DocumentKind] = &[DocumentKind::Config, DocumentKind::Seccomp];

/// Rules about what a runtime can do.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "runtime/version",
        clauses: &["features.ociVersionMin", "features.ociVersionMax"],
        source: "--features: ociVersionMin, ociVersionMax",
        page: "The runtime names the oldest and the newest version of the specification that it \
               recognizes, and the config is of another one. A runtime may still take a config of \
               a newer version with the same first number, and ignores what it does not know of \
               it; so that is a warning. Write the version that the config needs, not the newest.",
        accepts: &[r#"{"ociVersion": "1.2.0", "root": {"path": "rootfs"}}"#],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}}"#,
            "/ociVersion",
        )],
        check: |context, found| {
            let Some(features) = features(context) else {
                return;
            };
            let version = context.root.get("ociVersion");
            let semver = |value: Value<'_>| semver::Version::parse(value.as_str()?).ok();
            let Some(asked) = semver(version) else { return };
            let mut found = found.as_of(NEWEST);
            if let Some(oldest) = semver(features.get("ociVersionMin"))
                && asked.cmp_precedence(&oldest) == Ordering::Less
            {
                found.at(
                    version,
                    format!("the oldest version that the runtime recognizes is {oldest}"),
                );
            }
            if let Some(newest) = semver(features.get("ociVersionMax"))
                && asked.cmp_precedence(&newest) == Ordering::Greater
            {
                let draft = found
                    .at(
                        version,
                        format!("the newest version that the runtime recognizes is {newest}"),
                    )
                    .clause("features.ociVersionMax");
                if asked.major == newest.major {
                    draft.only(Severity::Warning);
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "runtime/unknown",
        clauses: &[
            "features.hooks",
            "features-linux.namespaces",
            "features-linux.capabilities",
            "features-linux.cgroup.rdma",
            "features-linux.seccomp.enabled",
            "features-linux.apparmor.enabled",
            "features-linux.selinux.enabled",
            "features-linux.intelRdt.enabled",
            "features-linux.memoryPolicy",
            "features-linux.mountExtensions.idmap.enabled",
            "features-linux.netDevices.enabled",
        ],
        kinds: &[
            DocumentKind::Config,
            DocumentKind::Process,
            DocumentKind::Resources,
            DocumentKind::Seccomp,
        ],
        source: "--features: a property that is absent or null",
        page: "The runtime's document does not say whether the runtime can do this: the property is \
               absent or null, which means that it is unknown, not that there is nothing. Older \
               runtimes know less of the document. Try it, or ask the runtime's manual.",
        accepts: &[linux!(r#"{"namespaces": [{"type": "pid"}]}"#)],
        rejects: &[(
            resources!(r#"{"rdma": {"mlx5_1": {"hcaHandles": 3}}}"#),
            "/linux/resources/rdma",
        )],
        check: |context, found| {
            let Some(features) = features(context) else {
                return;
            };
            let mut found = found.as_of(NEWEST);
            for (place, property, clause) in SAID_BY {
                let steps = property.split('.');
                if steps.fold(features, |value, step| value.get(step)).is_set() {
                    continue;
                }
                let mut first = None;
                places::each(context, place, &mut |value| {
                    if places::asks(value) && first.is_none() {
                        first = Some(value);
                    }
                });
                if let Some(value) = first {
                    found
                        .at_name(value, format!("the runtime does not say whether it can do this: it has no `{property}`"))
                        .clause(clause)
                        .only(Severity::Note);
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "runtime/hooks",
        clauses: &["features.hooks"],
        source: "--features: hooks",
        page: "The runtime does not recognize hooks of this kind. It ignores properties that it \
               does not know, so the hooks would not run, and nobody would tell. Use a kind that \
               it has; `prestart` is the oldest one.",
        accepts: &[
            r#"{"ociVersion": "1.2.0", "root": {"path": "rootfs"}, "hooks": {"poststop": [{"path": "/bin/a"}], "poststart": []}}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.2.0", "root": {"path": "rootfs"}, "hooks": {"poststart": [{"path": "/bin/a"}]}}"#,
            "/hooks/poststart",
        )],
        check: |context, found| {
            let Some(list) = list(context, "hooks") else {
                return;
            };
            for (kind, hooks) in context.root.get("hooks").members() {
                if places::asks(hooks) && !has(list, kind) {
                    found.as_of(NEWEST).at_name(
                        hooks,
                        format!("the runtime knows no hooks of the kind {kind:?}"),
                    );
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "runtime/mount-options",
        clauses: &["features.mountOptions"],
        source: "--features: mountOptions",
        page: "The specification lists the option, and the runtime does not recognize it. It hands \
               it to the filesystem with the data of the mount; most filesystems refuse what they \
               do not know, and bind mounts ignore it. Options of filesystems (`size=1m`) are not \
               in the runtime's list and not meant here.",
        accepts: &[mount!(
            r#"{"destination": "/t", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "size=1m"]}"#
        )],
        rejects: &[(
            mount!(
                r#"{"destination": "/t", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "tmpcopyup"]}"#
            ),
            "/mounts/0/options/1",
        )],
        check: |context, found| {
            let Some(list) = list(context, "mountOptions") else {
                return;
            };
            for mount in context.root.get("mounts").items() {
                for (name, option) in mount.get("options").strings() {
                    if mount_options::is_listed(name) && !has(list, name) {
                        found
                            .as_of(NEWEST)
                            .at(
                                option,
                                format!("the runtime does not know the option `{name}`"),
                            )
                            .help("it hands it to the filesystem")
                            .only(Severity::Warning);
                    }
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "runtime/namespaces",
        clauses: &["features-linux.namespaces"],
        source: "--features: linux.namespaces",
        page: "The runtime does not recognize this type of namespace and has to refuse the config. \
               Leave it out, or take a runtime that has it.",
        accepts: &[linux!(r#"{"namespaces": [{"type": "pid"}]}"#)],
        rejects: &[(
            linux!(r#"{"namespaces": [{"type": "pid"}, {"type": "time"}]}"#),
            "/linux/namespaces/1/type",
        )],
        check: |context, found| {
            let Some(list) = list(context, "linux.namespaces") else {
                return;
            };
            for entry in context.linux.get("namespaces").items() {
                let its_type = entry.get("type");
                if let Some(name) = its_type.as_str()
                    && !has(list, name)
                {
                    found.as_of(NEWEST).at(
                        its_type,
                        format!("the runtime makes no namespaces of type {name:?}"),
                    );
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "runtime/capabilities",
        clauses: &["features-linux.capabilities"],
        kinds: PROCESS,
        source: "--features: linux.capabilities",
        page: "The runtime does not know the capability. It warns and starts the process without \
               it; before version 1.1.0 of the specification it had to fail.",
        accepts: &[process_with!(
            r#""capabilities": {"bounding": ["CAP_KILL"]}"#
        )],
        rejects: &[(
            process_with!(
                r#""capabilities": {"bounding": ["CAP_KILL", "CAP_BPF"], "effective": ["CAP_BPF"]}"#
            ),
            "/process/capabilities/bounding/1",
        )],
        check: |context, found| {
            let Some(list) = list(context, "linux.capabilities") else {
                return;
            };
            let mut told = HashSet::new();
            let sets = [
                "bounding",
                "permitted",
                "effective",
                "inheritable",
                "ambient",
            ];
            let sets = sets.map(|set| context.process.get("capabilities").get(set));
            for (name, value) in sets.into_iter().flat_map(Value::strings) {
                if !has(list, name) && told.insert(name) {
                    found
                        .as_of(NEWEST)
                        .at(
                            value,
                            format!("the runtime does not know the capability {name:?}"),
                        )
                        .only(Severity::Warning);
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "runtime/cgroup",
        clauses: &[
            "features-linux.cgroup.v1",
            "features-linux.cgroup.v2",
            "features-linux.cgroup.systemd",
            "features-linux.cgroup.rdma",
        ],
        kinds: RESOURCES,
        source: "--features: linux.cgroup",
        page: "The runtime lacks the version of cgroups, the manager or the controller that this \
               part of the config is for: `unified` is of v2, swappiness, real-time budgets and \
               network classes are of v1, a `cgroupsPath` of the form `slice:prefix:name` is for \
               systemd as manager, and `rdma` is a controller of its own.",
        accepts: &[
            resources!(r#"{"unified": {"memory.high": "1048576"}}"#),
            linux!(r#"{"cgroupsPath": "/a/b"}"#),
        ],
        rejects: &[
            (
                resources!(r#"{"memory": {"swappiness": 10}}"#),
                "/linux/resources/memory/swappiness",
            ),
            (
                linux!(r#"{"cgroupsPath": "system.slice:oci:a"}"#),
                "/linux/cgroupsPath",
            ),
        ],
        check: |context, found| {
            let Some(features) = features(context) else {
                return;
            };
            let cgroup = features.get("linux").get("cgroup");
            let lacks = |name| cgroup.get(name).as_bool() == Some(false);
            let mut found = found.as_of(NEWEST);
            let mut tell = |place: &str, what: &str, clause: &'static str| {
                places::each(context, place, &mut |value| {
                    if places::asks(value) {
                        found
                            .at_name(value, format!("the runtime has no {what}"))
                            .clause(clause);
                    }
                });
            };
            if lacks("v2") {
                tell(
                    "linux.resources.unified",
                    "cgroup v2",
                    "features-linux.cgroup.v2",
                );
            }
            if lacks("v1") {
                for place in ONLY_V1 {
                    tell(place, "cgroup v1", "features-linux.cgroup.v1");
                }
            }
            if lacks("rdma") {
                tell(
                    "linux.resources.rdma",
                    "controller rdma",
                    "features-linux.cgroup.rdma",
                );
            }
            let path = context.linux.get("cgroupsPath");
            let for_systemd = path
                .as_str()
                .is_some_and(|path| !path.contains('/') && path.matches(':').count() == 2);
            // Unless `systemdUser` is said to be there or left open, nobody reads the form.
            if for_systemd && lacks("systemd") && lacks("systemdUser") {
                found
                    .at(path, "the runtime has no systemd manager of cgroups")
                    .clause("features-linux.cgroup.systemd")
                    .help("a path such as `/parent/name`");
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "runtime/seccomp",
        clauses: &[
            "features-linux.seccomp.enabled",
            "features-linux.seccomp.actions",
            "features-linux.seccomp.operators",
            "features-linux.seccomp.archs",
        ],
        kinds: SECCOMP,
        source: "--features: linux.seccomp",
        page: "The runtime was built without seccomp, or does not recognize the action, operator \
               or architecture. It has to refuse the config, since it would filter something else \
               than was asked for.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [{"names": ["a"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}]}"#
        )],
        rejects: &[
            (
                seccomp!(r#"{"defaultAction": "SCMP_ACT_LOG"}"#),
                "/linux/seccomp/defaultAction",
            ),
            (
                seccomp!(
                    r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_S390X"]}"#
                ),
                "/linux/seccomp/architectures/1",
            ),
            (
                seccomp!(
                    r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["a"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_GT"}]}]}"#
                ),
                "/linux/seccomp/syscalls/0/args/0/op",
            ),
        ],
        check: |context, found| {
            let Some(features) = features(context) else {
                return;
            };
            let said = features.get("linux").get("seccomp");
            let mut found = found.as_of(NEWEST);
            if said.get("enabled").as_bool() == Some(false) {
                if context.seccomp.is_set() {
                    found.at_name(context.seccomp, "the runtime was built without seccomp");
                }
                return;
            }
            for (place, list, clause) in [
                ("defaultAction", "actions", "features-linux.seccomp.actions"),
                (
                    "syscalls[].action",
                    "actions",
                    "features-linux.seccomp.actions",
                ),
                (
                    "syscalls[].args[].op",
                    "operators",
                    "features-linux.seccomp.operators",
                ),
                ("architectures[]", "archs", "features-linux.seccomp.archs"),
            ] {
                let known = said.get(list);
                if known.kind() != Kind::Array {
                    continue;
                }
                let mut told = HashSet::new();
                places::below(context.seccomp, place, &mut |value| {
                    // One finding for each value: a profile has hundreds of rules.
                    if let Some(name) = value.as_str()
                        && !has(known, name)
                        && told.insert(name)
                    {
                        found
                            .at(value, format!("the runtime does not know {name}"))
                            .clause(clause)
                            .help(format!("its `linux.seccomp.{list}` does not list it"));
                    }
                });
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "runtime/seccomp-flags",
        clauses: &[
            "features-linux.seccomp.knownFlags",
            "features-linux.seccomp.supportedFlags",
        ],
        kinds: SECCOMP,
        source: "--features: linux.seccomp.knownFlags, linux.seccomp.supportedFlags",
        page: "The runtime does not recognize the flag of the filter, or recognizes it and cannot \
               set it, for want of a newer kernel or libseccomp. It has to refuse the config.",
        accepts: &[seccomp!(
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG"]}"#
        )],
        rejects: &[
            (
                seccomp!(
                    r#"{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_TSYNC"]}"#
                ),
                "/linux/seccomp/flags/0",
            ),
            (
                seccomp!(
                    r#"{"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]}"#
                ),
                "/linux/seccomp/flags/0",
            ),
        ],
        check: |context, found| {
            let mut found = found.as_of(NEWEST);
            for (name, flag) in context.seccomp.get("flags").strings() {
                let lacks = |property| list(context, property).is_some_and(|list| !has(list, name));
                if lacks("linux.seccomp.knownFlags") {
                    found.at(flag, format!("the runtime does not know the flag {name}"));
                } else if lacks("linux.seccomp.supportedFlags") {
                    found
                        .at(
                            flag,
                            format!("the runtime knows the flag {name} and cannot set it here"),
                        )
                        .clause("features-linux.seccomp.supportedFlags");
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "runtime/security-module",
        clauses: &[
            "features-linux.apparmor.enabled",
            "features-linux.selinux.enabled",
        ],
        kinds: PROCESS,
        source: "--features: linux.apparmor, linux.selinux",
        page: "The runtime was built without the security module that the config asks for, and \
               cannot confine the process as asked. Take a runtime that was built with it, or \
               leave the property out.",
        accepts: &[process_with!(r#""apparmorProfile": """#)],
        rejects: &[
            (
                process_with!(r#""apparmorProfile": "p""#),
                "/process/apparmorProfile",
            ),
            (
                process_with!(r#""selinuxLabel": "a:b:c:s0""#),
                "/process/selinuxLabel",
            ),
            (linux!(r#"{"mountLabel": "a:b:c:s0"}"#), "/linux/mountLabel"),
        ],
        check: |context, found| {
            let Some(features) = features(context) else {
                return;
            };
            for (value, module, name, clause) in [
                (
                    context.process.get("apparmorProfile"),
                    "apparmor",
                    "AppArmor",
                    "features-linux.apparmor.enabled",
                ),
                (
                    context.process.get("selinuxLabel"),
                    "selinux",
                    "SELinux",
                    "features-linux.selinux.enabled",
                ),
                (
                    context.linux.get("mountLabel"),
                    "selinux",
                    "SELinux",
                    "features-linux.selinux.enabled",
                ),
            ] {
                let enabled = features.get("linux").get(module).get("enabled").as_bool();
                if enabled == Some(false)
                    && places::asks(value)
                    && value.as_str() != Some("unconfined")
                {
                    found
                        .as_of(NEWEST)
                        .at_name(value, format!("the runtime was built without {name}"))
                        .clause(clause);
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "runtime/intel-rdt",
        clauses: &[
            "features-linux.intelRdt.enabled",
            "features-linux.intelRdt.schemata",
            "features-linux.intelRdt.monitoring",
        ],
        source: "--features: linux.intelRdt",
        page: "The runtime lacks this part of Intel's RDT: nothing of it, the list `schemata`, or \
               monitoring groups. Without `schemata` the older `l3CacheSchema` and `memBwSchema` \
               may say the same.",
        accepts: &[linux!(r#"{"intelRdt": {}}"#)],
        rejects: &[(
            linux!(r#"{"intelRdt": {"closID": "a"}}"#),
            "/linux/intelRdt",
        )],
        check: |context, found| {
            let Some(features) = features(context) else {
                return;
            };
            let said = features.get("linux").get("intelRdt");
            let lacks = |name| said.get(name).as_bool() == Some(false);
            let rdt = context.linux.get("intelRdt");
            let mut found = found.as_of(NEWEST);
            if !places::asks(rdt) {
                return;
            }
            if lacks("enabled") {
                found.at_name(rdt, "the runtime has no Intel RDT");
                return;
            }
            for (property, name, clause) in [
                ("schemata", "schemata", "features-linux.intelRdt.schemata"),
                (
                    "enableMonitoring",
                    "monitoring",
                    "features-linux.intelRdt.monitoring",
                ),
            ] {
                let value = rdt.get(property);
                if lacks(name) && places::asks(value) {
                    found
                        .at_name(value, format!("the runtime does not know `{property}`"))
                        .clause(clause);
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "runtime/memory-policy",
        clauses: &[
            "features-linux.memoryPolicy.modes",
            "features-linux.memoryPolicy.flags",
        ],
        source: "--features: linux.memoryPolicy",
        page: "The runtime does not recognize the mode or the flag of the memory policy, and has \
               to refuse the config.",
        accepts: &[linux!(
            r#"{"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0"}}"#
        )],
        rejects: &[
            (
                linux!(r#"{"memoryPolicy": {"mode": "MPOL_INTERLEAVE", "nodes": "0"}}"#),
                "/linux/memoryPolicy/mode",
            ),
            (
                linux!(
                    r#"{"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}}"#
                ),
                "/linux/memoryPolicy/flags/0",
            ),
        ],
        check: |context, found| {
            let policy = context.linux.get("memoryPolicy");
            let mut found = found.as_of(NEWEST);
            let mode = policy.get("mode");
            if let Some(name) = mode.as_str()
                && list(context, "linux.memoryPolicy.modes").is_some_and(|list| !has(list, name))
            {
                found.at(mode, format!("the runtime does not know the mode {name}"));
            }
            for (name, flag) in policy.get("flags").strings() {
                if list(context, "linux.memoryPolicy.flags").is_some_and(|list| !has(list, name)) {
                    found
                        .at(flag, format!("the runtime does not know the flag {name}"))
                        .clause("features-linux.memoryPolicy.flags");
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "runtime/idmapped-mounts",
        clauses: &["features-linux.mountExtensions.idmap.enabled"],
        source: "--features: linux.mountExtensions.idmap",
        page: "The runtime makes no use of mappings of mounts. The files would appear with their \
               owners on the host, which is not what was asked for.",
        accepts: &[mount!(
            r#"{"destination": "/t", "type": "bind", "source": "/srv", "options": ["rbind"]}"#
        )],
        rejects: &[
            (
                mount!(
                    r#"{"destination": "/t", "type": "bind", "source": "/srv", "options": ["bind"], "uidMappings": [{"containerID": 0, "hostID": 0, "size": 1}], "gidMappings": [{"containerID": 0, "hostID": 0, "size": 1}]}"#
                ),
                "/mounts/0/uidMappings",
            ),
            (
                mount!(
                    r#"{"destination": "/t", "type": "bind", "source": "/srv", "options": ["bind", "idmap"]}"#
                ),
                "/mounts/0/options/1",
            ),
        ],
        check: |context, found| {
            let Some(features) = features(context) else {
                return;
            };
            let idmap = features.get("linux").get("mountExtensions").get("idmap");
            if idmap.get("enabled").as_bool() != Some(false) {
                return;
            }
            for mount in context.root.get("mounts").items() {
                let mappings = ["uidMappings", "gidMappings"].map(|name| mount.get(name));
                let options = mount.get("options").strings();
                let option = options
                    .filter(|(name, _)| matches!(*name, "idmap" | "ridmap"))
                    .map(|(_, option)| option);
                let mut asking = mappings
                    .into_iter()
                    .filter(|one| places::asks(*one))
                    .chain(option);
                if let Some(first) = asking.next() {
                    found
                        .as_of(NEWEST)
                        .at_name(first, "the runtime makes no mounts with mapped owners");
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "runtime/net-devices",
        clauses: &["features-linux.netDevices.enabled"],
        source: "--features: linux.netDevices",
        page: "The runtime does not move network devices into the container.",
        accepts: &[linux!(r#"{"netDevices": {}}"#)],
        rejects: &[(
            linux!(r#"{"namespaces": [{"type": "network"}], "netDevices": {"eth0": {}}}"#),
            "/linux/netDevices",
        )],
        check: |context, found| {
            let Some(features) = features(context) else {
                return;
            };
            let devices = context.linux.get("netDevices");
            let enabled = features
                .get("linux")
                .get("netDevices")
                .get("enabled")
                .as_bool();
            if enabled == Some(false) && devices.members().next().is_some() {
                found
                    .as_of(NEWEST)
                    .at_name(devices, "the runtime moves no network devices");
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "runtime/unsafe-annotation",
        clauses: &[
            "features.potentiallyUnsafeConfigAnnotations",
            "features.potentiallyUnsafeConfigAnnotations.prefix",
        ],
        source: "--features: potentiallyUnsafeConfigAnnotations",
        page: "The runtime says that this annotation changes what it does, in a way that may not be \
               safe. Engines that take annotations from their users should refuse it; keep it only \
               if whoever wrote the config may do anything on the host.",
        accepts: &[
            r#"{"ociVersion": "1.2.0", "root": {"path": "rootfs"}, "annotations": {"org.example.other": "a", "org.example.one.more": "b"}}"#,
        ],
        rejects: &[
            (
                r#"{"ociVersion": "1.2.0", "root": {"path": "rootfs"}, "annotations": {"org.example.one": "a"}}"#,
                "/annotations/org.example.one",
            ),
            (
                r#"{"ociVersion": "1.2.0", "root": {"path": "rootfs"}, "annotations": {"org.example.unsafe.a": "a"}}"#,
                "/annotations/org.example.unsafe.a",
            ),
        ],
        check: |context, found| {
            let Some(list) = list(context, "potentiallyUnsafeConfigAnnotations") else {
                return;
            };
            for (key, value) in context.root.get("annotations").members() {
                let unsafe_one = list
                    .strings()
                    .any(|(name, _)| name == key || (name.ends_with('.') && key.starts_with(name)));
                if unsafe_one {
                    found
                        .as_of(NEWEST)
                        .at_name(
                            value,
                            format!("the runtime calls the annotation {key:?} potentially unsafe"),
                        )
                        .only(Severity::Warning);
                }
            }
        },
        ..Rule::SPEC
    },
];

/// Places of a config, the property of the features document that tells whether the runtime
/// can do it, and the clause of that.
const SAID_BY: &[(&str, &str, &str)] = &[
    ("hooks", "hooks", "features.hooks"),
    (
        "linux.namespaces",
        "linux.namespaces",
        "features-linux.namespaces",
    ),
    (
        "process.capabilities",
        "linux.capabilities",
        "features-linux.capabilities",
    ),
    (
        "linux.resources.rdma",
        "linux.cgroup.rdma",
        "features-linux.cgroup.rdma",
    ),
    (
        "linux.seccomp",
        "linux.seccomp.enabled",
        "features-linux.seccomp.enabled",
    ),
    (
        "process.apparmorProfile",
        "linux.apparmor.enabled",
        "features-linux.apparmor.enabled",
    ),
    (
        "process.selinuxLabel",
        "linux.selinux.enabled",
        "features-linux.selinux.enabled",
    ),
    (
        "linux.mountLabel",
        "linux.selinux.enabled",
        "features-linux.selinux.enabled",
    ),
    (
        "linux.intelRdt",
        "linux.intelRdt.enabled",
        "features-linux.intelRdt.enabled",
    ),
    (
        "linux.memoryPolicy",
        "linux.memoryPolicy.modes",
        "features-linux.memoryPolicy",
    ),
    (
        "mounts[].uidMappings",
        "linux.mountExtensions.idmap.enabled",
        "features-linux.mountExtensions.idmap.enabled",
    ),
    (
        "linux.netDevices",
        "linux.netDevices.enabled",
        "features-linux.netDevices.enabled",
    ),
];

/// Limits that cgroup v1 alone has.
const ONLY_V1: [&str; 7] = [
    "linux.resources.memory.swappiness",
    "linux.resources.memory.disableOOMKiller",
    "linux.resources.cpu.realtimeRuntime",
    "linux.resources.cpu.realtimePeriod",
    "linux.resources.blockIO.leafWeight",
    "linux.resources.network.classID",
    "linux.resources.network.priorities",
];

/// What the runtime says of itself, if somebody asked for it.
fn features<'d>(context: &Context<'d>) -> Option<Value<'d>> {
    context.options.features.as_ref().map(Document::root)
}

/// A list in what the runtime says, by its place; `None` if that is unknown.
fn list<'d>(context: &Context<'d>, place: &str) -> Option<Value<'d>> {
    let list = place
        .split('.')
        .fold(features(context)?, |value, step| value.get(step));
    (list.kind() == Kind::Array).then_some(list)
}

fn has(list: Value<'_>, name: &str) -> bool {
    list.strings().any(|(one, _)| one == name)
}
