//! `linux.cgroupsPath` (config-linux.md, Cgroups Path).

use crate::finding::Severity;
use crate::rule::Rule;

/// Rules about the place of the container's cgroup.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "cgroups-path/component",
        severity: Severity::Error,
        source: "mkdir(2): ENAMETOOLONG; cgroup_mkdir() of the kernel: EINVAL",
        page: "Each part of the path is the name of a directory: at most 255 bytes, and without a \
               line break, which the kernel refuses in the names of cgroups.",
        accepts: &[linux!(r#"{"cgroupsPath": "/engine/c1"}"#)],
        rejects: &[(
            linux!(r#"{"cgroupsPath": "/engine/c\n1"}"#),
            "/linux/cgroupsPath",
        )],
        check: |context, found| {
            let value = context.linux.get("cgroupsPath");
            for part in value.as_str().unwrap_or_default().split('/') {
                if part.contains(['\n', '\0']) {
                    found.at(
                        value,
                        "the name of a cgroup has no line break and no zero byte",
                    );
                } else if part.len() > 255 {
                    found.at(
                        value,
                        format!("a name of {} bytes: at most 255 are allowed", part.len()),
                    );
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "cgroups-path/no-parent",
        severity: Severity::Warning,
        source: "cgroups(7): the groups above belong to others",
        page: "A path with `..` in it climbs out of the place that its first parts name. Runtimes \
               refuse it or cut it off at the root of the hierarchy; in neither case is the cgroup \
               where the path says. Write the path that is meant.",
        accepts: &[linux!(r#"{"cgroupsPath": "/engine/c..1"}"#)],
        rejects: &[(
            linux!(r#"{"cgroupsPath": "../../c1"}"#),
            "/linux/cgroupsPath",
        )],
        check: |context, found| {
            let value = context.linux.get("cgroupsPath");
            if let Some(path) = value.as_str()
                && path.split('/').any(|part| part == "..")
            {
                found.at(value, format!("{path:?} climbs up with `..`"));
            }
        },
        ..Rule::SPEC
    },
];
