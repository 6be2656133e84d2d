//! The engine of Rounds: schedule, rounds, cursors, containers, lookups, deliveries.
//!
//! The engine owns no clock, no randomness, no socket and no disk. It is given them as [`Ports`], so the same code runs
//! against a real EHR for years and against a simulated one for the same years in seconds.
//!
//! # The way of a change
//!
//! ```text
//! schedule -> round: request -> pages -> records -> is the version new? -> container
//!                    `------- one commit: ledger + containers + cursor -------'
//! container -> lookups -> mapping -> notification + deliveries      (one commit, the container is gone)
//! delivery -> attempt -> done, or due later, or given up            (one commit)
//! ```
//!
//! Data walks one way, and between two steps it stands in the store: nothing later reaches back for something earlier.
//! Three kinds of work run side by side and know of each other only through the store and through `signals`
//! that are hints:
//!
//! - `rounds` starts rounds by the timetable (`schedule`); `round` is one of them.
//! - one `lane` for each connection fills and maps `containers`.
//! - one `lane` for each destination makes deliveries (`delivery`).
//!
//! # What to mind
//!
//! - A cursor moves in one place only, and only after the whole answer was drained: `round`.
//! - An outcome is recorded before anything follows from it.
//! - No log line and no error text here carries a body, an identifier or a URL's path.

mod backoff;
mod containers;
mod delivery;
mod engine;
mod exchange;
mod housekeeping;
mod ids;
mod lane;
mod moment;
mod observe;
mod poll;
mod ports;
pub mod probe;
mod request;
mod round;
mod rounds;
mod schedule;
mod signals;
mod stop;
#[cfg(test)]
mod test_plan;
mod watch;

pub use containers::{Fixture, FixtureOutcome, NUMBER_MARK, map_fixture};
pub use delivery::{shape_headers, test_message};
pub use engine::{Drained, Engine};
pub use ids::attempt_id;
pub use observe::{Choice, ChosenRecord, Exchange};
pub use poll::{PollError, PollReport, Subject, Trial, Tried, Which, poll, rehearse};
pub use ports::Ports;
pub use round::sample_request;
pub use schedule::next_tick_at;
pub use watch::Watch;

pub(crate) use signals::Signals;
pub(crate) use stop::Stop;
