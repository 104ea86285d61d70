//! `linux.seccomp`: the property as rules, compiled to one program for the kernel.

#[cfg(all(test, feature = "libseccomp"))]
mod against_libseccomp;
#[cfg(test)]
mod against_model;
mod architectures;
mod bpf;
mod compile;
#[cfg(test)]
mod interpreter;
mod numbers;
mod rule;

use crate::document::Node;
use crate::error::{CallContext, Error, PlaceContext, Result};
use crate::log;
use crate::sys::credentials;
use crate::sys::socket;
use architectures::Architecture;
use rule::{Condition, Operator, Rule};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

/// The actions of seccomp(2) and whether each takes an errno.
const ACTIONS: &[(&str, u32, bool)] = &[
    ("SCMP_ACT_ALLOW", 0x7fff_0000, false),
    ("SCMP_ACT_ERRNO", 0x0005_0000, true),
    ("SCMP_ACT_KILL", 0x0000_0000, false),
    ("SCMP_ACT_KILL_PROCESS", 0x8000_0000, false),
    ("SCMP_ACT_KILL_THREAD", 0x0000_0000, false),
    ("SCMP_ACT_LOG", 0x7ffc_0000, false),
    ("SCMP_ACT_NOTIFY", NOTIFY, false),
    ("SCMP_ACT_TRACE", 0x7ff0_0000, true),
    ("SCMP_ACT_TRAP", 0x0003_0000, false),
];

const NOTIFY: u32 = 0x7fc0_0000;

const OPERATORS: &[(&str, Operator)] = &[
    ("SCMP_CMP_EQ", Operator::Equal),
    ("SCMP_CMP_GE", Operator::GreaterOrEqual),
    ("SCMP_CMP_GT", Operator::Greater),
    ("SCMP_CMP_LE", Operator::LessOrEqual),
    ("SCMP_CMP_LT", Operator::Less),
    ("SCMP_CMP_MASKED_EQ", Operator::MaskedEqual),
    ("SCMP_CMP_NE", Operator::NotEqual),
];

const FLAGS: &[(&str, u64)] = &[
    ("SECCOMP_FILTER_FLAG_TSYNC", 1),
    ("SECCOMP_FILTER_FLAG_LOG", 2),
    ("SECCOMP_FILTER_FLAG_SPEC_ALLOW", 4),
    ("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", WAIT_KILLABLE),
];

const TSYNC: u64 = 1;
/// TSYNC and a listener both want the return value; with this flag TSYNC gives it up.
const TSYNC_ESRCH: u64 = 16;
const WAIT_KILLABLE: u64 = 32;

/// The planned property.
#[derive(Debug, Clone)]
pub(crate) struct Seccomp {
    program: Vec<libc::sock_filter>,
    flags: u64,
    /// Where the listener goes, if an action notifies.
    pub(crate) agent: Option<Agent>,
    /// The filter hinders the process itself from handing its listener over.
    pub(crate) listener_is_taken: bool,
}

/// `listenerPath` and `listenerMetadata`.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Agent {
    pub(crate) path: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<String>,
}

/// The names for `features`: actions, operators, architectures, flags.
pub(crate) fn names() -> [Vec<&'static str>; 4] {
    [
        ACTIONS.iter().map(|(name, _, _)| *name).collect(),
        OPERATORS.iter().map(|(name, _)| *name).collect(),
        architectures::NAMES.iter().map(|(name, _)| *name).collect(),
        FLAGS.iter().map(|(name, _)| *name).collect(),
    ]
}

