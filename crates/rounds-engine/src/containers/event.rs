//! Which event a change is, and whether it is told at all.
//!
//! A poll shows states. The model's rules make an event of two of them, the user's expression may overrule that, and what is not
//! told is dropped with the reason, so that it can be said later why nothing came.

use super::mapping::failed;
use super::scope::Scope;
use super::{Silence, Trouble};
use jiff::Timestamp;
use rounds_domain::plan::{BodyRule, EventRule, Notify, Only};
use rounds_domain::{ChangeKind, Code, Former};
use rounds_map::models::{Derived, Happened, Observed, StateChange};
use rounds_map::{Filter, Json, JsonKind, touches};

/// The code of a change that the model's rules do not tell.
const NO_EVENT: Code = Code::new("R0409");
/// The code of a change in nothing that the user wants to be told of.
const NOTHING_WANTED: Code = Code::new("R0410");
/// The code of a change for which the user's own rule gave no event.
const RULED_OUT: Code = Code::new("R0411");

/// What is known of a change once its body is rendered.
pub(super) struct Seen<'s> {
    pub(super) kind: ChangeKind,
    pub(super) former: Former,
    /// Since when the rounds are made that found it.
    pub(super) watched_since: Timestamp,
    pub(super) now: &'s Json,
    pub(super) before: Option<&'s Json>,
    pub(super) changed: &'s [String],
    pub(super) before_scope: Option<&'s Json>,
}

/// The event of a model; of other bodies there is none.
#[derive(Default)]
pub(super) struct Decision {
    pub(super) event: String,
    /// What the message says besides: path and value.
    pub(super) constants: Vec<(&'static str, &'static str)>,
}

/// Decides it, and notes in the scope what was derived.
pub(super) fn decide(
    notify: &Notify,
    seen: &Seen<'_>,
    scope: &mut Scope,
) -> Result<Result<Decision, Silence>, Trouble> {
    let (BodyRule::Model { event, .. } | BodyRule::Own { event, .. }) = &notify.body else {
        scope.mark_event(seen.changed, None);
        return Ok(match unwanted(notify, seen, None) {
            Some(silence) => Err(silence),
            None => Ok(Decision::default()),
        });
    };
    let derived = derive(&notify.body, seen, scope)?;
    let (name, state) = match &derived {
        Some(Derived::Event { name, state, .. }) => (Some(*name), Some(*state)),
        Some(Derived::Silent { .. }) | None => (None, None),
    };
    scope.mark_event(seen.changed, name);
    if let Some(silence) = unwanted(notify, seen, state) {
        return Ok(Err(silence));
    }
    let constants = match &derived {
        Some(Derived::Event { constants, .. }) => constants.clone(),
        _ => Vec::new(),
    };
    let silent = |code, reason| Ok(Err(Silence { code, reason }));
    let chosen = match event {
        EventRule::Fixed(event) => event.clone(),
        EventRule::Derived => match derived {
            Some(Derived::Event { name, .. }) => name.to_owned(),
            Some(Derived::Silent { was, is }) => return silent(NO_EVENT, silence(seen, was, is)),
            // A schema has no rules.
            None => seen.kind.as_str().to_owned(),
        },
        EventRule::Expression(expression) => {
            let given = expression
                .one(scope.json())
                .map_err(|error| failed(format!("`notify.event`: {error}")))?;
            if given.is_null() {
                let reason = "`notify.event` gave null, so it is not told".to_owned();
                return silent(RULED_OUT, reason);
            }
            let name = given.scalar_text().ok_or_else(|| {
                failed("`notify.event` gave something that is no text".to_owned())
            })?;
            // A model knows its events. Elsewhere the name goes into lists and logs, so a text of the record is none.
            if matches!(notify.body, BodyRule::Own { .. }) && !is_name(&name) {
                return Err(failed(format!(
                    "`notify.event` gave something that is no name of an event: at most {LONGEST_NAME} letters, digits and `._:-`"
                )));
            }
            name
        }
    };
    // What belongs to the derived event says nothing of another one.
    let constants = if name == Some(chosen.as_str()) {
        constants
    } else {
        Vec::new()
    };
    Ok(Ok(Decision {
        event: chosen,
        constants,
    }))
}

