//! `oci-validate man`: the manual page, from the declarations of the command line.

use std::io;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::arguments::{Arguments, EXAMPLES, EXIT_CODES, PATHS};

/// The page in roff.
pub(super) fn page() -> String {
    let mut page = Vec::new();
    // Writing to a vector does not fail.
    let _ = write(&mut page);
    String::from_utf8_lossy(&page).into_owned()
}

fn write(out: &mut Vec<u8>) -> io::Result<()> {
    let mut command = Arguments::command();
    // The generator would refer to a page for each command, and knows no sections.
    let sections = [
        commands(&mut command),
        format!(".SH PATHS\n{}\n", escaped(PATHS)),
        list("EXIT STATUS", EXIT_CODES),
        list("EXAMPLES", EXAMPLES),
    ];
    let man = Man::new(command);
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    out.extend_from_slice(sections.concat().as_bytes());
    man.render_version_section(out)
}

fn commands(command: &mut Command) -> String {
    command.build();
    let mut out = ".SH COMMANDS\n".to_owned();
    for command in command.get_subcommands_mut() {
        let usage = command.render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").to_owned();
        let about = command.get_about().map(ToString::to_string);
        out.push_str(&format!(
            ".TP\n\\fB{}\\fR\n{}\n",
            escaped(&usage),
            escaped(&about.unwrap_or_default())
        ));
    }
    out
}

fn list<T: ToString>(title: &str, entries: &[(T, &str)]) -> String {
    let mut out = format!(".SH {title}\n");
    for (entry, meaning) in entries {
        let entry = escaped(&entry.to_string());
        out.push_str(&format!(".TP\n\\fB{entry}\\fR\n{}\n", escaped(meaning)));
    }
    out
}

/// Text that roff takes for nothing else.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}
