//! What a FHIR Bundle says of the search that it answers.
//!
//! A server must repeat in the `self` link the parameters that it used, may put an `OperationOutcome` about the search
//! among the entries (FHIR R4, search, 3.1.1.4.12 and 3.1.1.4.18). That is how a server tells that it did not understand a change filter: most of them go on and answer with
//! everything.

use crate::exchange::document::items;
use rounds_map::Json;
use std::collections::BTreeSet;
use url::Url;

/// What a FHIR Bundle says of the search that it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bundle {
    /// The last segment of the self link, and the names of the parameters that were used; None where it does not say.
    used: Option<(String, BTreeSet<String>)>,
    /// What is complained about, lower case.
    complaints: Vec<String>,
    /// How many matches it has.
    pub(crate) matches: u64,
}

impl Bundle {
    /// Reads a page's body; None where it is no Bundle.
    pub(crate) fn of(body: &Json) -> Option<Self> {
        if body.get("resourceType")?.as_str()? != "Bundle" {
            return None;
        }
        let resources = items(body, "entry").filter_map(|entry| entry.get("resource"));
        let complaints = resources
            .filter(is_outcome)
            .flat_map(|outcome| {
                items(&outcome, "issue")
                    .filter_map(|issue| complaint(&issue))
                    .collect::<Vec<_>>()
            })
            .collect();
        let is_search = body
            .get("type")
            .is_some_and(|kind| matches!(kind.as_str(), Some("searchset" | "history")));
        let own_link = items(body, "link")
            .find(|link| link.get("relation").as_ref().and_then(Json::as_str) == Some("self"))
            .and_then(|link| link.get("url")?.as_str().map(str::to_owned));
        Some(Self {
            used: own_link
                .filter(|_| is_search)
                .and_then(|link| parameters_of(&link)),
            complaints,
            matches: items(body, "entry").filter(is_match).map(|_| 1).sum(),
        })
    }

    /// How the server shows that it did not use a parameter of a search at this path, if it does. A self link that leads elsewhere, to a
    /// stored search under a name of its own (`_snapshot?id=7`), says nothing of the parameters that it was made with.
    pub(crate) fn ignores(&self, parameter: &str, path: &str) -> Option<&'static str> {
        let name = bare(parameter);
        let path = path.split('?').next().unwrap_or_default();
        let path = path.trim_matches('/').trim_end_matches("/_search");
        let asked = path.rsplit('/').next().unwrap_or_default();
        let is_unused = |(segment, used): &(String, BTreeSet<String>)| {
            segment == asked && !used.contains(&name)
        };
        if self.used.as_ref().is_some_and(is_unused) {
            return Some("the answer's self link, which names what was used, does not have it");
        }
        self.complaints
            .iter()
            .any(|complaint| mentions(complaint, &name))
            .then_some("an OperationOutcome in the answer complains of it")
    }
}

/// Whether an entry is what was searched for, and not what was included or said beside it.
fn is_match(entry: &Json) -> bool {
    let mode = entry.get("search").and_then(|search| search.get("mode"));
    let is_outcome = entry.get("resource").as_ref().is_some_and(is_outcome);
    !is_outcome
        && mode
            .as_ref()
            .and_then(Json::as_str)
            .is_none_or(|mode| mode == "match")
}

fn is_outcome(resource: &Json) -> bool {
    let kind = resource.get("resourceType");
    kind.as_ref().and_then(Json::as_str) == Some("OperationOutcome")
}

/// All words of an issue that is more than a piece of information.
fn complaint(issue: &Json) -> Option<String> {
    let severity = issue.get("severity")?;
    if !matches!(severity.as_str(), Some("warning" | "error" | "fatal")) {
        return None;
    }
    let mut words = Vec::new();
    words.extend(issue.get("diagnostics"));
    words.extend(issue.get("details").and_then(|details| details.get("text")));
    words.extend(items(issue, "expression"));
    words.extend(items(issue, "location"));
    let words: Vec<String> = words
        .iter()
        .filter_map(|word| word.as_str().map(str::to_lowercase))
        .collect();
    Some(words.join(" "))
}

