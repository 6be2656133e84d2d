//! Diagnostics as people read them in a terminal, and as programs read them.

use crate::built_in::BUILT_IN;
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{Place, Sources};
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};
use std::borrow::Cow;

/// Whether terminal colours are used. Nothing is said by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// They are.
    Always,
    /// They are not.
    Never,
}

/// All diagnostics, each as a compiler would show it, one empty line between them. Ends with a line break unless it is
/// empty. Texts that may be secrets are shown as asterisks.
pub fn render(sources: &Sources, diagnostics: &[Diagnostic], colour: Colour) -> String {
    let renderer = match colour {
        Colour::Always => Renderer::styled(),
        Colour::Never => Renderer::plain(),
    };
    let shown = Shown::new(sources, diagnostics);
    let mut text = String::new();
    for diagnostic in diagnostics {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&renderer.render(&[group(&shown, diagnostic)]));
        text.push('\n');
    }
    text
}

/// All diagnostics as a JSON array of objects `{code, severity, message, file, line, column, length, expected, help,
/// also}`; lines and columns count from 1, columns and lengths in characters.
pub fn to_json(sources: &Sources, diagnostics: &[Diagnostic]) -> Value {
    let located = |place: Place| {
        let position = sources.position(place);
        let length = sources.excerpt(place).chars().count();
        (sources.name(place.file), position, length)
    };
    let one = |diagnostic: &Diagnostic| {
        let (file, position, length) = located(diagnostic.place);
        let also = diagnostic.also.iter().map(|(place, label)| {
            let (file, position, length) = located(*place);
            json!({
                "file": file, "line": position.line, "column": position.column, "length": length, "label": label,
            })
        });
        json!({
            "code": diagnostic.code.as_str(),
            "severity": diagnostic.severity.as_str(),
            "message": diagnostic.message,
            "file": file,
            "line": position.line,
            "column": position.column,
            "length": length,
            "expected": diagnostic.expected,
            "help": diagnostic.help,
            "also": also.collect::<Vec<_>>(),
        })
    };
    diagnostics.iter().map(one).collect()
}

/// The texts with what may be secret covered.
struct Shown<'s> {
    sources: &'s Sources,
    texts: Vec<Cow<'s, str>>,
}

impl<'s> Shown<'s> {
    fn new(sources: &'s Sources, diagnostics: &[Diagnostic]) -> Self {
        let mut texts: Vec<Cow<'s, str>> = (0..sources.count() + BUILT_IN.len())
            .map(|file| Cow::Borrowed(sources.text(file)))
            .collect();
        for place in diagnostics.iter().flat_map(|d| &d.concealed) {
            if let Some(text) = texts.get_mut(place.file) {
                let covered = cover(text, *place);
                *text = Cow::Owned(covered);
            }
        }
        Self { sources, texts }
    }

    /// The lines from the first to the last of the places, and what comes before them.
    fn snippet(
        &self,
        file: usize,
        annotations: &[(Place, AnnotationKind, &'s str)],
    ) -> Snippet<'_, Annotation<'_>> {
        let text = self.texts.get(file).map_or("", |text| text.as_ref());
        let start = annotations.iter().map(|(place, ..)| place.start).min();
        let end = annotations.iter().map(|(place, ..)| place.end).max();
        let (start, end) = (start.unwrap_or(0), end.unwrap_or(0));
        let first = text
            .get(..start)
            .and_then(|t| t.rfind('\n'))
            .map_or(0, |at| at + 1);
        let last = text
            .get(end..)
            .and_then(|t| t.find('\n'))
            .map_or(text.len(), |at| end + at);
        let line = self.sources.position(Place::new(file, first, first)).line;
        let annotations = annotations.iter().map(|(place, kind, label)| {
            let annotation = kind.span(place.start - first..place.end - first);
            if label.is_empty() {
                annotation
            } else {
                annotation.label(*label)
            }
        });
        Snippet::source(text.get(first..last).unwrap_or_default())
            .path(self.sources.name(file))
            .line_start(line)
            .annotations(annotations)
    }
}

/// The same text, as long as before, with asterisks at a place.
fn cover(text: &str, place: Place) -> String {
    let (Some(before), Some(covered), Some(after)) = (
        text.get(..place.start),
        text.get(place.start..place.end),
        text.get(place.end..),
    ) else {
        return text.to_owned();
    };
    let stars = covered.bytes().map(|byte| match byte {
        b'\n' => '\n',
        b'\r' => '\r',
        _ => '*',
    });
    let stars: String = stars.collect();
    [before, &stars, after].concat()
}

fn group<'a>(shown: &'a Shown<'_>, diagnostic: &'a Diagnostic) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code.as_str());
    let expected = diagnostic.expected.as_deref().unwrap_or_default();
    let mut here = vec![(diagnostic.place, AnnotationKind::Primary, expected)];
    let mut elsewhere: Vec<(Place, AnnotationKind, &str)> = Vec::new();
    for (place, label) in &diagnostic.also {
        let list = if place.file == diagnostic.place.file {
            &mut here
        } else {
            &mut elsewhere
        };
        list.push((*place, AnnotationKind::Context, label.as_str()));
    }
    let mut group = title.element(shown.snippet(diagnostic.place.file, &here));
    for annotation in elsewhere {
        group = group.element(shown.snippet(annotation.0.file, &[annotation]));
    }
    group.elements(
        diagnostic
            .help
            .iter()
            .map(|help| Level::HELP.message(help.as_str())),
    )
}
