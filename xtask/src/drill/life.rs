//! What one life of Rounds did, put together from its own log and from what both ends saw of it.
//!
//! Rounds logs a commit right after it, so a line is proof of a commit; a kill can fall between the two, so a missing line proves nothing. Both
//! ends log what came to them, with the number of the life that sent it. All three go by one clock, the machine's.
//!
//! # Recovery
//!
//! From the start of the process to its first commit, or to its first delivery at the receiver if that is earlier. Time in which nothing was
//! due does not count: where the first thing that a life asks for is a round, the wait between being ready and that request is
//! its interval's and is left out (and may not be longer than the interval). What the ends are late by on purpose, up to half a second, is in it.
//!
//! # Unsettled
//!
//! An attempt that the receiver took and of which the life did not log that it was recorded. Nothing else may come again.

use super::LIFE_HEADER;
use anyhow::{Context, Result};
use jiff::Timestamp;
use rounds_testkit::ehr::{FakeEhr, LoggedRequest};
use rounds_testkit::http::HeaderMap;
use rounds_testkit::receiver::{FakeReceiver, Received};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A hook and a notification id.
pub(super) type Delivery = (String, String);

/// How a life was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Killed out of its work.
    Killed,
    /// Asked to end, and killed while it did.
    KilledInShutdown,
    /// Asked to end, and it did before it was killed; or nobody asked, because it is the last.
    Unkilled,
}

/// One life.
#[derive(Debug)]
pub(super) struct Life {
    started_at: Timestamp,
    end: End,
    log: Log,
    /// Requests for changes.
    rounds: Vec<Timestamp>,
    lookups: Vec<Timestamp>,
    attempts: Vec<Timestamp>,
    unsettled: BTreeSet<Delivery>,
}

/// What was under way when a life was killed, as far as it can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    StartUp,
    Round,
    Lookups,
    Deliveries,
    Shutdown,
    Idle,
}

impl Phase {
    pub(super) const ALL: [Self; 6] = [
        Self::StartUp,
        Self::Round,
        Self::Lookups,
        Self::Deliveries,
        Self::Shutdown,
        Self::Idle,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::StartUp => "start-up",
            Self::Round => "round",
            Self::Lookups => "lookups",
            Self::Deliveries => "deliveries",
            Self::Shutdown => "shutdown",
            Self::Idle => "idle",
        }
    }
}

/// How long a life took to be at work again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Recovery {
    /// All of it.
    pub(super) whole: Duration,
    /// From the start of the process until its store was open.
    pub(super) start: Duration,
    /// What was left out: the wait for the interval.
    pub(super) idle: Duration,
}

impl Life {
    /// What is known of life `number`.
    pub(super) fn of(
        number: u32,
        (started_at, end): (Timestamp, End),
        log: &Path,
        seen: &Seen,
    ) -> Result<Self> {
        let log = Log::read(log)?;
        let requests = seen.requests.get(&number).into_iter().flatten();
        let (lookups, rounds): (Vec<_>, Vec<_>) =
            requests.partition(|request| request.path.starts_with("/patient/"));
        let attempts: Vec<_> = seen.attempts.get(&number).into_iter().flatten().collect();
        let taken = attempts.iter().filter(|attempt| attempt.is_taken());
        let unsettled = taken.filter_map(|attempt| delivery_of(attempt));
        Ok(Self {
            started_at,
            end,
            rounds: rounds.iter().map(|request| request.at).collect(),
            lookups: lookups.iter().map(|request| request.at).collect(),
            attempts: attempts.iter().map(|attempt| attempt.at).collect(),
            unsettled: unsettled
                .filter(|delivery| !log.delivered.contains(delivery))
                .collect(),
            log,
        })
    }

    /// What came to the receiver, was taken, and is not known to be recorded.
    pub(super) fn unsettled(&self) -> &BTreeSet<Delivery> {
        &self.unsettled
    }

    /// What the kill fell into, if there was one.
    pub(super) fn phase(&self) -> Option<Phase> {
        let later = |requests: &[Timestamp], commits: &[Timestamp]| {
            requests
                .last()
                .is_some_and(|asked| commits.last().is_none_or(|commit| asked > commit))
        };
        Some(match self.end {
            End::Unkilled => return None,
            _ if self.log.ready_at.is_none() => Phase::StartUp,
            End::KilledInShutdown => Phase::Shutdown,
            // Several are under way at once, and each has a line of its own when it is recorded.
            End::Killed if self.attempts.len() > self.log.deliveries.len() => Phase::Deliveries,
            End::Killed if later(&self.lookups, &self.log.containers) => Phase::Lookups,
            End::Killed if later(&self.rounds, &self.log.rounds) => Phase::Round,
            End::Killed => Phase::Idle,
        })
    }

