//! The bundle on disk (bundle.md; config.md, Root).

use crate::bundle::Place;
use crate::context::{Context, Platform};
use crate::document::Value;
use crate::finding::Severity;
use crate::rule::Rule;

/// Rules about what is in the directory of a bundle.
pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "bundle/config-file",
        clauses: &[
            "bundle.config.required",
            "bundle.config.location",
            "bundle.config.name",
            "bundle.artifacts.one-directory",
        ],
        page: "The configuration of a bundle is the regular file `config.json` at the top of its \
               directory. Where that is a symbolic link out of the directory, the bundle is not \
               whole without the place that it leads to.",
        check: |context, found| {
            let Some(bundle) = context.bundle else {
                return;
            };
            let root = context.root;
            match bundle.look("config.json") {
                Place::File => {}
                Place::Missing => {
                    found
                        .lacking(root, "the bundle has no `config.json`")
                        .clause("bundle.config.required");
                }
                Place::Directory | Place::Other => {
                    found
                        .lacking(root, "the bundle's `config.json` is no regular file")
                        .clause("bundle.config.name");
                }
                Place::Outside(target) => {
                    found
                        .lacking(
                            root,
                            format!(
                                "`config.json` is a symbolic link out of the bundle: {target:?}"
                            ),
                        )
                        .clause("bundle.config.location")
                        .help("copy the file into the bundle")
                        .only(Severity::Warning);
                }
                Place::Unknown(error) => {
                    found
                        .lacking(root, format!("`config.json` cannot be looked at: {error}"))
                        .only(Severity::Note);
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "bundle/root-directory",
        clauses: &["config.root.path.exists"],
        page: "`root.path` names the directory that holds the container's files; a relative path \
               is counted from the bundle. It has to be there when the container is created.",
        accepts: &[r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}}"#],
        rejects: &[
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "missing"}}"#,
                "/root/path",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "file"}}"#,
                "/root/path",
            ),
        ],
        check: |context, found| {
            let Some((path, place)) = root(context) else {
                return;
            };
            let text = path.as_str().unwrap_or_default();
            match place {
                Place::Directory | Place::Outside(_) => {}
                Place::Missing => {
                    let help = if text.starts_with('/') {
                        "the path is absolute, and so one of the host"
                    } else {
                        "the path is counted from the bundle's directory"
                    };
                    found.at(path, format!("nothing is at {text:?}")).help(help);
                }
                Place::File | Place::Other => {
                    found.at(path, format!("{text:?} is no directory"));
                }
                Place::Unknown(error) => {
                    found
                        .at(path, format!("{text:?} cannot be looked at: {error}"))
                        .only(Severity::Note);
                }
            }
        },
        ..Rule::SPEC
    },
    Rule {
        id: "bundle/root-inside",
        severity: Severity::Warning,
        source: "bundle.md, Container Format: the files of a bundle are in one directory",
        page: "A relative `root.path` is of the bundle, and this one leads out of it by `..` or by \
               a symbolic link. In a bundle from somewhere else that may be an attack: the \
               container would get a directory of the host as its own. Where it is meant, write \
               the absolute path. The place that it leads to was not looked at.",
        accepts: &[r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}}"#],
        rejects: &[
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "outside"}}"#,
                "/root/path",
            ),
            (
                r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs/../.."}}"#,
                "/root/path",
            ),
        ],
        check: |context, found| {
            if let Some((path, Place::Outside(target))) = root(context) {
                found
                    .at(
                        path,
                        format!("the path leads out of the bundle, to {target:?}"),
                    )
                    .help("if that is meant, write the absolute path");
            }
        },
        ..Rule::SPEC
    },
];

/// `root.path` and what is there. On Windows it is a volume, which other systems do not have.
fn root<'d>(context: &Context<'d>) -> Option<(Value<'d>, Place)> {
    let bundle = context.bundle?;
    let path = context.root.get("root").get("path");
    let text = path.as_str()?;
    (context.platform != Platform::Windows).then(|| (path, bundle.look(text)))
}
