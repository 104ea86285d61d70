//! `exec`: one more process in a running container.
//!
//! A ferry enters the cgroups and all namespaces of the container process at
//! once, and clones the new process, which is then in its pid namespace too.

use crate::cgroup::Tasks;
use crate::channel::{Channel, Heard, ToParent};
use crate::create;
use crate::document::Node;
use crate::error::{CallContext, Error, PlaceContext, Result};
use crate::launch::{self, run_to_end};
use crate::limited_file;
use crate::listen_fds;
use crate::listener;
use crate::log;
use crate::process::capabilities::SYS_ADMIN;
use crate::process::{Process, limits};
use crate::procfs::Procfs;
use crate::run;
use crate::seccomp::Seccomp;
use crate::state::{Container, Status};
use crate::store::{Store, write_pid_file};
use crate::subgroups;
use crate::sys::files::{self, O_DIRECTORY, O_PATH, RESOLVE_IN_ROOT, cwd};
use crate::sys::process::{self, CLONE_NEWUSER, CLONE_PARENT, Child, Side};
use crate::sys::{credentials, socket, terminal};
use oci_validator::Document;
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;

/// The arguments of the command.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// A document with the whole of `process`.
    pub(crate) process: Option<PathBuf>,
    /// Without it: what differs from the container's own `process`.
    pub(crate) arguments: Vec<String>,
    pub(crate) cwd: Option<String>,
    pub(crate) env: Vec<String>,
    pub(crate) user: Option<String>,
    pub(crate) additional_gids: Vec<u32>,
    pub(crate) capabilities: Vec<String>,
    pub(crate) no_new_privileges: bool,
    pub(crate) apparmor: Option<String>,
    pub(crate) label: Option<String>,
    pub(crate) terminal: bool,
    pub(crate) console_socket: Option<PathBuf>,
    pub(crate) pid_file: Option<PathBuf>,
    pub(crate) detach: bool,
    pub(crate) preserve_fds: u32,
    /// How many of them a service manager has opened.
    pub(crate) listen_fds: u32,
    pub(crate) new_keyring: bool,
    /// Groups below the container's own, as the command line names them.
    pub(crate) cgroups: Vec<String>,
    /// Also in a paused container.
    pub(crate) ignore_paused: bool,
}

/// The command. The exit code is the program's.
pub(crate) fn exec(store: &Store, id: &str, options: &Options) -> Result<ExitCode> {
    let container = Container::load(store.open(id)?)?;
    match container.status {
        Status::Created | Status::Running => {}
        // The program will run when the container is resumed, for which this command waits.
        Status::Paused if options.ignore_paused => {}
        _ => return Err(container.not_running()),
    }
    let config = Document::parse(container.entry.read_config()?);
    if let Some(problem) = config.problems().first() {
        return Err(Error::new(format!("config.json: {}", problem.message)));
    }
    let config = Node::of(&config)?;
    let mut document = json!({ "process": plan_document(&config, options)? });
    listen_fds::tell(&mut document["process"], options.listen_fds);
    let document = Node::root(&document)?;
    let process = Process::plan(&document.required("process", document.object("process")?)?)?;
    let linux = config.object("linux")?;
    let seccomp = Seccomp::plan(linux.as_ref())?;

    let relay = match (process.terminal.is_some(), &options.console_socket) {
        (true, None) if options.detach => {
            return Err(
                Error::new("a terminal needs --console-socket, to hand it to the caller")
                    .at("/process/terminal"),
            );
        }
        (true, None) => Some(run::Relay::listen()?),
        _ => None,
    };
    let path = relay
        .as_ref()
        .map(|relay| relay.path())
        .or(options.console_socket.as_deref());
    let console = match path.filter(|_| process.terminal.is_some()) {
        Some(path) => Some(crate::terminal::connect(path)?),
        None => None,
    };
    let placement = subgroups::select(&container.record.cgroup, &options.cgroups)?;
    let exec = Exec {
        pidfd: container.pidfd()?,
        root: open_root(&container)?,
        procfs: Procfs::at_proc()?,
        // What the container joined or has new, it is in; the rest is the runtime's own.
        namespaces: own_namespaces(linux.as_ref())?,
        tasks: placement.open_tasks()?,
        unified: placement.open_unified()?,
        container: &container,
        process: &process,
        seccomp: seccomp.as_ref(),
        console,
        options,
    };
    let child = exec.run()?;
    if let Some(path) = &options.pid_file {
        write_pid_file(path, child.pid)?;
    }
    let master = relay.map(|relay| relay.receive()).transpose()?;
    if options.detach {
        return Ok(ExitCode::SUCCESS);
    }
    run::exit_code(run::attend(&child, master)?)
}

