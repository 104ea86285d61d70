//! config.md, POSIX process: capabilities that cannot be granted.

use serde_json::json;

use crate::case::{Case, Need};
use crate::trial::{Refusal, Stop, Trial, When};

const UNKNOWN: &str = "CAP_NO_SUCH_CAPABILITY";
const WARNED: &str = "config.process.capabilities.unmappable-warn";
const NO_FAILURE: &str = "config.process.capabilities.no-fail";
const ERROR: &str = "config.process.capabilities.unmappable-error";

pub(super) const CASES: &[Case] = &[
    Case {
        id: "process/capabilities/an-unknown-one-is-left-out",
        judges: &[NO_FAILURE, WARNED],
        needs: &[],
        run: |trial| is_left_out(trial, UNKNOWN),
    },
    Case {
        id: "process/capabilities/one-that-cannot-be-granted-is-left-out",
        judges: &[NO_FAILURE, WARNED],
        needs: &[Need::Root, Need::SharedKernel],
        run: |trial| {
            // Capabilities of any kernel, one of which a host that confines root may hold back.
            const OLD: [&str; 5] = [
                "CAP_SYS_RESOURCE",
                "CAP_SYS_MODULE",
                "CAP_SYS_RAWIO",
                "CAP_SYS_BOOT",
                "CAP_SYS_TIME",
            ];
            let held = &trial.host().capabilities;
            let Some(name) = OLD.into_iter().find(|name| !held.contains(*name)) else {
                let need = "a capability that the harness itself lacks";
                return Err(Stop::Inapplicable(need.into()));
            };
            is_left_out(trial, name)
        },
    },
    Case {
        id: "process/capabilities/before-1.1-an-unknown-one-is-an-error",
        judges: &[ERROR],
        needs: &[],
        run: |trial| {
            let refusal = Refusal {
                error: ERROR,
                nothing: None,
                control: "config.process.capabilities.bounding.effect",
                when: When::CreateOrStart,
                what: "a capability that no kernel has",
            };
            trial.refuses(&refusal, |bundle| bundle.grant(UNKNOWN))
        },
    },
];

/// A warning changes nothing else: the program runs, with the other capabilities.
fn is_left_out(trial: &mut Trial, name: &str) -> Result<(), Stop> {
    let set = "/process/capabilities/effective";
    let others = trial.config.pointer(set).cloned();
    trial.grant(name);
    let mut exit = trial.create()?;
    let created = exit.succeeded();
    if created {
        exit = trial.start()?;
    }
    let what = format!("create and start with {name} in the sets");
    trial.expect_success(NO_FAILURE, &what, &exit)?;
    if !exit.succeeded() {
        return match created {
            true => trial.give_up(),
            false => Ok(()),
        };
    }
    trial.wait_exit()?;
    let had = trial.world()?.capabilities.effective;
    trial.expect_in(
        WARNED,
        "the effective set is that of the others",
        others,
        json!(had),
    )?;
    trial.must_delete()
}
