//! Values of the domain in plain words.

use jiff::Timestamp;
use rounds_domain::{Attempt, AttemptOutcome, ContainerState, Cursor, DeliveryState, QueueState};
use std::fmt;
use std::time::Duration;

/// How long ago something was, roughly: `12 s ago`.
#[derive(Debug, Clone, Copy)]
pub struct Ago {
    /// When it was.
    pub at: Timestamp,
    /// What time it is.
    pub now: Timestamp,
}

impl fmt::Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let apart = self.now.duration_since(self.at);
        let text = duration_in_words(apart.unsigned_abs());
        if apart.is_negative() {
            write!(f, "in {text}")
        } else {
            write!(f, "{text} ago")
        }
    }
}

/// A duration with its one or two largest units.
pub fn duration_in_words(duration: Duration) -> String {
    let (millis, seconds) = (duration.as_millis(), duration.as_secs());
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let two = |large: u64, unit: &str, small: u64, rest: &str| {
        if small == 0 {
            format!("{large} {unit}")
        } else {
            format!("{large} {unit} {small} {rest}")
        }
    };
    if millis < 1_000 {
        format!("{millis} ms")
    } else if seconds < 10 && millis % 1_000 >= 100 {
        format!("{}.{} s", seconds, millis % 1_000 / 100)
    } else if seconds < 60 {
        format!("{seconds} s")
    } else if seconds < 3_600 {
        two(minutes, "min", seconds % 60, "s")
    } else if days == 0 {
        two(hours, "h", minutes, "min")
    } else {
        two(days, "d", hours, "h")
    }
}

/// A size.
pub fn bytes_in_words(bytes: u64) -> String {
    match bytes {
        0..=9_999 => format!("{bytes} bytes"),
        10_000..=9_999_999 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

/// `1 page`, `2 pages`.
pub fn plural(count: u64, word: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {word}{ending}")
}

/// Where a feed stands. A token may hold anything, so only its length is shown.
pub fn cursor_in_words(cursor: Option<&Cursor>) -> String {
    match cursor {
        None => "none yet".to_owned(),
        Some(Cursor::Time(instant)) => instant.to_string(),
        Some(Cursor::Number(number)) => number.clone(),
        Some(Cursor::Token(token)) => {
            format!("a token of {} characters", token.expose().chars().count())
        }
        Some(Cursor::Baseline(place)) => format!(
            "what is there already is being read, silently, up to {}",
            cursor_in_words(Some(place))
        ),
        Some(Cursor::Dates { from, to }) => format!("compares {from} to {to}"),
        Some(Cursor::Queue(QueueState::Settled)) => "the EHR keeps it".to_owned(),
        Some(Cursor::Queue(QueueState::Taking { since })) => {
            format!("the EHR keeps it; what was taken since {since} may be lost")
        }
        Some(Cursor::Sweep) => "compares everything".to_owned(),
    }
}

/// Where a container stands.
pub const fn container_state(state: ContainerState) -> &'static str {
    match state {
        ContainerState::Waiting => "waiting",
        ContainerState::Due => "due",
        ContainerState::Parked => "parked",
        ContainerState::Dead => "dead",
        ContainerState::Dropped => "dropped",
    }
}

/// Where a delivery stands.
pub const fn delivery_state(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Waiting => "waiting",
        DeliveryState::Due => "due",
        DeliveryState::Delivered => "delivered",
        DeliveryState::Dead => "dead",
        DeliveryState::Dropped => "dropped",
    }
}

/// How an attempt ended.
pub fn attempt_in_words(attempt: &Attempt) -> String {
    match &attempt.outcome {
        AttemptOutcome::Delivered { status } => format!("{status}, taken"),
        AttemptOutcome::Refused { status, reason, .. } => format!("{status}, refused: {reason}"),
        AttemptOutcome::Gone => "410, the endpoint is gone".to_owned(),
        AttemptOutcome::Unreachable { code, reason } => format!("no answer: {reason} ({code})"),
        AttemptOutcome::Impossible { code, reason } => format!("not sent: {reason} ({code})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_show_what_matters() {
        let shown = [
            1_u64, 999, 1_000, 1_900, 12_345, 60_000, 90_000, 3_600_000, 90_061_000,
        ]
        .map(|millis| duration_in_words(Duration::from_millis(millis)));
        assert_eq!(
            shown,
            [
                "1 ms",
                "999 ms",
                "1 s",
                "1.9 s",
                "12 s",
                "1 min",
                "1 min 30 s",
                "1 h",
                "1 d 1 h"
            ]
        );
    }

    #[test]
    fn a_token_is_not_shown() {
        let token = Cursor::Token(rounds_domain::Phi::new("secret".to_owned()));
        assert_eq!(cursor_in_words(Some(&token)), "a token of 6 characters");
    }
}
