//! Where expressions run: a few threads of their own.
//!
//! Mapping is work for the processor and wants stack; the threads of the async runtime have little of both to give. So
//! there are at most four threads with large stacks, and before them a bounded queue for each share: who asks waits for room in
//! its queue, and then for the answer, without holding a thread. Shares take turns, so one connection's large pages do not keep the others waiting.
//!
//! Under deterministic simulation threads would bring in chance: [`Evaluator::inline`] has none.

mod queues;
mod threads;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use threads::{Job, Threads};
use tokio::sync::{Semaphore, oneshot};

/// What an expression may use of a thread's stack before it is stopped. The rest is for what runs between two checks.
const STACK_BUDGET_BYTES: usize = 16 << 20;

/// How long a closure may take. A page of many megabytes takes a second or two; what takes longer than this would not end soon.
const DEADLINE: Duration = Duration::from_secs(30);

/// How many closures of one share may wait or be under way.
const QUEUE: usize = 32;

/// Runs closures where there is stack enough for expressions. Cheap to clone; the threads end when the last clone is
/// dropped and the queue is empty.
#[derive(Debug, Clone)]
pub struct Evaluator {
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Inline,
    Threads(Arc<Threads>, Arc<Share>),
}

/// One of those who take turns.
#[derive(Debug)]
struct Share {
    number: u64,
    /// Room in its queue.
    room: Arc<Semaphore>,
}

impl Share {
    fn new() -> Arc<Self> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            room: Arc::new(Semaphore::new(QUEUE)),
        })
    }
}

/// A closure that gave no result. The evaluator goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotEvaluated {
    /// It panicked: a defect.
    #[error("an evaluation panicked")]
    Panicked,
    /// It went on beyond its deadline.
    #[error("an evaluation took more than {} and was given up", in_words(*limit))]
    TooLong {
        /// How long it might take.
        limit: Duration,
    },
}

impl NotEvaluated {
    /// How to mend it.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::Panicked => "this is a fault of Rounds: please report it",
            Self::TooLong { .. } => {
                "an expression compares or walks more of a large record than it needs to: narrow it down first, for example `.list | map(.id)`"
            }
        }
    }
}

fn in_words(limit: Duration) -> String {
    if limit.subsec_millis() == 0 {
        format!("{} s", limit.as_secs())
    } else {
        format!("{} ms", limit.as_millis())
    }
}

impl Evaluator {
    /// Starts as many threads as there are processors, at most four.
    ///
    /// # Errors
    /// When not even one thread can be started.
    pub fn start() -> std::io::Result<Self> {
        Self::start_with(DEADLINE)
    }

    /// The same with another deadline.
    fn start_with(deadline: Duration) -> std::io::Result<Self> {
        Ok(Self {
            place: Place::Threads(Arc::new(threads::start(deadline)?), Share::new()),
        })
    }

    /// The same threads for somebody else, who takes turns with those that there are.
    #[must_use]
    pub fn apart(&self) -> Self {
        let place = match &self.place {
            Place::Inline => Place::Inline,
            Place::Threads(threads, _) => Place::Threads(Arc::clone(threads), Share::new()),
        };
        Self { place }
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
    ) -> impl Future<Output = Result<R, NotEvaluated>> + Send + use<R, F>
    where
        R: Send + 'static,
        F: FnOnce() -> R + Send + 'static,
    {
        let begun = match &self.place {
            Place::Inline => Begun::Done(guarded(closure)),
            Place::Threads(threads, share) => {
                Begun::Queued(Arc::clone(threads), Arc::clone(share), closure)
            }
        };
        async move {
            match begun {
                Begun::Done(result) => result,
                Begun::Queued(threads, share, closure) => {
                    let (answer, answered) = oneshot::channel();
                    let answer = Arc::new(Mutex::new(Some(answer)));
                    let given_up = Arc::clone(&answer);
                    // Its place in the queue is held until it has ended. The semaphore is never closed.
                    let place = Arc::clone(&share.room).acquire_owned().await;
                    let place = place.map_err(|_| NotEvaluated::Panicked)?;
                    let job = Job {
                        work: Box::new(move || {
                            say(&answer, guarded(closure));
                            drop(place);
                        }),
                        give_up: Box::new(move |limit| {
                            say(&given_up, Err(NotEvaluated::TooLong { limit }));
                        }),
                    };
                    // The threads live as long as somebody has the way to them.
                    threads.put(share.number, job);
                    answered.await.unwrap_or(Err(NotEvaluated::Panicked))
                }
            }
        }
    }
}

