//! Writing compact JSON text. Our own, because the canonical form is hashed and stored: it must not change when a
//! dependency changes how it prints.

use jaq_json::{Num, Val};
use std::io::Write as _;

/// In which order an object's members are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    /// As in the value.
    AsTheyCame,
    /// By the bytes of the key.
    Sorted,
}

pub(super) fn compact(value: &Val, keys: Keys) -> Vec<u8> {
    let mut out = Vec::new();
    write_value(&mut out, value, keys);
    out
}

fn write_value(out: &mut Vec<u8>, value: &Val, keys: Keys) {
    match value {
        Val::Null => out.extend_from_slice(b"null"),
        Val::Bool(true) => out.extend_from_slice(b"true"),
        Val::Bool(false) => out.extend_from_slice(b"false"),
        Val::Num(number) => write_number(out, number),
        Val::TStr(text) | Val::BStr(text) => write_string(out, text),
        Val::Arr(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_value(out, item, keys);
            }
            out.push(b']');
        }
        Val::Obj(members) => {
            let mut members: Vec<(&Val, &Val)> = members.iter().collect();
            if keys == Keys::Sorted {
                members.sort_unstable_by_key(|(key, _)| *key);
            }
            out.push(b'{');
            for (index, (key, member)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_value(out, key, keys);
                out.push(b':');
                write_value(out, member, keys);
            }
            out.push(b'}');
        }
    }
}

fn write_number(out: &mut Vec<u8>, number: &Num) {
    match number {
        // JSON has no such numbers; expressions that give them are refused, so this is only ever reached by mistake.
        Num::Float(float) if !float.is_finite() => out.extend_from_slice(b"null"),
        // Writing into a Vec cannot fail.
        number => _ = write!(out, "{number}"),
    }
}

fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    // Only values of expressions can hold text that is not UTF-8, and they are refused before they become a `Json`.
    let text = String::from_utf8_lossy(text);
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(special) = rest
        .iter()
        .position(|byte| matches!(byte, 0..=0x1f | b'"' | b'\\'))
    {
        out.extend_from_slice(&rest[..special]);
        match rest[special] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => _ = write!(out, "\\u{control:04x}"),
        }
        rest = &rest[special + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
