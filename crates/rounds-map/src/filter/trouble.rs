//! What is wrong with an expression, where, and how to mend it.

use super::natives::REMOVED;
use super::prelude;
use super::rewrite::{MAX_PATH_PARTS, PRIVATE};
use crate::CompileError;
use crate::nearest::nearest;
use jaq_core::compile::Undefined;
use jaq_core::load::{lex, parse};
use std::collections::BTreeSet;

/// Where `part` is within `text`. jaq gives its errors as slices of the text that was parsed.
pub(super) fn offset_in(text: &str, part: &str) -> Option<usize> {
    let offset = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    (offset + part.len() <= text.len()).then_some(offset)
}

fn at(text: &str, part: &str, message: String, hint: Option<String>) -> CompileError {
    let offset = offset_in(text, part);
    let length = offset.map_or(0, |_| part.len());
    CompileError {
        offset: offset.unwrap_or(0),
        length,
        message,
        hint,
    }
}

/// An error that jaq can give in principle and that no text is known to cause.
pub(super) fn unexplained() -> CompileError {
    CompileError {
        offset: 0,
        length: 0,
        message: "the expression does not compile".to_owned(),
        hint: None,
    }
}

pub(super) fn lexing(text: &str, errors: &[lex::Error<&str>]) -> CompileError {
    let Some((expected, found)) = errors.first() else {
        return unexplained();
    };
    let next = found.chars().next().map_or("", |c| &found[..c.len_utf8()]);
    match expected {
        lex::Expect::Delim(open) => {
            let (name, close) = match *open {
                "(" => ("parenthesis", ")"),
                "[" => ("bracket", "]"),
                "{" => ("brace", "}"),
                _ => ("quote", "\""),
            };
            let hint = if next.is_empty() {
                format!("add `{close}` where it ends")
            } else {
                format!("`{next}` was found where `{close}` could stand")
            };
            at(text, open, format!("unclosed {name}"), Some(hint))
        }
        lex::Expect::Escape => {
            let hint =
                "known are \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX and \\( for an expression"
                    .to_owned();
            at(
                text,
                next,
                "unknown escape sequence in a string".to_owned(),
                Some(hint),
            )
        }
        lex::Expect::Token => {
            let hint = match next {
                "'" => Some("strings stand in double quotes".to_owned()),
                "&" => Some("write `and`".to_owned()),
                ")" | "]" | "}" => Some(format!("there is no opening partner for `{next}`")),
                _ => None,
            };
            at(text, next, format!("unexpected `{next}`"), hint)
        }
        other => at(text, next, format!("expected a {}", other.as_str()), None),
    }
}

pub(super) fn parsing(text: &str, errors: &[parse::TError<'_, &str>]) -> CompileError {
    let Some((expected, found)) = errors.first() else {
        return unexplained();
    };
    let found = lex::Token::opt_as_str(*found, text);
    let expected = match expected {
        parse::Expect::Just(token) => format!("`{token}`"),
        parse::Expect::Term => "an expression".to_owned(),
        parse::Expect::Nothing => "the end or an operator".to_owned(),
        other => other.as_str().to_owned(),
    };
    if text.trim().is_empty() {
        return at(
            text,
            text,
            "the expression is empty".to_owned(),
            Some("write `.` for the whole input".to_owned()),
        );
    }
    if found.is_empty() {
        return at(
            text,
            found,
            format!("expected {expected}, found the end"),
            None,
        );
    }
    let shown: String = found.chars().take(20).collect();
    let hint = (found == "&&" || found == "||").then(|| "write `and` or `or`".to_owned());
    at(
        text,
        found,
        format!("expected {expected}, found `{shown}`"),
        hint,
    )
}

pub(super) fn growing(text: &str, name: &str) -> CompileError {
    let message = format!("`{name}` takes filters and calls itself");
    let hint = "use `$name` arguments, or `recurse`, `until`, `while`, `reduce`".to_owned();
    at(text, name, message, Some(hint))
}

pub(super) fn too_long_path(text: &str) -> CompileError {
    let message = format!("a path has more than {MAX_PATH_PARTS} parts");
    at(
        text,
        text,
        message,
        Some("split it: `.a.b | .c.d`".to_owned()),
    )
}

pub(super) fn undefined(
    text: &str,
    name: &str,
    what: &Undefined,
    own: &BTreeSet<&str>,
) -> CompileError {
    match what {
        Undefined::Filter(arguments) => undefined_function(text, name, *arguments, own),
        Undefined::Var => {
            let outside = matches!(name, "$ENV" | "$__prog_args" | "$__loc__");
            let hint = outside.then(|| OUTSIDE.to_owned());
            at(text, name, format!("undefined variable `{name}`"), hint)
        }
        Undefined::Label => at(text, name, format!("undefined label `{name}`"), None),
        _ => at(
            text,
            name,
            format!("undefined module `{name}`"),
            Some("there are no modules here".to_owned()),
        ),
    }
}

const OUTSIDE: &str = "an expression sees its input only: no clock, no environment, no further input, no output but its values";

pub(super) fn undefined_function(
    text: &str,
    name: &str,
    arguments: usize,
    own: &BTreeSet<&str>,
) -> CompileError {
    let message = format!("undefined function `{name}`");
    if REMOVED.contains(&name) {
        return at(text, name, message, Some(OUTSIDE.to_owned()));
    }
    let public = prelude::known()
        .iter()
        .filter(|(known, _)| !known.starts_with(PRIVATE));
    if let Some((_, counts)) = public.clone().find(|(known, _)| **known == name) {
        let counts: Vec<String> = counts.iter().map(usize::to_string).collect();
        let noun = if counts == ["1"] {
            "argument"
        } else {
            "arguments"
        };
        let message = format!(
            "`{name}` takes {} {noun}, not {arguments}",
            counts.join(" or ")
        );
        return at(
            text,
            name,
            message,
            Some("arguments are separated by `;`".to_owned()),
        );
    }
    let candidates = public.map(|(known, _)| *known).chain(own.iter().copied());
    let hint = match nearest(name, candidates) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if arguments == 0 && !name.starts_with('@') => {
            Some(format!("to read the member of that name, write `.{name}`"))
        }
        None => None,
    };
    at(text, name, message, hint)
}
