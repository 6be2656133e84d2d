//! Random histories against a small model.
//!
//! The model knows nothing of tables: a list of changes in the order of their commits, each with the state that it is in.
//! What a claim may give follows from the list by the port's own words.

use crate::support::*;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use rounds_domain::ports::Store;
use rounds_domain::{ContainerId, OrderingKey};
use rounds_store::{SqliteStore, StoreOptions};
use std::collections::{BTreeMap, BTreeSet};

/// One step of a history. Times only move forward, by [`Step::Wait`].
#[derive(Debug, Clone)]
enum Step {
    /// Commits these (record, version) pairs.
    Commit(Vec<(u8, u8)>),
    /// Claims at most this many.
    Claim(usize),
    /// Settles the claimed one with this number (modulo), in this way.
    Settle(usize, Way),
    /// Lets seconds pass.
    Wait(i64),
    /// The process dies and another one starts.
    Crash,
}

#[derive(Debug, Clone, Copy)]
enum Way {
    Notified,
    Parked(i64),
    Dead,
}

fn step() -> impl Strategy<Value = Step> {
    let way = prop_oneof![
        4 => Just(Way::Notified),
        2 => (1..90_i64).prop_map(Way::Parked),
        1 => Just(Way::Dead),
    ];
    prop_oneof![
        4 => prop::collection::vec((0..7_u8, 0..4_u8), 0..5).prop_map(Step::Commit),
        4 => (1..4_usize).prop_map(Step::Claim),
        6 => (any::<usize>(), way).prop_map(|(which, way)| Step::Settle(which, way)),
        2 => (1..50_i64).prop_map(Step::Wait),
        1 => Just(Step::Crash),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open {
        due_at: i64,
        claimed_until: Option<i64>,
    },
    Told,
    Dead,
}

#[derive(Debug)]
struct Told {
    id: ContainerId,
    record: u8,
    version: u8,
    previous: Option<u8>,
    state: State,
}

#[derive(Debug, Default)]
struct Model {
    ledger: BTreeMap<u8, u8>,
    changes: Vec<Told>,
}

impl Model {
    /// Takes a change as a round would find it, with the id of its container, and says whether it is new.
    fn commit(&mut self, record: u8, version: u8, id: ContainerId, now: i64) -> bool {
        if self.ledger.get(&record) == Some(&version) {
            return false;
        }
        let previous = self.ledger.insert(record, version);
        self.changes.push(Told {
            id,
            record,
            version,
            previous,
            state: State::Open {
                due_at: now,
                claimed_until: None,
            },
        });
        true
    }

    /// What may be claimed: the first open one of each key, if it is due and nobody has it.
    fn claimable(&self, now: i64) -> BTreeSet<ContainerId> {
        let mut first = BTreeSet::new();
        let mut claimable = BTreeSet::new();
        for change in &self.changes {
            let State::Open {
                due_at,
                claimed_until,
            } = change.state
            else {
                continue;
            };
            // Each key is taken, also where another one holds it up.
            let own = keys(change.record);
            let taken = own.iter().filter(|key| first.insert(**key)).count();
            let is_first = taken == own.len();
            if is_first && claimed_until.unwrap_or(due_at) <= now {
                claimable.insert(change.id.clone());
            }
        }
        claimable
    }

    fn find(&mut self, id: &ContainerId) -> Option<&mut Told> {
        self.changes.iter_mut().find(|change| change.id == *id)
    }
}

/// Two records share each key; record 6 is a barrier across two of them.
fn keys(record: u8) -> Vec<u8> {
    match record {
        6 => vec![0, 2],
        _ => vec![record / 2],
    }
}

fn ordering_key(record: u8) -> String {
    let texts: Vec<String> = keys(record).iter().map(u8::to_string).collect();
    let key = OrderingKey::several(texts.iter().map(String::as_str));
    key.expose().to_owned()
}

fn record_name(record: u8) -> String {
    format!("r{record}-")
}

async fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let store = SqliteStore::in_memory(&StoreOptions::default()).expect("a store");
    let mut model = Model::default();
    let mut now = 0;
    let mut claimed = Vec::new();
    for (step_number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Commit(pairs) => {
                let mut changes = Vec::new();
                let mut new = 0;
                for (place, (record, version)) in pairs.into_iter().enumerate() {
                    let name = record_name(record);
                    let mut change = keyed_change(&name, version, &ordering_key(record));
                    // A version may come back, as another change.
                    change.container = ContainerId::new(format!("ctr_{step_number:03}-{place}"));
                    let id = change.container.clone();
                    new += u64::from(model.commit(record, version, id, now));
                    changes.push(change);
                }
                let known = u64::try_from(changes.len()).expect("few") - new;
                let receipt = commit(&store, round(now, changes)).await;
                prop_assert_eq!(receipt, (new, known));
            }
            Step::Claim(limit) => {
                let claimable = model.claimable(now);
                let given = claim(&store, now, limit).await;
                prop_assert_eq!(given.items.len(), limit.min(claimable.len()));
                if given.items.len() < limit
                    && let Some(next_due) = given.next_due
                {
                    prop_assert!(next_due > at(now));
                }
                for container in given.items {
                    prop_assert!(claimable.contains(&container.id), "out of order or not due");
                    let change = model.find(&container.id).expect("claimable");
                    let name = record_name(change.record);
                    prop_assert_eq!(&container.record, &state(&name, change.version));
                    let previous = change.previous.map(|version| state(&name, version));
                    prop_assert_eq!(&container.previous, &previous);
                    if let State::Open { claimed_until, .. } = &mut change.state {
                        *claimed_until = Some(now + 60);
                    }
                    claimed.push(container);
                }
            }
            Step::Settle(which, way) => {
                if claimed.is_empty() {
                    continue;
                }
                let container = claimed.swap_remove(which % claimed.len());
                let change = model.find(&container.id).expect("it was claimed");
                let settlement = match way {
                    Way::Notified => notified(&container, now, &[app()]),
                    Way::Parked(wait) => parked(&container.id, now + wait),
                    Way::Dead => dead(&container.id, now),
                };
                settle(&store, vec![settlement]).await;
                let State::Open { claimed_until, .. } = change.state else {
                    continue;
                };
                change.state = match way {
                    Way::Notified => State::Told,
                    _ if claimed_until.is_none() => change.state,
                    Way::Parked(wait) => State::Open {
                        due_at: now + wait,
                        claimed_until: None,
                    },
                    Way::Dead => State::Dead,
                };
            }
            Step::Wait(seconds) => now += seconds,
            Step::Crash => {
                store.release_claims().await.expect("released");
                claimed.clear();
                for change in &mut model.changes {
                    if let State::Open { claimed_until, .. } = &mut change.state {
                        *claimed_until = None;
                    }
                }
            }
        }
    }
    everything_comes_to_its_end(&store, &mut model, now).await
}

