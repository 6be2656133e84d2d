//! Where expressions run: a few threads of their own.
//!
//! Mapping is work for the processor and wants stack; the threads of the async runtime have little of both to give. So
//! there are at most four threads with large stacks and one bounded queue before them: who asks waits for room in the
//! queue, and then for the answer, without holding a thread.
//!
//! Under deterministic simulation threads would bring in chance: [`Evaluator::inline`] has none.

use crate::filter::grant_stack;
use std::future::Future;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Reserved for each thread's stack; the system gives memory to it only where it is touched.
const STACK_BYTES: usize = 32 << 20;

/// What an expression may use of it before it is stopped. The rest is for what runs between two checks.
const STACK_BUDGET_BYTES: usize = 16 << 20;

/// More threads than this never help: they would wait for the network and the disk of the rest.
const MAX_THREADS: usize = 4;

/// How many closures may wait for each thread.
const QUEUE_PER_THREAD: usize = 16;

type Job = Box<dyn FnOnce() + Send>;

/// Runs closures where there is stack enough for expressions. Cheap to clone; the threads end when the last clone is
/// dropped and the queue is empty.
#[derive(Debug, Clone)]
pub struct Evaluator {
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Inline,
    Threads(mpsc::Sender<Job>),
}

/// The closure panicked: a defect. The evaluator goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an evaluation panicked; this is a defect in Rounds, please report it")]
pub struct Panicked;

impl Evaluator {
    /// Starts as many threads as there are processors, at most four.
    ///
    /// # Errors
    /// When not even one thread can be started.
    pub fn start() -> std::io::Result<Self> {
        let threads = std::thread::available_parallelism()
            .map_or(1, NonZeroUsize::get)
            .min(MAX_THREADS);
        let (sender, receiver) = mpsc::channel(threads * QUEUE_PER_THREAD);
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..threads {
            let receiver = Arc::clone(&receiver);
            let builder = std::thread::Builder::new()
                .name(format!("rounds-map-{number}"))
                .stack_size(STACK_BYTES);
            match builder.spawn(move || serve(&receiver)) {
                Ok(_) => {}
                // Fewer threads than wished do the same work.
                Err(_) if number > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(Self {
            place: Place::Threads(sender),
        })
    }

    /// No threads: every closure runs at once where [`Evaluator::run`] is called.
    pub fn inline() -> Self {
        Self {
            place: Place::Inline,
        }
    }

    /// Runs `closure` and gives its result. A closure that was begun is not stopped when the future is dropped; one that
    /// still waits for room in the queue is never run.
    pub fn run<R, F>(
        &self,
        closure: F,
    ) -> impl Future<Output = Result<R, Panicked>> + Send + use<R, F>
    where
        R: Send + 'static,
        F: FnOnce() -> R + Send + 'static,
    {
        let begun = match &self.place {
            Place::Inline => Begun::Done(guarded(closure)),
            Place::Threads(sender) => Begun::Queued(sender.clone(), closure),
        };
        async move {
            match begun {
                Begun::Done(result) => result,
                Begun::Queued(sender, closure) => {
                    let (answer, answered) = oneshot::channel();
                    let job: Job = Box::new(move || {
                        // Nobody waits any more: the answer is not wanted.
                        _ = answer.send(guarded(closure));
                    });
                    // The threads live as long as a sender does, and ours is one.
                    sender.send(job).await.map_err(|_| Panicked)?;
                    answered.await.unwrap_or(Err(Panicked))
                }
            }
        }
    }
}

/// What has become of a closure when `run` returns its future.
enum Begun<R, F> {
    Done(Result<R, Panicked>),
    Queued(mpsc::Sender<Job>, F),
}

fn guarded<R>(closure: impl FnOnce() -> R) -> Result<R, Panicked> {
    // What the closure owned is dropped with it; what it shares is behind locks that say when they are poisoned.
    catch_unwind(AssertUnwindSafe(closure)).map_err(|_| Panicked)
}

fn serve(jobs: &Mutex<mpsc::Receiver<Job>>) {
    grant_stack(STACK_BUDGET_BYTES);
    loop {
        // One thread at a time waits at the queue, the others at the lock.
        let job = jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .blocking_recv();
        match job {
            Some(job) => job(),
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EvaluateError, Filter, Json};

    #[tokio::test]
    async fn closures_run_on_threads_of_their_own() {
        let evaluator = Evaluator::start().expect("threads start");
        let name = evaluator
            .run(|| std::thread::current().name().map(str::to_owned))
            .await
            .expect("runs");
        assert!(name.is_some_and(|name| name.starts_with("rounds-map-")));
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_threads_live_on() {
        let evaluator = Evaluator::start().expect("threads start");
        for _ in 0..2 * MAX_THREADS {
            assert_eq!(
                evaluator
                    .run(|| -> u8 { std::panic::resume_unwind(Box::new("defect")) })
                    .await,
                Err(Panicked)
            );
        }
        assert_eq!(evaluator.run(|| 7).await, Ok(7));
        assert_eq!(
            Evaluator::inline()
                .run(|| -> u8 { std::panic::resume_unwind(Box::new(1)) })
                .await,
            Err(Panicked)
        );
    }

    #[tokio::test]
    async fn more_closures_than_the_queue_holds_all_run() {
        let evaluator = Evaluator::start().expect("threads start");
        let all: Vec<_> = (0..1_000_u64)
            .map(|n| tokio::spawn(evaluator.run(move || n * 2)))
            .collect();
        let mut sum = 0;
        for one in all {
            sum += one.await.expect("joins").expect("runs");
        }
        assert_eq!(sum, 999_000);
    }

    #[tokio::test]
    async fn there_is_more_stack_than_on_an_ordinary_thread() {
        let filter = Filter::compile("def f($n): if $n == 0 then 0 else 1 + f($n - 1) end; f(300)")
            .expect("compiles");
        let evaluator = Evaluator::start().expect("threads start");
        assert_eq!(
            evaluator.run(move || filter.one(&Json::null())).await,
            Ok(Ok(Json::integer(300)))
        );
        let endless = Filter::compile("def f: 1 + f; f").expect("compiles");
        assert_eq!(
            evaluator.run(move || endless.one(&Json::null())).await,
            Ok(Err(EvaluateError::TooDeep))
        );
    }

    #[test]
    fn inline_runs_at_once_and_here() {
        let here = std::thread::current().id();
        let (sender, receiver) = std::sync::mpsc::channel();
        // The future is not even polled.
        drop(Evaluator::inline().run(move || sender.send(std::thread::current().id())));
        assert_eq!(receiver.try_recv(), Ok(here));
    }
}
