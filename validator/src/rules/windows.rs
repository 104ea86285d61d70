//! `windows` (config-windows.md), and what paths of Windows look like.

use crate::context::{Context, Platform};
use crate::finding::Severity;
use crate::rule::Rule;

/// Rules about what is of Windows alone.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "windows/cpu-one-of",
        clauses: &["config-windows.resources.cpu.exclusive"],
        page: "`count`, `shares` and `maximum` are three ways to say how much of the processors a \
               container gets, and only one of them can be meant. Up to version 1.0.2 they could \
               be combined.",
        accepts: &[
            windows!(
                r#"{"layerFolders": ["C:\\scratch"], "hyperv": {}, "resources": {"cpu": {"shares": 5000}}}"#
            ),
            r#"{"ociVersion": "1.0.2", "windows": {"layerFolders": ["C:\\scratch"], "hyperv": {}, "resources": {"cpu": {"count": 2, "shares": 5000}}}}"#,
        ],
        rejects: &[(
            windows!(
                r#"{"layerFolders": ["C:\\scratch"], "hyperv": {}, "resources": {"cpu": {"count": 2, "shares": 5000}}}"#
            ),
            "/windows/resources/cpu",
        )],
        check: |context, found| {
            let cpu = context.root.get("windows").get("resources").get("cpu");
            let mut set = ["count", "shares", "maximum"]
                .into_iter()
                .map(|name| (name, cpu.get(name)))
                .filter(|(_, value)| value.is_set());
            if let (Some((one, _)), Some((other, value))) = (set.next(), set.next()) {
                found
                    .at_name(cpu, format!("`{one}` and `{other}` exclude each other"))
                    .related(value, "the second one")
                    .help("leave one of count, shares and maximum");
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "windows/cpu-shares-range",
        clauses: &["config-windows.resources.cpu.shares.range"],
        page: "`shares` is a weight between 0 and 10000.",
        accepts: &[windows!(
            r#"{"layerFolders": ["C:\\scratch"], "hyperv": {}, "resources": {"cpu": {"shares": 10000}}}"#
        )],
        rejects: &[(
            windows!(
                r#"{"layerFolders": ["C:\\scratch"], "hyperv": {}, "resources": {"cpu": {"shares": 10001}}}"#
            ),
            "/windows/resources/cpu/shares",
        )],
        check: |context, found| {
            let cpu = context.root.get("windows").get("resources").get("cpu");
            let shares = cpu.get("shares");
            // What does not fit into 16 bits the schema tells.
            if shares
                .as_integer()
                .is_some_and(|weight| (10_001..=65_535).contains(&weight))
            {
                found
                    .at(shares, format!("{} is out of range", shares.text()))
                    .help("a weight of 0 to 10000");
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "windows/cpu-maximum-range",
        severity: Severity::Warning,
        source: "config-windows.md, CPU: the number of cycles per 10,000 cycles",
        page: "`maximum` is a percentage times 100: of every 10000 cycles the container gets so \
               many, and more than all there are none.",
        accepts: &[windows!(
            r#"{"layerFolders": ["C:\\scratch"], "hyperv": {}, "resources": {"cpu": {"maximum": 10000}}}"#
        )],
        rejects: &[(
            windows!(
                r#"{"layerFolders": ["C:\\scratch"], "hyperv": {}, "resources": {"cpu": {"maximum": 20000}}}"#
            ),
            "/windows/resources/cpu/maximum",
        )],
        check: |context, found| {
            let cpu = context.root.get("windows").get("resources").get("cpu");
            let maximum = cpu.get("maximum");
            if maximum
                .as_integer()
                .is_some_and(|cycles| (10_001..=65_535).contains(&cycles))
            {
                found
                    .at(
                        maximum,
                        format!("{} of 10000 cycles is more than all", maximum.text()),
                    )
                    .help("a percentage times 100: 5000 is half");
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "windows/network-namespace-alone",
        clauses: &["config-windows.network.networkNamespace.exclusive"],
        page: "A network namespace brings its endpoints and names with it. Beside \
               `networkNamespace` no other property of `network` is to be set.",
        accepts: &[windows!(
            r#"{"layerFolders": ["C:\\scratch"], "hyperv": {}, "network": {"networkNamespace": "a"}}"#
        )],
        rejects: &[(
            windows!(
                r#"{"layerFolders": ["C:\\scratch"], "hyperv": {}, "network": {"endpointList": ["b"], "networkNamespace": "a"}}"#
            ),
            "/windows/network/endpointList",
        )],
        check: |context, found| {
            let network = context.root.get("windows").get("network");
            let namespace = network.get("networkNamespace");
            if namespace.as_str().is_none_or(str::is_empty) {
                return;
            }
            for (name, value) in network.members() {
                if name != "networkNamespace" && value.is_set() {
                    found
                        .at_name(value, format!("`{name}` beside `networkNamespace`"))
                        .related(namespace, "the namespace")
                        .help("leave it out, or the namespace");
                }
            }
        },
        ..Rule::SPEC
    },
];

/// Whether a path names a place on Windows whatever the current directory is.
pub(super) fn is_absolute(path: &str) -> bool {
    let mut bytes = path.bytes();
    match (bytes.next(), bytes.next(), bytes.next()) {
        // Engines leave out the drive of `C:\`, and the backslash of a volume that is a drive.
        (Some(b'\\' | b'/'), _, _) => true,
        (Some(drive), Some(b':'), None | Some(b'\\' | b'/')) => drive.is_ascii_alphabetic(),
        _ => false,
    }
}

/// Whether a path leads to a share. Paths of devices, volumes and pipes (`\\?\`, `\\.\`) do not.
pub(super) fn is_unc(path: &str) -> bool {
    let path = path.replace('/', "\\");
    match path.strip_prefix(r"\\") {
        Some(rest) => {
            let long = rest
                .get(..6)
                .is_some_and(|start| start.eq_ignore_ascii_case(r"?\UNC\"));
            long || !(rest.starts_with(r"?\") || rest.starts_with(r".\"))
        }
        None => false,
    }
}

/// A path in the form in which two of them can be compared: Windows looks neither at capitals nor
/// at the direction of the slash.
pub(super) fn normal(path: &str) -> String {
    let path = path.replace('/', "\\").to_lowercase();
    path.trim_end_matches('\\').to_owned()
}

/// Whether a config seems to be for Windows although it has no platform's object.
pub(super) fn is_meant(context: &Context<'_>) -> bool {
    let of_drive = |path: Option<&str>| {
        path.is_some_and(|path| !path.starts_with(['/', '\\']) && is_absolute(path))
    };
    context.platform == Platform::Linux
        && !context.root.get("linux").is_present()
        && (of_drive(context.process.get("cwd").as_str())
            || context
                .root
                .get("root")
                .get("path")
                .as_str()
                .is_some_and(|path| path.starts_with(r"\\?\")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_windows_are_told_apart() {
        for path in [r"C:\", "c:/a", r"\\.\pipe\x", r"\a", "D:"] {
            assert!(is_absolute(path), "{path}");
        }
        for path in ["", "a", "C:a", r"..\a", "1:\\", "é:"] {
            assert!(!is_absolute(path), "{path}");
        }
        for path in [r"\\server\share", "//server/share", r"\\?\UNC\server\share"] {
            assert!(is_unc(path), "{path}");
        }
        for path in [
            r"C:\a",
            r"\\.\pipe\x",
            r"\\?\Volume{1}\",
            "",
            r"\a",
            r"\\?\é",
        ] {
            assert!(!is_unc(path), "{path}");
        }
        assert_eq!(normal("C:/Foo\\"), r"c:\foo");
    }
}
