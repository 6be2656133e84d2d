//! Who is told, of what, and in which words.

use crate::kinds::{Condition, LiteralText, OneOrMany, Pairs, Reference, Text};
use crate::reading::keys;
use rounds_domain::plan::Untranslated;

keys! {
    /// A destination of an action, and what it wants to be told of. All of its rules must hold.
    struct SubscriptionKeys = "Subscription" {
        /// Which destination.
        required destination: Reference = "my-app",
        /// jq over record, previous, change, body, event and the lookups: what gives false or nothing is not told; what gives neither true nor false lets the change wait.
        optional when: Condition = ".event == \"Scheduling.New\"",
        /// By the paths of the body, the values one of which it must have.
        optional allow: Pairs<OneOrMany<LiteralText>> = "{\"Visit.Location.Department\": [\"3N\", \"4S\"]}",
        /// By the paths of the body, the values that it must not have.
        optional deny: Pairs<OneOrMany<LiteralText>> = "{\"Visit.PatientClass\": \"Test\"}",
    }

    /// A set of values and what they are called elsewhere.
    struct TranslationKeys = "Translation" {
        /// From each value to the other's.
        optional values: Pairs<LiteralText> = "{\"3N\": \"North 3\"}",
        /// A CSV file beside this one: a line of headings, then lines of a value and the other's. Both may be given.
        optional file: Text = "departments.csv",
        /// What becomes of a value that is not in the set: `keep`, `null`, or `park`, which lets the change wait. Default keep.
        optional otherwise: Untranslated = "park",
    }
}
