//! Mapping without an EHR: what a container would become whose record and lookups are given.
//!
//! This is the very code that containers go through, with a clock that stands still and an id that is always the same, so that
//! what comes out can be kept in a file and compared.

use super::mapping::{self, Written};
use super::scope::Scope;
use jiff::Timestamp;
use rounds_domain::plan::Action;
use rounds_domain::{
    ChangeKind, Container, ContainerId, Document, Former, LookupAnswer, LookupName, OrderingKey,
    RecordId, Version,
};

/// What stands for the notification's id.
const CONTAINER: &str = "ctr_test";

/// A change as a file tells it.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// What happened to the record.
    pub kind: ChangeKind,
    /// The record.
    pub record: Document,
    /// The record as it was before.
    pub previous: Option<Document>,
    /// What its lookups answered; those that are not there found nothing. None where it says nothing of any: in a test all of them found nothing
    /// then, and in a trial they are asked.
    pub lookups: Option<Vec<(LookupName, Document)>>,
}

impl Fixture {
    /// A record that is told as new, of which nothing else is known.
    pub(crate) const fn of_record(record: Document) -> Self {
        Self {
            kind: ChangeKind::Created,
            record,
            previous: None,
            lookups: None,
        }
    }

    /// Its container, with the answers that it holds.
    pub(crate) fn container(
        self,
        action: &Action,
        (id, record_id): (ContainerId, RecordId),
        at: Timestamp,
    ) -> Container {
        let answers = self.lookups.unwrap_or_default().into_iter();
        let answers = answers.map(|(name, body)| LookupAnswer {
            name,
            body: Some(body),
            fetched_at: at,
        });
        Container {
            id,
            action: action.name.clone(),
            round: 0,
            partition: None,
            record_id,
            version: Version([0; 16]),
            kind: self.kind,
            former: match (self.kind, &self.previous) {
                (ChangeKind::Created, _) => Former::None,
                (ChangeKind::Updated, None) => Former::Unknown,
                (ChangeKind::Updated | ChangeKind::Deleted, _) => Former::Known,
            },
            ordering_key: OrderingKey::new("test"),
            record: self.record,
            previous: self.previous,
            detected_at: at,
            attempts: 0,
            answers: answers.collect(),
        }
    }
}

/// What became of it.
#[derive(Debug, Clone)]
pub enum FixtureOutcome {
    /// It would be told.
    Told {
        /// As what, such as `Scheduling.New`.
        event: String,
        /// The paths of its body that are not as they were.
        changed: Vec<String>,
        /// What the receiver would get.
        body: Document,
    },
    /// It would not be told.
    Silent {
        /// The stable code.
        code: String,
        /// Why.
        reason: String,
    },
    /// It could not be mapped.
    Failed {
        /// The stable code.
        code: String,
        /// Why.
        reason: String,
    },
}

/// Maps a fixture as `action` maps its containers. Needs a stack for jq: run it on an [`rounds_map::Evaluator`].
pub fn map_fixture(action: &Action, fixture: Fixture) -> FixtureOutcome {
    let ids = (ContainerId::new(CONTAINER), RecordId::new("test"));
    let container = fixture.container(action, ids, Timestamp::UNIX_EPOCH);
    let mapped = Scope::of(&container).and_then(|mut scope| {
        for lookup in &action.lookups {
            let mut given = container.answers.iter();
            let nothing = LookupAnswer {
                name: lookup.name.clone(),
                body: None,
                fetched_at: Timestamp::UNIX_EPOCH,
            };
            scope.add(
                given
                    .find(|answer| answer.name == lookup.name)
                    .unwrap_or(&nothing),
            )?;
        }
        let meta = mapping::meta(action, &container, Timestamp::UNIX_EPOCH);
        let around = mapping::Around {
            meta: &meta,
            base_url: None,
            watched_since: None,
        };
        mapping::write(action, &container, scope, &around)
    });
    match mapped {
        Ok(Ok(Written {
            event,
            body,
            changed,
            ..
        })) => FixtureOutcome::Told {
            event,
            changed,
            body,
        },
        Ok(Err(silence)) => FixtureOutcome::Silent {
            code: silence.code.to_string(),
            reason: silence.reason,
        },
        Err(trouble) => FixtureOutcome::Failed {
            code: trouble.code.to_string(),
            reason: trouble.reason,
        },
    }
}
