//! Text for terminals: wrapped lines and indents.

/// Lines of the program's texts are not longer than this.
const WIDTH: usize = 96;

/// A paragraph, wrapped and indented.
pub(super) fn paragraph(text: &str, indent: &str) -> String {
    let mut out = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let length = indent.len() + line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && length > WIDTH {
            push_line(&mut out, indent, &line);
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        push_line(&mut out, indent, &line);
    }
    out
}

fn push_line(out: &mut String, indent: &str, line: &str) {
    out.push_str(indent);
    out.push_str(line);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_wrapped_at_blanks() {
        let text = "word ".repeat(30);
        let wrapped = paragraph(&text, "    ");
        assert_eq!(wrapped.lines().count(), 2);
        assert!(
            wrapped
                .lines()
                .all(|line| line.len() <= WIDTH && line.starts_with("    word"))
        );
        assert_eq!(paragraph("", "  "), "");
        assert_eq!(paragraph(&"x".repeat(200), ""), "x".repeat(200) + "\n");
    }
}
