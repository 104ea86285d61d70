//! `linux.mountLabel` (config-linux.md, Mount Label).

use crate::finding::Severity;
use crate::rule::Rule;

/// Rules about the SELinux label of mounts.
pub(super) static RULES: &[Rule] = &[Rule {
    id: "mount-label/context",
    severity: Severity::Warning,
    source: "selinux(8): a context is user:role:type, and a level behind it",
    page: "`mountLabel` is a whole SELinux context: user, role and type with colons between, and \
           mostly a level behind them, such as \
           `system_u:object_r:container_file_t:s0:c1,c2`. The kernel refuses mounts with anything \
           else.",
    accepts: &[linux!(
        r#"{"mountLabel": "system_u:object_r:svirt_sandbox_file_t:s0:c715,c811"}"#
    )],
    rejects: &[(
        linux!(r#"{"mountLabel": "svirt_sandbox_file_t"}"#),
        "/linux/mountLabel",
    )],
    check: |context, found| {
        let label = context.linux.get("mountLabel");
        // An empty label is how engines write none.
        let Some(text) = label.as_str().filter(|text| !text.is_empty()) else {
            return;
        };
        let mut parts = text.splitn(4, ':');
        let whole = (0..3).all(|_| parts.next().is_some_and(|part| !part.is_empty()));
        if !whole || text.contains(['"', '\n', '\0']) {
            found
                .at(label, format!("{text:?} is no SELinux context"))
                .help("user, role, type and level: `system_u:object_r:container_file_t:s0`");
        }
    },
    ..Rule::SPEC
}];
