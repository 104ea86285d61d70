//! The platforms' objects (config.md, Platform-specific configuration).

use crate::document::Kind;
use crate::rule::Rule;
use crate::rules::windows;

/// Rules about which platform's object is there.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "platforms/windows-named",
        clauses: &["config.platform.windows.must"],
        page: "A config for Windows has the object `windows`, with `layerFolders` in it. Without \
               one, paths with drives are just strange names.",
        accepts: &[windows!(
            r#"{"layerFolders": ["C:\\scratch"], "hyperv": {}}, "process": {"cwd": "C:\\", "args": ["cmd"]}"#
        )],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "\\\\?\\Volume{ec84d99e-3f02-11e7-ac6c-00155d7682cf}\\"}, "process": {"cwd": "C:\\", "args": ["cmd"]}}"#,
            "",
        )],
        check: |context, found| {
            if windows::is_meant(context) {
                found
                    .lacking(
                        context.root,
                        "the paths are of Windows, and the property `windows` is missing",
                    )
                    .help("`\"windows\": {\"layerFolders\": […]}`");
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "platforms/one",
        clauses: &[
            "config.platform.linux.may",
            "config.platform.solaris.may",
            "config.platform.freebsd.may",
            "config.platform.zos.may",
        ],
        page: "A platform's object is there if the container is for that platform, and a container \
               is for one. Runtimes of one platform ignore the objects of others. Linux containers \
               on Windows have both objects, and a FreeBSD host may run Linux programs.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "linux": {}, "windows": {"layerFolders": ["C:\\scratch"]}}"#,
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "linux": {}, "freebsd": {}}"#,
        ],
        rejects: &[
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "linux": {}, "solaris": {}}"#,
                "/solaris",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "zos": {}, "freebsd": {}}"#,
                "/zos",
            ),
        ],
        check: |context, found| {
            let mut first = None;
            for (name, clause) in PLATFORMS {
                let object = context.root.get(name);
                if object.kind() != Kind::Object {
                    continue;
                }
                let Some((before, earlier)) = first else {
                    first = Some((name, object));
                    continue;
                };
                let goes_along = matches!((before, name), ("linux", "windows" | "freebsd"));
                if !goes_along && let Some(clause) = clause {
                    found
                        .at_name(
                            object,
                            format!("`{name}` beside `{before}`: a container is for one platform"),
                        )
                        .clause(clause)
                        .related(earlier, "the other platform");
                }
            }
        },
        ..Rule::SPEC
    },
];

/// Platforms' objects, and the clauses that tell when they may be set. `windows` has one that tells
/// when it has to be.
const PLATFORMS: [(&str, Option<&str>); 5] = [
    ("linux", Some("config.platform.linux.may")),
    ("windows", None),
    ("freebsd", Some("config.platform.freebsd.may")),
    ("solaris", Some("config.platform.solaris.may")),
    ("zos", Some("config.platform.zos.may")),
];
