//! `rounds explain`: the page of a code, or all codes.

use crate::output::{Align, Columns, Report, Terminal};
use crate::problem::UNKNOWN_CODE;
use crate::{Ended, Problem, explain};
use serde::Serialize;
use std::io::{self, Write};

/// One page.
#[derive(Debug, Serialize)]
pub struct Page {
    /// The code.
    pub code: &'static str,
    /// Its title.
    pub title: &'static str,
    /// The whole page, in Markdown.
    pub text: &'static str,
}

/// All codes.
#[derive(Debug, Serialize)]
pub struct Contents {
    /// In order.
    pub codes: Vec<Entry>,
}

/// One code of all.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// The code.
    pub code: &'static str,
    /// Its title.
    pub title: &'static str,
}

impl Report for Page {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", self.text.trim_end())
    }
}

impl Report for Contents {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Columns::new(&[("code", Align::Left), ("what it means", Align::Left)]);
        for entry in &self.codes {
            table.row([entry.code.to_owned(), entry.title.to_owned()]);
        }
        table.write(out, "")
    }
}

/// All codes with their titles.
pub fn contents() -> Contents {
    let entry = |(code, text)| Entry {
        code,
        title: explain::title(text),
    };
    Contents {
        codes: explain::PAGES.iter().copied().map(entry).collect(),
    }
}

/// The page of a code, or which one may be meant.
pub fn page(asked: &str) -> Result<Page, Problem> {
    explain::find(asked)
        .map(|(code, text)| Page {
            code,
            title: explain::title(text),
            text,
        })
        .ok_or_else(|| {
            let hint = explain::nearest(asked).map_or_else(
                || "`rounds explain` lists all codes".to_owned(),
                |near| format!("did you mean {near}? `rounds explain` lists all codes"),
            );
            Problem::new(
                UNKNOWN_CODE,
                Ended::Usage,
                format!("there is no code `{asked}`"),
                hint,
            )
        })
}

/// Shows it.
pub fn perform(code: Option<&str>, terminal: &mut Terminal) -> Result<Ended, Problem> {
    match code {
        Some(code) => terminal.give(&page(code)?)?,
        None => terminal.give(&contents())?,
    }
    Ok(Ended::Fine)
}
