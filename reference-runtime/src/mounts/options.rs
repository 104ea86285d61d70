//! The option strings of the specification's table, as one table.

use crate::sys::mount::{
    MOUNT_ATTR_ATIME, MOUNT_ATTR_NOATIME, MOUNT_ATTR_NODEV, MOUNT_ATTR_NODIRATIME,
    MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOSYMFOLLOW, MOUNT_ATTR_RDONLY,
    MOUNT_ATTR_RELATIME, MOUNT_ATTR_STRICTATIME, MountAttr,
};

/// What an option string does.
#[derive(Debug, Clone, Copy)]
enum Effect {
    /// Sets an attribute of the mount, or of all mounts below it as well.
    Set(u64, Depth),
    /// Clears one.
    Clear(u64, Depth),
    /// Chooses when access times are written.
    Atime(u64, Depth),
    /// Takes such a choice back.
    NoAtime(u64, Depth),
    /// Sets or clears a flag of the superblock.
    Superblock(u64, bool),
    /// Changes the propagation type.
    Propagation(u64, Depth),
    Bind(Depth),
    Remount,
    Idmap(Depth),
    CopyUp,
    /// The default.
    Nothing,
    /// For mount(8) alone, and never for a kernel; whoever writes an fstab may leave it in.
    ForMount8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    This,
    Below,
}

use Depth::{Below, This};
use Effect::{
    Atime, Bind, Clear, CopyUp, ForMount8, Idmap, NoAtime, Nothing, Propagation, Remount, Set,
    Superblock,
};

/// Every option that the runtime implements and that is not the filesystem's own.
const TABLE: &[(&str, Effect)] = &[
    ("_netdev", ForMount8),
    ("async", Superblock(libc::MS_SYNCHRONOUS, false)),
    ("atime", NoAtime(MOUNT_ATTR_NOATIME, This)),
    ("auto", ForMount8),
    ("bind", Bind(This)),
    ("defaults", Nothing),
    ("dev", Clear(MOUNT_ATTR_NODEV, This)),
    ("diratime", Clear(MOUNT_ATTR_NODIRATIME, This)),
    ("dirsync", Superblock(libc::MS_DIRSYNC, true)),
    ("exec", Clear(MOUNT_ATTR_NOEXEC, This)),
    ("group", Set(OWNED, This)),
    ("idmap", Idmap(This)),
    ("iversion", Superblock(libc::MS_I_VERSION, true)),
    ("lazytime", Superblock(MS_LAZYTIME, true)),
    ("loud", Superblock(libc::MS_SILENT, false)),
    ("mand", Superblock(libc::MS_MANDLOCK, true)),
    ("noatime", Atime(MOUNT_ATTR_NOATIME, This)),
    ("noauto", ForMount8),
    ("nodev", Set(MOUNT_ATTR_NODEV, This)),
    ("nodiratime", Set(MOUNT_ATTR_NODIRATIME, This)),
    ("noexec", Set(MOUNT_ATTR_NOEXEC, This)),
    ("nofail", ForMount8),
    ("nogroup", ForMount8),
    ("noiversion", Superblock(libc::MS_I_VERSION, false)),
    ("nolazytime", Superblock(MS_LAZYTIME, false)),
    ("nomand", Superblock(libc::MS_MANDLOCK, false)),
    ("noowner", ForMount8),
    ("norelatime", NoAtime(MOUNT_ATTR_RELATIME, This)),
    ("nostrictatime", NoAtime(MOUNT_ATTR_STRICTATIME, This)),
    ("nosuid", Set(MOUNT_ATTR_NOSUID, This)),
    ("nosymfollow", Set(MOUNT_ATTR_NOSYMFOLLOW, This)),
    ("nouser", ForMount8),
    ("nousers", ForMount8),
    ("owner", Set(OWNED, This)),
    ("private", Propagation(libc::MS_PRIVATE, This)),
    ("ratime", NoAtime(MOUNT_ATTR_NOATIME, Below)),
    ("rbind", Bind(Below)),
    ("rdev", Clear(MOUNT_ATTR_NODEV, Below)),
    ("rdiratime", Clear(MOUNT_ATTR_NODIRATIME, Below)),
    ("relatime", Atime(MOUNT_ATTR_RELATIME, This)),
    ("remount", Remount),
    ("rexec", Clear(MOUNT_ATTR_NOEXEC, Below)),
    ("ridmap", Idmap(Below)),
    ("rnoatime", Atime(MOUNT_ATTR_NOATIME, Below)),
    ("rnodev", Set(MOUNT_ATTR_NODEV, Below)),
    ("rnodiratime", Set(MOUNT_ATTR_NODIRATIME, Below)),
    ("rnoexec", Set(MOUNT_ATTR_NOEXEC, Below)),
    ("rnorelatime", NoAtime(MOUNT_ATTR_RELATIME, Below)),
    ("rnostrictatime", NoAtime(MOUNT_ATTR_STRICTATIME, Below)),
    ("rnosuid", Set(MOUNT_ATTR_NOSUID, Below)),
    ("rnosymfollow", Set(MOUNT_ATTR_NOSYMFOLLOW, Below)),
    ("ro", Set(MOUNT_ATTR_RDONLY, This)),
    ("rprivate", Propagation(libc::MS_PRIVATE, Below)),
    ("rrelatime", Atime(MOUNT_ATTR_RELATIME, Below)),
    ("rro", Set(MOUNT_ATTR_RDONLY, Below)),
    ("rrw", Clear(MOUNT_ATTR_RDONLY, Below)),
    ("rshared", Propagation(libc::MS_SHARED, Below)),
    ("rslave", Propagation(libc::MS_SLAVE, Below)),
    ("rstrictatime", Atime(MOUNT_ATTR_STRICTATIME, Below)),
    ("rsuid", Clear(MOUNT_ATTR_NOSUID, Below)),
    ("rsymfollow", Clear(MOUNT_ATTR_NOSYMFOLLOW, Below)),
    ("runbindable", Propagation(libc::MS_UNBINDABLE, Below)),
    ("rw", Clear(MOUNT_ATTR_RDONLY, This)),
    ("shared", Propagation(libc::MS_SHARED, This)),
    ("silent", Superblock(libc::MS_SILENT, true)),
    ("slave", Propagation(libc::MS_SLAVE, This)),
    ("strictatime", Atime(MOUNT_ATTR_STRICTATIME, This)),
    ("suid", Clear(MOUNT_ATTR_NOSUID, This)),
    ("symfollow", Clear(MOUNT_ATTR_NOSYMFOLLOW, This)),
    ("sync", Superblock(libc::MS_SYNCHRONOUS, true)),
    ("tmpcopyup", CopyUp),
    ("unbindable", Propagation(libc::MS_UNBINDABLE, This)),
    ("user", Set(OWNED | MOUNT_ATTR_NOEXEC, This)),
    ("users", Set(OWNED | MOUNT_ATTR_NOEXEC, This)),
];

