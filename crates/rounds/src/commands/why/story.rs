//! What happened to one record, in order.

use crate::output::{attempt_in_words, delivery_state, duration_in_words, plural};
use jiff::Timestamp;
use rounds_domain::ports::{
    DeliveryDetail, KeptContainer, KnownState, NotificationDetail, RecordHistory, Taken,
    Whereabouts,
};
use rounds_domain::{ChangeKind, ContainerState, DeliveryState, DestinationName, Former, RecordId};
use serde::Serialize;
use std::collections::BTreeMap;

/// Why nothing goes to destinations now: words to be read after their names.
pub(super) type Ends = BTreeMap<DestinationName, String>;

/// What happened to a record.
#[derive(Debug, Serialize)]
pub struct Story {
    /// Which.
    pub record: String,
    /// Each thing that happened, oldest first.
    pub events: Vec<Event>,
    /// Where it stands, in words; none if nothing is known of it.
    pub now: Option<String>,
    /// Whether more happened before.
    pub is_cut: bool,
}

/// One thing that happened.
#[derive(Debug, Serialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// In one word: `baselined`, `seen`, `noted`, `told` (somebody has taken it), `notified`, `waiting`, `due`, `parked`, `dead`, `silent`, `dropped`, `forgotten`.
    pub what: &'static str,
    /// In words.
    pub words: String,
    /// What belongs to it.
    pub details: Vec<String>,
    /// The notification or the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl Story {
    /// `ends` says of destinations why nothing goes to them now.
    pub(super) fn of(
        record: &RecordId,
        history: &RecordHistory,
        ends: &Ends,
        now: Timestamp,
    ) -> Self {
        let mut events: Vec<Event> = Vec::new();
        events.extend(history.containers.iter().map(of_container));
        let notifications = history.notifications.iter();
        events.extend(notifications.map(|detail| of_notification(detail, ends, now)));
        if let Some(known) = &history.known {
            of_known(known, history.is_cut, &mut events);
        }
        events.sort_by_key(|event| event.at);
        Self {
            record: record.expose().to_owned(),
            now: (history.known.as_ref()).map(|known| standing(record, known)),
            events,
            is_cut: history.is_cut,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.events.is_empty() && self.now.is_none()
    }
}

fn event(at: Timestamp, what: &'static str, words: impl Into<String>) -> Event {
    Event {
        at,
        what,
        words: words.into(),
        details: Vec::new(),
        id: None,
    }
}

/// What the ledger says beside what containers and notifications say.
fn of_known(known: &KnownState, is_cut: bool, events: &mut Vec<Event>) {
    let (seen_at, taken) = known.last;
    let is_told_of = |at: Timestamp| events.iter().any(|event| event.at == at);
    let mut noted = Vec::new();
    match known.first {
        Some((at, Taken::Silently)) => noted.push(event(
            at,
            "baselined",
            "seen for the first time, and noted in silence: it was there before its changes are told (`start`, or a sweep's first look)",
        )),
        Some((at, Taken::ToTell)) if !is_told_of(at) && at != seen_at && !is_cut => {
            noted.push(forgotten(at, "seen for the first time"));
        }
        Some((_, Taken::ToTell)) | None => {}
    }
    let is_first = known.first.is_some_and(|(at, _)| at == seen_at);
    match taken {
        Some(Taken::Silently) if !is_first => noted.push(event(
            seen_at,
            "noted",
            "its state was noted in silence: the EHR's record was the same by the rules of `version`, or the feed began anew",
        )),
        Some(Taken::ToTell) if !is_told_of(seen_at) => {
            noted.push(forgotten(seen_at, "its known state was found"));
        }
        None if !is_told_of(seen_at) => {
            noted.push(event(seen_at, "noted", "its known state was found"));
        }
        _ => {}
    }
    events.extend(noted);
}

fn forgotten(at: Timestamp, words: &str) -> Event {
    let words =
        format!("{words} and taken to be told; what became of that was removed after `keep`");
    event(at, "forgotten", words)
}

const fn change(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Created => "seen for the first time",
        ChangeKind::Updated => "changed",
        ChangeKind::Deleted => "gone",
    }
}

/// A change that is no notification.
fn of_container(kept: &KeptContainer) -> Event {
    let summary = &kept.summary;
    let change = change(summary.kind);
    let reason = summary.reason.as_ref();
    let why = match reason {
        Some((code, words)) if !code.is_empty() => format!(" ({code}): {words}"),
        Some((_, words)) => format!(": {words}"),
        None => String::new(),
    };
    let due = summary
        .due_at
        .map(|at| format!("it is tried again at {at}"));
    let (what, words, details) = match summary.state {
        ContainerState::Waiting => {
            let behind = match &kept.behind {
                Some((id, record)) => format!(
                    "; waits behind record {} of the same ordering key, container {id}",
                    record.expose()
                ),
                None => "; waits for its turn".to_owned(),
            };
            ("waiting", format!("{change}{behind}"), None)
        }
        ContainerState::Due => (
            "due",
            format!("{change}; on its way: to be looked up and mapped next"),
            None,
        ),
        ContainerState::Parked => (
            "parked",
            format!(
                "{change}; could not be told yet, after {}{why}",
                plural(u64::from(summary.attempts), "attempt")
            ),
            due,
        ),
        ContainerState::Dead => (
            "dead",
            format!("{change}; given up{why}"),
            Some(format!(
                "`rounds containers retry {}` tries it once more",
                summary.id
            )),
        ),
        ContainerState::Dropped if reason.is_some_and(|(code, _)| !code.is_empty()) => (
            "silent",
            format!("{change}; not told, by a rule of the action{why}"),
            None,
        ),
        ContainerState::Dropped => (
            "dropped",
            format!("{change}; dropped by a person{why}"),
            None,
        ),
    };
    Event {
        details: details.into_iter().collect(),
        id: Some(summary.id.to_string()),
        ..event(summary.detected_at, what, words)
    }
}

