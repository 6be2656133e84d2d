//! Headers that nobody may configure.

use http::HeaderName;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

/// Headers that frame a message or say where it goes, and the one that says which compression the client can undo: a
/// configured value could only break the exchange.
const FRAMING: [HeaderName; 8] = [
    HOST,
    CONTENT_LENGTH,
    CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    ACCEPT_ENCODING,
];

/// Whether only the HTTP client itself may set this header.
pub fn is_framing_header(name: &HeaderName) -> bool {
    FRAMING.contains(name) || name == "keep-alive" || name == "proxy-connection"
}