/// What mount(8) takes an option that lets others than root mount to imply, unless options behind
/// it say else.
const OWNED: u64 = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

/// libc has it for glibc only.
const MS_LAZYTIME: u64 = 1 << 25;

/// The names in the table, for `features`.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, _)| *name)
}

/// The options of one mount.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Attributes of the mount itself.
    pub(crate) this: Attributes,
    /// Attributes of the mount and all mounts below it.
    pub(crate) below: Attributes,
    /// Superblock flags, as mount(2) has them.
    pub(crate) superblock: u64,
    /// Superblock flags that were named, set or cleared.
    pub(crate) superblock_named: u64,
    /// Propagation changes in their order, and whether each goes below.
    pub(crate) propagation: Vec<(u64, bool)>,
    /// A bind mount, and whether it takes the mounts below its source along.
    pub(crate) bind: Option<bool>,
    pub(crate) remount: bool,
    /// An idmapped mount, and whether the mounts below it are.
    pub(crate) idmap: Option<bool>,
    pub(crate) copy_up: bool,
    /// What only the filesystem understands.
    pub(crate) data: Vec<String>,
}

/// Attributes to set and to clear.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) set: u64,
    pub(crate) clear: u64,
    /// When access times are written: one value of the field, not a flag.
    pub(crate) atime: Option<u64>,
}

impl Options {
    /// Reads the strings; the last one that is about the same thing counts.
    pub(crate) fn parse<'a>(strings: impl IntoIterator<Item = &'a str>) -> Self {
        let mut options = Options::default();
        for string in strings {
            match TABLE.iter().find(|(name, _)| *name == string) {
                Some((_, effect)) => options.apply(*effect),
                None if string.starts_with("x-")
                    || string.starts_with("X-")
                    || string.is_empty() => {}
                None => options.data.push(string.to_owned()),
            }
        }
        options
    }

    /// The attributes of the mount itself, if any is named, as mount_setattr(2) wants them.
    pub(crate) fn attr(&self) -> MountAttr {
        self.this.attr()
    }

    /// The options as a mount(8) line would have them, for messages.
    pub(crate) fn text(&self) -> String {
        format!("{:?}", self.data.join(","))
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Set(flag, depth) => {
                let attributes = self.at(depth);
                attributes.set |= flag;
                attributes.clear &= !flag;
            }
            Clear(flag, depth) => {
                let attributes = self.at(depth);
                attributes.set &= !flag;
                attributes.clear |= flag;
            }
            Atime(value, depth) => self.at(depth).atime = Some(value),
            // What remains is the kernel's default, which is relatime.
            NoAtime(value, depth) => {
                let attributes = self.at(depth);
                if value == MOUNT_ATTR_RELATIME {
                    attributes.atime = attributes.atime.filter(|&atime| atime != value);
                } else if attributes.atime.is_none_or(|atime| atime == value) {
                    attributes.atime = Some(MOUNT_ATTR_RELATIME);
                }
            }
            Superblock(flag, set) => {
                self.superblock_named |= flag;
                if set {
                    self.superblock |= flag;
                } else {
                    self.superblock &= !flag;
                }
            }
            Propagation(kind, depth) => self.propagation.push((kind, depth == Below)),
            Bind(depth) => self.bind = Some(depth == Below),
            Remount => self.remount = true,
            Idmap(depth) => self.idmap = Some(depth == Below),
            CopyUp => self.copy_up = true,
            Nothing | ForMount8 => {}
        }
    }

    fn at(&mut self, depth: Depth) -> &mut Attributes {
        match depth {
            This => &mut self.this,
            Below => &mut self.below,
        }
    }
}

