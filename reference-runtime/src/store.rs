//! Where containers are remembered: one directory each below the state root.
//!
//! The directory's name is the claim on the id, its flock serialises operations,
//! `state.json` is replaced as a whole, and `start` is the socket on which the
//! container process waits for the command of that name.

use crate::error::{CallContext, Error, Result};
use crate::limited_file;
use crate::sys::files::{self, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY, cwd};
use crate::sys::{credentials, socket};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Everything that outlives `create`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub(crate) oci_version: String,
    pub(crate) id: String,
    /// The last step that was finished; whether the process still lives is asked of the kernel.
    pub(crate) phase: Phase,
    /// The container process, absent until it is cloned.
    pub(crate) process: Option<Process>,
    /// The pid of the command that creates or has created it.
    #[serde(default)]
    pub(crate) creator: i32,
    /// The hook that the creator runs now, which leads its process group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hook: Option<Process>,
    pub(crate) bundle: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) annotations: Option<BTreeMap<String, String>>,
    /// When the container was created, for `list`.
    pub(crate) created: String,
    /// The user who created it.
    pub(crate) owner: u32,
    /// The directory that became the root, for `list` and `state`.
    pub(crate) rootfs: PathBuf,
    /// Whether the configuration has a `process` to start.
    pub(crate) startable: bool,
    /// Whether the container has a pid namespace of its own, whose end ends every process in it.
    pub(crate) own_pid_namespace: bool,
    #[serde(default)]
    pub(crate) cgroup: crate::cgroup::Placement,
    /// The hooks that come after `create`, in the form of the property.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) hooks: Value,
    /// Where a seccomp listener goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seccomp_agent: Option<crate::seccomp::Agent>,
    /// Where the container is in resctrl.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) resctrl: Option<crate::intel_rdt::Groups>,
    /// What `create` made outside the container's own namespaces.
    #[serde(default)]
    pub(crate) made: Made,
}

/// A process that cannot be taken for a later one of the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Process {
    pub(crate) pid: i32,
    /// In clock ticks since boot, as procfs tells it.
    pub(crate) start_time: u64,
}

/// How far the container has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    Creating,
    /// From here on the socket tells whether it was started, and the kernel whether it lives.
    Created,
}

/// Things of the runtime namespace that `delete` has to undo.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Made {
    /// The root was mounted in a mount namespace that is not the container's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shared_mount: Option<SharedMount>,
    /// What control files of groups held that were found and not made, in the order of writing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) found_limits: Vec<crate::previous_limits::Previous>,
    /// Directories of resctrl that go with the container, the outer one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) resctrl: Vec<PathBuf>,
}

/// A root that is mounted in a namespace which outlives the container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SharedMount {
    /// Where.
    pub(crate) target: PathBuf,
    /// The file of the namespace, absent for the runtime's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<PathBuf>,
    /// The mount that was there before, which is somebody else's and stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<u64>,
}

/// The state root.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    root: PathBuf,
}

/// A container's directory.
#[derive(Debug)]
pub(crate) struct Entry {
    id: String,
    path: PathBuf,
    dir: OwnedFd,
}

const STATE: &str = "state.json";
const NEW_STATE: &str = ".state.json";
const CONFIG: &str = "config.json";
const NEW_CONFIG: &str = ".config.json";
const SOCKET: &str = "start";

impl Store {
    /// The store below `root`, or below the default of this user.
    pub(crate) fn new(root: Option<PathBuf>) -> Self {
        Store {
            root: root.unwrap_or_else(default_root),
        }
    }

