//! The matrix page: one self-contained file with runtimes as columns and the specification's
//! sections as rows, which opens without a network and years later.
//!
//! The page is a function of results documents: [`gather`] makes the data, which stands as JSON in
//! an element that no browser executes, and the scripts beside this file show it. Whatever a subject
//! printed reaches the document as text only: the data has no `<`, the scripts make text nodes, and
//! the page's policy allows nothing but the one style and the one script that stand here, by digest,
//! and no way to parse markup from a string.

mod digest;
mod gather;
mod page;
mod texts;

use std::io::{self, Write};

use self::gather::Extent;
use self::page::Page;
use super::{Clauses, escape};
use crate::results::Results;

/// Characters of data that a page should stay under: what is above takes long to send and to read.
const BUDGET: usize = 1_300_000;

const TEMPLATE: &str = include_str!("html/page.html");
const STYLE: &str = include_str!("html/style.css");
/// One script of several files: they share a scope, and later ones use what earlier ones declare.
const SCRIPT: &str = concat!(
    "\"use strict\";\n",
    include_str!("html/data.js"),
    include_str!("html/elements.js"),
    include_str!("html/place.js"),
    include_str!("html/filters.js"),
    include_str!("html/head.js"),
    include_str!("html/matrix.js"),
    include_str!("html/cell.js"),
    include_str!("html/main.js"),
);

/// Writes the page of one or several results documents: their subjects side by side.
pub(super) fn write(
    clauses: Clauses<'_>,
    documents: &[&Results],
    out: &mut dyn Write,
) -> io::Result<()> {
    let data = embedded(&within_budget(clauses, documents)?)?;
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; \
         base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        digest::sha256_base64(STYLE.as_bytes()),
        digest::sha256_base64(SCRIPT.as_bytes()),
    );
    let mut rest = TEMPLATE;
    for (mark, text) in [
        ("{{policy}}", policy.as_str()),
        ("{{style}}", STYLE),
        ("{{data}}", &data),
        ("{{script}}", SCRIPT),
    ] {
        let (before, after) = rest.split_once(mark).unwrap_or((rest, ""));
        out.write_all(before.as_bytes())?;
        out.write_all(text.as_bytes())?;
        rest = after;
    }
    out.write_all(rest.as_bytes())
}

/// The data with as much evidence as the budget allows.
fn within_budget(clauses: Clauses<'_>, documents: &[&Results]) -> io::Result<String> {
    let mut data = String::new();
    for extent in Extent::ALL {
        data = serialise(&gather::page(clauses, documents, extent))?;
        if data.len() <= BUDGET {
            break;
        }
    }
    Ok(data)
}

fn serialise(page: &Page) -> io::Result<String> {
    Ok(serde_json::to_string(page)?)
}

/// JSON that can stand in an HTML element: without `<` no tag and no comment can begin in it, and
/// what could steer a terminal or a log, U+2028 among it, stands as an escape.
fn embedded(json: &str) -> io::Result<String> {
    Ok(escape::json(json).replace('<', "\\u003c"))
}

#[cfg(test)]
mod tests;