/// The kinds of namespaces to enter. Those of the runtime itself need not be.
fn own_namespaces(linux: Option<&Node<'_>>) -> Result<u64> {
    let mut kinds = 0;
    for entry in linux
        .map(|linux| linux.objects("namespaces"))
        .transpose()?
        .unwrap_or_default()
    {
        let name = entry.required("type", entry.string("type")?)?;
        kinds |= crate::namespaces::TYPES
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(0, |(_, kind)| *kind);
    }
    Ok(kinds)
}

fn open_root(container: &Container) -> Result<OwnedFd> {
    let pid = container
        .record
        .process
        .ok_or_else(|| Error::new("the container process has ended"))?
        .pid;
    let path = format!("/proc/{pid}/root");
    files::openat(cwd(), path.as_ref(), O_PATH | O_DIRECTORY, 0)
        .call(|| format!("open({path:?}, O_PATH)"))
}

/// The `process` of the new process: a document of its own, or the container's with changes.
fn plan_document(config: &Node<'_>, options: &Options) -> Result<Value> {
    if let Some(path) = &options.process {
        let text = limited_file::read_any(path).call(|| format!("read({path:?})"))?;
        let document = crate::validate::process(text, &path.display().to_string())?;
        return serde_json::from_str(document.text())
            .map_err(|error| Error::new(format!("{}: {error}", path.display())));
    }
    let mut process = config
        .copy("process")
        .unwrap_or_else(|| json!({"cwd": "/", "user": {"uid": 0, "gid": 0}}));
    let Some(members) = process.as_object_mut() else {
        return Err(Error::new("must be an object").at("/process"));
    };
    members.insert("args".to_owned(), json!(options.arguments));
    members.insert("terminal".to_owned(), json!(options.terminal));
    members.remove("consoleSize");
    if let Some(cwd) = &options.cwd {
        members.insert("cwd".to_owned(), json!(cwd));
    }
    if let Some(user) = &options.user {
        members.insert(
            "user".to_owned(),
            plan_user(user, &options.additional_gids)?,
        );
    } else if let (false, Some(user)) =
        (options.additional_gids.is_empty(), members.get_mut("user"))
    {
        user["additionalGids"] = json!(options.additional_gids);
    }
    for entry in &options.env {
        set_variable(members.entry("env").or_insert_with(|| json!([])), entry);
    }
    for name in &options.capabilities {
        let capabilities = members.entry("capabilities").or_insert_with(|| json!({}));
        for set in ["bounding", "effective", "permitted"] {
            if let Some(list) = capabilities
                .as_object_mut()
                .and_then(|sets| sets.entry(set).or_insert_with(|| json!([])).as_array_mut())
            {
                list.push(json!(name));
            }
        }
    }
    if options.no_new_privileges {
        members.insert("noNewPrivileges".to_owned(), json!(true));
    }
    for (name, value) in [
        ("apparmorProfile", &options.apparmor),
        ("selinuxLabel", &options.label),
    ] {
        if let Some(value) = value {
            members.insert(name.to_owned(), json!(value));
        }
    }
    Ok(process)
}

/// `uid` or `uid:gid`.
fn plan_user(text: &str, additional_gids: &[u32]) -> Result<Value> {
    let (uid, gid) = text.split_once(':').unwrap_or((text, "0"));
    let number = |text: &str| {
        text.parse::<u32>().map_err(|_| {
            Error::new(format!(
                "{text:?} is no user or group id; names are not resolved"
            ))
        })
    };
    Ok(json!({"uid": number(uid)?, "gid": number(gid)?, "additionalGids": additional_gids}))
}

fn set_variable(env: &mut Value, entry: &str) {
    let name = entry.split('=').next().unwrap_or(entry);
    let Some(list) = env.as_array_mut() else {
        return;
    };
    list.retain(|old| {
        old.as_str()
            .is_none_or(|old| old.split('=').next() != Some(name))
    });
    list.push(json!(entry));
}

