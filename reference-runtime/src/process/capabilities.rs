//! `process.capabilities`: the five sets.

use crate::document::Node;
use crate::error::{CallContext, Result};
use crate::sys::credentials::{self, CapabilitySets};

/// The names of capabilities(7); the place in the list is the number.
pub(crate) const NAMES: &[&str] = &[
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// CAP_SYS_ADMIN as a bit.
pub(crate) const SYS_ADMIN: u64 = 1 << 21;

/// The sets, one bit a capability. A set that is not listed is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Capabilities {
    pub(crate) effective: u64,
    pub(crate) bounding: u64,
    pub(crate) inheritable: u64,
    pub(crate) permitted: u64,
    pub(crate) ambient: u64,
    /// Names that no kernel of ours knows.
    unknown: Vec<String>,
}

impl Capabilities {
    /// Reads the property of a process.
    pub(crate) fn plan(process: &Node<'_>) -> Result<Self> {
        let Some(node) = process.object("capabilities")? else {
            return Ok(Capabilities::default());
        };
        let mut unknown = Vec::new();
        let mut set = |name| -> Result<u64> {
            let mut bits = 0;
            for capability in node.strings(name)?.unwrap_or_default() {
                match NAMES.iter().position(|known| *known == capability) {
                    Some(number) => bits |= 1 << number,
                    None => unknown.push(format!(
                        "{}: unknown capability {capability:?}",
                        node.pointer_to(name)
                    )),
                }
            }
            Ok(bits)
        };
        Ok(Capabilities {
            effective: set("effective")?,
            bounding: set("bounding")?,
            inheritable: set("inheritable")?,
            permitted: set("permitted")?,
            ambient: set("ambient")?,
            unknown,
        })
    }

    /// Takes what is not listed out of the bounding set. Returns what is left of it.
    ///
    /// It stands before the change of the user, which takes CAP_SETPCAP away.
    pub(crate) fn drop_bounding(&self) -> Result<u64> {
        let mut left = 0;
        // The kernel's list ends at the first number that it does not know.
        for number in 0..64 {
            let Ok(held) = credentials::bounding_has(number) else {
                break;
            };
            if self.bounding & 1 << number != 0 {
                left |= u64::from(held) << number;
            } else if held {
                credentials::bounding_drop(number)
                    .call(|| format!("prctl(PR_CAPBSET_DROP, {number})"))?;
            }
        }
        Ok(left)
    }

    /// Sets the other four sets as far as this process may, plus `keep`. `bounding` is what
    /// is left of that set. Returns what could not be granted.
    pub(crate) fn apply(&self, bounding: u64, keep: u64) -> Result<Vec<String>> {
        let held = credentials::capget().call(|| "capget()")?;
        let permitted = self.permitted & held.permitted;
        let effective = self.effective & permitted;
        // The kernel lets nobody inherit what neither is permitted nor was inherited, nor what the bounding set lacks.
        let inheritable =
            self.inheritable & (held.inheritable | held.permitted) & (held.inheritable | bounding);
        let kept = keep & held.permitted;
        credentials::capset(&CapabilitySets {
            effective: effective | kept,
            permitted: permitted | kept,
            inheritable,
        })
        .call(|| format!("capset({effective:#x}, {permitted:#x}, {inheritable:#x})"))?;
        let ambient = self.ambient & permitted & inheritable;
        credentials::ambient_clear().call(|| "prctl(PR_CAP_AMBIENT_CLEAR_ALL)")?;
        for number in 0..64 {
            if ambient & 1 << number != 0 {
                credentials::ambient_raise(number)
                    .call(|| format!("prctl(PR_CAP_AMBIENT_RAISE, {number})"))?;
            }
        }
        let sets = [
            ("bounding", self.bounding & !bounding),
            ("effective", self.effective & !effective),
            ("permitted", self.permitted & !permitted),
            ("inheritable", self.inheritable & !inheritable),
            ("ambient", self.ambient & !ambient),
        ];
        let mut complaints = self.unknown.clone();
        for (name, missing) in sets.iter().filter(|(_, missing)| *missing != 0) {
            complaints.push(format!(
                "/process/capabilities/{name}: cannot be granted: {}",
                list(*missing)
            ));
        }
        Ok(complaints)
    }
}

fn list(bits: u64) -> String {
    let names: Vec<&str> = NAMES
        .iter()
        .enumerate()
        .filter(|(number, _)| bits & 1 << number != 0)
        .map(|(_, name)| *name)
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_have_the_kernels_numbers() {
        assert_eq!(NAMES.len(), 41);
        assert_eq!(NAMES[21], "CAP_SYS_ADMIN");
        assert_eq!(NAMES[40], "CAP_CHECKPOINT_RESTORE");
        assert_eq!(
            SYS_ADMIN,
            1 << NAMES
                .iter()
                .position(|name| *name == "CAP_SYS_ADMIN")
                .unwrap()
        );
    }

    #[test]
    fn an_unknown_name_is_kept_for_the_warning_and_absent_sets_are_empty() {
        let process = json!({"capabilities": {"bounding": ["CAP_KILL", "CAP_TEA"]}});
        let capabilities = Capabilities::plan(&Node::root(&process).unwrap()).unwrap();
        assert_eq!(
            (capabilities.bounding, capabilities.inheritable),
            (1 << 5, 0)
        );
        assert_eq!(
            capabilities.unknown,
            ["/capabilities/bounding: unknown capability \"CAP_TEA\""]
        );
    }
}
