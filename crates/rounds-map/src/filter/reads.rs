//! Which members of its input an expression plainly reads. Best effort: what is not plain is left out, so the answer
//! may be used to say that something wrong is read, never that something is not read.

use super::trouble::offset_in;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::path::{Part, Path};

/// Functions that evaluate their arguments on their own input, so that `.a` in an argument is `.a` of the whole.
const ON_SAME_INPUT: &[&str] = &[
    "contains",
    "endswith",
    "error",
    "first",
    "flatten",
    "getpath",
    "has",
    "in",
    "index",
    "inside",
    "isempty",
    "join",
    "last",
    "limit",
    "ltrimstr",
    "range",
    "rindex",
    "rtrimstr",
    "select",
    "skip",
    "split",
    "startswith",
    "strftime",
    "strptime",
    "test",
    "tojson",
    "tostring",
];

/// The names read, each with its byte offset in `text`, in the order of the text.
pub(super) fn of(text: &str, term: &Term<&str>) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    walk(term, &mut |name| {
        if let Some(offset) = offset_in(text, name) {
            found.push((name.to_owned(), offset));
        }
    });
    found.sort_by_key(|(_, offset)| *offset);
    found.dedup();
    found
}

/// The text of a string without expressions and escapes.
fn plain<'t, 's>(term: &'t Term<&'s str>) -> Option<&'t &'s str> {
    match term {
        Term::Str(None, parts) => match parts.as_slice() {
            [StrPart::Str(text)] => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn walk_all<'t, 's: 't>(
    terms: impl IntoIterator<Item = &'t Term<&'s str>>,
    found: &mut dyn FnMut(&'s str),
) {
    for term in terms {
        walk(term, found);
    }
}

/// Walks the terms that are evaluated on the input itself.
fn walk<'s>(term: &Term<&'s str>, found: &mut dyn FnMut(&'s str)) {
    match term {
        Term::Path(start, Path(parts)) => {
            let mut parts = parts.iter();
            if let (Term::Id, Some((Part::Index(index), _))) = (&**start, parts.as_slice().first())
                && let Some(name) = plain(index)
            {
                found(name);
                parts.next();
            }
            walk(start, found);
            for (part, _) in parts {
                match part {
                    Part::Index(index) => walk(index, found),
                    Part::Range(from, to) => walk_all(from.iter().chain(to), found),
                }
            }
        }
        Term::BinOp(left, BinaryOp::Pipe(None), right) => {
            walk(left, found);
            if matches!(**left, Term::Id) {
                walk(right, found);
            }
        }
        Term::BinOp(left, BinaryOp::Update | BinaryOp::UpdateMath(_), _) => walk(left, found),
        Term::BinOp(left, _, right) => {
            walk(left, found);
            walk(right, found);
        }
        Term::Str(_, parts) => {
            for part in parts {
                if let StrPart::Term(inner) = part {
                    walk(inner, found);
                }
            }
        }
        Term::Obj(members) => {
            for (key, value) in members {
                match value {
                    Some(value) => walk(value, found),
                    None => plain(key).into_iter().for_each(|name| found(name)),
                }
                walk(key, found);
            }
        }
        // What `catch` gets is the error, not the input.
        Term::Arr(Some(inner))
        | Term::Neg(inner)
        | Term::Label(_, inner)
        | Term::Def(_, inner)
        | Term::TryCatch(inner, _) => walk(inner, found),
        Term::Fold(_, over, _, steps) => {
            walk(over, found);
            walk_all(steps.iter().take(1), found);
        }
        Term::IfThenElse(branches, otherwise) => {
            for (test, then) in branches {
                walk(test, found);
                walk(then, found);
            }
            walk_all(otherwise.as_deref(), found);
        }
        Term::Call(name, arguments) if ON_SAME_INPUT.contains(name) => walk_all(arguments, found),
        _ => {}
    }
}
