//! Whether a good answer is the document that was asked for, and the whole of it.
//!
//! A status of 200 says that a server answered, not what. A gateway's apology, a FHIR `OperationOutcome`, a GraphQL error and an empty object
//! all give no records; taken for "nothing changed" they move a cursor past changes, taken for "nothing is there" they tell
//! living records as deleted. So an answer has to be what the configuration's own words show that it should be
//! ([`Within`]), and must not say of itself that it failed or that a part is missing.
//!
//! What to mind: this is about evidence. An answer of which nobody can say what it should look like is taken as it comes, and a rule in
//! `answers` that calls an answer good comes before anything here.

use super::issue;
use crate::round::failure::{self, failure};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use rounds_domain::plan::{AnswerFormat, BundleKind, Records, Within};
use rounds_domain::ports::EhrResponse;
use rounds_domain::{Code, RoundFailure};
use rounds_map::{Json, JsonKind};

/// Why an answer is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doubt {
    code: Code,
    /// In words, without a value of it.
    words: String,
}

impl Doubt {
    fn wrong(words: impl Into<String>) -> Self {
        Self {
            code: failure::WRONG_DOCUMENT,
            words: words.into(),
        }
    }

    fn partial(words: impl Into<String>) -> Self {
        Self {
            code: failure::NOT_WHOLE,
            words: words.into(),
        }
    }

    /// In words.
    pub(crate) fn words(&self) -> &str {
        &self.words
    }

    /// As the failure of what was asked for.
    pub(crate) fn failure(&self, what: &str) -> RoundFailure {
        let hint = if self.code == failure::WRONG_DOCUMENT {
            "nothing of it was taken; if it means that there is nothing, say so with a rule in `answers`: `means: empty`"
        } else {
            "nothing of it was taken; if such an answer is whole after all, say so with a rule in `answers`: `means: ok`"
        };
        failure(self.code, format!("{what}: {}", self.words), hint)
    }
}

/// What is wrong with an answer that should hold records, of which `found` were found.
pub(crate) fn doubt_page(
    status: StatusCode,
    records: &Records,
    found: usize,
    body: &Json,
) -> Option<Doubt> {
    let is_record = records.filter().text().trim() == ".";
    doubt_fhir(status, body)
        .or_else(|| if is_record { None } else { in_envelope(body) })
        .or_else(|| unexpected(records.within(), found, body))
}

/// What is wrong with records of which none has an identity, and each is what an error is told with.
pub(crate) fn doubt_rows(rows: &[Json]) -> Option<Doubt> {
    (!rows.is_empty() && rows.iter().all(is_message)).then(|| {
        Doubt::wrong("the answer's records have no identity, and are messages of an error")
    })
}

/// What is wrong with records of a search by type, of which none is of that type (R4, http, 3.1.0.1.8).
pub(crate) fn doubt_types(kind: &str, rows: &[Json]) -> Option<Doubt> {
    let is_another = |row: &Json| {
        let own = text(row, "resourceType");
        own.is_some_and(|own| own != kind)
    };
    (!rows.is_empty() && rows.iter().all(is_another)).then(|| {
        Doubt::wrong(format!(
            "the answer holds resources, and none of them is of the type that was asked for, {kind}"
        ))
    })
}

/// Whether an object holds nothing but what an error is told with, as `{"status": "error", "message": "try later"}`.
fn is_message(value: &Json) -> bool {
    const MESSAGE: &[&str] = &[
        "message",
        "msg",
        "error",
        "errors",
        "errormessage",
        "errorcode",
        "exception",
        "fault",
        "detail",
    ];
    const BESIDE: &[&str] = &[
        "code",
        "status",
        "statuscode",
        "type",
        "title",
        "details",
        "description",
        "reason",
        "timestamp",
        "path",
        "instance",
        "success",
        "ok",
        "severity",
        "traceid",
        "requestid",
        "correlationid",
        "hint",
        "help",
    ];
    let mut says = false;
    value.kind() == JsonKind::Object
        && value.members().all(|(name, _)| {
            let plain = plain(name);
            let is_message = MESSAGE.contains(&plain.as_str());
            says |= is_message;
            is_message || BESIDE.contains(&plain.as_str())
        })
        && says
}

