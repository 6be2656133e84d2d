//! How a fake's answer goes over the wire, and all that can go wrong there.
//!
//! A fake first makes its honest answer, an `Answer`. Scripted [`WireFault`]s then spoil it, one after the other: another status, half a
//! body, a first byte that does not come. Only then it is sent. So a fault needs to know nothing of appointments, and the EHR and the receiver
//! share all of them.

mod answer;
mod fault;
mod gate;
mod script;
mod server;

pub(crate) use answer::Answer;
pub use answer::Answered;
pub use fault::{DateFault, LengthHeader, RetryAfter, StatusAnswer, WireFault};
pub use gate::Gate;
pub(crate) use script::Script;
pub use server::StartError;
pub(crate) use server::{FakeServer, Stopping};
