//! One JSON value, numbers kept as they were written, never shown by Debug.
//!
//! A record id of `12345678901234567890` or an amount of `1.10` must leave Rounds as it came in, so a number is never
//! passed through a float: whole numbers are kept as integers of any size, all others as their text. Objects keep the
//! order of their keys; of a key that comes twice the last value counts, as in jq.

mod lines;
mod read;
mod room;
mod write;
mod xml;

use crate::ParseError;
use jaq_json::{Map, Num, Val};
use sha2::{Digest, Sha256};

/// How deep arrays and objects may nest in JSON text that is read. Deeper text is refused: all code that walks or
/// drops a value recurses, and a hostile answer of a million `[` must not end the process.
pub const MAX_NESTING: usize = 256;

/// How long one number may be, in bytes. JSON sets no bound, but turning a million digits into an integer takes minutes.
pub const MAX_NUMBER_BYTES: usize = 1_024;

/// A JSON value: cheap to clone, exact in its numbers, redacted in Debug.
///
/// Two values are equal if their content is: `1` equals `1.0`, and the order of keys does not matter.
#[derive(Clone, PartialEq, Eq)]
pub struct Json(pub(crate) Val);

/// What a JSON value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JsonKind {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// Any number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl JsonKind {
    /// With its article, for messages: "an array".
    pub const fn with_article(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

impl Json {
    /// Reads JSON text (RFC 8259): UTF-8, nested at most [`MAX_NESTING`] deep, numbers of at most
    /// [`MAX_NUMBER_BYTES`]. What other readers let pass (comments, `NaN`, a byte order mark, two values) is refused.
    pub fn parse(text: &[u8]) -> Result<Self, ParseError> {
        read::read(text).map(Self)
    }

    /// Reads what a server sends as JSON: as [`Json::parse`], but a byte order mark is skipped, and what cannot be a character (bytes that are no
    /// UTF-8, half of a surrogate pair, a control character within a string) is read as U+FFFD. Says how many were.
    pub fn parse_mending(text: &[u8]) -> Result<(Self, u64), ParseError> {
        read::read_mending(text, &mut room::Room::of(text.len()))
            .map(|(value, mended)| (Self(value), mended))
    }

    /// Reads one JSON value from each line (ndjson), as an array of them. Empty lines are left out; [`Json::parse`] says what a
    /// line may hold.
    pub fn parse_lines(text: &[u8]) -> Result<Self, ParseError> {
        lines::read(text).map(Self)
    }

    /// Reads an XML document (XML 1.0) as JSON, by one rule:
    ///
    /// - The document is an object with one member, the root element.
    /// - An element without anything in it is null, as is one that says `xsi:nil="true"`.
    /// - An element with text only is that text, without blanks around it.
    /// - Any other element is an object: each attribute is a member `@name`, each child element a member by its name, an
    ///   array of them if it comes more than once, and text beside them is the member `#text`.
    /// - Names go without their prefix; declarations of namespaces, comments and processing instructions are left out.
    ///
    /// Elements nest at most [`MAX_NESTING`] deep. A document type is refused, so that there is no entity but XML's own five
    /// and characters by number. Other encodings than UTF-8 are read if the document declares them.
    pub fn parse_xml(text: &[u8]) -> Result<Self, ParseError> {
        xml::read(text).map(Self)
    }

    /// The JSON null.
    pub fn null() -> Self {
        Self(Val::Null)
    }

    /// A string.
    pub fn string(text: impl Into<String>) -> Self {
        Self(Val::from(text.into()))
    }

    /// A whole number.
    pub fn integer(number: i64) -> Self {
        Self(Val::Num(Num::from_integral(number)))
    }

    /// A boolean.
    pub fn boolean(value: bool) -> Self {
        Self(Val::Bool(value))
    }

    /// An array.
    pub fn array(items: impl IntoIterator<Item = Json>) -> Self {
        Self(items.into_iter().map(|item| item.0).collect())
    }

    /// An object; later keys win; order is kept.
    pub fn object<K: Into<String>>(entries: impl IntoIterator<Item = (K, Json)>) -> Self {
        let entries = entries.into_iter();
        Self(Val::obj(
            entries
                .map(|(key, value)| (Val::from(key.into()), value.0))
                .collect::<Map>(),
        ))
    }

    /// What it is.
    pub fn kind(&self) -> JsonKind {
        match &self.0 {
            Val::Null => JsonKind::Null,
            Val::Bool(_) => JsonKind::Boolean,
            Val::Num(_) => JsonKind::Number,
            Val::TStr(_) | Val::BStr(_) => JsonKind::String,
            Val::Arr(_) => JsonKind::Array,
            Val::Obj(_) => JsonKind::Object,
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self.0, Val::Null)
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.0 {
            Val::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The text, if it is a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Val::TStr(text) => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }

    /// The member of an object, if it is an object that has it.
    pub fn get(&self, key: &str) -> Option<Json> {
        match &self.0 {
            Val::Obj(map) => map.get(&Val::from(key.to_owned())).cloned().map(Self),
            _ => None,
        }
    }

    /// The items of an array in order; nothing if it is no array.
    pub fn items(&self) -> impl Iterator<Item = Json> + '_ {
        let items = match &self.0 {
            Val::Arr(items) => items.as_slice(),
            _ => &[],
        };
        items.iter().cloned().map(Self)
    }

    /// The members of an object in order; nothing if it is no object.
    pub fn members(&self) -> impl Iterator<Item = (&str, Json)> + '_ {
        let map = match &self.0 {
            Val::Obj(map) => Some(map),
            _ => None,
        };
        map.into_iter()
            .flat_map(|map| map.iter())
            .filter_map(|(key, value)| match key {
                Val::TStr(key) => Some((std::str::from_utf8(key).ok()?, Self(value.clone()))),
                _ => None,
            })
    }

    /// A string's text, a number exactly as written, `true` or `false`; None for null, arrays and objects.
    pub fn scalar_text(&self) -> Option<String> {
        match &self.0 {
            Val::Null | Val::Arr(_) | Val::Obj(_) => None,
            Val::Bool(value) => Some(value.to_string()),
            Val::Num(number) => Some(number.to_string()),
            Val::TStr(text) | Val::BStr(text) => Some(String::from_utf8_lossy(text).into_owned()),
        }
    }

    /// Compact JSON text; numbers exactly as they came.
    pub fn to_bytes(&self) -> Vec<u8> {
        write::compact(&self.0, write::Keys::AsTheyCame)
    }

    /// Compact JSON text with keys sorted (by their bytes, at every level), for comparing content.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        write::compact(&self.0, write::Keys::Sorted)
    }

    /// The first 16 bytes of the SHA-256 of the canonical text.
    pub fn fingerprint(&self) -> [u8; 16] {
        let digest: [u8; 32] = Sha256::digest(self.canonical_bytes()).into();
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        first
    }
}

impl std::fmt::Debug for Json {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Json(redacted)")
    }
}

#[cfg(test)]
mod tests;
