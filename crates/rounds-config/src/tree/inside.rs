//! Where a piece of a scalar's text stands in the file.
//!
//! The text of a scalar is not what stands in the file: quotes are gone, escapes resolved, lines folded, indentation cut
//! off. An error inside a jq expression must still point at the very piece, so text and source are walked side by side.
//! Where they do not agree (which no text is known to cause) the whole scalar is pointed at.

use super::{Scalar, Style};
use crate::source::{Place, Sources};

/// The place of `length` bytes at byte `offset` of the scalar's text.
pub(crate) fn inside(sources: &Sources, scalar: &Scalar, offset: usize, length: usize) -> Place {
    let source = sources.excerpt(scalar.place);
    let Some(map) = align(&scalar.text, source, scalar, sources) else {
        return scalar.place;
    };
    let start = offset.min(scalar.text.len());
    let end = (offset + length).min(scalar.text.len()).max(start);
    let Some(from) = map.get(start).copied() else {
        return scalar.place;
    };
    // The end is where the last byte ends, not where the next begins: a fold may lie between them.
    let to = match end.checked_sub(1).filter(|last| *last >= start) {
        Some(last) => {
            let width = source.get(map[last]..).and_then(|rest| rest.chars().next());
            (map[last] + width.map_or(0, char::len_utf8)).max(from)
        }
        None => from,
    };
    let base = scalar.place.start;
    Place {
        start: base + from,
        end: base + to,
        ..scalar.place
    }
}

/// For each byte of `text`, and for its end, the byte in `source` that it comes from.
fn align(text: &str, source: &str, scalar: &Scalar, sources: &Sources) -> Option<Vec<usize>> {
    let quote = match scalar.style {
        Style::SingleQuoted | Style::DoubleQuoted => 1,
        _ => 0,
    };
    let mut walk = Walk {
        text,
        source,
        at: quote,
        done: 0,
        map: Vec::with_capacity(text.len() + 1),
    };
    match scalar.style {
        Style::Plain | Style::SingleQuoted | Style::DoubleQuoted => walk.flow(scalar.style)?,
        Style::Literal | Style::Folded => {
            let before = sources.text(scalar.place.file).get(..scalar.place.start)?;
            let indent = before.len() - before.rfind('\n').map_or(0, |at| at + 1);
            walk.block(indent)?;
        }
    }
    walk.map.push(walk.at.min(source.len() - quote));
    (walk.map.len() == text.len() + 1).then_some(walk.map)
}

struct Walk<'t> {
    text: &'t str,
    source: &'t str,
    /// In the source.
    at: usize,
    /// In the text.
    done: usize,
    map: Vec<usize>,
}

impl Walk<'_> {
    fn wanted(&self) -> Option<char> {
        self.text[self.done..].chars().next()
    }

    fn rest(&self) -> &str {
        self.source.get(self.at..).unwrap_or_default()
    }

    /// The next character of the text comes from `length` bytes of the source.
    fn matched(&mut self, character: char, length: usize) {
        self.map
            .extend(std::iter::repeat_n(self.at, character.len_utf8()));
        self.done += character.len_utf8();
        self.at += length;
    }

    /// Line breaks and spaces of the text come from a fold that begins here.
    fn folded(&mut self, length: usize) {
        if self.wanted() == Some(' ') {
            self.matched(' ', 0);
        } else {
            while self.wanted() == Some('\n') {
                self.matched('\n', 0);
            }
        }
        self.at += length;
    }

    fn flow(&mut self, style: Style) -> Option<()> {
        while let Some(wanted) = self.wanted() {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
            if rest[..blank].contains('\n') {
                self.folded(blank);
                continue;
            }
            let next = rest.chars().next()?;
            if style == Style::DoubleQuoted && next == '\\' {
                if let Some(skipped) = continuation(rest) {
                    self.at += skipped;
                    continue;
                }
                let length = escape_length(rest)?;
                self.matched(wanted, length);
            } else if style == Style::SingleQuoted && rest.starts_with("''") {
                (wanted == '\'').then_some(())?;
                self.matched(wanted, 2);
            } else {
                (wanted == next).then_some(())?;
                self.matched(wanted, next.len_utf8());
            }
        }
        Some(())
    }

    fn block(&mut self, indent: usize) -> Option<()> {
        while let Some(wanted) = self.wanted() {
            let rest = self.rest();
            match rest.chars().next() {
                Some(next) if next == wanted && next != '\n' => {
                    self.matched(wanted, next.len_utf8());
                }
                Some('\n' | '\r') => {
                    // The break, the empty lines after it, and the next line's indentation.
                    let mut length = 0;
                    while let Some(after) = rest[length..]
                        .strip_prefix("\r\n")
                        .or(rest[length..].strip_prefix('\n'))
                    {
                        length = rest.len() - after.len();
                        let spaces = after.bytes().take_while(|b| *b == b' ').count();
                        length += spaces.min(indent);
                    }
                    if length == 0 {
                        return None;
                    }
                    self.folded(length);
                }
                // The last line breaks are not part of the scalar's place.
                None if wanted == '\n' => self.matched(wanted, 0),
                _ => return None,
            }
        }
        Some(())
    }
}

