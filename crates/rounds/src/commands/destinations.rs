//! `rounds destinations`: how the endpoints stand, holding and releasing them, and a test that goes the way of notifications.

use super::oldest::{OldestRow, are};
use crate::cli::{Common, DestinationsCommand};
use crate::output::{Ago, Align, Columns, Report, Terminal, attempt_in_words, duration_in_words};
use crate::problem::UNKNOWN_DESTINATION;
use crate::wiring::Surroundings;
use crate::{Ended, Problem, configuration, data};
use jiff::Timestamp;
use rounds_domain::plan::{Challenge, Destination, Plan};
use rounds_domain::ports::{DestinationOverview, DestinationState, Destinations, Operations};
use rounds_domain::{Attempt, AttemptOutcome, Code, DestinationName};
use rounds_engine::test_message;
use rounds_http::WebhookClient;
use serde::Serialize;
use std::io::{self, Write};
use std::sync::Arc;

/// Each destination to which anything was ever owed.
#[derive(Debug, Serialize)]
pub struct DestinationList {
    /// When it was looked.
    pub now: Timestamp,
    /// They.
    pub destinations: Vec<DestinationStatus>,
}

/// How one destination stands.
#[derive(Debug, Serialize)]
pub struct DestinationStatus {
    /// Which.
    pub destination: String,
    /// Deliveries waiting or due.
    pub owed: u64,
    /// When the change of the oldest of them was found.
    pub oldest_owed_at: Option<Timestamp>,
    /// Of those that are owed, how many an attempt has failed of.
    pub failing: u64,
    /// Why the oldest of them fails.
    pub oldest_failing: Option<OldestRow>,
    /// Deliveries that were taken and are still kept.
    pub delivered: u64,
    /// Deliveries given up.
    pub dead: u64,
    /// Why the oldest of them was given up.
    pub oldest_dead: Option<OldestRow>,
    /// Since when and why nothing is sent.
    pub paused: Option<Paused>,
    /// Since when and why only one delivery at a time is tried.
    pub breaker: Option<OpenBreaker>,
}

/// Why a destination is left alone.
#[derive(Debug, Serialize)]
pub struct Paused {
    /// Since when.
    pub since: Timestamp,
    /// The code.
    pub code: &'static str,
    /// In words.
    pub reason: String,
}

/// Why a destination is only tried now and then.
#[derive(Debug, Serialize)]
pub struct OpenBreaker {
    /// Since when.
    pub since: Timestamp,
    /// How many attempts failed in a row.
    pub failures: u32,
    /// When the next one is made.
    pub next_try_at: Timestamp,
    /// The code of the last failure.
    pub code: &'static str,
    /// The last failure in words.
    pub reason: String,
}

/// What was done to a destination.
#[derive(Debug, Serialize)]
pub struct Done {
    /// Which.
    pub destination: String,
    /// `held` or `released`.
    pub done: &'static str,
}

/// What came of a test.
#[derive(Debug, Serialize)]
pub struct Tested {
    /// Which destination.
    pub destination: String,
    /// Its origin; the rest of a URL may be a secret.
    pub origin: String,
    /// Whether the endpoint answered the challenge, where it has to.
    pub challenge: Option<&'static str>,
    /// The id that the test was sent under.
    pub id: Option<String>,
    /// Whether it was taken.
    pub taken: bool,
    /// What came of it, in words.
    pub outcome: String,
    /// The code of why it was not taken.
    pub code: Option<&'static str>,
}