/// What is wrong with an answer that should be one record.
pub(crate) fn doubt_single(status: StatusCode, body: &Json) -> Option<Doubt> {
    doubt_record(status, body).or_else(|| {
        let holds_nothing = match body.kind() {
            JsonKind::Object => body.members().all(|(_, value)| value.is_null()),
            JsonKind::Null | JsonKind::Array => false,
            JsonKind::String | JsonKind::Number | JsonKind::Boolean => {
                return Some(Doubt::wrong(format!(
                    "the answer is {}, where a record is needed",
                    body.kind().with_article()
                )));
            }
        };
        if holds_nothing {
            return Some(Doubt::wrong("the answer is an object with nothing in it"));
        }
        is_message(body).then(|| Doubt::wrong("the answer is the message of an error"))
    })
}

/// What is wrong with an answer that should be a record, or hold some.
pub(crate) fn doubt_record(status: StatusCode, body: &Json) -> Option<Doubt> {
    // What has an identifier is a record, whatever its members are called.
    let is_record = body.get("id").is_some();
    doubt_fhir(status, body).or_else(|| if is_record { None } else { in_envelope(body) })
}

/// What is wrong with an answer that should be a Bundle.
pub(crate) fn doubt_bundle(status: StatusCode, kind: BundleKind, body: &Json) -> Option<Doubt> {
    doubt_fhir(status, body).or_else(|| unexpected_bundle(kind, body))
}

/// What is wrong with an answer of which only FHIR's own words for trouble are known.
pub(crate) fn doubt_fhir(status: StatusCode, body: &Json) -> Option<Doubt> {
    by_status(status).or_else(|| in_fhir(body))
}

/// What is wrong with an answer to a request that makes something. There may be none at all, or a few words; what speaks against it is
/// a page for people, and what says that it failed.
pub(crate) fn doubt_receipt(format: AnswerFormat, response: &EhrResponse) -> Option<Doubt> {
    let body = response.body.trim_ascii_start();
    if is_page_for_people(response, body) {
        return Some(Doubt::wrong(
            "the EHR answered with a page for people, as a login form or a proxy in between does",
        ));
    }
    let body = format.read(body).ok()?;
    // A server may say in an OperationOutcome what it made.
    let outcome = is_grave_outcome(&body).then(|| {
        let kinds = issues(&body);
        Doubt::wrong(format!(
            "the EHR answered with an OperationOutcome of an error{kinds}"
        ))
    });
    outcome.or_else(|| in_envelope(&body))
}

fn is_page_for_people(response: &EhrResponse, body: &[u8]) -> bool {
    let calls_itself_html = (response.headers.get(CONTENT_TYPE))
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let begins_so = ["<!doctype html", "<html"].iter().any(|beginning| {
        body.get(..beginning.len())
            .is_some_and(|begins| begins.eq_ignore_ascii_case(beginning.as_bytes()))
    });
    begins_so || (calls_itself_html && body.starts_with(b"<"))
}

fn by_status(status: StatusCode) -> Option<Doubt> {
    match status {
        StatusCode::PARTIAL_CONTENT => Some(Doubt::partial(
            "the EHR answered 206, which is a part of the answer",
        )),
        StatusCode::ACCEPTED => Some(Doubt::wrong(
            "the EHR answered 202, which says that there will be an answer, and is none",
        )),
        _ => None,
    }
}

