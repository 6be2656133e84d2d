//! Text from outside, before anybody sees it.
//!
//! A code in an EHR's answer, a name in an error, a reason that a receiver gives: whatever was not written by us may hold a line break that forges a line of
//! the log, an escape sequence that a terminal obeys, or signs that turn the direction of what stands behind them. So every way out (the log,
//! the reasons in the store, tables, the terminal) passes it through here, and nobody has to think of it where a message is made.

use std::borrow::Cow;
use std::io::{self, Write};

/// The text on one line, with nothing in it that is obeyed instead of shown: each such sign is U+FFFD.
pub fn plain(text: &str) -> Cow<'_, str> {
    if text.contains(is_obeyed) {
        Cow::Owned(text.replace(is_obeyed, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Control characters, line separators, and signs that turn the direction of writing. Joiners are left: names are written with them.
fn is_obeyed(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}'
        )
}

/// A way out that passes lines on, and nothing in them that is obeyed.
pub struct PlainLines<W>(pub W);

impl<W: Write> Write for PlainLines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        for (number, line) in text.split('\n').enumerate() {
            if number > 0 {
                self.0.write_all(b"\n")?;
            }
            self.0.write_all(plain(line).as_bytes())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::{PlainLines, plain};
    use std::io::Write;

    #[test]
    fn what_is_obeyed_is_not_passed_on_and_what_is_written_is() {
        for (text, shown) in [
            ("Zoë 李雷 नमस्ते 👩\u{200d}⚕️", "Zoë 李雷 नमस्ते 👩\u{200d}⚕️"),
            (
                "a\n2026-11-26 ERROR forged",
                "a\u{fffd}2026-11-26 ERROR forged",
            ),
            (
                "\u{1b}]0;title\u{7}\u{9b}2J",
                "\u{fffd}]0;title\u{fffd}\u{fffd}2J",
            ),
            (
                "a\u{202e}b\u{2066}c\r\u{2028}d",
                "a\u{fffd}b\u{fffd}c\u{fffd}\u{fffd}d",
            ),
        ] {
            assert_eq!(plain(text), shown);
        }
    }

    #[test]
    fn lines_stay_lines() {
        let mut out = Vec::new();
        write!(PlainLines(&mut out), "one\u{1b}[2J\n\ntwo\n").expect("a vector takes all");
        assert_eq!(String::from_utf8_lossy(&out), "one\u{fffd}[2J\n\ntwo\n");
    }
}