    /// Makes the directory of a new container and locks it. The id is free or this fails.
    ///
    /// Between the two it looks like what a killed `create` left; see [`Store::without_claims`].
    pub(crate) fn claim(&self, id: &str) -> Result<Entry> {
        check_id(id)?;
        let root = self.open_or_make_root()?;
        files::lock_shared(root.as_fd()).call(|| format!("flock({:?}, LOCK_SH)", self.root))?;
        let path = self.root.join(id);
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Error::new(format!(
                    "a container with the id {id:?} exists already"
                )));
            }
            other => other.call(|| format!("mkdir({path:?})"))?,
        }
        let claimed = self.entry(id, path.clone()).and_then(|entry| {
            entry.lock()?;
            Ok(entry)
        });
        if claimed.is_err() {
            // Nobody else would: what is not empty is somebody's who came after, and stays.
            let _ = fs::remove_dir(&path);
        }
        claimed
    }

    /// Waits until each directory that is claimed is locked too, and holds new claims off for as
    /// long as the descriptor is open: an empty one that nobody has locked is then nobody's.
    pub(crate) fn without_claims(&self) -> Result<OwnedFd> {
        let root = self.open_root().call(|| format!("open({:?})", self.root))?;
        files::lock_exclusive(root.as_fd()).call(|| format!("flock({:?}, LOCK_EX)", self.root))?;
        Ok(root)
    }

    fn open_or_make_root(&self) -> Result<OwnedFd> {
        let opened = match self.open_root() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(&self.root)
                    .call(|| format!("mkdir({:?})", self.root))?;
                self.open_root()
            }
            other => other,
        };
        opened.call(|| format!("open({:?})", self.root))
    }

    fn open_root(&self) -> io::Result<OwnedFd> {
        files::openat(cwd(), self.root.as_os_str(), O_RDONLY | O_DIRECTORY, 0)
    }

    /// The directory of an existing container.
    pub(crate) fn open(&self, id: &str) -> Result<Entry> {
        check_id(id)?;
        self.entry(id, self.root.join(id))
    }

    /// The ids of all containers.
    pub(crate) fn ids(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.call(|| format!("opendir({:?})", self.root))?,
        };
        let mut ids = Vec::new();
        for entry in entries {
            let name = entry
                .call(|| format!("readdir({:?})", self.root))?
                .file_name();
            ids.extend(name.into_string());
        }
        ids.sort();
        Ok(ids)
    }

    fn entry(&self, id: &str, path: PathBuf) -> Result<Entry> {
        match files::openat(
            cwd(),
            path.as_os_str(),
            O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
            0,
        ) {
            Ok(dir) => {
                expect_own(&dir, &path)?;
                Ok(Entry {
                    id: id.to_owned(),
                    path,
                    dir,
                })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(absent(id)),
            Err(error) => Err(Error::call(format!("open({path:?})"), &error)),
        }
    }
}

impl Entry {
    /// Waits until no other operation works on this container.
    pub(crate) fn lock(&self) -> Result<()> {
        files::lock_exclusive(self.dir.as_fd()).call(|| format!("flock({:?})", self.path))?;
        self.expect_still_there()
    }

    /// The same without waiting: false if another operation works on this container.
    pub(crate) fn try_lock(&self) -> Result<bool> {
        let locked = files::try_lock_exclusive(self.dir.as_fd())
            .call(|| format!("flock({:?}, LOCK_NB)", self.path))?;
        if locked {
            self.expect_still_there()?;
        }
        Ok(locked)
    }

    /// Whoever had the lock before may have deleted the container.
    fn expect_still_there(&self) -> Result<()> {
        let links = files::fstat(self.dir.as_fd())
            .call(|| format!("fstat({:?})", self.path))?
            .st_nlink;
        if links == 0 {
            return Err(absent(&self.id));
        }
        match files::stat(self.path.as_os_str()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(absent(&self.id)),
            // It may be there: a forced delete must not take this for its success.
            other => other.call(|| format!("stat({:?})", self.path)).map(drop),
        }
    }

    /// The same directory once more; the lock goes with either.
    pub(crate) fn try_clone(&self) -> Result<Self> {
        Ok(Entry {
            id: self.id.clone(),
            path: self.path.clone(),
            dir: self.dir.try_clone().call(|| "fcntl(F_DUPFD_CLOEXEC)")?,
        })
    }

    /// The id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Whether a process has this directory open, as one has that works on the container.
    pub(crate) fn is_open_in(&self, pid: i32) -> Result<bool> {
        let own = files::fstat(self.dir.as_fd()).call(|| format!("fstat({:?})", self.path))?;
        let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else {
            return Ok(false);
        };
        // A descriptor that is closed meanwhile is none.
        let same = |path: PathBuf| {
            files::stat(path.as_os_str())
                .is_ok_and(|found| (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino))
        };
        Ok(descriptors.flatten().any(|entry| same(entry.path())))
    }

    /// Whether an operation works on this container now.
    pub(crate) fn is_locked(&self) -> bool {
        files::is_locked(self.dir.as_fd())
    }

