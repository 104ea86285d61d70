//! `oci-conformance`: judges OCI container runtimes clause by clause, with evidence.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else, while there is one thread: a supervisor forks.
    oci_conformance::supervisor::run_if_asked();
    oci_conformance::cli::run()
}
