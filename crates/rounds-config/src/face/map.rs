//! A map: how the records of one kind become messages of a data model.

use crate::kinds::{BodyTree, LiteralText, Many, Pairs, Text};
use crate::reading::keys;

keys! {
    /// How the records of one kind become messages of a data model.
    struct MapKeys = "Map" {
        /// Its name, as `notify.map` says it.
        required map: Text = "fhir-r4/scheduling",
        /// What it is, in a sentence or two. One of the user's own may go by its name alone.
        optional about: Text = "FHIR R4 Appointment as Scheduling.",
        /// Where this comes from.
        optional sources: Many<Text> = "[\"hl7.org/fhir/R4/appointment.html\"]",
        /// Maps that it begins with, by their names, each with the values of its `{{ placeholders }}`.
        optional over: Pairs<Pairs<LiteralText>> = "{\"fhir-r4/demographics\": {\"patient\": \".patient\"}}",
        /// The lookups that the action gets.
        optional lookups: BodyTree = "{\"patient\": {\"get\": \"/Patient/{{ record.patientID }}\"}}",
        /// What is told.
        required notify: BodyTree = "{\"model\": \"Scheduling\", \"body\": {\"Visit\": {\"VisitNumber\": \"= .record.id\"}}}",
    }
}
