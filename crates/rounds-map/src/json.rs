//! One JSON value, numbers kept as they were written, never shown by Debug.

use crate::ParseError;

/// A JSON value: cheap to clone, exact in its numbers, redacted in Debug.
#[derive(Clone)]
pub struct Json(pub(crate) jaq_json::Val);

impl Json {
    /// Reads JSON text.
    pub fn parse(_text: &[u8]) -> Result<Self, ParseError> {
        unimplemented!()
    }
    /// The JSON null.
    pub fn null() -> Self {
        unimplemented!()
    }
    /// A string.
    pub fn string(_text: impl Into<String>) -> Self {
        unimplemented!()
    }
    /// A whole number.
    pub fn integer(_number: i64) -> Self {
        unimplemented!()
    }
    /// A boolean.
    pub fn boolean(_value: bool) -> Self {
        unimplemented!()
    }
    /// An array.
    pub fn array(_items: impl IntoIterator<Item = Json>) -> Self {
        unimplemented!()
    }
    /// An object; later keys win; order is kept.
    pub fn object<K: Into<String>>(_entries: impl IntoIterator<Item = (K, Json)>) -> Self {
        unimplemented!()
    }
    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        unimplemented!()
    }
    /// The member of an object, if it is an object that has it.
    pub fn get(&self, _key: &str) -> Option<Json> {
        unimplemented!()
    }
    /// A string's text, a number exactly as written, `true` or `false`; None for null, arrays and objects.
    pub fn scalar_text(&self) -> Option<String> {
        unimplemented!()
    }
    /// Compact JSON text; numbers exactly as they came.
    pub fn to_bytes(&self) -> Vec<u8> {
        unimplemented!()
    }
    /// Compact JSON text with keys sorted, for comparing content.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        unimplemented!()
    }
    /// The first 16 bytes of the SHA-256 of the canonical text.
    pub fn fingerprint(&self) -> [u8; 16] {
        unimplemented!()
    }
}

impl std::fmt::Debug for Json {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Json(redacted)")
    }
}
