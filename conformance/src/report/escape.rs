//! Makes text that came from a subject harmless, per format.
//!
//! A subject chooses what it prints, and reports end in terminals, CI logs and web pages. What could
//! steer those is shown, never passed on: a control character as `\x1b`, a character that reorders
//! or hides text as `\u{202e}`. JSON and XML keep the text exact by their own escapes, so that a
//! program reads what the subject wrote. CI services take commands from the lines of a log
//! (`::error::`, `##[group]`, `##vso[…]`, `##teamcity[…]`); no format emits one that came from a
//! subject.

use std::fmt::Write;

/// Whether a character can steer a terminal, or hide or reorder the text around it.
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c),
            0xad | 0x61c | 0x180e          // soft hyphen, Arabic letter mark, Mongolian separator
            | 0x200b..=0x200f              // zero width, left-to-right and right-to-left marks
            | 0x2028..=0x202e              // line and paragraph separators, bidi embeddings
            | 0x2060..=0x206f              // invisible operators, bidi isolates
            | 0xfe00..=0xfe0f              // variation selectors
            | 0xfeff | 0xfff9..=0xfffb     // byte order mark, interlinear annotation
            | 0xfffe | 0xffff              // no characters at all; XML forbids them
            | 0xe0000..=0xe0fff) // tags and further variation selectors
}

/// One line for a terminal: newlines are shown as `\n`, other hostile characters likewise.
pub fn terminal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hostile(c) {
            push_visible(&mut out, c);
        } else {
            out.push(c);
        }
    }
    out
}

/// Text of several lines: line breaks and tabs stay, other hostile characters are shown.
pub fn lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hostile(c) && !matches!(c, '\n' | '\t') {
            push_visible(&mut out, c);
        } else {
            out.push(c);
        }
    }
    out
}

/// One line for a log: as [`terminal`], and nothing that a CI service takes for a command.
pub fn line(text: &str) -> String {
    without_log_commands(terminal(text))
}

/// A JSON document, already serialised: what is hostile can only stand in its strings, where
/// `\u202e` means the same and shows nothing.
pub fn json(document: &str) -> String {
    let mut out = String::with_capacity(document.len());
    let mut units = [0; 2];
    for c in document.chars() {
        // Newlines of the layout are no part of a string, where they would be escaped already.
        if is_hostile(c) && c != '\n' {
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out.replace("##", "#\\u0023")
}

/// A double-quoted scalar of YAML 1.2 on one line. It is nearly JSON, but YAML has no surrogates:
/// `\ud83d` is an error to its readers, so that what is hostile above 0xffff stands as `\U`.
pub fn yaml_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut previous = None;
    for c in text.chars() {
        let _ = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            '\n' => write!(out, "\\n"),
            '\r' => write!(out, "\\r"),
            '\t' => write!(out, "\\t"),
            // The lines are printed to logs, which could take `::` and `##` for commands.
            ':' | '#' if previous == Some(c) => write!(out, "\\x{:02x}", u32::from(c)),
            c if is_hostile(c) && u32::from(c) < 0x100 => write!(out, "\\x{:02x}", u32::from(c)),
            c if is_hostile(c) && u32::from(c) < 0x10000 => write!(out, "\\u{:04x}", u32::from(c)),
            c if is_hostile(c) => write!(out, "\\U{:08x}", u32::from(c)),
            c => write!(out, "{c}"),
        };
        previous = Some(c);
    }
    out.push('"');
    out
}

/// Text or an attribute's value in XML 1.0: characters that XML forbids are shown, the others kept
/// by reference where markup, the normalisation of attributes, a terminal or a CI log would take
/// them for something else.
pub fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut previous = None;
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\r' => push_reference(&mut out, c),
            // In an attribute a literal newline would be read as a space.
            '\n' => push_reference(&mut out, c),
            ':' | '#' if previous == Some(c) => push_reference(&mut out, c),
            c if is_xml(c) && is_hostile(c) => push_reference(&mut out, c),
            c if is_xml(c) => out.push(c),
            c => push_visible(&mut out, c),
        }
        previous = Some(c);
    }
    out
}

/// Text for an element that CI services read beyond XML: GitLab and Jenkins upload the file that
/// `[[ATTACHMENT|PATH]]` names, which no subject may choose.
pub fn without_attachments(text: &str) -> String {
    text.replace("[[", "[\\x5b")
}

/// Text in XML as [`xml`] makes it, with its line breaks left readable.
pub fn xml_lines(text: &str) -> String {
    text.split('\n').map(xml).collect::<Vec<_>>().join("\n")
}

/// What an XML reader gets from [`xml`]: the text with forbidden characters shown.
pub fn xml_reads_as(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_xml(c) {
            out.push(c);
        } else {
            push_visible(&mut out, c);
        }
    }
    out
}