    /// Reads `state.json`; None if the container is so new that there is none.
    pub(crate) fn read(&self) -> Result<Option<Record>> {
        let Some(text) = self.read_file(STATE)? else {
            return Ok(None);
        };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| Error::new(format!("{}: {error}", self.path.join(STATE).display())))
    }

    /// Replaces `state.json`.
    pub(crate) fn write(&self, record: &Record) -> Result<()> {
        let text =
            serde_json::to_vec(record).map_err(|error| Error::new(format!("state: {error}")))?;
        self.write_file(NEW_STATE, &text)?;
        self.replace(NEW_STATE, STATE)
    }

    /// Puts one file in the place of another, if there is one.
    ///
    /// The two change places and the old one is removed: a rename that overwrites makes ext4 write
    /// the new one to the disk at once, for those who rely on that, and takes ten times as long.
    fn replace(&self, new: &str, old: &str) -> Result<()> {
        let dir = self.dir.as_fd();
        match files::exchange(dir, new.as_ref(), old.as_ref()) {
            Ok(()) => files::unlinkat(dir, new.as_ref(), 0)
                .call(|| format!("unlink({:?})", self.path.join(new))),
            // There is none, or the filesystem does not know the operation.
            Err(_) => files::renameat(dir, new.as_ref(), old.as_ref())
                .call(|| format!("rename({:?})", self.path.join(old))),
        }
    }

    /// Keeps the configuration as it was at `create`.
    pub(crate) fn write_config(&self, text: &[u8]) -> Result<()> {
        self.write_file(CONFIG, text)
    }

    /// Replaces it by one with other limits.
    pub(crate) fn replace_config(&self, text: &[u8]) -> Result<()> {
        self.write_file(NEW_CONFIG, text)?;
        self.replace(NEW_CONFIG, CONFIG)
    }

    /// The configuration as it was at `create`.
    pub(crate) fn read_config(&self) -> Result<Vec<u8>> {
        self.read_file(CONFIG)?
            .ok_or_else(|| Error::new(format!("{:?} is missing", self.path.join(CONFIG))))
    }

    /// The socket on which the container process waits for `start`.
    pub(crate) fn listen(&self) -> Result<OwnedFd> {
        let socket =
            socket::unix_socket(libc::SOCK_SEQPACKET).call(|| "socket(AF_UNIX, SOCK_SEQPACKET)")?;
        socket::listen(socket.as_fd(), self.socket_path().as_ref())
            .call(|| format!("bind({:?})", self.path.join(SOCKET)))?;
        Ok(socket)
    }

    /// Takes the socket away once nobody listens any more.
    pub(crate) fn stop_listening(&self) {
        // Whoever still finds it learns the same by asking.
        let _ = files::unlinkat(self.dir.as_fd(), SOCKET.as_ref(), 0);
    }

    /// Connects to the container process; None if it no longer waits.
    pub(crate) fn connect(&self) -> Result<Option<OwnedFd>> {
        let socket =
            socket::unix_socket(libc::SOCK_SEQPACKET).call(|| "socket(AF_UNIX, SOCK_SEQPACKET)")?;
        match socket::connect(socket.as_fd(), self.socket_path().as_ref()) {
            Ok(()) => Ok(Some(socket)),
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::ECONNREFUSED | libc::ENOENT)
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(Error::call(
                format!("connect({:?})", self.path.join(SOCKET)),
                &error,
            )),
        }
    }

    /// Whether the container process waits for `start`.
    ///
    /// It never blocks, as a connection does when the process is stopped or busy with its hooks
    /// and many have asked before: whoever has a full queue listens.
    pub(crate) fn is_waiting(&self) -> Result<bool> {
        let socket = socket::unix_socket(libc::SOCK_SEQPACKET | libc::SOCK_NONBLOCK)
            .call(|| "socket(AF_UNIX, SOCK_SEQPACKET)")?;
        match socket::connect(socket.as_fd(), self.socket_path().as_ref()) {
            Ok(()) => Ok(true),
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN) => Ok(true),
                Some(libc::ECONNREFUSED | libc::ENOENT) => Ok(false),
                _ => Err(Error::call(
                    format!("connect({:?})", self.path.join(SOCKET)),
                    &error,
                )),
            },
        }
    }

    /// What can still be read of a `state.json` that is none.
    pub(crate) fn read_damaged(&self) -> Option<Value> {
        serde_json::from_slice(&self.read_file(STATE).ok()??).ok()
    }

    /// Removes the directory with whatever is in it.
    pub(crate) fn remove_all(&self) -> Result<()> {
        fs::remove_dir_all(&self.path).call(|| format!("rm -r {:?}", self.path))
    }

    /// Removes the directory: the id is free again.
    pub(crate) fn remove(&self) -> Result<()> {
        for name in [SOCKET, CONFIG, NEW_CONFIG, NEW_STATE, STATE] {
            match files::unlinkat(self.dir.as_fd(), name.as_ref(), 0) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::call(
                        format!("unlink({:?})", self.path.join(name)),
                        &error,
                    ));
                }
                _ => {}
            }
        }
        match fs::remove_dir(&self.path) {
            // Whatever somebody has left here is of no use without the container.
            Err(error) if error.raw_os_error() == Some(libc::ENOTEMPTY) => self.remove_all(),
            other => other.call(|| format!("rmdir({:?})", self.path)),
        }
    }

    // A socket's address is short, a state root need not be: the address leads through the descriptor.
    fn socket_path(&self) -> String {
        format!("/proc/self/fd/{}/{SOCKET}", self.dir.as_raw_fd())
    }

    fn read_file(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let context = || format!("read({:?})", self.path.join(name));
        // Without O_NONBLOCK a pipe of that name would hold up every command.
        let flags = O_RDONLY | O_NOFOLLOW | libc::O_NONBLOCK;
        match files::openat(self.dir.as_fd(), OsStr::new(name), flags, 0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::call(context(), &error)),
            Ok(file) => limited_file::read(File::from(file)).map(Some).call(context),
        }
    }

    fn write_file(&self, name: &str, text: &[u8]) -> Result<()> {
        let context = || format!("write({:?})", self.path.join(name));
        let flags = O_WRONLY | O_CREAT | O_NOFOLLOW | libc::O_TRUNC;
        let file = files::openat(self.dir.as_fd(), OsStr::new(name), flags, 0o600).call(context)?;
        File::from(file).write_all(text).call(context)
    }
}

