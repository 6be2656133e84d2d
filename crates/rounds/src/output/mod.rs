//! How things are shown: reports on stdout, talk on stderr.
//!
//! A [`Report`] is plain data that serializes; its JSON keys are its field names and stay stable. It also knows how to write
//! itself for people. Documents (records, bodies) are carried as the JSON text that came, so that numbers stay as the EHR
//! wrote them.

mod columns;
mod findings;
mod json;
mod terminal;
mod words;

pub use columns::{Align, Columns};
pub use findings::{FindingRow, SeenAt};
pub use json::{RawDocument, indented};
pub use terminal::{Format, Terminal};
pub use words::{
    Ago, attempt_in_words, bytes_in_words, container_state, cursor_in_words, delivery_state,
    duration_in_words, plural,
};

use serde::Serialize;
use std::io::{self, Write};

/// What a command found out.
pub trait Report: Serialize {
    /// Writes it for people.
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()>;
}
