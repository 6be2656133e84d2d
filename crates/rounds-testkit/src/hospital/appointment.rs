//! Appointments and the changes they go through.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::patient::{PatientId, PersonName};

/// Identifies an appointment; a JSON number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AppointmentId(pub u64);

impl fmt::Display for AppointmentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Where an appointment stands. `Cancelled` and `NoShow` are ends: nothing changes after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AppointmentStatus {
    /// It is to take place, or took place.
    Booked,
    /// It was called off.
    Cancelled,
    /// The patient did not come.
    NoShow,
}

/// One version of an appointment, as the EHR's API gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Appointment {
    /// Identifies it.
    pub id: AppointmentId,
    /// Whose it is.
    #[serde(rename = "patientID")]
    pub patient_id: PatientId,
    /// Where it stands.
    pub status: AppointmentStatus,
    /// When it begins.
    pub start: Timestamp,
    /// How long it is to last, in minutes.
    #[serde(rename = "duration")]
    pub duration_minutes: u32,
    /// Why.
    pub reason: String,
    /// Who sees the patient.
    pub provider: Provider,
    /// Where.
    pub location: String,
    /// 1 at booking, one more with each change.
    pub version: u64,
    /// When this version came to be, to the millisecond.
    pub last_modified: Timestamp,
}

/// A member of the staff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// Identifies the provider in the EHR.
    pub id: String,
    /// Name.
    #[serde(flatten)]
    pub name: PersonName,
}

/// What is needed to book an appointment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booking {
    /// Whose it is.
    pub patient_id: PatientId,
    /// When it begins.
    pub start: Timestamp,
    /// How long it is to last, in minutes.
    pub duration_minutes: u32,
    /// Why.
    pub reason: String,
    /// Who sees the patient.
    pub provider: Provider,
    /// Where.
    pub location: String,
}

/// What was done to an appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It was made.
    Booked,
    /// It was moved to another time.
    Rescheduled,
    /// It was called off.
    Cancelled,
    /// The patient did not come.
    NoShow,
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Booked => "booked",
            Self::Rescheduled => "rescheduled",
            Self::Cancelled => "cancelled",
            Self::NoShow => "no-show",
        })
    }
}

/// One entry of the hospital's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// 1 for the hospital's first change, one more with each.
    pub sequence: u64,
    /// What was done.
    pub kind: ChangeKind,
    /// When: the same instant as the version's `last_modified`.
    pub at: Timestamp,
    /// The version that it made.
    pub appointment: Arc<Appointment>,
}
