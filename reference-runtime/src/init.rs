//! The container process, from its clone to the program: a table of stages that
//! builds the environment from inside, and the wait for `start`.

use crate::cgroup::{Placement, Tasks};
use crate::channel::{Channel, ToChild, ToParent};
use crate::error::{CallContext, Error, PlaceContext, Result};
use crate::launch;
use crate::listener;
use crate::mounts::Sources;
use crate::mounts::apply::{self, Environment, ReadOnlyLater};
use crate::mounts::attributes;
use crate::mounts::idmap::Prepared;
use crate::plan::Plan;
use crate::process::Process;
use crate::process::capabilities::SYS_ADMIN;
use crate::procfs::Procfs;
use crate::rootfs::Rootfs;
use crate::start::{Answer, Waiting};
use crate::store::Record;
use crate::sys::files::{self, O_DIRECTORY, O_PATH, cwd};
use crate::sys::mount::{self, AT_RECURSIVE, MountAttr};
use crate::sys::{process, socket};
use crate::{devices, hooks, paths, state, sysctl, terminal};
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};

/// What `create` hands over to the process that it clones.
pub(crate) struct Handover<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) record: &'a Record,
    pub(crate) placement: &'a Placement,
    pub(crate) channel: &'a Channel,
    /// The host's procfs, from before anybody else's could be in its place.
    pub(crate) procfs: &'a Procfs,
    pub(crate) tasks: Vec<Tasks>,
    pub(crate) listener: OwnedFd,
    pub(crate) console: Option<OwnedFd>,
    /// What only the host's root could prepare, one place for each mount.
    pub(crate) prepared: Vec<Prepared>,
    pub(crate) new_keyring: bool,
    /// Descriptors from 3 on that the caller passes on to the program.
    pub(crate) preserve: u32,
    /// Whether the root is pivoted, or only moved over the old one.
    pub(crate) pivot: bool,
}

struct Init<'a> {
    handover: Handover<'a>,
    plan: &'a Plan,
    sources: Option<Sources>,
    rootfs: Option<Rootfs>,
    later: ReadOnlyLater,
    terminal: Option<OwnedFd>,
    umask: u32,
    limits_refused: bool,
    /// The root is mounted where others see it, and this is the way back to there.
    visible_root: Option<OwnedFd>,
    in_hook: bool,
}

