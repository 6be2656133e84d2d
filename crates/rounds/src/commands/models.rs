//! `rounds models`: what the data models hold that notifications may have the shape of.

use crate::cli::ModelsCommand;
use crate::output::{Align, Columns, RawDocument, Report, Terminal, indented};
use crate::problem::{UNKNOWN_MODEL, nearest_or};
use crate::{Ended, Problem};
use rounds_domain::Document;
use rounds_map::Json;
use rounds_map::models::{FieldRow, Model};
use serde::{Serialize, Serializer};
use std::io::{self, Write};

/// Every data model.
#[derive(Debug, Serialize)]
pub struct ModelsPage {
    /// The models.
    pub models: Vec<ModelRow>,
}

/// One of them.
#[derive(Debug, Serialize)]
pub struct ModelRow {
    /// Its name, as `notify.model` says it.
    pub model: String,
    /// Its events, as `notify.event` says them.
    pub events: Vec<String>,
    /// What it is.
    pub about: &'static str,
}

/// The fields of a model.
#[derive(Debug, Serialize)]
pub struct ModelPage {
    /// Which model.
    pub model: String,
    /// Its events, or the one that was asked for.
    pub events: Vec<String>,
    /// Its fields, in the order of a message.
    pub fields: Vec<ModelField>,
}

/// One field.
#[derive(Debug, Serialize)]
pub struct ModelField {
    /// From the message to it.
    pub path: String,
    /// What its value is.
    pub kind: &'static str,
    /// The events that have it.
    pub events: Vec<&'static str>,
    /// The events that must have a value here.
    pub required: Vec<&'static str>,
    /// What it holds.
    pub about: Option<&'static str>,
    #[serde(skip)]
    name: &'static str,
    #[serde(skip)]
    depth: usize,
}

/// A model's JSON Schema. `--json` has it on one line.
struct SchemaPage(Json);

impl Serialize for SchemaPage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawDocument::from(&Document::new(self.0.to_bytes())).serialize(serializer)
    }
}

/// Every data model.
pub fn list() -> ModelsPage {
    let models = Model::names()
        .filter_map(Model::named)
        .map(|model| ModelRow {
            model: model.name().to_owned(),
            events: model.events().map(str::to_owned).collect(),
            about: model.about(),
        });
    ModelsPage {
        models: models.collect(),
    }
}

/// The fields of a model, of one event or of all.
pub fn page(model: &str, event: Option<&str>) -> Result<ModelPage, Problem> {
    let model = find(model)?;
    if let Some(event) = event {
        has(model, event)?;
    }
    let events = model.events().map(str::to_owned);
    let wanted = |name: &String| event.is_none_or(|event| event == name);
    Ok(ModelPage {
        model: model.name().to_owned(),
        events: events.filter(wanted).collect(),
        fields: model
            .fields(event)
            .into_iter()
            .map(ModelField::from)
            .collect(),
    })
}

/// Does it.
pub fn perform(command: &ModelsCommand, terminal: &mut Terminal) -> Result<Ended, Problem> {
    match command {
        ModelsCommand::List => terminal.give(&list())?,
        ModelsCommand::Show { model, event } => terminal.give(&page(model, event.as_deref())?)?,
        ModelsCommand::Schema { model, event } => {
            let model = find(model)?;
            has(model, event)?;
            if let Some(schema) = model.schema(event) {
                terminal.give(&SchemaPage(schema))?;
            }
        }
    }
    Ok(Ended::Fine)
}

fn find(asked: &str) -> Result<&'static Model, Problem> {
    Model::named(asked).ok_or_else(|| {
        let hint = nearest_or(asked, Model::names(), "`rounds models list` lists them");
        let message = format!("there is no data model `{asked}`");
        Problem::new(UNKNOWN_MODEL, Ended::Usage, message, hint)
    })
}

fn has(model: &Model, asked: &str) -> Result<(), Problem> {
    if model.events().any(|event| event == asked) {
        return Ok(());
    }
    let known: Vec<&str> = model.events().collect();
    let hint = nearest_or(
        asked,
        known.iter().copied(),
        &format!("it has {}", known.join(", ")),
    );
    let message = format!("{} has no event `{asked}`", model.name());
    Err(Problem::new(UNKNOWN_MODEL, Ended::Usage, message, hint))
}

impl From<FieldRow> for ModelField {
    fn from(row: FieldRow) -> Self {
        Self {
            path: row.path,
            kind: row.kind,
            events: row.events,
            required: row.required,
            about: row.about,
            name: row.name,
            depth: row.depth,
        }
    }
}

impl Report for ModelsPage {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Columns::new(&[
            ("model", Align::Left),
            ("events", Align::Left),
            ("about", Align::Left),
        ]);
        for row in &self.models {
            table.row([
                row.model.clone(),
                row.events.join(" "),
                row.about.to_owned(),
            ]);
        }
        table.write(out, "")
    }
}

impl Report for ModelPage {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}: {}\n", self.model, self.events.join(" "))?;
        let mut table = Columns::new(&[
            ("field", Align::Left),
            ("type", Align::Left),
            ("must have a value", Align::Left),
            ("about", Align::Left),
        ]);
        for field in &self.fields {
            let only = (field.events.len() < self.events.len())
                .then(|| format!("only in {}. ", field.events.join(", ")));
            table.row([
                format!("{}{}", "  ".repeat(field.depth), field.name),
                field.kind.to_owned(),
                self.words_of(&field.required),
                only.unwrap_or_default() + field.about.unwrap_or_default(),
            ]);
        }
        table.write(out, "")
    }
}

impl ModelPage {
    /// In which events, said as shortly as it can be.
    fn words_of(&self, events: &[&str]) -> String {
        if events.len() < self.events.len() {
            events.join(" ")
        } else if self.events.len() == 1 {
            "yes".to_owned()
        } else {
            "all".to_owned()
        }
    }
}

impl Report for SchemaPage {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let text = self.0.to_bytes();
        writeln!(out, "{}", indented(&String::from_utf8_lossy(&text), ""))
    }
}
