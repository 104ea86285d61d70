//! `create`: from a bundle to a container that waits for `start`, as a table of stages.

use crate::cgroup::{Placement, Tasks, ownership};
use crate::channel::{Channel, ToChild, ToParent};
use crate::document::Node;
use crate::error::{CallContext, Error, PlaceContext, Result};
use crate::hooks;
use crate::init::{self, Handover};
use crate::launch::{self, Inherited};
use crate::limited_file;
use crate::listen_fds;
use crate::log;
use crate::mounts::idmap::{self, Prepared};
use crate::net_devices::{self, Moved};
use crate::plan::Plan;
use crate::procfs::Procfs;
use crate::state::{Container, SPEC_VERSION, Status, document, process_stat};
use crate::store::{Entry, Made, Phase, Process, Record, SharedMount, Store, write_pid_file};
use crate::sys::credentials;
use crate::sys::process::{self as sys, CLONE_NEWNS, CLONE_NEWPID, Child};
use crate::{delete, previous_limits, root, terminal};
use oci_validator::Document;
use serde_json::Value;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The arguments of the command.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) bundle: PathBuf,
    pub(crate) pid_file: Option<PathBuf>,
    pub(crate) console_socket: Option<PathBuf>,
    pub(crate) preserve_fds: u32,
    /// How many of them a service manager has opened.
    pub(crate) listen_fds: u32,
    pub(crate) new_keyring: bool,
    /// Whether the root is pivoted, or only moved over the old one.
    pub(crate) pivot: bool,
    /// What is to be taken for the mounted resctrl.
    pub(crate) resctrl: Option<PathBuf>,
}

struct Create<'a> {
    options: &'a Options,
    plan: Plan,
    config: String,
    entry: Entry,
    record: Record,
    placement: Placement,
    cgroup: Option<OwnedFd>,
    tasks: Vec<Tasks>,
    console: Option<OwnedFd>,
    prepared: Vec<Prepared>,
    listener: Option<OwnedFd>,
    channel: Option<Channel>,
    child: Option<Child>,
    net_devices: Vec<Moved>,
    /// Directories of resctrl, also such as stay when the container is deleted.
    resctrl: Vec<PathBuf>,
    /// A hook has failed: the container's life ends as one that began.
    hook_failed: bool,
    /// The root is mounted (by a process that will not take it off any more).
    root_mounted: bool,
}

