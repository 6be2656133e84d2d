//! `rounds check`: everything that is wrong, what will be done, what it costs, which secrets are there.

mod deeds;

pub use deeds::{ActionDeeds, CursorDeeds};

use crate::cli::Common;
use crate::configuration::Read;
use crate::data::{self, Database};
use crate::output::{Align, Columns, Format, Report, Terminal, plural};
use crate::problem::SECRET;
use crate::wiring::Surroundings;
use crate::{Ended, Problem};
use rounds_config::{ConnectionCost, Severity};
use rounds_domain::InstanceId;
use rounds_domain::plan::{Action, Plan};
use rounds_domain::ports::Store;
use rounds_http::codes::DESTINATION_ADDRESS;
use rounds_http::{SecretError, check_destination};
use rounds_store::SqliteStore;
use serde::Serialize;
use serde_json::Value;
use std::io::{self, Write};
use std::path::Path;

/// What a check found.
#[derive(Debug, Serialize)]
pub struct CheckPage {
    /// Whether the configuration can be used.
    pub usable: bool,
    /// All that is wrong, each with code, severity, message, file, line, column, help.
    pub diagnostics: Value,
    /// What each action will do; empty if the configuration cannot be used.
    pub actions: Vec<ActionDeeds>,
    /// What it costs each connection.
    pub costs: Vec<CostRow>,
    /// Destinations whose names lead to addresses that may not be dialled.
    pub addresses: Vec<AddressRow>,
    /// Each secret, and whether it can be read here. Never its value.
    pub secrets: Vec<SecretRow>,
}

/// What a connection is asked, and what it allows.
#[derive(Debug, Serialize)]
pub struct CostRow {
    /// Which connection.
    pub connection: String,
    /// Requests in the busiest hour, by rounds alone.
    pub requests_per_hour: f64,
    /// Requests on the busiest day, by rounds alone.
    pub requests_per_day: f64,
    /// Requests that its limits let through in an hour.
    pub allowed_per_hour: Option<f64>,
    /// Requests that its limits let through in a day.
    pub allowed_per_day: Option<f64>,
    /// How much of the tightest limit rounds alone use; 100 is all.
    pub share_percent: Option<f64>,
}

/// A destination that may not be dialled.
#[derive(Debug, Serialize)]
pub struct AddressRow {
    /// Which.
    pub destination: String,
    /// The code.
    pub code: &'static str,
    /// Which address, and of what kind it is.
    pub trouble: String,
    /// How to mend it.
    pub hint: &'static str,
}

/// One secret.
#[derive(Debug, Serialize)]
pub struct SecretRow {
    /// Where it is used.
    pub used_at: String,
    /// Whether it can be read and used, here and now.
    pub readable: bool,
    /// Why not. Names the reference, never the value.
    pub trouble: Option<String>,
    /// How to mend it.
    pub hint: Option<String>,
}

/// Looks at a configuration. `data_directory` only tells which place in its interval an action has.
pub async fn check(
    read: &Read,
    data_directory: &Path,
    surroundings: &Surroundings,
) -> Result<CheckPage, Problem> {
    let diagnostics = rounds_config::to_json(&read.sources, &read.diagnostics);
    let Some(plan) = &read.plan else {
        return Ok(CheckPage {
            usable: false,
            diagnostics,
            actions: Vec::new(),
            costs: Vec::new(),
            addresses: Vec::new(),
            secrets: Vec::new(),
        });
    };
    let instance = instance(data_directory).await;
    let now = surroundings.clock.now();
    let deeds = |action: &std::sync::Arc<Action>| {
        let used = (read.uses.iter()).find(|used| used.action == action.name.as_str());
        let connection = plan.connections.get(&action.connection);
        ActionDeeds::of(
            action,
            connection.map(AsRef::as_ref),
            used,
            instance.as_ref(),
            now,
        )
    };
    let addresses = addresses(plan).await;
    Ok(CheckPage {
        usable: addresses.is_empty(),
        addresses,
        diagnostics,
        actions: plan.actions.iter().map(deeds).collect(),
        costs: rounds_config::cost(plan)
            .iter()
            .map(CostRow::from)
            .collect(),
        secrets: secrets(plan, surroundings).await,
    })
}

/// Shows it.
pub async fn perform(common: &Common, terminal: &mut Terminal) -> Result<Ended, Problem> {
    let read = Read::from(&common.config)?;
    // As JSON the diagnostics are part of the report.
    if terminal.format() == Format::Text {
        terminal.diagnostics(&read.sources, &read.diagnostics);
    }
    let page = check(&read, &common.data_dir, &Surroundings::real()).await?;
    if terminal.format() == Format::Json || page.usable {
        terminal.give(&page)?;
    }
    if terminal.format() == Format::Text {
        for row in &page.addresses {
            terminal.say(&format!(
                "error[{}]: destinations.{}.url: {}\n  help: {}\n",
                row.code, row.destination, row.trouble, row.hint
            ));
        }
        terminal.say(&page.verdict(&read));
    }
    Ok(if page.usable {
        Ended::Fine
    } else {
        Ended::BadData
    })
}

