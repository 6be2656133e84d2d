//! A destination to which nearly everything fails is only tried now and then.
//!
//! Each delivery has a schedule of its own, and a receiver that is away would be asked by hundreds of them, each counting its
//! attempts towards being given up. So when several different notifications in a row failed for reasons that are the endpoint's, the
//! breaker opens: one delivery at a time is tried, at growing intervals, until one succeeds. All others wait without losing
//! attempts. The open breaker stands in the store: a restart does not begin a storm, and an operator sees it.
//!
//! What to mind: one notification that the receiver never takes must neither open the breaker nor keep it open. So different
//! notifications are counted, not attempts; refusals of what a notification says (400, 422...) count as the endpoint being well; and since
//! the claim takes what became due first, each trial is another delivery's.

use crate::backoff::doubling;
use crate::moment::later;
use jiff::Timestamp;
use rounds_domain::ports::Breaker;
use rounds_domain::{AttemptOutcome, Code, NotificationId};
use std::collections::HashSet;
use std::time::Duration;

/// The first trial comes this long after the breaker opened...
const FIRST_TRIAL_WAIT: Duration = Duration::from_secs(5);
/// ...and later ones at most this far apart: a receiver that is well again should not wait for long.
const LONGEST_TRIAL_WAIT: Duration = Duration::from_mins(1);

/// What an attempt says about the endpoint.
enum Health {
    Well,
    Sick { code: Code, reason: String },
}

/// What the lane of a destination knows of the endpoint's health.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The notifications that failed since an attempt last showed that the endpoint is well; at most as many as open the breaker.
    failed: HashSet<NotificationId>,
    /// Whether a trial is under way.
    is_trying: bool,
}

/// What follows for the breaker.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Stays,
    Opens(Breaker),
    Closes,
}

/// How many deliveries may be claimed now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Allowance {
    All,
    /// One, as a trial.
    One,
    /// None before this time; without one, before the trial that is under way has ended.
    None(Option<Timestamp>),
}

impl Watch {
    /// What may be claimed while the breaker stands like this.
    pub(super) fn allowance(&self, breaker: Option<&Breaker>, now: Timestamp) -> Allowance {
        match breaker {
            None => Allowance::All,
            Some(_) if self.is_trying => Allowance::None(None),
            // A try that is further off than any was put off by a clock that was wrong.
            Some(breaker)
                if breaker.next_try_at > now
                    && breaker.next_try_at <= later(now, LONGEST_TRIAL_WAIT) =>
            {
                Allowance::None(Some(breaker.next_try_at))
            }
            Some(_) => Allowance::One,
        }
    }

    /// A trial was claimed.
    pub(super) const fn begin_trial(&mut self) {
        self.is_trying = true;
    }

    /// What attempts mean for a breaker that stands like this.
    pub(super) fn judge<'a>(
        &mut self,
        breaker: Option<&Breaker>,
        attempts: impl IntoIterator<Item = (&'a NotificationId, &'a AttemptOutcome)>,
        opens_after: u32,
        now: Timestamp,
    ) -> Turn {
        self.is_trying = false;
        let mut sick = None;
        let mut failures = breaker.map_or(0, |breaker| breaker.failures);
        let mut was_well = false;
        for (notification, outcome) in attempts {
            match health(outcome) {
                Health::Well => {
                    self.failed.clear();
                    failures = 0;
                    was_well = true;
                    sick = None;
                }
                Health::Sick { code, reason } => {
                    let most = usize::try_from(opens_after).unwrap_or(usize::MAX);
                    if self.failed.len() < most {
                        self.failed.insert(notification.clone());
                    }
                    failures += 1;
                    sick = Some((code, reason));
                }
            }
        }
        let failed = u32::try_from(self.failed.len()).unwrap_or(u32::MAX);
        let Some((code, reason)) = sick else {
            return if was_well && breaker.is_some() {
                Turn::Closes
            } else {
                Turn::Stays
            };
        };
        let stays_open = breaker.is_some() && !was_well;
        if !stays_open && failed < opens_after {
            return if was_well && breaker.is_some() {
                Turn::Closes
            } else {
                Turn::Stays
            };
        }
        let opened_at = breaker
            .filter(|_| stays_open)
            .map_or(now, |breaker| breaker.opened_at);
        let trials = failures.saturating_sub(opens_after).saturating_add(1);
        let wait = doubling(FIRST_TRIAL_WAIT, LONGEST_TRIAL_WAIT, trials);
        Turn::Opens(Breaker {
            opened_at,
            failures: failures.max(failed),
            next_try_at: later(now, wait),
            code,
            reason,
        })
    }
}

