//! What the rules about `linux.resources` share.

use crate::options::DocumentKind;
use crate::rule::Rule;

/// Rules about resources: of a config, and of the document that `update --resources` takes.
pub(super) const RESOURCES: Rule = Rule {
    kinds: &[DocumentKind::Config, DocumentKind::Resources],
    ..Rule::SPEC
};
