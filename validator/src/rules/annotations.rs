//! `annotations` (config.md, Annotations). That keys are not empty and values are strings is the
//! schema's.

use crate::finding::Severity;
use crate::options::DocumentKind;
use crate::rule::Rule;

/// Rules about annotations.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "annotations/reverse-domain",
        clauses: &["config.annotations.key.reverse-domain"],
        page: "Annotations come from many programs, and what keeps their keys apart is a domain \
               name in reverse before each: `com.example.myKey`. A short key may be taken for \
               another program's.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "annotations": {"com.example.team": "a"}}"#,
        ],
        rejects: &[
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "annotations": {"team": "a"}}"#,
                "/annotations/team",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "annotations": {".team": "a"}}"#,
                "/annotations/.team",
            ),
        ],
        check: |context, found| {
            for (key, value) in context.root.get("annotations").members() {
                if !key.is_empty() && !is_reverse_domain(key) {
                    found
                        .at_name(
                            value,
                            format!("the key {key:?} has no domain in reverse before it"),
                        )
                        .help(format!("`com.example.{}`", key.trim_matches('.')));
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "annotations/reserved",
        clauses: &[
            "config.annotations.reserved.as-described",
            "config.annotations.reserved.all",
            "config.annotations.reserved.others",
        ],
        page: "Keys below `org.opencontainers` belong to the specifications of the Open Container \
               Initiative. Since version 1.2.0 eight of them, below `org.opencontainers.image`, \
               are listed and may be used; other keys of the image specification are a remark, \
               since engines copy them from images. Use a domain of your own for your keys.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "annotations": {"org.opencontainers.image.os": "linux", "org.opencontainersx": "a"}}"#,
        ],
        rejects: &[
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "annotations": {"org.opencontainers.team": "a"}}"#,
                "/annotations/org.opencontainers.team",
            ),
            (
                r#"{"ociVersion": "1.0.0", "root": {"path": "rootfs"}, "annotations": {"org.opencontainers": "a"}}"#,
                "/annotations/org.opencontainers",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "annotations": {"org.opencontainers.image.title": "a"}}"#,
                "/annotations/org.opencontainers.image.title",
            ),
        ],
        check: |context, found| {
            for (key, value) in context.root.get("annotations").members() {
                let is_reserved = key
                    .strip_prefix("org.opencontainers")
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
                if !is_reserved {
                    continue;
                }
                let of_image = key
                    .strip_prefix(IMAGE)
                    .filter(|name| OF_IMAGE_SPECIFICATION.contains(name));
                if of_image.is_some() {
                    found
                        .at_name(
                            value,
                            format!("{key} is not among the reserved keys that are listed"),
                        )
                        .clause("config.annotations.reserved.others")
                        .help("it is of the image specification, and means nothing to a runtime")
                        .only(Severity::Note);
                } else if listed(key).is_none() {
                    // Never an error, since whoever reads a config must not fail on unknown keys.
                    found
                        .at_name(value, format!("the key {key:?} is reserved"))
                        .help("use a domain of your own, in reverse")
                        .only(Severity::Warning);
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "annotations/image-value",
        clauses: &[
            "config.annotations.reserved.listed",
            "config.annotations.image.os.value",
            "config.annotations.image.os.version.value",
            "config.annotations.image.os.features.value",
            "config.annotations.image.architecture.value",
            "config.annotations.image.variant.value",
            "config.annotations.image.author.value",
            "config.annotations.image.created.value",
            "config.annotations.image.stopSignal.value",
        ],
        page: "The eight keys below `org.opencontainers.image` tell what the image says of itself, \
               in the same words: `os` and `architecture` as Go names them, `variant` by the image \
               specification's table, `created` as a date of RFC 3339, `stopSignal` as a signal's \
               name or number. The image specification advises on the first three, and an unknown \
               one is a warning.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "annotations": {"org.opencontainers.image.os": "linux", "org.opencontainers.image.os.version": "10.0.14393.1066", "org.opencontainers.image.os.features": "win32k", "org.opencontainers.image.architecture": "arm64", "org.opencontainers.image.variant": "v8", "org.opencontainers.image.author": "a <a@example.com>", "org.opencontainers.image.created": "2000-02-29T23:59:60.5+01:00", "org.opencontainers.image.stopSignal": "SIGRTMIN+3"}}"#,
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "annotations": {"org.opencontainers.image.created": "", "org.opencontainers.image.stopSignal": "15"}}"#,
        ],
        rejects: &[
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "annotations": {"org.opencontainers.image.os": "Linux"}}"#,
                "/annotations/org.opencontainers.image.os",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "annotations": {"org.opencontainers.image.architecture": "x86_64"}}"#,
                "/annotations/org.opencontainers.image.architecture",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "annotations": {"org.opencontainers.image.variant": "8"}}"#,
                "/annotations/org.opencontainers.image.variant",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "annotations": {"org.opencontainers.image.os.version": "10.0\n"}}"#,
                "/annotations/org.opencontainers.image.os.version",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "annotations": {"org.opencontainers.image.os.features": "win32k,,"}}"#,
                "/annotations/org.opencontainers.image.os.features",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "annotations": {"org.opencontainers.image.author": "\u0000"}}"#,
                "/annotations/org.opencontainers.image.author",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "annotations": {"org.opencontainers.image.created": "2000-13-01T00:00:00Z"}}"#,
                "/annotations/org.opencontainers.image.created",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "annotations": {"org.opencontainers.image.stopSignal": "TERMINATE"}}"#,
                "/annotations/org.opencontainers.image.stopSignal",
            ),
        ],
        check: |context, found| {
            for (key, value) in context.root.get("annotations").members() {
                let Some(listed) = listed(key) else {
                    continue;
                };
                // A value may be empty, whatever its key.
                let Some(text) = value.as_str().filter(|text| !text.is_empty()) else {
                    continue;
                };
                if (listed.is_valid)(text) {
                    continue;
                }
                let draft = found
                    .at(value, format!("{text:?} is {}", listed.complaint))
                    .clause(listed.clause)
                    .help(listed.help);
                if listed.only_advised {
                    draft.only(Severity::Warning);
                }
            }
        },
        kinds: &[DocumentKind::Config],
        ..Rule::SPEC
    },
];