struct Stage {
    name: &'static str,
    run: fn(&mut Init<'_>) -> Result<()>,
}

/// The way from the clone to `created`, in this order.
const STAGES: &[Stage] = &[
    // Before anything else is opened: what the parent has open for itself must not live on here.
    Stage {
        name: "session",
        run: |init| init.close_descriptors(),
    },
    // Now, so that the limits hold for all that follows. Through descriptors of the host, before they are out of reach.
    Stage {
        name: "cgroups",
        run: |init| init.enter_cgroups(),
    },
    // The maps are the parent's to write; without them this process is nobody.
    Stage {
        name: "user namespace",
        run: |init| init.await_mappings(),
    },
    // Still with the caller's user id, to whom a directory above a source may belong, and before
    // the propagation changes, so that a bind can be the peer of its source.
    Stage {
        name: "mounts",
        run: |init| init.open_sources(),
    },
    // From here on new files belong to the container's root.
    Stage {
        name: "user namespace",
        run: |init| init.become_root(),
    },
    // Before any namespace is joined in which somebody could look at this process.
    Stage {
        name: "session",
        run: |init| init.protect(),
    },
    Stage {
        name: "namespaces",
        run: |init| init.join_namespaces(),
    },
    // After the cgroups are entered: they become the roots that the container sees.
    Stage {
        name: "namespaces",
        run: |init| init.unshare_cgroups(),
    },
    Stage {
        name: "hostname",
        run: |init| init.set_names(),
    },
    Stage {
        name: "network",
        run: |init| init.raise_loopback(),
    },
    // Nothing that is mounted from here on may reach the host.
    Stage {
        name: "root",
        run: |init| init.attach_root(),
    },
    Stage {
        name: "mounts",
        run: |init| init.mount_all(),
    },
    // After the mounts, one of which usually is /dev.
    Stage {
        name: "devices",
        run: |init| init.make_devices(),
    },
    // After the mounts, one of which usually is /dev/pts.
    Stage {
        name: "terminal",
        run: |init| init.make_terminal(),
    },
    // Before the paths below /proc become read-only.
    Stage {
        name: "sysctl",
        run: |init| init.write_sysctls(),
    },
    // After everything that writes below them.
    Stage {
        name: "mounts",
        run: |init| init.finish_read_only(),
    },
    Stage {
        name: "paths",
        run: |init| init.cover_paths(),
    },
    // After the environment stands and before the pivot, as the specification places them.
    Stage {
        name: "hooks",
        run: |init| init.create_hooks(),
    },
    Stage {
        name: "root",
        run: |init| init.enter_root(),
    },
    // The rest needs nothing of the host any more.
    Stage {
        name: "process",
        run: |init| init.take_attributes(),
    },
    // Last, because it gives up the privileges that all others need.
    Stage {
        name: "process",
        run: |init| init.become_user(),
    },
];

/// Runs the stages and waits for `start`. Returns the exit status of a process that has failed.
pub(crate) fn run(handover: Handover<'_>) -> i32 {
    let plan = handover.plan;
    let channel = handover.channel;
    process::reset_signals();
    process::set_name(c"refrun:init");
    // Until it waits for `start`, this process is nothing without its create, which may be killed.
    // If that has happened already, the end of the channel tells.
    let _ = process::set_parent_death_signal(libc::SIGKILL);
    let mut init = Init {
        handover,
        plan,
        sources: None,
        rootfs: None,
        later: ReadOnlyLater::default(),
        terminal: None,
        // Modes are meant as they are written; the caller's mask comes back for the program.
        umask: process::umask(0),
        limits_refused: false,
        visible_root: None,
        in_hook: false,
    };
    for stage in STAGES {
        if let Err(error) = (stage.run)(&mut init) {
            init.undo();
            let failed = ToParent::Failed {
                error: error.stage(stage.name).to_string(),
                hook: init.in_hook,
            };
            // If the parent is gone there is nobody left to tell.
            let _ = channel.tell_parent(&failed);
            return 1;
        }
    }
    let ready = ToParent::Ready {
        limits_refused: init.limits_refused,
    };
    let independent = process::set_parent_death_signal(0);
    if independent.is_err() || channel.tell_parent(&ready).is_err() {
        init.undo();
        return 1;
    }
    // From here on it is the business of delete, and no descriptor of the host may stay.
    init.visible_root = None;
    if files::close_all_but(
        3 + init.handover.preserve,
        &[init.handover.listener.as_fd()],
    )
    .is_err()
    {
        return 1;
    }
    init.wait_for_start()
}

impl<'a> Init<'a> {
    fn close_descriptors(&mut self) -> Result<()> {
        let handover = &self.handover;
        let mut keep = vec![
            handover.channel.as_fd(),
            handover.procfs.as_fd(),
            handover.listener.as_fd(),
        ];
        keep.extend(handover.console.as_ref().map(AsFd::as_fd));
        keep.extend(handover.tasks.iter().map(Tasks::as_fd));
        keep.extend(handover.prepared.iter().filter_map(Prepared::as_fd));
        keep.extend(
            self.plan
                .namespaces
                .joined
                .iter()
                .map(|joined| joined.file.as_fd()),
        );
        files::close_all_but(3 + handover.preserve, &keep).call(|| "close_range()")
    }

    fn enter_cgroups(&mut self) -> Result<()> {
        self.handover
            .tasks
            .iter()
            .try_for_each(Tasks::enter)
            .at("/linux/cgroupsPath")?;
        self.handover.tasks.clear();
        Ok(())
    }

