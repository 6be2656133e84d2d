//! The simulated EHR: answers out of the histories, in every way that the scenario draws, and with all the faults of real ones.

use crate::clock::{Chance, SimulatedClock};
use crate::crash::{CrashPoint, Crasher};
use crate::history::{History, State};
use crate::journal::Journal;
use crate::scenario::{ActionScenario, Order, Paging, Query, Scenario};
use crate::wire::{answered, path_and_query, read_time, record, twice};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::{SignedDuration, Timestamp};
use rounds_domain::Code;
use rounds_domain::ports::{Clock, Ehr, EhrError, EhrRequest, EhrResponse, Transience};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a kept result can be read on.
const RESULT_KEPT_FOR: Duration = Duration::from_secs(20);
/// How long a credential is refused once it has run out.
const TOKEN_GONE_FOR: Duration = Duration::from_secs(150);

/// The simulated EHR.
pub(crate) struct Source {
    pub(crate) clock: Arc<SimulatedClock>,
    pub(crate) chance: Chance,
    pub(crate) crasher: Arc<Crasher>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) actions: Vec<(ActionScenario, Arc<History>)>,
    pub(crate) skew: SignedDuration,
    pub(crate) sends_date: bool,
    pub(crate) faults_per_mille: u64,
    pub(crate) healed_at: Timestamp,
    pub(crate) faults: AtomicU64,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    results: BTreeMap<u64, (Timestamp, Vec<Value>)>,
    next: u64,
    refused_until: Option<Timestamp>,
}

/// What may go wrong with one answer.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Status(u16),
    Throttled,
    NoAnswer,
    Html,
    Empty,
    TokenGone,
    WrongDate,
}

impl Source {
    pub(crate) fn new(
        scenario: &Scenario,
        histories: &[Arc<History>],
        clock: Arc<SimulatedClock>,
        crasher: Arc<Crasher>,
        journal: Arc<Journal>,
        seed: u64,
    ) -> Self {
        let actions = scenario.actions.iter().cloned();
        Self {
            healed_at: scenario.start + scenario.trouble,
            actions: actions.zip(histories.iter().map(Arc::clone)).collect(),
            skew: SignedDuration::from_secs(scenario.skew_seconds),
            sends_date: scenario.sends_date,
            faults_per_mille: scenario.faults_per_mille,
            clock,
            chance: Chance::from_seed(seed),
            crasher,
            journal,
            faults: AtomicU64::new(0),
            kept: Mutex::default(),
        }
    }

    fn draw_fault(&self) -> Option<Fault> {
        if self.clock.now() >= self.healed_at || !self.chance.happens(self.faults_per_mille) {
            return None;
        }
        self.faults.fetch_add(1, Ordering::Relaxed);
        Some(match self.chance.below(11) {
            0 => Fault::Status(500),
            1 => Fault::Status(502),
            2 => Fault::Status(503),
            3 => Fault::Status(404),
            4 => Fault::Throttled,
            5 | 6 => Fault::NoAnswer,
            7 => Fault::Html,
            8 => Fault::Empty,
            9 => Fault::TokenGone,
            _ => Fault::WrongDate,
        })
    }

    fn answer(&self, request: &EhrRequest, now: Timestamp) -> (u16, Value) {
        let path = request.url.path().trim_start_matches("/api/");
        let asked: BTreeMap<String, String> = request.url.query_pairs().into_owned().collect();
        if let Some(patient) = path.strip_prefix("patient/") {
            return (200, json!({ "name": format!("Patient {patient}") }));
        }
        let (name, whole) = match path.strip_suffix("/all") {
            Some(name) => (name, Whole::Everything),
            None => (path, Whole::Asked),
        };
        let found = self.actions.iter().find(|(action, _)| action.name == name);
        match found {
            Some((action, history)) => self.page(action, history, whole, &asked, now),
            None => (404, Value::Null),
        }
    }

