//! Names as they are shown to people. A name may hold whatever a file system or a client allowed; shown raw it could move
//! the cursor, clear the screen, or turn the reading direction so that it looks like another one. JSON has names as they
//! are.

use crate::api::typed::is_hidden;

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match is_hidden(c) && !stays(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

/// A name, or any text that is to stay on one line, with every such character written out as in Rust (`\n`, `\u{202e}`).
pub fn on_one_line(text: &str) -> String {
    escaped(text, |_| false)
}

/// A text of several lines, each of them so: the last guard before anything is printed for people.
pub fn line_by_line(text: &str) -> String {
    escaped(text, |c| c == '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_do_something_to_a_terminal_is_written_out() {
        assert_eq!(
            on_one_line("a\u{1b}[2Jb\u{7}\t\u{9b}\u{7f}"),
            r"a\u{1b}[2Jb\u{7}\t\u{9b}\u{7f}"
        );
        assert_eq!(on_one_line("a\r\nb"), r"a\r\nb");
        assert_eq!(line_by_line("a\r\nb"), "a\\r\nb");
    }

    #[test]
    fn what_turns_the_reading_direction_is_written_out() {
        let turning = "\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{200e}\u{200f}\u{202a}\u{61c}\u{2028}";
        let shown = on_one_line(turning);
        assert!(shown.is_ascii(), "{shown}");
        assert_eq!(shown.matches("\\u{").count(), turning.chars().count());
        assert_eq!(line_by_line("invoice\u{202e}fdp.exe"), r"invoice\u{202e}fdp.exe");
    }

    #[test]
    fn names_in_any_script_stay_as_they_are() {
        let names = "Überweisung/報告/تقرير/дом/👩\u{200d}🔬.pdf '\"\\";
        assert_eq!(on_one_line(names), names);
        assert_eq!(line_by_line(names), names);
    }
}
