//! What goes wrong in a life besides its end.

use rounds_testkit::ehr::{FakeEhr, Scope};
use rounds_testkit::http::StatusCode;
use rounds_testkit::random::Random;
use rounds_testkit::receiver::FakeReceiver;
use rounds_testkit::wire::{RetryAfter, StatusAnswer, WireFault};
use std::time::Duration;

/// Heals both ends, then lets chance choose what befalls the next requests: a fault that no request met is not carried over.
pub(super) fn draw(random: &mut Random, ehr: &FakeEhr, receiver: &FakeReceiver) {
    heal(ehr, receiver);
    if random.below(3) == 0 {
        ehr.next(Scope::path("/appointments"), ehr_fault(random));
    }
    for _ in 0..random.below(3) {
        ehr.next(Scope::under("/patient/"), ehr_fault(random));
    }
    for _ in 0..random.below(4) {
        receiver.next(receiver_fault(random));
    }
}

/// Everything is well again.
pub(super) fn heal(ehr: &FakeEhr, receiver: &FakeReceiver) {
    ehr.heal();
    receiver.heal();
}

fn ehr_fault(random: &mut Random) -> WireFault {
    match random.below(4) {
        0 => StatusAnswer::new(StatusCode::INTERNAL_SERVER_ERROR).into(),
        1 => StatusAnswer::new(StatusCode::TOO_MANY_REQUESTS)
            .retry_after(RetryAfter::Seconds(1))
            .into(),
        _ => slow(random),
    }
}

/// A receiver that takes a notification always says so in the end: what comes twice comes so because of a kill.
fn receiver_fault(random: &mut Random) -> WireFault {
    match random.below(3) {
        0 => StatusAnswer::new(StatusCode::INTERNAL_SERVER_ERROR).into(),
        _ => slow(random),
    }
}

/// Late, and well within all timeouts: long enough for a kill to come before the answer.
fn slow(random: &mut Random) -> WireFault {
    WireFault::FirstByteAfter(Duration::from_millis(20 + random.below(400)))
}