impl DestinationStatus {
    /// In one word.
    fn state(&self) -> &'static str {
        match (&self.paused, &self.breaker) {
            (Some(paused), _) if paused.code == DestinationState::HELD.as_str() => "held",
            (Some(_), _) => "paused",
            (None, Some(_)) => "breaker open",
            (None, None) if self.failing > 0 => "failing",
            (None, None) if self.dead > 0 => "gave up some",
            (None, None) => "served",
        }
    }

    /// Whether all that is owed to it goes on, and nothing was given up.
    pub(super) fn is_well(&self) -> bool {
        self.state() == "served"
    }

    /// What is wrong with it and what can be done.
    pub(super) fn write_troubles(&self, now: Timestamp, out: &mut dyn Write) -> io::Result<()> {
        let name = &self.destination;
        let since = |at: Timestamp| duration_in_words(now.duration_since(at).unsigned_abs());
        if let Some(paused) = &self.paused {
            let (word, mend) = match self.state() {
                "held" => ("held", format!("rounds destinations release {name}")),
                _ => (
                    "paused",
                    format!("rounds deliveries retry --destination {name}"),
                ),
            };
            writeln!(
                out,
                "\n{name}: {word} for {} ({}): {}\n  help: {mend}",
                since(paused.since),
                paused.code,
                paused.reason
            )?;
        }
        if let Some(breaker) = &self.breaker {
            let wait = breaker.next_try_at.duration_since(now);
            let next = if wait.is_positive() {
                format!("in {}", duration_in_words(wait.unsigned_abs()))
            } else {
                "now".to_owned()
            };
            writeln!(
                out,
                "\n{name}: {} attempts in a row failed, so one at a time is tried, the next {next}; for {} ({}): {}\n  help: rounds destinations test {name}",
                breaker.failures,
                since(breaker.since),
                breaker.code,
                breaker.reason
            )?;
        }
        if let Some(oldest) = &self.oldest_failing {
            writeln!(
                out,
                "\n{name}: failing: {} tried again, the oldest {}\n  help: rounds deliveries list --destination {name} --state due",
                are(self.failing),
                oldest.in_words(now)
            )?;
        }
        if let Some(oldest) = &self.oldest_dead {
            writeln!(
                out,
                "\n{name}: {} given up, the oldest {}\n  help: rounds deliveries list --destination {name} --state dead",
                are(self.dead),
                oldest.in_words(now)
            )?;
        }
        Ok(())
    }
}

impl From<DestinationOverview> for DestinationStatus {
    fn from(overview: DestinationOverview) -> Self {
        let paused = overview.state.paused.map(|(since, code, reason)| Paused {
            since,
            code: code.as_str(),
            reason,
        });
        let breaker = overview.state.breaker.map(|breaker| OpenBreaker {
            since: breaker.opened_at,
            failures: breaker.failures,
            next_try_at: breaker.next_try_at,
            code: breaker.code.as_str(),
            reason: breaker.reason,
        });
        Self {
            destination: overview.destination.to_string(),
            owed: overview.owed,
            oldest_owed_at: overview.oldest_owed_at,
            failing: overview.failing,
            oldest_failing: overview.oldest_failing.map(OldestRow::from),
            delivered: overview.delivered,
            dead: overview.dead,
            oldest_dead: overview.oldest_dead.map(OldestRow::from),
            paused,
            breaker,
        }
    }
}

/// Writes destinations as a table.
pub(super) fn write_table(
    destinations: &[DestinationStatus],
    now: Timestamp,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut table = Columns::new(&[
        ("destination", Align::Left),
        ("owed", Align::Right),
        ("oldest found", Align::Left),
        ("delivered", Align::Right),
        ("dead", Align::Right),
        ("state", Align::Left),
    ]);
    for destination in destinations {
        let ago = |at| Ago { at, now }.to_string();
        table.row([
            destination.destination.clone(),
            destination.owed.to_string(),
            destination
                .oldest_owed_at
                .map_or_else(|| "-".to_owned(), ago),
            destination.delivered.to_string(),
            destination.dead.to_string(),
            destination.state().to_owned(),
        ]);
    }
    table.write(out, "")
}

/// They as they stand.
pub async fn list(operations: &dyn Operations, now: Timestamp) -> Result<DestinationList, Problem> {
    let overview = operations.overview().await?;
    Ok(DestinationList {
        now,
        destinations: overview
            .destinations
            .into_iter()
            .map(DestinationStatus::from)
            .collect(),
    })
}

/// A destination that the store knows, so that a slip of the pen holds nothing that is not there.
async fn known(operations: &dyn Operations, name: &str) -> Result<DestinationName, Problem> {
    let overview = operations.overview().await?;
    let mut known = overview
        .destinations
        .into_iter()
        .map(|found| found.destination);
    let names: Vec<String> = known.by_ref().map(|name| name.to_string()).collect();
    if names.iter().any(|known| known == name) {
        return Ok(DestinationName::new(name));
    }
    Err(unknown(name, "nothing was ever owed to", &names))
}

fn unknown(name: &str, why: &str, names: &[String]) -> Problem {
    let hint = if names.is_empty() {
        "there is none yet".to_owned()
    } else {
        format!("there are: {}", names.join(", "))
    };
    let message = format!("{why} a destination `{name}`");
    Problem::new(UNKNOWN_DESTINATION, Ended::Usage, message, hint)
}

