//! The one error type: where it happened (stage, JSON pointer) and what failed.
//!
//! Printed as `stage: /json/pointer: call(arguments): text of the errno`.

use std::fmt;
use std::io;

/// Why an operation failed, with the place in the lifecycle and in `config.json`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Error {
    stage: Option<&'static str>,
    pointer: Option<String>,
    message: String,
    errno: Option<i32>,
    complete: bool,
}

/// What every fallible function of the runtime returns.
pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error that no system call is behind.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Error {
            message: message.into(),
            ..Error::default()
        }
    }

    /// A failed call, quoted with its arguments.
    pub(crate) fn call(call: impl fmt::Display, error: &io::Error) -> Self {
        Error {
            message: format!("{call}: {error}"),
            errno: error.raw_os_error(),
            ..Error::default()
        }
    }

    /// Adds the property that asked for what failed. The innermost pointer stays.
    pub(crate) fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer.get_or_insert_with(|| pointer.into());
        self
    }

    /// Adds the stage of the lifecycle. The innermost stage stays.
    pub(crate) fn stage(mut self, stage: &'static str) -> Self {
        if !self.complete {
            self.stage.get_or_insert(stage);
        }
        self
    }

    /// An error that already tells its place: no stage is added.
    pub(crate) fn told(mut self) -> Self {
        self.complete = true;
        self
    }

    /// The errno of the failed call, if a call failed.
    pub(crate) fn errno(&self) -> Option<i32> {
        self.errno
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(stage) = self.stage {
            write!(f, "{stage}: ")?;
        }
        if let Some(pointer) = &self.pointer {
            write!(f, "{pointer}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// Names the call behind an `io::Result`.
pub(crate) trait CallContext<T> {
    /// `text` is evaluated only when the call failed.
    fn call<D: fmt::Display>(self, text: impl FnOnce() -> D) -> Result<T>;
}

impl<T> CallContext<T> for io::Result<T> {
    fn call<D: fmt::Display>(self, text: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|error| Error::call(text(), &error))
    }
}

/// Adds a place to the error of a `Result`.
pub(crate) trait PlaceContext<T> {
    /// See [`Error::at`].
    fn at(self, pointer: &str) -> Result<T>;
    /// See [`Error::stage`].
    fn stage(self, stage: &'static str) -> Result<T>;
}

impl<T> PlaceContext<T> for Result<T> {
    fn at(self, pointer: &str) -> Result<T> {
        self.map_err(|error| error.at(pointer))
    }

    fn stage(self, stage: &'static str) -> Result<T> {
        self.map_err(|error| error.stage(stage))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_from_the_outside_in() {
        let errno = io::Error::from_raw_os_error(libc::ENOENT);
        let error = Error::call("mount(\"/srv/x\", …)", &errno)
            .at("/mounts/3")
            .at("/mounts")
            .stage("mounts");
        assert_eq!(
            error.to_string(),
            "mounts: /mounts/3: mount(\"/srv/x\", …): No such file or directory (os error 2)"
        );
        assert_eq!(error.errno(), Some(libc::ENOENT));
    }
}