impl Seccomp {
    /// Reads and compiles the property.
    pub(crate) fn plan(linux: Option<&Node<'_>>) -> Result<Option<Self>> {
        let Some(linux) = linux else { return Ok(None) };
        let Some(node) = linux.object("seccomp")? else {
            return Ok(None);
        };
        let default = plan_action(&node, "defaultAction", "defaultErrnoRet")?;
        let rules = node
            .objects("syscalls")?
            .iter()
            .map(plan_rule)
            .collect::<Result<Vec<_>>>()?;
        let architectures = plan_architectures(&node)?;
        report_unknown(&rules);
        let notifies = default == NOTIFY || rules.iter().any(|rule| rule.action == NOTIFY);
        let agent = plan_agent(&node, notifies)?;
        let mut flags = 0;
        for name in node.strings("flags")?.unwrap_or_default() {
            let Some((_, flag)) = FLAGS.iter().find(|(known, _)| *known == name) else {
                return Err(node.error("flags", format!("unknown seccomp flag {name:?}")));
            };
            flags |= flag;
        }
        if flags & WAIT_KILLABLE != 0 && !notifies {
            return Err(node.error(
                "flags",
                "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs an action SCMP_ACT_NOTIFY",
            ));
        }
        if notifies {
            flags |= credentials::SECCOMP_NEW_LISTENER;
            if flags & TSYNC != 0 {
                flags |= TSYNC_ESRCH;
            }
        }
        let program = compile::compile(default, &rules, &architectures)
            .map_err(|length| {
                node.error(
                    "syscalls",
                    format!(
                        "these rules take {length} instructions, and a filter of the kernel has at most {}; \
                         name fewer calls, conditions or architectures",
                        bpf::LONGEST
                    ),
                )
            })?;
        Ok(Some(Seccomp {
            program,
            flags,
            agent,
            listener_is_taken: notifies && hinders(default, &rules, "sendmsg"),
        }))
    }

    /// Loads the program for this process. From here on it is filtered.
    pub(crate) fn load(&self) -> Result<Option<OwnedFd>> {
        credentials::seccomp_load(&self.program, self.flags)
            .call(|| {
                format!(
                    "seccomp(SECCOMP_SET_MODE_FILTER, {:#x}, {} instructions)",
                    self.flags,
                    self.program.len()
                )
            })
            .at("/linux/seccomp")
    }
}

/// Whether a call could wait for the agent, or be denied, whatever its arguments are.
fn hinders(default: u32, rules: &[Rule<'_>], call: &str) -> bool {
    let lets = |action: u32| {
        ACTIONS.iter().any(|(name, value, _)| {
            *value == action && matches!(*name, "SCMP_ACT_ALLOW" | "SCMP_ACT_LOG")
        })
    };
    let about: Vec<&Rule<'_>> = rules
        .iter()
        .filter(|rule| rule.names.contains(&call))
        .collect();
    let settled = about.iter().any(|rule| rule.conditions.is_empty());
    about.iter().any(|rule| !lets(rule.action)) || !settled && !lets(default)
}

/// Reads `architectures`. The native one is always there; one that cannot occur on this kernel
/// needs no rules, and its calls would be killed.
fn plan_architectures(node: &Node<'_>) -> Result<Vec<Architecture>> {
    let mut planned = vec![architectures::POSSIBLE[0]];
    for name in node.strings("architectures")?.unwrap_or_default() {
        let known = architectures::NAMES.binary_search_by(|(known, _)| (*known).cmp(name));
        let Ok(index) = known else {
            return Err(node.error("architectures", format!("unknown architecture {name:?}")));
        };
        let (_, architecture) = architectures::NAMES[index];
        if architectures::POSSIBLE.contains(&architecture) && !planned.contains(&architecture) {
            planned.push(architecture);
        }
    }
    Ok(planned)
}

/// A call that no architecture has cannot be made. That is said, but no error: profiles name
/// calls of kernels to come.
fn report_unknown(rules: &[Rule<'_>]) {
    for name in rules.iter().flat_map(|rule| &rule.names) {
        if !architectures::is_known(name) {
            log::debug(&format!(
                "/linux/seccomp/syscalls: no architecture has a system call {name:?}"
            ));
        }
    }
}

fn plan_agent(node: &Node<'_>, notifies: bool) -> Result<Option<Agent>> {
    let path = node.string("listenerPath")?.filter(|path| !path.is_empty());
    let metadata = node.string("listenerMetadata")?;
    match (path, metadata) {
        (None, Some(metadata)) if !metadata.is_empty() => {
            Err(node.error("listenerMetadata", "must not be set without listenerPath"))
        }
        (None, _) if notifies => {
            Err(node.error("listenerPath", "is required for the action SCMP_ACT_NOTIFY"))
        }
        (Some(path), metadata) if notifies => Ok(Some(Agent {
            path: path.into(),
            metadata: metadata.map(str::to_owned),
        })),
        _ => Ok(None),
    }
}

/// An action with the errno that it returns.
fn plan_action(node: &Node<'_>, name: &str, errno_name: &str) -> Result<u32> {
    let action = node.required(name, node.string(name)?)?;
    let Some(&(_, value, takes_errno)) = ACTIONS.iter().find(|(known, _, _)| *known == action)
    else {
        return Err(node.error(name, format!("unknown seccomp action {action:?}")));
    };
    match (node.integer::<u32>(errno_name)?, takes_errno) {
        (None, false) => Ok(value),
        (None, true) => Ok(value | libc::EPERM as u32),
        (Some(errno), true) if errno <= 0xffff => Ok(value | errno),
        (Some(errno), true) => Err(node.error(errno_name, format!("{errno} is above 65535"))),
        (Some(_), false) => {
            Err(node.error(errno_name, format!("{action} does not return an errno")))
        }
    }
}

fn plan_rule<'a>(entry: &Node<'a>) -> Result<Rule<'a>> {
    let names = entry.required("names", entry.strings("names")?)?;
    if names.is_empty() {
        return Err(entry.error("names", "must contain at least one entry"));
    }
    let conditions = entry
        .objects("args")?
        .iter()
        .map(plan_condition)
        .collect::<Result<Vec<_>>>()?;
    Ok(Rule {
        names,
        action: plan_action(entry, "action", "errnoRet")?,
        conditions,
    })
}