struct Exec<'a> {
    container: &'a Container,
    process: &'a Process,
    seccomp: Option<&'a Seccomp>,
    options: &'a Options,
    pidfd: OwnedFd,
    root: OwnedFd,
    /// The runtime's: what the container has at /proc is its own affair.
    procfs: Procfs,
    namespaces: u64,
    tasks: Vec<Tasks>,
    /// The group of version 2.
    unified: Option<OwnedFd>,
    console: Option<OwnedFd>,
}

impl Exec<'_> {
    /// Makes the process and returns when it has become the program.
    fn run(&self) -> Result<Child> {
        let (parent, child) = Channel::pair()?;
        let ferry = match self.clone_ferry()? {
            Side::Child => {
                drop(parent);
                run_to_end(|| tell(&child, self.ferry(&child)))
            }
            Side::Parent(ferry) => ferry,
        };
        drop(child);
        let made = match hear(&parent) {
            Ok(ToParent::Cloned(pid)) => {
                // Our own child, not reaped yet: the pid cannot be another's.
                let pidfd = process::pidfd_open(pid).call(|| format!("pidfd_open({pid})"));
                pidfd.map(|pidfd| Child { pid, pidfd })
            }
            Ok(other) => Err(Error::new(format!("the ferry said {other:?}"))),
            Err(error) => Err(error),
        };
        process::wait_for(ferry.pid).call(|| format!("waitpid({})", ferry.pid))?;
        let made = made?;
        let followed = self.follow(&parent, &made);
        if followed.is_err() {
            launch::end(&made);
        }
        followed.map(|()| made)
    }

    /// Clones the ferry into the group of version 2.
    fn clone_ferry(&self) -> Result<Side> {
        let into = |group: Option<&OwnedFd>| process::clone3(0, group.map(AsFd::as_fd));
        match into(self.unified.as_ref()) {
            // A program that manages groups of its own has moved down into one: then only groups
            // without groups below them may hold processes.
            Err(error)
                if error.raw_os_error() == Some(libc::EBUSY) && self.options.cgroups.is_empty() =>
            {
                into(subgroups::of_container_process(self.container)?.as_ref())
            }
            other => other,
        }
        .call(|| "clone3(CLONE_INTO_CGROUP)")
    }

    /// The parent's part until the new process is the program.
    fn follow(&self, channel: &Channel, child: &Child) -> Result<()> {
        create::set_oom_score_adj(child.pid, self.process.oom_score_adj)?;
        channel.tell_child(crate::channel::ToChild::Known)?;
        match hear(channel)? {
            ToParent::Ready {
                limits_refused: true,
            } => limits::apply(&self.process.limits, child.pid)?,
            ToParent::Ready {
                limits_refused: false,
            } => {}
            other => return Err(Error::new(format!("the new process said {other:?}"))),
        }
        channel.tell_child(crate::channel::ToChild::Proceed)?;
        loop {
            match channel.hear_exec()? {
                // Exec has closed the other end.
                Heard::End => return Ok(()),
                Heard::Listener(listener) => self.hand_over(child.pid, &listener)?,
                Heard::Announcement(number, memory) => {
                    let (listener, flag) = listener::take(child.pidfd.as_fd(), number, &memory)?;
                    self.hand_over(child.pid, &listener)?;
                    flag.raise();
                }
                Heard::Failed(error) => return Err(Error::new(error).told()),
            }
        }
    }

    fn hand_over(&self, pid: i32, listener: &OwnedFd) -> Result<()> {
        let Some(agent) = &self.container.record.seccomp_agent else {
            return Ok(());
        };
        let mut state = self.container.state();
        state["pid"] = json!(pid);
        agent.send(&agent.connect()?, state, listener)
    }

    /// In between: in the cgroups and namespaces of the container.
    fn ferry(&self, channel: &Channel) -> Result<()> {
        if let Some(cpus) = &self.process.affinity.initial {
            process::set_affinity(cpus)
                .call(|| "sched_setaffinity(initial)")
                .at("/process/execCPUAffinity/initial")?;
        }
        self.tasks.iter().try_for_each(Tasks::enter)?;
        if let Some(cpus) = &self.process.affinity.last {
            process::set_affinity(cpus)
                .call(|| "sched_setaffinity(final)")
                .at("/process/execCPUAffinity/final")?;
        }
        // What is open here, the new process has too, until it can close it. Who is in the
        // container and may trace it, or whose links lead to /proc/self/fd, must find nothing of
        // the host in it.
        let mut keep = vec![channel.as_fd(), self.root.as_fd(), self.pidfd.as_fd()];
        keep.push(self.procfs.as_fd());
        keep.extend(self.console.as_ref().map(AsFd::as_fd));
        files::close_all_but(3 + self.options.preserve_fds, &keep).call(|| "close_range()")?;
        // Before anybody in the namespaces could look at this process.
        process::set_dumpable(false).call(|| "prctl(PR_SET_DUMPABLE, 0)")?;
        if self.namespaces != 0 {
            process::setns(self.pidfd.as_fd(), self.namespaces)
                .call(|| format!("setns(pidfd, {:#x})", self.namespaces))?;
        }
        if self.namespaces & CLONE_NEWUSER != 0 {
            launch::become_root(true)?;
            process::set_dumpable(false).call(|| "prctl(PR_SET_DUMPABLE, 0)")?;
        }
        // Here, and not in the new process: this one the container's pid namespace does not show.
        let terminal = match &self.console {
            Some(console) => Some(self.open_terminal(console)?),
            None => None,
        };
        let mut keep = vec![channel.as_fd(), self.root.as_fd()];
        keep.extend(terminal.as_ref().map(AsFd::as_fd));
        // Labels are the new process's to write, which in a user namespace can mount no procfs.
        if !self.process.labels.is_empty() {
            keep.push(self.procfs.as_fd());
        }
        files::close_all_but(3 + self.options.preserve_fds, &keep).call(|| "close_range()")?;
        match process::clone3(CLONE_PARENT, None).call(|| "clone3(CLONE_PARENT)")? {
            Side::Child => run_to_end(|| tell(channel, self.become_program(channel, terminal))),
            Side::Parent(made) => channel.tell_parent(&ToParent::Cloned(made.pid)),
        }
    }

    /// The new process. Returns only with an error.
    fn become_program(&self, channel: &Channel, terminal: Option<OwnedFd>) -> Result<()> {
        // The ferry shares the channel, and its word must come first.
        channel.hear_parent(crate::channel::ToChild::Known)?;
        let plan = self.process;
        process::reset_signals();
        process::setsid().call(|| "setsid()")?;
        if self.options.new_keyring {
            match process::join_session_keyring() {
                Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {}
                other => other.call(|| "keyctl(KEYCTL_JOIN_SESSION_KEYRING)")?,
            }
        }
        // A container without a mount namespace of its own has its root by chroot alone.
        files::fchdir(self.root.as_fd()).call(|| "fchdir(root)")?;
        files::chroot(OsStr::new(".")).call(|| "chroot(root)")?;
        if let Some(terminal) = terminal {
            crate::terminal::take(&terminal, plan.user.uid)?;
        }
        plan.apply_scheduling()?;
        let limits_refused = match limits::apply(&plan.limits, 0) {
            Err(error)
                if error.errno() == Some(libc::EPERM) && self.namespaces & CLONE_NEWUSER != 0 =>
            {
                true
            }
            other => other.map(|()| false)?,
        };
        for label in &plan.labels {
            label.apply(&Procfs::detached(&self.procfs)?)?;
        }
        // Before the first path of the container's is followed, which may lead through /proc/self/fd.
        files::close_all_but(3 + self.options.preserve_fds, &[channel.as_fd()])
            .call(|| "close_range()")?;
        let again = match plan.enter_cwd() {
            Err(error) if Process::cwd_is_forbidden(&error) => true,
            other => other.map(|()| false)?,
        };
        if plan.no_new_privileges {
            credentials::set_no_new_privs().call(|| "prctl(PR_SET_NO_NEW_PRIVS)")?;
        }
        let keep = if self.seccomp.is_some() && !plan.no_new_privileges {
            SYS_ADMIN
        } else {
            0
        };
        for complaint in plan.become_user(keep, self.namespaces & CLONE_NEWUSER != 0)? {
            channel.tell_parent(&ToParent::Warning(complaint))?;
        }
        process::set_dumpable(false).call(|| "prctl(PR_SET_DUMPABLE, 0)")?;
        if again {
            plan.enter_cwd()?;
        }
        channel.tell_parent(&ToParent::Ready { limits_refused })?;
        channel.hear_parent(crate::channel::ToChild::Proceed)?;
        plan.program.check()?;
        files::cloexec_from(3 + self.options.preserve_fds)
            .call(|| "close_range(CLOSE_RANGE_CLOEXEC)")?;
        if let Some(seccomp) = self.seccomp.filter(|seccomp| seccomp.listener_is_taken) {
            let send = |message: &[u8], file: BorrowedFd<'_>| {
                socket::send(channel.as_fd(), message, Some(file))
            };
            let taken = listener::announce(send)?;
            // Not to be closed: from here on also that may be a call that waits for the agent.
            std::mem::forget(seccomp.load()?);
            listener::wait_until_taken(&taken)?;
        } else if let Some(seccomp) = self.seccomp
            && let Some(listener) = seccomp.load()?
        {
            socket::send(channel.as_fd(), b"s", Some(listener.as_fd()))
                .call(|| "sendmsg(channel, SCM_RIGHTS)")?;
        }
        Err(plan.program.exec())
    }

    /// A terminal of the container's devpts, whose other side goes to the caller. The path is the
    /// container's, so that what is found there is checked.
    fn open_terminal(&self, console: &OwnedFd) -> Result<OwnedFd> {
        let pointer = "/process/terminal";
        let path = "dev/pts/ptmx";
        let found = files::openat2(self.root.as_fd(), path.as_ref(), O_PATH, 0, RESOLVE_IN_ROOT)
            .call(|| format!("openat2(root, {path:?}, RESOLVE_IN_ROOT)"))
            .at(pointer)?;
        let master = crate::terminal::open_multiplexer(found.as_fd(), &self.procfs)?;
        let peer = terminal::open_peer(master.as_fd())
            .call(|| "ioctl(TIOCGPTPEER)")
            .at(pointer)?;
        if let Some((rows, columns)) = self.process.terminal.and_then(|terminal| terminal.size) {
            terminal::set_size(peer.as_fd(), rows, columns)
                .call(|| "ioctl(TIOCSWINSZ)")
                .at("/process/consoleSize")?;
        }
        socket::send(console.as_fd(), b"/dev/ptmx", Some(master.as_fd()))
            .call(|| "sendmsg(console socket, SCM_RIGHTS)")?;
        Ok(peer)
    }
}

