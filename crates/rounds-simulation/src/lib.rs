//! The engine of Rounds, with its real store, in worlds that a seed makes.
//!
//! A world has an EHR, receivers, a disk, a clock and a process, and everything goes wrong in it that went wrong with real
//! pollers: records show up late, in bursts of one instant, dated 2030 or in silence; pages move, expire and repeat;
//! clocks differ and jump; answers fail, are refused, or arrive after the state that they show; receivers take a notification
//! and do not say so; the disk fills; the process dies between any two effects. Hours of it run in a fraction of a second, on a
//! clock that leaps when everybody waits, and the same way every time.
//!
//! # How it works
//!
//! - `scenario` draws what there is and what it promises, as the YAML that a user would write.
//! - `history` draws all that will ever change, so that somebody knows.
//! - `source`, `receiver` and `store` are the ports. Each effect of the engine goes through one of them, so their two sides
//!   are the list of all [`CrashPoint`]s.
//! - `watch` sees each commit and notes what it obliges Rounds to; `oracle` judges in the end.
//! - `world` lets processes live and die until the faults are over, and then waits until all is settled.
//!
//! # What to mind
//!
//! - A scenario must keep the contract of its feeds, or the oracle demands what no poller can give. Where a finding turns out to be the
//!   scenario's fault, mend the scenario and say so there.
//! - Nothing here may ask a real clock, a real thread or the order of a hash map: a seed that cannot be replayed is worth nothing.
//! - Bodies and ids are made up, so findings and journals show them.

mod breaks;
mod clock;
mod crash;
mod history;
mod journal;
mod oracle;
mod receiver;
mod scenario;
mod source;
mod store;
mod watch;
mod wire;
mod world;
mod yaml;

pub use breaks::{Break, UnknownBreak};
pub use crash::CrashPoint;
pub use journal::Keep;
pub use oracle::{Finding, Wrong};
pub use world::{Order, Report, SimulationError, simulate};
