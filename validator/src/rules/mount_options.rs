//! `mounts[].options` on Linux (config.md, Linux mount options; mount(8)).

use crate::context::Context;
use crate::document::Value;
use crate::finding::Severity;
use crate::names::Names;
use crate::rule::{Found, Rule};
use crate::rules::mounts::mounts;
use crate::structure::similar;

/// Rules about options of mounts.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "mount-options/conflict",
        severity: Severity::Warning,
        source: "mount(8): one option is the other's opposite",
        page: "Two options of one mount contradict each other. Most runtimes take the last one, \
               and none of them says so: a mount that was meant to be read-only may be writable. \
               Leave one of the two.",
        accepts: &[mount!(
            r#"{"destination": "/a", "type": "tmpfs", "options": ["rw", "rro", "nodev", "nosuid"]}"#
        )],
        rejects: &[
            (
                mount!(
                    r#"{"destination": "/a", "type": "tmpfs", "options": ["ro", "nodev", "rw"]}"#
                ),
                "/mounts/0/options/2",
            ),
            (
                mount!(r#"{"destination": "/a", "type": "tmpfs", "options": ["nodev", "dev"]}"#),
                "/mounts/0/options/1",
            ),
            (
                mount!(
                    r#"{"destination": "/a", "type": "tmpfs", "options": ["noatime", "strictatime"]}"#
                ),
                "/mounts/0/options/1",
            ),
        ],
        check: |context, found| {
            for mount in linux_mounts(context) {
                conflicts(mount.get("options"), found);
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "mount-options/one-propagation",
        severity: Severity::Warning,
        source: "mount_namespaces(7): a mount is shared, private, a slave or unbindable; mount(2): \
                 EINVAL for two of them at once",
        page: "A mount has one type of propagation, and several options ask for different ones. \
               What comes of it depends on how the runtime goes through them. Leave one.",
        accepts: &[mount!(
            r#"{"destination": "/a", "source": "/a", "options": ["rbind", "rslave"]}"#
        )],
        rejects: &[(
            mount!(
                r#"{"destination": "/a", "source": "/a", "options": ["rbind", "rslave", "rshared"]}"#
            ),
            "/mounts/0/options/2",
        )],
        check: |context, found| {
            for mount in linux_mounts(context) {
                let mut kinds = mount
                    .get("options")
                    .strings()
                    .filter(|(name, _)| PROPAGATION.contains(name));
                if let Some((name, first)) = kinds.next()
                    && let Some((other, second)) = kinds.find(|(other, _)| *other != name)
                {
                    found
                        .at(
                            second,
                            format!("`{other}` after `{name}`: a mount has one propagation"),
                        )
                        .related(first, "the first one")
                        .help("leave one of them");
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "mount-options/bind-or-rbind",
        severity: Severity::Note,
        source: "mount(2): MS_REC is part of rbind, so that bind adds nothing",
        page: "`rbind` is `bind` with all mounts below it. Beside `rbind`, `bind` changes nothing, \
               and a reader has to guess which one was meant.",
        accepts: &[mount!(
            r#"{"destination": "/a", "source": "/a", "options": ["rbind"]}"#
        )],
        rejects: &[(
            mount!(r#"{"destination": "/a", "source": "/a", "options": ["bind", "rbind"]}"#),
            "/mounts/0/options/0",
        )],
        check: |context, found| {
            for mount in linux_mounts(context) {
                if let (Some(one), Some(all)) = (find(mount, "bind"), find(mount, "rbind")) {
                    found
                        .at(one, "`bind` beside `rbind` changes nothing")
                        .related(all, "this binds the mounts below as well");
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "mount-options/one-each",
        severity: Severity::Warning,
        source: "config.md, Mounts: options are an array of strings, an option each",
        page: "Options stand in an array, each in a string of its own. In one string with commas, \
               as in fstab(5), runtimes do not recognise them: `\"ro,nosuid\"` goes to the \
               filesystem, which fails or ignores it. `--fix` takes them apart.",
        accepts: &[mount!(
            r#"{"destination": "/a", "type": "tmpfs", "options": ["ro", "nosuid", "context=\"a:b:c:s0:c1,c2\""]}"#
        )],
        rejects: &[(
            mount!(r#"{"destination": "/a", "type": "tmpfs", "options": ["ro,nosuid"]}"#),
            "/mounts/0/options/0",
        )],
        check: |context, found| {
            for mount in linux_mounts(context) {
                for (text, option) in mount.get("options").strings() {
                    if text.contains(',') && text.split(',').any(is_listed) {
                        let draft = found
                            .at(option, format!("several options in one string: {text:?}"))
                            .help("a string for each");
                        if text.split(',').all(is_listed) {
                            let apart: Vec<String> =
                                text.split(',').map(|one| format!("{one:?}")).collect();
                            draft.replace(option, apart.join(", "));
                        }
                    }
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "mount-options/unknown",
        clauses: &[
            "config.mount-option.unknown-data",
            "config.mounts.options.mount8",
        ],
        page: "The option is none that the specification lists. Runtimes pass such options on to \
               the filesystem; this one is not known to be one of that filesystem either. A bind \
               mount has no filesystem of its own to pass them to, so that they have no effect: \
               `readonly` and `Z`, say, are words of engines.",
        accepts: &[
            mount!(
                r#"{"destination": "/a", "type": "tmpfs", "options": ["size=64m", "x-a.b", "rnodev"]}"#
            ),
            mount!(r#"{"destination": "/a", "type": "ext4", "options": ["data=journal"]}"#),
        ],
        rejects: &[
            (
                mount!(
                    r#"{"destination": "/a", "source": "/a", "options": ["rbind", "readonly"]}"#
                ),
                "/mounts/0/options/1",
            ),
            (
                mount!(r#"{"destination": "/a", "type": "tmpfs", "options": ["sise=64m"]}"#),
                "/mounts/0/options/0",
            ),
            (
                r#"{"ociVersion": "1.0.2", "root": {"path": "rootfs"}, "mounts": [{"destination": "/a", "type": "proc", "options": [""]}]}"#,
                "/mounts/0/options/0",
            ),
        ],
        check: |context, found| {
            for mount in linux_mounts(context) {
                unknown(mount, found);
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "mount-options/mandatory-locking",
        severity: Severity::Note,
        source: "mount(8): the kernel has no mandatory locking since version 5.15",
        page: "Mandatory locking of files is gone from the kernel since version 5.15. The option \
               has no effect but a line in the kernel's log; leave it out.",
        accepts: &[mount!(
            r#"{"destination": "/a", "type": "tmpfs", "options": ["nomand"]}"#
        )],
        rejects: &[(
            mount!(r#"{"destination": "/a", "type": "tmpfs", "options": ["mand"]}"#),
            "/mounts/0/options/0",
        )],
        check: |context, found| {
            for mount in linux_mounts(context) {
                if let Some(option) = find(mount, "mand") {
                    found.at(option, "kernels since 5.15 have no mandatory locking");
                }
            }
        },
        ..Rule::SPEC
    },
];

/// The options that the specification lists, in the order of the alphabet, and which others each
/// of them excludes. `rnodev` is missing in the specification's table, evidently by mistake.
static OPTIONS: [(&str, &[&str]); 62] = OPTION_TABLE;

/// The names alone.
static NAMES: Names<62> = {
    let mut names = [""; 62];
    let mut at = 0;
    while at < names.len() {
        names[at] = OPTION_TABLE[at].0;
        at += 1;
    }
    Names::new(names)
};

const OPTION_TABLE: [(&str, &[&str]); 62] = [
    ("async", &["sync"]),
    ("atime", &["noatime"]),
    ("bind", &[]),
    ("defaults", &[]),
    ("dev", &["nodev"]),
    ("diratime", &["nodiratime"]),
    ("dirsync", &[]),
    ("exec", &["noexec"]),
    ("idmap", &["ridmap"]),
    ("iversion", &["noiversion"]),
    ("lazytime", &["nolazytime"]),
    ("loud", &["silent"]),
    ("mand", &["nomand"]),
    ("noatime", &["atime", "relatime", "strictatime"]),
    ("nodev", &["dev"]),
    ("nodiratime", &["diratime"]),
    ("noexec", &["exec"]),
    ("noiversion", &["iversion"]),
    ("nolazytime", &["lazytime"]),
    ("nomand", &["mand"]),
    ("norelatime", &["relatime"]),
    ("nostrictatime", &["strictatime"]),
    ("nosuid", &["suid"]),
    ("nosymfollow", &["symfollow"]),
    ("private", &[]),
    ("ratime", &["rnoatime"]),
    ("rbind", &[]),
    ("rdev", &["rnodev"]),
    ("rdiratime", &["rnodiratime"]),
    ("relatime", &["noatime", "norelatime", "strictatime"]),
    ("remount", &[]),
    ("rexec", &["rnoexec"]),
    ("ridmap", &["idmap"]),
    ("rnoatime", &["ratime", "rrelatime", "rstrictatime"]),
    ("rnodev", &["rdev"]),
    ("rnodiratime", &["rdiratime"]),
    ("rnoexec", &["rexec"]),
    ("rnorelatime", &["rrelatime"]),
    ("rnostrictatime", &["rstrictatime"]),
    ("rnosuid", &["rsuid"]),
    ("rnosymfollow", &["rsymfollow"]),
    ("ro", &["rw"]),
    ("rprivate", &[]),
    ("rrelatime", &["rnoatime", "rnorelatime", "rstrictatime"]),
    ("rro", &["rrw"]),
    ("rrw", &["rro"]),
    ("rshared", &[]),
    ("rslave", &[]),
    ("rstrictatime", &["rnoatime", "rnostrictatime", "rrelatime"]),
    ("rsuid", &["rnosuid"]),
    ("rsymfollow", &["rnosymfollow"]),
    ("runbindable", &[]),
    ("rw", &["ro"]),
    ("shared", &[]),
    ("silent", &["loud"]),
    ("slave", &[]),
    ("strictatime", &["noatime", "nostrictatime", "relatime"]),
    ("suid", &["nosuid"]),
    ("symfollow", &["nosymfollow"]),
    ("sync", &["async"]),
    ("tmpcopyup", &[]),
    ("unbindable", &[]),
];

const PROPAGATION: [&str; 8] = [
    "private",
    "rprivate",
    "shared",
    "rshared",
    "slave",
    "rslave",
    "unbindable",
    "runbindable",
];

/// Filesystems of containers, and the options that their manual pages and the kernel's documents
/// name.
const FILESYSTEMS: [(&str, &[&str]); 6] = [
    (
        "devpts",
        &["gid", "max", "mode", "newinstance", "ptmxmode", "uid"],
    ),
    ("mqueue", &[]),
    (
        "overlay",
        &[
            "datadir+",
            "index",
            "lowerdir",
            "lowerdir+",
            "metacopy",
            "nfs_export",
            "redirect_dir",
            "upperdir",
            "userxattr",
            "uuid",
            "verity",
            "volatile",
            "workdir",
            "xino",
        ],
    ),
    ("proc", &["gid", "hidepid", "pidns", "subset"]),
    ("sysfs", &[]),
    (
        "tmpfs",
        &[
            "casefold",
            "gid",
            "grpquota",
            "grpquota_block_hardlimit",
            "grpquota_inode_hardlimit",
            "huge",
            "inode32",
            "inode64",
            "mode",
            "mpol",
            "noswap",
            "notmpcopyup",
            "nr_blocks",
            "nr_inodes",
            "quota",
            "size",
            "strict_encoding",
            "uid",
            "usrquota",
            "usrquota_block_hardlimit",
            "usrquota_inode_hardlimit",
        ],
    ),
];

/// Options of every filesystem: labels of security modules, and what mount(8) keeps for itself.
const EVERYWHERE: [&str; 20] = [
    "_netdev",
    "auto",
    "comment",
    "context",
    "defcontext",
    "fscontext",
    "group",
    "idmap",
    "noauto",
    "nofail",
    "noowner",
    "nouser",
    "nousers",
    "owner",
    "ridmap",
    "rootcontext",
    "seclabel",
    "smackfsroot",
    "user",
    "users",
];

/// Words of engines, and what they stand for.
const WORDS_OF_ENGINES: [(&str, &str); 12] = [
    ("readonly", "`ro` is meant"),
    ("read-only", "`ro` is meant"),
    ("readwrite", "`rw` is meant"),
    ("read-write", "`rw` is meant"),
    (
        "z",
        "an engine's word for a shared SELinux label, which it sets itself",
    ),
    (
        "Z",
        "an engine's word for an SELinux label of its own, which it sets itself",
    ),
    (
        "U",
        "an engine's word for changing the owner, which it does itself",
    ),
    (
        "nocopy",
        "an engine's word about volumes, which it deals with itself",
    ),
    (
        "copy",
        "an engine's word about volumes, which it deals with itself",
    ),
    ("cached", "an engine's word about its virtual machine"),
    ("delegated", "an engine's word about its virtual machine"),
    ("consistent", "an engine's word about its virtual machine"),
];

/// Whether it is a bind mount: one of two options makes it so, whatever the type.
pub(super) fn is_bind(mount: Value<'_>) -> bool {
    has(mount, "bind") || has(mount, "rbind")
}

/// Whether a mount has an option.
pub(super) fn has(mount: Value<'_>, option: &str) -> bool {
    find(mount, option).is_some()
}

fn find<'d>(mount: Value<'d>, option: &str) -> Option<Value<'d>> {
    let mut options = mount.get("options").strings();
    Some(options.find(|(name, _)| *name == option)?.1)
}

fn linux_mounts<'d>(context: &Context<'d>) -> impl Iterator<Item = Value<'d>> {
    mounts(context).filter(|_| context.is_linux())
}

/// Whether the specification lists the option.
pub(super) fn is_listed(option: &str) -> bool {
    place(option).is_some()
}

fn place(option: &str) -> Option<usize> {
    NAMES.place(option)
}

fn conflicts(options: Value<'_>, found: &mut Found<'_>) {
    // Bit n: the option n of the table was there, or was told of.
    let mut seen = 0_u64;
    let mut told = 0_u64;
    for (name, option) in options.strings() {
        let Some(at) = place(name) else {
            continue;
        };
        seen |= 1 << at;
        let (_, excluded) = OPTIONS[at];
        let was = |other: &&str| place(other).is_some_and(|at| seen & (1 << at) != 0);
        let Some(other) = excluded.iter().copied().find(was) else {
            continue;
        };
        if told & (1 << at) != 0 {
            continue;
        }
        told |= 1 << at;
        let draft = found.at(option, format!("`{name}` contradicts `{other}`"));
        if let Some((_, earlier)) = options.strings().find(|(name, _)| *name == other) {
            draft
                .related(earlier, "it stands here")
                .help("leave one of them");
        }
    }
}

fn unknown(mount: Value<'_>, found: &mut Found<'_>) {
    let bind = is_bind(mount);
    let its_type = mount.get("type").as_str().unwrap_or_default();
    let filesystem = FILESYSTEMS.iter().find(|(name, _)| *name == its_type);
    let own: &[&str] = match filesystem {
        _ if bind => &[],
        Some((_, options)) => options,
        // Only its manual page knows.
        None => return,
    };
    for (text, option) in mount.get("options").strings() {
        let name = text.split_once('=').map_or(text, |(name, _)| name);
        let of_mount8 = name.starts_with("x-") || name.starts_with("X-");
        if is_listed(text)
            || own.contains(&name)
            || EVERYWHERE.contains(&name)
            || of_mount8
            // `mount-options/one-each` speaks of these.
            || text.split(',').any(is_listed)
            || found.is_full()
        {
            continue;
        }
        let (message, severity) = if text.is_empty() {
            ("an empty option".to_owned(), Severity::Note)
        } else if bind {
            let message = format!("{text:?} is no option of a bind mount: it has no effect");
            (message, Severity::Warning)
        } else {
            let message = format!("{text:?} is no option that {its_type} is known to have");
            (message, Severity::Note)
        };
        let word = WORDS_OF_ENGINES.iter().find(|(word, _)| *word == text);
        let known = OPTIONS
            .iter()
            .map(|(name, _)| *name)
            .chain(own.iter().copied());
        let help = match word {
            Some((_, meaning)) => Some((*meaning).to_owned()),
            None if text.len() < 3 => None,
            None => similar(name, known).map(|meant| format!("did you mean `{meant}`?")),
        };
        let draft = found.at(option, message).only(severity);
        if let Some(help) = help {
            draft.help(help);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_exclusion_is_mutual() {
        assert!(OPTIONS.is_sorted_by_key(|(name, _)| *name));
        for (name, excluded) in OPTIONS {
            for other in excluded {
                let (_, back) = OPTIONS[place(other).expect(other)];
                assert!(back.contains(&name), "{name}, {other}");
            }
        }
    }
}