    fn page(
        &self,
        action: &ActionScenario,
        history: &History,
        whole: Whole,
        asked: &BTreeMap<String, String>,
        now: Timestamp,
    ) -> (u16, Value) {
        let path = match whole {
            Whole::Everything => format!("/api/{}/all", action.name),
            Whole::Asked => format!("/api/{}", action.name),
        };
        let paging = match whole {
            Whole::Everything => Paging::KeptResult,
            Whole::Asked => action.paging,
        };
        if let Some(kept) = asked.get("kept") {
            return self.kept_page(action, kept, asked, &path, now);
        }
        let mut rows = match whole {
            Whole::Everything => history.all_visible(now),
            Whole::Asked => rows_asked_for(action, history, asked, now),
        };
        self.sort(action, &mut rows);
        let items: Vec<Value> = rows
            .iter()
            .map(|(id, state)| record(action, *id, state))
            .collect();
        let last = rows.iter().map(|(_, state)| state.sequence).max();
        let number = |name: &str| asked.get(name).and_then(|text| text.parse::<usize>().ok());
        match paging {
            Paging::Single => (200, answered(&twice(items), last, &[])),
            Paging::KeptResult => {
                let next = (items.len() > action.page).then(|| {
                    let mut kept = self.kept();
                    kept.next += 1;
                    let key = kept.next;
                    kept.results.insert(key, (now, items.clone()));
                    format!("{path}?kept={key}&at={}", action.page)
                });
                let page: Vec<Value> = items.into_iter().take(action.page).collect();
                (200, answered(&page, last, &[("next", next.into())]))
            }
            Paging::LiveToken => {
                let after = number("page").map_or(0, |after| after as u64);
                let mut page: Vec<(u64, &State)> = rows;
                page.sort_by_key(|(_, state)| state.sequence);
                page.retain(|(_, state)| state.sequence > after);
                let more = page.len() > action.page;
                page.truncate(action.page);
                let last = page.last().map(|(_, state)| state.sequence);
                let token = last.filter(|_| more).map(|last| last.to_string());
                let items: Vec<Value> = page
                    .iter()
                    .map(|(id, state)| record(action, *id, state))
                    .collect();
                (200, answered(&items, last, &[("more", token.into())]))
            }
            Paging::Offset | Paging::PageNumber => {
                let offset = number("offset")
                    .or_else(|| number("number").map(|page| (page - 1) * action.page))
                    .unwrap_or(0);
                let page: Vec<Value> = items.into_iter().skip(offset).take(action.page).collect();
                let last = page
                    .iter()
                    .filter_map(|item| item["sequence"].as_u64())
                    .max();
                (200, answered(&page, last, &[]))
            }
        }
    }

    fn kept_page(
        &self,
        action: &ActionScenario,
        key: &str,
        asked: &BTreeMap<String, String>,
        path: &str,
        now: Timestamp,
    ) -> (u16, Value) {
        let mut kept = self.kept();
        kept.results
            .retain(|_, (made, _)| *made + RESULT_KEPT_FOR > now);
        let found = key.parse().ok().and_then(|key: u64| kept.results.get(&key));
        let Some((_, items)) = found else {
            return (410, json!({ "error": "this result is not kept any more" }));
        };
        let at = asked
            .get("at")
            .and_then(|at| at.parse::<usize>().ok())
            .unwrap_or(0);
        let page: Vec<Value> = items.iter().skip(at).take(action.page).cloned().collect();
        let last = page
            .iter()
            .filter_map(|item| item["sequence"].as_u64())
            .max();
        let further = at + action.page;
        let next = (items.len() > further).then(|| format!("{path}?kept={key}&at={further}"));
        (200, answered(&page, last, &[("next", next.into())]))
    }

