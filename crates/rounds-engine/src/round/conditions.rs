//! Conditions over what the EHR sent: true, false, or a mistake.
//!
//! A condition that gives a text is one that somebody meant otherwise: in XML every value is a text, `"false"` included, and `.deletedAt` is
//! there or not. Read as true it would tell everything as gone, read as false nothing ever; so the round fails and says what to write.
//! `null` is what a member gives that is not there, and counts as false. An expression that fails on one record says nothing of it: then the
//! record is taken as there, and it is counted.

use super::failure::{self, failure};
use rounds_domain::RoundFailure;
use rounds_map::{EvaluateError, Filter, Json};

/// What a condition says of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    Holds,
    HoldsNot,
    /// It failed on this record.
    Undecided,
}

/// What `condition`, which stands under `key`, says of `value`.
pub(super) fn decide(
    condition: &Filter,
    key: &str,
    value: &Json,
) -> Result<Decision, RoundFailure> {
    match condition.holds(value) {
        Ok(true) => Ok(Decision::Holds),
        Ok(false) => Ok(Decision::HoldsNot),
        Err(error @ EvaluateError::NoCondition { .. }) => {
            Err(no_condition(&format!("`{key}`"), &error))
        }
        Err(_) => Ok(Decision::Undecided),
    }
}

/// A condition that is none. `what` says which.
pub(crate) fn no_condition(what: &str, error: &EvaluateError) -> RoundFailure {
    failure(
        failure::NO_CONDITION,
        format!("{what}: {error}"),
        "a condition says true or false: compare, such as `.deleted == \"true\"` or `.deletedAt != null`",
    )
}
