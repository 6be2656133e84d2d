//! The one way through which every request to an EHR goes (law 6).
//!
//! A gate grants a request when all of these allow it: every rate that holds at the moment (never more than so many grants within any
//! span of that length, or within each minute, hour or day of the clock), the number of requests under way, and the pause that
//! the EHR asked for last. Of those that stand in one queue, who came first is granted first.
//!
//! There are two queues. What asks for changes does not wait behind the lookups of a thousand containers: the heads of both
//! queues take turns, and lookups may have all slots but one, so that however many of them hang, a poll finds a slot. Of a
//! gate with one slot they have it in turns.
//!
//! How it works: each queue is a fair lock, and so is the door behind both. Only who is in the door looks at the rest: it waits for a slot,
//! then for the moment at which all windows have room, by the clock that was given, and writes that moment into the
//! book. The book keeps the latest grants, as many as the largest rate needs (16 bytes each), so the windows are exact
//! and not an approximation by tokens.
//!
//! A request that needs a token first has the token asked for in its own slot and with its own leave, and takes another leave
//! for itself: token requests count, and nobody waits for a slot while he has one.
//!
//! What to mind: a request that is dropped while it waits leaves the queue and costs nothing. One that was granted
//! counts, sent or not. The window holds here, when requests leave; between here and there the network may push two
//! of them closer together, so an EHR that counts to the limit exactly wants a rate a little below it.

mod calendar;

use rounds_domain::plan::{Limits, Rate, Spans};
use rounds_domain::ports::{Clock, Turn};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The first pause after a 429 that does not say how long. Each further one in a row doubles it.
const SHORTEST_DEFAULT_PAUSE: Duration = Duration::from_secs(1);
/// Where the doubling ends.
const LONGEST_DEFAULT_PAUSE: Duration = Duration::from_mins(1);

/// One connection's gate.
pub(crate) struct Gate {
    clock: Arc<dyn Clock>,
    rates: Vec<Rate>,
    longest_pause: Duration,
    /// Who is at the head of each queue, the polls' and the follow-ups'.
    polls: tokio::sync::Mutex<()>,
    follow_ups: tokio::sync::Mutex<()>,
    /// The heads of both queues take turns.
    door: tokio::sync::Mutex<()>,
    slots: Arc<Semaphore>,
    /// What of the slots follow-ups may have.
    share: Arc<Semaphore>,
    /// How many grants the book keeps: as many as the largest rate needs, and those that may be given back.
    remembered: usize,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    /// The latest grants, oldest first.
    grants: VecDeque<Duration>,
    closed_until: Duration,
    /// 429s in a row that did not say how long to wait.
    refusals_in_a_row: u32,
    last_refusal_at: Option<Duration>,
}

/// The leave to make one request. Its slot is free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Pass {
    granted_at: Duration,
    _slot: OwnedSemaphorePermit,
    _share: Option<OwnedSemaphorePermit>,
}

impl Pass {
    /// When it was given, by the monotonic clock.
    pub(crate) const fn granted_at(&self) -> Duration {
        self.granted_at
    }
}

impl Gate {
    /// An open gate. A rate of no requests would never open; it counts as one request.
    pub(crate) fn new(limits: &Limits, clock: Arc<dyn Clock>) -> Self {
        let slots = usize::try_from(limits.in_flight.max(1))
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        Self {
            clock,
            rates: limits.rates.clone(),
            longest_pause: limits.longest_retry_after,
            polls: tokio::sync::Mutex::default(),
            follow_ups: tokio::sync::Mutex::default(),
            door: tokio::sync::Mutex::default(),
            slots: Arc::new(Semaphore::new(slots)),
            share: Arc::new(Semaphore::new(slots.saturating_sub(1).max(1))),
            remembered: match limits.rates.iter().map(requests).max() {
                Some(largest) => largest.saturating_add(slots),
                None => 0,
            },
            book: Mutex::default(),
        }
    }