fn of_notification(detail: &NotificationDetail, ends: &Ends, now: Timestamp) -> Event {
    let summary = &detail.summary;
    let change = change(summary.kind);
    let is_taken = (detail.deliveries.iter())
        .any(|delivery| delivery.summary.state == DeliveryState::Delivered);
    let mut details = Vec::new();
    if detail.former == Former::Unknown {
        details.push("its state before was not seen".to_owned());
    }
    for gap in &detail.gaps {
        details.push(format!(
            "lookup {} found nothing: the EHR answered {}",
            gap.lookup, gap.status
        ));
    }
    if summary.created_at > summary.detected_at {
        details.push(format!("looked up and mapped at {}", summary.created_at));
    }
    for name in &detail.filtered {
        details.push(format!(
            "not to {name}: the rules of its subscription (`when`, `allow`, `deny`) do not want it"
        ));
    }
    if detail.deliveries.is_empty() {
        details.push("to nobody: no destination wants it, or the action has none".to_owned());
    }
    for delivery in &detail.deliveries {
        of_delivery(delivery, ends, now, &mut details);
    }
    Event {
        details,
        id: Some(summary.id.to_string()),
        ..event(
            summary.detected_at,
            if is_taken { "told" } else { "notified" },
            format!(
                "{change}; {} {}",
                if is_taken { "told as" } else { "made into" },
                summary.event
            ),
        )
    }
}

fn of_delivery(delivery: &DeliveryDetail, ends: &Ends, now: Timestamp, details: &mut Vec<String>) {
    let summary = &delivery.summary;
    let name = &summary.id.destination;
    let state = delivery_state(summary.state);
    let is_open = matches!(summary.state, DeliveryState::Waiting | DeliveryState::Due);
    let next = match summary.due_at {
        Some(at) if at > now => format!(", tried at {at}"),
        Some(at) => format!(" since {at}"),
        None => String::new(),
    };
    let next = match &delivery.behind {
        Some((id, record)) => format!(
            " behind record {} of the same ordering key, notification {id}",
            record.expose()
        ),
        None => next,
    };
    details.push(format!("to {name}: {state}{next}"));
    for attempt in &delivery.attempts {
        details.push(format!(
            "  {}  {}, after {}",
            attempt.started_at,
            attempt_in_words(attempt),
            duration_in_words(attempt.took)
        ));
    }
    if let Some((code, words)) = &summary.reason
        && (delivery.attempts.is_empty() || !is_open)
    {
        let by = if code.is_empty() {
            "by a person: ".to_owned()
        } else {
            format!("({code}) ")
        };
        details.push(format!("  {by}{words}"));
    }
    if summary.state == DeliveryState::Dead {
        details.push(format!(
            "  `rounds deliveries retry {}/{name}` sends it once more",
            summary.id.notification
        ));
    }
    if let Some(words) = ends.get(name).filter(|_| is_open) {
        details.push(format!("  {name} {words}"));
    }
}

/// Where it stands.
fn standing(record: &RecordId, known: &KnownState) -> String {
    let seen_at = known.last.0;
    let partition = match &known.partition {
        Some(partition) => format!(", by partition {}", partition.expose()),
        None => String::new(),
    };
    let known = match known.whereabouts {
        Whereabouts::There if record.expose().starts_with("unidentified:") => {
            "it has no identity, so another state of it is another record".to_owned()
        }
        Whereabouts::There => "a further change of it is told".to_owned(),
        Whereabouts::Presumed => {
            "so far only a sweep has seen it; it is told when the change query shows it".to_owned()
        }
        Whereabouts::Gone => "it is gone, and that was made into a notification".to_owned(),
        Whereabouts::OutOfSight => "sweeps do not look where it is now".to_owned(),
        Whereabouts::UnseenSince(at) => format!(
            "the sweep of {at} did not show it; if the next one does not either, it is told as gone"
        ),
        Whereabouts::HeldSince(at) => {
            let since = at.map_or_else(String::new, |at| format!(" since {at}"));
            format!(
                "sweeps have not shown it{since}, with too many others to be told: `rounds deletions list`"
            )
        }
        Whereabouts::Released => {
            "a person released its deletion: the next sweep that misses it tells it".to_owned()
        }
    };
    format!("its state of {seen_at} is known{partition}; {known}")
}