/// Who answers whoever waits: the closure, or who gave it up, whichever comes first.
type Answer<R> = Mutex<Option<oneshot::Sender<Result<R, NotEvaluated>>>>;

fn say<R>(answer: &Answer<R>, result: Result<R, NotEvaluated>) {
    let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
    // Nobody waits any more: the answer is not wanted.
    if let Some(answer) = answer {
        _ = answer.send(result);
    }
}

/// What has become of a closure when `run` returns its future.
enum Begun<R, F> {
    Done(Result<R, NotEvaluated>),
    Queued(Arc<Threads>, Arc<Share>, F),
}

fn guarded<R>(closure: impl FnOnce() -> R) -> Result<R, NotEvaluated> {
    // What the closure owned is dropped with it; what it shares is behind locks that say when they are poisoned.
    catch_unwind(AssertUnwindSafe(closure)).map_err(|_| NotEvaluated::Panicked)
}

#[cfg(test)]
mod tests {
    use super::threads::MAX_THREADS;
    use super::*;
    use crate::{EvaluateError, Filter, Json};

    #[tokio::test]
    async fn closures_run_on_threads_of_their_own() {
        let evaluator = Evaluator::start().expect("threads start");
        let name = evaluator
            .run(|| std::thread::current().name().map(str::to_owned))
            .await
            .expect("runs");
        assert!(name.is_some_and(|name| name == "rounds-map"));
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_threads_live_on() {
        let evaluator = Evaluator::start().expect("threads start");
        for _ in 0..2 * MAX_THREADS {
            assert_eq!(
                evaluator
                    .run(|| -> u8 { std::panic::resume_unwind(Box::new("defect")) })
                    .await,
                Err(NotEvaluated::Panicked)
            );
        }
        assert_eq!(evaluator.run(|| 7).await, Ok(7));
        assert_eq!(
            Evaluator::inline()
                .run(|| -> u8 { std::panic::resume_unwind(Box::new(1)) })
                .await,
            Err(NotEvaluated::Panicked)
        );
    }

    #[tokio::test]
    async fn what_takes_too_long_is_given_up_and_its_thread_replaced() {
        let limit = Duration::from_millis(100);
        let evaluator = Evaluator::start_with(limit).expect("threads start");
        // One native step that goes over two large arrays, once for each thread and once more.
        let quadratic = Filter::compile("contains(reverse)").expect("compiles");
        let numbers = Json::array((0..60_000).map(Json::integer).collect::<Vec<_>>());
        let poison: Vec<_> = (0..=MAX_THREADS)
            .map(|_| {
                let (filter, numbers) = (quadratic.clone(), numbers.clone());
                tokio::spawn(evaluator.run(move || filter.one(&numbers).map(drop)))
            })
            .collect();
        let healthy = tokio::spawn(evaluator.run(|| 7));
        for one in poison {
            let ended = one.await.expect("joins");
            assert_eq!(ended, Err(NotEvaluated::TooLong { limit }));
        }
        assert_eq!(healthy.await.expect("joins"), Ok(7));
        assert_eq!(evaluator.run(|| 8).await, Ok(8));
    }

    #[tokio::test]
    async fn one_shares_slow_closures_do_not_keep_another_waiting() {
        let evaluator = Evaluator::start().expect("threads start");
        let (healthy, sick) = (evaluator.apart(), evaluator.apart());
        let (release, released) = std::sync::mpsc::channel::<()>();
        let released = Arc::new(Mutex::new(released));
        let wait_for = |longest: Duration| {
            let released = Arc::clone(&released);
            move || {
                let released = released.lock().unwrap_or_else(PoisonError::into_inner);
                released.recv_timeout(longest).is_ok()
            }
        };
        // It is known to be slow once one of its closures was.
        let slow = sick.run(wait_for(queues::SLOW.mul_f32(1.2))).await;
        assert_eq!(slow, Ok(false));
        // Then as many as there may be threads, and more, end only when they are told to.
        let waiting: Vec<_> = (0..2 * MAX_THREADS)
            .map(|_| tokio::spawn(sick.run(wait_for(DEADLINE))))
            .collect();
        for number in 0..100 {
            assert_eq!(healthy.run(move || number).await, Ok(number));
        }
        for _ in &waiting {
            release.send(()).expect("somebody waits");
        }
        for one in waiting {
            assert_eq!(one.await.expect("joins"), Ok(true));
        }
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
