//! The two ways out.

use super::Report;
use crate::cli::Color;
use crate::problem::OUTPUT;
use crate::{Ended, Problem};
use rounds_config::{Colour, Diagnostic, Sources};
use rounds_domain::{PlainLines, plain};
use std::io::{self, IsTerminal, Write};

/// Text or JSON on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// Stdout for data, stderr for talk.
#[derive(Debug)]
pub struct Terminal {
    format: Format,
    color: Color,
}

impl Terminal {
    /// Sets the colours of both ways out.
    pub fn new(format: Format, color: Color) -> Self {
        match color {
            Color::Auto => {}
            Color::Always => anstream::ColorChoice::Always.write_global(),
            Color::Never => anstream::ColorChoice::Never.write_global(),
        }
        Self { format, color }
    }

    /// Text or JSON.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Whether a person watches stderr, so that a line may be written over.
    pub fn is_watched(&self) -> bool {
        self.color != Color::Never && io::stderr().is_terminal()
    }

    /// Writes a report to stdout.
    pub fn give(&mut self, report: &impl Report) -> Result<(), Problem> {
        self.write(|format, out| match format {
            Format::Text => report.write_text(&mut PlainLines(out)),
            Format::Json => {
                serde_json::to_writer(&mut *out, report)?;
                out.write_all(b"\n")
            }
        })
    }

    /// Writes text to stdout as it is, whatever the format.
    pub fn give_text(&mut self, text: &str) -> Result<(), Problem> {
        self.write(|_, out| out.write_all(text.as_bytes()))
    }

    fn write(
        &mut self,
        write: impl FnOnce(Format, &mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Problem> {
        let mut out = io::BufWriter::new(anstream::stdout().lock());
        match write(self.format, &mut out).and_then(|()| out.flush()) {
            // `rounds status | head -1` is no mistake.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Problem::new(
                OUTPUT,
                Ended::Failed,
                format!("writing to stdout: {error}"),
                "check where the output goes",
            )),
            _ => Ok(()),
        }
    }

    /// Says a line to the person, on stderr.
    pub fn say(&mut self, line: &str) {
        // Where stderr is gone, nobody is left to be told.
        let _ = writeln!(PlainLines(anstream::stderr().lock()), "{line}");
    }

    /// Writes over the last line of stderr, which was written the same way; only for a terminal that is watched.
    pub fn say_over(&mut self, line: &str) {
        let mut out = anstream::stderr().lock();
        let _ = write!(out, "\r\x1b[2K{line}").and_then(|()| out.flush());
    }

    /// Shows what is wrong with a configuration, on stderr.
    pub fn diagnostics(&mut self, sources: &Sources, diagnostics: &[Diagnostic]) {
        if diagnostics.is_empty() {
            return;
        }
        match self.format {
            Format::Text => {
                let colour = if self.color.for_stderr() {
                    Colour::Always
                } else {
                    Colour::Never
                };
                let text = rounds_config::render(sources, diagnostics, colour);
                say_coloured(&format!("{}\n", text.trim_end()));
            }
            Format::Json => {
                let all = rounds_config::to_json(sources, diagnostics);
                self.say(&serde_json::json!({ "diagnostics": all }).to_string());
            }
        }
    }

    /// Shows what went wrong, on stderr, and gives what the shell is told.
    pub fn refuse(&mut self, problem: &Problem) -> Ended {
        match self.format {
            Format::Json => self.say(&problem.to_json().to_string()),
            Format::Text => {
                let (red, bold, none) = if self.color.for_stderr() {
                    ("\x1b[1;31m", "\x1b[1m", "\x1b[0m")
                } else {
                    ("", "", "")
                };
                say_coloured(&format!(
                    "{red}error[{}]{none}{bold}: {}{none}",
                    problem.code,
                    plain(&problem.message)
                ));
                if let Some(hint) = &problem.hint {
                    self.say(&format!("  help: {hint}"));
                }
                self.say(&format!("  more: rounds explain {}", problem.code));
            }
        }
        problem.ended
    }
}

/// Says what has colours of ours in it, and nothing from outside that was not cleaned.
fn say_coloured(line: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}
