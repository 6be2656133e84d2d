//! What a finished job says of its parts, and what an unfinished one says of itself.

use super::super::failure::failure;
use super::super::read;
use super::{ASKING, EXPORT_FAILED, MANIFEST};
use crate::Ports;
use crate::exchange::{Basis, document, issue};
use jiff::Timestamp;
use rounds_domain::plan::Feed;
use rounds_domain::ports::{Access, EhrResponse};
use rounds_domain::{RoundFailure, retry_after};
use rounds_map::Json;
use std::sync::Arc;
use std::time::Duration;

/// What a manifest says.
pub(super) struct Manifest {
    /// Up to when the export goes, by the EHR's clock.
    pub(super) up_to: Timestamp,
    /// Whether the parts are read as the connection's user.
    pub(super) parts_need: Access,
    /// Links to records.
    pub(super) parts: Vec<String>,
    /// Links to deletions.
    pub(super) deleted: Vec<String>,
    /// Links to what the EHR says of the export itself.
    pub(super) said: Vec<String>,
}

/// Reads it, where expressions are evaluated.
pub(super) async fn read(
    ports: &Ports,
    feed: &Arc<Feed>,
    response: EhrResponse,
    basis: Basis,
) -> Result<Manifest, RoundFailure> {
    let feed = Arc::clone(feed);
    let read = (ports.evaluator)
        .run(move || of(&feed, &response, basis))
        .await;
    read.map_err(|error| unusable(&error.to_string()))?
}

fn of(feed: &Feed, response: &EhrResponse, basis: Basis) -> Result<Manifest, RoundFailure> {
    let manifest = Json::parse(&response.body).map_err(|error| unusable(&error.to_string()))?;
    // Of its own `error` a manifest speaks as of a list of links, so only what FHIR has for trouble counts.
    let doubt = basis.doubt(|| document::doubt_fhir(response.status, &manifest));
    if let Some(doubt) = doubt {
        return Err(doubt.failure(ASKING));
    }
    let links = |key: &str| -> Vec<String> {
        let list = manifest.get(key);
        let items: Vec<Json> = list.iter().flat_map(Json::items).collect();
        (items.iter())
            .filter_map(|item| item.get("url")?.as_str().map(str::to_owned))
            .collect()
    };
    if manifest.get("output").is_none() {
        return Err(unusable("it has no `output`"));
    }
    let up_to = read::clock_of(feed, &manifest)?;
    Ok(Manifest {
        up_to: up_to.ok_or_else(|| unusable("`cursor.answer` gives nothing from it"))?,
        parts_need: match manifest
            .get("requiresAccessToken")
            .and_then(|needs| needs.as_bool())
        {
            Some(false) => Access::Bare,
            _ => Access::AsUser,
        },
        parts: links("output"),
        deleted: links("deleted"),
        said: links("error"),
    })
}

pub(super) fn unusable(words: &str) -> RoundFailure {
    failure(
        MANIFEST,
        format!("{ASKING}: what the EHR says of its parts cannot be used: {words}"),
        "the export is asked for again at the next round",
    )
}

/// Whether the EHR says that the export failed, and not only the question after it.
pub(super) fn failed_for_good(response: &EhrResponse) -> Option<RoundFailure> {
    if !response.status.is_client_error() && !response.status.is_server_error() {
        return None;
    }
    let outcome = Json::parse(&response.body).ok()?;
    let codes = of_outcome(&outcome, |_| true)?;
    let may_pass = |code: &String| issue::is_transient(code) || code == "login";
    (!codes.iter().any(may_pass)).then(|| failed(&codes))
}

/// Whether what the EHR says of an export has errors in it: then something is missing from it.
pub(super) fn errors_in(part: &[u8]) -> Result<(), RoundFailure> {
    let lines = Json::parse_lines(part).map_err(|error| unusable(&error.to_string()))?;
    let is_error = |severity: &str| matches!(severity, "error" | "fatal");
    for outcome in lines.items() {
        let codes = of_outcome(&outcome, is_error).unwrap_or_default();
        if !codes.is_empty() {
            return Err(failed(&codes));
        }
    }
    Ok(())
}

/// The codes of an `OperationOutcome`'s issues of such a severity. Its texts may hold anything, so they stay where they are.
fn of_outcome(outcome: &Json, counts: impl Fn(&str) -> bool) -> Option<Vec<String>> {
    if outcome.get("resourceType")?.as_str() != Some("OperationOutcome") {
        return None;
    }
    let text = |issue: &Json, key: &str| issue.get(key).and_then(|said| said.scalar_text());
    let issues: Vec<Json> = outcome.get("issue")?.items().collect();
    let issues = issues
        .iter()
        .filter(|issue| counts(&text(issue, "severity").unwrap_or_default()));
    Some(
        issues
            .filter_map(|issue| text(issue, "code"))
            .map(|code| issue::word(&code).to_owned())
            .collect(),
    )
}

fn failed(codes: &[String]) -> RoundFailure {
    failure(
        EXPORT_FAILED,
        format!(
            "{ASKING}: the EHR says that it failed, wholly or in part ({})",
            codes.join(", ")
        ),
        "the cursor stays, and the export is asked for again at the next round; the EHR's log says more",
    )
}

/// A day is longer than any EHR means, and keeps a slip from stopping the feed for good.
pub(super) const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// When the EHR wants to be asked again.
pub(super) fn after(response: &EhrResponse, now: Timestamp) -> Timestamp {
    let wait = retry_after(&response.headers, now).unwrap_or_default();
    let wait = wait.min(LONGEST_WAIT);
    now.checked_add(wait).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::{errors_in, failed_for_good};
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};
    use rounds_domain::ports::EhrResponse;

    fn answer(status: u16, code: &str) -> EhrResponse {
        let body = format!(
            r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"error","code":"{code}"}}]}}"#
        );
        EhrResponse {
            status: StatusCode::from_u16(status).expect("a status"),
            headers: HeaderMap::new(),
            body: Bytes::from(body),
        }
    }

    #[test]
    fn a_failed_export_is_told_from_a_failed_question() {
        assert!(failed_for_good(&answer(500, "processing")).is_some());
        assert!(failed_for_good(&answer(500, "transient")).is_none());
        assert!(failed_for_good(&answer(429, "throttled")).is_none());
        assert!(failed_for_good(&answer(401, "login")).is_none());
        assert!(failed_for_good(&answer(200, "processing")).is_none());
        let page = EhrResponse {
            body: Bytes::from_static(b"<html>Bad gateway</html>"),
            ..answer(502, "")
        };
        assert!(failed_for_good(&page).is_none());
    }

    #[test]
    fn only_errors_among_what_is_said_make_an_export_fail() {
        let line = |severity: &str| {
            format!(
                r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"{severity}","code":"exception","diagnostics":"Jane Doe"}}]}}"#
            )
        };
        let harmless = format!("{}\n{}\n", line("information"), line("warning"));
        assert!(errors_in(harmless.as_bytes()).is_ok());
        let said = errors_in(format!("{harmless}{}", line("error")).as_bytes());
        let message = said.expect_err("it failed").message;
        assert!(message.contains("exception"), "{message}");
        assert!(!message.contains("Jane"), "{message}");
    }
}
