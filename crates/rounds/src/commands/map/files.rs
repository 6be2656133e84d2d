//! Files that a person names: regular ones, or what comes in (`-`); bounded, read at once.

use crate::problem::FILE_UNREADABLE;
use crate::{Ended, Problem};
use rounds_map::Json;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// No message that a receiver takes is larger.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Stands for what comes in, as everywhere.
const STANDARD_INPUT: &str = "-";
/// What some editors put before a text; it is no part of it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The one JSON document that a file holds.
pub(super) fn json(path: &Path) -> Result<Json, Problem> {
    Json::parse(&bytes(path)?).map_err(|error| unreadable(path, &error.to_string()))
}

/// The XML document that a file holds, as JSON.
pub(super) fn xml(path: &Path) -> Result<Json, Problem> {
    Json::parse_xml(&bytes(path)?).map_err(|error| unreadable(path, &error.to_string()))
}

fn bytes(path: &Path) -> Result<Vec<u8>, Problem> {
    let io = |error: io::Error| unreadable(path, &error.to_string());
    if path == Path::new(STANDARD_INPUT) {
        return bounded(path, io::stdin().lock());
    }
    // Opening a pipe would wait for ever, and a device may have no end.
    if !path.metadata().map_err(io)?.is_file() {
        return Err(unreadable(path, "it is no regular file"));
    }
    bounded(path, File::open(path).map_err(io)?)
}

fn bounded(path: &Path, from: impl Read) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    from.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &error.to_string()))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_BYTES) {
        return Err(unreadable(path, "it is larger than 64 MiB"));
    }
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(bytes)
}

fn unreadable(path: &Path, words: &str) -> Problem {
    Problem::new(
        FILE_UNREADABLE,
        Ended::BadData,
        format!("reading {}: {words}", path.display()),
        "name a regular file that holds one JSON document (of a fixture, or an XML one) and may be read by this user, or `-` for what comes in",
    )
}
