//! Patients, all of them made up.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Identifies a patient, as in `P1001`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PatientId(pub String);

impl fmt::Display for PatientId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A patient as `GET /patient/{id}` gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patient {
    /// Identifies the patient in the EHR.
    pub id: PatientId,
    /// Medical record number.
    pub mrn: String,
    /// Name.
    pub name: PersonName,
    /// Date of birth, `YYYY-MM-DD`.
    pub dob: Date,
    /// Administrative sex.
    pub sex: Sex,
    /// Phone number, in the range kept for fiction.
    pub phone: String,
    /// Home address.
    pub address: Address,
}

/// A person's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonName {
    /// Given name.
    pub first: String,
    /// Family name.
    pub last: String,
}

impl fmt::Display for PersonName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.first, self.last)
    }
}

/// Administrative sex, in lower case on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sex {
    /// Female.
    Female,
    /// Male.
    Male,
    /// Other or not known.
    Other,
}

/// A postal address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Street and number.
    pub street: String,
    /// City.
    pub city: String,
    /// Two letters.
    pub state: String,
    /// Postal code.
    pub zip: String,
}

/// One edit of a patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatientChange {
    /// When.
    pub at: Timestamp,
    /// The patient after it.
    pub patient: Patient,
}
