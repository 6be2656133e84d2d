//! Finding the placeholders in a text. A `}}` inside a jq string or closing two jq objects does not end one.

use crate::CompileError;

/// A piece of the text, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    Literal(&'t str),
    /// The expression between the braces, without the space around it, and where it begins in the text.
    Placeholder {
        offset: usize,
        expression: &'t str,
    },
}

fn error<T>(offset: usize, length: usize, message: &str, hint: &str) -> Result<T, CompileError> {
    Err(CompileError {
        offset,
        length,
        message: message.to_owned(),
        hint: Some(hint.to_owned()),
    })
}

pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, CompileError> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find("{{").map(|found| at + found) {
        literal(text, at, open, &mut pieces)?;
        if text[open..].starts_with("{{{") {
            return error(
                open,
                3,
                "three opening braces",
                "put a space after the second: `{{ {...} }}`",
            );
        }
        let inside = open + 2;
        let Some(close) = end_of_expression(&text[inside..]).map(|length| inside + length) else {
            return error(open, 2, "unclosed placeholder", "add `}}` where it ends");
        };
        let expression = text[inside..close].trim();
        if expression.is_empty() {
            return error(
                open,
                close + 2 - open,
                "empty placeholder",
                "name what to fill in: `{{ record.id }}`",
            );
        }
        let space = text[inside..close].len() - text[inside..close].trim_start().len();
        pieces.push(Piece::Placeholder {
            offset: inside + space,
            expression,
        });
        at = close + 2;
    }
    literal(text, at, text.len(), &mut pieces)?;
    Ok(pieces)
}

fn literal<'t>(
    text: &'t str,
    from: usize,
    to: usize,
    pieces: &mut Vec<Piece<'t>>,
) -> Result<(), CompileError> {
    let literal = &text[from..to];
    if let Some(stray) = literal.find("}}") {
        return error(
            from + stray,
            2,
            "`}}` without `{{` before it",
            "a literal one is written `{{ \"}}\" }}`",
        );
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(())
}

/// What the scanner is inside of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    String,
    /// `(`, `[` or `{`, also the `(` of `\(` in a string.
    Bracket,
}

/// How long the expression is that begins `text` and ends before `}}`.
fn end_of_expression(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut open = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (open.last(), byte) {
            (Some(Inside::String), b'\\') => {
                if bytes.get(at + 1) == Some(&b'(') {
                    open.push(Inside::Bracket);
                }
                at += 1;
            }
            (Some(Inside::String), b'"') => _ = open.pop(),
            (Some(Inside::String), _) => {}
            (_, b'"') => open.push(Inside::String),
            (_, b'(' | b'[' | b'{') => open.push(Inside::Bracket),
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            (_, b')' | b']' | b'}') => _ = open.pop(),
            _ => {}
        }
        at += 1;
    }
    // Brackets that do not match are an error of the expression, which is better said by its compiler.
    text.find("}}").filter(|_| !open.contains(&Inside::String))
}
