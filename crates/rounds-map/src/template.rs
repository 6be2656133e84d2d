//! Text with `{{ placeholders }}`, for URLs, queries and headers.
//!
//! A placeholder is a reference that is checked before anything runs: it must compile, and begin at a name that there
//! is. What is filled in is data of a server: in a path it stays within its segment, whatever it holds.

mod scan;

use crate::nearest::nearest;
use crate::{CompileError, EvaluateError, Filter, Json};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use scan::Piece;

/// How a placeholder's value is written into the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// As one path segment: everything but letters, digits and `-._~` is percent-encoded. A whole segment that would be
    /// empty, `.` or `..` is an error: URL libraries resolve the last two away even when they are percent-encoded, and
    /// `/patient/` instead of `/patient/7` asks for something else altogether.
    PathSegment,
    /// Unchanged. For query values (the URL library encodes the whole value) and headers (checked by the HTTP library).
    Verbatim,
}

/// All but what a segment may hold as it is (RFC 3986, section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Text with placeholders, compiled once. Each placeholder is jq whose leading dot may be left out:
/// `{{ record.patientID }}` is `.record.patientID`. It must give a string, a number or a boolean. A literal `{{` is
/// written `{{ "{{" }}`.
#[derive(Clone, Debug)]
pub struct Template {
    text: std::sync::Arc<str>,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Literal(String),
    Placeholder { written: String, filter: Filter },
}

impl Template {
    /// Compiles `text`; `names` are the roots that placeholders may use; any other is an error with the nearest known one.
    pub fn compile(text: &str, names: &[&str]) -> Result<Self, CompileError> {
        let parts = scan::pieces(text)?.into_iter().map(|piece| match piece {
            Piece::Literal(literal) => Ok(Part::Literal(literal.to_owned())),
            Piece::Placeholder { offset, expression } => placeholder(offset, expression, names),
        });
        Ok(Self {
            text: text.into(),
            parts: parts.collect::<Result<_, _>>()?,
        })
    }

    /// The text it was compiled from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The roots that its placeholders use, each once, in the order of the text.
    pub fn roots(&self) -> Vec<String> {
        let mut roots: Vec<String> = Vec::new();
        for part in &self.parts {
            if let Part::Placeholder { filter, .. } = part {
                for (name, _) in filter.reads() {
                    if !roots.contains(name) {
                        roots.push(name.clone());
                    }
                }
            }
        }
        roots
    }

    /// Fills the placeholders from `scope`, an object with the roots as members.
    pub fn render(&self, scope: &Json, escape: Escape) -> Result<String, EvaluateError> {
        let mut out = String::new();
        let mut segment = Segment::default();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => {
                    for character in literal.chars() {
                        if escape == Escape::PathSegment && matches!(character, '/' | '?' | '#') {
                            segment.check(&out)?;
                            segment = Segment::after(character, &segment, out.len() + 1);
                        }
                        out.push(character);
                    }
                }
                Part::Placeholder { written, filter } => {
                    let value = filter.one(scope)?;
                    let found = value.kind().with_article();
                    let text = value.scalar_text();
                    let text = text.ok_or_else(|| EvaluateError::NotText {
                        placeholder: written.clone(),
                        found,
                    })?;
                    match escape {
                        Escape::PathSegment => out.extend(utf8_percent_encode(&text, SEGMENT)),
                        Escape::Verbatim => out.push_str(&text),
                    }
                    segment.placeholder = Some(written);
                }
            }
        }
        if escape == Escape::PathSegment {
            segment.check(&out)?;
        }
        Ok(out)
    }
}

/// The path segment that is being written.
#[derive(Debug, Default)]
struct Segment<'t> {
    start: usize,
    placeholder: Option<&'t str>,
    place: Place,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Path,
    /// After a literal `?` or `#`, where empty values and dots mean nothing special.
    Query,
}

impl<'t> Segment<'t> {
    fn after(separator: char, former: &Segment<'t>, start: usize) -> Self {
        let place = if separator == '/' {
            former.place
        } else {
            Place::Query
        };
        Self {
            start,
            placeholder: None,
            place,
        }
    }

    fn check(&self, out: &str) -> Result<(), EvaluateError> {
        let (Some(placeholder), Place::Path) = (self.placeholder, self.place) else {
            return Ok(());
        };
        let found = match &out[self.start..] {
            "" => "an empty string",
            "." | ".." => "only dots",
            _ => return Ok(()),
        };
        Err(EvaluateError::NotText {
            placeholder: placeholder.to_owned(),
            found,
        })
    }
}

/// Words that begin an expression and are no names of members.
const KEYWORDS: &[&str] = &[
    "def", "false", "foreach", "if", "label", "not", "null", "reduce", "true", "try", "empty",
    "error",
];

fn placeholder(offset: usize, expression: &str, names: &[&str]) -> Result<Part, CompileError> {
    let word = expression
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(expression.len());
    let (word, rest) = expression.split_at(word);
    let begins_with_name = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && !KEYWORDS.contains(&word)
        && !rest.trim_start().starts_with('(');
    let dot = usize::from(begins_with_name);
    let source = if begins_with_name {
        format!(".{expression}")
    } else {
        expression.to_owned()
    };
    // Places in `source` are one further than in the text where the dot was left out.
    let place = |at: usize| offset + at.saturating_sub(dot);
    let filter = Filter::compile(&source).map_err(|error| {
        let named = source
            .get(error.offset..error.offset + error.length)
            .unwrap_or_default();
        let hint = if names.contains(&named) {
            Some(format!("write `.{named}`"))
        } else {
            error.hint
        };
        CompileError {
            offset: place(error.offset),
            hint,
            ..error
        }
    })?;
    if let Some((name, at)) = filter
        .reads()
        .iter()
        .find(|(name, _)| !names.contains(&name.as_str()))
    {
        let hint = match nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => "no names can be used here".to_owned(),
            None => format!("known here: {}", names.join(", ")),
        };
        let message = format!("unknown name `{name}`");
        return Err(CompileError {
            offset: place(*at),
            length: name.len(),
            message,
            hint: Some(hint),
        });
    }
    Ok(Part::Placeholder {
        written: expression.to_owned(),
        filter,
    })
}

#[cfg(test)]
mod tests;
