//! Sockets that a service manager has opened for the program: the runtime hands
//! them on as sd_listen_fds(3) describes, before what --preserve-fds names.

use serde_json::{Value, json};
use std::env;

const COUNT: &str = "LISTEN_FDS";
const PID: &str = "LISTEN_PID";

/// How many there are from descriptor 3 on.
pub(crate) fn received() -> u32 {
    let text = |name| env::var(name).unwrap_or_default();
    count(&text(PID), &text(COUNT), std::process::id())
}

/// The variables may be meant for another process, which has inherited them to this one.
fn count(pid: &str, count: &str, own: u32) -> u32 {
    if pid.parse() != Ok(own) {
        return 0;
    }
    count
        .parse()
        .ok()
        .filter(|&count| count < 1 << 20)
        .unwrap_or(0)
}

/// Tells the program of a `process` document, which is the first of its pid namespace as a rule.
pub(crate) fn tell(process: &mut Value, count: u32) {
    if count == 0 {
        return;
    }
    let Some(members) = process.as_object_mut() else {
        return;
    };
    let env = members.entry("env").or_insert_with(|| json!([]));
    if let Some(list) = env.as_array_mut() {
        list.retain(|entry| {
            let name = entry.as_str().and_then(|entry| entry.split('=').next());
            !matches!(name, Some(COUNT | PID))
        });
        list.extend([json!(format!("{COUNT}={count}")), json!(format!("{PID}=1"))]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_meant_for_this_process_is_handed_on() {
        assert_eq!(count("7", "2", 7), 2);
        for (pid, number) in [
            ("8", "2"),
            ("", "2"),
            ("7", ""),
            ("7", "-1"),
            ("7", "99999999999"),
        ] {
            assert_eq!(count(pid, number, 7), 0, "{pid:?} {number:?}");
        }
        let mut process = json!({"env": ["A=b", "LISTEN_FDS=9"]});
        tell(&mut process, 2);
        assert_eq!(
            process["env"],
            json!(["A=b", "LISTEN_FDS=2", "LISTEN_PID=1"])
        );
        let mut none = json!({});
        tell(&mut none, 0);
        assert_eq!(none, json!({}));
    }
}