/// The installation's name. A check works without one, so whatever keeps it from being read is not its concern.
async fn instance(data_directory: &Path) -> Option<InstanceId> {
    match data::look(data_directory) {
        Ok(Database::There) => {
            let store = SqliteStore::open_for_operator(data_directory).ok()?;
            store.instance().await.ok()
        }
        Ok(Database::NotYet) | Err(_) => None,
    }
}

async fn addresses(plan: &Plan) -> Vec<AddressRow> {
    let refusals = plan.destinations.values().map(|destination| async {
        let refusal = check_destination(destination).await.err()?;
        Some(AddressRow {
            destination: destination.name.to_string(),
            code: DESTINATION_ADDRESS.as_str(),
            trouble: refusal.to_string(),
            hint: refusal.hint(),
        })
    });
    let refusals = futures_util::future::join_all(refusals).await;
    refusals.into_iter().flatten().collect()
}

async fn secrets(plan: &Plan, surroundings: &Surroundings) -> Vec<SecretRow> {
    let row = |(used_at, trouble): (String, Option<SecretError>)| SecretRow {
        used_at,
        readable: trouble.is_none(),
        hint: trouble.as_ref().map(|error| error.hint.clone()),
        trouble: trouble.map(|error| error.to_string()),
    };
    let tried = surroundings.try_secrets(plan).await;
    tried.into_iter().map(row).collect()
}

impl From<&ConnectionCost> for CostRow {
    fn from(cost: &ConnectionCost) -> Self {
        Self {
            connection: cost.connection.to_string(),
            requests_per_hour: cost.requests_per_hour,
            requests_per_day: cost.requests_per_day,
            allowed_per_hour: cost.allowed.map(|allowed| allowed.requests_per_hour),
            allowed_per_day: cost.allowed.map(|allowed| allowed.requests_per_day),
            share_percent: cost.allowed.map(|allowed| allowed.share_percent),
        }
    }
}

impl CheckPage {
    /// The last line.
    fn verdict(&self, read: &Read) -> String {
        let count = |number: usize, word| plural(u64::try_from(number).unwrap_or(u64::MAX), word);
        let errors = read.count(Severity::Error) + self.addresses.len();
        let (errors, warnings) = (
            count(errors, "error"),
            count(read.count(Severity::Warning), "warning"),
        );
        if self.usable {
            format!("The configuration can be used: {errors}, {warnings}.")
        } else {
            format!("The configuration cannot be used: {errors}, {warnings}.")
        }
    }

    fn write_costs(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Columns::new(&[
            ("connection", Align::Left),
            ("requests/hour", Align::Right),
            ("of allowed", Align::Right),
            ("requests/day", Align::Right),
            ("of allowed", Align::Right),
            ("share", Align::Right),
        ]);
        let number = |value: f64| format!("{value:.0}");
        let allowed =
            |value: Option<f64>| value.map_or_else(|| "no limit given".to_owned(), number);
        for cost in &self.costs {
            table.row([
                cost.connection.clone(),
                number(cost.requests_per_hour),
                allowed(cost.allowed_per_hour),
                number(cost.requests_per_day),
                allowed(cost.allowed_per_day),
                cost.share_percent.map_or_else(String::new, share),
            ]);
        }
        writeln!(
            out,
            "What it costs, by rounds alone (lookups and further pages come on top)"
        )?;
        table.write(out, "  ")
    }

    fn write_secrets(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.secrets.is_empty() {
            return Ok(());
        }
        writeln!(out, "\nSecrets")?;
        for secret in &self.secrets {
            match &secret.trouble {
                None => writeln!(out, "  {}: can be read", secret.used_at)?,
                Some(trouble) => {
                    writeln!(out, "  {}: warning[{SECRET}]: {trouble}", secret.used_at)?;
                    if let Some(hint) = &secret.hint {
                        writeln!(out, "    help: {hint}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn share(percent: f64) -> String {
    if percent > 0.0 && percent < 1.0 {
        "below 1 %".to_owned()
    } else {
        format!("{percent:.0} %")
    }
}

impl Report for CheckPage {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        for action in &self.actions {
            action.write(out)?;
            writeln!(out)?;
        }
        self.write_costs(out)?;
        self.write_secrets(out)
    }
}
