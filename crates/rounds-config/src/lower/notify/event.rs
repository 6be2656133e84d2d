//! Which event a change is.

use crate::codes;
use crate::diagnostic::{Findings, Reported};
use crate::face::NotifyKeys;
use crate::kinds::Marked;
use crate::lower::unmarked;
use crate::reading::{Given, Here};
use crate::tree::Scalar;
use rounds_domain::plan::EventRule;
use rounds_map::Filter;
use rounds_map::models::{FirstSeenOver, Model, Ways};

/// The word for what the model's own rules find, which is what is done where nothing is said.
pub(super) const FROM_STATE: &str = "from_state";

pub(super) fn lower(
    model: &'static Model,
    given: &Given<Marked>,
    roots: &[&str],
    findings: &mut Findings<'_>,
) -> Option<EventRule> {
    said(given, roots, findings, |scalar, findings| {
        of_model(model, scalar, findings)
    })
}

/// What is said of an event: nothing, jq, or a word, of which the model says what it means.
pub(super) fn said(
    given: &Given<Marked>,
    roots: &[&str],
    findings: &mut Findings<'_>,
    word: impl Fn(&Scalar, &mut Findings<'_>) -> Option<EventRule>,
) -> Option<EventRule> {
    match given {
        Given::Wrong => None,
        Given::Absent => Some(EventRule::Derived),
        Given::Here(Here {
            value: Marked::Expression(compiled),
            ..
        }) => {
            compiled.check_reads(roots, findings);
            Some(EventRule::Expression(compiled.filter.clone()))
        }
        Given::Here(Here {
            value: Marked::Literal(scalar),
            ..
        }) => word(scalar, findings),
    }
}

fn of_model(
    model: &'static Model,
    scalar: &Scalar,
    findings: &mut Findings<'_>,
) -> Option<EventRule> {
    let name = scalar.text.as_str();
    if name == FROM_STATE {
        return Some(EventRule::Derived);
    }
    let events: Vec<&str> = model.events().collect();
    if events.contains(&name) {
        return Some(EventRule::Fixed(name.to_owned()));
    }
    let shown = crate::reading::shortened(name);
    findings
        .error(
            codes::UNKNOWN_EVENT,
            scalar.place,
            format!("`{shown}` is no event of {}", model.name()),
        )
        .nearest(name, events.iter().copied().chain([FROM_STATE]));
    None
}

/// Where the record's status is.
pub(super) fn status(
    model: &Model,
    keys: &NotifyKeys,
    roots: &[&str],
    findings: &mut Findings<'_>,
) -> Result<Option<Filter>, Reported> {
    match &keys.status {
        Given::Absent => Ok(None),
        Given::Wrong => Err(Reported),
        Given::Here(here) if model.states().next().is_none() => {
            findings
                .error(
                    codes::MISMATCHED_KEYS,
                    here.key,
                    format!("the events of {} do not follow a status", model.name()),
                )
                .help("leave it out");
            Err(Reported)
        }
        Given::Here(Here {
            value: Marked::Expression(compiled),
            ..
        }) => {
            compiled.check_reads(roots, findings);
            Ok(Some(compiled.filter.clone()))
        }
        Given::Here(Here {
            value: Marked::Literal(scalar),
            ..
        }) => {
            let mend = format!("= {}", crate::reading::shortened(&scalar.text));
            findings
                .error(
                    codes::BAD_EXPRESSION,
                    scalar.place,
                    "a status that is the same for every record",
                )
                .expected("expected jq marked with `=`")
                .help(format!("did you mean `{mend}`?"));
            Err(Reported)
        }
    }
}

/// The user's own words; None if one of them is for no state of the model.
pub(super) fn ways(model: &Model, keys: &NotifyKeys, findings: &mut Findings<'_>) -> Option<Ways> {
    let mut ways = Ways {
        first_seen_over: keys.first_seen_over.or(FirstSeenOver::default()),
        ..Ways::default()
    };
    let pairs = match &keys.statuses {
        Given::Absent => return Some(ways),
        Given::Wrong => return None,
        Given::Here(here) => &here.value.pairs,
    };
    let states: Vec<&str> = model.states().collect();
    for pair in pairs {
        let name = pair.key.text.as_str();
        if !states.contains(&name) {
            let shown = crate::reading::shortened(name);
            findings
                .error(
                    codes::UNKNOWN_WORD,
                    pair.key.place,
                    format!("`{shown}` is no state of {}", model.name()),
                )
                .expected(format!(
                    "expected one of {}",
                    crate::diagnostic::list(&states)
                ))
                .nearest(name, states.iter().copied());
            return None;
        }
        for word in &pair.value.0 {
            unmarked::check_plain(&word.value.0, findings);
        }
        let words = pair.value.0.iter().map(|word| word.value.0.text.clone());
        ways.words.insert(name.to_owned(), words.collect());
    }
    Some(ways)
}