/// How many characters the name of an event has at most.
const LONGEST_NAME: usize = 64;

fn is_name(name: &str) -> bool {
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "._:-".contains(sign);
    (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(is_plain)
}

/// What the model's rules say; None for a body that has no model.
fn derive(rule: &BodyRule, seen: &Seen<'_>, scope: &Scope) -> Result<Option<Derived>, Trouble> {
    let BodyRule::Model {
        model,
        status,
        ways,
        ..
    } = rule
    else {
        return Ok(None);
    };
    let status = match status {
        Some(status) => {
            let now = status
                .optional(scope.json())
                .map_err(|error| failed(format!("`notify.status`: {error}")))?
                .unwrap_or_else(Json::null);
            if matches!(now.kind(), JsonKind::Array | JsonKind::Object) {
                let found = now.kind().with_article();
                return Err(failed(format!(
                    "`notify.status` gave {found} where a text is needed"
                )));
            }
            // Nothing is told of what was, so what does not fit there is as good as no status.
            let before = seen.before_scope.and_then(|scope| lenient(status, scope));
            Some((now, before.unwrap_or_else(Json::null)))
        }
        None => None,
    };
    let observed = Observed {
        happened: match (seen.kind, seen.former) {
            (ChangeKind::Created, Former::Unknown) => Happened::PerhapsFirst,
            (ChangeKind::Created, Former::None | Former::Known) => Happened::First,
            (ChangeKind::Updated, _) => Happened::Changed,
            (ChangeKind::Deleted, _) => Happened::Gone,
        },
        watched_since: seen.watched_since,
        now: seen.now,
        before: seen.before,
        status: status.as_ref().map(|(now, before)| (now, before)),
    };
    Ok(Some(model.derive(observed, ways)))
}

fn lenient(filter: &Filter, scope: &Json) -> Option<Json> {
    filter.optional(scope).ok().flatten()
}

/// Why a change of a known record is none of those that the user wants to be told of.
fn unwanted(notify: &Notify, seen: &Seen<'_>, state: Option<StateChange>) -> Option<Silence> {
    let only = notify.only.as_ref()?;
    if seen.kind != ChangeKind::Updated
        || seen.before.is_none()
        || state == Some(StateChange::Other)
    {
        return None;
    }
    let wanted = match only {
        Only::Mapped => !seen.changed.is_empty(),
        Only::Paths(paths) => paths
            .iter()
            .any(|path| seen.changed.iter().any(|changed| touches(changed, path))),
    };
    (!wanted).then(|| Silence {
        code: NOTHING_WANTED,
        reason: match only {
            Only::Mapped => "nothing that the body uses has changed".to_owned(),
            Only::Paths(_) => "nothing that `notify.only` lists has changed".to_owned(),
        },
    })
}

fn silence(seen: &Seen<'_>, was: Option<&str>, is: Option<&str>) -> String {
    let state = |state: Option<&str>| {
        state
            .unwrap_or("of no state that the model knows")
            .to_owned()
    };
    match seen.kind {
        ChangeKind::Created if seen.former == Former::Unknown && is.is_none() => {
            "it was over before the rounds began, and nobody knows whether it is new: not told (`first_seen_over: tell` tells it)".to_owned()
        }
        ChangeKind::Created => format!("first seen when it was {} already: not told", state(is)),
        ChangeKind::Updated if was == is => format!("it is {} as before: not told", state(is)),
        ChangeKind::Updated => format!("it was {} and is {}: not told", state(was), state(is)),
        ChangeKind::Deleted => format!("it is gone and was {}: not told", state(was)),
    }
}