/// Description or reason of a TAP line: one line, with `#` and `\` escaped as TAP 14 asks, so that
/// no directive can be forged.
pub fn tap(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in line(text).chars() {
        if matches!(c, '#' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.trim().to_owned()
}

/// A subject's text in Markdown: code, in which no character is markup.
pub fn markdown(text: &str) -> String {
    format!("<code>{}</code>", markdown_text(text))
}

/// Text in Markdown: every character that Markdown, a table, HTML, a formula or an automatic link
/// could act on stands as a numeric reference, which is never markup.
pub fn markdown_text(text: &str) -> String {
    let shown = line(text);
    let linkable = shown.to_lowercase().contains("www");
    let mut out = String::with_capacity(shown.len());
    for c in shown.chars() {
        let harmless = c.is_ascii_alphanumeric()
            || !c.is_ascii()
            || " /=,-+;?%(){}\"'".contains(c)
            || (c == '.' && !linkable);
        if harmless {
            out.push(c);
        } else {
            push_reference(&mut out, c);
        }
    }
    out
}

/// A command line that a shell reads back as the same arguments.
pub fn shell(arguments: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let quoted = arguments.into_iter().map(|argument| {
        let argument = argument.as_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
        if !argument.is_empty() && argument.chars().all(plain) {
            argument.to_owned()
        } else if argument.chars().any(is_hostile) {
            format!("$'{}'", argument.chars().map(ansi_c).collect::<String>())
        } else {
            format!("'{}'", argument.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// The first `limit` characters, and how many there are if that is not all.
pub fn shortened(text: &str, limit: usize) -> String {
    let length = text.chars().count();
    if length <= limit {
        return text.to_owned();
    }
    let start: String = text.chars().take(limit).collect();
    format!("{start}… ({length} characters)")
}

/// A character of a `$'…'` string of the shell.
fn ansi_c(c: char) -> String {
    match c {
        '\'' | '\\' => format!("\\{c}"),
        '\n' => "\\n".into(),
        c if is_hostile(c) && u32::from(c) < 0x80 => format!("\\x{:02x}", u32::from(c)),
        c if is_hostile(c) => format!("\\U{:08x}", u32::from(c)),
        c => c.into(),
    }
}

fn push_visible(out: &mut String, c: char) {
    let _ = match c {
        '\n' => write!(out, "\\n"),
        '\r' => write!(out, "\\r"),
        '\t' => write!(out, "\\t"),
        c if u32::from(c) < 0x100 => write!(out, "\\x{:02x}", u32::from(c)),
        c => write!(out, "\\u{{{:x}}}", u32::from(c)),
    };
}

fn push_reference(out: &mut String, c: char) {
    let _ = write!(out, "&#{};", u32::from(c));
}

/// GitHub's runner ignores space before `::`, and `##[` acts anywhere in a line, as do the `##`
/// commands of other services.
fn without_log_commands(text: String) -> String {
    if !text.contains("::") && !text.contains("##") {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        // After a word `::` is harmless (`std::fs`), unless a report breaks the line between.
        let begins_word = out
            .chars()
            .next_back()
            .is_none_or(|before| !before.is_alphanumeric());
        if rest.starts_with("::") && begins_word {
            out.push_str("\\x3a:");
            rest = &rest[2..];
        } else if rest.starts_with("##") {
            out.push_str("#\\x23");
            rest = &rest[2..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// Production Char of XML 1.0.
fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_what_would_steer() {
        for (from, to) in [
            ("plain, é and 漢字", "plain, é and 漢字"),
            ("\x1b[2J", "\\x1b[2J"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("\u{9b}31m", "\\x9b31m"),
            ("abc\u{202e}def", "abc\\u{202e}def"),
            ("::error::x", "\\x3a:error::x"),
            (":::x", "\\x3a::x"),
            ("x::y", "x::y"),
            ("##[group]", "#\\x23[group]"),
            ("a # b", "a # b"),
        ] {
            assert_eq!(line(from), to);
        }
    }

    #[test]
    fn shell_quotes_what_needs_it() {
        assert_eq!(
            shell(["/usr/sbin/runc", "--root=/x"]),
            "/usr/sbin/runc --root=/x"
        );
        assert_eq!(shell(["a b", "", "it's"]), r"'a b' '' 'it'\''s'");
        assert_eq!(shell(["\x1b'\n"]), r"$'\x1b\'\n'");
    }

    #[test]
    fn markdown_is_never_markup() {
        assert_eq!(markdown_text("a_b (c) — é"), "a&#95;b (c) — é");
        assert_eq!(markdown("exit 1"), "<code>exit 1</code>");
        assert_eq!(markdown("a|b"), "<code>a&#124;b</code>");
        assert_eq!(markdown("<b>"), "<code>&#60;b&#62;</code>");
        assert_eq!(markdown("www.x.y"), "<code>www&#46;x&#46;y</code>");
        assert_eq!(markdown("http://x"), "<code>http&#58;//x</code>");
    }

    #[test]
    fn long_text_is_cut_with_its_length() {
        assert_eq!(shortened("abc", 3), "abc");
        assert_eq!(shortened("abcd", 3), "abc… (4 characters)");
    }
}
