//! The seccomp listener on its way to an agent.

mod support;

use serde_json::{Value, json};
use std::os::unix::net::UnixListener;
use std::thread;
use support::{Bundle, skipped, succeeded, sys};

/// A container whose system calls all wait for an agent, which lets them go on.
fn notified(name: &str, script: &str, rules: Value) -> (Bundle, UnixListener) {
    let bundle = Bundle::new(name, script);
    let socket = bundle.file("agent");
    let listener = UnixListener::bind(&socket).unwrap();
    let seccomp = json!({
        "defaultAction": "SCMP_ACT_NOTIFY",
        "listenerPath": socket,
        "listenerMetadata": "word",
        "syscalls": rules,
    });
    (bundle.set("/linux/seccomp", seccomp), listener)
}

#[test]
fn a_filter_that_notifies_everything_hands_its_listener_over() {
    if skipped() {
        return;
    }
    let sendmsg_alone = json!([{"names": ["sendmsg"], "action": "SCMP_ACT_ALLOW"}]);
    for (name, rules) in [("all", json!([])), ("but-one", sendmsg_alone)] {
        let (bundle, listener) = notified(name, "echo ran", rules);
        succeeded(&bundle.create());
        let pid = bundle.state()["pid"].clone();
        let agent = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let (state, listener) = sys::receive_descriptor(&stream).unwrap();
            let state: Value = serde_json::from_slice(&state).unwrap();
            (state, sys::let_go_on(&listener))
        });
        succeeded(&bundle.refrun(&["start", &bundle.id]));
        bundle.wait_for("stopped");
        let (state, calls) = agent.join().unwrap();
        assert_eq!(bundle.printed(), "ran\n", "{name}");
        assert_eq!((&state["pid"], &state["metadata"]), (&pid, &json!("word")));
        assert!(
            calls.contains(&(libc::SYS_execve as i32)),
            "{name}: {calls:?}"
        );
        // Of what the runtime did to hand it over, the agent sees nothing.
        assert!(!calls.contains(&(libc::SYS_sendmsg as i32)), "{name}");
        assert!(!calls.contains(&(libc::SYS_seccomp as i32)), "{name}");
    }
}

#[test]
fn one_more_process_has_a_listener_of_its_own() {
    if skipped() {
        return;
    }
    let (bundle, listener) = notified("exec-all", "read line < /scratch/never", json!([]));
    let pipe = json!([{"path": "/scratch/never", "type": "p"}]);
    let bundle = bundle.set("/linux/devices", pipe);
    succeeded(&bundle.create());
    let agent = thread::spawn(move || {
        let agents: Vec<_> = (0..2)
            .map(|_| {
                let (stream, _) = listener.accept().unwrap();
                let (_, listener) = sys::receive_descriptor(&stream).unwrap();
                thread::spawn(move || sys::let_go_on(&listener))
            })
            .collect();
        for agent in agents {
            agent.join().unwrap();
        }
    });
    succeeded(&bundle.refrun(&["start", &bundle.id]));
    let output = bundle.refrun(&["exec", &bundle.id, "echo", "more"]);
    succeeded(&output);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "more\n");
    succeeded(&bundle.refrun(&["delete", "--force", &bundle.id]));
    agent.join().unwrap();
}
