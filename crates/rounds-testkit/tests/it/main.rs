//! Stories about the kit itself: each fake does what a test will believe of it.

mod client;
mod ehr;
mod faults;
mod oracle;
mod paging;
mod receiver;
mod traffic;

use std::time::Duration;

use jiff::Timestamp;
use rounds_testkit::clock::ManualClock;
use rounds_testkit::hospital::Hospital;

/// Longer than any step takes; reached only when a story is wrong.
const PATIENCE: Duration = Duration::from_secs(10);

/// The moment of the example on Redox's page.
fn ten_o_clock() -> ManualClock {
    ManualClock::at(instant("2022-05-10T10:00:00Z"))
}

fn instant(text: &str) -> Timestamp {
    text.parse().expect("the story gives a valid instant")
}

fn hospital(clock: &ManualClock) -> Hospital {
    Hospital::new(1, clock.clock())
}
