//! `hostname` and `domainname` (config.md, Hostname and Domainname).

use crate::finding::Severity;
use crate::rule::Rule;

/// Rules about the names of the host. What namespace they need is told with the namespaces.
pub(super) static RULES: &[Rule] = &[Rule {
    id: "hostname/length",
    severity: Severity::Error,
    source: "sethostname(2), setdomainname(2): EINVAL for a name of more than 64 bytes",
    page: "The kernel keeps 64 bytes for the host's name and as many for its NIS domain name, and \
           refuses longer ones.",
    accepts: &[
        r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "hostname": "a123456789a123456789a123456789a123456789a123456789a123456789abcd"}"#,
    ],
    rejects: &[
        (
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "hostname": "a123456789a123456789a123456789a123456789a123456789a123456789abcde"}"#,
            "/hostname",
        ),
        (
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "domainname": "a123456789a123456789a123456789a123456789a123456789a123456789abcde"}"#,
            "/domainname",
        ),
    ],
    check: |context, found| {
        if !context.is_linux() {
            return;
        }
        for name in ["hostname", "domainname"] {
            let value = context.root.get(name);
            if let Some(text) = value.as_str()
                && text.len() > LONGEST
            {
                found
                    .at(
                        value,
                        format!("{} bytes are too long for the kernel", text.len()),
                    )
                    .help("64 bytes at most");
            }
        }
    },
    ..Rule::SPEC
}];

/// `__NEW_UTS_LEN` of the kernel.
const LONGEST: usize = 64;
