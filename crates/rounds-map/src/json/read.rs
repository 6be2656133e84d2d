//! Reading JSON text: strict RFC 8259, one pass, bounded.
//!
//! The reader that comes with jaq reads a superset of JSON (comments, `NaN`, byte strings, keys that are no strings),
//! recurses without a bound and lets text through that is not UTF-8. It is made for a person's own files; ours come
//! from servers. So this one builds jaq's values itself.
//!
//! An answer of an EHR is read with a little more patience ([`read_mending`]): one sign that is none, in one name of one patient, must
//! not stop a feed. What cannot be a character becomes U+FFFD, and is counted.

use super::room::{ARRAY, MEMBER, OBJECT, Room, STRING, VALUE};
use super::{MAX_NESTING, MAX_NUMBER_BYTES};
use crate::ParseError;
use jaq_json::{Map, Num, Val};

const LANGUAGE: &str = "JSON";

/// Whole numbers of at most this many digits fit into 64 bits whatever the digits are.
const SHORT_DIGITS: usize = 18;

pub(super) fn read(text: &[u8]) -> Result<Val, ParseError> {
    let text =
        std::str::from_utf8(text).map_err(|e| failure(e.valid_up_to(), "the text is not UTF-8"))?;
    Reader::of(text, Signs::Strict).whole(&mut Room::of(text.len()))
}

/// The same for what a server sends: a byte order mark is skipped, and bytes that are no UTF-8, halves of surrogate pairs and control characters
/// within strings are replaced. Says how many were.
pub(super) fn read_mending(text: &[u8], room: &mut Room) -> Result<(Val, u64), ParseError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let lossy = String::from_utf8_lossy(text);
    let replaced = match &lossy {
        std::borrow::Cow::Borrowed(_) => 0,
        std::borrow::Cow::Owned(lossy) => {
            let count = |text: &str| text.matches(REPLACEMENT).count();
            // Those that were there before are characters like others, and are few.
            u64::try_from(count(lossy)).unwrap_or(u64::MAX)
        }
    };
    let mut reader = Reader::of(&lossy, Signs::Mended(replaced));
    let value = reader.whole(room)?;
    match reader.signs {
        Signs::Mended(mended) => Ok((value, mended)),
        Signs::Strict => Ok((value, 0)),
    }
}

/// What stands for a sign that is none (Unicode, 23.8).
const REPLACEMENT: char = '\u{fffd}';

/// What becomes of signs that are none.
#[derive(Debug, Clone, Copy)]
enum Signs {
    /// They are refused.
    Strict,
    /// They are replaced; so many were.
    Mended(u64),
}

