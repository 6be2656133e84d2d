//! Text with `{{ placeholders }}`, for URLs, queries and headers.
//!
//! A placeholder is a reference that is checked before anything runs: it must compile, and begin at a name that there
//! is. What is filled in is data of a server: in a path it stays within its segment, whatever it holds.

mod scan;

use crate::nearest::nearest;
use crate::{CompileError, EvaluateError, Filter, Json, Needs};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use scan::Piece as Written;

/// How a placeholder's value is written into the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Escape {
    /// As one path segment: everything but letters, digits and `-._~` is percent-encoded. A whole segment that would be
    /// empty, `.` or `..` is an error: URL libraries resolve the last two away even when they are percent-encoded, and
    /// `/patient/` instead of `/patient/7` asks for something else altogether.
    PathSegment,
    /// Unchanged. For query values (the URL library encodes the whole value) and headers (checked by the HTTP library).
    Verbatim,
    /// As text or an attribute's value in XML (XML 1.0, 2.4). Characters that XML cannot hold are left out.
    Xml,
    /// As a piece of a JSON string, between its quotes (RFC 8259, section 7).
    JsonString,
    /// As a name or value of a form (`application/x-www-form-urlencoded`).
    FormValue,
}

impl Escape {
    /// Writes a value as it has to be written.
    pub fn write(self, text: &str, out: &mut String) {
        match self {
            Self::PathSegment | Self::FormValue => out.extend(utf8_percent_encode(text, SEGMENT)),
            Self::Verbatim => out.push_str(text),
            Self::Xml => {
                for character in text.chars().filter(|character| is_xml(*character)) {
                    match xml_reference(character) {
                        Some(reference) => out.push_str(reference),
                        None => out.push(character),
                    }
                }
            }
            Self::JsonString => {
                let quoted = Json::string(text).to_bytes();
                // What we write ourselves is UTF-8 between two quotes.
                let inside = quoted.get(1..quoted.len() - 1).unwrap_or_default();
                out.push_str(&String::from_utf8_lossy(inside));
            }
        }
    }
}

/// What stands for a character that XML would read as something else.
const fn xml_reference(character: char) -> Option<&'static str> {
    Some(match character {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&quot;",
        '\'' => "&apos;",
        // A reader would make blanks of them in an attribute, and of the last a line break everywhere.
        '\t' => "&#9;",
        '\n' => "&#10;",
        '\r' => "&#13;",
        _ => return None,
    })
}

/// Whether XML can hold a character at all (XML 1.0, 2.2).
const fn is_xml(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
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
            Written::Literal(literal) => Ok(Part::Literal(literal.to_owned())),
            Written::Placeholder { offset, expression } => placeholder(offset, expression, names),
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

    /// The placeholders as they are written, each once, in the order of the text.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Placeholder { written, .. } => Some(written.as_str()),
        })
    }

    /// Fills the placeholders from `scope`, and leaves those for later that `is_left` says: they are named as they are written.
    /// Not for paths, which can only be judged as a whole.
    pub fn render_in_pieces(
        &self,
        scope: &Json,
        escape: Escape,
        needs: Needs,
        is_left: impl Fn(&str) -> bool,
    ) -> Result<Vec<Piece>, EvaluateError> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Placeholder { written, .. } if is_left(written) => {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                    pieces.push(Piece::Left(written.clone()));
                }
                Part::Placeholder { written, filter } => {
                    escape.write(&value(written, filter, scope, needs)?, &mut text);
                }
            }
        }
        pieces.push(Piece::Text(text));
        Ok(pieces)
    }

    /// What each placeholder gives that gives text, in the order of the text.
    pub fn values<'t>(&'t self, scope: &'t Json) -> impl Iterator<Item = String> + 't {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Placeholder { written, filter } => {
                value(written, filter, scope, Needs::Text).ok()
            }
        })
    }

    /// Whether it ends with a placeholder and nothing behind it but a `/`.
    pub fn ends_with_placeholder(&self) -> bool {
        let mut parts = self.parts.iter().rev();
        match parts.next() {
            Some(Part::Placeholder { .. }) => true,
            Some(Part::Literal(literal)) => {
                literal == "/" && matches!(parts.next(), Some(Part::Placeholder { .. }))
            }
            None => false,
        }
    }

    /// Fills the placeholders from `scope`, an object with the roots as members.
    pub fn render(&self, scope: &Json, escape: Escape) -> Result<String, EvaluateError> {
        self.render_needing(scope, escape, Needs::Text)
    }

    /// The same, where each placeholder must give what is needed.
    pub fn render_needing(
        &self,
        scope: &Json,
        escape: Escape,
        needs: Needs,
    ) -> Result<String, EvaluateError> {
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
                    escape.write(&value(written, filter, scope, needs)?, &mut out);
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

/// A piece of a text, filled or left for later.
#[derive(Clone, PartialEq, Eq)]
pub enum Piece {
    /// Filled.
    Text(String),
    /// A placeholder, as it is written.
    Left(String),
}

/// What a placeholder gives.
fn value(
    written: &str,
    filter: &Filter,
    scope: &Json,
    needs: Needs,
) -> Result<String, EvaluateError> {
    let value = filter.one(scope)?;
    needs.check(&value, Some(written))?;
    value.scalar_text().ok_or_else(|| EvaluateError::NotText {
        placeholder: written.to_owned(),
        found: value.kind().with_article(),
    })
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