    /// How long it took to be at work. None if it was killed before.
    pub(super) fn recovery(&self) -> Option<Recovery> {
        let ready_at = self.log.ready_at?;
        let commits = [&self.log.rounds, &self.log.containers, &self.log.deliveries];
        let first_commit = commits.into_iter().filter_map(|each| each.first()).min();
        let at_work = self
            .attempts
            .first()
            .into_iter()
            .chain(first_commit)
            .min()?;
        let first = |requests: &[Timestamp]| requests.first().copied();
        let owed = first(&self.lookups)
            .into_iter()
            .chain(first(&self.attempts));
        let idle = match (first(&self.rounds), owed.min()) {
            (Some(asked), owed) if owed.is_none_or(|owed| asked < owed) => between(ready_at, asked),
            _ => Duration::ZERO,
        };
        Some(Recovery {
            whole: between(self.started_at, *at_work).saturating_sub(idle),
            start: between(self.started_at, ready_at),
            idle,
        })
    }
}

/// What came to both ends, by the life that sent it.
pub(super) struct Seen {
    requests: BTreeMap<u32, Vec<Arc<LoggedRequest>>>,
    attempts: BTreeMap<u32, Vec<Arc<Received>>>,
}

impl Seen {
    pub(super) fn by(ehr: &FakeEhr, receiver: &FakeReceiver) -> Self {
        Self {
            requests: by_life(ehr.requests(), |request| &request.headers),
            attempts: by_life(receiver.attempts(), |attempt| &attempt.headers),
        }
    }

    /// What the receiver took more than once, each time that it came again.
    pub(super) fn redelivered(&self) -> Vec<(u32, Delivery)> {
        let mut known = BTreeMap::new();
        let mut again = Vec::new();
        for (life, attempts) in &self.attempts {
            for attempt in attempts.iter().filter(|attempt| attempt.is_taken()) {
                let Some(delivery) = delivery_of(attempt) else {
                    continue;
                };
                if let Some(before) = known.insert(delivery.clone(), *life) {
                    again.push((before, delivery));
                }
            }
        }
        again
    }
}

fn delivery_of(attempt: &Received) -> Option<Delivery> {
    Some((attempt.hook.clone(), attempt.notification_id()?.to_owned()))
}

fn by_life<T>(all: Vec<Arc<T>>, headers: impl Fn(&T) -> &HeaderMap) -> BTreeMap<u32, Vec<Arc<T>>> {
    let mut by_life = BTreeMap::<u32, Vec<Arc<T>>>::new();
    for one in all {
        let life = headers(&one).get(LIFE_HEADER);
        if let Some(life) = life.and_then(|life| life.to_str().ok()?.parse().ok()) {
            by_life.entry(life).or_default().push(one);
        }
    }
    by_life
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}

/// The commits that a life logged, each kind oldest first.
#[derive(Debug, Default)]
struct Log {
    /// When its store was open.
    ready_at: Option<Timestamp>,
    rounds: Vec<Timestamp>,
    containers: Vec<Timestamp>,
    deliveries: Vec<Timestamp>,
    delivered: BTreeSet<Delivery>,
}

impl Log {
    fn read(place: &Path) -> Result<Self> {
        let text = fs::read_to_string(place)
            .with_context(|| format!("reading the log {}", place.display()))?;
        Ok(Self::of(&text))
    }

    fn of(text: &str) -> Self {
        let mut log = Self::default();
        // The kill may have cut the last line.
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        for line in lines {
            log.add(&line);
        }
        log
    }