struct Stage {
    name: &'static str,
    run: fn(&mut Create<'_>) -> Result<()>,
}

/// What follows once the configuration is read and the id is claimed, in this order.
const STAGES: &[Stage] = &[
    // Before anything else can be left behind: whoever finds it can clean up.
    Stage {
        name: "state",
        run: |create| create.remember(),
    },
    // Before the process, so that it can be cloned into its cgroup with the limits set.
    Stage {
        name: "cgroups",
        run: |create| create.make_cgroups(),
    },
    Stage {
        name: "intelRdt",
        run: |create| create.make_resctrl(),
    },
    // Before the process, which inherits the descriptors.
    Stage {
        name: "terminal",
        run: |create| create.connect_console(),
    },
    Stage {
        name: "mounts",
        run: |create| create.prepare_mounts(),
    },
    Stage {
        name: "start socket",
        run: |create| create.listen(),
    },
    Stage {
        name: "namespaces",
        run: |create| create.clone_process(),
    },
    // After the process is made: limits that would not have let it be, and the owner, whom the
    // maps of the user namespace tell.
    Stage {
        name: "cgroups",
        run: |create| create.finish_cgroups(),
    },
    // Before anything runs in the container that would be outside of its class of service.
    Stage {
        name: "intelRdt",
        run: |create| create.enter_resctrl(),
    },
    // Before the hooks, which may look at the container's network.
    Stage {
        name: "network devices",
        run: |create| create.move_net_devices(),
    },
    // While the process builds its environment: it waits for these hooks before its root is pivoted.
    Stage {
        name: "hooks",
        run: |create| create.run_hooks(),
    },
    Stage {
        name: "create",
        run: |create| create.await_ready(),
    },
    // From outside, because a user namespace takes these privileges away.
    Stage {
        name: "process",
        run: |create| create.set_limits(),
    },
    // After the device nodes are made, which the rules may forbid.
    Stage {
        name: "devices",
        run: |create| create.apply_device_rules(),
    },
    // Last: whoever sees the state or the pid file may start the container.
    Stage {
        name: "state",
        run: |create| create.note_created(),
    },
];

/// The command.
pub(crate) fn create(store: &Store, id: &str, options: &Options) -> Result<()> {
    make(store, id, Bundle::read(id, options)?, options).map(drop)
}

/// A bundle whose configuration is read, found valid, and understood.
pub(crate) struct Bundle {
    path: PathBuf,
    config: String,
    plan: Plan,
}

impl Bundle {
    /// Without any effect that could be seen.
    pub(crate) fn read(id: &str, options: &Options) -> Result<Self> {
        let path =
            fs::canonicalize(&options.bundle).call(|| format!("realpath({:?})", options.bundle))?;
        crate::store::check_id(id)?;
        let config = read_config(&path)?;
        let changed = with_listen_fds(&config, options.listen_fds)?;
        let node = match &changed {
            Some(changed) => Node::root(changed),
            None => Node::of(&config),
        };
        let plan = node
            .and_then(|node| Plan::new(&node, &path, id, options.resctrl.as_deref()))
            .stage("config.json")?;
        let config = config.into_text();
        Ok(Bundle { path, config, plan })
    }

