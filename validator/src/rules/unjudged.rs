//! Clauses about documents that no rule and no schema judges, each with the reason.

/// Clause, and why nothing here can judge it.
pub static UNJUDGED: &[(&str, &str)] = &[
    (
        "config.process.required-at-start",
        "whether the container is going to be started is not in the document: create takes one \
         without process",
    ),
    (
        "config.platform.vm.may",
        "whether the platform can run virtual machines is not in the document",
    ),
    (
        "config.process.noNewPrivileges.zos",
        "the property is one on all platforms, and its type is judged by the clause of Linux's",
    ),
    (
        "config.hooks.any",
        "a permission: hooks of every kind, and none, are allowed",
    ),
    (
        "config.annotations.absent",
        "a permission: without annotations the property may be there or not",
    ),
    (
        "config.annotations.value.empty",
        "a permission: an empty value is accepted under every key",
    ),
    (
        "config-windows.layerFolders.order",
        "which layer lies on which is in the folders, and those are on a Windows host",
    ),
    (
        "config-windows.resources.cpu.any-combination",
        "a permission of versions up to 1.0.2: nothing in the document can break it",
    ),
    (
        "bundle.archive.no-top-level",
        "archives are not read: a bundle is given as a directory",
    ),
    (
        "config-linux.resources.blockIO.weightDevice.both",
        "a permission: nothing that a document has can break it",
    ),
    (
        "config-linux.resources.rdma.both",
        "a permission: nothing that a document has can break it",
    ),
    (
        "features.provide",
        "a permission of the runtime: the document that would be judged is there",
    ),
    (
        "features.compile-time",
        "what the document depends on shows only on several hosts, not in one document",
    ),
    (
        "features.null-allowed",
        "a permission: the schema takes null, and rules take it for absent",
    ),
    (
        "features.linux.may",
        "a permission: nothing that a document has can break it",
    ),
    (
        "features-linux.mountExtensions.idmap.partial",
        "whether the runtime makes use of mappings is not in the document",
    ),
];
