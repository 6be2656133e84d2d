//! Headers that are ours to set, and header values that hold secrets.

use crate::secrets::SecretError;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use rounds_domain::plan::SecretReference;

/// Headers that frame a message or say where it goes: a configured value could only break the exchange.
const FRAMING: [HeaderName; 7] = [
    HOST,
    CONTENT_LENGTH,
    CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Whether only the client itself may set this header.
pub(crate) fn is_framing(name: &HeaderName) -> bool {
    FRAMING.contains(name) || name == "keep-alive" || name == "proxy-connection"
}

/// A header's value that no Debug shows.
pub(crate) fn secret_value(
    reference: &SecretReference,
    text: &str,
) -> Result<HeaderValue, SecretError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        SecretError::new(
            reference,
            "holds a character that a header cannot carry",
            "see whether it has a line break in it",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}
