//! Ends that are not only broken but harmful: EHRs and receivers that drip, flood, fall silent, lead astray, or lie about time.
//!
//! One `rounds run` serves all of them at once, each over real HTTP, beside an EHR and a receiver that are well. What is shown:
//!
//! - each end has one clear outcome, with its code, where an operator looks (a snapshot of the whole table);
//! - it is bounded: in the bytes that it could push, in requests, in memory;
//! - the healthy action goes on meanwhile (law 4);
//! - no credential comes to another host;
//! - when an end turns healthy, everything that changed is told, once;
//! - no log line has anything of a patient or of a secret.
//!
//! `rounds-http`'s tests show the same ends one by one and byte by byte (a head that drips, or never ends); here it is what
//! follows from them. Servers listen on loopback, and waits are settings of a second and less.

mod clock;
mod ends;
mod stage;

use crate::service::{
    Outcome, PATIENCE, Service, admit_marked, assert_log_tells_nothing_of, book_marked,
};
use crate::support::{Folder, snapshots};
use ends::{EHRS, RECEIVERS};
use rounds_testkit::clock::system_clock;
use rounds_testkit::ehr::{FakeEhr, Paging, Scope};
use rounds_testkit::hospital::Hospital;
use stage::{EHR_TOKEN, SIGNING_SECRET, STEADY, Stage};
use std::time::Duration;

/// The first appointment's number. No other number begins as these do.
const FIRST_APPOINTMENT: u64 = 777_000_111_000;
const APPOINTMENTS_BEGIN: &str = "777000111";
/// How soon the healthy action has to tell of a change while everybody else misbehaves. Its interval is a second.
const STEADY_WITHIN: Duration = Duration::from_secs(10);
/// What one exchange may push at most: the limit of an answer (1 MiB for EHRs, 64 KiB for receivers) and what the system's socket
/// buffers on both sides may hold beyond it.
const BYTES_PER_EXCHANGE: u64 = 12 * 1024 * 1024;
/// All ends, five of which offer ten gigabytes each answer, are to fit into this. It is a debug build.
const MEMORY_LIMIT_BYTES: u64 = 256 * 1024 * 1024;
/// A page is tried three times in a round.
const REQUESTS_PER_FAILED_ROUND: u64 = 3;

#[tokio::test]
async fn each_hostile_end_has_a_bounded_clear_outcome_and_disturbs_nobody() -> Outcome {
    let stage = Stage::build().await?;
    stage.spoil();
    let folder = Folder::with_configuration(&stage.configuration());
    let service = Service::start(&folder, &[], &stage::ENVIRONMENT)?;

    // Every end comes to its outcome, and the table of them is what an operator reads.
    let outcomes = stage.outcomes(&folder).await;
    snapshots(|| insta::assert_snapshot!(outcomes.table));

    // While all that goes on, a change at the healthy EHR is told like any other.
    stage.until_told(STEADY, &stage.steady).await?;
    let told_before = stage.verdict(STEADY, &stage.steady).notified;
    book_marked(stage.steady.hospital())?;
    let told = stage.until_told(STEADY, &stage.steady);
    tokio::time::timeout(STEADY_WITHIN, told).await??;
    let told_now = stage.verdict(STEADY, &stage.steady).notified;
    assert_eq!(told_now, told_before + 1);

    // Bounds.
    for (end, ehr) in EHRS.iter().zip(&stage.ehrs) {
        let (requests, bytes) = (ehr.total_requests(), ehr.bytes_sent());
        assert!(
            bytes < requests * BYTES_PER_EXCHANGE,
            "{}: {bytes} bytes in {requests} requests",
            end.name
        );
        if let Some(failures) = outcomes.failures_in_a_row.get(end.name) {
            // A round may be under way, and one more may have begun since it was asked.
            let asked = ehr.count(&Scope::path("/appointments")) as u64;
            let allowed = REQUESTS_PER_FAILED_ROUND * (failures + 3);
            assert!(asked <= allowed, "{}: {asked} > {allowed}", end.name);
        }
    }
    for (end, receiver) in RECEIVERS.iter().zip(&stage.receivers) {
        let (attempts, bytes) = (receiver.attempts().len() as u64, receiver.bytes_sent());
        assert!(
            bytes < (attempts + 1) * BYTES_PER_EXCHANGE,
            "{}: {bytes} bytes in {attempts} attempts",
            end.name
        );
    }
    if let Some(memory) = service.most_memory_bytes() {
        assert!(memory < MEMORY_LIMIT_BYTES, "{memory} bytes");
    }

    // More happens everywhere; then the ends are well again, and all of it is told.
    for ehr in stage.ehrs.iter().chain([&stage.steady]) {
        change_more(ehr.hospital())?;
    }
    stage.heal();
    for (end, ehr) in EHRS.iter().zip(&stage.ehrs) {
        stage.until_told(end.name, ehr).await?;
    }
    for (end, receiver) in RECEIVERS.iter().zip(&stage.receivers) {
        stage::until_told(receiver, end.name, &stage.steady).await?;
    }
    // Some rounds more, in which nothing may be told again.
    let further: Vec<u64> = stage
        .ehrs
        .iter()
        .map(|ehr| ehr.total_requests() + 4)
        .collect();
    for (ehr, requests) in stage.ehrs.iter().zip(further) {
        ehr.wait_for_requests(requests, PATIENCE).await?;
    }
    for (end, ehr) in EHRS.iter().zip(&stage.ehrs) {
        let verdict = stage.verdict(end.name, ehr);
        assert!(verdict.is_clean(), "{}: {verdict}", end.name);
        assert_eq!(verdict.redelivered, [], "{}", end.name);
    }
    for (end, receiver) in RECEIVERS.iter().zip(&stage.receivers) {
        let verdict = stage::verdict(receiver, end.name, &stage.steady);
        assert!(verdict.is_clean(), "{}: {verdict}", end.name);
        // Who takes a notification and does not say so is told again under the same id, and nobody else is.
        let is_told_again = !verdict.redelivered.is_empty();
        assert_eq!(is_told_again, end.hides_that_it_took, "{}", end.name);
    }

    assert_eq!(stage.elsewhere.total_requests(), 0, "nobody was followed");
    let said = service.terminate().await?;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert_log_tells_nothing_of(
        &said.stderr,
        [EHR_TOKEN, SIGNING_SECRET, APPOINTMENTS_BEGIN],
    )
}

/// One appointment is moved and one is booked.
fn change_more(hospital: &Hospital) -> Outcome {
    let first = hospital.history().first().ok_or("it has one")?.clone();
    hospital.reschedule(first.appointment.id, hospital.imagine_start())?;
    book_marked(hospital)?;
    Ok(())
}

/// An EHR in front of a marked patient with two appointments.
async fn ehr_with_two_appointments(seed: u64) -> Outcome<FakeEhr> {
    let hospital = Hospital::new(seed, system_clock()).first_appointment_id(FIRST_APPOINTMENT);
    admit_marked(&hospital);
    for _ in 0..2 {
        book_marked(&hospital)?;
    }
    let ehr = FakeEhr::builder(hospital)
        .bearer_token(EHR_TOKEN)
        .paging(Paging::LinkHeader, 1);
    Ok(ehr.start().await?)
}