    fn await_mappings(&mut self) -> Result<()> {
        if self.plan.namespaces.new & process::CLONE_NEWUSER == 0 || launch::needs_ferry(self.plan)
        {
            return Ok(());
        }
        self.handover.channel.hear_parent(ToChild::Mapped)
    }

    fn open_sources(&mut self) -> Result<()> {
        let prepared = std::mem::take(&mut self.handover.prepared);
        self.sources = Some(Sources::open(
            &self.plan.rootfs,
            &self.plan.mounts,
            prepared,
        )?);
        Ok(())
    }

    fn become_root(&mut self) -> Result<()> {
        // The ferry has done it for the processes it cloned.
        if self.plan.namespaces.new & process::CLONE_NEWUSER == 0 || launch::needs_ferry(self.plan)
        {
            return Ok(());
        }
        launch::become_root(self.plan.mappings.map_root())?;
        // The kernel has forgotten it with the change of the user.
        process::set_parent_death_signal(libc::SIGKILL).call(|| "prctl(PR_SET_PDEATHSIG)")
    }

    fn protect(&mut self) -> Result<()> {
        process::set_dumpable(false).call(|| "prctl(PR_SET_DUMPABLE, 0)")?;
        process::setsid().call(|| "setsid()")?;
        if !self.handover.new_keyring {
            return Ok(());
        }
        match process::join_session_keyring() {
            // A kernel without keys has none to leak.
            Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => Ok(()),
            other => other.call(|| "keyctl(KEYCTL_JOIN_SESSION_KEYRING)"),
        }
    }

    fn join_namespaces(&mut self) -> Result<()> {
        if launch::joins_itself(self.plan, &self.plan.namespaces) {
            self.plan
                .namespaces
                .joined
                .iter()
                .try_for_each(|joined| joined.enter())?;
        }
        Ok(())
    }

    fn unshare_cgroups(&mut self) -> Result<()> {
        if self.plan.namespaces.new & process::CLONE_NEWCGROUP == 0 {
            return Ok(());
        }
        process::unshare(process::CLONE_NEWCGROUP).call(|| "unshare(CLONE_NEWCGROUP)")
    }

    fn set_names(&mut self) -> Result<()> {
        if let Some(name) = &self.plan.hostname {
            process::sethostname(name)
                .call(|| format!("sethostname({name:?})"))
                .at("/hostname")?;
        }
        if let Some(name) = &self.plan.domainname {
            process::setdomainname(name)
                .call(|| format!("setdomainname({name:?})"))
                .at("/domainname")?;
        }
        Ok(())
    }

    /// Programs expect a loopback interface that is up; nobody else could see to it.
    fn raise_loopback(&mut self) -> Result<()> {
        if self.plan.namespaces.new & process::CLONE_NEWNET == 0 {
            return Ok(());
        }
        let socket = socket::interface_socket().call(|| "socket(AF_INET, SOCK_DGRAM)")?;
        socket::loopback_up(socket.as_fd()).call(|| "ioctl(SIOCSIFFLAGS, \"lo\")")
    }

