//! Makes text that came from documents harmless, per format.
//!
//! Whoever writes a document chooses its text and its name, and reports end in terminals, CI logs and
//! web pages. What could steer those is shown, never passed on: a control character as `\x1b`, a
//! character that reorders or hides text as `\u{202e}`. JSON and XML have escapes of their own, so
//! that programs read the text as it is.

use std::fmt::Write;

/// Whether a character can steer a terminal, or hide or reorder the text around it.
pub(crate) fn is_hostile(c: char) -> bool {
    // Nearly all text is this.
    if (' '..='~').contains(&c) {
        return false;
    }
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

/// A character as it is shown in the place of itself.
fn push_visible(out: &mut String, c: char) {
    let _ = match c {
        '\n' => write!(out, "\\n"),
        '\r' => write!(out, "\\r"),
        '\t' => write!(out, "\\t"),
        c if u32::from(c) < 0x100 => write!(out, "\\x{:02x}", u32::from(c)),
        c => write!(out, "\\u{{{:x}}}", u32::from(c)),
    };
}

/// One line for a terminal or a log.
pub(crate) fn terminal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        push_terminal(&mut out, c);
    }
    out
}

/// A character of a line for a terminal or a log. Logs take `##[` for a command wherever it stands.
pub(crate) fn push_terminal(out: &mut String, c: char) {
    if is_hostile(c) || (c == '#' && out.ends_with('#')) {
        push_visible(out, c);
    } else {
        out.push(c);
    }
}

/// Lines for a terminal: line breaks are ours and kept.
pub(crate) fn terminal_lines(text: &str) -> String {
    text.split('\n')
        .map(terminal)
        .collect::<Vec<_>>()
        .join("\n")
}

/// A JSON document, already serialised: what is hostile can only stand in its strings, where
/// `\u202e` means the same and shows nothing. A log takes `##[` for a command wherever it stands.
pub(crate) fn json(document: &str) -> String {
    let mut out = String::with_capacity(document.len());
    let mut units = [0; 2];
    let mut previous = '\0';
    for c in document.chars() {
        if is_hostile(c) && c != '\n' {
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else if c == '#' && previous == '#' {
            out.push_str("\\u0023");
        } else {
            out.push(c);
        }
        previous = c;
    }
    out
}

/// Text or an attribute's value in XML 1.0: characters that XML forbids are shown, the others kept
/// by reference where markup, the normalisation of attributes or a terminal would take them for
/// something else.
pub(crate) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c if is_xml(c) && (is_hostile(c) || (c == '#' && out.ends_with('#'))) => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c if is_xml(c) => out.push(c),
            c => push_visible(&mut out, c),
        }
    }
    out
}

/// Production Char of XML 1.0.
fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// The message of a workflow command.
pub(crate) fn command_data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property of a workflow command.
pub(crate) fn command_property(text: &str) -> String {
    command_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// A path as a reference of RFC 3986: absolute ones with the scheme `file`.
pub(crate) fn uri(path: &std::path::Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut out = String::new();
    if path.is_absolute() {
        out.push_str("file://");
    }
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/+@=,".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_terminal_is_shown_what_would_steer_it() {
        for (from, to) in [
            ("plain, é and 漢字", "plain, é and 漢字"),
            ("\x1b[2J", "\\x1b[2J"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("\u{9b}31m", "\\x9b31m"),
            ("abc\u{202e}def", "abc\\u{202e}def"),
            ("##[group]", "#\\x23[group]"),
            ("a # b", "a # b"),
        ] {
            assert_eq!(terminal(from), to);
        }
        assert_eq!(terminal_lines("a\x07\nb"), "a\\x07\nb");
    }

    #[test]
    fn json_stays_the_same_document() {
        let text = "\x1b[2J \u{202e} \u{e0001} ##[group] \u{7f}";
        let document = json(&serde_json::Value::from(text).to_string());
        assert!(!document.contains(is_hostile), "{document}");
        assert!(!document.contains("##"), "{document}");
        let read: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert_eq!(read, text);
    }

    #[test]
    fn xml_has_no_character_that_it_forbids() {
        assert_eq!(
            xml("<a & 'b'>\u{1b}\u{fffe}"),
            "&lt;a &amp; &apos;b&apos;&gt;\\x1b\\u{fffe}"
        );
        assert_eq!(xml("a\nb\u{202e}"), "a&#10;b&#8238;");
        assert_eq!(xml("##["), "#&#35;[");
    }

    #[test]
    fn workflow_commands_end_where_we_end_them() {
        assert_eq!(command_data("50%\r\n::error::x"), "50%25%0D%0A::error::x");
        assert_eq!(command_property("a:b,c%"), "a%3Ab%2Cc%25");
    }

    #[test]
    fn paths_become_references() {
        assert_eq!(
            uri(Path::new("a b/ü:?#%.json")),
            "a%20b/%C3%BC%3A%3F%23%25.json"
        );
        assert_eq!(uri(Path::new("/x/config.json")), "file:///x/config.json");
    }
}