/// Drains both queues: every change is told exactly once or dead, and each key in order.
async fn everything_comes_to_its_end(
    store: &SqliteStore,
    model: &mut Model,
    now: i64,
) -> Result<(), TestCaseError> {
    let later = now + 1_000;
    loop {
        let given = claim(store, later, 2).await.items;
        if given.is_empty() {
            break;
        }
        for container in given {
            settle(store, vec![notified(&container, later, &[app()])]).await;
            model.find(&container.id).expect("known").state = State::Told;
        }
    }
    let mut delivered_ids = Vec::new();
    loop {
        let given = claim_jobs(store, &app(), later, 3).await.items;
        if given.is_empty() {
            break;
        }
        let settlements = given.iter().map(|job| delivered(&job.id, later)).collect();
        delivered_ids.extend(given.into_iter().map(|job| job.id.notification));
        settle_jobs(store, settlements).await;
    }
    let told: Vec<_> = model
        .changes
        .iter()
        .filter(|change| change.state == State::Told)
        .collect();
    let open = model.changes.len()
        - told.len()
        - model
            .changes
            .iter()
            .filter(|change| change.state == State::Dead)
            .count();
    prop_assert_eq!(open, 0, "lost");
    prop_assert_eq!(delivered_ids.len(), told.len(), "told once each");
    for wanted in 0..3 {
        let expected: Vec<_> = told
            .iter()
            .filter(|change| keys(change.record).contains(&wanted))
            .map(|change| change.id.notification_id())
            .collect();
        let came: Vec<_> = delivered_ids
            .iter()
            .filter(|id| expected.contains(id))
            .cloned()
            .collect();
        prop_assert_eq!(came, expected, "in order");
    }
    // All of it is finished now.
    let pruned = store.prune(at(later + 10), usize::MAX).await;
    prop_assert_eq!(pruned.expect("pruned"), told.len());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_repeated_or_out_of_order(steps in prop::collection::vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(run(steps))?;
    }
}