    fn attach_root(&mut self) -> Result<()> {
        let sources = self.sources.as_ref().ok_or_else(out_of_order)?;
        let tree = sources.root.try_clone().call(|| "fcntl(F_DUPFD_CLOEXEC)")?;
        let own = self.plan.own_mounts();
        if own {
            // The whole copy of the host's table, also what will be dropped with the old root:
            // what is unmounted in a shared mount would be unmounted on the host.
            attributes::propagate_root(libc::MS_SLAVE, AT_RECURSIVE)
                .call(|| "mount_setattr(\"/\", MS_SLAVE)")?;
        }
        let kind = match self.plan.root_propagation {
            None | Some(libc::MS_SHARED | libc::MS_SLAVE) => libc::MS_SLAVE,
            Some(_) => libc::MS_PRIVATE,
        };
        let kind = if own { kind } else { libc::MS_PRIVATE };
        // Over the root of the new namespace: no path is needed that might be out of reach. In a
        // namespace that others use too, only the bundle's own place may be covered.
        let place = if own {
            OsStr::new("/")
        } else {
            self.plan.rootfs.as_os_str()
        };
        let target = files::openat(cwd(), place, O_PATH | O_DIRECTORY, 0)
            .call(|| format!("open({place:?}, O_PATH)"))?;
        let attr = MountAttr {
            propagation: kind,
            ..MountAttr::default()
        };
        let procfs = self.handover.procfs;
        let set = || {
            attributes::set(tree.as_fd(), AT_RECURSIVE, &attr, procfs)
                .call(|| format!("mount_setattr(rootfs, propagation {kind:#x})"))
        };
        let attach = || {
            mount::attach(tree.as_fd(), target.as_fd())
                .call(|| format!("move_mount(rootfs, {place:?})"))
        };
        attributes::set_and_attach(set, attach).at("/root/path")?;
        if !own {
            let way = files::openat(cwd(), OsStr::new("/"), O_PATH | O_DIRECTORY, 0)
                .call(|| "open(\"/\", O_PATH)")?;
            self.visible_root = Some(way);
        }
        self.rootfs = Some(Rootfs::new(tree));
        Ok(())
    }

    fn mount_all(&mut self) -> Result<()> {
        let rootfs = self.rootfs.as_mut().ok_or_else(out_of_order)?;
        let sources = self.sources.take().ok_or_else(out_of_order)?;
        let environment = Environment {
            procfs: self.handover.procfs,
            cgroup: self.handover.placement,
            own_cgroup_namespace: self.plan.namespaces.own(process::CLONE_NEWCGROUP),
            own_network_namespace: self.plan.namespaces.own(process::CLONE_NEWNET),
        };
        for (mount, prepared) in self.plan.mounts.iter().zip(sources.binds) {
            apply::apply(mount, prepared, rootfs, &environment, &mut self.later)?;
        }
        Ok(())
    }

    fn make_devices(&mut self) -> Result<()> {
        let rootfs = self.rootfs.as_ref().ok_or_else(out_of_order)?;
        let bind = self.plan.in_user_namespace();
        devices::make_all(&self.plan.devices, rootfs, bind, self.handover.procfs)?;
        devices::link_all(rootfs)
    }

    fn make_terminal(&mut self) -> Result<()> {
        let plan = self
            .plan
            .process
            .as_ref()
            .and_then(|process| process.terminal.as_ref());
        let (Some(plan), Some(console)) = (plan, self.handover.console.take()) else {
            return Ok(());
        };
        let rootfs = self.rootfs.as_ref().ok_or_else(out_of_order)?;
        self.terminal = Some(terminal::make(
            plan,
            rootfs,
            console.as_fd(),
            self.handover.procfs,
        )?);
        Ok(())
    }

    fn write_sysctls(&mut self) -> Result<()> {
        if self.plan.sysctls.is_empty() {
            return Ok(());
        }
        sysctl::apply(&self.plan.sysctls, &Procfs::detached(self.handover.procfs)?)
    }

    fn finish_read_only(&mut self) -> Result<()> {
        std::mem::take(&mut self.later).apply(self.handover.procfs)
    }

    fn cover_paths(&mut self) -> Result<()> {
        let rootfs = self.rootfs.as_ref().ok_or_else(out_of_order)?;
        paths::make_read_only(&self.plan.readonly_paths, rootfs, self.handover.procfs)?;
        paths::mask(&self.plan.masked_paths, rootfs)?;
        if self.plan.root_readonly {
            attributes::set_read_only(rootfs.fd(), self.handover.procfs).at("/root/readonly")?;
        }
        Ok(())
    }

    fn create_hooks(&mut self) -> Result<()> {
        if self.plan.hooks.interrupt_create() {
            self.handover.channel.tell_parent(&ToParent::Mounted)?;
            self.handover.channel.hear_parent(ToChild::Proceed)?;
        }
        self.run_hooks(&self.plan.hooks.create_container, state::Status::Creating)
    }

