//! `linux.resources.network` (config-linux.md, Network).

use crate::finding::Severity;
use crate::rule::Rule;
use crate::rules::lists::duplicates;
use crate::rules::net_devices::name_problem;
use crate::rules::resources::RESOURCES;

/// Rules about the network controllers.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "network/priority-interface",
        clauses: &["config-linux.resources.network.priorities.name.ns"],
        page: "The name of a priority is that of an interface of the host. Whether the host has it \
               is not in the document; but no interface has a name of more than 15 bytes, or with \
               a slash, colon or blank in it.",
        accepts: &[resources!(
            r#"{"network": {"priorities": [{"name": "eth0", "priority": 5}]}}"#
        )],
        rejects: &[(
            resources!(r#"{"network": {"priorities": [{"name": "eth 0", "priority": 5}]}}"#),
            "/linux/resources/network/priorities/0/name",
        )],
        check: |context, found| {
            for entry in context.resources.get("network").get("priorities").items() {
                let name = entry.get("name");
                if let Some(text) = name.as_str()
                    && let Some(problem) = name_problem(text)
                {
                    found.at(name, format!("no interface is called {text:?}: {problem}"));
                }
            }
        },
        ..RESOURCES
    },
    Rule {
        id: "network/priority-unique",
        severity: Severity::Warning,
        source: "the net_prio controller has one priority for each interface: the last one holds",
        page: "Two entries set the priority of one interface. One of them has no effect.",
        accepts: &[resources!(
            r#"{"network": {"priorities": [{"name": "eth0", "priority": 5}, {"name": "eth1", "priority": 5}]}}"#
        )],
        rejects: &[(
            resources!(
                r#"{"network": {"priorities": [{"name": "eth0", "priority": 5}, {"name": "eth0", "priority": 6}]}}"#
            ),
            "/linux/resources/network/priorities/1",
        )],
        check: |context, found| {
            let names = || {
                let entries = context.resources.get("network").get("priorities").items();
                entries.filter_map(|entry| Some((entry.get("name").as_str()?, entry)))
            };
            duplicates(names, |name, first, again| {
                found
                    .at(
                        again,
                        format!("a second priority for the interface {name:?}"),
                    )
                    .related(first, "the first one");
            });
        },
        ..RESOURCES
    },
];