/// What FHIR has for trouble: an `OperationOutcome` instead of the answer, or of a part of it.
fn in_fhir(body: &Json) -> Option<Doubt> {
    if body.kind() == JsonKind::Array {
        // Lines of an export, or entries without their Bundle.
        return body.items().find_map(|line| in_line(&line));
    }
    match text(body, "resourceType")?.as_str() {
        "OperationOutcome" => Some(Doubt::wrong(format!(
            "the EHR answered with an OperationOutcome{}",
            issues(body)
        ))),
        // Each entry of a batch has a status of its own.
        "Bundle" if text(body, "type").as_deref() == Some("batch-response") => None,
        "Bundle" => items(body, "entry").find_map(|entry| in_entry(body, &entry)),
        _ => None,
    }
}

fn in_line(line: &Json) -> Option<Doubt> {
    is_grave_outcome(line).then(|| {
        Doubt::partial(format!(
            "an OperationOutcome among the records says that they are not all{}",
            issues(line)
        ))
    })
}

fn in_entry(bundle: &Json, entry: &Json) -> Option<Doubt> {
    let resource = entry.get("resource").filter(|resource| !resource.is_null());
    if let Some(resource) = &resource
        && text(resource, "resourceType").as_deref() == Some("OperationOutcome")
    {
        let is_grave = items(resource, "issue").any(|issue| is_grave(&issue));
        return is_grave.then(|| {
            Doubt::partial(format!(
                "an OperationOutcome in the answer says that it is not whole{}",
                issues(resource)
            ))
        });
    }
    let is_search = text(bundle, "type").is_none_or(|kind| kind == "searchset");
    (is_search && resource.is_none() && entry.get("request").is_none())
        .then(|| Doubt::partial("an entry of the Bundle has no resource"))
}

/// Whether a resource is an outcome of which an issue says that something is missing.
fn is_grave_outcome(resource: &Json) -> bool {
    text(resource, "resourceType").as_deref() == Some("OperationOutcome")
        && items(resource, "issue").any(|issue| is_grave(&issue))
}

/// Whether an issue says that something is missing (R4, issue-severity and issue-type): trouble of the server, not a remark.
fn is_grave(issue: &Json) -> bool {
    let severity = text(issue, "severity");
    let kind = text(issue, "code");
    matches!(severity.as_deref(), Some("fatal" | "error"))
        || matches!(
            kind.as_deref(),
            Some(
                "incomplete"
                    | "exception"
                    | "timeout"
                    | "transient"
                    | "throttled"
                    | "too-costly"
                    | "no-store"
            )
        )
}

/// The kinds of an outcome's issues.
fn issues(outcome: &Json) -> String {
    let kinds: Vec<&str> = items(outcome, "issue")
        .filter_map(|issue| text(&issue, "code"))
        .map(|code| issue::word(&code))
        .take(3)
        .collect();
    if kinds.is_empty() {
        String::new()
    } else {
        format!(" ({})", kinds.join(", "))
    }
}

/// What JSON APIs say beside their records, or instead of them.
fn in_envelope(body: &Json) -> Option<Doubt> {
    if body.kind() != JsonKind::Object || body.get("resourceType").is_some() {
        return None;
    }
    for (name, value) in body.members() {
        let plain = plain(name);
        match plain.as_str() {
            "error" | "errors" | "exception" | "fault" if says_something(&value) => {
                return Some(Doubt::wrong(format!("the answer has `{plain}` in it")));
            }
            "success" | "succeeded" | "ok" | "issuccess" if is_said(&value, &["false"]) => {
                return Some(Doubt::wrong(format!("the answer says `{plain}: false`")));
            }
            "status" | "result" | "outcome" if is_said(&value, FAILED) => {
                return Some(Doubt::wrong(format!(
                    "the answer says by `{plain}` that it failed"
                )));
            }
            "partial" | "ispartial" | "incomplete" | "incompleteresults" | "partialresults"
            | "timedout"
                if value.as_bool() == Some(true) =>
            {
                return Some(Doubt::partial(format!("the answer says `{plain}: true`")));
            }
            _ => {}
        }
    }
    None
}

