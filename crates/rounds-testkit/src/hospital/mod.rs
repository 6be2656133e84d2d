//! The truth: patients, appointments, and everything that ever happened to them.
//!
//! A [`Hospital`] knows nothing of HTTP. A story acts on it (book, reschedule, cancel, no-show, edit a patient), a [`FakeEhr`](crate::ehr::FakeEhr)
//! shows it, and an [`Oracle`](crate::oracle::Oracle) compares its [`history`](Hospital::history) with what a receiver was told. The history
//! keeps every version with the instant of its change, and so grows with each change (some hundred bytes): it is the one thing in this kit
//! that has no bound, because a judge may not forget.
//!
//! Clones of a hospital are the same hospital.

mod appointment;
mod fiction;
mod patient;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use thiserror::Error;

pub use appointment::{
    Appointment, AppointmentId, AppointmentStatus, Booking, Change, ChangeKind, Provider,
};
pub use patient::{Address, Patient, PatientChange, PatientId, PersonName, Sex};

use crate::clock::Clock;
use crate::random::Random;

/// Appointments begin on a quarter of an hour.
const SLOT_SECONDS: i64 = 15 * 60;
/// New times lie within so many slots from now: two weeks.
const SLOTS_AHEAD: u64 = 14 * 24 * 4;

/// An action that the hospital refuses.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HospitalError {
    /// There is no such patient.
    #[error("there is no patient {0}; add it first")]
    UnknownPatient(PatientId),
    /// There is no such appointment.
    #[error("there is no appointment {0}; book it first")]
    UnknownAppointment(AppointmentId),
    /// It was cancelled, or its patient did not come.
    #[error("appointment {id} ended as {status:?}; only a booked one can change")]
    Ended {
        /// Which.
        id: AppointmentId,
        /// How.
        status: AppointmentStatus,
    },
}

