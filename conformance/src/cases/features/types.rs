//! The types of the features document's properties, each of which may be absent or null.

use serde_json::Value;

use super::{NEEDS, document};
use crate::case::Case;
use crate::trial::Stop;

pub(in crate::cases) const CASES: &[Case] = &[Case {
    id: "features/properties-have-their-types",
    judges: &[
        "features.hooks",
        "features.mountOptions",
        "features.linux",
        "features.annotations",
        "features.potentiallyUnsafeConfigAnnotations",
        "features-linux.namespaces",
        "features-linux.capabilities",
        "features-linux.cgroup",
        "features-linux.cgroup.v1",
        "features-linux.cgroup.v2",
        "features-linux.cgroup.systemd",
        "features-linux.cgroup.systemdUser",
        "features-linux.cgroup.rdma",
        "features-linux.seccomp",
        "features-linux.seccomp.enabled",
        "features-linux.seccomp.actions",
        "features-linux.seccomp.operators",
        "features-linux.seccomp.archs",
        "features-linux.seccomp.knownFlags",
        "features-linux.seccomp.supportedFlags",
        "features-linux.apparmor",
        "features-linux.apparmor.enabled",
        "features-linux.selinux",
        "features-linux.selinux.enabled",
        "features-linux.memoryPolicy",
        "features-linux.memoryPolicy.modes",
        "features-linux.memoryPolicy.flags",
        "features-linux.intelRdt",
        "features-linux.intelRdt.enabled",
        "features-linux.intelRdt.schemata",
        "features-linux.intelRdt.monitoring",
        "features-linux.mountExtensions",
        "features-linux.mountExtensions.idmap",
        "features-linux.mountExtensions.idmap.enabled",
        "features-linux.netDevices",
        "features-linux.netDevices.enabled",
    ],
    needs: NEEDS,
    run: |trial| {
        let document = document(trial)?;
        let mut judged = false;
        for property in PROPERTIES {
            let value = document
                .pointer(&property.pointer())
                .unwrap_or(&Value::Null);
            if !value.is_null() {
                let clause = trial.declared_clause(property.clause);
                let says = format!("{} is {}", property.clause, property.kind.words());
                trial.expect_that(clause, property.kind.is_of(value), says, value)?;
                judged = true;
            }
        }
        if judged {
            Ok(())
        } else {
            Err(Stop::Inapplicable(
                "properties in the features document".into(),
            ))
        }
    },
}];

struct Property {
    /// The clause's id, which is the path to the property as well.
    clause: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Object,
    Flag,
    Names,
}

const fn property(clause: &'static str, kind: Kind) -> Property {
    Property { clause, kind }
}

const PROPERTIES: &[Property] = &[
    property("features.hooks", Kind::Names),
    property("features.mountOptions", Kind::Names),
    property("features.linux", Kind::Object),
    property("features.annotations", Kind::Object),
    property("features.potentiallyUnsafeConfigAnnotations", Kind::Names),
    property("features-linux.namespaces", Kind::Names),
    property("features-linux.capabilities", Kind::Names),
    property("features-linux.cgroup", Kind::Object),
    property("features-linux.cgroup.v1", Kind::Flag),
    property("features-linux.cgroup.v2", Kind::Flag),
    property("features-linux.cgroup.systemd", Kind::Flag),
    property("features-linux.cgroup.systemdUser", Kind::Flag),
    property("features-linux.cgroup.rdma", Kind::Flag),
    property("features-linux.seccomp", Kind::Object),
    property("features-linux.seccomp.enabled", Kind::Flag),
    property("features-linux.seccomp.actions", Kind::Names),
    property("features-linux.seccomp.operators", Kind::Names),
    property("features-linux.seccomp.archs", Kind::Names),
    property("features-linux.seccomp.knownFlags", Kind::Names),
    property("features-linux.seccomp.supportedFlags", Kind::Names),
    property("features-linux.apparmor", Kind::Object),
    property("features-linux.apparmor.enabled", Kind::Flag),
    property("features-linux.selinux", Kind::Object),
    property("features-linux.selinux.enabled", Kind::Flag),
    property("features-linux.memoryPolicy", Kind::Object),
    property("features-linux.memoryPolicy.modes", Kind::Names),
    property("features-linux.memoryPolicy.flags", Kind::Names),
    property("features-linux.intelRdt", Kind::Object),
    property("features-linux.intelRdt.enabled", Kind::Flag),
    property("features-linux.intelRdt.schemata", Kind::Flag),
    property("features-linux.intelRdt.monitoring", Kind::Flag),
    property("features-linux.mountExtensions", Kind::Object),
    property("features-linux.mountExtensions.idmap", Kind::Object),
    property("features-linux.mountExtensions.idmap.enabled", Kind::Flag),
    property("features-linux.netDevices", Kind::Object),
    property("features-linux.netDevices.enabled", Kind::Flag),
];

impl Property {
    fn pointer(&self) -> String {
        match self.clause.split_once('.') {
            Some(("features-linux", path)) => format!("/linux/{}", path.replace('.', "/")),
            Some((_, path)) => format!("/{path}"),
            None => String::new(),
        }
    }
}

impl Kind {
    fn is_of(self, value: &Value) -> bool {
        match self {
            Kind::Object => value.is_object(),
            Kind::Flag => value.is_boolean(),
            Kind::Names => value
                .as_array()
                .is_some_and(|names| names.iter().all(Value::is_string)),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Kind::Object => "an object",
            Kind::Flag => "a boolean",
            Kind::Names => "an array of strings",
        }
    }
}
