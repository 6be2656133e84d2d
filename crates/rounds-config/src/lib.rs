//! What the user writes, and what it means.
//!
//! A configuration is one YAML file or a folder of them. [`load`] takes it through five stations, and each goes on after
//! an error, so that a person sees everything that is wrong at once:
//!
//! 1. `tree`: YAML as a tree whose every piece knows its place, also the pieces inside of quoted and folded texts.
//! 2. `connector` and `maps`: where a connection or an action begins with a connector or a map, their trees become one.
//! 3. `reading` and `face`: the tree as typed values. `face` is the one description of all keys; the checks of keys and
//!    types, the hint with the nearest key and the JSON [`schema()`] are all made from it.
//! 4. `lower`: the values as a [`Plan`], ready to run: names resolved, expressions compiled, defaults filled in.
//! 5. [`cost()`]: what the plan asks of each EHR against what that EHR allows.
//!
//! What to mind:
//!
//! - **A new key** is a line in `face` and its lowering. The schema is committed; a test says how to renew it.
//! - **A new mistake** to tell of is a code in [`codes`], a page under `docs/codes/`, and a stop on the tour of the tests.
//! - **Secrets** stand in configurations by mistake. A value that may be one is covered wherever its line is shown, and
//!   never repeated in a message.
//! - **Everything is bounded**: the size of files, their nodes and nesting, expressions, and the number of diagnostics.

mod built_in;
pub mod codes;
mod connector;
mod cost;
mod diagnostic;
mod face;
mod kinds;
mod layers;
mod lower;
mod maps;
mod reading;
mod render;
mod schema;
mod secrets;
mod source;
mod tree;

pub use connector::{ActionFacts, ConnectorFacts, ConnectorUse, SettingFacts, connectors};
pub use cost::{ActionCost, Allowance, ConnectionCost, cost};
pub use diagnostic::{Diagnostic, MAX_DIAGNOSTICS, Severity};
pub use kinds::{Certainty, Strategy};
pub use maps::{MapFacts, map_in, maps};
pub use render::{Colour, render, to_json};
pub use schema::schema;
pub use secrets::secret_references;
pub use source::{MAX_FILE_BYTES, MAX_FILES, Place, Position, ReadError, Sources};

use diagnostic::Findings;
use face::ConfigKeys;
use reading::Read;
use rounds_domain::plan::Plan;
use tree::Parsed;

/// What became of a configuration.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The plan, if there was no error.
    pub plan: Option<Plan>,
    /// All that is wrong, in the order of the texts. May hold warnings when there is a plan.
    pub diagnostics: Vec<Diagnostic>,
    /// Which actions use which of a connector's.
    pub uses: Vec<ConnectorUse>,
    /// What stands for everything that was read: another edit gives another.
    pub fingerprint: String,
}

/// Makes a plan out of a configuration, or says everything that is wrong with it.
pub fn load(sources: &Sources) -> Outcome {
    let mut findings = Findings::new(sources);
    let mut trees = Vec::new();
    let mut files = Vec::new();
    let mut whole = Whole::Yes;
    for file in 0..sources.count() {
        findings.owner = Place {
            file,
            start: 0,
            end: 0,
        };
        match tree::parse(file, &mut findings) {
            Parsed::Tree(root) => trees.push(root),
            Parsed::Empty => {}
            Parsed::Failed => whole = Whole::No,
        }
    }
    let mut applied = connector::apply(trees, &mut findings);
    applied.trees = maps::apply(applied.trees, &mut findings);
    for root in &applied.trees {
        findings.owner = Place {
            start: 0,
            end: 0,
            ..root.place
        };
        match ConfigKeys::read(root, &mut findings) {
            Some(keys) => files.push(keys),
            None => whole = Whole::No,
        }
    }
    // After a file that could not be read at all, names that it holds would be called unknown.
    if whole == Whole::Yes {
        let lowered = lower::lower(&files, &mut findings);
        if !findings.has_errors() {
            check_cost(&lowered, &mut findings);
        }
        let plan = (!findings.has_errors()).then_some(lowered.plan);
        return Outcome {
            plan,
            fingerprint: findings.fingerprint(),
            diagnostics: findings.finish(),
            uses: applied.uses,
        };
    }
    Outcome {
        plan: None,
        fingerprint: findings.fingerprint(),
        diagnostics: findings.finish(),
        uses: applied.uses,
    }
}

/// Whether all files were read.
#[derive(PartialEq, Eq)]
enum Whole {
    Yes,
    No,
}

/// More than this share of what is allowed leaves little for lookups and further pages.
const NEAR_PERCENT: f64 = 50.0;

fn check_cost(lowered: &lower::Lowered, findings: &mut Findings<'_>) {
    for cost in cost(&lowered.plan) {
        let (Some(allowed), Some(place)) = (cost.allowed, lowered.limits.get(&cost.connection))
        else {
            continue;
        };
        if allowed.share_percent <= NEAR_PERCENT {
            continue;
        }
        let asked = format!(
            "rounds alone make {:.0} requests an hour and {:.0} a day; allowed are {:.0} and {:.0}",
            cost.requests_per_hour,
            cost.requests_per_day,
            allowed.requests_per_hour,
            allowed.requests_per_day
        );
        let share = format!("{:.0} % of this is used by rounds", allowed.share_percent);
        let name = &cost.connection;
        let diagnostic = if allowed.share_percent > 100.0 {
            findings.error(
                codes::OVER_LIMIT,
                *place,
                format!("more requests than `{name}` allows"),
            )
        } else {
            findings.warning(
                codes::NEAR_LIMIT,
                *place,
                format!("more than half of what `{name}` allows"),
            )
        };
        diagnostic
            .expected(share)
            .help(asked)
            .help("lengthen intervals; lookups and further pages come on top");
        for action in &cost.actions {
            if let Some(interval) = lowered.intervals.get(&action.action) {
                let all = format!(
                    "`{}`: {:.0} rounds a day",
                    action.action, action.rounds_per_day
                );
                let label = if action.sweep_rounds_per_day > 0.0 {
                    format!("{all}, {:.0} of them sweeps", action.sweep_rounds_per_day)
                } else {
                    all
                };
                diagnostic.also(*interval, label);
            }
        }
    }
}
