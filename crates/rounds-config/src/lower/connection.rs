//! One EHR instance.

use super::request::{self, Around, Written};
use super::{answers, authentication, inbound};
use crate::codes;
use crate::diagnostic::Findings;
use crate::face::ConnectionKeys;
use crate::kinds::{OneOrMany, RateRule, WindowText, is_public};
use crate::reading::{At, Given};
use jiff::tz::TimeZone;
use rounds_domain::ConnectionName;
use rounds_domain::plan::{
    AnswerFormat, Connection, ConnectionTest, Holds, Limits, Rate, SecretReference, Spans,
    WeekTimes,
};
use url::Url;

pub(super) fn lower(
    name: &str,
    keys: &ConnectionKeys,
    findings: &mut Findings<'_>,
) -> Option<Connection> {
    if let (Some(settings), Given::Absent) = (keys.settings.here(), &keys.connector) {
        findings
            .error(
                codes::BAD_SETTINGS,
                settings.key,
                "settings without a connector",
            )
            .help("name it: `connector: fhir-r4`");
    }
    let base_url = base_url(keys, findings);
    let authentication = authentication::lower(&keys.auth, base_url.as_ref(), findings);
    let headers = authentication::headers(&keys.headers, findings);
    let answers = answers::lower(&keys.answers, findings);
    let mut connection = Connection {
        name: ConnectionName::new(name),
        base_url: base_url?,
        authentication: authentication?,
        headers,
        secrets: secrets(keys, findings),
        format: keys.format.or(AnswerFormat::Json),
        answers: answers?,
        receive: match &keys.receive {
            Given::Absent => None,
            given => Some(inbound::connection(given, findings)?),
        },
        limits: limits(keys, findings),
        connect_timeout: keys
            .connect_timeout
            .value()
            .map_or(Connection::DEFAULT_CONNECT_TIMEOUT, |given| given.0),
        request_timeout: keys
            .timeout
            .value()
            .map_or(Connection::DEFAULT_REQUEST_TIMEOUT, |given| given.0),
        body_limit_bytes: keys
            .body_limit
            .value()
            .map_or(Connection::DEFAULT_BODY_LIMIT_BYTES, |given| given.0),
        tests: Vec::new(),
    };
    connection.tests = tests(keys, &connection, findings);
    Some(connection)
}

/// What a probe asks. Its bodies may hold secrets of the connection.
fn tests(
    keys: &ConnectionKeys,
    connection: &Connection,
    findings: &mut Findings<'_>,
) -> Vec<ConnectionTest> {
    let around = Around {
        timeout: None,
        format: connection.format,
        connection: Some(connection),
    };
    let connector = keys.connector.value().map(|name| name.0.text.clone());
    let mut tests = Vec::new();
    for named in keys.tests.value().into_iter().flat_map(|names| &names.0) {
        let Some(keys) = &named.value else { continue };
        let written = Written {
            get: &keys.get,
            post: &keys.post,
            query: &keys.query,
            headers: &keys.headers,
            body: &keys.body,
            format: &keys.format,
            around,
        };
        let request = request::lower(&written, &[], findings).rule;
        let works = keys.works.value().map(|works| works.filter.clone());
        tests.extend(request.zip(works).map(|(request, works)| ConnectionTest {
            name: named.name.clone(),
            connector: connector.clone(),
            request,
            works,
        }));
    }
    tests
}

/// The secrets that bodies may hold, by names that a placeholder can say.
fn secrets(keys: &ConnectionKeys, findings: &mut Findings<'_>) -> Vec<(String, SecretReference)> {
    let mut secrets = Vec::new();
    for named in keys.secrets.value().into_iter().flat_map(|names| &names.0) {
        if named.name.contains('-') {
            findings
                .error(
                    codes::BAD_NAME,
                    named.place,
                    format!("`{}` cannot be read in a placeholder", named.name),
                )
                .help(format!("for example `{}`", named.name.replace('-', "_")));
        }
        secrets.extend((named.value.iter()).map(|secret| (named.name.clone(), secret.0.clone())));
    }
    secrets
}

fn base_url(keys: &ConnectionKeys, findings: &mut Findings<'_>) -> Option<Url> {
    let given = keys.base_url.here()?;
    let mut url = given.value.0.clone();
    if url.query().is_some() {
        findings
            .error(codes::BAD_URL, given.place, "a query in the base URL")
            .expected("expected scheme, host and path")
            .help("write what every request carries under `query` of the action");
        return None;
    }
    if url.scheme() == "http" && is_public(&url) {
        findings
            .warning(
                codes::PLAIN_HTTP,
                given.place,
                "records come over the open network without encryption",
            )
            .expected("expected https");
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Some(url)
}

fn limits(keys: &ConnectionKeys, findings: &mut Findings<'_>) -> Limits {
    let mut limits = Limits::default();
    let Some(given) = keys.limits.value() else {
        return limits;
    };
    let zone = given
        .zone
        .value()
        .map_or(TimeZone::UTC, |zone| zone.0.clone());
    if let Some(rates) = given.rate.value() {
        let rates = rates.0.iter();
        limits.rates = rates
            .filter_map(|rule| rate(rule, &zone, findings))
            .collect();
    }
    limits.reset = given.reset.value().map(|header| header.name.clone());
    if let Some(in_flight) = given.in_flight.value() {
        limits.in_flight = in_flight.0;
    }
    if let Some(longest) = given.longest_retry_after.value() {
        limits.longest_retry_after = longest.0;
    }
    limits
}

fn rate(rule: &At<RateRule>, zone: &TimeZone, findings: &mut Findings<'_>) -> Option<Rate> {
    let times = |windows: &OneOrMany<WindowText>| WeekTimes {
        windows: (windows.0.iter())
            .map(|window| window.value.0.clone())
            .collect(),
        zone: zone.clone(),
    };
    let (limit, holds) = match &rule.value {
        RateRule::Always(limit) => (limit, Holds::Always),
        RateRule::Keys(keys) => {
            let holds = match (keys.between.here(), keys.outside.here()) {
                (Some(between), None) => Holds::Within(times(&between.value)),
                (None, Some(outside)) => Holds::Outside(times(&outside.value)),
                (None, None) => Holds::Always,
                (Some(between), Some(outside)) => {
                    findings
                        .error(
                            codes::MISMATCHED_KEYS,
                            outside.key,
                            "`outside` together with `between`",
                        )
                        .also(between.key, "the other is here")
                        .help("write two rates, one for each");
                    return None;
                }
            };
            (keys.rate.value()?, holds)
        }
    };
    let spans = match &limit.0.spans {
        Spans::Any => Spans::Any,
        Spans::OfTheClock(_) => Spans::OfTheClock(zone.clone()),
    };
    Some(Rate {
        spans,
        holds,
        ..limit.0.clone()
    })
}
