//! The operations of the specification, on containers of the host's own programs.

mod support;

use serde_json::json;
use std::fs;
use support::{Bundle, failed, skipped, succeeded};

#[test]
fn a_container_lives_and_leaves_nothing() {
    if skipped() {
        return;
    }
    let bundle = Bundle::endless("life").set("/annotations", json!({"com.example.key": "value"}));
    succeeded(&bundle.create());
    let state = bundle.state();
    assert_eq!(state["status"], "created");
    assert_eq!(state["ociVersion"], "1.3.0");
    assert_eq!(state["annotations"], json!({"com.example.key": "value"}));
    assert_eq!(state["bundle"], bundle.path().to_str().unwrap());
    let pid = state["pid"].as_i64().unwrap();
    assert!(fs::metadata(format!("/proc/{pid}")).is_ok());

    assert!(failed(&bundle.create()).contains("exists already"));
    assert!(failed(&bundle.refrun(&["delete", &bundle.id])).contains("created and not stopped"));
    assert_eq!(bundle.state()["status"], "created");

    succeeded(&bundle.refrun(&["start", &bundle.id]));
    assert_eq!(bundle.state()["status"], "running");
    assert_eq!(bundle.state()["pid"], pid);
    assert!(failed(&bundle.refrun(&["start", &bundle.id])).contains("running and not created"));
    assert!(failed(&bundle.refrun(&["delete", &bundle.id])).contains("running and not stopped"));

    succeeded(&bundle.refrun(&["kill", &bundle.id, "KILL"]));
    bundle.wait_for("stopped");
    assert!(bundle.state().get("pid").is_none());
    assert!(
        failed(&bundle.refrun(&["kill", &bundle.id, "TERM"]))
            .contains("container not running: it is stopped")
    );
    assert!(failed(&bundle.refrun(&["start", &bundle.id])).contains("stopped and not created"));
    succeeded(&bundle.refrun(&["delete", &bundle.id]));
    assert!(failed(&bundle.refrun(&["state", &bundle.id])).contains("does not exist"));
    assert_eq!(bundle.remains(), Vec::<String>::new());
}

#[test]
fn a_created_container_can_be_stopped_by_a_signal() {
    if skipped() {
        return;
    }
    let bundle = Bundle::endless("term");
    succeeded(&bundle.create());
    succeeded(&bundle.refrun(&["kill", &bundle.id]));
    bundle.wait_for("stopped");
    succeeded(&bundle.refrun(&["delete", &bundle.id]));
}

#[test]
fn engines_delete_what_was_never_started() {
    if skipped() {
        return;
    }
    let bundle = Bundle::endless("engine");
    succeeded(&bundle.create());
    succeeded(&bundle.refrun(&["--engine", "delete", &bundle.id]));
    assert_eq!(bundle.remains(), Vec::<String>::new());
    succeeded(&bundle.refrun(&["delete", "--force", &bundle.id]));
}

#[test]
fn the_configuration_is_frozen_at_create() {
    if skipped() {
        return;
    }
    let bundle = Bundle::new("frozen", "echo first");
    succeeded(&bundle.create());
    fs::write(bundle.path().join("config.json"), "no longer JSON").unwrap();
    succeeded(&bundle.refrun(&["start", &bundle.id]));
    bundle.wait_for("stopped");
    assert_eq!(bundle.printed(), "first\n");
}

#[test]
fn without_a_process_there_is_nothing_to_start() {
    if skipped() {
        return;
    }
    let bundle = Bundle::endless("processless").without("process");
    succeeded(&bundle.create());
    assert!(failed(&bundle.refrun(&["start", &bundle.id])).contains("/process: is required"));
    assert_eq!(bundle.state()["status"], "created");
}

#[test]
fn a_missing_program_leaves_the_container_created() {
    if skipped() {
        return;
    }
    let bundle = Bundle::new("missing", "").set("/process/args", json!(["no-such-program"]));
    succeeded(&bundle.create());
    let error = failed(&bundle.refrun(&["start", &bundle.id]));
    assert!(
        error.contains("/process/args: execvp(\"no-such-program\"): No such file"),
        "{error}"
    );
    assert_eq!(bundle.state()["status"], "created");
}