    fn add(&mut self, line: &Value) {
        let text = |key: &str| line[key].as_str().unwrap_or_default();
        let Ok(at) = text("timestamp").parse::<Timestamp>() else {
            return;
        };
        let message = text("message");
        if message == "Rounds starts" {
            self.ready_at = Some(at);
        } else if message.starts_with("round: ") || message.starts_with("round failed") {
            self.rounds.push(at);
        } else if message.contains("became a notification")
            || message.starts_with("container parked")
        {
            self.containers.push(at);
        } else if message == "delivered" {
            self.deliveries.push(at);
            let delivery = (
                text("destination").to_owned(),
                text("notification").to_owned(),
            );
            self.delivered.insert(delivery);
        } else if message.starts_with("not delivered") {
            self.deliveries.push(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).expect("an instant")
    }

    fn line(milliseconds: i64, message: &str) -> String {
        let at = at(milliseconds);
        format!(
            r#"{{"timestamp":"{at}","message":"{message}","destination":"ward","notification":"ntf_1"}}"#
        )
    }

    /// A life that began at 0 and was killed, with this log and these requests.
    fn life(log: &[String], rounds: &[i64], lookups: &[i64], attempts: &[i64]) -> Life {
        let all = |times: &[i64]| times.iter().map(|time| at(*time)).collect();
        Life {
            started_at: at(0),
            end: End::Killed,
            log: Log::of(&log.join("\n")),
            rounds: all(rounds),
            lookups: all(lookups),
            attempts: all(attempts),
            unsettled: BTreeSet::new(),
        }
    }

    fn milliseconds(recovery: Recovery) -> [u128; 3] {
        let Recovery { whole, start, idle } = recovery;
        [whole, start, idle].map(|duration| duration.as_millis())
    }

    #[test]
    fn a_log_tells_of_commits_and_a_line_that_was_cut_is_none() {
        let mut lines = vec![
            line(10, "Rounds starts"),
            line(20, "round: nothing new"),
            line(30, "round failed: the EHR answered 500"),
            line(40, "a change became a notification"),
            line(50, "delivered"),
            line(60, "not delivered: answered 500"),
        ];
        lines.push(line(70, "delivered")[..40].to_owned());
        let log = Log::of(&lines.join("\n"));
        assert_eq!(log.ready_at, Some(at(10)));
        assert_eq!(log.rounds, [at(20), at(30)]);
        assert_eq!(log.containers, [at(40)]);
        assert_eq!(log.deliveries, [at(50), at(60)]);
        let delivery = ("ward".to_owned(), "ntf_1".to_owned());
        assert_eq!(log.delivered, BTreeSet::from([delivery]));
    }

    #[test]
    fn the_wait_for_an_interval_is_no_recovery_and_owed_work_has_none() {
        let ready = line(10, "Rounds starts");
        let round = line(950, "round: nothing new");
        let idle = life(&[ready.clone(), round.clone()], &[900], &[], &[]);
        let recovery = idle.recovery().expect("it made a round");
        assert_eq!(milliseconds(recovery), [60, 10, 890]);

        // A lookup that was owed came before the round, so that what was waited for was not the interval.
        let notified = line(400, "a change became a notification");
        let owed = life(&[ready.clone(), notified, round], &[900], &[300], &[420]);
        let recovery = owed.recovery().expect("it made a notification");
        assert_eq!(milliseconds(recovery), [400, 10, 0]);

        // The receiver has it before the commit.
        let delivered = line(500, "delivered");
        let owed = life(&[ready.clone(), delivered], &[], &[], &[30]);
        let recovery = owed.recovery().expect("it delivered");
        assert_eq!(milliseconds(recovery), [30, 10, 0]);

        assert_eq!(life(&[ready], &[900], &[], &[]).recovery(), None);
        assert_eq!(life(&[], &[], &[], &[]).recovery(), None);
    }

    #[test]
    fn a_kill_fell_into_what_has_no_line() {
        let ready = line(10, "Rounds starts");
        let round = line(110, "round: nothing new");
        let log = [ready.clone(), round];
        for (life, phase) in [
            (life(&[], &[], &[], &[]), Phase::StartUp),
            (life(&log, &[100], &[], &[]), Phase::Idle),
            (life(&log, &[100, 200], &[], &[]), Phase::Round),
            (life(&log, &[100], &[120], &[]), Phase::Lookups),
            (life(&log, &[100], &[], &[130]), Phase::Deliveries),
        ] {
            assert_eq!(life.phase(), Some(phase), "{life:?}");
        }
        let mut asked = life(&log, &[100], &[], &[130]);
        asked.end = End::KilledInShutdown;
        assert_eq!(asked.phase(), Some(Phase::Shutdown));
        asked.end = End::Unkilled;
        assert_eq!(asked.phase(), None);
    }
}
