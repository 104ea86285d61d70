//! The bad subjects: shell in front of the reference runtime, so that there are real containers.

use oci_conformance::results::Verdict::{self, Fail, Pass, Timeout};

/// A way to be bad.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// Shell that stands in front of the right runtime's operation. It knows `$operation`,
    /// `$runtime`, `$trial` (the trial's directory), `$bundle` and `$id`; `right` is the right
    /// runtime's answer.
    pub(crate) does: &'static str,
    /// In which operations, and what the verdict of the case that meets it must be.
    pub(crate) at: &'static [(&'static str, Verdict)],
    /// Whether it can be bad in this way as root only.
    pub(crate) root: bool,
}

/// The script's head.
pub(crate) const READS_WORDS: &str = r#"
operation= trial= bundle= id= last=
for word; do
    case $last in
    --root) trial=${word%/state} bundle=$trial/1 ;;
    --bundle) bundle=$word ;;
    esac
    case $word in
    --version | features | create | start | state | kill | delete) [ "$operation" ] || operation=$word ;;
    oct-*) id=$word ;;
    esac
    last=$word
done
right() { "$runtime" "$@"; }
"#;

/// Each call takes long, and is right.
pub(crate) const SLOW: &str = "sleep 0.7";

/// The operations of the specification, all with one verdict.
const fn all(verdict: Verdict) -> [(&'static str, Verdict); 5] {
    [
        ("create", verdict),
        ("start", verdict),
        ("state", verdict),
        ("kill", verdict),
        ("delete", verdict),
    ]
}

pub(crate) const KINDS: &[Kind] = &[
    Kind {
        name: "hangs",
        does: "exec sleep 1000",
        at: &all(Timeout),
        root: false,
    },
    Kind {
        name: "hangs where nothing is judged",
        does: "exec sleep 1000",
        at: &[("features", Timeout), ("--version", Timeout)],
        root: false,
    },
    Kind {
        name: "hangs after its work",
        does: "right \"$@\"; exec sleep 1000",
        at: &all(Timeout),
        root: false,
    },
    Kind {
        name: "hangs with children in sessions of their own",
        does: "setsid sleep 1000 & setsid setsid sleep 1000 & sleep 1000",
        at: &all(Timeout),
        root: false,
    },
    Kind {
        name: "stops itself",
        does: "kill -STOP $$",
        at: &all(Timeout),
        root: false,
    },
    Kind {
        name: "writes without end to standard output",
        does: "exec cat /dev/zero",
        at: &all(Fail),
        root: false,
    },
    Kind {
        name: "writes without end to standard error",
        does: "exec yes >&2",
        at: &all(Fail),
        root: false,
    },
    Kind {
        name: "writes without end where nothing is judged",
        does: "exec yes",
        at: &[("features", Pass), ("--version", Pass)],
        root: false,
    },
    Kind {
        name: "leaves a writer without end",
        does: "right \"$@\"; code=$?; setsid yes & exit $code",
        at: &all(Fail),
        root: false,
    },
    Kind {
        name: "is ended by SIGSEGV",
        does: "kill -SEGV $$",
        at: &all(Fail),
        root: false,
    },
    Kind {
        name: "is ended by a real-time signal",
        does: "kill -40 $$",
        at: &all(Fail),
        root: false,
    },
    Kind {
        name: "is ended by SIGKILL after its work",
        does: "right \"$@\"; kill -KILL $$",
        at: &all(Fail),
        root: false,
    },
    Kind {
        name: "is ended by a signal where nothing is judged",
        does: "kill -ABRT $$",
        at: &[("features", Pass), ("--version", Pass)],
        root: false,
    },
    Kind {
        name: "leaves processes in new sessions",
        does: "right \"$@\"; code=$?; setsid sleep 1000 </dev/null >/dev/null 2>&1 & exit $code",
        at: &all(Fail),
        root: false,
    },
    Kind {
        name: "leaves a process that holds the output open",
        does: "right \"$@\"; code=$?; sleep 1000 & exit $code",
        at: &all(Fail),
        root: false,
    },
    Kind {
        name: "leaves a hundred processes",
        does: "right \"$@\"; code=$?; i=0; while [ $i -lt 100 ]; do setsid sleep 1000 & i=$((i+1)); done; exit $code",
        at: &[("create", Fail), ("delete", Fail)],
        root: false,
    },
    Kind {
        name: "leaves processes where nothing is judged",
        does: "right \"$@\"; setsid sleep 1000 & exit",
        at: &[("features", Pass), ("--version", Pass)],
        root: false,
    },
    Kind {
        name: "removes the bundle",
        does: "rm -rf \"$bundle\"",
        at: &all(Fail),
        root: false,
    },
    Kind {
        name: "removes the bundle after its work",
        does: "right \"$@\"; code=$?; rm -rf \"$bundle\"; exit $code",
        at: &all(Fail),
        root: false,
    },
    Kind {
        name: "removes the trial's directory",
        does: "right \"$@\"; code=$?; rm -rf \"$trial\"; exit $code",
        at: &all(Fail),
        root: false,
    },
    Kind {
        name: "returns when the container has died",
        does: "right \"$@\"; code=$?; while right --root \"$trial/state\" state \"$id\" | grep -q running; do sleep 0.1; done; exit $code",
        at: &[("start", Pass)],
        root: false,
    },
    Kind {
        name: "ends the container before it returns",
        does: "right \"$@\"; right --root \"$trial/state\" kill \"$id\" KILL; exit 0",
        at: &[("create", Fail)],
        root: false,
    },
    Kind {
        name: "writes a pid file that is none",
        does: "right \"$@\"; code=$?; pid=$bundle/pid; rm -f \"$pid\"; mkfifo \"$pid\"; exit $code",
        at: &[("create", Pass)],
        root: false,
    },
    Kind {
        name: "writes a pid file without end",
        does: "right \"$@\"; code=$?; ln -sf /dev/zero \"$bundle/pid\"; exit $code",
        at: &[("create", Pass)],
        root: false,
    },
    Kind {
        name: "lays pipes where its output goes",
        does: "right \"$@\"; code=$?; for n in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 quiet; do [ -e \"$trial/steps/$n.out\" ] || mkfifo \"$trial/steps/$n.out\"; done; exit $code",
        at: &[("create", Pass), ("start", Pass)],
        root: false,
    },
    Kind {
        name: "leaves a deep tree",
        does: "right \"$@\"; code=$?; cd \"$bundle\"; d=$(seq -s/ 1000); for part in 1 2 3; do mkdir -p $d; cd -P $d; done; exit $code",
        at: &[("create", Pass)],
        root: false,
    },
    Kind {
        name: "leaves a mount of the host's in the bundle",
        does: "right \"$@\"; code=$?; mkdir -p \"$bundle/m\"; mount --bind \"$here/precious\" \"$bundle/m\" || exit 99; exit $code",
        at: &[("create", Fail), ("delete", Fail)],
        root: true,
    },
    Kind {
        name: "mounts something over the trial's directory",
        does: "right \"$@\"; code=$?; mount -t tmpfs none \"$trial\" || exit 99; exit $code",
        at: &[("create", Fail), ("delete", Fail)],
        root: true,
    },
    Kind {
        name: "leaves a cgroup of the container's elsewhere",
        does: "right \"$@\"; code=$?; for at in /sys/fs/cgroup/*/cgroup.procs /sys/fs/cgroup/cgroup.procs; do [ -e \"$at\" ] && mkdir -p \"${at%/*}/$id/inner\"; done; exit $code",
        at: &[("create", Fail), ("delete", Fail)],
        root: true,
    },
    Kind {
        name: "leaves a frozen process",
        does: FREEZES,
        at: &[("create", Fail), ("kill", Fail), ("delete", Fail)],
        root: true,
    },
    Kind {
        name: "kills all that it sees",
        // Outside of a trial's pid namespace this would end the machine's processes.
        does: "grep -q supervise /proc/1/cmdline && kill -KILL -1; kill -KILL $$",
        at: &all(Fail),
        root: true,
    },
    Kind {
        name: "sends its parent signals",
        does: "grep -q supervise /proc/1/cmdline && for signal in TERM INT HUP STOP CHLD KILL; do kill -$signal 1; done",
        at: &[
            ("create", Pass),
            ("start", Pass),
            ("state", Pass),
            ("kill", Pass),
            ("delete", Pass),
        ],
        root: true,
    },
];

/// A process in a cgroup that is frozen: on v1 not even SIGKILL ends it.
const FREEZES: &str = r#"right "$@"; code=$?
    if [ -d /sys/fs/cgroup/freezer ]; then at=/sys/fs/cgroup/freezer file=freezer.state word=FROZEN
    else at=/sys/fs/cgroup file=cgroup.freeze word=1; fi
    for own in "$at"/oci-conformance.*; do :; done
    at=$at/$id-frozen
    mkdir -p "$at" || exit 99
    setsid sleep 1000 </dev/null >/dev/null 2>&1 &
    echo $! >"$at/cgroup.procs" && echo $word >"$at/$file" || exit 99
    exit $code"#;