/// The names in a self link's query; None where it has no query at all, as that of a kept search (`Bundle/17`) has none.
fn parameters_of(link: &str) -> Option<(String, BTreeSet<String>)> {
    let base = Url::parse("https://self.invalid/").ok()?;
    let url = base.join(link).ok()?;
    url.query()?;
    let names: BTreeSet<String> = url.query_pairs().map(|(name, _)| bare(&name)).collect();
    // A link to a page of a kept search says nothing of the parameters that it was made with.
    let path = url
        .path()
        .trim_end_matches('/')
        .trim_end_matches("/_search");
    let segment = path.rsplit('/').next().unwrap_or_default().to_owned();
    (!names.contains("_getpages")).then_some((segment, names))
}

/// A parameter's name without its modifier, lower case.
fn bare(parameter: &str) -> String {
    parameter
        .split(':')
        .next()
        .unwrap_or(parameter)
        .to_lowercase()
}

/// Whether a text has the name as a word of its own.
fn mentions(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, found)| {
        let is_part =
            |character: char| character.is_alphanumeric() || character == '_' || character == '-';
        let before = text[..at].chars().next_back();
        let after = text[at + found.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(text: &str) -> Bundle {
        Bundle::of(&Json::parse(text.as_bytes()).expect("JSON")).expect("a Bundle")
    }

    fn with_self_link(link: &str) -> Bundle {
        bundle(&format!(
            r#"{{"resourceType":"Bundle","type":"searchset","link":[{{"relation":"self","url":"{link}"}}]}}"#
        ))
    }

    fn with_issue(severity: &str, diagnostics: &str) -> Bundle {
        bundle(&format!(
            r#"{{"resourceType":"Bundle","type":"searchset","entry":[{{"search":{{"mode":"outcome"}},
               "resource":{{"resourceType":"OperationOutcome","issue":[{{"severity":"{severity}","diagnostics":"{diagnostics}"}}]}}}}]}}"#
        ))
    }

    #[test]
    fn a_self_link_without_the_parameter_shows_that_it_was_not_used() {
        let parameter = "_lastUpdated";
        for link in [
            "https://ehr/r4/Appointment?_count=50",
            "Appointment?status=booked",
            "Appointment?",
        ] {
            assert!(
                with_self_link(link)
                    .ignores(parameter, "/Appointment")
                    .is_some(),
                "{link}"
            );
        }
        for link in [
            "https://ehr/r4/Appointment?_lastUpdated=ge2026-01-01&_count=50",
            "/Appointment?_LASTUPDATED=ge2026",
            "https://ehr/r4?_getpages=0815&_getpagesoffset=50",
            "https://ehr/r4/Bundle/17",
            // A stored search under a name of its own.
            "https://ehr/r4/_snapshot?id=8f1c",
            "https://ehr/r4/Bundle?search=17",
        ] {
            assert_eq!(
                with_self_link(link).ignores(parameter, "/Appointment"),
                None,
                "{link}"
            );
        }
    }

    #[test]
    fn an_outcome_that_names_the_parameter_shows_it_too() {
        let unknown = "Unknown search parameter '_lastUpdated' was ignored";
        assert!(
            with_issue("warning", unknown)
                .ignores("_lastUpdated", "/Appointment")
                .is_some()
        );
        assert!(
            with_issue("error", unknown)
                .ignores("_lastUpdated", "/Appointment")
                .is_some()
        );
        assert_eq!(
            with_issue("information", unknown).ignores("_lastUpdated", "/Appointment"),
            None
        );
        assert_eq!(
            with_issue("warning", unknown).ignores("date", "/Appointment"),
            None
        );
        assert_eq!(
            with_issue("warning", "update-date is unknown").ignores("date", "/Appointment"),
            None
        );
        assert!(
            with_issue("warning", "`date` is unknown")
                .ignores("date:missing", "/Appointment")
                .is_some()
        );
    }

    #[test]
    fn only_a_bundle_is_one() {
        assert_eq!(Bundle::of(&Json::parse(b"[]").expect("JSON")), None);
        assert_eq!(
            Bundle::of(&Json::parse(br#"{"resourceType":"Patient"}"#).expect("JSON")),
            None
        );
    }
}
