//! `rounds why`: all that is known of a record, and what would have to be true for it to be seen.
//!
//! "Why was 17 not sent?" has one answer in each place where a change may have stopped: never shown by the EHR, known in silence, left
//! alone by a rule, waiting for a lookup, refused by the receiver. All of them are asked here, in the order of a change's way; and beside
//! what happened stands what the action asks for, because of what was never shown nothing is known.

mod asked;
mod story;
mod text;

use crate::cli::{Common, WhyArguments};
use crate::commands::poll::unknown_action;
use crate::output::Terminal;
use crate::problem::NOT_BY_KEY;
use crate::wiring::Surroundings;
use crate::{Ended, Problem, configuration, data};
use asked::AskedRow;
use jiff::Timestamp;
use rounds_domain::plan::{Action, Ids, OrderBy, Plan};
use rounds_domain::ports::{DestinationState, Operations, Store, Upkeep};
use rounds_domain::{ActionName, FeedKey, OrderingKey, RecordId};
use serde::Serialize;
use story::{Ends, Story};

/// How many containers and notifications of a record are shown.
const MOST_CHANGES: usize = 50;
/// How many records of a key are shown.
const MOST_RECORDS: usize = 20;
/// How many ids are shown as examples.
const EXAMPLES: usize = 3;

/// What is asked why of.
#[derive(Debug, Clone)]
pub enum Question {
    /// One record.
    Record(RecordId),
    /// All that was changed last under this key of the user's own.
    Key(String),
}

/// The answer. Shows identities, to the person who asked.
#[derive(Debug, Serialize)]
pub struct WhyPage {
    /// The action.
    pub action: String,
    /// The key that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What happened to each record.
    pub records: Vec<Story>,
    /// What each feed asks for.
    pub asked: Vec<AskedRow>,
    /// What to do next.
    pub advice: Vec<String>,
    #[serde(skip)]
    now: Timestamp,
}

/// Finds it out.
pub async fn why(
    plan: &Plan,
    store: &(impl Operations + Store + Upkeep),
    name: &ActionName,
    question: Question,
    now: Timestamp,
) -> Result<WhyPage, Problem> {
    let Some(action) = plan.actions.iter().find(|known| known.name == *name) else {
        return Err(unknown_action(plan, name));
    };
    let (records, key) = match question {
        Question::Record(record) => (vec![record], None),
        Question::Key(key) => {
            if !matches!(action.notify.order_by, OrderBy::Expression(_)) {
                return Err(not_by_key(action));
            }
            let ordering_key = OrderingKey::new(format!("key:{key}"));
            let found = store.records_of_key(name, &ordering_key, MOST_RECORDS);
            (found.await?, Some(key))
        }
    };
    let mut ends = Ends::new();
    for subscription in &action.to {
        let destination = &subscription.destination;
        if let Some(words) = at_rest(&store.destination_state(destination).await?) {
            ends.insert(destination.clone(), words);
        }
    }
    let mut stories = Vec::new();
    for record in &records {
        let history = store.history(name, record, MOST_CHANGES).await?;
        stories.push(Story::of(record, &history, &ends, now));
    }
    let is_unknown = stories.iter().all(Story::is_empty);
    let mut asked = Vec::new();
    for feed in action.feeds() {
        let key = FeedKey::whole(name.clone(), feed.name.clone());
        let states = store.feed_states(&[key]).await?;
        let state = states.into_iter().next().unwrap_or_default();
        asked.push(AskedRow::of(action, feed, &state, is_unknown));
    }
    let advice = match records.first() {
        Some(record) if is_unknown => unknown(plan, store, action, record).await?,
        _ => Vec::new(),
    };
    Ok(WhyPage {
        action: name.to_string(),
        key,
        records: stories,
        asked,
        advice,
        now,
    })
}

/// Why nothing goes to a destination now, to be read after its name.
fn at_rest(state: &DestinationState) -> Option<String> {
    if let Some((since, code, reason)) = &state.paused {
        return Some(format!("is paused since {since} ({code}): {reason}"));
    }
    let breaker = state.breaker.as_ref()?;
    Some(format!(
        "fails for everything since {}, so one delivery at a time is tried, the next at {}",
        breaker.opened_at, breaker.next_try_at
    ))
}

/// Shows it.
pub async fn perform(
    common: &Common,
    arguments: WhyArguments,
    terminal: &mut Terminal,
) -> Result<Ended, Problem> {
    let plan = configuration::load(&common.config, terminal)?;
    let store = data::open_for_operator(&common.data_dir)?;
    let now = Surroundings::real().clock.now();
    let name = ActionName::new(arguments.action);
    let question = match (arguments.record, arguments.key) {
        (Some(record), _) => Question::Record(RecordId::new(record)),
        (None, key) => Question::Key(key.unwrap_or_default()),
    };
    terminal.give(&why(&plan, &store, &name, question, now).await?)?;
    Ok(Ended::Fine)
}

/// What to look for where nothing is known of a record.
async fn unknown(
    plan: &Plan,
    store: &(impl Operations + Upkeep),
    action: &Action,
    record: &RecordId,
) -> Result<Vec<String>, Problem> {
    let mut advice = Vec::new();
    let id = record.expose();
    if action.changes.ids == Ids::PerPartition && !id.contains('/') {
        advice.push(format!(
            "its ids stand behind their partition: `PARTITION/{id}`"
        ));
    }
    // As a reference or a URL names it, or with blanks around it.
    let last = id.trim().rsplit('/').next().unwrap_or(id);
    if last != id {
        let other = store.history(&action.name, &RecordId::new(last), 1).await?;
        if other.known.is_some() {
            advice.push(format!("`{last}` is known: ask for that"));
        }
    }
    for other in &plan.actions {
        if other.name == action.name {
            continue;
        }
        let history = store.history(&other.name, record, 1).await?;
        if history.known.is_some() {
            let name = &other.name;
            advice.push(format!("it is known by `{name}`: `rounds why {name} {id}`"));
        }
    }
    let known = store.sample_records(&action.name, EXAMPLES).await?;
    if !known.is_empty() {
        let ids: Vec<&str> = known.iter().map(|known| known.id.expose()).collect();
        advice.push(format!(
            "ids that `{}` knows look like {}",
            action.name,
            ids.join(", ")
        ));
    }
    advice.push(format!(
        "`rounds poll {} --dry-run --record {id}` asks the EHR for it now, and shows what would be told",
        action.name
    ));
    Ok(advice)
}

fn not_by_key(action: &Action) -> Problem {
    let by = match action.notify.order_by {
        OrderBy::Action => "all of its notifications are in one order",
        OrderBy::Record | OrderBy::Expression(_) => "each record is in an order of its own",
    };
    let name = &action.name;
    Problem::new(
        NOT_BY_KEY,
        Ended::Usage,
        format!("the action `{name}` has no keys of its own: {by}"),
        format!("ask for a record: `rounds why {name} RECORD`; keys come from `notify.order_by`"),
    )
}
