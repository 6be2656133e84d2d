//! The threads behind an evaluator, and who watches over them.
//!
//! An expression is bounded in steps, and one step may still take for ever: comparing two large arrays is one. Nobody can stop a thread from
//! outside, so an evaluation that goes on beyond its deadline is given up: whoever asked is told, another thread takes the place of
//! this one, and this one ends when it comes back. At most [`MOST_GIVEN_UP`] are left to themselves at once; beyond that it is better
//! to wait than to fill the machine with them.

use super::STACK_BUDGET_BYTES;
use crate::filter::grant_stack;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Reserved for each thread's stack; the system gives memory to it only where it is touched.
const STACK_BYTES: usize = 32 << 20;

/// More threads than this never help: they would wait for the network and the disk of the rest.
pub(super) const MAX_THREADS: usize = 4;

/// How many closures may wait for each thread.
const QUEUE_PER_THREAD: usize = 16;

/// How many threads may be at work on what nobody waits for any more.
const MOST_GIVEN_UP: usize = 16;

/// Says that a closure was given up, and how long it might have taken.
type GiveUp = Box<dyn FnOnce(Duration) + Send>;

/// A closure, and what is done instead if it takes too long.
pub(super) struct Job {
    pub(super) work: Box<dyn FnOnce() + Send>,
    pub(super) give_up: GiveUp,
}

struct Shared {
    jobs: Mutex<mpsc::Receiver<Job>>,
    under_way: Mutex<UnderWay>,
    deadline: Duration,
}

/// What the threads are at, by the number of the job.
#[derive(Default)]
struct UnderWay {
    begun: u64,
    jobs: BTreeMap<u64, (Instant, GiveUp)>,
    given_up: usize,
}

/// Whether a thread goes on.
#[derive(PartialEq, Eq)]
enum After {
    GoesOn,
    /// It was given up, and another has its place.
    Ends,
}

/// Starts as many threads as there are processors, at most four, and gives the way to them. They end when that is dropped.
pub(super) fn start(deadline: Duration) -> std::io::Result<mpsc::Sender<Job>> {
    let threads = std::thread::available_parallelism()
        .map_or(1, NonZeroUsize::get)
        .min(MAX_THREADS);
    let (sender, receiver) = mpsc::channel(threads * QUEUE_PER_THREAD);
    let shared = Arc::new(Shared {
        jobs: Mutex::new(receiver),
        under_way: Mutex::default(),
        deadline,
    });
    for number in 0..threads {
        match spawn(&shared) {
            Ok(()) => {}
            // Fewer threads than wished do the same work.
            Err(_) if number > 0 => break,
            Err(error) => return Err(error),
        }
    }
    let watched = Arc::downgrade(&shared);
    std::thread::Builder::new()
        .name("rounds-map-watch".to_owned())
        .spawn(move || watch(&watched, deadline))?;
    Ok(sender)
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
        // One thread at a time waits at the queue, the others at the lock.
        let job = shared
            .jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .blocking_recv();
        let Some(job) = job else { return };
        let number = shared.begin(job.give_up);
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
    fn begin(&self, give_up: GiveUp) -> u64 {
        let mut under_way = self.under_way();
        under_way.begun += 1;
        let number = under_way.begun;
        under_way.jobs.insert(number, (Instant::now(), give_up));
        number
    }

    fn end(&self, number: u64) -> After {
        let mut under_way = self.under_way();
        if under_way.jobs.remove(&number).is_some() {
            return After::GoesOn;
        }
        under_way.given_up -= 1;
        After::Ends
    }

    /// Takes out one that goes on for too long, and gives what is to be done.
    fn overdue(&self, now: Instant) -> Option<GiveUp> {
        let mut under_way = self.under_way();
        if under_way.given_up >= MOST_GIVEN_UP {
            return None;
        }
        let is_overdue = |began: &Instant| now.saturating_duration_since(*began) > self.deadline;
        let number = (under_way.jobs.iter())
            .find(|(_, (began, _))| is_overdue(began))
            .map(|(number, _)| *number)?;
        let (_, give_up) = under_way.jobs.remove(&number)?;
        under_way.given_up += 1;
        Some(give_up)
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
