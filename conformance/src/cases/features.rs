//! features.md and features-linux.md: what the document says must be so.
//!
//! Names that a list holds are tried in a configuration, together first; if that is refused, each
//! alone, so that the finding names the ones that are not recognized.

mod lists;
mod types;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use oci_runtime_schemas::SpecVersion;
use serde_json::{Value, json};

use crate::case::{Case, Need};
use crate::trial::{Stop, Trial};

pub(super) use self::lists::CASES as LIST_CASES;
pub(super) use self::types::CASES as TYPE_CASES;

const NEEDS: &[Need] = &[Need::Features];

pub(super) const CASES: &[Case] = &[
    Case {
        id: "features/versions-are-semantic-and-in-order",
        judges: &[
            "features.ociVersionMin",
            "features.ociVersionMax",
            "features.ociVersionMax.ge-min",
        ],
        needs: NEEDS,
        run: |trial| {
            let document = document(trial)?;
            let (min, max) = (&document["ociVersionMin"], &document["ociVersionMax"]);
            for (clause, value) in [
                ("features.ociVersionMin", min),
                ("features.ociVersionMax", max),
            ] {
                let says = "a version of the form major.minor.patch";
                trial.expect_that(clause, version(value).is_some(), says, value)?;
            }
            if let (Some(oldest), Some(newest)) = (version(min), version(max)) {
                let says = "ociVersionMax is not less than ociVersionMin";
                trial.expect_that(
                    "features.ociVersionMax.ge-min",
                    newest >= oldest,
                    says,
                    [min, max],
                )?;
            }
            Ok(())
        },
    },
    Case {
        id: "features/the-oldest-version-is-accepted",
        judges: &["features.ociVersionMin.accepted"],
        needs: NEEDS,
        run: |trial| version_is_accepted(trial, "features.ociVersionMin.accepted", "ociVersionMin"),
    },
    Case {
        id: "features/the-newest-version-is-accepted",
        judges: &["features.ociVersionMax.accepted"],
        needs: NEEDS,
        run: |trial| version_is_accepted(trial, "features.ociVersionMax.accepted", "ociVersionMax"),
    },
    Case {
        id: "features/no-property-is-newer-than-the-newest-version",
        judges: &["features.ociVersionMax.no-newer-properties"],
        needs: NEEDS,
        run: |trial| {
            let document = document(trial)?;
            let Some(newest) = version(&document["ociVersionMax"]) else {
                return Err(Stop::Inapplicable(
                    "an ociVersionMax that is a version".into(),
                ));
            };
            let newer: Vec<&str> = NEWER_PROPERTIES
                .iter()
                // Null is as good as absent.
                .filter(|(since, pointer)| {
                    *since > newest
                        && document
                            .pointer(pointer)
                            .is_some_and(|value| !value.is_null())
                })
                .map(|(_, pointer)| *pointer)
                .collect();
            let what = format!("properties that {newest} does not define");
            trial.expect_in(
                "features.ociVersionMax.no-newer-properties",
                &what,
                json!([]),
                newer,
            )
        },
    },
    Case {
        id: "features/annotations-are-a-map-of-strings",
        judges: &["features.annotations.map"],
        needs: NEEDS,
        run: |trial| {
            let document = document(trial)?;
            let annotations = match &document["annotations"] {
                Value::Null => {
                    return Err(Stop::Inapplicable(
                        "annotations in the features document".into(),
                    ));
                }
                annotations => annotations.clone(),
            };
            let holds = annotations.as_object().is_some_and(|map| {
                map.iter()
                    .all(|(key, value)| !key.is_empty() && value.is_string())
            });
            let says = "an object of keys that are not empty and values that are strings";
            trial.expect_that("features.annotations.map", holds, says, annotations)
        },
    },
    Case {
        id: "features/hooks-that-are-listed-are-run",
        judges: &["features.hooks.supported"],
        needs: NEEDS,
        run: |trial| {
            let listed = list(trial, "/hooks")?;
            trial.bind_out();
            for kind in &listed {
                trial.hook(kind, kind, &[]);
            }
            trial.run_to_end()?;
            let ran: Vec<String> = trial
                .hook_records()?
                .into_iter()
                .map(|record| record.tag)
                .collect();
            for kind in &listed {
                let what = format!("how often the hook of {kind:?} ran");
                let count = ran.iter().filter(|tag| *tag == kind).count();
                trial.expect_in("features.hooks.supported", &what, 1, count)?;
            }
            Ok(())
        },
    },
    Case {
        id: "features/seccomp-works-if-it-is-enabled",
        judges: &["features-linux.truthful"],
        needs: NEEDS,
        run: |trial| {
            let enabled = flag(trial, "/linux/seccomp/enabled")?;
            trial.set("/linux/seccomp", json!({
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [{"names": ["sethostname"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}],
            }));
            trial.probe(&["sethostname", "changed"]);
            let exit = trial.create()?;
            let errno = if exit.succeeded() {
                trial.must_start()?;
                trial.wait_exit()?;
                let lines = trial.report()?;
                trial.must_delete()?;
                lines
                    .iter()
                    .find(|line| line.verb == "sethostname")
                    .and_then(|line| line.errno.clone())
            } else {
                None
            };
            let works = matches!(errno.as_deref(), Some("EOPNOTSUPP" | "ENOTSUP"));
            let what = "a filter is applied, as seccomp.enabled says";
            trial.expect_in("features-linux.truthful", what, enabled, works)
        },
    },
    Case {
        id: "features/depend-on-the-build-alone",
        judges: &["features.compile-time"],
        needs: &[Need::Features, Need::Root],
        run: depends_on_the_build_alone,
    },
    Case {
        id: "features/mappings-of-mounts-are-not-unknown-if-idmap-is-disabled",
        judges: &["features-linux.mountExtensions.idmap.partial"],
        needs: &[Need::Features, Need::Root, Need::IdmappedMounts],
        run: idmap_is_told,
    },
];

/// Where the trial has a mount namespace of its own, an empty `/sys` makes the host one without
/// control groups, security modules and whatever else a runtime may look for there.
fn depends_on_the_build_alone(trial: &mut Trial<'_>) -> Result<(), Stop> {
    const HIDDEN: &str = "/sys";
    // The keeper is pid 1 of its pid namespace, or has no namespaces at all.
    if std::process::id() != 1 {
        return Err(Stop::Inapplicable("a mount namespace for the trial".into()));
    }
    let before = in_order(document(trial)?);
    // A comment: whoever reproduces this has to leave the host its own.
    trial.by_hand(format!(
        "# in `unshare -m sh`: mount -t tmpfs none {HIDDEN}"
    ));
    mount(
        Some("none"),
        HIDDEN,
        Some("tmpfs"),
        MsFlags::empty(),
        None::<&str>,
    )
    .map_err(|errno| Stop::Broken(format!("mount(tmpfs, {HIDDEN:?}): {errno}")))?;
    let after = document(trial);
    umount2(HIDDEN, MntFlags::MNT_DETACH)
        .map_err(|errno| Stop::Broken(format!("umount2({HIDDEN:?}): {errno}")))?;
    let after = match after {
        Err(Stop::Refused { exit, .. }) => exit.describe(),
        after => in_order(after?),
    };
    let what = "the document on a host whose /sys is empty";
    trial.expect_in("features.compile-time", what, before, after)
}

/// A document with its lists sorted: they are sets, and a runtime may print them in any order.
fn in_order(mut document: Value) -> Value {
    match &mut document {
        Value::Array(list) => list.sort_by_cached_key(Value::to_string),
        Value::Object(map) => {
            for value in map.values_mut() {
                *value = in_order(value.take());
            }
        }
        _ => {}
    }
    document
}

/// Properties that came after the document itself, with the version that brought them.
const NEWER_PROPERTIES: &[(SpecVersion, &str)] = &[
    (
        SpecVersion::new(1, 2, 0),
        "/potentiallyUnsafeConfigAnnotations",
    ),
    (SpecVersion::new(1, 2, 0), "/linux/mountExtensions"),
    (SpecVersion::new(1, 3, 0), "/linux/intelRdt/schemata"),
    (SpecVersion::new(1, 3, 0), "/linux/intelRdt/monitoring"),
    (SpecVersion::new(1, 3, 0), "/linux/memoryPolicy"),
    (SpecVersion::new(1, 3, 0), "/linux/netDevices"),
];

/// The document as the command prints it now.
fn document(trial: &mut Trial<'_>) -> Result<Value, Stop> {
    let exit = trial.command(None, &["features"], None)?;
    match serde_json::from_str::<Value>(&exit.stdout) {
        Ok(document) if exit.succeeded() && document.is_object() => Ok(document),
        _ => Err(Stop::Refused {
            operation: "features",
            exit: Box::new(exit),
        }),
    }
}

/// The names in a list of the document; an empty, absent or null one is nothing to judge.
fn list(trial: &mut Trial<'_>, pointer: &str) -> Result<Vec<String>, Stop> {
    let document = document(trial)?;
    let names: Vec<String> = document
        .pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|name| {
            name.as_str()
                .map_or_else(|| name.to_string(), str::to_owned)
        })
        .collect();
    if names.is_empty() {
        return Err(Stop::Inapplicable(format!(
            "names in {pointer} of the features document"
        )));
    }
    Ok(names)
}

