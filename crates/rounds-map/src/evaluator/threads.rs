//! The threads behind an evaluator, and who watches over them.
//!
//! An expression is bounded in steps, and one step may still take for ever: comparing two large arrays is one. Nobody can stop a thread from
//! outside, so an evaluation that goes on beyond its deadline is given up: whoever asked is told, another thread takes the place of
//! this one, and this one ends when it comes back. At most [`MOST_GIVEN_UP`] are left to themselves at once; beyond that it is better
//! to wait than to fill the machine with them.

use super::STACK_BUDGET_BYTES;
use super::queues::{Queues, SLOW, ShareNumber};
use crate::filter::grant_stack;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Reserved for each thread's stack; the system gives memory to it only where it is touched.
const STACK_BYTES: usize = 32 << 20;

/// More threads than this never help: they would wait for the network and the disk of the rest.
pub(super) const MAX_THREADS: usize = 4;

/// How many threads may be at work on what nobody waits for any more.
const MOST_GIVEN_UP: usize = 16;

/// Says that a closure was given up, and how long it might have taken.
type GiveUp = Box<dyn FnOnce(Duration) + Send>;

/// A closure, and what is done instead if it takes too long.
pub(super) struct Job {
    pub(super) work: Box<dyn FnOnce() + Send>,
    pub(super) give_up: GiveUp,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

/// The way to the threads. They end when it is dropped and nothing waits any more.
#[derive(Debug)]
pub(super) struct Threads {
    queues: Arc<Queues>,
}

impl Threads {
    pub(super) fn put(&self, share: ShareNumber, job: Job) {
        self.queues.put(share, job);
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.queues.close();
    }
}

struct Shared {
    queues: Arc<Queues>,
    under_way: Mutex<UnderWay>,
    deadline: Duration,
}

/// What the threads are at, by the number of the job.
#[derive(Default)]
struct UnderWay {
    begun: u64,
    jobs: BTreeMap<u64, Begun>,
    given_up: usize,
}

/// A job that a thread is at.
struct Begun {
    at: Instant,
    share: ShareNumber,
    give_up: GiveUp,
}

/// Whether a thread goes on.
#[derive(PartialEq, Eq)]
enum After {
    GoesOn,
    /// It was given up, and another has its place.
    Ends,
}

/// Starts as many threads as there are processors, at most four, and gives the way to them. They end when that is dropped.
pub(super) fn start(deadline: Duration) -> std::io::Result<Threads> {
    let threads = std::thread::available_parallelism()
        .map_or(1, NonZeroUsize::get)
        .min(MAX_THREADS);
    let queues = Arc::new(Queues::default());
    let way = Threads {
        queues: Arc::clone(&queues),
    };
    let shared = Arc::new(Shared {
        queues,
        under_way: Mutex::default(),
        deadline,
    });
    for number in 0..threads {
        match spawn(&shared) {
            Ok(()) => shared.queues.served_by(number + 1),
            // Fewer threads than wished do the same work.
            Err(_) if number > 0 => break,
            Err(error) => return Err(error),
        }
    }
    let watched = Arc::downgrade(&shared);
    std::thread::Builder::new()
        .name("rounds-map-watch".to_owned())
        .spawn(move || watch(&watched, deadline))?;
    Ok(way)
}

fn spawn(shared: &Arc<Shared>) -> std::io::Result<()> {
    let shared = Arc::clone(shared);
    std::thread::Builder::new()
        .name("rounds-map".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || serve(&shared))
        .map(drop)
}

fn serve(shared: &Shared) {
    grant_stack(STACK_BUDGET_BYTES);
    loop {
        let Some((share, job)) = shared.queues.take() else {
            return;
        };
        let number = shared.begin(share, job.give_up);
        (job.work)();
        if shared.end(number) == After::Ends {
            return;
        }
    }
}

/// Looks after the threads, as long as there are any.
#[expect(
    clippy::disallowed_methods,
    reason = "how long a processor is at something is no matter of the engine's clock, which may be a simulated one"
)]
fn watch(watched: &Weak<Shared>, deadline: Duration) {
    let pause = (deadline / 8).clamp(Duration::from_millis(5), Duration::from_secs(1));
    loop {
        std::thread::sleep(pause);
        let Some(shared) = watched.upgrade() else {
            return;
        };
        shared.note_slow(Instant::now());
        while let Some(give_up) = shared.overdue(Instant::now()) {
            give_up(deadline);
            // Without a new one there is one thread less until this one comes back.
            _ = spawn(&shared);
        }
    }
}

impl Shared {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a processor is at something is no matter of the engine's clock, which may be a simulated one"
    )]
    fn begin(&self, share: ShareNumber, give_up: GiveUp) -> u64 {
        let mut under_way = self.under_way();
        under_way.begun += 1;
        let number = under_way.begun;
        let at = Instant::now();
        under_way.jobs.insert(number, Begun { at, share, give_up });
        number
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "how long a processor is at something is no matter of the engine's clock, which may be a simulated one"
    )]
    fn end(&self, number: u64) -> After {
        let mut under_way = self.under_way();
        if let Some(begun) = under_way.jobs.remove(&number) {
            drop(under_way);
            let took = Instant::now().saturating_duration_since(begun.at);
            self.queues.ended(begun.share, took);
            return After::GoesOn;
        }
        under_way.given_up -= 1;
        After::Ends
    }

    /// Says of which shares something has been going on for long.
    fn note_slow(&self, now: Instant) {
        for begun in self.under_way().jobs.values() {
            if now.saturating_duration_since(begun.at) > SLOW {
                self.queues.is_slow(begun.share);
            }
        }
    }

    /// Takes out one that goes on for too long, and gives what is to be done.
    fn overdue(&self, now: Instant) -> Option<GiveUp> {
        let mut under_way = self.under_way();
        if under_way.given_up >= MOST_GIVEN_UP {
            return None;
        }
        let is_overdue = |began: &Instant| now.saturating_duration_since(*began) > self.deadline;
        let number = (under_way.jobs.iter())
            .find(|(_, begun)| is_overdue(&begun.at))
            .map(|(number, _)| *number)?;
        let begun = under_way.jobs.remove(&number)?;
        under_way.given_up += 1;
        self.queues.ended(begun.share, self.deadline);
        Some(begun.give_up)
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