#[test]
fn a_create_that_fails_leaves_nothing() {
    if skipped() {
        return;
    }
    let device = json!({"path": "/scratch", "type": "c", "major": 1, "minor": 3});
    let cases = [
        (
            "/mounts/-",
            json!({"destination": "/x", "source": "/no-such-source", "options": ["bind"]}),
            "no-such-source",
        ),
        (
            "/mounts/-",
            json!({"destination": "/scratch", "type": "tmpfs", "options": ["nonsense=1"]}),
            "nonsense",
        ),
        (
            "/mounts/-",
            json!({"destination": "/scratch", "type": "no-such-type"}),
            "no-such-type",
        ),
        (
            "/linux/devices",
            json!([device]),
            "exists and is another file",
        ),
        (
            "/linux/sysctl",
            json!({"kernel.panic": "1"}),
            "belongs to no namespace",
        ),
        ("/linux/sysctl", json!({"net.no.such": "1"}), "No such file"),
        (
            "/linux/namespaces/0/path",
            json!("/proc/self/ns/uts"),
            "/linux/namespaces/0/path",
        ),
        ("/process/cwd", json!("/no-such-directory"), "/process/cwd"),
        (
            "/process/apparmorProfile",
            json!("no-such-profile"),
            "/process/apparmorProfile",
        ),
        (
            "/linux/rootfsPropagation",
            json!("sideways"),
            "/linux/rootfsPropagation",
        ),
        (
            "/linux/personality",
            json!({"domain": "BSD"}),
            "/linux/personality/domain",
        ),
        (
            "/linux/resources",
            json!({"unified": {"no_such.max": "1"}}),
            "/linux/resources/unified",
        ),
        ("/linux/cgroupsPath", json!("/a/../b"), "/linux/cgroupsPath"),
        (
            "/linux/mountLabel",
            json!("system_u:object_r:container_file_t:s0"),
            "/linux/mountLabel: SELinux is not enabled",
        ),
        ("/ociVersion", json!("2.0.0"), "/ociVersion"),
        (
            "/hooks/prestart",
            json!([{"path": "/no-such-hook"}]),
            "no-such-hook",
        ),
    ];
    for (index, (pointer, value, complaint)) in cases.into_iter().enumerate() {
        if pointer == "/linux/mountLabel" && fs::exists("/sys/fs/selinux/enforce").unwrap() {
            continue;
        }
        let bundle = Bundle::new(&format!("fails-{index}"), "").set(pointer, value);
        let error = failed(&bundle.create());
        assert!(error.contains(complaint), "{pointer}: {error}");
        assert_eq!(bundle.remains(), Vec::<String>::new(), "{pointer}");
    }
}

#[test]
fn ids_that_are_no_names_are_refused() {
    let bundle = Bundle::new("ids", "");
    for id in ["", ".", "..", "a/b", "/", &"x".repeat(1025)] {
        for command in ["create", "start", "state", "delete"] {
            assert!(
                failed(&bundle.refrun(&[command, id])).contains("container id"),
                "{command} {id:?}"
            );
        }
    }
}

#[test]
fn hooks_run_in_order_with_the_state_and_in_their_namespaces() {
    if skipped() {
        return;
    }
    let bundle = Bundle::new("hooks", "echo program >> /scratch/log");
    let log = bundle.path().join("rootfs/scratch/log");
    let hook = |name: &str, log: &str| {
        let script = format!(
            "read state; echo \"{name} $state\" >> {log}; readlink /proc/self/ns/uts >> {log}"
        );
        json!([{"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"]}])
    };
    let outside = log.to_str().unwrap().to_owned();
    let mut bundle = bundle;
    for name in [
        "prestart",
        "createRuntime",
        "createContainer",
        "poststart",
        "poststop",
    ] {
        bundle = bundle.set(&format!("/hooks/{name}"), hook(name, &outside));
    }
    let bundle = bundle.set(
        "/hooks/startContainer",
        hook("startContainer", "/scratch/log"),
    );
    bundle.run();
    let own = fs::read_link("/proc/self/ns/uts")
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| *line != "program").collect();
    let expected = [
        ("prestart", "creating", true),
        ("createRuntime", "creating", true),
        ("createContainer", "creating", false),
        ("startContainer", "created", false),
        ("poststart", "running", true),
        ("poststop", "stopped", true),
    ];
    assert_eq!(lines.len(), 2 * expected.len(), "{text}");
    for (pair, (name, status, outside)) in lines.chunks(2).zip(expected) {
        let (found, state) = pair[0].split_once(' ').unwrap();
        assert_eq!(found, name, "{text}");
        let state: serde_json::Value = serde_json::from_str(state).unwrap();
        assert_eq!(state["status"], status, "{name}");
        assert_eq!(state["id"], bundle.id.as_str());
        assert_eq!(pair[1] == own, outside, "{name}");
        if status != "stopped" {
            assert_eq!(
                state["pid"] == 1,
                !outside,
                "{name}: the pid is as its namespace sees it"
            );
        }
    }
}

#[test]
fn a_hook_that_fails_ends_the_container_and_poststop_does_not() {
    if skipped() {
        return;
    }
    let fail = json!([{"path": "/bin/false"}]);
    for (name, at_create) in [
        ("prestart", true),
        ("createRuntime", true),
        ("createContainer", true),
        ("startContainer", false),
        ("poststart", false),
    ] {
        let bundle =
            Bundle::endless(&format!("fail-{name}")).set(&format!("/hooks/{name}"), fail.clone());
        let marker = bundle.file("poststop");
        let touch =
            json!([{"path": "/bin/false"}, {"path": "/usr/bin/touch", "args": ["touch", marker]}]);
        let bundle = bundle.set("/hooks/poststop", touch);
        let error = if at_create {
            failed(&bundle.create())
        } else {
            succeeded(&bundle.create());
            failed(&bundle.refrun(&["start", &bundle.id]))
        };
        assert!(
            error.contains(&format!("/hooks/{name}/0")),
            "{name}: {error}"
        );
        assert!(
            failed(&bundle.refrun(&["state", &bundle.id])).contains("does not exist"),
            "{name}"
        );
        assert!(
            marker.exists(),
            "{name}: the poststop hooks run, also after one that fails"
        );
        assert_eq!(bundle.remains(), Vec::<String>::new(), "{name}");
    }
}
