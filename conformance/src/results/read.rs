//! Reads results files back, for the commands that work on them.

use std::path::Path;

use serde::Deserialize;

use super::{FORMAT, Results};

/// What every version of the format has.
#[derive(Deserialize)]
struct Stamp {
    format: serde_json::Value,
}

impl Results {
    /// Reads a results file of the format that this program writes.
    ///
    /// # Errors
    /// One sentence that names the file: it cannot be read, is no results file, or one of another
    /// format.
    pub fn load(path: &Path) -> Result<Results, String> {
        let text = std::fs::read(path)
            .map_err(|error| format!("read results {}: {error}", path.display()))?;
        Results::parse(&text).map_err(|why| format!("{}: {why}", path.display()))
    }

    /// Reads a results file's text; see [`Results::load`].
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &[u8]) -> Result<Results, String> {
        // The stamp first: of another format nothing else is known, and complaints about fields
        // that it lacks would mislead.
        let stamp: Stamp = serde_json::from_slice(text)
            .map_err(|error| format!("no results file (--format json writes them): {error}"))?;
        if stamp.format != FORMAT {
            return Err(format!(
                "results of format {}; this program reads format {FORMAT}",
                stamp.format
            ));
        }
        serde_json::from_slice(text)
            .map_err(|error| format!("not as format {FORMAT} has it: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_results_file_is_told_apart() {
        for (text, words) in [
            ("", "no results file"),
            ("{}", "missing field `format`"),
            ("3", "no results file"),
            (
                r#"{"format": 2}"#,
                "results of format 2; this program reads",
            ),
            (r#"{"format": "1"}"#, "results of format \"1\""),
            (r#"{"format": 1}"#, "missing field `tool`"),
        ] {
            let error = Results::parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(words), "{text:?}: {error}");
        }
    }
}
