//! The hostile ends, each with what makes it so.

use flate2::Compression;
use flate2::write::GzEncoder;
use rounds_testkit::ehr::{FakeEhr, Fault, Scope};
use rounds_testkit::http::StatusCode;
use rounds_testkit::receiver::FakeReceiver;
use rounds_testkit::wire::{DateFault, LengthHeader, RetryAfter, StatusAnswer, WireFault};
use std::io::{self, Write};
use std::time::Duration;

const TEN_GIGABYTES: u64 = 10_000_000_000;
/// What a bomb becomes: far more than an answer may have, and quick to pack.
const BOMB_BYTES: usize = 64 * 1024 * 1024;
/// The address at which clouds tell credentials to whoever asks.
const METADATA: &str = "http://169.254.169.254/latest/meta-data/iam/";
/// How often the clock that jumps does so before it is healed.
const JUMPS: usize = 300;

/// An EHR that is hostile.
pub(super) struct HostileEhr {
    pub(super) name: &'static str,
    pub(super) shows: Shows,
    /// Makes it so. The second argument is another host, to which nothing may come.
    pub(super) spoil: fn(&FakeEhr, &str),
}

/// Where its outcome is seen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shows {
    /// Its rounds fail.
    FailedRounds,
    /// Its containers are parked, because it is hostile in lookups only.
    ParkedContainers,
    /// Nothing is seen: all is told as if it were well.
    Nothing,
}

/// A receiver that is hostile.
pub(super) struct HostileReceiver {
    pub(super) name: &'static str,
    pub(super) spoil: fn(&FakeReceiver, &str),
    /// Whether it takes notifications and does not say so.
    pub(super) hides_that_it_took: bool,
}

pub(super) const EHRS: &[HostileEhr] = &[
    changes("drips", |ehr, _| ehr.always(feed(), drip())),
    changes("floods", |ehr, _| {
        ehr.always(feed(), flood(LengthHeader::Chunked));
    }),
    changes("promises-a-flood", |ehr, _| {
        ehr.always(feed(), flood(LengthHeader::Declared));
    }),
    changes("sends-no-body", |ehr, _| {
        ehr.always(feed(), WireFault::HeadOnly);
    }),
    changes("resets", |ehr, _| ehr.always(feed(), WireFault::Reset)),
    changes("redirects-to-metadata", |ehr, _| {
        ehr.always(feed(), StatusAnswer::redirect(METADATA));
    }),
    changes("redirects-elsewhere", |ehr, elsewhere| {
        ehr.always(feed(), StatusAnswer::redirect(elsewhere));
    }),
    changes("bombs", |ehr, _| {
        ehr.always(feed(), bomb(StatusCode::OK));
    }),
    changes("throttles-for-ages", |ehr, _| {
        ehr.always(feed(), throttle("99999999999999999999"));
    }),
    changes("throttles-until-the-year-9999", |ehr, _| {
        ehr.always(feed(), throttle("Fri, 31 Dec 9999 23:59:59 GMT"));
    }),
    changes("throttles-below-zero", |ehr, _| {
        ehr.always(feed(), throttle("-5"));
    }),
    changes("pages-in-a-circle", |ehr, _| {
        ehr.always(feed(), Fault::NextLoops);
    }),
    changes("pages-lead-elsewhere", |ehr, elsewhere| {
        let origin = elsewhere.to_owned();
        ehr.always(feed(), Fault::NextElsewhere { origin });
    }),
    HostileEhr {
        name: "clock-jumps",
        shows: Shows::Nothing,
        spoil: |ehr, _| jump(|fault| ehr.next(feed(), fault)),
    },
    lookups("lookups-drip", |ehr, _| ehr.always(patients(), drip())),
    lookups("lookups-flood", |ehr, _| {
        ehr.always(patients(), flood(LengthHeader::Chunked));
    }),
    lookups("lookups-reset", |ehr, _| {
        ehr.always(patients(), WireFault::Reset);
    }),
    lookups("lookups-redirect-elsewhere", |ehr, elsewhere| {
        ehr.always(patients(), StatusAnswer::redirect(elsewhere));
    }),
    lookups("lookups-bomb", |ehr, _| {
        ehr.always(patients(), bomb(StatusCode::OK));
    }),
    lookups("lookups-throttle-for-ages", |ehr, _| {
        ehr.always(patients(), throttle("99999999999999999999"));
    }),
];

