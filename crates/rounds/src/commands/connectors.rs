//! `rounds connectors`: what is known of EHRs' APIs.

use crate::cli::ConnectorsCommand;
use crate::output::{Align, Columns, Report, Terminal};
use crate::{Ended, Problem};
use rounds_config::codes::UNKNOWN_CONNECTOR;
use rounds_config::{ActionFacts, ConnectorFacts, Strategy, connectors};
use rounds_map::nearest;
use serde::Serialize;
use std::io::{self, Write};

/// Every action of every connector.
#[derive(Debug, Serialize)]
pub struct Matrix {
    /// One for each action.
    pub actions: Vec<MatrixRow>,
}

/// One action of a connector.
#[derive(Debug, Serialize)]
pub struct MatrixRow {
    /// Which connector.
    pub connector: String,
    /// Which of its actions.
    pub action: String,
    /// How it is polled.
    pub strategy: &'static str,
    /// Whether it can be polled.
    pub pollable: bool,
    /// How sure that is.
    pub certainty: &'static str,
}

/// One connector.
#[derive(Debug, Serialize)]
pub struct ConnectorPage {
    /// Its name.
    pub connector: String,
    /// What it is.
    pub about: String,
    /// How sure this is.
    pub certainty: &'static str,
    /// On which server, and when.
    pub verified_with: Option<String>,
    /// What only the user knows.
    pub settings: Vec<SettingRow>,
    /// Its actions.
    pub actions: Vec<ActionRow>,
    /// What has to be known besides.
    pub quirks: Vec<String>,
    /// Where this comes from.
    pub sources: Vec<String>,
    /// A user's whole configuration over it.
    pub example: String,
}

/// One setting.
#[derive(Debug, Serialize)]
pub struct SettingRow {
    /// Its name.
    pub setting: String,
    /// What it is.
    pub about: String,
    /// How it looks.
    pub example: Option<String>,
    /// What it is if nothing is said.
    pub default: Option<String>,
}

/// One action.
#[derive(Debug, Serialize)]
pub struct ActionRow {
    /// Its name.
    pub action: String,
    /// What it tells of.
    pub about: Option<String>,
    /// How it is polled.
    pub strategy: &'static str,
    /// How sure that is.
    pub certainty: &'static str,
    /// Why it cannot be polled.
    pub because: Option<String>,
    /// What can be done instead.
    pub instead: Option<String>,
}

/// Every action of every connector.
pub fn matrix() -> Matrix {
    let rows = connectors().into_iter().flat_map(|connector| {
        let name = connector.name.clone();
        connector.actions.into_iter().map(move |action| MatrixRow {
            connector: name.clone(),
            action: action.name,
            strategy: action.strategy.in_words(),
            pollable: action.strategy != Strategy::None,
            certainty: action.certainty.in_words(),
        })
    });
    Matrix {
        actions: rows.collect(),
    }
}

/// One connector, or which one may be meant.
pub fn page(asked: &str) -> Result<ConnectorPage, Problem> {
    let all = connectors();
    let names: Vec<String> = all.iter().map(|connector| connector.name.clone()).collect();
    let found = all.into_iter().find(|connector| connector.name == asked);
    found.map(ConnectorPage::from).ok_or_else(|| {
        let hint = nearest(asked, names.iter().map(String::as_str)).map_or_else(
            || "`rounds connectors list` lists them all".to_owned(),
            |near| format!("did you mean {near}? `rounds connectors list` lists them all"),
        );
        Problem::new(
            UNKNOWN_CONNECTOR,
            Ended::Usage,
            format!("there is no connector `{asked}`"),
            hint,
        )
    })
}

impl From<ConnectorFacts> for ConnectorPage {
    fn from(facts: ConnectorFacts) -> Self {
        let settings = facts.settings.into_iter().map(|setting| SettingRow {
            setting: setting.name,
            about: setting.about,
            example: setting.example,
            default: setting.default,
        });
        Self {
            connector: facts.name,
            about: facts.about,
            certainty: facts.certainty.in_words(),
            verified_with: facts.verified_with,
            settings: settings.collect(),
            actions: facts.actions.into_iter().map(ActionRow::from).collect(),
            quirks: facts.quirks,
            sources: facts.sources,
            example: facts.example,
        }
    }
}

impl From<ActionFacts> for ActionRow {
    fn from(facts: ActionFacts) -> Self {
        Self {
            action: facts.name,
            about: facts.about,
            strategy: facts.strategy.in_words(),
            certainty: facts.certainty.in_words(),
            because: facts.because,
            instead: facts.instead,
        }
    }
}

impl Report for Matrix {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Columns::new(&[
            ("connector", Align::Left),
            ("action", Align::Left),
            ("polled by", Align::Left),
            ("certainty", Align::Left),
        ]);
        for row in &self.actions {
            table.row([
                row.connector.clone(),
                row.action.clone(),
                row.strategy.to_owned(),
                row.certainty.to_owned(),
            ]);
        }
        table.write(out, "")
    }
}

impl Report for ConnectorPage {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}: {}", self.connector, self.about)?;
        let verified = self.verified_with.as_deref();
        let with = verified.map_or_else(String::new, |with| format!(" with {with}"));
        writeln!(out, "{}{with}", capital(self.certainty))?;
        writeln!(out, "\nActions")?;
        let mut table = Columns::new(&[
            ("uses", Align::Left),
            ("polled by", Align::Left),
            ("certainty", Align::Left),
        ]);
        for action in &self.actions {
            table.row([
                action.action.clone(),
                action.strategy.to_owned(),
                action.certainty.to_owned(),
            ]);
        }
        table.write(out, "  ")?;
        for action in &self.actions {
            if let (Some(because), Some(instead)) = (&action.because, &action.instead) {
                writeln!(
                    out,
                    "\n`{}` cannot be polled. {because}\n  Instead: {instead}",
                    action.action
                )?;
            }
        }
        if !self.settings.is_empty() {
            writeln!(out, "\nSettings")?;
            for setting in &self.settings {
                let default = match (&setting.default, &setting.example) {
                    (Some(default), _) => format!(" Default {default}."),
                    (None, Some(example)) => format!(" For example {example}."),
                    (None, None) => String::new(),
                };
                writeln!(out, "  {}: {}{default}", setting.setting, setting.about)?;
            }
        }
        if !self.quirks.is_empty() {
            writeln!(out, "\nTo know")?;
            for quirk in &self.quirks {
                writeln!(out, "  - {quirk}")?;
            }
        }
        writeln!(out, "\nSources")?;
        for source in &self.sources {
            writeln!(out, "  - {source}")?;
        }
        writeln!(out, "\nFor example")?;
        for line in self.example.lines() {
            writeln!(out, "  {line}")?;
        }
        Ok(())
    }
}

fn capital(word: &str) -> String {
    let mut characters = word.chars();
    let first = characters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

/// Shows them.
pub fn perform(command: &ConnectorsCommand, terminal: &mut Terminal) -> Result<Ended, Problem> {
    match command {
        ConnectorsCommand::List => terminal.give(&matrix())?,
        ConnectorsCommand::Show { connector } => terminal.give(&page(connector)?)?,
    }
    Ok(Ended::Fine)
}
