//! Appointments that change by themselves, for the demo and for long runs.
//!
//! [`Traffic`] makes one change at a time: it books, moves, cancels, or notes a no-show, with the mix of a plain day. Which records it may touch
//! now is the caller's word. The demo allows a record again only once its former change has arrived, so that each change has its own
//! notification to show; a load run allows all, and lets versions supersede each other.
//!
//! [`Traffic::step`] needs no time. [`Traffic::every`] is a stream that makes a step each interval and needs no task of its own: a consumer that
//! stops polling stops the traffic.

use std::fmt;
use std::time::Duration;

use futures_util::{Stream, stream};
use jiff::Timestamp;

use crate::clock::ticks;
use crate::hospital::{
    Appointment, AppointmentId, AppointmentStatus, Change, ChangeKind, Hospital,
};
use crate::random::Random;

/// Of a hundred changes, so many are new bookings; of the others, so many are moves and cancellations, and the rest no-shows.
const BOOKINGS_PERCENT: u64 = 35;
const MOVES_PERCENT: u64 = 55;
const CANCELLATIONS_PERCENT: u64 = 25;

/// A change as a person may be shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeEvent {
    /// The change's number in the hospital's history.
    pub sequence: u64,
    /// Which appointment.
    pub appointment_id: AppointmentId,
    /// Its version after the change.
    pub version: u64,
    /// What was done.
    pub kind: ChangeKind,
    /// When.
    pub at: Timestamp,
    /// One short line, such as `Greta Penhallow: knee pain with Theo Marrowby, moved to 2022-05-12 09:15`.
    pub description: String,
}

/// Makes changes at a hospital.
#[derive(Debug)]
pub struct Traffic {
    hospital: Hospital,
    random: Random,
}

impl Traffic {
    /// Traffic at `hospital` that is the same for the same seed (and the same answers of `may_touch`).
    pub fn new(hospital: Hospital, seed: u64) -> Self {
        Self {
            hospital,
            random: Random::from_seed(seed),
        }
    }

    /// Makes one change. An existing appointment is touched only if it is booked and `may_touch` allows it; if there is none, one is booked.
    pub fn step(&mut self, may_touch: impl Fn(AppointmentId) -> bool) -> ChangeEvent {
        let change = self
            .touch(may_touch)
            .unwrap_or_else(|| self.hospital.book_anything());
        self.describe(&change)
    }

    /// One change each `interval` (the first after one interval), without end. Steps that the consumer was too slow for are not made up.
    pub fn every(
        self,
        interval: Duration,
        may_touch: impl Fn(AppointmentId) -> bool,
    ) -> impl Stream<Item = ChangeEvent> {
        let ticks = ticks(interval);
        stream::unfold(
            (self, ticks, may_touch),
            |(mut traffic, mut ticks, may_touch)| async move {
                ticks.tick().await;
                let event = traffic.step(&may_touch);
                Some((event, (traffic, ticks, may_touch)))
            },
        )
    }

    /// Changes an existing appointment, unless chance prefers a booking or nothing may be touched.
    fn touch(&mut self, may_touch: impl Fn(AppointmentId) -> bool) -> Option<Change> {
        if self.random.below(100) < BOOKINGS_PERCENT {
            return None;
        }
        let open = |appointment: &Appointment| {
            appointment.status == AppointmentStatus::Booked && may_touch(appointment.id)
        };
        let candidates: Vec<AppointmentId> = self
            .hospital
            .appointments()
            .iter()
            .filter(|appointment| open(appointment))
            .map(|appointment| appointment.id)
            .collect();
        let id = *self.random.pick(&candidates)?;
        let changed = match self.random.below(100) {
            dice if dice < MOVES_PERCENT => {
                self.hospital.reschedule(id, self.hospital.imagine_start())
            }
            dice if dice < MOVES_PERCENT + CANCELLATIONS_PERCENT => self.hospital.cancel(id),
            _ => self.hospital.mark_no_show(id),
        };
        // Someone else may have ended it since the look above; then a booking takes the turn.
        changed.ok()
    }

    fn describe(&self, change: &Change) -> ChangeEvent {
        let appointment = &change.appointment;
        let patient = self.hospital.patient(&appointment.patient_id);
        let who = patient.map_or_else(
            || appointment.patient_id.to_string(),
            |patient| patient.name.to_string(),
        );
        let start = appointment.start.strftime("%Y-%m-%d %H:%M");
        let what = format!(
            "{} with {}",
            appointment.reason.to_lowercase(),
            appointment.provider.name
        );
        let description = match change.kind {
            ChangeKind::Booked => format!("{who}: {what}, booked for {start}"),
            ChangeKind::Rescheduled => format!("{who}: {what}, moved to {start}"),
            ChangeKind::Cancelled => format!("{who}: {what} at {start}, cancelled"),
            ChangeKind::NoShow => format!("{who}: {what} at {start}, did not come"),
        };
        let Change {
            sequence, kind, at, ..
        } = *change;
        ChangeEvent {
            sequence,
            appointment_id: appointment.id,
            version: appointment.version,
            kind,
            at,
            description,
        }
    }
}

impl fmt::Display for ChangeEvent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "#{} {} {}: {}",
            self.sequence, self.appointment_id, self.kind, self.description
        )
    }
}