/// How an answer says of itself that it failed.
const FAILED: &[&str] = &["error", "failed", "failure", "fail"];

/// Whether a member is one of these words; in XML all values are texts.
fn is_said(value: &Json, words: &[&str]) -> bool {
    let text = match value.kind() {
        JsonKind::Boolean | JsonKind::String => value.scalar_text(),
        _ => None,
    };
    text.is_some_and(|text| {
        words
            .iter()
            .any(|word| text.trim().eq_ignore_ascii_case(word))
    })
}

/// Whether a member that tells of errors tells of any.
fn says_something(value: &Json) -> bool {
    match value.kind() {
        JsonKind::Null => false,
        JsonKind::Boolean => value.as_bool() == Some(true),
        JsonKind::Number => value.scalar_text().is_some_and(|text| text != "0"),
        JsonKind::String => value.as_str().is_some_and(|text| !text.trim().is_empty()),
        JsonKind::Array => value.items().next().is_some(),
        JsonKind::Object => value.members().next().is_some(),
    }
}

/// Whether the answer has what the records should stand in.
fn unexpected(within: &Within, found: usize, body: &Json) -> Option<Doubt> {
    match within {
        Within::Bundle(kind) => unexpected_bundle(*kind, body),
        Within::List { path, .. } => {
            let at_path = path.optional(body).ok().flatten();
            let kind = at_path.as_ref().map_or(JsonKind::Null, Json::kind);
            let shown = path.text();
            // The members of an object may be records as well; whoever has such an EHR says so in other words.
            let otherwise = match kind {
                JsonKind::Object if found > 0 => {
                    format!(
                        " (if it holds records by their ids, write `{shown} | to_entries[].value`)"
                    )
                }
                _ => String::new(),
            };
            (kind != JsonKind::Array).then(|| {
                Doubt::wrong(format!(
                    "the answer has {} at `{shown}`, where `records` takes them from a list{otherwise}",
                    kind.with_article()
                ))
            })
        }
        Within::Unknown => None,
    }
}

fn unexpected_bundle(wanted: BundleKind, body: &Json) -> Option<Doubt> {
    if text(body, "resourceType").as_deref() != Some("Bundle") {
        return Some(Doubt::wrong(
            "the answer is no FHIR Bundle, which a search is answered with",
        ));
    }
    // A server may leave it out; what it says must be right.
    let kind = text(body, "type")?;
    let is_right = match wanted {
        BundleKind::Search => kind == "searchset",
        BundleKind::History => kind == "history",
        BundleKind::Either => matches!(kind.as_str(), "searchset" | "history"),
    };
    (!is_right).then(|| Doubt::wrong("the answer is a Bundle of another kind than was asked for"))
}

fn text(of: &Json, name: &str) -> Option<String> {
    of.get(name)?.as_str().map(str::to_owned)
}

/// The items of a member that is a list; none where it is not.
pub(crate) fn items(of: &Json, name: &str) -> impl Iterator<Item = Json> {
    let list = of.get(name).filter(|list| list.kind() == JsonKind::Array);
    let items: Vec<Json> = list.iter().flat_map(Json::items).collect();
    items.into_iter()
}

