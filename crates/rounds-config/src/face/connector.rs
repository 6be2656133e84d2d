//! A connector file: what is known of one EHR's API, and the configuration that follows from it.

use crate::kinds::{BodyTree, Certainty, LiteralText, Many, Names, Strategy, Text};
use crate::reading::keys;

keys! {
    /// What is known of one EHR's API.
    struct ConnectorKeys = "Connector" {
        /// Its name, as connections say it.
        required connector: Text = "fhir-r4",
        /// What it is, in a sentence or two.
        required about: Text = "Any FHIR R4 server.",
        /// How sure this is: `documented`, or `verified` on a live server.
        required certainty: Certainty = "documented",
        /// On which server, and when.
        optional verified_with: Text = "Orthanc 1.10.1, November 2026",
        /// Where this comes from.
        required sources: Many<Text> = "[\"hl7.org/fhir/R4/search.html\"]",
        /// What only the user knows, by name. Everything below may say `{{ settings.NAME }}`.
        optional settings: Names<SettingKeys>,
        /// What a connection gets.
        required connection: BodyTree = "{\"headers\": {\"accept\": \"application/fhir+json\"}}",
        /// The API actions, by name.
        required actions: Names<ConnectorActionKeys>,
        /// What has to be known besides.
        optional quirks: Many<Text> = "[\"Links carry an inner host.\"]",
        /// A user's whole configuration over it.
        required example: Text = "connections: ...",
    }

    /// What only the user knows.
    struct SettingKeys = "Setting" {
        /// What it is.
        required about: Text = "The number of the practice.",
        /// How it looks.
        optional example: LiteralText = "195900",
        /// What it is if nothing is said. Left out, it must be said.
        optional default: LiteralText = "America/New_York",
    }

    /// One API action.
    struct ConnectorActionKeys = "ConnectorAction" {
        /// What it tells of.
        optional about: Text = "Booked, moved and cancelled appointments.",
        /// One action for each of these, by its name; what stands below may say `{{ each }}`.
        optional each: Many<LiteralText> = "[\"Patient\", \"Encounter\"]",
        /// What stands before each of these names.
        optional prefix: Text = "history_",
        /// How it is polled, or `none` if it cannot be.
        required strategy: Strategy = "changes",
        /// How sure this is. Default: as the connector.
        optional certainty: Certainty = "verified",
        /// On which server, and when.
        optional verified_with: Text = "Orthanc 1.10.1, November 2026",
        /// Where this comes from. Default: as the connector.
        optional sources: Many<Text> = "[\"hl7.org/fhir/R4/search.html\"]",
        /// Why it cannot be polled.
        optional because: Text = "The API has no filter by change.",
        /// What can be done instead.
        optional instead: Text = "Poll appointments, and look the patient up.",
        /// What an action gets.
        optional action: BodyTree = "{\"changes\": {\"get\": \"/Patient\"}}",
    }
}
