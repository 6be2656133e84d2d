//! One thing that is wrong, and the gathering of them all.

use crate::source::{Place, ReadError, Sources};
use rounds_domain::Code;
use rounds_map::Json;

/// The most diagnostics of one configuration; after so many the rest tell nothing new.
pub const MAX_DIAGNOSTICS: usize = 200;

/// Whether it keeps the configuration from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It does.
    Error,
    /// It does not, but is hardly meant.
    Warning,
}

impl Severity {
    /// The word as people and programs read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its stable code.
    pub code: Code,
    /// Whether it keeps the configuration from being used.
    pub severity: Severity,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// Where.
    pub place: Place,
    /// What belongs there instead; stands beside the caret.
    pub expected: Option<String>,
    /// Other places that have to do with it, each with what it is.
    pub also: Vec<(Place, String)>,
    /// How to mend it, one sentence each.
    pub help: Vec<String>,
    /// Places whose text is shown as asterisks, whatever diagnostic shows their lines.
    pub concealed: Vec<Place>,
}

impl Diagnostic {
    fn new(code: Code, severity: Severity, place: Place, message: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            message: message.into(),
            place,
            expected: None,
            also: Vec::new(),
            help: Vec::new(),
            concealed: Vec::new(),
        }
    }

    pub(crate) fn expected(&mut self, expected: impl Into<String>) -> &mut Self {
        self.expected = Some(expected.into());
        self
    }

    pub(crate) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help.push(help.into());
        self
    }

    pub(crate) fn also(&mut self, place: Place, label: impl Into<String>) -> &mut Self {
        self.also.push((place, label.into()));
        self
    }

    pub(crate) fn conceal(&mut self, place: Place) -> &mut Self {
        self.concealed.push(place);
        self
    }

    /// `help: did you mean ...` if there is something near.
    pub(crate) fn nearest<'c>(
        &mut self,
        name: &str,
        known: impl IntoIterator<Item = &'c str> + Clone,
    ) -> &mut Self {
        let listed: Vec<&str> = known.clone().into_iter().collect();
        match rounds_map::nearest(name, known) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None if listed.is_empty() => self,
            None => self.help(format!("known here: {}", list(&listed))),
        }
    }
}

/// `a`, `b`, `c`, at most a dozen.
pub(crate) fn list(names: &[&str]) -> String {
    let shown = names.iter().take(12).map(|name| format!("`{name}`"));
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if names.len() > 12 {
        text.push_str(", ...");
    }
    text
}

/// Something is wrong, and that was reported.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reported;

/// Gathers diagnostics while a configuration is read and lowered.
#[derive(Debug)]
pub(crate) struct Findings<'s> {
    pub(crate) sources: &'s Sources,
    /// The texts beside them that were read.
    beside: Vec<String>,
    diagnostics: Vec<Diagnostic>,
    /// The key or item whose value is being read: where a missing key is told.
    pub(crate) owner: Place,
}

impl<'s> Findings<'s> {
    pub(crate) fn new(sources: &'s Sources) -> Self {
        Self {
            sources,
            beside: Vec::new(),
            diagnostics: Vec::new(),
            owner: Place::default(),
        }
    }

    /// The text of a file that one of the texts names.
    pub(crate) fn read_beside(&mut self, file: usize, path: &str) -> Result<String, ReadError> {
        let text = self.sources.beside(file, path)?;
        self.beside.push(text.clone());
        Ok(text)
    }

    /// What stands for all that was read, and for the program that read it: another edit gives another.
    pub(crate) fn fingerprint(&self) -> String {
        let own = (0..self.sources.count()).map(|file| self.sources.text(file));
        let texts = std::iter::once(env!("CARGO_PKG_VERSION")).chain(own);
        let all = texts.chain(self.beside.iter().map(String::as_str));
        let mark = Json::array(all.map(Json::string)).fingerprint();
        format!("{:032x}", u128::from_be_bytes(mark))
    }

    pub(crate) fn error(
        &mut self,
        code: Code,
        place: Place,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.push(Diagnostic::new(code, Severity::Error, place, message))
    }

    pub(crate) fn warning(
        &mut self,
        code: Code,
        place: Place,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.push(Diagnostic::new(code, Severity::Warning, place, message))
    }

    fn push(&mut self, diagnostic: Diagnostic) -> &mut Diagnostic {
        let index = self.diagnostics.len();
        self.diagnostics.push(diagnostic);
        &mut self.diagnostics[index]
    }

    /// Adds to what was reported last.
    pub(crate) fn amend_last(&mut self, amend: impl FnOnce(&mut Diagnostic)) {
        if let Some(last) = self.diagnostics.last_mut() {
            amend(last);
        }
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.diagnostics
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// All of them in the order of the texts, each once, errors kept before warnings if there are too many.
    pub(crate) fn finish(self) -> Vec<Diagnostic> {
        let mut diagnostics = self.diagnostics;
        if diagnostics.len() > MAX_DIAGNOSTICS {
            diagnostics.sort_by_key(|diagnostic| {
                (
                    diagnostic.severity == Severity::Warning,
                    diagnostic.place.file,
                    diagnostic.place.start,
                )
            });
            let concealed: Vec<Place> = diagnostics
                .drain(MAX_DIAGNOSTICS..)
                .flat_map(|diagnostic| diagnostic.concealed)
                .collect();
            if let Some(last) = diagnostics.last_mut() {
                last.concealed.extend(concealed);
                last.help
                    .push("there are more; mend these first".to_owned());
            }
        }
        diagnostics.sort_by_key(|diagnostic| (diagnostic.place.file, diagnostic.place.start));
        diagnostics.dedup();
        diagnostics
    }
}