    /// Whether `process.terminal` is set.
    pub(crate) fn wants_terminal(&self) -> bool {
        self.plan
            .process
            .as_ref()
            .is_some_and(|process| process.terminal.is_some())
    }
}

/// Makes the container. Returns it locked, and its process.
pub(crate) fn make(
    store: &Store,
    id: &str,
    bundle: Bundle,
    options: &Options,
) -> Result<(Container, Child)> {
    check_terminal(&bundle, options)?;
    let Bundle { path, config, plan } = bundle;
    let placement = plan.cgroup.placement();
    let record = new_record(id, &plan, path, placement.clone())?;
    // Nothing may fail between this and the first stage: only a stage is undone.
    let entry = store.claim(id)?;
    let mut create = Create {
        options,
        plan,
        config,
        entry,
        record,
        placement,
        cgroup: None,
        tasks: Vec::new(),
        console: None,
        prepared: Vec::new(),
        listener: None,
        channel: None,
        child: None,
        net_devices: Vec::new(),
        resctrl: Vec::new(),
        hook_failed: false,
        root_mounted: false,
    };
    for stage in STAGES {
        if let Err(error) = (stage.run)(&mut create) {
            create.undo();
            return Err(error.stage(stage.name));
        }
    }
    let child = create
        .child
        .take()
        .ok_or_else(|| Error::new("no process was made"))?;
    let container = Container {
        entry: create.entry,
        record: create.record,
        status: Status::Created,
    };
    Ok((container, child))
}

/// Reads the configuration of a bundle, and refuses what is invalid.
fn read_config(bundle: &Path) -> Result<Document> {
    let path = bundle.join("config.json");
    let text = limited_file::read_regular(&path).call(|| format!("read({path:?})"))?;
    crate::validate::config(text)
}

/// The configuration of a process that is told of its sockets; none if there are no sockets.
fn with_listen_fds(config: &Document, count: u32) -> Result<Option<Value>> {
    if count == 0 {
        return Ok(None);
    }
    let mut changed: Value = serde_json::from_str(config.text())
        .map_err(|error| Error::new(format!("config.json: {error}")))?;
    if let Some(process) = changed.get_mut("process") {
        listen_fds::tell(process, count);
    }
    Ok(Some(changed))
}

fn check_terminal(bundle: &Bundle, options: &Options) -> Result<()> {
    match (bundle.wants_terminal(), &options.console_socket) {
        (true, None) => Err(Error::new(
            "a terminal needs --console-socket, to hand it to the caller",
        )
        .at("/process/terminal")),
        (false, Some(_)) => Err(Error::new(
            "--console-socket is given, but no terminal is asked for",
        )
        .at("/process/terminal")),
        _ => Ok(()),
    }
}

fn new_record(id: &str, plan: &Plan, bundle: PathBuf, cgroup: Placement) -> Result<Record> {
    let joined = plan
        .namespaces
        .joined
        .iter()
        .find(|joined| joined.kind == CLONE_NEWNS);
    let shared_mount = if plan.own_mounts() {
        None
    } else {
        Some(SharedMount {
            target: plan.rootfs.clone(),
            namespace: joined.map(|joined| joined.path.clone().into()),
            before: match joined {
                None => Some(root::mount_id(&plan.rootfs)?),
                Some(_) => None,
            },
        })
    };
    Ok(Record {
        oci_version: SPEC_VERSION.to_owned(),
        id: id.to_owned(),
        phase: Phase::Creating,
        process: None,
        creator: std::process::id() as i32,
        hook: None,
        bundle,
        annotations: plan.annotations.clone(),
        created: log::rfc3339(SystemTime::now()),
        owner: credentials::effective_uid(),
        rootfs: plan.rootfs.clone(),
        startable: plan.process.is_some(),
        own_pid_namespace: plan.namespaces.new & CLONE_NEWPID != 0,
        cgroup,
        hooks: plan.hooks_document.clone(),
        seccomp_agent: plan
            .seccomp
            .as_ref()
            .and_then(|seccomp| seccomp.agent.clone()),
        made: Made {
            shared_mount,
            resctrl: plan
                .intel_rdt
                .as_ref()
                .map(|rdt| rdt.planned())
                .unwrap_or_default(),
            ..Made::default()
        },
        resctrl: plan.intel_rdt.as_ref().map(|rdt| rdt.groups()),
    })
}

impl Create<'_> {
    fn remember(&mut self) -> Result<()> {
        let written = self
            .entry
            .write_config(std::mem::take(&mut self.config).as_bytes())
            .and_then(|()| self.entry.write(&self.record));
        if written.is_err() {
            // Planned, but not made: undo must leave alone what another may have made there.
            self.record.cgroup = Placement::default();
            self.record.made.resctrl.clear();
        }
        written
    }

    fn make_cgroups(&mut self) -> Result<()> {
        let made = self.placement.make();
        // Delete kills what is in a group of the container's own, so that the record must not
        // claim a group that somebody else made after the plan.
        let planned = std::mem::replace(&mut self.record.cgroup, self.placement.clone());
        match made {
            Err(error) if self.plan.cgroup.can_do_without(&error) => {
                self.placement.remove()?;
                self.placement = Placement::default();
                self.record.cgroup = Placement::default();
                return self.entry.write(&self.record);
            }
            other => other?,
        }
        // A group in which somebody is would share this container's limits, device rules, pauses
        // and end: also that of a container with the same id below another state root.
        self.placement.expect_unused()?;
        // Its maker keeps a group that was found empty, and gets it back as it was.
        self.record.made.found_limits =
            previous_limits::of_found_groups(&self.plan.cgroup.settings, &self.placement);
        if self.record.cgroup != planned || !self.record.made.found_limits.is_empty() {
            self.entry.write(&self.record)?;
        }
        self.placement.apply(&self.plan.cgroup.settings)?;
        self.cgroup = self.placement.open_unified()?;
        self.tasks = self.placement.open_tasks()?;
        Ok(())
    }

    fn make_resctrl(&mut self) -> Result<()> {
        let Some(rdt) = &self.plan.intel_rdt else {
            return Ok(());
        };
        let planned = std::mem::take(&mut self.record.made.resctrl);
        let result = rdt.make(&mut self.resctrl);
        let own = |path: &&PathBuf| rdt.goes_with_container(path);
        self.record.made.resctrl = self.resctrl.iter().filter(own).cloned().collect();
        result?;
        if self.record.made.resctrl != planned {
            self.entry.write(&self.record)?;
        }
        Ok(())
    }

