//! `process`: everything that the container process is, besides where it is.

pub(crate) mod capabilities;
pub(crate) mod limits;
pub(crate) mod program;
pub(crate) mod scheduling;

use crate::document::Node;
use crate::error::{CallContext, Error, PlaceContext, Result};
use crate::sys::{credentials, files, process as sys};
use capabilities::Capabilities;
use limits::Limit;
use program::Program;
use scheduling::{IoPriority, Scheduler};

/// The planned `process`.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) program: Program,
    pub(crate) cwd: String,
    pub(crate) user: User,
    pub(crate) terminal: Option<Terminal>,
    pub(crate) capabilities: Capabilities,
    pub(crate) limits: Vec<Limit>,
    pub(crate) no_new_privileges: bool,
    pub(crate) oom_score_adj: Option<i32>,
    pub(crate) scheduler: Option<Scheduler>,
    pub(crate) io_priority: Option<IoPriority>,
    pub(crate) labels: Vec<Label>,
    pub(crate) affinity: Affinity,
    pointer: String,
}

/// `user`.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) umask: Option<u32>,
    pub(crate) additional_gids: Vec<u32>,
}

/// `terminal` and `consoleSize`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    /// Rows and columns.
    pub(crate) size: Option<(u16, u16)>,
}

/// `apparmorProfile` or `selinuxLabel`.
#[derive(Debug, Clone)]
pub(crate) struct Label {
    /// The file in /proc/self/attr that names the label of the next exec.
    file: &'static str,
    text: String,
    pointer: String,
}

/// `execCPUAffinity`, which concerns `exec` alone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Affinity {
    pub(crate) initial: Option<Vec<u64>>,
    pub(crate) last: Option<Vec<u64>>,
}

impl Process {
    /// Reads the property, as `config.json` or a file of `exec` has it.
    pub(crate) fn plan(process: &Node<'_>) -> Result<Self> {
        let cwd = process.required("cwd", process.string("cwd")?)?;
        if !cwd.starts_with('/') || cwd.contains('\0') {
            return Err(process.error("cwd", format!("{cwd:?} is not an absolute path")));
        }
        if let Some(value) = process
            .integer::<i32>("oomScoreAdj")?
            .filter(|value| !(-1000..=1000).contains(value))
        {
            return Err(process.error("oomScoreAdj", format!("{value} is not from -1000 to 1000")));
        }
        Ok(Process {
            program: Program::plan(process)?,
            cwd: cwd.to_owned(),
            user: User::plan(process)?,
            terminal: Terminal::plan(process)?,
            capabilities: Capabilities::plan(process)?,
            limits: limits::plan(process)?,
            no_new_privileges: process.boolean("noNewPrivileges")?.unwrap_or(false),
            oom_score_adj: process.integer("oomScoreAdj")?,
            scheduler: Scheduler::plan(process)?,
            io_priority: IoPriority::plan(process)?,
            labels: Label::plan(process)?,
            affinity: Affinity::plan(process)?,
            pointer: process.pointer(),
        })
    }

    /// Takes on what the kernel applies to this process, but for the identity.
    pub(crate) fn apply_scheduling(&self) -> Result<()> {
        if let Some(scheduler) = &self.scheduler {
            scheduler.apply()?;
        }
        if let Some(priority) = &self.io_priority {
            priority.apply()?;
        }
        Ok(())
    }

    /// Becomes the user, with the capabilities. `keep` is added to what is permitted and
    /// effective, for those last steps that need a privilege.
    ///
    /// Returns what has to be said about capabilities that could not be granted.
    pub(crate) fn become_user(&self, keep: u64, setgroups_denied: bool) -> Result<Vec<String>> {
        let user = &self.user;
        let granted = self.capabilities.drop_bounding()?;
        match credentials::setgroups(&user.additional_gids) {
            // In a user namespace without the right to setgroups there is nothing to drop that could be dropped.
            Err(_) if setgroups_denied && user.additional_gids.is_empty() => {}
            other => other
                .call(|| format!("setgroups({:?})", user.additional_gids))
                .at(&format!("{}/user/additionalGids", self.pointer))?,
        }
        credentials::setresgid(user.gid)
            .call(|| format!("setresgid({})", user.gid))
            .at(&format!("{}/user/gid", self.pointer))?;
        credentials::keep_capabilities(true).call(|| "prctl(PR_SET_KEEPCAPS)")?;
        credentials::setresuid(user.uid)
            .call(|| format!("setresuid({})", user.uid))
            .at(&format!("{}/user/uid", self.pointer))?;
        credentials::keep_capabilities(false).call(|| "prctl(PR_SET_KEEPCAPS)")?;
        if let Some(umask) = user.umask {
            sys::umask(umask);
        }
        self.capabilities.apply(granted, keep)
    }

    /// Enters the working directory, which must be inside the root.
    pub(crate) fn enter_cwd(&self) -> Result<()> {
        std::env::set_current_dir(&self.cwd)
            .call(|| format!("chdir({:?})", self.cwd))
            .at(&format!("{}/cwd", self.pointer))?;
        self.verify_cwd()
    }