/// Sends a test by the very way of notifications: the same client, address guard, headers and signatures.
pub async fn test(plan: &Plan, surroundings: &Surroundings, name: &str) -> Result<Tested, Problem> {
    let Some(destination) = plan.destinations.get(&DestinationName::new(name)) else {
        let names: Vec<String> = plan.destinations.keys().map(ToString::to_string).collect();
        return Err(unknown(name, "the configuration has no", &names));
    };
    let client = WebhookClient::new(
        [Arc::clone(destination)],
        Arc::clone(&surroundings.secrets),
        Arc::clone(&surroundings.clock),
    )?;
    let randomness = surroundings.randomness()?;
    let mut tested = Tested {
        destination: name.to_owned(),
        origin: destination.url.origin().ascii_serialization(),
        challenge: None,
        id: None,
        taken: false,
        outcome: String::new(),
        code: None,
    };
    if destination.challenge != Challenge::None {
        let challenge = format!(
            "{:016x}{:016x}",
            randomness.next_u64(),
            randomness.next_u64()
        );
        if let Err(failure) = client.challenge(&destination.name, challenge).await {
            tested.outcome = failure.message;
            tested.code = Some(failure.code.as_str());
            return Ok(tested);
        }
        tested.challenge = Some("answered");
    }
    send(
        &client,
        destination,
        surroundings,
        &*randomness,
        &mut tested,
    )
    .await;
    Ok(tested)
}

async fn send(
    client: &WebhookClient,
    destination: &Destination,
    surroundings: &Surroundings,
    randomness: &dyn rounds_domain::ports::Randomness,
    tested: &mut Tested,
) {
    let started_at = surroundings.clock.now();
    let message = test_message(&destination.name, started_at, randomness.next_u64());
    tested.id = Some(message.id.to_string());
    let began = surroundings.clock.monotonic();
    let outcome = client.deliver(&destination.name, message).await;
    let attempt = Attempt {
        started_at,
        took: surroundings.clock.monotonic().saturating_sub(began),
        outcome,
    };
    tested.taken = matches!(attempt.outcome, AttemptOutcome::Delivered { .. });
    tested.outcome = attempt_in_words(&attempt);
    tested.code = attempt.outcome.code().map(Code::as_str);
}

/// Shows or changes them.
pub async fn perform(
    common: &Common,
    command: DestinationsCommand,
    terminal: &mut Terminal,
) -> Result<Ended, Problem> {
    let surroundings = Surroundings::real();
    let now = surroundings.clock.now();
    match command {
        DestinationsCommand::List => {
            let store = data::open_for_operator(&common.data_dir)?;
            terminal.give(&list(&store, now).await?)?;
        }
        DestinationsCommand::Hold { name, reason } => {
            let store = data::open_for_operator(&common.data_dir)?;
            let destination = known(&store, &name).await?;
            store.hold_destination(&destination, reason, now).await?;
            let done = "held";
            terminal.give(&Done {
                destination: name,
                done,
            })?;
        }
        DestinationsCommand::Release { name } => {
            let store = data::open_for_operator(&common.data_dir)?;
            let destination = known(&store, &name).await?;
            store.release_destination(&destination).await?;
            let done = "released";
            terminal.give(&Done {
                destination: name,
                done,
            })?;
        }
        DestinationsCommand::Test { name } => {
            let plan = configuration::load(&common.config, terminal)?;
            let tested = test(&plan, &surroundings, &name).await?;
            terminal.give(&tested)?;
            if !tested.taken {
                return Ok(Ended::NotAsItShould);
            }
        }
    }
    Ok(Ended::Fine)
}

impl Report for DestinationList {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        write_table(&self.destinations, self.now, out)?;
        self.destinations
            .iter()
            .try_for_each(|destination| destination.write_troubles(self.now, out))
    }
}

impl Report for Done {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{} {}", self.destination, self.done)
    }
}

impl Report for Tested {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.challenge.is_some() {
            writeln!(out, "{}: answered the challenge", self.destination)?;
        }
        let id = self.id.as_deref().unwrap_or("nothing was sent");
        writeln!(
            out,
            "{} ({}), {id}: {}",
            self.destination, self.origin, self.outcome
        )?;
        if let Some(code) = self.code {
            writeln!(out, "  help: rounds explain {code}")?;
        }
        Ok(())
    }
}
