//! `process.user` (config.md, User).

use crate::document::{Kind, Value};
use crate::finding::Severity;
use crate::rule::Rule;
use crate::rules::process::PROCESS;

/// Rules about the user of the process.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "user/ids-required",
        clauses: &[
            "config.process.user.uid.field",
            "config.process.user.gid.field",
        ],
        page: "Where processes have a user and a group as numbers, which is everywhere but on \
               Windows, `user` names both. Programs that leave out zeros when they write JSON get \
               this wrong; official schemas do not ask for it.",
        accepts: &[process_with!(r#""user": {"uid": 0, "gid": 0}"#)],
        rejects: &[
            (process_with!(r#""user": {"uid": 1000}"#), "/process/user"),
            (process_with!(r#""user": {"gid": 1000}"#), "/process/user"),
        ],
        check: |context, found| {
            let user = context.process.get("user");
            if user.kind() != Kind::Object || !context.is_posix() {
                return;
            }
            for (name, clause) in [
                ("uid", "config.process.user.uid.field"),
                ("gid", "config.process.user.gid.field"),
            ] {
                if !user.get(name).is_present() {
                    found
                        .lacking(user, format!("the property `{name}` is missing"))
                        .clause(clause)
                        .help(format!("`\"{name}\": 0` for root's"));
                }
            }
        },
        ..PROCESS
    },
    Rule {
        id: "user/id-usable",
        severity: Severity::Warning,
        source: "setresuid(2), setgroups(2): 4294967295 is -1, which is no ID: EINVAL or no change",
        page: "The number 4294967295 is -1 in 32 bits, by which system calls mean \"leave it as it \
               is\". Nobody can have it as an ID; a process that asks for it may keep running as \
               whoever started it.",
        accepts: &[process_with!(r#""user": {"uid": 65534, "gid": 65534}"#)],
        rejects: &[
            (
                process_with!(r#""user": {"uid": 4294967295, "gid": 0}"#),
                "/process/user/uid",
            ),
            (
                process_with!(r#""user": {"uid": 1, "gid": 1, "additionalGids": [5, 4294967295]}"#),
                "/process/user/additionalGids/1",
            ),
        ],
        check: |context, found| {
            let user = context.process.get("user");
            let groups = user.get("additionalGids").items();
            for id in [user.get("uid"), user.get("gid")].into_iter().chain(groups) {
                if id.as_integer() == Some(NO_ID) {
                    found
                        .at(id, "4294967295 is no ID that a process can have")
                        .help("65534 is what most systems call nobody");
                }
            }
        },
        ..PROCESS
    },
    Rule {
        id: "user/umask-range",
        severity: Severity::Warning,
        source: "umask(2): only the nine bits of permissions are used",
        page: "A umask has the nine bits of permissions, 0 to 511 in decimal. JSON has no octal \
               numbers: the mask 022 is 18, 077 is 63. What is larger was mostly written in octal \
               digits and means another mask than it looks like.",
        accepts: &[process_with!(
            r#""user": {"uid": 0, "gid": 0, "umask": 18}"#
        )],
        rejects: &[(
            process_with!(r#""user": {"uid": 0, "gid": 0, "umask": 777}"#),
            "/process/user/umask",
        )],
        check: |context, found| {
            let umask = context.process.get("user").get("umask");
            if let Some(mask) = umask.as_integer()
                && mask > 0o777
            {
                let draft = found.at(
                    umask,
                    format!("{mask} is {mask:#o} in octal, more than a umask has bits"),
                );
                if let Some(meant) = read_as_octal(umask) {
                    draft.help(format!("for the mask {mask:04} write {meant}"));
                }
            }
        },
        ..PROCESS
    },
];

/// -1 in 32 bits.
const NO_ID: i128 = 0xffff_ffff;

/// The umask that the digits are in octal, if they are one.
fn read_as_octal(umask: Value<'_>) -> Option<u32> {
    u32::from_str_radix(umask.text(), 8)
        .ok()
        .filter(|mask| *mask <= 0o777)
}