    /// The kernel tells of a directory that cannot be reached from the root, as one
    /// behind a leaked descriptor of the host would be.
    pub(crate) fn verify_cwd(&self) -> Result<()> {
        let cwd = files::kernel_cwd().call(|| "getcwd()")?;
        if cwd.starts_with(b"/") {
            return Ok(());
        }
        Err(
            Error::new(format!("{:?} is outside the container's root", self.cwd))
                .at(format!("{}/cwd", self.pointer)),
        )
    }

    /// Whether the working directory could not be entered for want of permission.
    pub(crate) fn cwd_is_forbidden(error: &Error) -> bool {
        matches!(error.errno(), Some(libc::EACCES | libc::EPERM))
    }
}

impl User {
    fn plan(process: &Node<'_>) -> Result<Self> {
        let user = process.required("user", process.object("user")?)?;
        if let Some(umask) = user.integer::<u32>("umask")?.filter(|&umask| umask > 0o777) {
            return Err(user.error("umask", format!("{umask} is above 511, which is 0777")));
        }
        Ok(User {
            uid: user.required("uid", user.integer("uid")?)?,
            gid: user.required("gid", user.integer("gid")?)?,
            umask: user.integer("umask")?,
            additional_gids: user.integers("additionalGids")?.unwrap_or_default(),
        })
    }
}

impl Terminal {
    fn plan(process: &Node<'_>) -> Result<Option<Self>> {
        // The size means nothing without a terminal, so that even a wrong one is ignored.
        if process.boolean("terminal")? != Some(true) {
            return Ok(None);
        }
        let Some(size) = process.object("consoleSize")? else {
            return Ok(Some(Terminal { size: None }));
        };
        let number = |name| size.required(name, size.integer::<u16>(name)?);
        Ok(Some(Terminal {
            size: Some((number("height")?, number("width")?)),
        }))
    }
}

impl Label {
    /// A kernel can have both modules at work, each with a label of its own.
    fn plan(process: &Node<'_>) -> Result<Vec<Self>> {
        let mut labels = Vec::new();
        let apparmor = process
            .string("apparmorProfile")?
            .filter(|profile| !profile.is_empty());
        let selinux = process
            .string("selinuxLabel")?
            .filter(|label| !label.is_empty());
        if let Some(profile) = apparmor {
            let enabled = std::fs::read("/sys/module/apparmor/parameters/enabled")
                .is_ok_and(|text| text.starts_with(b"Y"));
            if !enabled {
                return Err(
                    process.error("apparmorProfile", "AppArmor is not enabled on this host")
                );
            }
            let file = if std::path::Path::new("/proc/self/attr/apparmor/exec").exists() {
                "apparmor/exec"
            } else {
                "exec"
            };
            labels.push(Label {
                file,
                text: format!("exec {profile}"),
                pointer: process.pointer_to("apparmorProfile"),
            });
        }
        if let Some(label) = selinux {
            if !std::path::Path::new("/sys/fs/selinux/enforce").exists() {
                return Err(process.error("selinuxLabel", "SELinux is not enabled on this host"));
            }
            labels.push(Label {
                file: "exec",
                text: label.to_owned(),
                pointer: process.pointer_to("selinuxLabel"),
            });
        }
        Ok(labels)
    }

    /// Sets the label of the next exec, through a procfs that is known to be one.
    pub(crate) fn apply(&self, procfs: &crate::procfs::Procfs) -> Result<()> {
        procfs
            .write(&format!("self/attr/{}", self.file), &self.text)
            .at(&self.pointer)
    }
}

impl Affinity {
    fn plan(process: &Node<'_>) -> Result<Self> {
        let Some(affinity) = process.object("execCPUAffinity")? else {
            return Ok(Affinity::default());
        };
        let list = |name| -> Result<Option<Vec<u64>>> {
            match affinity.string(name)?.filter(|list| !list.is_empty()) {
                None => Ok(None),
                Some(list) => scheduling::bit_mask(list)
                    .map(Some)
                    .ok_or_else(|| affinity.error(name, format!("{list:?} is not a list of CPUs"))),
            }
        };
        Ok(Affinity {
            initial: list("initial")?,
            last: list("final")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn plan(change: Value) -> Result<Process> {
        let mut process = json!({"cwd": "/", "args": ["x"], "user": {"uid": 0, "gid": 0}});
        process
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        Process::plan(&Node::root(&process).unwrap())
    }

    #[test]
    fn required_properties_are_required() {
        let error = |change| plan(change).unwrap_err().to_string();
        assert_eq!(error(json!({"user": {"uid": 0}})), "/user/gid: is required");
        assert!(error(json!({"cwd": "tmp"})).starts_with("/cwd: \"tmp\" is not an absolute path"));
        assert!(error(json!({"args": []})).starts_with("/args"));
        assert!(error(json!({"oomScoreAdj": 1001})).starts_with("/oomScoreAdj"));
        plan(json!({})).unwrap();
    }

    #[test]
    fn a_size_without_terminal_is_ignored() {
        assert!(
            plan(json!({"consoleSize": "wrong"}))
                .unwrap()
                .terminal
                .is_none()
        );
        assert!(plan(json!({"terminal": true, "consoleSize": {"height": 1}})).is_err());
        let size = plan(json!({"terminal": true, "consoleSize": {"height": 25, "width": 80}}))
            .unwrap()
            .terminal
            .unwrap();
        assert_eq!(size.size, Some((25, 80)));
    }
}