/// A name without what spellings differ in.
pub(crate) fn plain(name: &str) -> String {
    (name.chars())
        .filter(|character| character.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rounds_map::Filter;

    fn doubted(records: &str, answer: &str) -> Option<&'static str> {
        let records = Records::of(Filter::compile(records).expect("compiles"));
        let answer = Json::parse(answer.as_bytes()).expect("is JSON");
        let found = records.all(&answer).map_or(0, |found| found.len());
        let doubt = doubt_page(StatusCode::OK, &records, found, &answer)?;
        Some(if doubt.code == failure::WRONG_DOCUMENT {
            "wrong"
        } else {
            "partial"
        })
    }

    #[test]
    fn what_is_no_searchset_is_no_answer_to_a_search() {
        let outcome = |severity: &str, code: &str| {
            format!(
                r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"{severity}","code":"{code}"}}]}}"#
            )
        };
        let with = |entries: &str| {
            format!(r#"{{"resourceType":"Bundle","type":"searchset","entry":[{entries}]}}"#)
        };
        let within = |outcome: &str| {
            with(&format!(
                r#"{{"resource":{outcome},"search":{{"mode":"outcome"}}}}"#
            ))
        };
        let wrong = [
            r#"{"message":"Service Unavailable"}"#.to_owned(),
            "{}".to_owned(),
            "[]".to_owned(),
            "null".to_owned(),
            r#""maintenance""#.to_owned(),
            outcome("error", "exception"),
            outcome("information", "informational"),
            r#"{"resourceType":"Patient","id":"1"}"#.to_owned(),
            r#"{"resourceType":"Bundle","type":"message"}"#.to_owned(),
        ];
        for answer in wrong {
            for records in ["fhir_matches", ".entry[]?.resource"] {
                assert_eq!(
                    doubted(records, &answer),
                    Some("wrong"),
                    "{records} {answer}"
                );
            }
        }
        let partial = [
            within(&outcome("fatal", "exception")),
            within(&outcome("error", "processing")),
            within(&outcome("warning", "incomplete")),
            with(r#"{"fullUrl":"https://ehr/Appointment/1"}"#),
        ];
        for answer in partial {
            assert_eq!(
                doubted("fhir_matches", &answer),
                Some("partial"),
                "{answer}"
            );
        }
        let fine = [
            with(""),
            with(r#"{"resource":{"resourceType":"Appointment","id":"1"}}"#),
            within(&outcome("warning", "processing")),
            within(&outcome("information", "informational")),
            r#"{"resourceType":"Bundle","total":0}"#.to_owned(),
        ];
        for answer in fine {
            assert_eq!(doubted("fhir_matches", &answer), None, "{answer}");
        }
    }

    #[test]
    fn a_list_that_is_not_there_is_not_an_empty_one() {
        for answer in [
            r#"{"message":"try later"}"#,
            "{}",
            r#"{"data":null}"#,
            r#"{"data":{}}"#,
            r#"{"data":"x"}"#,
        ] {
            assert_eq!(doubted(".data[]?", answer), Some("wrong"), "{answer}");
        }
        assert_eq!(doubted(".data[]?", r#"{"data":[]}"#), None);
        assert_eq!(doubted(".[]?", "{}"), Some("wrong"));
        assert_eq!(doubted(".[]?", "[]"), None);
        // Whoever says that it may be missing is believed.
        assert_eq!(doubted("(.data // [])[]", "{}"), None);
        assert_eq!(doubted(".data | many | .[]", "{}"), None);
    }

    #[test]
    fn what_an_answer_says_against_itself_counts() {
        for answer in [
            r#"{"data":[],"errors":[{"message":"x"}]}"#,
            r#"{"data":[{"id":1}],"error":"x"}"#,
            r#"{"success":false,"data":[]}"#,
            r#"{"success":"false","data":[]}"#,
            r#"{"status":"error","data":[]}"#,
            r#"{"Result":"Failed","data":[]}"#,
        ] {
            assert_eq!(doubted(".data[]", answer), Some("wrong"), "{answer}");
        }
        assert_eq!(
            doubted(
                ".data[]",
                r#"{"data":[{"id":1}],"incomplete_results":true}"#
            ),
            Some("partial")
        );
        for answer in [
            r#"{"data":[],"errors":[]}"#,
            r#"{"data":[],"error":null}"#,
            r#"{"data":[],"success":true,"error":""}"#,
            r#"{"data":[],"error":0}"#,
            r#"{"data":[],"status":"ok","success":"true"}"#,
            r#"{"data":[],"status":200}"#,
        ] {
            assert_eq!(doubted(".data[]", answer), None, "{answer}");
        }
    }
}
