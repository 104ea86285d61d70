//! What the JSON Schemas say. The findings cite the clause of the property that they are about.

use crate::finding::Severity;
use crate::options::DocumentKind;
use crate::rule::Rule;

const SCHEMA: Rule = Rule {
    kinds: &DocumentKind::ALL,
    source: "the JSON Schema of the document: `oci-validate schema KIND`",
    ..Rule::SPEC
};

/// The keywords of the schemas. `structure` walks them, so they have no check.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "schema/type",
        page: "A value has another type than its property: a string where a number belongs, one \
               string where a list belongs. An integer is written without fraction and exponent, \
               since most runtimes read it into an integer.",
        accepts: &[r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs", "readonly": true}}"#],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs", "readonly": "true"}}"#,
            "/root/readonly",
        )],
        ..SCHEMA
    },
    Rule {
        id: "schema/required",
        page: "A property that the specification requires is missing from an object. The finding \
               points to the object.",
        accepts: &[r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}}"#],
        rejects: &[(r#"{"ociVersion": "1.3.0", "root": {}}"#, "/root")],
        ..SCHEMA
    },
    Rule {
        id: "schema/value",
        page: "The specification lists the values of this property, and this is none of them.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "r"}, "linux": {"rootfsPropagation": "slave"}}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "r"}, "linux": {"rootfsPropagation": "slaves"}}"#,
            "/linux/rootfsPropagation",
        )],
        ..SCHEMA
    },
    Rule {
        id: "schema/newer-value",
        severity: Severity::Note,
        page: "A later version of the specification than the document's added the value. A runtime \
               that goes by the document's version may refuse it.",
        accepts: &[
            r#"{"ociVersion": "1.1.0", "root": {"path": "r"}, "linux": {"namespaces": [{"type": "time"}]}}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.0.0", "root": {"path": "r"}, "linux": {"namespaces": [{"type": "time"}]}}"#,
            "/linux/namespaces/0/type",
        )],
        ..SCHEMA
    },
    Rule {
        id: "schema/range",
        page: "A number is beyond what its type or its meaning allows: a negative size, a user id \
               of more than 32 bits.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "r"}, "linux": {"uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]}}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "r"}, "linux": {"uidMappings": [{"containerID": 0, "hostID": 4294967296, "size": 1}]}}"#,
            "/linux/uidMappings/0/hostID",
        )],
        ..SCHEMA
    },
    Rule {
        id: "schema/length",
        page: "A list has too few or too many entries, or a name is empty.",
        accepts: &[
            r#"{"ociVersion": "1.3.0", "root": {"path": "r"}, "linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}}}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "r"}, "linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [], "action": "SCMP_ACT_ALLOW"}]}}}"#,
            "/linux/seccomp/syscalls/0/names",
        )],
        ..SCHEMA
    },
    Rule {
        id: "schema/format",
        page: "A string does not have the form that its property asks for: a version in the format \
               of SemVer 2.0.0, an absolute path.",
        accepts: &[r#"{"ociVersion": "1.0.2-dev", "root": {"path": "rootfs"}}"#],
        rejects: &[(
            r#"{"ociVersion": "1.0", "root": {"path": "rootfs"}}"#,
            "/ociVersion",
        )],
        ..SCHEMA
    },
    Rule {
        id: "schema/unknown-property",
        clauses: &[
            "config.extensibility.ignore",
            "features.ociVersionMax.no-newer-properties",
        ],
        severity: Severity::Warning,
        page: "No version of the specification has a property of this name here. Runtimes have to \
               ignore it, so it has no effect: often a slip in the name. Names are to be written \
               exactly; some runtimes read `readOnly` as `readonly` and others do not. A features \
               document must have no such property at all; the state of a container may.",
        accepts: &[r#"{"ociVersion": "1.3.0", "root": {"path": "r", "readonly": true}}"#],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "r", "readOnly": true}}"#,
            "/root/readOnly",
        )],
        ..SCHEMA
    },
    Rule {
        id: "schema/newer-property",
        clauses: &[
            "config.extensibility.ignore",
            "features.ociVersionMax.no-newer-properties",
        ],
        severity: Severity::Note,
        page: "A later version of the specification than the document's added the property. To the \
               document's version it is an unknown property, which runtimes ignore. In a features \
               document, whose version is its `ociVersionMax`, it must not be.",
        accepts: &[r#"{"ociVersion": "1.1.0", "root": {"path": "r"}, "domainname": "d"}"#],
        rejects: &[(
            r#"{"ociVersion": "1.0.2", "root": {"path": "r"}, "domainname": "d"}"#,
            "/domainname",
        )],
        ..SCHEMA
    },
    Rule {
        id: "schema/removed-property",
        clauses: &["config.extensibility.ignore"],
        severity: Severity::Note,
        page: "An earlier version of the specification had the property, the document's does not: \
               runtimes ignore it.",
        accepts: &[
            r#"{"ociVersion": "1.2.1", "root": {"path": "r"}, "linux": {"intelRdt": {"enableCMT": true}}}"#,
        ],
        rejects: &[(
            r#"{"ociVersion": "1.3.0", "root": {"path": "r"}, "linux": {"intelRdt": {"enableCMT": true}}}"#,
            "/linux/intelRdt/enableCMT",
        )],
        ..SCHEMA
    },
];
