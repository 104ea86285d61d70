//! The suite `engine`: what container engines rely on when they call a runtime. Beyond the
//! specification.

mod configuration;
mod containers;
mod exec;
mod messages;

pub(super) use configuration::CASES as CONFIGURATION_CASES;
pub(super) use containers::CASES as CONTAINER_CASES;
pub(super) use exec::CASES as EXEC_CASES;
pub(super) use messages::CASES as MESSAGE_CASES;