const IMAGE: &str = "org.opencontainers.image.";

/// Keys that the image specification has and this one does not list.
const OF_IMAGE_SPECIFICATION: [&str; 14] = [
    "authors",
    "base.digest",
    "base.name",
    "description",
    "documentation",
    "exposedPorts",
    "licenses",
    "ref.name",
    "revision",
    "source",
    "title",
    "url",
    "vendor",
    "version",
];

/// A key that the specification lists.
struct Listed {
    key: &'static str,
    clause: &'static str,
    is_valid: fn(&str) -> bool,
    complaint: &'static str,
    help: &'static str,
    /// Whether the image specification says no more of the values than that they should be used.
    only_advised: bool,
}

static LISTED: [Listed; 8] = [
    Listed {
        key: "os",
        clause: "config.annotations.image.os.value",
        is_valid: |text| SYSTEMS.contains(&text),
        complaint: "no operating system as Go names them (GOOS)",
        help: "`linux`, `windows`, `freebsd` and such, in small letters",
        only_advised: true,
    },
    Listed {
        key: "os.version",
        clause: "config.annotations.image.os.version.value",
        is_valid: is_one_line,
        complaint: "no version in one line of text",
        help: "such as `10.0.14393.1066`",
        only_advised: false,
    },
    Listed {
        key: "os.features",
        clause: "config.annotations.image.os.features.value",
        is_valid: |text| is_one_line(text) && text.split(',').all(|one| !one.trim().is_empty()),
        complaint: "no list of features with commas between them",
        help: "such as `win32k`",
        only_advised: false,
    },
    Listed {
        key: "architecture",
        clause: "config.annotations.image.architecture.value",
        is_valid: |text| ARCHITECTURES.contains(&text),
        complaint: "no architecture as Go names them (GOARCH)",
        help: "`amd64` for x86_64, `arm64` for aarch64, `386` for i686",
        only_advised: true,
    },
    Listed {
        key: "variant",
        clause: "config.annotations.image.variant.value",
        is_valid: |text| VARIANTS.contains(&text),
        complaint: "no variant of an architecture that the image specification lists",
        help: "`v6`, `v7`, `v8` and such",
        only_advised: true,
    },
    Listed {
        key: "author",
        clause: "config.annotations.image.author.value",
        is_valid: |text| !text.contains('\0'),
        complaint: "no name",
        help: "name and mail address of a person or of a group",
        only_advised: false,
    },
    Listed {
        key: "created",
        clause: "config.annotations.image.created.value",
        is_valid: is_date_time,
        complaint: "no date and time as RFC 3339 has them",
        help: "`2000-01-01T00:00:00Z`",
        only_advised: false,
    },
    Listed {
        key: "stopSignal",
        clause: "config.annotations.image.stopSignal.value",
        is_valid: is_signal,
        complaint: "no signal",
        help: "a name such as `SIGTERM` or `SIGRTMIN+3`",
        only_advised: false,
    },
];

/// What Go calls operating systems.
const SYSTEMS: [&str; 19] = [
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "wasip2",
    "windows",
    "zos",
];

/// What Go calls architectures.
const ARCHITECTURES: [&str; 28] = [
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "arm64",
    "arm64be",
    "armbe",
    "loong64",
    "mips",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "mipsle",
    "ppc",
    "ppc64",
    "ppc64le",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "sw64",
    "wasm",
    "wasm32",
    "wasm64",
    "x32",
];

/// Variants that the image specification lists, and those that engines write beside them.
const VARIANTS: [&str; 15] = [
    "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v8.1", "v8.2", "v9", "power8", "power9",
    "power10", "rva20u64",
];

