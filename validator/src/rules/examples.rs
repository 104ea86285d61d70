//! What the examples of rules have in common: the rest of the document that the interesting part is
//! in, so that an example is a whole document and still shows one thing.

/// A config with this `linux` object.
macro_rules! linux {
    ($linux:literal) => {
        concat!(
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "linux": "#,
            $linux,
            "}"
        )
    };
}

/// A config with this `linux.resources` object.
macro_rules! resources {
    ($resources:literal) => {
        concat!(
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "linux": {"resources": "#,
            $resources,
            "}}"
        )
    };
}

/// A config with this `linux.seccomp` object.
macro_rules! seccomp {
    ($seccomp:literal) => {
        concat!(
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "linux": {"seccomp": "#,
            $seccomp,
            "}}"
        )
    };
}

/// A config with this `process` object.
macro_rules! process {
    ($process:literal) => {
        concat!(
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "process": "#,
            $process,
            "}"
        )
    };
}

/// A config with these members of `process` beside those that have to be there.
macro_rules! process_with {
    ($members:literal) => {
        concat!(
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "process": {"cwd": "/", "args": ["sh"], "#,
            $members,
            "}}"
        )
    };
}

/// A config with one mount.
macro_rules! mount {
    ($mount:literal) => {
        concat!(
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "mounts": ["#,
            $mount,
            "]}"
        )
    };
}

/// A config without `root` and with this `windows` object.
macro_rules! windows {
    ($windows:literal) => {
        concat!(r#"{"ociVersion": "1.3.0", "windows": "#, $windows, "}")
    };
}