impl Attributes {
    /// Whether no attribute is named.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Attributes::default()
    }

    /// For mount_setattr(2): the field of access times is cleared as a whole before it is set.
    pub(crate) fn attr(&self) -> MountAttr {
        let mut attr = MountAttr {
            set: self.set,
            clear: self.clear,
            ..MountAttr::default()
        };
        if let Some(atime) = self.atime {
            attr.set |= atime;
            attr.clear |= MOUNT_ATTR_ATIME;
        }
        attr
    }

    /// For mount(2).
    pub(crate) fn flags(&self) -> u64 {
        let pairs = [
            (MOUNT_ATTR_RDONLY, libc::MS_RDONLY),
            (MOUNT_ATTR_NOSUID, libc::MS_NOSUID),
            (MOUNT_ATTR_NODEV, libc::MS_NODEV),
            (MOUNT_ATTR_NOEXEC, libc::MS_NOEXEC),
            (MOUNT_ATTR_NODIRATIME, libc::MS_NODIRATIME),
            (MOUNT_ATTR_NOSYMFOLLOW, 256),
        ];
        let flags = pairs
            .iter()
            .filter(|(attribute, _)| self.set & attribute != 0)
            .fold(0, |all, (_, flag)| all | flag);
        flags
            | match self.atime {
                Some(MOUNT_ATTR_NOATIME) => libc::MS_NOATIME,
                Some(MOUNT_ATTR_STRICTATIME) => libc::MS_STRICTATIME,
                Some(_) => libc::MS_RELATIME,
                None => 0,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_unique() {
        let names: Vec<&str> = names().collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }

    #[test]
    fn the_last_option_counts() {
        let options = Options::parse(["ro", "nosuid", "rw", "noatime", "strictatime"]);
        assert_eq!(options.this.set, MOUNT_ATTR_NOSUID);
        assert_eq!(options.this.clear, MOUNT_ATTR_RDONLY);
        assert_eq!(
            options.attr().set & MOUNT_ATTR_ATIME,
            MOUNT_ATTR_STRICTATIME
        );
        assert_eq!(options.attr().clear & MOUNT_ATTR_ATIME, MOUNT_ATTR_ATIME);
        assert_eq!(
            Options::parse(["noatime", "atime"]).this.atime,
            Some(MOUNT_ATTR_RELATIME)
        );
        assert_eq!(
            Options::parse(["strictatime", "atime"]).this.atime,
            Some(MOUNT_ATTR_STRICTATIME)
        );
    }

    #[test]
    fn recursive_options_stay_apart() {
        let options = Options::parse(["rro", "rnosuid", "exec", "rslave", "private", "rbind"]);
        assert_eq!(options.below.set, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
        assert_eq!(options.this.clear, MOUNT_ATTR_NOEXEC);
        assert_eq!(
            options.propagation,
            [(libc::MS_SLAVE, true), (libc::MS_PRIVATE, false)]
        );
        assert_eq!(options.bind, Some(true));
    }

    #[test]
    fn unknown_options_are_the_filesystems_own() {
        let options = Options::parse([
            "size=1k",
            "defaults",
            "nofail",
            "x-systemd.automount",
            "mode=755",
        ]);
        assert_eq!(options.data, ["size=1k", "mode=755"]);
    }

    #[test]
    fn options_that_let_others_mount_imply_what_mount_8_says() {
        let options = Options::parse(["user", "exec"]);
        assert_eq!(options.this.set, OWNED);
        assert_eq!(options.this.clear, MOUNT_ATTR_NOEXEC);
        assert_eq!(Options::parse(["group"]).this.set, OWNED);
        assert!(Options::parse(["nouser"]).data.is_empty());
    }

    #[test]
    fn mount_2_has_the_same_flags() {
        let flags = Options::parse(["ro", "nosuid", "noexec", "noatime"])
            .this
            .flags();
        assert_eq!(
            flags,
            libc::MS_RDONLY | libc::MS_NOSUID | libc::MS_NOEXEC | libc::MS_NOATIME
        );
    }
}
