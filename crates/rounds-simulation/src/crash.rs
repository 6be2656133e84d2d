//! Every edge between two effects, by name, and a process that dies at one of them.
//!
//! The engine owns no socket and no disk: everything that it does to the world goes through a port. So the two sides of each
//! port call *are* the edges between its effects, and the list below is complete as long as it has both sides of each call.
//! A process that dies there is simulated by dropping the engine, with all that it holds in memory, while the call is pending.

use crate::journal::Journal;
use rounds_domain::ports::Randomness;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// An edge between two effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CrashPoint {
    /// A page is about to be asked for.
    PageRequestSent,
    /// A page was answered, and the answer is about to be read.
    PageAnswered,
    /// A round, or a part of it, is about to be committed.
    RoundCommitBegun,
    /// It is committed, and nobody was told yet.
    RoundCommitted,
    /// Containers are about to be claimed.
    ContainersAsked,
    /// They are claimed.
    ContainersClaimed,
    /// A lookup is about to be sent.
    LookupSent,
    /// It was answered.
    LookupAnswered,
    /// Notifications and deliveries are about to be written.
    ContainerSettlementBegun,
    /// They are written.
    ContainersSettled,
    /// Deliveries are about to be claimed.
    DeliveriesAsked,
    /// They are claimed.
    DeliveriesClaimed,
    /// A notification is about to be sent.
    AttemptSent,
    /// The receiver has it, and its answer is about to be read.
    AttemptAnswered,
    /// The answer is about to be written.
    DeliverySettlementBegun,
    /// It is written.
    DeliveriesSettled,
}

impl CrashPoint {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::PageRequestSent,
        Self::PageAnswered,
        Self::RoundCommitBegun,
        Self::RoundCommitted,
        Self::ContainersAsked,
        Self::ContainersClaimed,
        Self::LookupSent,
        Self::LookupAnswered,
        Self::ContainerSettlementBegun,
        Self::ContainersSettled,
        Self::DeliveriesAsked,
        Self::DeliveriesClaimed,
        Self::AttemptSent,
        Self::AttemptAnswered,
        Self::DeliverySettlementBegun,
        Self::DeliveriesSettled,
    ];
}

/// When the process dies.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Lives,
    /// At the edge after so many others.
    AfterEdges(u64),
    /// When it comes to this edge for this time, from 0.
    At(CrashPoint, u64),
}

/// Lets a process die at an edge.
pub(crate) struct Crasher {
    journal: Arc<Journal>,
    fate: Mutex<Fate>,
    died: Notify,
    passed: Mutex<BTreeMap<CrashPoint, u64>>,
}

impl Crasher {
    pub(crate) fn new(journal: Arc<Journal>) -> Self {
        Self {
            journal,
            fate: Mutex::new(Fate::Lives),
            died: Notify::new(),
            passed: Mutex::default(),
        }
    }

    /// The next process lives.
    pub(crate) fn spare(&self) {
        *self.fate() = Fate::Lives;
    }

    /// The next process dies after about so many edges.
    pub(crate) fn doom(&self, edges_per_life: u64, chance: &dyn Randomness) {
        *self.fate() = Fate::AfterEdges(chance.next_u64() % (edges_per_life * 2).max(1));
    }

    /// The process dies when it comes to this edge for this time.
    pub(crate) fn doom_at(&self, point: CrashPoint, occurrence: u64) {
        *self.fate() = Fate::At(point, occurrence);
    }

    /// Ends when the process has come to the edge where it dies.
    pub(crate) async fn died(&self) {
        self.died.notified().await;
    }

    /// How often each edge was passed, or was the last.
    pub(crate) fn passed(&self) -> BTreeMap<CrashPoint, u64> {
        self.passed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Passes an edge, or never comes back.
    pub(crate) async fn pass(&self, point: CrashPoint) {
        let occurrence = {
            let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
            let count = passed.entry(point).or_default();
            *count += 1;
            *count - 1
        };
        let dies = {
            let mut fate = self.fate();
            match &mut *fate {
                Fate::Lives => false,
                Fate::AfterEdges(0) => true,
                Fate::AfterEdges(left) => {
                    *left -= 1;
                    false
                }
                Fate::At(at, number) => *at == point && occurrence == *number,
            }
        };
        if dies {
            self.spare();
            self.journal.note(format!("the process dies: {point:?}"));
            self.died.notify_one();
            std::future::pending::<()>().await;
        }
    }

    fn fate(&self) -> std::sync::MutexGuard<'_, Fate> {
        self.fate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