    fn enter_resctrl(&mut self) -> Result<()> {
        match (&self.plan.intel_rdt, &self.child) {
            (Some(rdt), Some(child)) => rdt.enter(child.pid),
            _ => Ok(()),
        }
    }

    fn connect_console(&mut self) -> Result<()> {
        if let Some(path) = &self.options.console_socket {
            self.console = Some(terminal::connect(path)?);
        }
        Ok(())
    }

    fn prepare_mounts(&mut self) -> Result<()> {
        self.prepared = idmap::prepare(&self.plan.mounts)?;
        Ok(())
    }

    fn listen(&mut self) -> Result<()> {
        self.listener = Some(self.entry.listen()?);
        Ok(())
    }

    fn clone_process(&mut self) -> Result<()> {
        let (parent, child) = Channel::pair()?;
        let procfs = Procfs::at_proc()?;
        let listener = self
            .listener
            .take()
            .ok_or_else(|| Error::new("nobody listens"))?;
        let handover = Handover {
            plan: &self.plan,
            record: &self.record,
            placement: &self.placement,
            channel: &child,
            procfs: &procfs,
            tasks: std::mem::take(&mut self.tasks),
            listener,
            console: self.console.take(),
            prepared: std::mem::take(&mut self.prepared),
            new_keyring: self.options.new_keyring,
            preserve: self.options.preserve_fds,
            pivot: self.options.pivot,
        };
        let cgroup = self.cgroup.take();
        let oom_score_adj = self
            .plan
            .process
            .as_ref()
            .and_then(|process| process.oom_score_adj);
        let made = launch::launch(
            &self.plan,
            &Inherited {
                cgroup: cgroup.as_ref().map(AsFd::as_fd),
                channel: &child,
                procfs: &procfs,
            },
            &parent,
            // While the process still belongs to the caller, whose files procfs then shows.
            |pid| set_oom_score_adj(pid, oom_score_adj),
            || init::run(handover),
        )?;
        drop(child);
        let stat =
            process_stat(made.pid)?.ok_or_else(|| Error::new("the container process has ended"))?;
        self.record.process = Some(Process {
            pid: made.pid,
            start_time: stat.start_time,
        });
        self.channel = Some(parent);
        self.child = Some(made);
        Ok(())
    }

    fn finish_cgroups(&mut self) -> Result<()> {
        self.placement.apply_late(&self.plan.cgroup.settings)?;
        match &self.child {
            Some(child) => ownership::hand_over(&self.placement, &self.plan, child.pid),
            None => Ok(()),
        }
    }

    fn move_net_devices(&mut self) -> Result<()> {
        if let (Some(child), false) = (&self.child, self.plan.net_devices.is_empty()) {
            self.net_devices =
                net_devices::move_all(&self.plan.net_devices, &self.plan.namespaces, child.pid)?;
        }
        Ok(())
    }

    fn run_hooks(&mut self) -> Result<()> {
        if !self.plan.hooks.interrupt_create() {
            return Ok(());
        }
        match self.hear()? {
            ToParent::Mounted => {}
            other => return Err(Error::new(format!("the container process said {other:?}"))),
        }
        // So that a hook that asks for the state learns the pid.
        self.entry.write(&self.record)?;
        hooks::enter_bundle(&self.record.bundle);
        let state = document(&self.record, Status::Creating).to_string();
        self.hook_failed = true;
        // Noted before it runs, for a delete that has to end it when this command is no more.
        let mut note = |pid| {
            self.record.hook = process_stat(pid)?.map(|stat| Process {
                pid,
                start_time: stat.start_time,
            });
            self.entry.write(&self.record)
        };
        let hooks = &self.plan.hooks;
        hooks::run_all_noted(&hooks.prestart, state.as_bytes(), &mut note)
            .stage("prestart hook")?;
        hooks::run_all_noted(&hooks.create_runtime, state.as_bytes(), &mut note)
            .stage("createRuntime hook")?;
        self.record.hook = None;
        self.hook_failed = false;
        self.channel()?.tell_child(ToChild::Proceed)
    }