fn health(outcome: &AttemptOutcome) -> Health {
    let reason = match outcome {
        // A 410 pauses the destination; its breaker has nothing to add.
        AttemptOutcome::Delivered { .. }
        | AttemptOutcome::Gone
        | AttemptOutcome::Refused {
            status: 400 | 409 | 413 | 415 | 422,
            ..
        } => return Health::Well,
        AttemptOutcome::Refused { reason, .. }
        | AttemptOutcome::Unreachable { reason, .. }
        | AttemptOutcome::Impossible { reason, .. } => reason,
    };
    match outcome.code() {
        Some(code) => Health::Sick {
            code,
            reason: reason.clone(),
        },
        None => Health::Well,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).expect("an instant")
    }

    fn refused(status: u16) -> AttemptOutcome {
        AttemptOutcome::Refused {
            status,
            retry_after: None,
            reason: format!("answered {status}"),
        }
    }

    /// Attempts one by one, each for a notification of its own name; the breaker after each.
    fn life(steps: &[(&str, u16, i64)], opens_after: u32) -> Vec<Option<(u32, i64)>> {
        let mut watch = Watch::default();
        let mut breaker: Option<Breaker> = None;
        let mut seen = Vec::new();
        for (name, status, seconds) in steps {
            let outcome = match status {
                200 => AttemptOutcome::Delivered { status: 200 },
                status => refused(*status),
            };
            let id = NotificationId::new(*name);
            match watch.judge(
                breaker.as_ref(),
                [(&id, &outcome)],
                opens_after,
                at(*seconds),
            ) {
                Turn::Stays => {}
                Turn::Opens(opened) => breaker = Some(opened),
                Turn::Closes => breaker = None,
            }
            seen.push(breaker.as_ref().map(|breaker| {
                let next = breaker.next_try_at.as_second() - at(0).as_second();
                (breaker.failures, next)
            }));
        }
        seen
    }

    #[test]
    fn different_notifications_in_a_row_open_it_and_one_success_closes_it() {
        let seen = life(
            &[
                ("a", 500, 0),
                ("b", 503, 1),
                ("c", 500, 2),
                ("d", 500, 10),
                ("e", 500, 30),
                ("f", 200, 60),
                ("g", 500, 61),
            ],
            3,
        );
        let open = [None, None, Some((3, 7)), Some((4, 20)), Some((5, 50))];
        assert_eq!(seen[..5], open);
        assert_eq!(seen[5..], [None, None]);
    }

    #[test]
    fn one_notification_that_is_never_taken_does_not_open_it() {
        let steps: Vec<(&str, u16, i64)> = (0..50).map(|second| ("a", 500, second)).collect();
        assert!(life(&steps, 3).iter().all(Option::is_none));
    }

    #[test]
    fn what_is_wrong_with_notifications_says_nothing_against_the_endpoint() {
        for status in [400, 409, 413, 415, 422] {
            let seen = life(
                &[
                    ("a", status, 0),
                    ("b", status, 0),
                    ("c", status, 0),
                    ("d", status, 0),
                ],
                3,
            );
            assert!(seen.iter().all(Option::is_none), "{status}");
        }
    }

    #[test]
    fn while_it_is_open_one_is_tried_at_a_time() {
        let mut watch = Watch::default();
        let breaker = Breaker {
            opened_at: at(0),
            failures: 3,
            next_try_at: at(5),
            code: Code::new("R0509"),
            reason: "answered 500".to_owned(),
        };
        let allowance = |watch: &Watch, seconds| watch.allowance(Some(&breaker), at(seconds));
        assert_eq!(allowance(&watch, 4), Allowance::None(Some(at(5))));
        assert_eq!(allowance(&watch, 5), Allowance::One);
        watch.begin_trial();
        assert_eq!(allowance(&watch, 9), Allowance::None(None));
        assert_eq!(watch.allowance(None, at(9)), Allowance::All);
    }
}
