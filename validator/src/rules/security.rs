//! The profile `security`: what is legal and dangerous.
//!
//! An error is a way from the container to the host that takes one step. A warning takes away a
//! layer of the isolation that containers usually have, or gives something of the host away. A note
//! is hardening that engines leave to their users.

pub(super) mod capabilities;
pub(super) mod devices;
pub(super) mod kernel_files;
pub(super) mod limits;
pub(super) mod mounts;
pub(super) mod namespaces;
pub(super) mod process;
pub(super) mod seccomp;

use crate::context::Context;
use crate::document::{Kind, Value};
use crate::finding::Severity;
use crate::options::{DocumentKind, Profile};
use crate::rule::Rule;
use crate::rules::namespaces::entry;

const SECURITY: Rule = Rule {
    profile: Profile::Security,
    severity: Severity::Warning,
    ..Rule::SPEC
};

const PROCESS: Rule = Rule {
    kinds: &[DocumentKind::Config, DocumentKind::Process],
    ..SECURITY
};

/// Whether the processes are in another user namespace than the host's: then root there is nobody
/// outside, and most privileges end at what the namespace owns.
fn has_user_namespace(context: &Context<'_>) -> bool {
    entry(context.linux, "user").is_some_and(|user| !is_of_init(user.get("path")))
}

/// Whether a namespace's path leads to that of the host's init process. Docker keeps the host's
/// network namespace under the name `default`.
fn is_of_init(path: Value<'_>) -> bool {
    path.as_str()
        .is_some_and(|path| path.starts_with("/proc/1/") || path.ends_with("/docker/netns/default"))
}

/// Whether a container is meant, not what `exec` takes, and one of Linux.
fn is_container(context: &Context<'_>) -> bool {
    context.kind == DocumentKind::Config
        && context.is_linux()
        && context.root.kind() == Kind::Object
}

/// Whether a path is at or below another one.
fn is_below(path: &str, top: &str) -> bool {
    path.strip_prefix(top)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || top.ends_with('/'))
}
