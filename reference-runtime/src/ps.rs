//! `ps`: the processes of a container, as numbers or as the table of ps(1).

use crate::cli::ListFormat;
use crate::error::{CallContext, Error, Result};
use crate::members;
use crate::output;
use crate::state::Container;
use crate::store::Store;
use std::process::{Command, ExitCode, Stdio};

/// The command. With a table, the exit code is that of ps(1).
pub(crate) fn ps(
    store: &Store,
    id: &str,
    format: ListFormat,
    options: &[String],
) -> Result<ExitCode> {
    let container = Container::load(store.open(id)?)?;
    let pids = members::processes(&container)?;
    if format == ListFormat::Json {
        output::line(serde_json::json!(pids))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut command = Command::new("ps");
    if options.is_empty() {
        command.arg("-ef");
    }
    let table = command
        .args(options)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .call(|| "execvp(\"ps\")")?;
    if !table.status.success() {
        return Ok(ExitCode::from(table.status.code().unwrap_or(1) as u8));
    }
    output::line(select(&String::from_utf8_lossy(&table.stdout), &pids)?)?;
    Ok(ExitCode::SUCCESS)
}

/// The head of the table, and its rows about these processes.
fn select(table: &str, pids: &[i32]) -> Result<String> {
    let mut lines = table.lines();
    let head = lines.next().unwrap_or_default();
    let column = head
        .split_whitespace()
        .position(|title| title == "PID")
        .ok_or_else(|| Error::new("the table of ps(1) has no column PID"))?;
    let about = |line: &&str| {
        let field = line.split_whitespace().nth(column);
        field
            .and_then(|field| field.parse().ok())
            .is_some_and(|pid| pids.contains(&pid))
    };
    let rows = [head].into_iter().chain(lines.filter(about));
    Ok(rows.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_chosen_by_the_column_of_the_pid() {
        let table = "USER   PID COMMAND\nroot     7 12\nroot    12 sh\n";
        assert_eq!(
            select(table, &[12]).unwrap(),
            "USER   PID COMMAND\nroot    12 sh"
        );
        assert_eq!(select(table, &[]).unwrap(), "USER   PID COMMAND");
        assert!(select("USER COMMAND\n", &[1]).is_err());
    }
}
