//! An edited configuration over a state that was made under the former one.
//!
//! What an edit means cannot always be guessed: another `base_url` is the same EHR under a new name, or another EHR whose records would be
//! compared with this one's. So at each start the rules that were kept are compared with the present ones. What the state itself can
//! answer is answered (an `id` that is written otherwise and gives the same is no edit); what it cannot is refused, with the command
//! that says what is meant.

use crate::problem::EDITED;
use crate::{Ended, Problem};
use jiff::Timestamp;
use rounds_domain::plan::rules::{BASE_URL, CONFIGURATION, CURSOR, ID, START};
use rounds_domain::plan::{Action, Plan, Rules, rules_of};
use rounds_domain::ports::{ActionOverview, KnownRecord, Operations, Overview, StoreError, Upkeep};
use rounds_domain::{ActionName, FeedState};
use rounds_map::Json;
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// How many known records are read by an edited `id`.
const SAMPLE: usize = 200;

/// What an edit does to the state that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// Which rule: `id`, `base_url`, `changes.start`.
    pub rule: String,
    /// What it was.
    pub before: String,
    /// What it is.
    pub now: String,
}

impl Edit {
    /// What would come of it.
    fn consequence(&self) -> &'static str {
        if self.rule == ID {
            "every known record would be told as a new one"
        } else if self.rule == BASE_URL {
            "what is known of one EHR would be compared with another's records"
        } else if self.rule.ends_with(CURSOR) {
            "the query has no place to go on from, and what changed meanwhile would never be told"
        } else {
            "the query has begun already, and this would change nothing"
        }
    }
}

/// Compares each action's rules with those that were kept, and keeps the present ones. Gives how everything stands, which was read for it.
///
/// # Errors
///
/// When an edit cannot be reconciled with the state that is kept. Nothing is kept of the edited actions then.
pub async fn reconcile<S: Operations + Upkeep>(
    plan: &Plan,
    fingerprint: &str,
    store: &S,
    now: Timestamp,
) -> Result<Overview, Problem> {
    for action in &plan.actions {
        take_over(action, store).await?;
    }
    let overview = store.overview().await?;
    let standings: HashMap<&ActionName, &ActionOverview> = (overview.actions.iter())
        .map(|standing| (&standing.action, standing))
        .collect();
    let mut edited = Vec::new();
    let mut new_ones = Vec::new();
    for action in &plan.actions {
        let Some(connection) = plan.connections.get(&action.connection) else {
            continue;
        };
        let mut rules = rules_of(action, connection);
        rules.insert(CONFIGURATION.to_owned(), fingerprint.to_owned());
        let kept = store.kept_rules(&action.name).await?;
        if kept.is_none() {
            new_ones.push(&action.name);
        }
        let standing = standings.get(&action.name).copied();
        let edits = edits(action, &rules, kept.as_ref(), standing, store).await?;
        if edits.is_empty() {
            if kept.as_ref() != Some(&rules) {
                try_again(action, standing, store, now).await?;
                store.keep_rules(&action.name, rules).await?;
            }
        } else {
            edited.push((&action.name, edits));
        }
    }
    warn_of_the_renamed(plan, &overview.actions, &new_ones);
    match edited.first() {
        None => Ok(overview),
        Some((first, _)) => Err(refusal(first, &edited)),
    }
}

/// What could not be told under the former configuration may go well under this one, so it does not wait for its old schedule. What
/// was given up is for a person to try again.
async fn try_again<S: Upkeep>(
    action: &Action,
    standing: Option<&ActionOverview>,
    store: &S,
    now: Timestamp,
) -> Result<(), Problem> {
    let Some(standing) = standing else {
        return Ok(());
    };
    let name = &action.name;
    if standing.containers_parked > 0 {
        let count = store.unpark_all(name, now).await?;
        tracing::info!(action = %name, containers = count, "the configuration is another: what is parked is tried at once, with new lookups");
    }
    if standing.containers_dead > 0 {
        tracing::info!(
            action = %name,
            containers = standing.containers_dead,
            "the configuration is another, and changes were given up before: `rounds containers retry --action {name} --state dead` tries them once more"
        );
    }
    Ok(())
}

/// Takes over what is kept under an action's former name.
async fn take_over<S: Upkeep>(action: &Action, store: &S) -> Result<(), Problem> {
    let Some(former) = &action.renamed_from else {
        return Ok(());
    };
    let is_known = |kept: Option<Rules>| kept.is_some();
    let (old, new) = (
        is_known(store.kept_rules(former).await?),
        is_known(store.kept_rules(&action.name).await?),
    );
    match (old, new) {
        (true, false) => {
            store.rename_action(former, &action.name).await?;
            tracing::info!(action = %action.name, "took over what is kept of {former}, as `renamed_from` says");
            Ok(())
        }
        // It was done at an earlier start.
        (false, _) => Ok(()),
        (true, true) => Err(Problem::new(
            EDITED,
            Ended::BadData,
            format!(
                "{} is renamed from {former}, and the data directory knows both",
                action.name
            ),
            "take `renamed_from` out: the two cannot become one; `rounds reset` says where the action goes on",
        )),
    }
}

