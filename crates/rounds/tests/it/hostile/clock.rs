//! An EHR whose `Date` header jumps by decades, and a feed that has nothing but that header to go by.

use super::ehr_with_two_appointments;
use super::stage::{self, CursorBy};
use crate::service::{Outcome, PATIENCE, Service, book_marked};
use crate::support::Folder;
use rounds_testkit::ehr::Scope;
use rounds_testkit::receiver::FakeReceiver;
use rounds_testkit::wire::{DateFault, WireFault};

const ACTION: &str = "clock";

#[tokio::test]
async fn a_clock_that_jumped_ahead_once_blinds_no_feed() -> Outcome {
    let ehr = ehr_with_two_appointments(1).await?;
    let receiver = FakeReceiver::start().await?;
    let folder = Folder::with_configuration(&stage::document(
        &stage::connection(ACTION, &ehr),
        &stage::action(ACTION, ACTION, CursorBy::EhrClock),
        &stage::destination(ACTION, &receiver),
    ));
    let decades = jiff::SignedDuration::from_hours(24 * 365 * 30);
    let ahead = WireFault::Date(DateFault::Skewed(decades));
    ehr.always(Scope::path("/appointments"), ahead);
    let service = Service::start(&folder, &[], &stage::ENVIRONMENT)?;
    stage::until_told(&receiver, ACTION, &ehr).await?;
    // At least one whole round by the wrong clock.
    ehr.wait_for_requests(ehr.total_requests() + 4, PATIENCE)
        .await?;

    ehr.heal();
    book_marked(ehr.hospital())?;
    stage::until_told(&receiver, ACTION, &ehr).await?;
    let verdict = stage::verdict(&receiver, ACTION, &ehr);
    assert!(verdict.is_clean(), "{verdict}");
    service.terminate().await?;
    Ok(())
}
