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
    /// What its lookups answered; those that are not there found nothing.
    pub lookups: Vec<(LookupName, Document)>,
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
    let answers = action.lookups.iter().map(|lookup| {
        let given = fixture
            .lookups
            .iter()
            .find(|(name, _)| *name == lookup.name);
        LookupAnswer {
            name: lookup.name.clone(),
            body: given.map(|(_, body)| body.clone()),
            fetched_at: Timestamp::UNIX_EPOCH,
        }
    });
    let answers: Vec<LookupAnswer> = answers.collect();
    let container = Container {
        id: ContainerId::new(CONTAINER),
        action: action.name.clone(),
        round: 0,
        partition: None,
        record_id: RecordId::new("test"),
        version: Version([0; 16]),
        kind: fixture.kind,
        former: match (fixture.kind, &fixture.previous) {
            (ChangeKind::Created, _) => Former::None,
            (ChangeKind::Updated, None) => Former::Unknown,
            (ChangeKind::Updated | ChangeKind::Deleted, _) => Former::Known,
        },
        ordering_key: OrderingKey::new("test"),
        record: fixture.record,
        previous: fixture.previous,
        detected_at: Timestamp::UNIX_EPOCH,
        attempts: 0,
        answers: Vec::new(),
    };
    let mapped = Scope::of(&container).and_then(|mut scope| {
        for answer in &answers {
            scope.add(answer)?;
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
