//! Rules that can never hold, or always do: whoever wrote them meant something else.
//!
//! What a rule gives depends on records that are not there yet. But some read nothing of a record, or only the event, of which there are few: those
//! are tried with every event that there is.

use crate::codes;
use crate::diagnostic::Findings;
use crate::source::Place;
use rounds_domain::plan::{BodyRule, EventRule, List};
use rounds_map::{Filter, Json};

/// What a message says of its own kind.
const EVENT_PATHS: [&str; 2] = ["Meta.EventType", "Meta.DataModel"];

/// What messages are made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Made<'m> {
    /// How the body is made; None where that is wrong.
    pub(super) rule: Option<&'m BodyRule>,
    /// Where something is put later.
    pub(super) put: &'m [&'m str],
}

impl Made<'_> {
    /// Whether a message can have a value at `path`, as far as that is known.
    fn may_have(&self, path: &str) -> bool {
        let Some(body) = self.rule.and_then(BodyRule::template) else {
            return true;
        };
        let is_put = |put: &&str| path.starts_with(*put) || put.starts_with(path);
        path.starts_with("Meta") || body.may_have(path) || self.put.iter().any(is_put)
    }
}

/// Says so where `when` holds for no message.
pub(super) fn when(
    filter: &Filter,
    place: Place,
    rule: Option<&BodyRule>,
    findings: &mut Findings<'_>,
) {
    if let Some(holds) = constant(filter) {
        if !holds {
            findings
                .warning(codes::NEVER_TRUE, place, "a condition that never holds")
                .expected("nothing would be told")
                .help("compare with what the message or the record has, such as `.event == \"Scheduling.New\"`");
        }
        return;
    }
    // Plainly `.event == "..."`, or several of them: what else an expression may read does not show.
    let is_of_events = |sign: char| sign.is_alphanumeric() || " .=!\"()_".contains(sign);
    let reads_event_only = !filter.reads().is_empty()
        && filter.reads().iter().all(|(root, _)| root == "event")
        && filter.text().chars().all(is_of_events);
    let events = rule.and_then(events).filter(|_| reads_event_only);
    let Some(events) = events else {
        return;
    };
    let never = events.iter().all(|event| {
        let scope = Json::object([("event", Json::string(event))]);
        filter.holds(&scope) == Ok(false)
    });
    if never {
        let events: Vec<&str> = events.iter().map(String::as_str).collect();
        let finding = findings.warning(
            codes::NEVER_TRUE,
            place,
            "a condition that holds for none of the events",
        );
        finding.expected(format!("there is {}", crate::diagnostic::list(&events)));
        if let Some(near) =
            quoted(filter.text()).find_map(|word| rounds_map::nearest(word, events.iter().copied()))
        {
            finding.help(format!("did you mean `{near}`?"));
        }
    }
}

/// Says so where nothing can be among the values of a list.
pub(super) fn list(
    path: &str,
    values: &[(&str, Place)],
    list: List,
    place: Place,
    made: Made<'_>,
    findings: &mut Findings<'_>,
) {
    let shown = crate::reading::shortened(path);
    if let Some(BodyRule::Model { model, .. }) = made.rule
        && EVENT_PATHS.contains(&path)
    {
        let known: Vec<&str> = if path == EVENT_PATHS[0] {
            model.events().collect()
        } else {
            vec![model.name()]
        };
        for (value, place) in values {
            if !known.contains(value) {
                let value_shown = crate::reading::shortened(value);
                findings
                    .warning(
                        codes::NEVER_TRUE,
                        *place,
                        format!("`{shown}` is never `{value_shown}`"),
                    )
                    .expected(format!(
                        "expected one of {}",
                        crate::diagnostic::list(&known)
                    ))
                    .nearest(value, known.iter().copied());
            }
        }
        return;
    }
    if !made.may_have(path) {
        let told = match list {
            List::Allow => "nothing would be told",
            List::Deny => "it keeps nothing back",
        };
        findings
            .warning(
                codes::NEVER_TRUE,
                place,
                format!("`{shown}`, where the body has nothing"),
            )
            .expected(told)
            .help("map a value there, or name the path where it is");
    }
}

/// Says so where a path never changes because the body has nothing there.
pub(super) fn only(path: &str, place: Place, made: Made<'_>, findings: &mut Findings<'_>) {
    if !made.may_have(path) {
        let shown = crate::reading::shortened(path);
        findings
            .warning(
                codes::NEVER_TRUE,
                place,
                format!("`only` names `{shown}`, where the body has nothing"),
            )
            .expected("what is not there does not change")
            .help("map a value there, or name the path where it is");
    }
}

/// Says so where every record is skipped.
pub(super) fn skip(filter: &Filter, place: Place, findings: &mut Findings<'_>) {
    if constant(filter) == Some(true) {
        findings
            .warning(codes::NEVER_TRUE, place, "every record is skipped")
            .expected("nothing would be told")
            .help("say which are: `skip: .status == \"draft\"`");
    }
}

/// What a condition says that is written out; None for any expression. Whether one reads its input cannot be told from its text alone.
fn constant(filter: &Filter) -> Option<bool> {
    match filter.text().trim() {
        "true" => Some(true),
        "false" | "null" => Some(false),
        _ => None,
    }
}

/// The events that there can be, as `event` names them.
fn events(rule: &BodyRule) -> Option<Vec<String>> {
    let BodyRule::Model { model, event, .. } = rule else {
        return None;
    };
    let named = |event: &str| format!("{}.{event}", model.name());
    Some(match event {
        EventRule::Fixed(event) => vec![named(event)],
        EventRule::Derived | EventRule::Expression(_) => model.events().map(named).collect(),
    })
}

/// What stands in quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2)
}