fn failure(offset: usize, reason: &str) -> ParseError {
    ParseError {
        language: LANGUAGE,
        offset,
        reason: reason.to_owned(),
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    signs: Signs,
}

impl<'t> Reader<'t> {
    const fn of(text: &'t str, signs: Signs) -> Self {
        Self { text, at: 0, signs }
    }

    /// Reads the one value that the text is.
    fn whole(&mut self, room: &mut Room) -> Result<Val, ParseError> {
        self.skip_whitespace();
        let value = self.value(0, room)?;
        self.skip_whitespace();
        match self.peek() {
            None => Ok(value),
            Some(_) => self.fail("expected the end of the text after the value"),
        }
    }

    /// A character for a sign that is none, if signs are mended.
    const fn mended(&mut self) -> Option<char> {
        match &mut self.signs {
            Signs::Strict => None,
            Signs::Mended(count) => {
                *count += 1;
                Some(REPLACEMENT)
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn fail<T>(&self, reason: &str) -> Result<T, ParseError> {
        Err(failure(self.at, reason))
    }

    fn skip_whitespace(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes `byte` after any whitespace, if it is next.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_whitespace();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize, room: &mut Room) -> Result<Val, ParseError> {
        let start = self.at;
        room.take(VALUE, LANGUAGE, start)?;
        match self.peek() {
            Some(b'{') => self.object(depth + 1, room),
            Some(b'[') => self.array(depth + 1, room),
            Some(b'"') => {
                let text = self.string()?;
                room.take(STRING + text.len(), LANGUAGE, start)?;
                Ok(Val::from(text))
            }
            Some(b'-' | b'0'..=b'9') => self.number().map(Val::Num),
            Some(b't') => self.word("true", Val::Bool(true)),
            Some(b'f') => self.word("false", Val::Bool(false)),
            Some(b'n') => self.word("null", Val::Null),
            Some(_) => self.fail("expected a value"),
            None => self.fail("expected a value, found the end of the text"),
        }
    }

    fn word(&mut self, word: &str, value: Val) -> Result<Val, ParseError> {
        if !self.text[self.at..].starts_with(word) {
            return self.fail("expected a value");
        }
        self.at += word.len();
        Ok(value)
    }

    fn enter(&mut self, depth: usize) -> Result<(), ParseError> {
        if depth > MAX_NESTING {
            return self.fail(&format!(
                "arrays and objects nest deeper than {MAX_NESTING}"
            ));
        }
        self.at += 1;
        Ok(())
    }

    fn array(&mut self, depth: usize, room: &mut Room) -> Result<Val, ParseError> {
        room.take(ARRAY, LANGUAGE, self.at)?;
        self.enter(depth)?;
        let mut items = Vec::new();
        if !self.take(b']') {
            loop {
                self.skip_whitespace();
                items.push(self.value(depth, room)?);
                if self.take(b']') {
                    break;
                }
                if !self.take(b',') {
                    return self.fail("expected `,` or `]` after an item");
                }
            }
        }
        Ok(items.into_iter().collect())
    }

    fn object(&mut self, depth: usize, room: &mut Room) -> Result<Val, ParseError> {
        room.take(OBJECT, LANGUAGE, self.at)?;
        self.enter(depth)?;
        let mut members = Map::default();
        if !self.take(b'}') {
            loop {
                self.skip_whitespace();
                if self.peek() != Some(b'"') {
                    return self.fail("expected a key in quotes");
                }
                let key = self.string()?;
                room.take(MEMBER + key.len(), LANGUAGE, self.at)?;
                if !self.take(b':') {
                    return self.fail("expected `:` after a key");
                }
                self.skip_whitespace();
                members.insert(Val::from(key), self.value(depth, room)?);
                if self.take(b'}') {
                    break;
                }
                if !self.take(b',') {
                    return self.fail("expected `,` or `}` after a member");
                }
            }
        }
        Ok(Val::obj(members))
    }

    fn digits(&mut self) -> Result<(), ParseError> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return self.fail("expected a digit");
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Num, ParseError> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let first_digit = self.at;
        self.digits()?;
        if self.text.as_bytes()[first_digit] == b'0' && self.at - first_digit > 1 {
            return Err(failure(start, "a number with a leading zero"));
        }
        let mut whole = true;
        if self.peek() == Some(b'.') {
            whole = false;
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            whole = false;
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let literal = &self.text[start..self.at];
        if literal.len() > MAX_NUMBER_BYTES {
            return Err(failure(
                start,
                &format!("a number longer than {MAX_NUMBER_BYTES} bytes"),
            ));
        }
        let as_written = || Num::Dec(literal.to_owned().into());
        // An integer has no minus zero: kept as text it leaves as it came.
        if !whole || literal == "-0" {
            return Ok(as_written());
        }
        if literal.len() <= SHORT_DIGITS
            && let Ok(short) = literal.parse::<isize>()
        {
            return Ok(Num::Int(short));
        }
        Ok(Num::from_str_radix(literal, 10).unwrap_or_else(as_written))
    }

    fn string(&mut self) -> Result<String, ParseError> {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(special) = rest
                .bytes()
                .position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f))
            else {
                return Err(failure(start, "a string without its closing quote"));
            };
            out.push_str(&rest[..special]);
            self.at += special;
            match rest.as_bytes()[special] {
                b'"' => {
                    self.at += 1;
                    return Ok(out);
                }
                b'\\' => out.push(self.escape()?),
                _ => match self.mended() {
                    Some(character) => {
                        out.push(character);
                        self.at += 1;
                    }
                    None => return self.fail("a control character in a string must be escaped"),
                },
            }
        }
    }

    /// Reads an escape sequence; the reader stands on its backslash.
    fn escape(&mut self) -> Result<char, ParseError> {
        let start = self.at;
        self.at += 1;
        let Some(kind) = self.peek() else {
            return Err(failure(start, "a string without its closing quote"));
        };
        let plain = match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.unicode(start);
            }
            _ => return Err(failure(start, "an unknown escape sequence in a string")),
        };
        self.at += 1;
        Ok(plain)
    }

    fn unicode(&mut self, start: usize) -> Result<char, ParseError> {
        let first = self.four_hex(start)?;
        let mut code = Some(first);
        if let 0xd800..=0xdbff = first {
            let after = self.at;
            code = None;
            if self.text[self.at..].starts_with("\\u") {
                self.at += 2;
                match self.four_hex(start)? {
                    second @ 0xdc00..=0xdfff => {
                        code = Some(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00));
                    }
                    // It is a sign of its own.
                    _ => self.at = after,
                }
            }
        }
        let character = code.and_then(char::from_u32).or_else(|| self.mended());
        character.ok_or_else(|| failure(start, "half of a surrogate pair in a string"))
    }

    fn four_hex(&mut self, start: usize) -> Result<u32, ParseError> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let code = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or_else(|| failure(start, "expected four hexadecimal digits after `\\u`"))?;
        self.at += 4;
        Ok(code)
    }
}
