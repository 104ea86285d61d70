//! Attacks that escaped from container runtimes, or let one do on the host what its caller never
//! asked for, each tried on a running refrun. SECURITY.md has the table of them.
//!
//! What is asserted is what can be seen: a tree of canaries on the host that must stay as it is,
//! and what a process in the container gets hold of.

mod attacker;
mod binary;
mod canary;
mod credentials;
mod descriptors;
mod host_files;
mod processes;
mod procfs;
mod state_root;
#[path = "../support/mod.rs"]
mod support;
mod symlinks;
mod values;
