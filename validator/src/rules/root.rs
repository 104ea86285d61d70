//! `root` (config.md, Root).

use crate::context::{Context, Platform};
use crate::document::Kind;
use crate::finding::Severity;
use crate::rule::Rule;

/// Rules about the root filesystem.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "root/required",
        clauses: &["config.root.required"],
        page: "On every platform but Windows a container has a root filesystem, and `root` says \
               where it is. Official schemas do not ask for it.",
        accepts: &[r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}}"#],
        rejects: &[(r#"{"ociVersion": "1.3.0"}"#, "")],
        check: |context, found| {
            if context.is_posix()
                && context.root.kind() == Kind::Object
                && !context.root.get("root").is_present()
                && !is_hyperv(context)
            {
                found
                    .lacking(context.root, "the property `root` is missing")
                    .help(
                        "`\"root\": {\"path\": \"rootfs\"}`: the directory that the container sees \
                         as /",
                    );
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "root/windows-server",
        clauses: &["config.root.required-windows-server"],
        page: "A Windows Server container, which is one without `windows.hyperv`, has its root \
               filesystem on a volume of the host, and `root.path` names that volume.",
        accepts: &[windows!(
            r#"{"layerFolders": ["C:\\scratch"]}, "root": {"path": "\\\\?\\Volume{ec84d99e-3f02-11e7-ac6c-00155d7682cf}\\"}"#
        )],
        rejects: &[(windows!(r#"{"layerFolders": ["C:\\scratch"]}"#), "")],
        check: |context, found| {
            if context.platform == Platform::Windows
                && !context.root.get("root").is_present()
                && !is_hyperv(context)
            {
                found
                    .lacking(context.root, "the property `root` is missing")
                    .related(context.root.get("windows"), "a Windows Server container")
                    .help("name the volume in `root.path`, or ask for Hyper-V by `windows.hyperv`");
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "root/not-with-hyperv",
        clauses: &["config.root.forbidden-hyperv"],
        page: "A Hyper-V container gets its root filesystem from its layers, inside of its virtual \
               machine. `root` must not be set.",
        accepts: &[windows!(
            r#"{"layerFolders": ["C:\\scratch"], "hyperv": {}}"#
        )],
        rejects: &[(
            windows!(
                r#"{"layerFolders": ["C:\\scratch"], "hyperv": {}}, "root": {"path": "\\\\?\\Volume{ec84d99e-3f02-11e7-ac6c-00155d7682cf}\\"}"#
            ),
            "/root",
        )],
        check: |context, found| {
            let root = context.root.get("root");
            if context.platform == Platform::Windows && root.is_present() && is_hyperv(context) {
                found
                    .at_name(root, "a Hyper-V container has no `root`")
                    .related(
                        context.root.get("windows").get("hyperv"),
                        "Hyper-V is asked for here",
                    )
                    .help("leave `root` out");
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "root/windows-volume",
        clauses: &["config.root.path.windows-guid"],
        page: "On Windows the root filesystem is a volume, and `root.path` is its volume GUID path \
               as `mountvol` prints it: `\\\\?\\Volume{…}\\`.",
        accepts: &[windows!(
            r#"{"layerFolders": ["C:\\scratch"]}, "root": {"path": "\\\\?\\Volume{ec84d99e-3f02-11e7-ac6c-00155d7682cf}\\"}"#
        )],
        rejects: &[(
            windows!(r#"{"layerFolders": ["C:\\scratch"]}, "root": {"path": "C:\\rootfs"}"#),
            "/root/path",
        )],
        check: |context, found| {
            let path = context.root.get("root").get("path");
            if let Some(text) = path.as_str()
                && context.platform == Platform::Windows
                && !is_volume(text)
            {
                found
                    .at(path, format!("{text:?} is not the path of a volume"))
                    .help(
                        r"`\\?\Volume{GUID}\`, as mountvol prints it, in JSON with each backslash twice",
                    );
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "root/windows-writable",
        clauses: &["config.root.readonly.windows"],
        page: "A root filesystem that is only read does not exist on Windows: `root.readonly` is \
               false there, or left out.",
        accepts: &[windows!(
            r#"{"layerFolders": ["C:\\scratch"]}, "root": {"path": "\\\\?\\Volume{ec84d99e-3f02-11e7-ac6c-00155d7682cf}\\", "readonly": false}"#
        )],
        rejects: &[(
            windows!(
                r#"{"layerFolders": ["C:\\scratch"]}, "root": {"path": "\\\\?\\Volume{ec84d99e-3f02-11e7-ac6c-00155d7682cf}\\", "readonly": true}"#
            ),
            "/root/readonly",
        )],
        check: |context, found| {
            let readonly = context.root.get("root").get("readonly");
            if context.platform == Platform::Windows && readonly.as_bool() == Some(true) {
                found
                    .at(readonly, "Windows has no root filesystem that is only read")
                    .help("leave it out");
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "root/conventional-name",
        clauses: &["config.root.path.rootfs"],
        page: "By convention the root filesystem lies beside `config.json` in a directory `rootfs`, \
               where people and tools look for it. Engines keep theirs elsewhere, and that is \
               allowed: this is a remark, not a warning.",
        accepts: &[r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}}"#],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "fs"}}"#,
            "/root/path",
        )],
        check: |context, found| {
            let path = context.root.get("root").get("path");
            if let Some(text) = path.as_str()
                && context.is_posix()
                // `/bundle/rootfs` is the convention too, written in full.
                && text.trim_end_matches('/').rsplit('/').next() != Some("rootfs")
            {
                found
                    .at(path, "the conventional name is `rootfs`")
                    .only(Severity::Note);
            }
        },
        ..Rule::SPEC
    },
];

/// Whether the container is to run in a virtual machine of Hyper-V.
fn is_hyperv(context: &Context<'_>) -> bool {
    context.root.get("windows").get("hyperv").is_set()
}

/// Whether it is a volume GUID path, or a path on such a volume.
fn is_volume(path: &str) -> bool {
    let Some((guid, rest)) = path
        .strip_prefix(r"\\?\Volume{")
        .and_then(|rest| rest.split_once('}'))
    else {
        return false;
    };
    let mut groups = guid.split('-');
    let all_hex = [8, 4, 4, 4, 12].into_iter().all(|length| {
        groups.next().is_some_and(|group| {
            group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    });
    all_hex && groups.next().is_none() && (rest.is_empty() || rest.starts_with('\\'))
}
