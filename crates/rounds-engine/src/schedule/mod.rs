//! When rounds are made.
//!
//! [`ticks`] is arithmetic: the ticks of one schedule, with its windows and its own offset. [`timetable`] holds all
//! actions in one heap and answers the two questions of the running engine: which actions are due now, and when is the
//! next one due.
//!
//! Ticks lie on a grid that depends on the action and the installation only, not on when the process was started. So a
//! restart does not shift them, two installations do not strike one EHR at the same second, and a thousand actions of
//! one interval are spread over it. A round never overlaps itself: ticks that pass while it runs, or while the process
//! is down, are skipped and counted, and one round makes up for all of them, because a round asks for everything since
//! the last one anyway.

mod ticks;
mod timetable;

pub(crate) use ticks::Ticks;
pub use ticks::next_tick_at;
pub(crate) use timetable::{Due, Polled, Timetable};