    /// Hooks in the container's namespaces, which see the pid that the container sees.
    fn run_hooks(&mut self, programs: &[hooks::Program], status: state::Status) -> Result<()> {
        if programs.is_empty() {
            return Ok(());
        }
        self.in_hook = true;
        let pid = std::process::id() as i32;
        let document = state::document_with_pid(self.handover.record, status, Some(pid));
        hooks::run_all(programs, document.to_string().as_bytes())?;
        self.in_hook = false;
        Ok(())
    }

    fn enter_root(&mut self) -> Result<()> {
        let rootfs = self.rootfs.take().ok_or_else(out_of_order)?;
        files::fchdir(rootfs.fd()).call(|| "fchdir(rootfs)")?;
        if self.plan.own_mounts() && !self.handover.pivot {
            // A root that cannot be pivoted (a ramdisk) stays below the new one. What is mounted
            // on it goes first: a procfs that is not covered would let one be mounted anew.
            detach_all_below_root()?;
            files::chroot(OsStr::new(".")).call(|| "chroot(\".\")")?;
        } else if self.plan.own_mounts() {
            // The old root ends up over the new one, where the next call takes it off.
            mount::pivot_root(OsStr::new("."), OsStr::new("."))
                .call(|| "pivot_root(\".\", \".\")")?;
            mount::detach(OsStr::new(".")).call(|| "umount2(\".\", MNT_DETACH)")?;
        } else {
            files::chroot(OsStr::new(".")).call(|| "chroot(\".\")")?;
        }
        std::env::set_current_dir("/").call(|| "chdir(\"/\")")?;
        match self.plan.root_propagation {
            // A root with peers could not have been pivoted.
            Some(kind @ (libc::MS_SHARED | libc::MS_UNBINDABLE)) => {
                attributes::propagate_root(kind, 0)
                    .call(|| format!("mount_setattr(\"/\", propagation {kind:#x})"))
                    .at("/linux/rootfsPropagation")
            }
            _ => Ok(()),
        }
    }

    fn take_attributes(&mut self) -> Result<()> {
        if let Some(persona) = self.plan.personality {
            crate::personality::apply(persona)?;
        }
        if let Some(policy) = &self.plan.memory_policy {
            policy.apply()?;
        }
        process::umask(self.umask);
        let Some(plan) = &self.plan.process else {
            return Ok(());
        };
        plan.apply_scheduling()?;
        if let Some(terminal) = self.terminal.take() {
            terminal::take(&terminal, plan.user.uid)?;
        }
        match crate::process::limits::apply(&plan.limits, 0) {
            // The parent may have the privilege that was given up with the user namespace.
            Err(error) if error.errno() == Some(libc::EPERM) && self.plan.in_user_namespace() => {
                self.limits_refused = true
            }
            other => other?,
        }
        for label in &plan.labels {
            label.apply(&Procfs::detached(self.handover.procfs)?)?;
        }
        Ok(())
    }

    fn become_user(&mut self) -> Result<()> {
        let Some(plan) = &self.plan.process else {
            return Ok(());
        };
        // Tried first with the rights of root, which a directory of another's may need, and
        // then as the user, which a network filesystem may need.
        let entered = plan.enter_cwd();
        let again = match entered {
            Err(error) if Process::cwd_is_forbidden(&error) => true,
            other => other.map(|()| false)?,
        };
        if plan.no_new_privileges {
            crate::sys::credentials::set_no_new_privs().call(|| "prctl(PR_SET_NO_NEW_PRIVS)")?;
        }
        let setgroups_denied = self.plan.in_user_namespace();
        // Without no_new_privs, a filter is loaded by the privileged alone. What is kept for that
        // ends with exec, which computes the capabilities anew from the other sets.
        let keep = if self.plan.seccomp.is_some() && !plan.no_new_privileges {
            SYS_ADMIN
        } else {
            0
        };
        for complaint in plan.become_user(keep, setgroups_denied)? {
            self.handover
                .channel
                .tell_parent(&ToParent::Warning(complaint))?;
        }
        // The change of the user has made the process dumpable or not, as the host's policy is.
        process::set_dumpable(false).call(|| "prctl(PR_SET_DUMPABLE, 0)")?;
        if again { plan.enter_cwd() } else { Ok(()) }
    }