/// How much to skip where a backslash ends a line.
fn continuation(rest: &str) -> Option<usize> {
    let after = rest[1..].trim_start_matches([' ', '\t']);
    after
        .starts_with(['\n', '\r'])
        .then(|| rest.len() - after.trim_start_matches([' ', '\t', '\n', '\r']).len())
}

fn escape_length(rest: &str) -> Option<usize> {
    let kind = rest[1..].chars().next()?;
    Some(match kind {
        'x' => 4,
        'u' => 6,
        'U' => 10,
        other => 1 + other.len_utf8(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Findings;
    use crate::tree::{NodeKind, Parsed, parse};
    use proptest::prelude::*;

    /// What stands in the file where `piece` stands in the text of the value of `a`.
    fn found(yaml: &str, piece: &str) -> String {
        let sources = Sources::from_text("a.yaml", yaml);
        let Parsed::Tree(root) = parse(0, &mut Findings::new(&sources)) else {
            panic!("is YAML")
        };
        let NodeKind::Mapping(entries) = root.kind else {
            panic!("is a mapping")
        };
        let scalar = entries[0].value.scalar().expect("is a scalar").clone();
        let offset = scalar.text.find(piece).expect("is in the text");
        sources
            .excerpt(inside(&sources, &scalar, offset, piece.len()))
            .to_owned()
    }

    #[test]
    fn a_piece_is_found_in_every_style() {
        assert_eq!(found("a: .x | fold\n", "fold"), "fold");
        assert_eq!(found("a: .x |\n   fold | up\n", "up"), "up");
        assert_eq!(found("a: 'it''s | fold'\n", "fold"), "fold");
        assert_eq!(found("a: 'it''s | fold'\n", "'s"), "''s");
        assert_eq!(
            found("a: \"x\\t\\u00e9 \\\"q\\\" | fold\"\n", "fold"),
            "fold"
        );
        assert_eq!(found("a: \"x \\\n   y | fold\"\n", "fold"), "fold");
        assert_eq!(
            found("a: |\n  if .x\n    then fold\n\n  else up end\n", "fold"),
            "fold"
        );
        assert_eq!(
            found("a: |\n  if .x\n    then fold\n\n  else up end\n", "up"),
            "up"
        );
        assert_eq!(found("a: |2\n     x\n   fold\n", "fold"), "fold");
        assert_eq!(found("a: |\r\n  x\r\n  fold\r\n", "fold"), "fold");
        assert_eq!(found("a: >-\n  one\n  two\n\n  fold\n", "fold"), "fold");
        assert_eq!(found("a: >-\n  one\n    more\n  fold\n", "fold"), "fold");
        assert_eq!(found("é: 'ü | fold'\n", "fold"), "fold");
    }

    #[test]
    fn a_piece_over_several_lines_is_found_whole() {
        assert_eq!(found("a: |\n  one\n  two\n", "one\ntwo"), "one\n  two");
    }

    /// A YAML text whose value of `a` is `text` in a style.
    fn written(text: &str, style: Style) -> String {
        match style {
            Style::SingleQuoted => format!("a: '{}'\n", text.replace('\'', "''")),
            Style::DoubleQuoted => format!("a: {}\n", serde_json::Value::from(text)),
            _ => {
                let lines: Vec<String> = text.split('\n').map(|line| format!("  {line}")).collect();
                format!("a: |2\n{}\nb: 1\n", lines.join("\n"))
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_character_is_found(text in "[a-zé|.' \"()\\\\]{1,30}", more in "[a-z |.]{0,20}") {
            let block = format!("{text}\nx{more}");
            for (text, style) in [(&text, Style::SingleQuoted), (&text, Style::DoubleQuoted), (&block, Style::DoubleQuoted), (&block, Style::Literal)] {
                let sources = Sources::from_text("a.yaml", written(text, style));
                let Parsed::Tree(root) = parse(0, &mut Findings::new(&sources)) else { panic!("is YAML: {text:?}") };
                let NodeKind::Mapping(entries) = root.kind else { panic!("is a mapping") };
                let scalar = entries[0].value.scalar().expect("is a scalar");
                for (offset, character) in scalar.text.char_indices() {
                    let place = inside(&sources, scalar, offset, character.len_utf8());
                    let found = sources.excerpt(place);
                    let plain = !matches!(character, '\'' | '"' | '\\' | '\n');
                    prop_assert!(place != scalar.place || scalar.text.len() == 1, "{text:?} in {style:?}: not aligned");
                    prop_assert!(!plain || found == character.to_string(), "{text:?} in {style:?}: {found:?} for {character:?}");
                }
            }
        }
    }
}
