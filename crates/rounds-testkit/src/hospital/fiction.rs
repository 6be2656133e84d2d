//! Made-up people, reasons and places. Nothing here is taken from any real person or institution.

use jiff::civil::{Date, date};
use jiff::{Span, ToSpan};

use super::appointment::Provider;
use super::patient::{Address, Patient, PatientId, PersonName, Sex};
use crate::random::Random;

const FIRST_NAMES: [(&str, Sex); 24] = [
    ("Amara", Sex::Female),
    ("Benno", Sex::Male),
    ("Calla", Sex::Female),
    ("Dario", Sex::Male),
    ("Elsbet", Sex::Female),
    ("Farid", Sex::Male),
    ("Greta", Sex::Female),
    ("Hollis", Sex::Other),
    ("Imke", Sex::Female),
    ("Jorun", Sex::Other),
    ("Kasimir", Sex::Male),
    ("Leocadia", Sex::Female),
    ("Milo", Sex::Male),
    ("Nerys", Sex::Female),
    ("Osric", Sex::Male),
    ("Petra", Sex::Female),
    ("Quillan", Sex::Male),
    ("Rosalind", Sex::Female),
    ("Soren", Sex::Male),
    ("Tamsin", Sex::Female),
    ("Ulric", Sex::Male),
    ("Vesna", Sex::Female),
    ("Wendel", Sex::Male),
    ("Zora", Sex::Female),
];

const LAST_NAMES: [&str; 24] = [
    "Abernoth",
    "Brackwell",
    "Castellow",
    "Dunmarrow",
    "Eschweiler",
    "Fennimore",
    "Garrowby",
    "Hollenbeck",
    "Ingersund",
    "Jessop-Vale",
    "Kettleworth",
    "Lindqvarn",
    "Marchbank",
    "Nethercott",
    "Ostrander",
    "Penhallow",
    "Quennell",
    "Rookwood",
    "Silverthorn",
    "Thistlewick",
    "Umberfield",
    "Vanterpool",
    "Wexcombe",
    "Yarrowdale",
];

const STREETS: [&str; 8] = [
    "Alder Lane",
    "Beacon Street",
    "Cinder Row",
    "Dovecote Way",
    "Elm Court",
    "Fallow Road",
    "Gannet Close",
    "Harbour Walk",
];

const CITIES: [(&str, &str, &str); 5] = [
    ("Fairwater", "WI", "53931"),
    ("Northmere", "WI", "53799"),
    ("Eastholm", "MN", "55199"),
    ("Willowbend", "IL", "60099"),
    ("Stonebridge", "IA", "52799"),
];

const REASONS: [(&str, u32); 12] = [
    ("Annual physical", 45),
    ("Blood pressure check", 15),
    ("Diabetes follow-up", 30),
    ("Flu vaccination", 15),
    ("Knee pain", 30),
    ("Medication review", 20),
    ("New patient visit", 60),
    ("Post-operative check", 30),
    ("Prenatal visit", 30),
    ("Rash", 20),
    ("Sleep consultation", 40),
    ("Wound check", 15),
];

const PROVIDERS: [(&str, &str, &str); 6] = [
    ("D101", "Ines", "Valkenburg"),
    ("D102", "Theo", "Marrowby"),
    ("D103", "Sunniva", "Okafield"),
    ("D104", "Rafael", "Quistgaard"),
    ("D105", "Mireille", "Ashgrove"),
    ("D106", "Anselm", "Portwine"),
];

const LOCATIONS: [&str; 6] = [
    "Fairwater Clinic, Room 1",
    "Fairwater Clinic, Room 2",
    "Fairwater Clinic, Room 3",
    "North Wing, Room 11",
    "North Wing, Room 12",
    "Lakeside Outpatient Centre",
];

const EARLIEST_BIRTH: Date = date(1935, 1, 1);
const BIRTH_DAYS: u64 = 80 * 365;

/// The item of `items` that chance takes. The lists above are never empty, so their first is a safe other choice.
fn one_of<'a, T, const N: usize>(random: &mut Random, items: &'a [T; N]) -> &'a T {
    random.pick(items).unwrap_or(&items[0])
}

/// The `number`-th patient.
pub(crate) fn patient(random: &mut Random, number: u64) -> Patient {
    let (first, sex) = *one_of(random, &FIRST_NAMES);
    let last = *one_of(random, &LAST_NAMES);
    let (city, state, zip) = *one_of(random, &CITIES);
    let age: Span = i64::try_from(random.below(BIRTH_DAYS)).unwrap_or(0).days();
    Patient {
        id: PatientId(format!("P{}", 1000 + number)),
        mrn: format!("MRN{:07}", 4_000_000 + number),
        name: PersonName {
            first: first.to_owned(),
            last: last.to_owned(),
        },
        dob: EARLIEST_BIRTH.saturating_add(age),
        sex,
        phone: phone(random),
        address: Address {
            street: format!("{} {}", 1 + random.below(199), one_of(random, &STREETS)),
            city: city.to_owned(),
            state: state.to_owned(),
            zip: zip.to_owned(),
        },
    }
}

/// A number out of those that the North American plan keeps for fiction (555-0100 to 555-0199).
pub(crate) fn phone(random: &mut Random) -> String {
    format!("+1-608-555-01{:02}", random.below(100))
}

/// Why a patient comes, and for how many minutes.
pub(crate) fn reason(random: &mut Random) -> (String, u32) {
    let (reason, minutes) = *one_of(random, &REASONS);
    (reason.to_owned(), minutes)
}

pub(crate) fn provider(random: &mut Random) -> Provider {
    let (id, first, last) = *one_of(random, &PROVIDERS);
    Provider {
        id: id.to_owned(),
        name: PersonName {
            first: first.to_owned(),
            last: last.to_owned(),
        },
    }
}

pub(crate) fn location(random: &mut Random) -> String {
    (*one_of(random, &LOCATIONS)).to_owned()
}