    /// Waits for the leave to make one request.
    pub(crate) async fn enter(&self, turn: Turn) -> Pass {
        let queue = match turn {
            Turn::Poll => &self.polls,
            Turn::FollowUp => &self.follow_ups,
        };
        let _head_of_queue = queue.lock().await;
        // Taken before the door, so that nobody who may not go on stands in it.
        let share = match turn {
            Turn::Poll => None,
            Turn::FollowUp => Some(acquired(&self.share).await),
        };
        let _through_the_door = self.door.lock().await;
        let slot = acquired(&self.slots).await;
        loop {
            match self.grant() {
                Ok(granted_at) => {
                    return Pass {
                        granted_at,
                        _slot: slot,
                        _share: share,
                    };
                }
                // The pause may have grown meanwhile, so it looks again.
                Err(wait) => self.clock.sleep(wait).await,
            }
        }
    }

    /// The leave was used, for a token: waits for another one, in the same slot. Whoever has a slot goes before the queue,
    /// because the queue's head may wait for that very slot.
    pub(crate) async fn again(&self, pass: &mut Pass) {
        loop {
            match self.grant() {
                Ok(granted_at) => {
                    pass.granted_at = granted_at;
                    return;
                }
                Err(wait) => self.clock.sleep(wait).await,
            }
        }
    }

    /// The leave was not used for so long that its place in the windows is not true any more: gives it back and waits for
    /// another one, in the same slot.
    pub(crate) async fn anew(&self, pass: &mut Pass) {
        {
            let mut book = self.book();
            if let Some(index) = book.grants.iter().rposition(|at| *at == pass.granted_at) {
                book.grants.remove(index);
            }
        }
        self.again(pass).await;
    }

    /// The EHR asked to wait. `asked` is what it said, if it said how long and longer than nothing; else the gate
    /// decides. `sent_at` is when the request left, or a little before. Gives back how long the gate stays closed.
    pub(crate) fn pause(&self, sent_at: Duration, asked: Option<Duration>) -> Duration {
        let now = self.clock.monotonic();
        let mut book = self.book();
        let pause = match asked {
            Some(asked) if !asked.is_zero() => asked,
            _ => book.default_pause(sent_at, now),
        }
        .min(self.longest_pause);
        // A shorter pause does not end a longer one.
        book.closed_until = book.closed_until.max(now + pause);
        pause
    }

    /// The EHR served a request: the next pause that it does not measure itself starts small again.
    pub(crate) fn served(&self, pass: &Pass) {
        let mut book = self.book();
        if book
            .last_refusal_at
            .is_none_or(|refused_at| pass.granted_at > refused_at)
        {
            book.refusals_in_a_row = 0;
        }
    }

    /// Writes a grant into the book, or says how long to wait at least.
    fn grant(&self) -> Result<Duration, Duration> {
        let (now, wall) = (self.clock.monotonic(), self.clock.now());
        let mut book = self.book();
        let earliest = self
            .rates
            .iter()
            .filter(|rate| rate.holds.at(wall))
            .filter_map(|rate| match &rate.spans {
                Spans::Any => book.room_at(rate),
                Spans::OfTheClock(zone) => calendar::room_at(rate, zone, &book.grants, now, wall),
            })
            .fold(book.closed_until, Duration::max);
        let wait = earliest.saturating_sub(now);
        if !wait.is_zero() {
            return Err(wait);
        }
        let remembered = self.remembered;
        book.grants.push_back(now);
        while book.grants.len() > remembered {
            book.grants.pop_front();
        }
        Ok(now)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// When this rate's window has room for one more; None if it has room whatever the time.
    fn room_at(&self, rate: &Rate) -> Option<Duration> {
        let oldest_that_counts = self.grants.len().checked_sub(requests(rate))?;
        Some(
            self.grants
                .get(oldest_that_counts)?
                .saturating_add(rate.per),
        )
    }

    /// Several requests that were under way together and were all refused are one refusal.
    fn default_pause(&mut self, sent_at: Duration, now: Duration) -> Duration {
        if self
            .last_refusal_at
            .is_none_or(|refused_at| sent_at > refused_at)
        {
            self.refusals_in_a_row = self.refusals_in_a_row.saturating_add(1);
            self.last_refusal_at = Some(now);
        }
        let doublings = self.refusals_in_a_row.saturating_sub(1);
        SHORTEST_DEFAULT_PAUSE
            .saturating_mul(2_u32.saturating_pow(doublings))
            .min(LONGEST_DEFAULT_PAUSE)
    }
}

async fn acquired(semaphore: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    (Arc::clone(semaphore).acquire_owned().await).expect("a gate never closes its semaphores")
}

fn requests(rate: &Rate) -> usize {
    usize::try_from(rate.requests.max(1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