fn plan_condition(entry: &Node<'_>) -> Result<Condition> {
    let index = entry.required("index", entry.integer::<u32>("index")?)?;
    if index > 5 {
        return Err(entry.error("index", format!("a system call has no argument {index}")));
    }
    let name = entry.required("op", entry.string("op")?)?;
    let Some(&(_, operator)) = OPERATORS.iter().find(|(known, _)| *known == name) else {
        return Err(entry.error("op", format!("unknown seccomp operator {name:?}")));
    };
    Ok(Condition {
        index,
        operator,
        value: entry.required("value", entry.integer("value")?)?,
        second: entry.integer("valueTwo")?.unwrap_or(0),
    })
}

impl Agent {
    /// Connects to the agent.
    pub(crate) fn connect(&self) -> Result<OwnedFd> {
        let socket =
            socket::unix_socket(libc::SOCK_STREAM).call(|| "socket(AF_UNIX, SOCK_STREAM)")?;
        socket::connect(socket.as_fd(), self.path.as_os_str())
            .call(|| format!("connect({:?})", self.path))
            .at("/linux/seccomp/listenerPath")?;
        Ok(socket)
    }

    /// Sends the container process state, of which there is one a connection. The
    /// listener goes with its first byte.
    pub(crate) fn send(
        &self,
        connection: &OwnedFd,
        state: serde_json::Value,
        listener: &OwnedFd,
    ) -> Result<()> {
        let document = self.process_state(state)?;
        let mut sent = 0;
        while sent < document.len() {
            let descriptor = (sent == 0).then(|| listener.as_fd());
            sent += socket::send(connection.as_fd(), &document[sent..], descriptor)
                .call(|| format!("sendmsg({:?}, SCM_RIGHTS)", self.path))
                .at("/linux/seccomp/listenerPath")?;
        }
        Ok(())
    }

