//! `oci-validate` as people and CI call it: paths, exit codes, formats, fixes.

mod program;

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use program::{BROKEN, GOOD, Place, STATE, WARNED, is_root};

#[test]
fn a_good_document_is_exit_code_0() {
    let place = Place::new();
    place.write("config.json", GOOD);
    let run = place.run(["config.json"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.out, "1 file judged: nothing found\n");
    assert_eq!(run.err, "");
}

#[test]
fn a_finding_is_exit_code_1() {
    let place = Place::new();
    place.write("x.json", BROKEN);
    let run = place.run(["x.json"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.out.starts_with("error[schema/type]: "), "{}", run.out);
    assert!(run.out.contains("--> x.json:1:44\n"), "{}", run.out);
    assert!(
        run.out
            .contains("= clause: config.root.path.field (MUST), config.md, Root")
    );
    assert!(run.out.contains("1 file judged: 1 error\n"), "{}", run.out);
}

#[test]
fn fail_on_decides_what_fails() {
    let place = Place::new();
    place.write("x.json", WARNED);
    for (least, code) in [("error", 0), ("warning", 1), ("note", 1)] {
        assert_eq!(
            place.run(["--fail-on", least, "x.json"]).code,
            code,
            "{least}"
        );
    }
}

#[test]
fn notes_are_counted_and_shown_to_who_asks() {
    let place = Place::new();
    let noted = r#"{"ociVersion": "1.3.0", "root": {"path": "elsewhere"}}"#;
    place.write("x.json", noted);
    for (flags, shown) in [
        (&[][..], false),
        (&["--notes"], true),
        (&["--fail-on", "warning"], false),
        (&["--fail-on", "note"], true),
    ] {
        let run = place.run([flags, &["x.json"]].concat());
        assert_eq!(
            run.out.contains("note[root/conventional-name]"),
            shown,
            "{flags:?}"
        );
        assert_eq!(run.out.contains("`--notes` shows"), !shown, "{flags:?}");
        assert!(run.out.contains("1 file judged: 1 note\n"), "{}", run.out);
    }
}

#[test]
fn features_may_come_through_a_pipe() {
    let place = Place::new();
    place.write(
        "x.json",
        r#"{"ociVersion": "1.1.0", "root": {"path": "rootfs"}}"#,
    );
    let features = br#"{"ociVersionMin": "1.0.0", "ociVersionMax": "1.0.2"}"#;
    let run = place.run_with(["--features", "/dev/stdin", "x.json"], features);
    assert!(run.out.contains("[runtime/"), "{} {}", run.out, run.err);
    assert_eq!(place.run(["--features", "/dev/zero", "x.json"]).code, 2);
}

#[test]
fn standard_input_is_a_document() {
    let place = Place::new();
    let run = place.run_with(["-"], BROKEN.as_bytes());
    assert_eq!(run.code, 1);
    assert!(run.out.contains("--> <stdin>:1:44\n"), "{}", run.out);
    assert_eq!(place.run_with(["-"], STATE.as_bytes()).code, 0);
    assert_eq!(place.run_with(["-", "-"], b"").code, 2);
    assert_eq!(place.run_with(["--kind", "bundle", "-"], b"").code, 2);
    // Nothing at all is no JSON, and a finding.
    assert_eq!(place.run_with(["-"], b"").code, 1);
}

#[test]
fn without_a_path_the_current_directory_is_judged_if_it_is_a_bundle() {
    let place = Place::new();
    let run = place.run([]);
    assert_eq!(run.code, 2);
    assert!(
        run.err.contains("no config.json in the current directory"),
        "{}",
        run.err
    );
    assert_eq!(run.out, "");
    place.write("config.json", GOOD);
    place.directory("rootfs");
    let run = place.run(["--format", "json"]);
    assert_eq!(run.code, 0, "{run:?}");
    let file = &run.json()["files"][0];
    assert_eq!(
        (&file["path"], &file["kind"]),
        (&"config.json".into(), &"bundle".into())
    );
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let place = Place::new();
    place.write("x.json", GOOD);
    for arguments in [
        &["--no-such-option"][..],
        &["--kind", "image", "x.json"],
        &["--spec-version", "0.9.0", "x.json"],
        &["--spec-version", "1.0.9", "x.json"],
        &["--profile", "fast", "x.json"],
        &["--features", "missing.json", "x.json"],
        &["--features", "x.json", "x.json"],
        &["explain", "no/such-rule"],
        &["schema", "image"],
    ] {
        let run = place.run(arguments.iter().copied());
        assert_eq!(run.code, 2, "{arguments:?}: {run:?}");
        assert_eq!(run.out, "", "{arguments:?}");
        assert!(run.err.starts_with("error: "), "{arguments:?}: {}", run.err);
    }
}

#[test]
fn what_cannot_be_read_is_told_and_all_else_judged() {
    let place = Place::new();
    place.write("x.json", BROKEN);
    place.write("file", "");
    place.directory("empty");
    let run = place.run(["missing.json", "x.json", "file/below.json", "/dev/null"]);
    assert_eq!(run.code, 2);
    assert!(
        run.err
            .contains("error: missing.json: No such file or directory"),
        "{}",
        run.err
    );
    assert!(
        run.err.contains("error: file/below.json: Not a directory"),
        "{}",
        run.err
    );
    assert!(
        run.err
            .contains("error: /dev/null: a device, not a regular file"),
        "{}",
        run.err
    );
    assert!(run.out.contains("--> x.json:"), "{}", run.out);
    assert!(
        run.out.contains("1 file judged: 1 error; 3 not judged\n"),
        "{}",
        run.out
    );
}

#[test]
fn files_without_permission_are_unreadable() {
    let place = Place::new();
    place.write("x.json", GOOD);
    place.write("secret.json", GOOD);
    place.mode("secret.json", 0o000);
    place.directory("closed");
    place.mode("closed", 0o000);
    let run = if is_root() {
        place.mode(".", 0o755);
        place.run_as_nobody(["x.json", "secret.json", "closed"])
    } else {
        place.run(["x.json", "secret.json", "closed"])
    };
    place.mode("closed", 0o755);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(
        run.err.contains("error: secret.json: Permission denied"),
        "{}",
        run.err
    );
    assert!(
        run.err.contains("error: closed: Permission denied"),
        "{}",
        run.err
    );
    assert!(
        run.out
            .contains("1 file judged: nothing found; 2 not judged"),
        "{}",
        run.out
    );
}

#[test]
fn pipes_and_sockets_are_never_waited_for() {
    let place = Place::new();
    place.fifo("pipe.json");
    let _socket = UnixListener::bind(place.path("socket.json")).unwrap();
    symlink("pipe.json", place.path("link.json")).unwrap();
    let run = place.run(["pipe.json", "socket.json", "link.json"]);
    assert_eq!(run.code, 2);
    assert!(
        run.err.contains("pipe.json: a pipe, not a regular file"),
        "{}",
        run.err
    );
    assert!(
        run.err
            .contains("socket.json: a socket, not a regular file"),
        "{}",
        run.err
    );
    assert!(
        run.err.contains("link.json: a pipe, not a regular file"),
        "{}",
        run.err
    );
    // Met on a walk they are left out, as is a bundle's configuration that is none.
    place.directory("bundle");
    place.fifo("bundle/config.json");
    let run = place.run(["."]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.out.contains("0 files judged: nothing found; 4 skipped"),
        "{}",
        run.out
    );
    assert_eq!(run.err, "warning: there was no document to judge\n");
    let run = place.run(["bundle"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(
        run.err.contains("bundle/config.json: a pipe"),
        "{}",
        run.err
    );
}

#[test]
fn a_binary_is_a_finding() {
    let place = Place::new();
    let program = fs::read("/proc/self/exe").unwrap();
    fs::write(
        place.path("program"),
        &program[..program.len().min(1 << 20)],
    )
    .unwrap();
    let run = place.run(["program"]);
    assert_eq!(run.code, 1);
    assert!(run.out.contains("error[syntax/binary]: "), "{}", run.out);
    assert!(run.out.len() < 1000, "{}", run.out);
}

#[test]
fn a_file_of_1_gib_is_a_finding_and_not_read() {
    let place = Place::new();
    let file = fs::File::create(place.path("huge.json")).unwrap();
    file.set_len(1 << 30).unwrap();
    // Reading it would need more memory than this.
    let run = place.run_limited(["huge.json"], 256 << 20);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.out.contains("error[syntax/limit]: "), "{}", run.out);
    assert!(run.out.contains("--> huge.json\n"), "{}", run.out);
}

#[test]
fn a_file_whose_size_says_nothing_is_read_to_its_end() {
    let place = Place::new();
    let run = place.run(["/proc/self/status"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(
        run.out.contains("--> /proc/self/status:1:1\n"),
        "{}",
        run.out
    );
    assert!(
        run.out.contains("1 | Name:    oci-validate\n"),
        "{}",
        run.out
    );
}

#[test]
fn endless_standard_input_is_a_finding() {
    let place = Place::new();
    let zero = fs::File::open("/dev/zero").unwrap();
    let output = place.command(["-"]).stdin(zero).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains("error[syntax/limit]: "), "{out}");
}

#[test]
fn directories_are_walked_by_name_and_without_following_links() {
    let place = Place::new();
    for name in [
        "b/2.json",
        "b/10.json",
        "a/z/deep.json",
        "c.json",
        "a.json",
        "other.txt",
    ] {
        place.write(name, BROKEN);
    }
    place.write("a/package.json", r#"{"name": "x"}"#);
    place.write("a/broken.json", "{");
    symlink(place.path("b"), place.path("a/link")).unwrap();
    symlink(place.path("c.json"), place.path("a/link.json")).unwrap();
    let run = place.run(["--format", "json", "."]);
    assert_eq!(run.code, 1);
    let expected = [
        "a/broken.json",
        "a/z/deep.json",
        "a.json",
        "b/10.json",
        "b/2.json",
        "c.json",
    ];
    assert_eq!(run.paths(), expected);
    assert_eq!(run.json()["summary"]["skipped"], 2);
    // The order is that of the command line, each path judged as often as it is named.
    let run = place.run(["--format", "json", "c.json", "b", "a.json", "c.json"]);
    assert_eq!(
        run.paths(),
        ["c.json", "b/10.json", "b/2.json", "a.json", "c.json"]
    );
}

#[test]
fn what_is_no_document_is_an_error_when_it_is_named() {
    let place = Place::new();
    place.write("package.json", r#"{"name": "x"}"#);
    let run = place.run(["package.json"]);
    assert_eq!(run.code, 1);
    assert!(
        run.out.contains("error[document/recognised]"),
        "{}",
        run.out
    );
    // A kind that is told is believed.
    let run = place.run(["--kind", "config", "."]);
    assert_eq!(run.code, 1);
    assert!(run.out.contains("schema/required"), "{}", run.out);
}

#[test]
fn bundles_are_found_on_a_walk_and_their_root_is_left_alone() {
    let place = Place::new();
    place.write("all/one/config.json", GOOD);
    place.write("all/one/rootfs/x.json", BROKEN);
    place.write("all/two/config.json", BROKEN);
    // This one is somebody else's configuration.
    place.write("all/three/config.json", r#"{"auths": {}}"#);
    place.write("all/three/state.json", STATE);
    place.write("all/three/deeper/config.json", GOOD);
    place.directory("all/three/deeper/rootfs");
    let run = place.run(["--format", "json", "all"]);
    assert_eq!(
        run.paths(),
        [
            "all/one/config.json",
            "all/three/deeper/config.json",
            "all/three/state.json",
            "all/two/config.json"
        ]
    );
    let kinds: Vec<_> = run
        .files()
        .iter()
        .map(|file| file["kind"].clone())
        .collect();
    assert_eq!(kinds, ["bundle", "bundle", "state", "bundle"]);
    assert_eq!(run.json()["summary"]["skipped"], 1);
}

#[test]
fn a_bundle_can_be_asked_for() {
    let place = Place::new();
    place.write("b/config.json", GOOD);
    place.directory("b/rootfs");
    place.write("other/x.json", GOOD);
    for path in ["b", "b/", "b/config.json"] {
        let run = place.run(["--kind", "bundle", "--format", "json", path]);
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(run.paths(), ["b/config.json"]);
        assert_eq!(run.files()[0]["kind"], "bundle");
    }
    let run = place.run(["--kind", "bundle", "other/x.json"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(
        run.err
            .contains("other/x.json: neither a bundle nor its config.json"),
        "{}",
        run.err
    );
    // Without config.json a directory is none, which is a finding about what was said to be one.
    let run = place.run(["--kind", "bundle", "--format", "json", "other"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(run.rules(), ["bundle/config-file"]);
    assert_eq!(place.run(["explain", "bundle/config-file"]).code, 0);
    // As a document alone it is not held to what lies beside it.
    let run = place.run(["--format", "json", "b/config.json"]);
    assert_eq!(run.files()[0]["kind"], "config");
}

#[test]
fn many_files_are_told_in_order_and_all_of_them() {
    let place = Place::new();
    let names: Vec<String> = (0..500).map(|number| format!("{number:04}.json")).collect();
    for (number, name) in names.iter().enumerate() {
        place.write(name, if number % 7 == 0 { BROKEN } else { GOOD });
    }
    let run = place.run(["--format", "json", "."]);
    assert_eq!(run.code, 1);
    assert_eq!(run.paths(), names);
    let summary = &run.json()["summary"];
    assert_eq!(
        (&summary["files"], &summary["errors"]),
        (&500.into(), &72.into())
    );
}

#[test]
fn long_reports_wait_for_their_turn() {
    let place = Place::new();
    let long = "x".repeat(200);
    let unknown: String = (0..600)
        .map(|number| format!(", \"{number}-{long}\": 1"))
        .collect();
    let names: Vec<String> = (0..30).map(|number| format!("{number:02}.json")).collect();
    for name in &names {
        place.write(name, &GOOD.replace("]}}", &format!("]}}{unknown}}}")));
    }
    let run = place.run(["--format", "json", "."]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(run.paths(), names);
    // More than what may wait.
    assert!(run.out.len() > 8 << 20, "{}", run.out.len());
    assert_eq!(run.json()["summary"]["warnings"], 600 * 30);
}

#[test]
fn the_version_can_be_set() {
    let place = Place::new();
    place.write(
        "x.json",
        r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "domainname": "d"}"#,
    );
    let run = place.run(["--format", "json", "--spec-version", "1.0.2", "x.json"]);
    assert_eq!(run.files()[0]["spec"], "1.0.2");
    assert_eq!(run.rules(), ["schema/newer-property"]);
    let run = place.run(["--format", "json", "x.json"]);
    assert_eq!(run.files()[0]["spec"], "1.3.0");
}

#[test]
fn configurations_are_held_to_what_a_runtime_can() {
    let place = Place::new();
    place.write(
        "features.json",
        r#"{"ociVersionMin": "1.0.0", "ociVersionMax": "1.1.0"}"#,
    );
    place.write("x.json", GOOD);
    let run = place.run(["--features", "features.json", "x.json"]);
    assert!(run.code <= 1 && run.err.is_empty(), "{run:?}");
    place.write("broken.json", "{");
    let run = place.run(["--features", "broken.json", "x.json"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(
        run.err.contains("broken.json: no features document"),
        "{}",
        run.err
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::new();
    for number in 0..300 {
        place.write(&format!("{number}.json"), BROKEN);
    }
    let mut child = place
        .command(["."])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 1];
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut first).unwrap();
    drop(out);
    let output = child.wait_with_output().unwrap();
    // What was found is still what the exit code says.
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn output_that_cannot_be_written_is_no_success() {
    let place = Place::new();
    place.write("x.json", GOOD);
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = place.command(["x.json"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(
        err.contains("standard output: No space left on device"),
        "{err}"
    );
}

#[test]
fn colour_is_for_terminals_and_who_asks_for_it() {
    let place = Place::new();
    place.write("x.json", BROKEN);
    let coloured = |name: &str, value: &str| {
        let output = place.command(["x.json"]).env(name, value).output().unwrap();
        output.stdout.contains(&0x1b)
    };
    assert!(!coloured("UNRELATED", "1"));
    assert!(coloured("CLICOLOR_FORCE", "1"));
    assert!(!coloured("NO_COLOR", "1"));
}

#[test]
fn hostile_text_steers_nothing() {
    let place = Place::new();
    let name = "evil\x1b[2J\n::error::\u{202e}name.json";
    let text = "{\"ociVersion\": \"1.3.0\", \"\u{1b}[31m\\u001b[2J\\n::error::x \u{202e}##[group]\": 1, \
                \"root\": {\"path\": \"\u{9b}2J\\r\\n::set-env\", \"readonly\": \"\u{202e}\"}}";
    place.write(name, text);
    let missing = format!("{name}.missing");
    for format in ["human", "json", "sarif", "junit", "github"] {
        let run = place.run(["--format", format, name, &missing]);
        assert_eq!(run.code, 2, "{format}: {run:?}");
        for stream in [&run.out, &run.err] {
            let hostile = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!stream.contains(hostile), "{format}: {stream:?}");
            for line in stream.lines() {
                let begun = line.trim_start().starts_with("::") && !line.contains("title=");
                assert!(!begun, "{format}: {line}");
                assert!(
                    !line.contains("::set-env\n") && !line.contains("##["),
                    "{format}: {line}"
                );
            }
        }
    }
}

#[test]
fn fix_mends_what_is_certain_and_keeps_the_rest() {
    let place = Place::new();
    let before =
        "{\r\n\t\"ociVersion\" :\"1.3.0\",\r\n  \"root\": {\"path\": \"rootfs\",},\r\n}  \r\n";
    place.write("x.json", before);
    place.mode("x.json", 0o640);
    let run = place.run(["--fix", "x.json"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.out
            .starts_with("fixed[syntax/trailing-comma]: x.json:3:28: removed `,`")
    );
    assert!(
        run.out.contains("1 file judged: nothing found; 2 fixed"),
        "{}",
        run.out
    );
    let after = before.replace(",}", "}").replace("},\r\n}", "}\r\n}");
    assert_eq!(place.read("x.json"), after);
    let metadata = fs::metadata(place.path("x.json")).unwrap();
    assert_eq!(metadata.mode() & 0o7777, 0o640);
    assert_eq!(fs::read_dir(place.path(".")).unwrap().count(), 1);
    // A second time there is nothing to do, and nothing is written.
    let run = place.run(["--fix", "x.json"]);
    assert_eq!(run.out, "1 file judged: nothing found\n");
    assert_eq!(
        fs::metadata(place.path("x.json")).unwrap().ino(),
        metadata.ino()
    );
}

#[test]
fn every_format_leaves_word_of_what_was_fixed() {
    for format in ["human", "json", "sarif", "junit", "github"] {
        let place = Place::new();
        place.write(
            "x.json",
            r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"},}"#,
        );
        let run = place.run(["--fix", "--format", format, "x.json"]);
        assert_eq!(run.code, 0, "{format}: {run:?}");
        let told = run.out.clone() + &run.err;
        assert!(told.contains("syntax/trailing-comma"), "{format}: {run:?}");
        let on_stderr = !["human", "json"].contains(&format);
        assert_eq!(!run.err.is_empty(), on_stderr, "{format}: {run:?}");
    }
}

#[test]
fn fix_keeps_the_owner() {
    if !is_root() {
        eprintln!("only root can give a file to somebody else");
        return;
    }
    let place = Place::new();
    place.write(
        "x.json",
        r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"},}"#,
    );
    std::os::unix::fs::chown(place.path("x.json"), Some(1234), Some(4321)).unwrap();
    place.mode("x.json", 0o604);
    assert_eq!(place.run(["--fix", "x.json"]).code, 0);
    let after = fs::metadata(place.path("x.json")).unwrap();
    assert_eq!(
        (after.uid(), after.gid(), after.mode() & 0o7777),
        (1234, 4321, 0o604)
    );
}

#[test]
fn fix_does_not_write_through_links() {
    let place = Place::new();
    let before = r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"},}"#;
    place.write("x.json", before);
    symlink("x.json", place.path("link.json")).unwrap();
    let run = place.run(["--fix", "link.json"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(
        run.err
            .contains("link.json: not mended: it is a symbolic link"),
        "{}",
        run.err
    );
    assert!(run.out.contains("syntax/trailing-comma"), "{}", run.out);
    assert_eq!(place.read("x.json"), before);
    assert!(
        fs::symlink_metadata(place.path("link.json"))
            .unwrap()
            .is_symlink()
    );
}

#[test]
fn fix_tells_what_it_cannot_write() {
    let place = Place::new();
    let before = r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"},}"#;
    place.write("d/x.json", before);
    place.mode("d", 0o555);
    let run = if is_root() {
        place.mode(".", 0o755);
        place.run_as_nobody(["--fix", "d/x.json"])
    } else {
        place.run(["--fix", "d/x.json"])
    };
    place.mode("d", 0o755);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(
        run.err.contains("d/x.json: not mended: Permission denied"),
        "{}",
        run.err
    );
    assert_eq!(place.read("d/x.json"), before);
}

#[test]
fn fix_prints_standard_input_mended() {
    let place = Place::new();
    let run = place.run_with(
        ["--fix", "-"],
        br#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"},}"#,
    );
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(
        run.out,
        r#"{"ociVersion": "1.3.0", "root": {"path": "rootfs"}}"#
    );
    assert!(
        run.err
            .contains("fixed[syntax/trailing-comma]: <stdin>:1:51"),
        "{}",
        run.err
    );
    let run = place.run_with(["--fix", "-"], BROKEN.as_bytes());
    assert_eq!((run.code, run.out.as_str()), (1, BROKEN));
}

#[test]
fn fix_writes_over_invalid_utf8_only_where_it_mends() {
    let place = Place::new();
    let before = b"{\"ociVersion\": \"1.3.0\", \"root\": {\"path\": \"\xff\"},}";
    fs::write(place.path("x.json"), before).unwrap();
    assert_eq!(place.run(["--fix", "x.json"]).code, 1);
    let after = fs::read(place.path("x.json")).unwrap();
    assert_eq!(
        after,
        b"{\"ociVersion\": \"1.3.0\", \"root\": {\"path\": \"\xff\"}}"
    );
}

#[test]
fn rules_and_clauses_are_explained() {
    let place = Place::new();
    let run = place.run(["explain", "schema/required"]);
    assert_eq!(run.code, 0);
    assert!(run.out.starts_with("schema/required\n"), "{}", run.out);
    assert!(run.out.contains("\nRejected:\n"), "{}", run.out);
    let run = place.run(["explain", "config.root.path.field"]);
    assert!(
        run.out
            .contains("Judged by:\n  the schema config: root.path\n"),
        "{}",
        run.out
    );
    let run = place.run(["explain", "schema/requird"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert!(
        run.err.contains("did you mean schema/required?"),
        "{}",
        run.err
    );
}

#[test]
fn rules_are_listed() {
    let place = Place::new();
    let table = place.run(["rules"]).out;
    let json = place.run(["rules", "--format", "json"]).json();
    let markdown = place.run(["rules", "--format", "markdown"]).out;
    let rules = json["rules"].as_array().unwrap();
    assert_eq!(rules.len(), oci_validator::rules::all().count());
    for rule in rules {
        let id = rule["id"].as_str().unwrap();
        assert!(
            table.lines().any(|line| line.split(' ').next() == Some(id)),
            "{id}"
        );
        assert!(markdown.contains(&format!("### `{id}`\n")), "{id}");
    }
    for (clause, _) in oci_validator::rules::UNJUDGED {
        assert!(markdown.contains(&format!("- `{clause}`: ")), "{clause}");
    }
}

#[test]
fn a_path_may_have_the_name_of_a_command() {
    let place = Place::new();
    place.write("rules", BROKEN);
    for arguments in [&["./rules"][..], &["--", "rules"]] {
        let run = place.run(arguments.iter().copied());
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.out.contains("schema/type"), "{}", run.out);
    }
}

#[test]
fn schemas_are_printed() {
    let place = Place::new();
    for kind in [
        "config",
        "state",
        "features",
        "process",
        "resources",
        "seccomp",
    ] {
        let schema = place.run(["schema", kind]).json();
        jsonschema::meta::validate(&schema).unwrap();
        let instance: serde_json::Value = serde_json::from_str("[]").unwrap();
        assert!(
            !jsonschema::validator_for(&schema)
                .unwrap()
                .is_valid(&instance),
            "{kind}"
        );
    }
}

#[test]
fn completions_and_the_manual_are_generated() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = place.run(["completions", shell]);
        assert_eq!(run.code, 0);
        assert!(run.out.contains("fail-on"), "{shell}");
    }
    let manual = place.run(["man"]).out;
    for part in [
        ".TH oci-validate 1",
        ".SH COMMANDS",
        "oci\\-validate explain",
        ".SH EXIT STATUS",
    ] {
        assert!(manual.contains(part), "{part}");
    }
}

#[test]
fn the_first_document_is_told_before_the_last_is_read() {
    let place = Place::new();
    place.write("a.json", BROKEN);
    // The writing end stays open: what would be read after the first document never ends.
    let mut child = place
        .command(["a.json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 10];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut first)
        .unwrap();
    assert_eq!(&first, b"error[sche");
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn the_library_needs_no_program() {
    // What refrun links must not bring the command line of this program with it.
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--no-default-features",
            "-e",
            "normal",
            "--prefix",
            "none",
        ])
        .args(["-p", "oci-validator", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(
        tree.starts_with("oci-validator "),
        "{output:?}",
        output = output.stderr
    );
    for program in ["clap", "annotate-snippets", "anstream"] {
        assert!(
            !tree.lines().any(|line| line.starts_with(program)),
            "{tree}"
        );
    }
}