pub(super) const RECEIVERS: &[HostileReceiver] = &[
    receiver("app-drips", |receiver, _| {
        always(receiver, [long_thanks(), drip()]);
    }),
    receiver("app-floods", |receiver, _| {
        always(receiver, [long_thanks(), flood(LengthHeader::Chunked)]);
    }),
    receiver("app-promises-a-flood", |receiver, _| {
        always(receiver, [long_thanks(), flood(LengthHeader::Declared)]);
    }),
    receiver("app-sends-no-body", |receiver, _| {
        always(receiver, [long_thanks(), WireFault::HeadOnly]);
    }),
    receiver("app-bombs", |receiver, _| {
        always(receiver, [bomb(StatusCode::INTERNAL_SERVER_ERROR)]);
    }),
    HostileReceiver {
        name: "app-falls-silent",
        spoil: |receiver, _| {
            always(
                receiver,
                [WireFault::FirstByteAfter(Duration::from_hours(1))],
            );
        },
        hides_that_it_took: true,
    },
    HostileReceiver {
        name: "app-resets",
        spoil: |receiver, _| always(receiver, [WireFault::Reset]),
        hides_that_it_took: true,
    },
    receiver("app-redirects-to-metadata", |receiver, _| {
        always(receiver, [StatusAnswer::redirect(METADATA).into()]);
    }),
    receiver("app-redirects-elsewhere", |receiver, elsewhere| {
        always(receiver, [StatusAnswer::redirect(elsewhere).into()]);
    }),
    receiver("app-throttles-for-ages", |receiver, _| {
        always(receiver, [throttle("99999999999999999999")]);
    }),
    receiver("app-throttles-until-the-year-9999", |receiver, _| {
        always(receiver, [throttle("Fri, 31 Dec 9999 23:59:59 GMT")]);
    }),
    receiver("app-throttles-below-zero", |receiver, _| {
        always(receiver, [throttle("-5")]);
    }),
    receiver("app-clock-jumps", |receiver, _| {
        always(receiver, [throttle_until_the_epoch()]);
        jump(|fault| receiver.next(fault));
    }),
];

const fn changes(name: &'static str, spoil: fn(&FakeEhr, &str)) -> HostileEhr {
    HostileEhr {
        name,
        shows: Shows::FailedRounds,
        spoil,
    }
}

const fn lookups(name: &'static str, spoil: fn(&FakeEhr, &str)) -> HostileEhr {
    HostileEhr {
        name,
        shows: Shows::ParkedContainers,
        spoil,
    }
}

const fn receiver(name: &'static str, spoil: fn(&FakeReceiver, &str)) -> HostileReceiver {
    HostileReceiver {
        name,
        spoil,
        hides_that_it_took: false,
    }
}

fn feed() -> Scope {
    Scope::path("/appointments")
}

fn patients() -> Scope {
    Scope::under("/patient/")
}

fn always<const N: usize>(receiver: &FakeReceiver, faults: [WireFault; N]) {
    for fault in faults {
        receiver.when(|_any| true, fault);
    }
}

/// A byte a second.
fn drip() -> WireFault {
    WireFault::Drip {
        chunk_bytes: 1,
        every: Duration::from_secs(1),
    }
}

fn flood(length: LengthHeader) -> WireFault {
    WireFault::Oversized {
        bytes: TEN_GIGABYTES,
        length,
    }
}

fn throttle(retry_after: &str) -> WireFault {
    StatusAnswer::new(StatusCode::TOO_MANY_REQUESTS)
        .header("retry-after", retry_after)
        .into()
}

/// By a date, which is taken relative to the answer's own: with a clock that jumps it is decades ahead or behind.
fn throttle_until_the_epoch() -> WireFault {
    StatusAnswer::new(StatusCode::SERVICE_UNAVAILABLE)
        .retry_after(RetryAfter::At(jiff::Timestamp::UNIX_EPOCH))
        .into()
}

/// Decades ahead, decades back, and no date at all, again and again.
fn jump(next: impl Fn(WireFault)) {
    let decades = jiff::SignedDuration::from_hours(24 * 365 * 30);
    let dates = [
        DateFault::Skewed(decades),
        DateFault::Skewed(-decades),
        DateFault::Missing,
    ];
    for date in dates.into_iter().cycle().take(JUMPS) {
        next(WireFault::Date(date));
    }
}

/// A success with a body that is long enough to be spoilt.
fn long_thanks() -> WireFault {
    StatusAnswer::new(StatusCode::OK)
        .body("thanks ".repeat(1_000))
        .into()
}

fn bomb(status: StatusCode) -> WireFault {
    let packed = || -> io::Result<Vec<u8>> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        let piece = vec![b' '; 64 * 1024];
        for _ in 0..BOMB_BYTES / piece.len() {
            packer.write_all(&piece)?;
        }
        packer.finish()
    };
    let packed = packed().expect("packing into memory does not fail");
    assert!(packed.len() < 1024 * 1024, "the limit is met by unpacking");
    StatusAnswer::new(status).gzip_body(packed).into()
}
