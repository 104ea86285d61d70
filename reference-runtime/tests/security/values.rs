//! Values that no container has: they are refused by name, before anything is made, and never take
//! the runtime down with them.

use crate::support::{Bundle, failed, skipped};
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

/// A configuration with one value that is not to be, as it stands in its text.
fn refused(name: &str, pointer: &str, value: &Value) {
    let bundle = Bundle::new(name, "true").set(pointer, value.clone());
    let began = Instant::now();
    let said = failed(&bundle.create());
    // Nor do they take the host's memory and time.
    assert!(began.elapsed() < Duration::from_secs(20), "{pointer}");
    let shown = &value.to_string()[..value.to_string().len().min(100)];
    assert!(
        !said.contains("panicked") && said.contains("error"),
        "{pointer} {shown}: {said}"
    );
    assert_eq!(bundle.remains(), Vec::<String>::new(), "{pointer} {shown}");
}

/// No single CVE: what is odd is refused before a kernel, a helper or a loop of the runtime's own has
/// to make sense of it. A namespace is of its type, a map does not overflow, a number is in range.
#[test]
fn odd_namespaces_and_mappings_are_refused() {
    if skipped() {
        return;
    }
    let own = std::process::id();
    let namespace = |kind: &str, path: &str| json!([{"type": "pid"}, {"type": "mount"}, {"type": kind, "path": path}]);
    let map = |container: u64, host: u64, size: u64| json!([{"containerID": container, "hostID": host, "size": size}]);
    let many: Vec<Value> = (0..1000u64)
        .map(|number| json!({"containerID": number * 2, "hostID": number * 2, "size": 1}))
        .collect();
    let all = u64::from(u32::MAX);
    let user = json!([{"type": "pid"}, {"type": "mount"}, {"type": "user"}]);
    let values = [
        (
            "/linux/namespaces",
            json!([{"type": "network"}, {"type": "network"}]),
        ),
        ("/linux/namespaces", json!([{"type": "uts\u{0}"}])),
        ("/linux/namespaces", json!([{"type": "x".repeat(1 << 20)}])),
        (
            "/linux/namespaces",
            namespace("network", &format!("/proc/{own}/ns/uts")),
        ),
        ("/linux/namespaces", namespace("network", "/proc/self/fd/0")),
        ("/linux/namespaces", namespace("network", "/dev/zero")),
        ("/linux/namespaces", namespace("network", "/dev/tty")),
        (
            "/linux/namespaces",
            namespace("network", "proc/self/ns/net"),
        ),
        (
            "/linux/namespaces",
            namespace("network", &"/x".repeat(1 << 16)),
        ),
        (
            "/linux/namespaces",
            namespace("network", "/proc/self/ns/net\u{0}"),
        ),
        (
            "/linux/namespaces",
            json!(vec![json!({"type": "ipc"}); 10_000]),
        ),
        ("/linux/uidMappings", map(0, 0, 1)),
        (
            "/linux/resources",
            json!({"pids": {"limit": "9".repeat(100)}}),
        ),
        ("/linux/cgroupsPath", json!("/../../../etc")),
        ("/linux/cgroupsPath", json!("a\nb")),
        ("/linux/cgroupsPath", json!("/x".repeat(1 << 16))),
        (
            "/linux/devices",
            json!([{"path": "/dev/..", "type": "c", "major": 1, "minor": 3}]),
        ),
        (
            "/linux/devices",
            json!([{"path": "/", "type": "c", "major": 1, "minor": 3}]),
        ),
        (
            "/linux/devices",
            json!([{"path": "/dev/x", "type": "c", "major": 4_294_967_296_u64, "minor": 3}]),
        ),
        (
            "/linux/devices",
            json!([{"path": "/dev/x", "type": "c", "major": -1, "minor": -1}]),
        ),
        (
            "/linux/sysctl",
            json!({"net.ipv4/../../kernel/core_pattern": "|/evil"}),
        ),
        (
            "/linux/sysctl",
            json!({"net/../kernel/core_pattern": "|/evil"}),
        ),
        ("/linux/sysctl", json!({"kernel.core_pattern": "|/evil"})),
        ("/linux/maskedPaths", json!(["proc/kcore"])),
        ("/linux/rootfsPropagation", json!("x".repeat(1 << 20))),
        ("/process/user/uid", json!(all + 1)),
        ("/process/user/uid", json!(-1)),
        ("/process/oomScoreAdj", json!(i64::MAX)),
        ("/process/args", json!([])),
        ("/process/args", json!(["a\u{0}b"])),
        ("/process/env", json!(["A=\u{0}"])),
        ("/process/cwd", json!("scratch")),
        ("/process/cwd", json!("/scratch\u{0}")),
        (
            "/process/rlimits",
            json!([{"type": "RLIMIT_NOFILE", "soft": 2, "hard": 1}]),
        ),
        ("/hostname", json!("x".repeat(65))),
        ("/mounts/0/destination", json!("/a\u{0}b")),
        ("/mounts/0/destination", json!("")),
        ("/hooks", json!({"prestart": [{"path": "sh"}]})),
        ("/annotations", json!({"": "x"})),
        ("/ociVersion", json!("9".repeat(1 << 16))),
    ];
    for (pointer, value) in &values {
        refused("odd", pointer, value);
    }
    let maps = [
        map(0, 0, 0),
        map(0, 0, all + 1),
        map(all, 0, 2),
        map(0, all, 2),
        map(1, all - 5, 10),
        map(0, 0, u64::MAX),
        json!([{"containerID": 0, "hostID": 0, "size": 10}, {"containerID": 5, "hostID": 100, "size": 10}]),
        json!([{"containerID": -1, "hostID": 0, "size": 1}]),
        json!([{"containerID": 0.5, "hostID": 0, "size": 1}]),
        json!(many),
    ];
    for value in &maps {
        for pointer in ["/linux/uidMappings", "/linux/gidMappings"] {
            let other = ["/linux/gidMappings", "/linux/uidMappings"];
            let other = other.iter().find(|other| **other != pointer).unwrap();
            let bundle = Bundle::new("map", "true")
                .set("/linux/namespaces", user.clone())
                .set(other, map(0, 0, 1000))
                .set(pointer, value.clone());
            let bundle = bundle.without("hostname");
            let said = failed(&bundle.create());
            assert!(
                !said.contains("panicked") && said.contains(pointer),
                "{value}: {said}"
            );
            assert_eq!(bundle.remains(), Vec::<String>::new(), "{value}");
        }
    }
}

/// A document that is no document: deep, doubled, cut, of another encoding.
#[test]
fn an_odd_document_is_refused() {
    if skipped() {
        return;
    }
    let bundle = Bundle::new("document", "true");
    let path = bundle.write_config();
    let good = bundle.config.to_string();
    let texts: [Vec<u8>; 7] = [
        Vec::new(),
        b"null".to_vec(),
        "[".repeat(1 << 20).into_bytes(),
        format!("{{\"a\":{}", good.repeat(2)).into_bytes(),
        good.as_bytes()[..good.len() - 1].to_vec(),
        [b"\xff\xfe", good.as_bytes()].concat(),
        good.replacen("inside", "\\ud800", 1).into_bytes(),
    ];
    for text in texts {
        fs::write(bundle.path().join("config.json"), &text).unwrap();
        let said = failed(&bundle.refrun(&["create", "--bundle", &path, &bundle.id]));
        assert!(
            said.contains("error") && !said.contains("panicked"),
            "{said}"
        );
        assert_eq!(bundle.remains(), Vec::<String>::new());
    }
}