/// A hospital with its whole history.
#[derive(Clone)]
pub struct Hospital {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

struct State {
    random: Random,
    patients: BTreeMap<PatientId, Patient>,
    patient_history: Vec<PatientChange>,
    current: BTreeMap<AppointmentId, Arc<Appointment>>,
    history: Vec<Change>,
    next_appointment: u64,
    next_patient: u64,
}

impl Hospital {
    /// An empty hospital. What it makes up comes from `seed`, its instants from `clock`.
    pub fn new(seed: u64, clock: Clock) -> Self {
        let state = State {
            random: Random::from_seed(seed),
            patients: BTreeMap::new(),
            patient_history: Vec::new(),
            current: BTreeMap::new(),
            history: Vec::new(),
            next_appointment: 1,
            next_patient: 1,
        };
        Self {
            clock,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Lets appointment ids go on from `first`: above 2^53, for one, where a double cannot tell neighbours apart.
    #[must_use]
    pub fn first_appointment_id(self, first: u64) -> Self {
        self.with(|state| state.next_appointment = first);
        self
    }

    /// The time in this hospital, to the millisecond (rounded down).
    pub fn now(&self) -> Timestamp {
        let now = (self.clock)();
        let milliseconds = now.as_nanosecond().div_euclid(1_000_000);
        i64::try_from(milliseconds)
            .ok()
            .and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok())
            .unwrap_or(now)
    }

    /// The clock that it was given.
    pub fn clock(&self) -> Clock {
        Arc::clone(&self.clock)
    }

    /// Takes in a made-up patient.
    pub fn admit_anyone(&self) -> PatientId {
        let at = self.now();
        self.with(|state| {
            let patient = fiction::patient(&mut state.random, state.next_patient);
            state.next_patient += 1;
            state.put_patient(at, patient)
        })
    }

    /// Takes in this patient; one with the same id is replaced.
    pub fn admit(&self, patient: Patient) -> PatientId {
        let at = self.now();
        self.with(|state| state.put_patient(at, patient))
    }

    /// Edits a patient. That touches no appointment. The id stays what it was, whatever `edit` does to it.
    pub fn edit_patient(
        &self,
        id: &PatientId,
        edit: impl FnOnce(&mut Patient),
    ) -> Result<Patient, HospitalError> {
        let at = self.now();
        self.with(|state| {
            let mut patient = state
                .patients
                .get(id)
                .cloned()
                .ok_or_else(|| HospitalError::UnknownPatient(id.clone()))?;
            edit(&mut patient);
            patient.id = id.clone();
            state.put_patient(at, patient.clone());
            Ok(patient)
        })
    }

    /// A booking as a clerk might make it: a patient of this hospital (a new one if there is none), a reason, a free quarter of an hour within
    /// two weeks. Nothing is booked yet.
    pub fn imagine_booking(&self) -> Booking {
        if self.with(|state| state.patients.is_empty()) {
            self.admit_anyone();
        }
        let start = self.imagine_start();
        self.with(|state| {
            let ids: Vec<PatientId> = state.patients.keys().cloned().collect();
            let patient_id = state
                .random
                .pick(&ids)
                .cloned()
                .unwrap_or_else(|| PatientId("P1001".to_owned()));
            let (reason, duration_minutes) = fiction::reason(&mut state.random);
            let provider = fiction::provider(&mut state.random);
            Booking {
                patient_id,
                start,
                duration_minutes,
                reason,
                provider,
                location: fiction::location(&mut state.random),
            }
        })
    }

    /// A quarter of an hour within the next two weeks.
    pub fn imagine_start(&self) -> Timestamp {
        let slot = self.now().as_second().div_euclid(SLOT_SECONDS);
        let ahead = self.with(|state| 1 + state.random.below(SLOTS_AHEAD));
        let ahead = i64::try_from(ahead).unwrap_or(1);
        Timestamp::from_second((slot + ahead) * SLOT_SECONDS).unwrap_or_else(|_beyond| self.now())
    }

    /// Books an appointment.
    pub fn book(&self, booking: Booking) -> Result<Change, HospitalError> {
        let at = self.now();
        self.with(|state| {
            if !state.patients.contains_key(&booking.patient_id) {
                return Err(HospitalError::UnknownPatient(booking.patient_id));
            }
            let id = AppointmentId(state.next_appointment);
            state.next_appointment += 1;
            let Booking {
                patient_id,
                start,
                duration_minutes,
                reason,
                provider,
                location,
            } = booking;
            let status = AppointmentStatus::Booked;
            let first = Appointment {
                id,
                patient_id,
                status,
                start,
                duration_minutes,
                reason,
                provider,
                location,
                version: 1,
                last_modified: at,
            };
            Ok(state.record(ChangeKind::Booked, first))
        })
    }

    /// Books [an imagined appointment](Hospital::imagine_booking).
    pub fn book_anything(&self) -> Change {
        loop {
            // The imagined patient exists, and patients never leave, so the first turn ends it.
            if let Ok(change) = self.book(self.imagine_booking()) {
                return change;
            }
        }
    }

    /// Moves a booked appointment to `start`.
    pub fn reschedule(&self, id: AppointmentId, start: Timestamp) -> Result<Change, HospitalError> {
        self.change(id, ChangeKind::Rescheduled, |appointment| {
            appointment.start = start;
        })
    }

    /// Calls a booked appointment off.
    pub fn cancel(&self, id: AppointmentId) -> Result<Change, HospitalError> {
        self.change(id, ChangeKind::Cancelled, |appointment| {
            appointment.status = AppointmentStatus::Cancelled;
        })
    }

    /// Notes that the patient did not come.
    pub fn mark_no_show(&self, id: AppointmentId) -> Result<Change, HospitalError> {
        self.change(id, ChangeKind::NoShow, |appointment| {
            appointment.status = AppointmentStatus::NoShow;
        })
    }

    /// The patient as it is now.
    pub fn patient(&self, id: &PatientId) -> Option<Patient> {
        self.with(|state| state.patients.get(id).cloned())
    }

    /// Every version of every patient, in the order of the edits.
    pub fn patient_history(&self) -> Vec<PatientChange> {
        self.with(|state| state.patient_history.clone())
    }

    /// The appointment as it is now.
    pub fn appointment(&self, id: AppointmentId) -> Option<Arc<Appointment>> {
        self.with(|state| state.current.get(&id).cloned())
    }

    /// All appointments as they are now, by id.
    pub fn appointments(&self) -> Vec<Arc<Appointment>> {
        self.with(|state| state.current.values().cloned().collect())
    }

    /// Every change, in the order in which they happened.
    pub fn history(&self) -> Vec<Change> {
        self.with(|state| state.history.clone())
    }

    /// Looks through the history without copying it.
    pub(crate) fn read_history<R>(&self, read: impl FnOnce(&[Change]) -> R) -> R {
        self.with(|state| read(&state.history))
    }

    fn change(
        &self,
        id: AppointmentId,
        kind: ChangeKind,
        act: impl FnOnce(&mut Appointment),
    ) -> Result<Change, HospitalError> {
        let at = self.now();
        self.with(|state| {
            let current = state
                .current
                .get(&id)
                .ok_or(HospitalError::UnknownAppointment(id))?;
            if current.status != AppointmentStatus::Booked {
                return Err(HospitalError::Ended {
                    id,
                    status: current.status,
                });
            }
            let mut next = Appointment::clone(current);
            act(&mut next);
            next.version += 1;
            next.last_modified = at;
            Ok(state.record(kind, next))
        })
    }

    fn with<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn put_patient(&mut self, at: Timestamp, patient: Patient) -> PatientId {
        let id = patient.id.clone();
        self.patient_history.push(PatientChange {
            at,
            patient: patient.clone(),
        });
        self.patients.insert(id.clone(), patient);
        id
    }

    fn record(&mut self, kind: ChangeKind, appointment: Appointment) -> Change {
        let appointment = Arc::new(appointment);
        self.current
            .insert(appointment.id, Arc::clone(&appointment));
        let change = Change {
            sequence: self.history.len() as u64 + 1,
            kind,
            at: appointment.last_modified,
            appointment,
        };
        self.history.push(change.clone());
        change
    }
}

impl fmt::Debug for Hospital {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (patients, appointments, changes) = self.with(|state| {
            (
                state.patients.len(),
                state.current.len(),
                state.history.len(),
            )
        });
        write!(
            formatter,
            "Hospital({patients} patients, {appointments} appointments, {changes} changes)"
        )
    }
}
