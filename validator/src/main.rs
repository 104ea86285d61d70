//! `oci-validate`: checks documents of the OCI Runtime Specification.

use std::process::ExitCode;

fn main() -> ExitCode {
    oci_validator::cli::main()
}
