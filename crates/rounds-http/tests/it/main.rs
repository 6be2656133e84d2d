//! Stories of exchanges over real sockets on 127.0.0.1, with servers that behave well and badly.

#[path = "../../src/test_clock.rs"]
#[allow(dead_code, reason = "shared with the unit tests, which use more of it")]
mod test_clock;

mod authentication;
mod ehr;
mod inbound;
mod server;
mod tls;
mod webhook;

use rounds_domain::plan::SecretReference;
use rounds_domain::ports::Clock;
use rounds_http::{Secrets, SystemClock};
use std::ffi::OsString;
use std::sync::Arc;

/// The value of every environment variable whose name begins with `TOKEN`, followed by that name.
const SECRET: &str = "hunter2";
/// What stands in URLs, bodies and headers, and must not be told in any error.
const CONFIDENTIAL: &str = "patient-4711";

/// Secrets by environment; the machine's environment is neither read nor changed.
fn secrets() -> Arc<Secrets> {
    Arc::new(Secrets::with_environment(clock(), |name| {
        name.starts_with("TOKEN")
            .then(|| OsString::from(format!("{SECRET}-{name}")))
    }))
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

fn environment(name: &str) -> SecretReference {
    SecretReference::Environment(name.to_owned())
}

/// Fails where a text that people see tells what it should not.
#[track_caller]
fn assert_discreet(shown: &str) {
    for hidden in [SECRET, CONFIDENTIAL] {
        assert!(!shown.contains(hidden), "{hidden} is told: {shown}");
    }
}