/// The exit status of a process of ours, whose error is told over the channel.
fn tell(channel: &Channel, result: Result<()>) -> i32 {
    let Err(error) = result else { return 0 };
    // If the parent is gone there is nobody left to tell.
    let _ = channel.tell_parent(&ToParent::Failed {
        error: error.stage("exec").to_string(),
        hook: false,
    });
    1
}

/// The next message that is not a warning.
fn hear(channel: &Channel) -> Result<ToParent> {
    loop {
        match channel.hear_child()? {
            ToParent::Warning(text) => log::warning(&text),
            ToParent::Failed { error, .. } => return Err(Error::new(error).told()),
            other => return Ok(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(config: Value, options: Options) -> Value {
        plan_document(&Node::root(&config).unwrap(), &options).unwrap()
    }

    #[test]
    fn the_containers_process_is_the_base() {
        let config = json!({"process": {
            "cwd": "/srv", "args": ["init"], "terminal": true, "consoleSize": {"height": 1, "width": 1},
            "env": ["A=1", "B=2"], "user": {"uid": 5, "gid": 5}, "capabilities": {"bounding": ["CAP_KILL"]}
        }});
        let options = Options {
            arguments: vec!["sh".into()],
            env: vec!["A=3".into()],
            user: Some("7:8".into()),
            capabilities: vec!["CAP_CHOWN".into()],
            ..Options::default()
        };
        let process = document(config, options);
        assert_eq!(process["args"], json!(["sh"]));
        assert_eq!(process["env"], json!(["B=2", "A=3"]));
        assert_eq!(
            process["user"],
            json!({"uid": 7, "gid": 8, "additionalGids": []})
        );
        assert_eq!(
            (&process["cwd"], &process["terminal"]),
            (&json!("/srv"), &json!(false))
        );
        assert_eq!(
            process["capabilities"]["bounding"],
            json!(["CAP_KILL", "CAP_CHOWN"])
        );
        assert!(process.get("consoleSize").is_none());
    }

    #[test]
    fn users_are_numbers() {
        assert!(plan_user("root", &[]).is_err());
        assert_eq!(
            plan_user("3", &[1]).unwrap(),
            json!({"uid": 3, "gid": 0, "additionalGids": [1]})
        );
    }
}