fn listed(key: &str) -> Option<&'static Listed> {
    let name = key.strip_prefix(IMAGE)?;
    LISTED.iter().find(|listed| listed.key == name)
}

/// Whether it has at least two parts with a dot between them, none of them empty.
fn is_reverse_domain(key: &str) -> bool {
    key.contains('.') && key.split('.').all(|part| !part.is_empty())
}

fn is_one_line(text: &str) -> bool {
    !text.contains(|letter: char| letter.is_control())
}

/// A date and time of RFC 3339: `2000-01-01T00:00:00.5Z`, or with an offset such as `+01:00`.
fn is_date_time(text: &str) -> bool {
    let digits = |text: &str| -> Option<u32> {
        let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| all)
    };
    let part = |from: usize, to: usize| text.get(from..to).and_then(digits);
    let sign = |at: usize| text.as_bytes().get(at).copied();
    let (Some(year), Some(month), Some(day)) = (part(0, 4), part(5, 7), part(8, 10)) else {
        return false;
    };
    let (Some(hour), Some(minute), Some(second)) = (part(11, 13), part(14, 16), part(17, 19))
    else {
        return false;
    };
    let separated = sign(4) == Some(b'-')
        && sign(7) == Some(b'-')
        && matches!(sign(10), Some(b'T' | b't'))
        && sign(13) == Some(b':')
        && sign(16) == Some(b':');
    let in_range = (1..=12).contains(&month)
        && (1..=days(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    // Only now is it certain that byte 19 begins a letter: all before it is ASCII.
    let rest = text.get(19..).unwrap_or_default();
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|letter: char| letter.is_ascii_digit());
            if zone.len() == fraction.len() {
                return false;
            }
            zone
        }
        None => rest,
    };
    let offset = |zone: &str| {
        let (hours, minutes) = zone.split_once(':')?;
        let two = hours.len() == 2 && minutes.len() == 2;
        Some(two && digits(hours)? < 24 && digits(minutes)? < 60)
    };
    let zoned = matches!(zone, "Z" | "z")
        || zone
            .strip_prefix(['+', '-'])
            .is_some_and(|zone| offset(zone).unwrap_or(false));
    separated && in_range && zoned
}

fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A signal's name, with or without `SIG`, or its number: engines write both.
fn is_signal(text: &str) -> bool {
    if let Ok(number) = text.parse::<u8>() {
        return (1..=64).contains(&number);
    }
    let name = text.strip_prefix("SIG").unwrap_or(text);
    let real_time = |base: &str, signs: char| {
        name.strip_prefix(base).is_some_and(|rest| {
            rest.is_empty()
                || rest
                    .strip_prefix(signs)
                    .and_then(|number| number.parse::<u8>().ok())
                    .is_some_and(|number| number <= 30)
        })
    };
    SIGNALS.contains(&name) || real_time("RTMIN", '+') || real_time("RTMAX", '-')
}

/// Signals of signal(7) and of the other platforms' pages, without `SIG`.
const SIGNALS: [&str; 41] = [
    "ABRT", "ALRM", "BUS", "CANCEL", "CHLD", "CLD", "CONT", "EMT", "FPE", "FREEZE", "HUP", "ILL",
    "INFO", "INT", "IO", "IOT", "JVM1", "JVM2", "KILL", "LOST", "LWP", "PIPE", "POLL", "PROF",
    "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "THAW", "TRAP", "TSTP", "TTIN", "TTOU",
    "URG", "USR1", "USR2", "VTALRM", "WINCH",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_of_rfc_3339() {
        for good in [
            "2000-01-01T00:00:00Z",
            "2024-02-29t23:59:60.123456789-11:30",
            "0001-01-01T00:00:00Z",
        ] {
            assert!(is_date_time(good), "{good}");
        }
        for bad in [
            "",
            "2000-01-01",
            "2000-01-01 00:00:00Z",
            "2000-01-01T00:00:00",
            "2001-02-29T00:00:00Z",
            "2000-01-01T24:00:00Z",
            "2000-01-01T00:00:00.Z",
            "2000-01-01T00:00:00+1:00",
            "2000-01-01T00:00:00+01:0é",
            "+200-01-01T00:00:00Z",
            "2000-01-01T00:00:0é",
        ] {
            assert!(!is_date_time(bad), "{bad}");
        }
    }

    #[test]
    fn signals_have_names_and_numbers() {
        for good in [
            "SIGTERM",
            "TERM",
            "9",
            "64",
            "SIGRTMIN",
            "SIGRTMIN+3",
            "RTMAX-1",
        ] {
            assert!(is_signal(good), "{good}");
        }
        for bad in [
            "0",
            "65",
            "-1",
            "sigterm",
            "SIG",
            "SIGRTMIN-1",
            "SIGRTMIN+99",
        ] {
            assert!(!is_signal(bad), "{bad}");
        }
    }
}