    /// The life between `created` and the program.
    fn wait_for_start(mut self) -> i32 {
        loop {
            // The end of the listener is the end of this process: nothing else closes it.
            let Ok(caller) = Waiting::accept(self.handover.listener.as_fd()) else {
                return 1;
            };
            let Some(caller) = caller else { continue };
            let (error, answer) = self.start(&caller);
            // If the caller is gone, the exit status is all that is left to say.
            let told = caller.answer(answer, &error.to_string());
            if answer != Answer::Refused || told.is_err() {
                return 1;
            }
        }
    }

    /// Becomes the program, or tells why not and what has become of the container.
    fn start(&mut self, caller: &Waiting) -> (Error, Answer) {
        let plan = self.plan;
        let Some(process) = plan.process.as_ref() else {
            return (Error::new("there is no process"), Answer::Refused);
        };
        if let Err(error) = self.run_hooks(&plan.hooks.start_container, state::Status::Created) {
            return (error.stage("startContainer hook"), Answer::HookFailed);
        }
        let ready = process
            .verify_cwd()
            .and_then(|()| process.program.check())
            .and_then(|()| {
                files::cloexec_from(3 + self.handover.preserve)
                    .call(|| "close_range(CLOSE_RANGE_CLOEXEC)")
            });
        if let Err(error) = ready {
            return (error, Answer::Refused);
        }
        // As late as can be, so that the profile has to allow as little as can be of what is the runtime's.
        if let Err(error) = self.load_seccomp(caller) {
            return (error, Answer::Ended);
        }
        (process.program.exec(), Answer::Ended)
    }

    fn load_seccomp(&self, caller: &Waiting) -> Result<()> {
        let Some(seccomp) = &self.plan.seccomp else {
            return Ok(());
        };
        if seccomp.listener_is_taken {
            if self.plan.namespaces.new & process::CLONE_NEWUSER != 0 {
                // To a caller without privilege, who owns the user namespace but not this memory,
                // which is from before it: nobody else is in there to whom it would be shown.
                process::set_dumpable(true).call(|| "prctl(PR_SET_DUMPABLE, 1)")?;
            }
            let taken = caller.announce_listener()?;
            // Not to be closed: from here on also that may be a call that waits for the agent.
            std::mem::forget(seccomp.load()?);
            return listener::wait_until_taken(&taken);
        }
        match seccomp.load()? {
            Some(listener) => caller.hand_over(&listener),
            None => Ok(()),
        }
    }

    /// Takes back what was made where others can see it.
    fn undo(&mut self) {
        if let Some(way) = self.visible_root.take() {
            let back = files::fchdir(way.as_fd()).and_then(|()| files::chroot(OsStr::new(".")));
            // The error that led here is the one to tell.
            let _ = back.and_then(|()| mount::detach(self.plan.rootfs.as_os_str()));
        }
    }
}

/// Takes off what is mounted below the old root, all of which this namespace has for itself.
fn detach_all_below_root() -> Result<()> {
    let path = "/proc/self/mountinfo";
    let table = std::fs::read_to_string(path).call(|| format!("read({path:?})"))?;
    for line in table.lines() {
        let Some(target) = line.split(' ').nth(4).filter(|target| *target != "/") else {
            continue;
        };
        match mount::detach(&mount::unescape(target)) {
            // It went with what it was mounted on, or is hidden by the new root.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOENT)) => {}
            other => other.call(|| format!("umount2({target:?}, MNT_DETACH)"))?,
        }
    }
    Ok(())
}

fn out_of_order() -> Error {
    Error::new("the stages are out of order")
}
