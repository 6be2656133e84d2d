//! Whether the EHR heard the change filter.
//!
//! A server that does not know a search parameter mostly answers with status 200 and everything it has. Believed, that
//! would be told to the receiver as thousands of changes. It shows in three ways: the answer's self link lacks the parameter,
//! an `OperationOutcome` complains of it, or records come that changed before what was asked for.

use super::ask::Asked;
use super::bundle::Bundle;
use super::cursor::Position;
use super::failure::{self, failure};
use super::read::ReadRecord;
use crate::moment::earlier;
use crate::request;
use rounds_domain::RoundFailure;
use rounds_domain::plan::{CursorRule, Feed};

/// The failure of a round whose answer says itself that a filter was not used.
pub(super) fn ignored_by_its_word(feed: &Feed, bundle: Option<&Bundle>) -> Option<RoundFailure> {
    if matches!(feed.cursor, CursorRule::Sweep(_)) {
        // A sweep that is given more than it asked for has seen it all the same.
        return None;
    }
    let bundle = bundle?;
    request::parameters_with_placeholders(&feed.request)
        .find_map(|parameter| {
            let how = bundle.ignores(parameter, feed.request.path.text())?;
            Some((parameter, how))
        })
        .map(|(parameter, how)| {
            failure(
                failure::FILTER_IGNORED,
                format!("the EHR did not use the parameter `{parameter}`: {how}"),
                "ask the server's CapabilityStatement for the search parameters of this resource, or poll it with another filter; nothing of this answer was told",
            )
        })
}

/// The failure of a round whose page has records from before what was asked for.
pub(super) fn ignored_by_its_records(
    feed: &Feed,
    asked: &Asked,
    records: &[ReadRecord],
) -> Option<RoundFailure> {
    let CursorRule::Time(rule) = &feed.cursor else {
        return None;
    };
    let lower = earlier(asked.lower?, rule.granularity);
    let early = records
        .iter()
        .filter(|record| matches!(record.position, Position::At(at) if at < lower))
        .count();
    (early > 0).then(|| {
        failure(
            failure::FILTER_IGNORED,
            format!(
                "the EHR seems to ignore the change filter: {early} of {} records of a page changed before {lower}, which is earlier than was asked for",
                records.len(),
            ),
            "check the name of the filter in `changes.query`, and that `cursor.field` is the field that the filter goes by; nothing of this page was told",
        )
    })
}