/// The edits that the state which is kept does not allow. `kept` without rules was made before they were kept: nothing is known of it.
pub async fn edits<S: Upkeep>(
    action: &Action,
    now: &Rules,
    kept: Option<&Rules>,
    standing: Option<&ActionOverview>,
    store: &S,
) -> Result<Vec<Edit>, StoreError> {
    let (Some(kept), Some(standing)) = (kept, standing) else {
        return Ok(Vec::new());
    };
    let has_begun = |state: &FeedState| state.rounds > 0 || state.cursor.is_some();
    let mut edits = Vec::new();
    for (rule, now) in now {
        let Some(before) = kept.get(rule).filter(|before| *before != now) else {
            continue;
        };
        if rule == CONFIGURATION {
            continue;
        }
        let matters = match rule.rsplit_once('.') {
            Some((feed, CURSOR | START)) => (standing.feeds.iter())
                .any(|(key, state)| key.feed.as_str() == feed && has_begun(state)),
            _ if rule == ID => {
                let known = store.sample_records(&action.name, SAMPLE).await?;
                is_another_identity(action, &known)
            }
            _ => {
                standing.known_records > 0
                    || standing.feeds.iter().any(|(_, state)| has_begun(state))
            }
        };
        if matters {
            edits.push(Edit {
                rule: rule.clone(),
                before: before.clone(),
                now: now.clone(),
            });
        }
    }
    Ok(edits)
}

/// Whether most of these records are others by the present rules. A few may be kept in a state that another query showed.
fn is_another_identity(action: &Action, known: &[KnownRecord]) -> bool {
    let others = known.iter().filter(|known| !is_the_same(action, known));
    others.count() * 2 > known.len()
}

fn is_the_same(action: &Action, known: &KnownRecord) -> bool {
    let Ok(record) = Json::parse(known.record.bytes()) else {
        return false;
    };
    let mut feeds = action.feeds().chain(&action.receive);
    feeds.any(|feed| {
        let said = feed.id.optional(&record).ok().flatten();
        let said = said.and_then(|said| said.scalar_text());
        said.is_some_and(|said| feed.ids.identity(known.partition.as_ref(), &said) == known.id)
    })
}

/// What to do about the first action's edits.
fn meant(first: &ActionName, edited: &[(&ActionName, Vec<Edit>)]) -> String {
    let edits = edited.iter().find(|(action, _)| *action == first);
    let mut edits = edits.iter().flat_map(|(_, edits)| edits);
    // By another identity every record is another one: with the ledger kept each would be told once more.
    if edits.any(|edit| edit.rule == ID) {
        return format!(
            "`rounds reset {first} --to now --ledger drop` takes what is there by then as known, `--to beginning --ledger drop` tells all of it once more under the new ids"
        );
    }
    format!(
        "`rounds reset {first} --to here` if it is the same EHR with the same records, `rounds reset {first} --to now|beginning|INSTANT` to begin anew"
    )
}

fn refusal(first: &ActionName, edited: &[(&ActionName, Vec<Edit>)]) -> Problem {
    let mut words = Vec::new();
    for (action, edits) in edited {
        for edit in edits {
            words.push(format!(
                "{action}: `{}` was `{}` and is `{}` now: {}",
                edit.rule,
                edit.before,
                edit.now,
                edit.consequence()
            ));
        }
    }
    Problem::new(
        EDITED,
        Ended::BadData,
        words.join("\n"),
        format!(
            "put it back, or say what is meant: {}; `rounds explain {EDITED}` has each case",
            meant(first, edited)
        ),
    )
}

/// An action that is new while another is not there any more may be the same under another name: then it begins anew, and what
/// changed meanwhile is lost, or told again.
fn warn_of_the_renamed(plan: &Plan, known: &[ActionOverview], new_ones: &[&ActionName]) {
    let Some(new) = new_ones.first() else {
        return;
    };
    let present: HashSet<&ActionName> = plan.actions.iter().map(|action| &action.name).collect();
    let is_gone =
        |known: &&ActionOverview| known.known_records > 0 && !present.contains(&known.action);
    for gone in known.iter().filter(is_gone) {
        tracing::warn!(
            action = %new,
            records = gone.known_records,
            "the configuration has no action {} any more, and {new} is new: if it was renamed, stop, remove what {new} has begun (`rounds reset {new} --ledger drop`) and write `renamed_from: {}` under it",
            gone.action,
            gone.action
        );
    }
}
