//! The program of the container must never get hold of the runtime's own file.
//!
//! Until its exec the container process is this program, and /proc/PID/exe,
//! a script that begins with `#!/proc/self/exe`, or an interpreter of that name
//! lead to its file. A container that runs as the file's owner could then write
//! to it, and the host's next container would run that. So the runtime executes
//! itself anew from where nobody can write: a read-only mount that is attached
//! nowhere, or a sealed copy in memory.

use crate::error::{CallContext, Error, Result};
use crate::sys::credentials;
use crate::sys::files::{self, O_RDONLY, cwd};
use crate::sys::mount::{self, AT_EMPTY_PATH, MOUNT_ATTR_RDONLY, MountAttr};
use crate::sys::process::{self, StringList};
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};

const EXE: &str = "/proc/self/exe";
/// Ends what would otherwise be a loop if a kernel did not keep its word.
const MARK: &str = "_REFRUN_PROTECTED";

/// Returns if this process runs from a file that nobody can write; else executes itself from such a file.
pub(crate) fn ensure_protected_binary() -> Result<()> {
    let exe = files::openat(cwd(), EXE.as_ref(), O_RDONLY, 0).call(|| format!("open({EXE:?})"))?;
    let read_only =
        files::is_on_read_only_mount(exe.as_fd()).call(|| format!("fstatvfs({EXE:?})"))?;
    if read_only || files::is_sealed(exe.as_fd()) {
        return Ok(());
    }
    if std::env::var_os(MARK).is_some() {
        return Err(Error::new(
            "the runtime could not be executed from a file that is protected against writing",
        ));
    }
    let file = match read_only_mount() {
        Ok(file) => file,
        // Without the privilege to mount, or before Linux 5.12.
        Err(_) => {
            files::sealed_copy("refrun", &mut exe.into()).call(|| "memfd_create(\"refrun\")")?
        }
    };
    let arguments = StringList::new(std::env::args_os()).call(|| "arguments")?;
    let pairs = std::env::vars_os().map(|(mut pair, value)| {
        pair.push("=");
        pair.push(value);
        pair
    });
    let environment =
        StringList::new(pairs.chain([format!("{MARK}=1").into()])).call(|| "environment")?;
    let error = process::exec_file(file.as_fd(), &arguments, &environment);
    Err(Error::call(format!("execveat({EXE:?})"), &error))
}

fn read_only_mount() -> std::io::Result<OwnedFd> {
    if credentials::effective_uid() != 0 {
        return Err(std::io::Error::from_raw_os_error(libc::EPERM));
    }
    let tree = mount::clone_tree(cwd(), EXE.as_ref(), 0)?;
    let attr = MountAttr {
        set: MOUNT_ATTR_RDONLY,
        propagation: libc::MS_PRIVATE,
        ..MountAttr::default()
    };
    mount::set_attributes(tree.as_fd(), OsStr::new(""), AT_EMPTY_PATH, &attr)?;
    Ok(tree)
}