    fn process_state(&self, state: serde_json::Value) -> Result<Vec<u8>> {
        let pid = state
            .get("pid")
            .cloned()
            .ok_or_else(|| Error::new("the container has no pid"))?;
        let mut document = serde_json::json!({
            "ociVersion": crate::state::SPEC_VERSION,
            "fds": ["seccompFd"],
            "pid": pid,
            "state": state,
        });
        if let (Some(metadata), Some(document)) = (&self.metadata, document.as_object_mut()) {
            document.insert("metadata".to_owned(), metadata.as_str().into());
        }
        Ok(document.to_string().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn plan(seccomp: Value) -> Result<Seccomp> {
        let linux = json!({ "seccomp": seccomp });
        Seccomp::plan(Some(&Node::root(&linux).unwrap())).map(Option::unwrap)
    }

    #[test]
    fn names_and_errnos_are_checked() {
        let error = |seccomp: Value| plan(seccomp).unwrap_err().to_string();
        assert_eq!(error(json!({})), "/seccomp/defaultAction: is required");
        assert!(error(json!({"defaultAction": "X"})).contains("unknown seccomp action"));
        assert!(
            error(json!({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1}))
                .contains("does not return an errno")
        );
        let rule = |rule: Value| json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]});
        assert_eq!(
            error(rule(json!({"names": [], "action": "SCMP_ACT_LOG"}))),
            "/seccomp/syscalls/0/names: must contain at least one entry"
        );
        assert!(
            error(rule(
                json!({"names": ["x"], "action": "SCMP_ACT_KILL", "errnoRet": 2})
            ))
            .contains("does not return an errno")
        );
        let arg = |arg: Value| {
            rule(json!({"names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [arg]}))
        };
        assert!(
            error(arg(json!({"index": 6, "value": 0, "op": "SCMP_CMP_EQ"})))
                .contains("no argument 6")
        );
        assert!(
            error(arg(json!({"index": 0, "value": 0, "op": "EQ"})))
                .contains("unknown seccomp operator")
        );
        assert!(
            error(arg(json!({"index": 0, "op": "SCMP_CMP_EQ"}))).contains("/value: is required")
        );
        assert!(
            error(json!({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["X"]}))
                .contains("unknown seccomp flag")
        );
        assert!(
            error(json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["X"]}))
                .contains("unknown architecture")
        );
    }

    #[test]
    fn a_listener_needs_a_place_to_go() {
        let notify = |extra: Value| {
            let mut seccomp = json!({
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]
            });
            seccomp
                .as_object_mut()
                .unwrap()
                .extend(extra.as_object().unwrap().clone());
            plan(seccomp)
        };
        assert!(
            notify(json!({}))
                .unwrap_err()
                .to_string()
                .contains("listenerPath: is required")
        );
        let seccomp = notify(json!({"listenerPath": "/x", "listenerMetadata": "m"})).unwrap();
        assert_eq!(seccomp.flags, credentials::SECCOMP_NEW_LISTENER);
        let state = seccomp
            .agent
            .unwrap()
            .process_state(json!({"pid": 7}))
            .unwrap();
        let state: Value = serde_json::from_slice(&state).unwrap();
        assert_eq!(
            (&state["pid"], &state["metadata"], &state["fds"][0]),
            (&json!(7), &json!("m"), &json!("seccompFd"))
        );
        // Without the action the path is ignored.
        assert!(
            plan(json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/x"}))
                .unwrap()
                .agent
                .is_none()
        );
        let metadata_alone =
            plan(json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "m"}));
        assert!(
            metadata_alone
                .unwrap_err()
                .to_string()
                .contains("must not be set")
        );
    }

    #[test]
    fn a_filter_that_hinders_the_hand_over_is_known() {
        let taken = |default: &str, action: &str, names: Value, args: Value| {
            let seccomp = json!({
                "defaultAction": default,
                "listenerPath": "/x",
                "syscalls": [
                    {"names": names, "action": action, "args": args},
                    {"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}
                ]
            });
            plan(seccomp).unwrap().listener_is_taken
        };
        let (allow, deny, notify) = ("SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_NOTIFY");
        let condition = json!([{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]);
        assert!(!taken(allow, deny, json!(["read"]), json!([])));
        assert!(!taken(notify, allow, json!(["sendmsg"]), json!([])));
        assert!(taken(notify, allow, json!(["read"]), json!([])));
        assert!(taken(deny, allow, json!(["sendmsg"]), condition.clone()));
        assert!(taken(allow, notify, json!(["sendmsg"]), condition));
    }
}