/// What a record says is executed, unmounted and removed with this user's rights, so that nobody
/// else may have written it.
fn expect_own(dir: &OwnedFd, path: &Path) -> Result<()> {
    let found = files::fstat(dir.as_fd()).call(|| format!("fstat({path:?})"))?;
    if found.st_uid == credentials::effective_uid() && found.st_mode & 0o022 == 0 {
        return Ok(());
    }
    let what = format!(
        "others could have written what is in {path:?}, of user {} and mode {:o}: look at it, and \
         remove it or make it yours alone",
        found.st_uid,
        found.st_mode & 0o7777
    );
    Err(Error::call(
        what,
        &io::Error::from_raw_os_error(libc::EPERM),
    ))
}

fn absent(id: &str) -> Error {
    // Engines know a container that has gone by these words.
    Error::new(format!("container does not exist: {id:?}"))
}

fn default_root() -> PathBuf {
    if credentials::effective_uid() != 0
        && let Some(dir) = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty())
    {
        return Path::new(&dir).join("refrun");
    }
    PathBuf::from("/run/refrun")
}

/// An id becomes a file name, so it must be one, and it must not climb. It is printed to terminals
/// and logs, where control characters would act.
pub(crate) fn check_id(id: &str) -> Result<()> {
    if id.len() > 1024 {
        return Err(Error::new("the container id is longer than 1024 bytes"));
    }
    let complaint = match id {
        "" => "is empty",
        "." | ".." => "is a directory's own name",
        _ if id.contains('/') => "contains a slash",
        _ if id.contains(char::is_control) => "contains a control character",
        _ => return Ok(()),
    };
    Err(Error::new(format!("the container id {id:?} {complaint}")))
}

