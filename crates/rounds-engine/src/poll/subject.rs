//! Which records a dry run tells of.
//!
//! A change has to happen before a round tells of it, and a person who writes a mapping does not want to wait for one. So records that
//! are there are asked for as a round would ask that begins further back, and each is told as if it were new. The lookups are
//! asked as ever, and nothing is written. Of a record that is given, whatever a fixture may say is given too.

use super::rehearsal::Memory;
use super::{Asked, PollError};
use crate::Ports;
use crate::containers::Fixture;
use crate::ids::new_container_id;
use crate::moment::earlier;
use crate::observe::ChosenRecord;
use jiff::Timestamp;
use rounds_domain::plan::{
    Action, CursorRule, Deletions, Feed, FeedRole, Paging, Start, Sweep, TimeCursor,
};
use rounds_domain::{Container, RecordId};
use rounds_map::Filter;
use std::sync::Arc;
use std::time::Duration;

/// How far back a sample is asked for by time, where the request may ask so far.
const SAMPLE_BACK: Duration = Duration::from_hours(30 * 24);

/// What is tried.
#[derive(Debug, Clone)]
pub enum Subject {
    /// What the next round would find.
    NextRound,
    /// What the feed shows, as if nothing were known of it: since an instant, or on one page that begins further back.
    Shown(Option<Timestamp>, Which),
    /// The last state of a record that is known, or, if none is, what the feed shows of it.
    Record(RecordId),
    /// A record that is given, with whatever is given beside it. If that is answers of lookups, no lookup is asked.
    Given(Box<Fixture>),
}

/// Which of the records that are shown.
#[derive(Debug, Clone)]
pub enum Which {
    /// All.
    All,
    /// The first so many.
    First(usize),
    /// This one.
    One(RecordId),
}

impl Which {
    /// How many are enough.
    pub(super) const fn enough(&self) -> Option<usize> {
        match self {
            Self::First(most) => Some(*most),
            // A record may come again, in a later state.
            Self::All | Self::One(_) => None,
        }
    }

    /// Leaves those that are meant, and says how many more there are.
    pub(super) fn choose(
        &self,
        containers: &mut Vec<Container>,
        records: &mut Vec<ChosenRecord>,
    ) -> usize {
        match self {
            Self::All => 0,
            Self::First(most) => {
                let beyond = containers.len().saturating_sub(*most);
                containers.truncate(*most);
                beyond
            }
            Self::One(id) => {
                containers.retain(|container| container.record_id == *id);
                records.retain(|record| record.id.as_ref() == Some(id));
                0
            }
        }
    }
}

/// Where the containers come from.
pub(super) enum Source {
    /// The next round.
    NextRound,
    /// A round of a feed of its own kind, which nobody else tells of.
    Shown {
        action: Arc<Action>,
        feed: Arc<Feed>,
        which: Which,
    },
    /// One that no round found.
    Given {
        /// By what it is told.
        action: Arc<Action>,
        container: Box<Container>,
    },
}

impl Source {
    pub(super) const fn memory(&self) -> Memory {
        match self {
            Self::NextRound | Self::Given { .. } => Memory::OfTheStore,
            Self::Shown { .. } => Memory::Empty,
        }
    }
}

impl Asked<'_> {
    pub(super) async fn source(
        &self,
        ports: &Ports,
        subject: Subject,
    ) -> Result<Source, PollError> {
        match subject {
            Subject::NextRound => {
                self.may_be_looked_at()?;
                Ok(Source::NextRound)
            }
            Subject::Shown(since, which) => self.shown(ports, since, which),
            Subject::Record(id) => {
                let ids = [id.clone()];
                let known = ports.store.known_records(&self.action.name, &ids).await?;
                match known.into_iter().flatten().next() {
                    Some(record) => {
                        let fixture = Fixture::of_record(record);
                        Ok(given(ports, Arc::clone(self.action), id, fixture))
                    }
                    None => self.shown(ports, None, Which::One(id)),
                }
            }
            Subject::Given(fixture) => {
                let action = match fixture.lookups {
                    Some(_) => asking_nothing(self.action),
                    None => Arc::clone(self.action),
                };
                Ok(given(ports, action, RecordId::new("given"), *fixture))
            }
        }
    }

    fn shown(
        &self,
        ports: &Ports,
        since: Option<Timestamp>,
        which: Which,
    ) -> Result<Source, PollError> {
        self.may_be_looked_at()?;
        let feed = match (since, &self.feed.cursor) {
            (Some(since), CursorRule::Time(_)) => Feed {
                start: Start::Instant(since),
                ..(**self.feed).clone()
            },
            (Some(_), _) => return Err(PollError::NotByTime(self.key.clone())),
            (None, _) => one_page(self.feed, ports.clock.now()),
        };
        let feed = Arc::new(Feed {
            role: FeedRole::Changes,
            ..feed
        });
        // Nobody else tells of the records, where nothing is known.
        let action = Arc::new(Action {
            changes: Arc::clone(&feed),
            also: Vec::new(),
            sweeps: Vec::new(),
            setup: None,
            ..Action::clone(self.action)
        });
        Ok(Source::Shown {
            action,
            feed,
            which,
        })
    }
}

/// A feed as it shows what is there: one page, from further back.
fn one_page(feed: &Feed, now: Timestamp) -> Feed {
    let (cursor, start) = match &feed.cursor {
        CursorRule::Time(rule) => {
            let start = Start::Instant(earlier(now, sample_back(rule)));
            (feed.cursor.clone(), start)
        }
        CursorRule::Sweep(sweep) => (
            CursorRule::Sweep(Sweep {
                deletions: Deletions::Ignored,
                ..sweep.clone()
            }),
            Start::Beginning,
        ),
        CursorRule::Number(_) | CursorRule::Token(_) | CursorRule::Queue(_) => {
            (feed.cursor.clone(), Start::Beginning)
        }
    };
    Feed {
        cursor,
        start,
        paging: Paging {
            // The rule stays, since the request may name the page.
            max_pages: 1,
            ..feed.paging.clone()
        },
        ..feed.clone()
    }
}

/// Half of what may be asked for at once, so that one request reaches the present.
fn sample_back(rule: &TimeCursor) -> Duration {
    let back = rule.longest_window.unwrap_or(SAMPLE_BACK);
    back.min(SAMPLE_BACK) / 2
}

/// A container of a record that no round found.
fn given(ports: &Ports, action: Arc<Action>, record_id: RecordId, fixture: Fixture) -> Source {
    let ids = (new_container_id(ports), record_id);
    let container = fixture.container(&action, ids, ports.clock.now());
    Source::Given {
        action,
        container: Box::new(container),
    }
}

/// The action of a fixture that holds what was looked up: what it does not hold was not found, and nobody is asked.
fn asking_nothing(action: &Arc<Action>) -> Arc<Action> {
    let mut alone = Action::clone(action);
    for lookup in &mut alone.lookups {
        if let Ok(never) = Filter::compile("false") {
            lookup.when = Some(never);
        }
    }
    Arc::new(alone)
}
