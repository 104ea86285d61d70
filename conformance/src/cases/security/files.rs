//! Symbolic links of the image where the runtime covers, makes or enters something.

use serde_json::{Value, json};

use super::links::without_dev;
use super::{contents, dare, for_each_lure, link, outside, seen, untouched};
use crate::case::{Case, Need};
use crate::cases::mounts::source::{make, put};
use crate::trial::{Stop, Trial};

pub(in crate::cases) const CASES: &[Case] = &[
    Case {
        id: "security/masked-path/a-link-is-covered-inside-the-root",
        judges: &["security.masked-path.escape"],
        needs: &[],
        run: |trial| {
            let clause = "security.masked-path.escape";
            let outside = linked_file(trial, "secret", "the image's secret")?;
            put(&trial.rootfs().join("plain"), "the image's secret")?;
            trial.set("/linux/maskedPaths", json!(["/secret", "/plain"]));
            trial.probe(&["read", "/secret", "then", "read", "/plain"]);
            let lines = dare(trial)?;
            let [link, plain] =
                ["/secret", "/plain"].map(|path| seen(lines.as_deref(), "read", path));
            // A runtime that masks nothing breaks another clause.
            let holds = link != "the image's secret" || plain == "the image's secret";
            let observed = json!({"link": link, "file": plain});
            let says = "refused, or what the link means inside is masked as a plain file is";
            trial.expect_that(clause, holds, says, observed)?;
            trial.expect_in(
                clause,
                "what is outside of the root",
                untouched(),
                contents(&outside),
            )
        },
    },
    Case {
        id: "security/readonly-path/a-link-is-covered-inside-the-root",
        judges: &["security.readonly-path.escape"],
        needs: &[],
        run: |trial| {
            let clause = "security.readonly-path.escape";
            let outside = linked_file(trial, "settings", "the image's settings")?;
            let root = trial.rootfs();
            put(&root.join("plain"), "the image's settings")?;
            trial.set("/linux/readonlyPaths", json!(["/settings", "/plain"]));
            trial.probe(&[
                "write",
                "/settings",
                "changed",
                "then",
                "write",
                "/plain",
                "changed",
            ]);
            dare(trial)?;
            let text = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_default();
            let (link, plain) = (text("outside/kept"), text("plain"));
            // What is written covers the beginning of what was there.
            let kept = "the image's settings";
            let holds = link == kept || plain != kept;
            let observed = json!({"link": link, "file": plain});
            let says = "refused, or what the link means inside is read-only as a plain file is";
            trial.expect_that(clause, holds, says, observed)?;
            // The file outside is the host's to write.
            put(&outside.join("kept"), "kept")?;
            trial.expect_in(
                clause,
                "what is outside of the root",
                untouched(),
                contents(&outside),
            )
        },
    },
    Case {
        id: "security/masked-path/is-not-covered-with-what-dev-null-links-to",
        judges: &["security.masked-path.symlink"],
        needs: &[],
        run: |trial| {
            let clause = "security.masked-path.symlink";
            let root = trial.rootfs();
            put(&root.join("secret"), "secret")?;
            put(&root.join("victim"), "victim")?;
            link("/victim", &root.join("dev/null"))?;
            without_dev(trial);
            trial.set("/linux/maskedPaths", json!(["/secret"]));
            trial.probe(&["read", "/secret", "then", "write", "/secret", "changed"]);
            let lines = dare(trial)?;
            let observed = seen(lines.as_deref(), "read", "/secret");
            let says = "refused, or the link's target is not read at the masked path";
            trial.expect_that(clause, observed != "victim", says, observed)?;
            let victim = std::fs::read_to_string(root.join("victim")).unwrap_or_default();
            // Some runtimes open the container's /dev/null for its standard streams, so that what the
            // probe prints lands in that file, too: another matter, and not at its start once the
            // write has been there.
            let says =
                "what is written to the masked path is not at the start of the link's target";
            trial.expect_that(clause, !victim.starts_with("changed"), says, victim)
        },
    },
    Case {
        id: "security/console/is-not-mounted-on-what-a-link-points-to",
        judges: &["security.console.symlink"],
        needs: &[Need::Root],
        run: console,
    },
    Case {
        id: "security/cwd/a-missing-one-behind-a-link-is-not-made-on-the-host",
        judges: &["security.cwd.symlink.host-untouched"],
        needs: &[],
        run: |trial| {
            let outside = outside(trial)?;
            for_each_lure(trial, &outside, |trial, lure| {
                lure.lay(&trial.rootfs(), "lure")?;
                trial.set("/process/cwd", "/lure/made");
                dare(trial)?;
                let what = format!("{} link: what is outside of the root", lure.name);
                let clause = "security.cwd.symlink.host-untouched";
                trial.expect_in(clause, &what, untouched(), contents(&outside))
            })
        },
    },
    Case {
        id: "security/devices/a-node-behind-a-link-is-not-made-on-the-host",
        judges: &["security.device-path.symlink.confined"],
        needs: &[Need::Root],
        run: |trial| {
            let outside = outside(trial)?;
            for_each_lure(trial, &outside, |trial, lure| {
                lure.lay(&trial.rootfs(), "lure")?;
                trial.set("/linux/devices", json!([
                    {"path": "/lure/node", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666},
                    {"path": "/lure/made/node", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666},
                ]));
                dare(trial)?;
                let what = format!("{} link: what is outside of the root", lure.name);
                let clause = "security.device-path.symlink.confined";
                trial.expect_in(clause, &what, untouched(), contents(&outside))
            })
        },
    },
];

/// Makes `name` in the root a link to the file `kept` outside, and the file that it means inside.
fn linked_file(trial: &mut Trial<'_>, name: &str, text: &str) -> Result<std::path::PathBuf, Stop> {
    let outside = outside(trial)?;
    let within = trial.rootfs().join("outside");
    make(&within)?;
    put(&within.join("kept"), text)?;
    link("../../outside/kept", &trial.rootfs().join(name))?;
    Ok(outside)
}

/// With a terminal and nothing mounted at /dev, the image decides what /dev/console is.
fn console(trial: &mut Trial<'_>) -> Result<(), Stop> {
    let clause = "security.console.symlink";
    let outside = outside(trial)?;
    let root = trial.rootfs();
    put(&root.join("victim"), "victim")?;
    link("/victim", &root.join("dev/console"))?;
    without_dev(trial);
    trial.set("/process/terminal", true);
    trial.probe(&["observe", "path=/victim"]);
    let (exit, terminal) = trial.create_with_terminal()?;
    let observed = match (exit.succeeded(), terminal) {
        (false, _) => json!("refused"),
        (true, None) => {
            trial.give_up()?;
            json!("refused")
        }
        (true, Some(mut terminal)) => {
            if trial.start()?.succeeded() {
                let lines = trial.read_terminal(&mut terminal, "observe")?;
                trial.wait_exit()?;
                trial.must_delete()?;
                let kind =
                    super::world(&lines).and_then(|world| world.files.get("/victim").cloned());
                json!(kind.map(|file| file.kind))
            } else {
                trial.give_up()?;
                json!("refused")
            }
        }
    };
    let holds = [Value::from("refused"), Value::from("file")].contains(&observed);
    trial.expect_that(
        clause,
        holds,
        "refused, or the link's target is still a file",
        observed,
    )?;
    trial.expect_in(
        clause,
        "what is outside of the root",
        untouched(),
        contents(&outside),
    )
}