/// Writes the pid as text, complete or not at all, for those who wait for the file.
pub(crate) fn write_pid_file(path: &Path, pid: i32) -> Result<()> {
    let name = path
        .file_name()
        .ok_or_else(|| Error::new(format!("pid file {path:?} has no name")))?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}", std::process::id()));
    let temporary = path.with_file_name(temporary);
    let written = files::openat(
        cwd(),
        temporary.as_os_str(),
        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
        0o644,
    )
    .and_then(|file| File::from(file).write_all(pid.to_string().as_bytes()))
    .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // Nothing half-written stays; the error below tells what happened.
        let _ = fs::remove_file(&temporary);
    }
    written.call(|| format!("write({path:?})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_file_names() {
        for bad in ["", ".", "..", "a/b", "/", "a\0", "a\n", &"x".repeat(1025)] {
            assert!(check_id(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "a.b", "...", "A_b-c+1", &"x".repeat(255)] {
            check_id(good).unwrap();
        }
    }

    #[test]
    fn an_id_is_claimed_once_and_free_after_removal() {
        let root = std::env::temp_dir().join(format!("refrun-store-{}", std::process::id()));
        let store = Store::new(Some(root.join("deep")));
        assert!(store.open("a").is_err());
        let entry = store.claim("a").unwrap();
        assert!(
            store
                .claim("a")
                .unwrap_err()
                .to_string()
                .contains("exists already")
        );
        assert!(store.open("a").unwrap().is_locked());
        assert!(entry.read().unwrap().is_none());
        assert_eq!(store.ids().unwrap(), ["a"]);
        let listener = entry.listen().unwrap();
        assert!(store.open("a").unwrap().connect().unwrap().is_some());
        drop(listener);
        assert!(store.open("a").unwrap().connect().unwrap().is_none());
        entry.remove().unwrap();
        assert!(store.ids().unwrap().is_empty());
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn a_pid_file_is_replaced_as_a_whole() {
        let path = std::env::temp_dir().join(format!("refrun-pid-{}", std::process::id()));
        write_pid_file(&path, 1).unwrap();
        write_pid_file(&path, 42).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "42");
        fs::remove_file(&path).unwrap();
        assert!(write_pid_file(Path::new("/nonexistent/x"), 1).is_err());
    }

    #[test]
    fn a_directory_that_cannot_be_looked_at_is_not_taken_for_deleted() {
        let place = std::env::temp_dir().join(format!("refrun-store-{}", std::process::id()));
        let (root, moved) = (place.join("root"), place.join("moved"));
        fs::create_dir_all(root.join("id")).unwrap();
        let entry = Store::new(Some(root.clone())).open("id").unwrap();
        fs::rename(&root, &moved).unwrap();
        let gone = entry.lock().unwrap_err();
        std::os::unix::fs::symlink(&root, &root).unwrap();
        let unknown = entry.lock().unwrap_err();
        fs::remove_dir_all(&place).unwrap();
        assert_eq!(gone.errno(), None);
        assert_eq!(unknown.errno(), Some(libc::ELOOP));
    }

    #[test]
    fn a_claim_is_not_taken_for_what_a_killed_create_left() {
        use crate::delete::{Mercy, delete};
        use std::os::unix::fs::MetadataExt;
        let root = std::env::temp_dir().join(format!("refrun-claim-{}", std::process::id()));
        let store = Store::new(Some(root.clone()));
        // The two steps of a claim, and a delete between them.
        let claim = store.open_or_make_root().unwrap();
        files::lock_shared(claim.as_fd()).unwrap();
        fs::create_dir(root.join("id")).unwrap();
        let inode = fs::metadata(&root).unwrap().ino();
        let deletes = std::thread::spawn({
            let store = store.clone();
            move || delete(&store, "id", Mercy::None)
        });
        // "1: -> FLOCK  ADVISORY  WRITE 42 fe:00:1234 0 EOF" is one who waits.
        let waits = |line: &str| line.contains("->") && line.contains(&format!(":{inode} "));
        while !deletes.is_finished()
            && !fs::read_to_string("/proc/locks")
                .unwrap()
                .lines()
                .any(waits)
        {
            std::thread::yield_now();
        }
        let entry = store.open("id").unwrap();
        entry.lock().unwrap();
        drop(claim);
        deletes.join().unwrap().unwrap_err();
        assert_eq!(store.ids().unwrap(), ["id"]);
        // Once the creator is gone it is what a killed create left.
        drop(entry);
        delete(&store, "id", Mercy::None).unwrap();
        fs::remove_dir_all(&root).unwrap();
    }
}
