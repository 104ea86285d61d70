//! The options that mount_setattr(2) applies to a whole tree: seen at the mount and at the one
//! below it.

use nix::mount::MsFlags;

use super::{ALL, Row, Sign, What, row};
use crate::case::{Case, Need};
use crate::cases::mounts::source::NOSYMFOLLOW;

const NEEDS: &[Need] = &[Need::Root, Need::Kernel(5, 12)];
/// `MOUNT_ATTR_NOSYMFOLLOW` came later than the call.
const NEEDS_NOSYMFOLLOW: &[Need] = &[Need::Root, Need::Kernel(5, 14)];

const NONE: MsFlags = MsFlags::empty();

pub(in crate::cases) const CASES: &[Case] = &[
    row!(
        "rro",
        "holds-below-too",
        NEEDS,
        whole(NONE, &["rbind", "rro"], &[Sign::Has("ro")])
    ),
    row!(
        "rrw",
        "holds-below-too",
        NEEDS,
        whole(
            MsFlags::MS_RDONLY,
            &["rbind", "ro", "rrw"],
            &[Sign::Not("ro"),]
        )
    ),
    row!(
        "rnosuid",
        "holds-below-too",
        NEEDS,
        whole(NONE, &["rbind", "rnosuid"], &[Sign::Has("nosuid")])
    ),
    row!(
        "rsuid",
        "holds-below-too",
        NEEDS,
        whole(
            MsFlags::MS_NOSUID,
            &["rbind", "nosuid", "rsuid"],
            &[Sign::Not("nosuid"),]
        )
    ),
    row!(
        "rdev",
        "holds-below-too",
        NEEDS,
        whole(
            MsFlags::MS_NODEV,
            &["rbind", "nodev", "rdev"],
            &[Sign::Not("nodev"),]
        )
    ),
    row!(
        "rnoexec",
        "holds-below-too",
        NEEDS,
        whole(NONE, &["rbind", "rnoexec"], &[Sign::Has("noexec")])
    ),
    row!(
        "rexec",
        "holds-below-too",
        NEEDS,
        whole(
            MsFlags::MS_NOEXEC,
            &["rbind", "noexec", "rexec"],
            &[Sign::Not("noexec"),]
        )
    ),
    row!(
        "rnoatime",
        "holds-below-too",
        NEEDS,
        whole(NONE, &["rbind", "rnoatime"], &[Sign::Has("noatime"),])
    ),
    row!(
        "ratime",
        "holds-below-too",
        NEEDS,
        whole(
            MsFlags::MS_NOATIME,
            &["rbind", "ratime"],
            &[Sign::Not("noatime"),]
        )
    ),
    row!(
        "rnodiratime",
        "holds-below-too",
        NEEDS,
        whole(NONE, &["rbind", "rnodiratime"], &[Sign::Has("nodiratime"),])
    ),
    row!(
        "rdiratime",
        "holds-below-too",
        NEEDS,
        whole(
            MsFlags::MS_NODIRATIME,
            &["rbind", "rdiratime"],
            &[Sign::Not("nodiratime"),]
        )
    ),
    row!(
        "rrelatime",
        "holds-below-too",
        NEEDS,
        whole(
            MsFlags::MS_NOATIME,
            &["rbind", "rrelatime"],
            &[Sign::Has("relatime"), Sign::Not("noatime"),]
        )
    ),
    // What is left when relatime is taken away is the kernel's choice.
    row!(
        "rnorelatime",
        "is-no-noatime",
        NEEDS,
        whole(NONE, &["rbind", "rnorelatime"], &[Sign::Not("noatime"),])
    ),
    row!(
        "rstrictatime",
        "holds-below-too",
        NEEDS,
        whole(
            NONE,
            &["rbind", "rstrictatime"],
            &[Sign::Not("relatime"), Sign::Not("noatime"),]
        )
    ),
    row!(
        "rnostrictatime",
        "holds-below-too",
        NEEDS,
        whole(
            MsFlags::MS_STRICTATIME,
            &["rbind", "rnostrictatime"],
            &[Sign::Has("relatime")],
        )
    ),
    row!(
        "rnosymfollow",
        "holds-below-too",
        NEEDS_NOSYMFOLLOW,
        whole(
            NONE,
            &["rbind", "rnosymfollow"],
            &[Sign::Has("nosymfollow"),]
        )
    ),
    row!(
        "rsymfollow",
        "holds-below-too",
        NEEDS_NOSYMFOLLOW,
        whole(
            NOSYMFOLLOW,
            &["rbind", "rsymfollow"],
            &[Sign::Not("nosymfollow"),]
        )
    ),
];

/// A tree whose inner mount has these flags.
const fn whole(flags: MsFlags, options: &'static [&'static str], signs: &'static [Sign]) -> Row {
    Row {
        what: What::Tree(flags),
        options,
        points: ALL,
        signs,
    }
}
