//! The execution domain, and the memory policy.

use serde_json::json;

use crate::case::{Case, Need};
use crate::trial::{Stop, Trial};

const LINUX: &str = "config-linux.personality.LINUX.effect";
const LINUX32: &str = "config-linux.personality.LINUX32.effect";
const POLICY: &str = "config-linux.memoryPolicy.effect";

/// PER_MASK of personality(2): the domain without its flags.
const DOMAIN: u64 = 0xff;
/// PER_LINUX32.
const PER_LINUX32: u64 = 8;

pub(super) const CASES: &[Case] = &[
    Case {
        id: "personality/linux32-shows-a-32-bit-machine",
        judges: &[LINUX32],
        needs: &[],
        run: linux32,
    },
    Case {
        id: "personality/linux-is-the-native-domain",
        judges: &[LINUX],
        needs: &[],
        run: |trial| {
            trial.set("/linux/personality/domain", "LINUX");
            let world = trial.observe()?;
            // A kernel without personality(2) tells by uname(2) alone.
            if let Some(value) = world.personality {
                trial.expect(LINUX, 0, value & DOMAIN)?;
            }
            let machine = trial.host().machine.clone();
            trial.expect_in(LINUX, "uname -m", machine, world.uname.get("machine"))
        },
    },
    Case {
        id: "memory-policy/mode-nodes-and-flags-are-in-force",
        judges: &[POLICY],
        needs: &[Need::Path("/sys/devices/system/node/node0")],
        run: |trial| {
            let policy = json!({
                "mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]
            });
            trial.set("/linux/memoryPolicy", policy);
            let world = trial.observe()?;
            let expected = json!({
                "mode": "MPOL_INTERLEAVE", "nodes": [0], "flags": ["MPOL_F_STATIC_NODES"]
            });
            trial.expect(POLICY, expected, world.memory_policy)
        },
    },
];

fn linux32(trial: &mut Trial) -> Result<(), Stop> {
    trial.set("/linux/personality/domain", "LINUX32");
    let world = trial.observe()?;
    if let Some(value) = world.personality {
        trial.expect(LINUX32, PER_LINUX32, value & DOMAIN)?;
    }
    // What a kernel shows elsewhere depends on whether it was built with 32-bit support.
    let machine = world.uname.get("machine").cloned().unwrap_or_default();
    if trial.host().machine == "x86_64" {
        let holds = matches!(machine.as_str(), "i386" | "i486" | "i586" | "i686");
        trial.expect_that(
            LINUX32,
            holds,
            "uname -m says a 32-bit machine, such as i686",
            machine,
        )?;
    }
    Ok(())
}
