//! The runtime's own file, which whoever can write to it on the host controls.

use crate::attacker::all_capabilities;
use crate::processes::{Way, observe};
use crate::support::skipped;
use std::fs;

/// CVE-2019-5736: `/proc/PID/exe` of the runtime, `#!/proc/self/exe` included, led to the host's
/// binary, which could be written as soon as nobody executed it any more.
#[test]
fn the_runtime_cannot_be_overwritten_from_a_container() {
    if skipped() {
        return;
    }
    let original = fs::read(env!("CARGO_BIN_EXE_refrun")).unwrap();
    for script in ["#!/bin/true\n", "#!/proc/self/exe --version\n"] {
        for way in [Way::Exec, Way::Create] {
            let (told, runtime) = observe(way, all_capabilities(), script);
            let found = fs::read(&runtime).unwrap();
            fs::remove_file(runtime).unwrap();
            // Tried while it runs and afterwards, each time before and after the remount.
            let tries = |line: &&String| line.starts_with("write ");
            assert_eq!(told.iter().filter(tries).count(), 4, "{way:?} {told:?}");
            for line in told.iter().filter(tries) {
                assert!(line.starts_with("write Err("), "{way:?} {told:?}");
            }
            assert!(found == original, "{way:?} {script:?} {told:?}");
        }
    }
}