    fn sort(&self, action: &ActionScenario, rows: &mut [(u64, &State)]) {
        match (action.query, action.order) {
            (Query::Number | Query::Token, _) => rows.sort_by_key(|(_, state)| state.sequence),
            (_, Order::Ascending) => rows.sort_by_key(|(id, state)| (state.stamp, *id)),
            (_, Order::Descending) => {
                rows.sort_by_key(|(id, state)| std::cmp::Reverse((state.stamp, *id)));
            }
            (_, Order::Shuffled) => {
                for last in (1..rows.len()).rev() {
                    let other = self.chance.below(last as u64 + 1);
                    rows.swap(last, usize::try_from(other).unwrap_or(0));
                }
            }
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn respond(
        &self,
        status: u16,
        body: Bytes,
        fault: Option<Fault>,
        now: Timestamp,
    ) -> EhrResponse {
        let mut headers = HeaderMap::new();
        let decades = SignedDuration::from_hours(24 * 365 * 30);
        let shown = match fault {
            // A clock that jumps ahead is not believed beyond ours, which must then not be ahead of it either.
            Some(Fault::WrongDate)
                if self.skew >= SignedDuration::ZERO && self.chance.below(2) == 0 =>
            {
                now + self.skew + decades
            }
            Some(Fault::WrongDate) => now + self.skew - decades,
            _ => now + self.skew,
        };
        let date = shown.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        // A server with a clock must send it with every answer (RFC 9110, 6.6.1); one without never does.
        if let (Ok(date), true) = (HeaderValue::from_str(&date), self.sends_date) {
            headers.insert(http::header::DATE, date);
        }
        if matches!(fault, Some(Fault::Throttled)) {
            headers.insert(http::header::RETRY_AFTER, HeaderValue::from_static("7"));
        }
        EhrResponse {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT),
            headers,
            body,
        }
    }
}

/// How much is asked for.
#[derive(Debug, Clone, Copy)]
enum Whole {
    Everything,
    Asked,
}

#[async_trait]
impl Ehr for Source {
    async fn send(&self, request: EhrRequest) -> Result<EhrResponse, EhrError> {
        let is_lookup = request.url.path().contains("/patient/");
        let (before, after) = if is_lookup {
            (CrashPoint::LookupSent, CrashPoint::LookupAnswered)
        } else {
            (CrashPoint::PageRequestSent, CrashPoint::PageAnswered)
        };
        self.crasher.pass(before).await;
        self.clock
            .sleep(self.chance.time_up_to(Duration::from_millis(900)))
            .await;
        let now = self.clock.now();
        let fault = self.draw_fault();
        if matches!(fault, Some(Fault::TokenGone)) {
            self.kept().refused_until = Some(now + TOKEN_GONE_FOR);
        }
        let is_refused = self
            .kept()
            .refused_until
            .is_some_and(|until| now < until.min(self.healed_at));
        let (status, body) = match fault {
            _ if is_refused => (401, Value::Null),
            Some(Fault::Status(404)) if !is_lookup => (500, Value::Null),
            Some(Fault::Status(status)) => (status, Value::Null),
            Some(Fault::Throttled) => (429, Value::Null),
            _ => self.answer(&request, now),
        };
        let body = match fault {
            Some(Fault::Html) => Bytes::from_static(b"<html>please log in</html>"),
            Some(Fault::Empty) => Bytes::new(),
            _ => Bytes::from(body.to_string()),
        };
        let told: Vec<String> = serde_json::from_slice::<Value>(&body)
            .ok()
            .and_then(|body| {
                Some(
                    body["items"]
                        .as_array()?
                        .iter()
                        .map(|item| format!("{}v{}", item["id"], item["version"]))
                        .collect(),
                )
            })
            .unwrap_or_default();
        self.journal.note(format!(
            "ehr {} {status} {fault:?} [{}]",
            path_and_query(&request.url),
            told.join(" ")
        ));
        let response = self.respond(status, body, fault, now);
        // What was answered may change before it arrives.
        self.clock
            .sleep(self.chance.time_up_to(Duration::from_millis(400)))
            .await;
        self.crasher.pass(after).await;
        if matches!(fault, Some(Fault::NoAnswer)) {
            return Err(EhrError {
                code: Code::new("R0301"),
                message: "the connection was reset".to_owned(),
                hint: None,
                transience: Transience::Passing,
            });
        }
        Ok(response)
    }
}

/// The records that the change query asks for.
fn rows_asked_for<'h>(
    action: &ActionScenario,
    history: &'h History,
    asked: &BTreeMap<String, String>,
    now: Timestamp,
) -> Vec<(u64, &'h State)> {
    let mut rows = history.all_visible(now);
    match action.query {
        Query::Everything => {}
        Query::Field | Query::Clock => {
            let since = asked
                .get("since")
                .and_then(|since| read_time(action.wire, since));
            rows.retain(|(_, state)| since.is_none_or(|since| state.stamp >= since));
        }
        Query::Number | Query::Token => {
            let key = if action.query == Query::Number {
                "after"
            } else {
                "token"
            };
            let after = asked.get(key).and_then(|after| after.parse::<u64>().ok());
            rows.retain(|(_, state)| state.sequence > after.unwrap_or(0));
        }
    }
    rows
}