    fn await_ready(&mut self) -> Result<()> {
        match self.hear()? {
            ToParent::Ready { limits_refused } => {
                if !limits_refused {
                    // Set from within; nothing is left to do from outside.
                    if let Some(process) = &mut self.plan.process {
                        process.limits.clear();
                    }
                }
                Ok(())
            }
            other => Err(Error::new(format!("the container process said {other:?}"))),
        }
    }

    fn set_limits(&mut self) -> Result<()> {
        let (Some(process), Some(child)) = (&self.plan.process, &self.child) else {
            return Ok(());
        };
        crate::process::limits::apply(&process.limits, child.pid)
    }

    fn apply_device_rules(&mut self) -> Result<()> {
        match &self.plan.cgroup.devices {
            // There are none if the container can do without them.
            Some(rules) if !self.placement.groups.is_empty() => rules.apply(&self.placement),
            _ => Ok(()),
        }
    }

    fn note_created(&mut self) -> Result<()> {
        self.record.phase = Phase::Created;
        self.entry.write(&self.record)?;
        if let (Some(path), Some(child)) = (&self.options.pid_file, &self.child) {
            write_pid_file(path, child.pid)?;
        }
        Ok(())
    }

    fn channel(&self) -> Result<&Channel> {
        self.channel
            .as_ref()
            .ok_or_else(|| Error::new("there is no channel"))
    }

    /// The next message that is not a warning. A failure there is a failure here.
    fn hear(&mut self) -> Result<ToParent> {
        loop {
            match self.channel()?.hear_child()? {
                ToParent::Warning(text) => log::warning(&text),
                ToParent::Failed { error, hook } => {
                    self.hook_failed = hook;
                    self.root_mounted = false;
                    return Err(Error::new(error).told());
                }
                other => {
                    self.root_mounted = true;
                    return Ok(other);
                }
            }
        }
    }

    /// Leaves nothing behind. After a hook that failed, the life of the container ends as any other does.
    fn undo(&mut self) {
        if let Some(child) = &self.child {
            // While the namespace is there: with it virtual devices would go.
            if let Err(error) =
                net_devices::return_all(&self.net_devices, &self.plan.namespaces, child.pid)
            {
                log::warning(&error.stage("cleaning up").to_string());
            }
            launch::end(child);
        }
        // Of a container that never was, also a class that others could have shared goes.
        self.record.made.resctrl = std::mem::take(&mut self.resctrl);
        if !self.root_mounted {
            // Whatever is mounted there is somebody else's.
            self.record.made.shared_mount = None;
        }
        let undone = delete::undo(&self.record).and_then(|()| self.entry.remove());
        if let Err(error) = undone {
            log::warning(&error.stage("cleaning up").to_string());
        }
        if self.hook_failed {
            let state = document(&self.record, Status::Stopped).to_string();
            hooks::run_poststop(&self.plan.hooks.poststop, state.as_bytes());
        }
    }
}

/// Writes the value from outside, for whoever has the privilege to lower it.
pub(crate) fn set_oom_score_adj(pid: i32, value: Option<i32>) -> Result<()> {
    let Some(value) = value else { return Ok(()) };
    let path = format!("/proc/{pid}/oom_score_adj");
    fs::write(&path, value.to_string())
        .call(|| format!("write({path:?}, \"{value}\")"))
        .at("/process/oomScoreAdj")
}

/// Waits for the end of a container process that this process made.
pub(crate) fn wait(child: &Child) -> Result<sys::Ending> {
    sys::wait_for(child.pid).call(|| format!("waitpid({})", child.pid))
}
