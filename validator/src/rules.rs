//! The rules: each a declaration with its clause, its check and a minimal example of either kind.

use std::collections::HashSet;

use serde_json::Value;

/// Where something is wrong (a JSON pointer) and what.
type Found = Vec<(String, String)>;

/// One rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Says what holds.
    pub id: &'static str,
    /// The clause that it checks.
    pub clause: &'static str,
    /// A document that it accepts.
    pub accepts: &'static str,
    /// The document's twin that it rejects, once.
    pub rejects: &'static str,
    /// The check.
    pub check: fn(&Value, &mut Found),
}

/// Every rule, in the order of the specification's sections.
pub const RULES: &[Rule] = &[
    Rule {
        id: "version-is-semver",
        clause: "config.ociVersion.semver",
        accepts: r#"{"ociVersion": "1.0.2-dev"}"#,
        rejects: r#"{"ociVersion": "1.0"}"#,
        check: |config, found| match &config["ociVersion"] {
            Value::String(text) if semver::Version::parse(text).is_ok() => {}
            Value::String(text) => {
                found.push(at("/ociVersion", format!("{text:?} is no SemVer version")))
            }
            Value::Null => found.push(at("", "ociVersion is missing")),
            _ => found.push(at("/ociVersion", "not a string")),
        },
    },
    Rule {
        id: "root-is-set",
        clause: "config.root.required",
        accepts: r#"{"root": {"path": "rootfs"}}"#,
        rejects: r#"{}"#,
        check: |config, found| {
            if config["root"].is_null() {
                found.push(at("", "root is missing"));
            } else if !config["root"]["path"].is_string() {
                found.push(at("/root", "path is missing or not a string"));
            }
        },
    },
    Rule {
        id: "cwd-is-absolute",
        clause: "config.process.cwd.absolute",
        accepts: r#"{"process": {"cwd": "/"}}"#,
        rejects: r#"{"process": {"cwd": "tmp"}}"#,
        check: |config, found| {
            if let Some(cwd) = config["process"]["cwd"].as_str()
                && !cwd.starts_with('/')
            {
                found.push(at("/process/cwd", format!("{cwd:?} is not absolute")));
            }
        },
    },
    Rule {
        id: "args-has-an-entry",
        clause: "config.process.args.nonempty",
        accepts: r#"{"process": {"args": ["sh"]}}"#,
        rejects: r#"{"process": {"args": []}}"#,
        check: |config, found| {
            if config["process"].is_object()
                && config["process"]["args"]
                    .as_array()
                    .is_none_or(Vec::is_empty)
            {
                found.push(at("/process", "args has no entry"));
            }
        },
    },
    Rule {
        id: "rlimits-are-unique",
        clause: "config.process.rlimits.duplicate.config",
        accepts: r#"{"process": {"rlimits": [{"type": "RLIMIT_CORE"}, {"type": "RLIMIT_CPU"}]}}"#,
        rejects: r#"{"process": {"rlimits": [{"type": "RLIMIT_CORE"}, {"type": "RLIMIT_CORE"}]}}"#,
        check: |config, found| unique(config, "/process/rlimits", "type", "rlimit", found),
    },
    Rule {
        id: "namespaces-are-unique",
        clause: "config-linux.namespaces.duplicate.config",
        accepts: r#"{"linux": {"namespaces": [{"type": "pid"}, {"type": "uts"}]}}"#,
        rejects: r#"{"linux": {"namespaces": [{"type": "pid"}, {"type": "pid"}]}}"#,
        check: |config, found| unique(config, "/linux/namespaces", "type", "namespace", found),
    },
    Rule {
        id: "namespace-paths-are-absolute",
        clause: "config-linux.namespaces.path.absolute",
        accepts: r#"{"linux": {"namespaces": [{"type": "pid", "path": "/proc/1/ns/pid"}]}}"#,
        rejects: r#"{"linux": {"namespaces": [{"type": "pid", "path": "ns/pid"}]}}"#,
        check: |config, found| {
            for (index, namespace) in list(config, "/linux/namespaces") {
                if let Some(path) = namespace["path"].as_str()
                    && !path.is_empty()
                    && !path.starts_with('/')
                {
                    let place = format!("/linux/namespaces/{index}/path");
                    found.push((place, format!("{path:?} is not absolute")));
                }
            }
        },
    },
    Rule {
        id: "hook-paths-are-absolute",
        clause: "config.hooks.createRuntime.path.absolute",
        accepts: r#"{"hooks": {"createRuntime": [{"path": "/bin/true"}]}}"#,
        rejects: r#"{"hooks": {"createRuntime": [{"path": "true"}]}}"#,
        check: |config, found| {
            for (kind, index, hook) in hooks(config) {
                if hook["path"]
                    .as_str()
                    .is_none_or(|path| !path.starts_with('/'))
                {
                    found.push((
                        format!("/hooks/{kind}/{index}/path"),
                        "not an absolute path".into(),
                    ));
                }
            }
        },
    },
    Rule {
        id: "hook-timeouts-are-positive",
        clause: "config.hooks.createRuntime.timeout.positive",
        accepts: r#"{"hooks": {"createRuntime": [{"path": "/bin/true", "timeout": 1}]}}"#,
        rejects: r#"{"hooks": {"createRuntime": [{"path": "/bin/true", "timeout": 0}]}}"#,
        check: |config, found| {
            for (kind, index, hook) in hooks(config) {
                let timeout = &hook["timeout"];
                if !timeout.is_null() && timeout.as_i64().is_none_or(|seconds| seconds <= 0) {
                    let place = format!("/hooks/{kind}/{index}/timeout");
                    found.push((place, format!("{timeout} is not above zero")));
                }
            }
        },
    },
    Rule {
        id: "annotation-keys-are-not-empty",
        clause: "config.annotations.key.nonempty",
        accepts: r#"{"annotations": {"com.example.key": ""}}"#,
        rejects: r#"{"annotations": {"": "value"}}"#,
        check: |config, found| {
            if config["annotations"].get("").is_some() {
                found.push(at("/annotations", "an empty key"));
            }
        },
    },
];

fn at(pointer: &str, message: impl Into<String>) -> (String, String) {
    (pointer.to_owned(), message.into())
}

fn list<'a>(config: &'a Value, pointer: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    config
        .pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
}

fn hooks(config: &Value) -> impl Iterator<Item = (&str, usize, &Value)> {
    let kinds = config["hooks"].as_object().into_iter().flatten();
    kinds.flat_map(|(kind, hooks)| {
        let hooks = hooks.as_array().into_iter().flatten().enumerate();
        hooks.map(move |(index, hook)| (kind.as_str(), index, hook))
    })
}

fn unique(config: &Value, pointer: &str, key: &str, what: &str, found: &mut Found) {
    let mut seen = HashSet::new();
    for (index, entry) in list(config, pointer) {
        if let Some(value) = entry[key].as_str()
            && !seen.insert(value)
        {
            found.push((
                format!("{pointer}/{index}"),
                format!("a second {what} of {key} {value}"),
            ));
        }
    }
}
