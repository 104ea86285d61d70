//! A strict reader of TAP 14, as far as the harness writes it: it refuses what the format does not
//! allow, where consumers guess.

use yaml_rust2::{Yaml, YamlLoader};

/// A test line with what belongs to it.
#[derive(Debug)]
pub(crate) struct Test {
    pub(crate) ok: bool,
    pub(crate) description: String,
    /// `SKIP` or `TODO`, with its reason.
    pub(crate) directive: Option<(String, String)>,
    pub(crate) diagnosis: Option<Yaml>,
}

/// Reads a whole stream.
pub(crate) fn parse(text: &str) -> Result<Vec<Test>, String> {
    let mut lines = text.lines().peekable();
    if lines.next() != Some("TAP version 14") {
        return Err("the first line is not `TAP version 14`".into());
    }
    let plan = lines.next().and_then(|line| line.strip_prefix("1.."));
    let plan: usize = plan
        .and_then(|count| count.parse().ok())
        .ok_or("the second line is no plan")?;
    let mut tests = Vec::new();
    while let Some(line) = lines.next() {
        if line.starts_with("# ") {
            continue;
        }
        let mut test = test_line(line, tests.len() + 1)?;
        if lines.next_if_eq(&"  ---").is_some() {
            let mut yaml = String::new();
            loop {
                let line = lines.next().ok_or("a YAML block without an end")?;
                let line = line
                    .strip_prefix("  ")
                    .ok_or(format!("not indented: {line:?}"))?;
                if line == "..." {
                    break;
                }
                yaml.push_str(line);
                yaml.push('\n');
            }
            let mut documents =
                YamlLoader::load_from_str(&yaml).map_err(|error| format!("{error} in {yaml}"))?;
            if documents.len() != 1 {
                return Err(format!("{} documents in {yaml}", documents.len()));
            }
            test.diagnosis = documents.pop();
        }
        tests.push(test);
    }
    if tests.len() != plan {
        return Err(format!("{} tests, but the plan is {plan}", tests.len()));
    }
    Ok(tests)
}

fn test_line(line: &str, number: usize) -> Result<Test, String> {
    let (ok, rest) = match line.strip_prefix("not ok ") {
        Some(rest) => (false, rest),
        None => (
            true,
            line.strip_prefix("ok ")
                .ok_or(format!("no test line: {line:?}"))?,
        ),
    };
    let rest = rest
        .strip_prefix(&format!("{number} - "))
        .ok_or(format!("not numbered {number}: {line:?}"))?;
    // The first number sign with a space before it and no backslash begins the directive.
    let mut description = String::new();
    let mut characters = rest.chars();
    let mut directive = None;
    while let Some(c) = characters.next() {
        match c {
            '\\' => match characters.next() {
                Some(escaped @ ('\\' | '#')) => description.push(escaped),
                other => return Err(format!("escaped {other:?} in {line:?}")),
            },
            '#' => {
                let words = characters.as_str().trim();
                let (word, reason) = words.split_once(' ').unwrap_or((words, ""));
                if !["SKIP", "TODO"].contains(&word) {
                    return Err(format!("unknown directive {word:?} in {line:?}"));
                }
                directive = Some((word.to_owned(), reason.to_owned()));
                break;
            }
            c => description.push(c),
        }
    }
    Ok(Test {
        ok,
        description: description.trim_end().to_owned(),
        directive,
        diagnosis: None,
    })
}
