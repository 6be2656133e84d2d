//! The outside of Rounds: requests to EHRs and notifications to destinations.
//!
//! Why a crate of its own: what talks to strangers needs the same care everywhere, so it is written once. Everything
//! here is bounded (bytes, time, connections, waits), follows no redirect, asks no proxy of the environment, and lets
//! no path, query, body or secret into an error text or a log line.
//!
//! How it works:
//!
//! - [`EhrClient`] implements [`rounds_domain::ports::Ehr`]. Each connection has one gate (law 6) that every request
//!   passes: rolling-window rates, requests under way, and the pauses that the EHR asks for with 429 and 503. It also has the
//!   connection's session, if there is one: an access token or a login, asked for once however many requests need it.
//! - [`SigningKey`] signs the assertions of SMART Backend Services.
//! - [`WebhookClient`] implements [`rounds_domain::ports::Destinations`]: signed POSTs, Redox's token and challenge.
//! - [`InboundServers`] takes what EHRs push, and gives it to a [`rounds_domain::ports::Reception`].
//! - [`Secrets`] reads what the plan only refers to, and keeps it for a minute.
//! - [`AddressPolicy`](rounds_domain::address::AddressPolicy) says which addresses may be dialled. It is asked for literals in the URL and again by the name
//!   resolver under the connector, so the address that was judged is the address that is dialled.
//! - [`SystemClock`] and [`SystemRandomness`] are the real time and chance, [`SteadyClock`] a clock whose leaps must last before they are believed.
//!
//! What to mind: a wait at a gate goes by the [`Clock`](rounds_domain::ports::Clock) that was given, so a simulated
//! clock moves it. Timeouts on sockets and child processes go by the runtime's own time, because those are real.

mod authentication;
pub mod codes;
mod dial;
mod ehr;
mod gate;
mod headers;
mod inbound;
mod keys;
mod secrets;
mod steady;
mod system;
#[cfg(test)]
mod test_clock;
mod trouble;
mod webhook;

pub use dial::ClientBuildError;
pub use ehr::EhrClient;
pub use inbound::{InboundServers, ListenError};
pub use keys::{KeyError, SigningAlgorithm, SigningKey, check_private_key, public_key_set};
pub use secrets::{SecretError, Secrets};
pub use steady::SteadyClock;
pub use system::{SystemClock, SystemRandomness};
pub use webhook::{
    NoRandomness, WebhookClient, check_destination, check_signing_secret, generate_webhook_key,
    generate_webhook_secret,
};