/// A flag of the document; an absent or null one is nothing to judge.
fn flag(trial: &mut Trial<'_>, pointer: &str) -> Result<bool, Stop> {
    document(trial)?
        .pointer(pointer)
        .and_then(Value::as_bool)
        .ok_or_else(|| Stop::Inapplicable(format!("{pointer} in the features document")))
}

fn version(value: &Value) -> Option<SpecVersion> {
    value
        .as_str()
        .filter(|text| !text.starts_with('v'))
        .and_then(|text| text.parse().ok())
}

fn version_is_accepted(
    trial: &mut Trial<'_>,
    clause: &'static str,
    property: &str,
) -> Result<(), Stop> {
    let value = document(trial)?[property].clone();
    trial.set("/ociVersion", value.clone());
    trial.run_to_end()?;
    trial.expect_in(
        clause,
        "a container with this ociVersion has run",
        true,
        value.is_string(),
    )
}

/// A runtime that maps the ids of a mount says so, even if it can do only part of it.
fn idmap_is_told(trial: &mut Trial<'_>) -> Result<(), Stop> {
    let enabled = flag(trial, "/linux/mountExtensions/idmap/enabled")?;
    if enabled {
        return trial.expect_in(
            "features-linux.mountExtensions.idmap.partial",
            "idmap.enabled",
            true,
            enabled,
        );
    }
    let source = super::mounts::source::directory(trial, "source")?;
    trial.mount(json!({
        "destination": "/mnt", "type": "none", "source": source, "options": ["bind", "idmap"],
        "uidMappings": [{"containerID": 0, "hostID": 70_000, "size": 10}],
        "gidMappings": [{"containerID": 0, "hostID": 70_000, "size": 10}],
    }));
    trial.probe(&["stat", "/mnt/here"]);
    let exit = trial.create()?;
    let mut mapped = false;
    if exit.succeeded() {
        trial.must_start()?;
        trial.wait_exit()?;
        mapped = trial
            .report()?
            .iter()
            .any(|line| line.verb == "stat" && line.value["uid"] == 70_000);
        trial.must_delete()?;
    }
    let what = "a mount is mapped though idmap.enabled is false";
    trial.expect_in(
        "features-linux.mountExtensions.idmap.partial",
        what,
        false,
        mapped,
    )
}
