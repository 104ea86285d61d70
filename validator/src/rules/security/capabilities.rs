//! Capabilities that are as good as root on the host, or reach beyond the container
//! (capabilities(7)).

use super::{PROCESS, has_user_namespace};
use crate::context::Context;
use crate::document::Value;
use crate::finding::Severity;
use crate::options::DocumentKind;
use crate::rule::{Found, Rule};
use crate::rules::namespaces::entry;

/// A rule about capabilities of one family.
macro_rules! family {
    ($id:literal, $severity:ident, [$($name:literal),+], $source:literal, $page:literal) => {
        Rule {
            id: $id,
            severity: Severity::$severity,
            source: $source,
            page: $page,
            accepts: &[process_with!(r#""capabilities": {"bounding": ["CAP_KILL"]}"#)],
            rejects: &[$((
                concat!(
                    r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "process": {"cwd": "/", "args": ["sh"], "capabilities": {"effective": [""#,
                    $name,
                    r#""], "permitted": [""#,
                    $name,
                    r#""]}}}"#
                ),
                "/process/capabilities/effective/0",
            )),+],
            check: |context, found| given(context, &[$($name),+], found),
            ..PROCESS
        }
    };
}

/// Rules about capabilities, the most dangerous first.
pub(in crate::rules) static RULES: &[Rule] = &[
    family!(
        "security/cap-sys-admin",
        Error,
        ["CAP_SYS_ADMIN"],
        "capabilities(7), Notes to kernel developers; CVE-2022-0185, CVE-2022-0492",
        "CAP_SYS_ADMIN is the capability for everything that has none of its own: mounting, joining \
         namespaces, writing cgroup release agents, tracing the kernel. With it a process mounts \
         the host's disks or makes the kernel run a program for it. Find out which call needs it: \
         mounts can be made by the runtime, FUSE and user namespaces by an engine's own options, \
         CAP_BPF, CAP_PERFMON and CAP_CHECKPOINT_RESTORE stand for parts of it. If nothing else \
         helps, give the container a user namespace."
    ),
    family!(
        "security/cap-sys-module",
        Error,
        ["CAP_SYS_MODULE"],
        "init_module(2)",
        "CAP_SYS_MODULE loads code into the kernel, which is not the container's but everybody's. \
         Load the modules on the host before the container starts."
    ),
    family!(
        "security/cap-sys-rawio",
        Error,
        ["CAP_SYS_RAWIO"],
        "iopl(2), mem(4), /proc/kcore",
        "CAP_SYS_RAWIO reaches I/O ports, /dev/mem, /proc/kcore and raw commands of disks: memory \
         and data of the host. Give the container the one device that it needs."
    ),
    family!(
        "security/cap-dac-read-search",
        Error,
        ["CAP_DAC_READ_SEARCH"],
        "open_by_handle_at(2); the exploit known as shocker (2014)",
        "CAP_DAC_READ_SEARCH reads every file, and open_by_handle_at(2) opens files by number \
         instead of path: any file of a filesystem from which one directory is visible in the \
         container, be it outside of it. CAP_DAC_OVERRIDE is enough for files of other users in \
         the container."
    ),
    family!(
        "security/cap-sys-ptrace",
        Warning,
        ["CAP_SYS_PTRACE"],
        "ptrace(2), process_vm_writev(2)",
        "CAP_SYS_PTRACE reads and changes every process that the container sees, whoever it \
         belongs to. In the host's PID namespace those are all processes of the host (an error \
         then). Tracing one's own processes needs no capability."
    ),
    family!(
        "security/cap-bpf",
        Warning,
        ["CAP_BPF", "CAP_PERFMON"],
        "bpf(2), perf_event_open(2); CVE-2021-3490, CVE-2021-31440",
        "CAP_BPF and CAP_PERFMON load programs into the kernel and look at all of it: memory of \
         other processes, events of the whole machine. Faults in the verifier of BPF have led to \
         root more than once. Run such tools on the host."
    ),
    family!(
        "security/cap-net-admin",
        Warning,
        ["CAP_NET_ADMIN"],
        "netlink(7), nft(8); CVE-2024-1086, CVE-2022-25636",
        "CAP_NET_ADMIN sets up interfaces, routes and packet filters. In the host's network \
         namespace they are the host's (an error then); in one of the container's own it opens \
         parts of the kernel, nf_tables among them, that have had many faults. Let the engine set \
         up the network before the container starts."
    ),
    family!(
        "security/cap-net-raw",
        Note,
        ["CAP_NET_RAW"],
        "packet(7), raw(7); CVE-2020-14386",
        "CAP_NET_RAW makes packets of any kind, which lets a container pass itself off as another \
         one in the same network (ARP, DNS). Docker gives it by default, for ping. Since \
         `net.ipv4.ping_group_range` lets ping do without it, leave it out."
    ),
    family!(
        "security/cap-checkpoint-restore",
        Warning,
        ["CAP_CHECKPOINT_RESTORE"],
        "capabilities(7): CAP_CHECKPOINT_RESTORE",
        "CAP_CHECKPOINT_RESTORE opens the files that other processes have mapped and chooses \
         process ids. It is for the tool that saves containers, not for what runs in them."
    ),
    family!(
        "security/cap-sys-boot",
        Warning,
        ["CAP_SYS_BOOT"],
        "kexec_load(2), reboot(2)",
        "CAP_SYS_BOOT loads another kernel with kexec, and reboots the machine from the host's PID \
         namespace. A container has no use for it: reboot(2) in its own namespace ends the \
         container, which exiting does too."
    ),
    family!(
        "security/cap-sys-time",
        Warning,
        ["CAP_SYS_TIME"],
        "clock_settime(2)",
        "CAP_SYS_TIME sets the clock, and there is one for the whole machine: time namespaces do \
         not cover it. Certificates, logs and locks of everybody depend on it. Keep the clock on \
         the host."
    ),
    family!(
        "security/cap-syslog",
        Warning,
        ["CAP_SYSLOG"],
        "syslog(2), /proc/sys/kernel/kptr_restrict",
        "CAP_SYSLOG reads and clears the kernel's log and shows addresses of the kernel, which is \
         what an exploit needs first. Read the log on the host."
    ),
    family!(
        "security/cap-mac",
        Warning,
        ["CAP_MAC_ADMIN", "CAP_MAC_OVERRIDE"],
        "capabilities(7): CAP_MAC_ADMIN, CAP_MAC_OVERRIDE",
        "These two change or override the rules of a security module (AppArmor, Smack), the very \
         rules that are to confine the container. Load profiles on the host."
    ),
    family!(
        "security/cap-audit",
        Warning,
        ["CAP_AUDIT_CONTROL", "CAP_AUDIT_READ"],
        "audit(7), auditctl(8)",
        "These two switch the kernel's audit off and read what it records of the whole machine. \
         CAP_AUDIT_WRITE, which login programs want, does neither."
    ),
    family!(
        "security/cap-sys-resource",
        Warning,
        ["CAP_SYS_RESOURCE"],
        "capabilities(7): CAP_SYS_RESOURCE",
        "CAP_SYS_RESOURCE raises hard limits and goes beyond quotas and reserved space of disks, so \
         that `rlimits` bind no more. Give the limit that is needed in `process.rlimits`."
    ),
    family!(
        "security/cap-sys-nice",
        Note,
        ["CAP_SYS_NICE"],
        "sched_setscheduler(2), setpriority(2)",
        "CAP_SYS_NICE takes real-time priorities and moves processes and memory between CPUs and \
         nodes. A process with a real-time priority that does not wait keeps a CPU from everybody \
         else. `process.scheduler` sets the one priority that is meant."
    ),
    family!(
        "security/cap-mknod",
        Note,
        ["CAP_MKNOD"],
        "mknod(2), config-linux.md: linux.resources.devices",
        "CAP_MKNOD makes device nodes. Only the rules in `linux.resources.devices` then stand \
         between the container and the host's disks. Docker gives it by default; without it \
         `linux.devices` still makes those that are wanted."
    ),
    Rule {
        id: "security/capabilities-ambient",
        severity: Severity::Note,
        source: "capabilities(7): the ambient set",
        page: "Ambient capabilities pass to every program that the process starts, also to such as \
               know nothing of them. That is right for one program that needs one capability \
               without being root; it is seldom meant for root, who has them anyway, nor for more \
               than one or two.",
        accepts: &[process_with!(
            r#""user": {"uid": 1000, "gid": 1000}, "capabilities": {"ambient": ["CAP_NET_BIND_SERVICE"]}"#
        )],
        rejects: &[(
            process_with!(
                r#""user": {"uid": 0, "gid": 0}, "capabilities": {"ambient": ["CAP_NET_BIND_SERVICE"]}"#
            ),
            "/process/capabilities/ambient",
        )],
        check: |context, found| {
            let ambient = context.process.get("capabilities").get("ambient");
            let root = context.process.get("user").get("uid").as_integer() == Some(0);
            let count = ambient.items().count();
            if count > 2 || (root && count > 0) {
                found.at_name(
                    ambient,
                    "what the process starts inherits these capabilities",
                );
            }
        },
        ..PROCESS
    },
];

/// Tells of the first place where one of the capabilities is given. The bounding set counts: what is
/// in it comes back with a set-user-ID program.
fn given(context: &Context<'_>, names: &[&str], found: &mut Found<'_>) {
    if !context.is_linux() {
        return;
    }
    let capabilities = context.process.get("capabilities");
    let sets = [
        "effective",
        "permitted",
        "bounding",
        "ambient",
        "inheritable",
    ];
    for name in names {
        let has = |set: &&str| {
            let mut strings = capabilities.get(set).strings();
            strings.find(|(one, _)| one == name).map(|(_, value)| value)
        };
        let Some(value) = sets.iter().find_map(has) else {
            continue;
        };
        let held = has(&"effective").is_some() || has(&"permitted").is_some();
        let how = if held {
            "the process has"
        } else {
            "the process can gain"
        };
        let draft = found
            .at(value, format!("{how} {name}"))
            .help("leave it out of all sets; the rule's page says what does without it");
        // What `exec` takes does not say which namespaces the container has.
        if context.kind == DocumentKind::Config && has_user_namespace(context) {
            draft
                .help("it holds in the container's user namespace, not on the host")
                .only(Severity::Note);
        } else if let Some(shared) = shared_namespace(context, name) {
            draft
                .help(format!("the {shared} namespace is the host's"))
                .only(Severity::Error);
        }
    }
}

/// The namespace that a capability is about, if the container is in the host's.
fn shared_namespace(context: &Context<'_>, capability: &str) -> Option<&'static str> {
    let its_type = match capability {
        "CAP_SYS_PTRACE" | "CAP_SYS_BOOT" => "pid",
        "CAP_NET_ADMIN" => "network",
        _ => return None,
    };
    let linux: Value<'_> = context.linux;
    let shared = linux.is_set() && entry(linux, its_type).is_none();
    shared.then_some(its_type)
}
