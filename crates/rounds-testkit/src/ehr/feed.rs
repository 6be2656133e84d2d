//! The API itself: which records a request is given, in which pages. No HTTP connection, no fault of the wire.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::{StatusCode, Uri, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::fault::{Conduct, Filter, Next};
use super::query::{BadQuery, Query};
use super::setup::{Boundary, EhrBuilder, Paging, RecordOrder, RecordTimes};
use crate::hospital::{Appointment, AppointmentId, Change, Hospital, PatientId};
use crate::random::Random;
use crate::wire::Answer;

/// What the change feed gives at once if the request does not say.
const DEFAULT_LIMIT: usize = 100;

/// The EHR's API over a hospital.
pub(crate) struct Feed {
    setup: EhrBuilder,
    origin: String,
}

impl Feed {
    pub(crate) fn new(setup: EhrBuilder, origin: String) -> Self {
        Self { setup, origin }
    }

    pub(crate) fn hospital(&self) -> &Hospital {
        &self.setup.hospital
    }

    /// Answers one GET.
    pub(crate) fn answer(&self, uri: &Uri, conduct: &Conduct) -> Answer {
        let now = self.hospital().now();
        let answer = match uri.path().split('/').skip(1).collect::<Vec<_>>().as_slice() {
            ["appointments"] => self.appointments(now, uri, conduct),
            ["appointments", id] => Ok(self.appointment(now, id)),
            ["patient", id] => Ok(self.patient(now, id)),
            ["changes"] => self.changes(now, uri, conduct),
            _ => Ok(Answer::error(
                now,
                StatusCode::NOT_FOUND,
                "there is no such resource",
            )),
        };
        answer.unwrap_or_else(|bad_query| Answer::error(now, StatusCode::BAD_REQUEST, &bad_query))
    }

    fn patient(&self, now: Timestamp, id: &str) -> Answer {
        match self.hospital().patient(&PatientId(id.to_owned())) {
            Some(patient) => Answer::json(now, StatusCode::OK, &json!(patient)),
            None => Answer::error(now, StatusCode::NOT_FOUND, "there is no such patient"),
        }
    }

    fn appointment(&self, now: Timestamp, id: &str) -> Answer {
        let wanted = id.parse().ok().map(AppointmentId);
        match self
            .visible(now)
            .into_iter()
            .find(|appointment| Some(appointment.id) == wanted)
        {
            Some(appointment) => Answer::json(now, StatusCode::OK, &self.show(&appointment)),
            None => Answer::error(now, StatusCode::NOT_FOUND, "there is no such appointment"),
        }
    }

    fn appointments(
        &self,
        now: Timestamp,
        uri: &Uri,
        conduct: &Conduct,
    ) -> Result<Answer, BadQuery> {
        let query = Query::of(uri)?;
        let since = query
            .instant("changedsince", &self.setup.zone)?
            .filter(|_| conduct.filter == Filter::Honoured);
        let mut records = self.visible(now);
        records
            .retain(|record| since.is_none_or(|since| self.is_within(record.last_modified, since)));
        self.put_in_order(&mut records);

        let window = self.window(&query, conduct)?;
        let items: Vec<Value> = records
            .iter()
            .skip(window.from)
            .take(window.size)
            .map(|record| self.show(record))
            .collect();
        let after = window.from.saturating_add(window.size);
        let next = match conduct.next {
            // A loop has a next page even where there is none: that is what makes it one.
            Next::Loops => Some(window.from),
            Next::Honest | Next::Elsewhere(_) => (after < records.len()).then_some(after),
        };
        Ok(self.page(
            now,
            uri,
            &query,
            conduct,
            items,
            next.map(|from| NextPage {
                from,
                size: window.size,
            }),
        ))
    }

    /// The latest version of each appointment that a query at `now` sees.
    fn visible(&self, now: Timestamp) -> Vec<Arc<Appointment>> {
        self.hospital().read_history(|history| {
            let visible = history.iter().filter(|change| self.sees(change, now));
            let latest: BTreeMap<AppointmentId, &Arc<Appointment>> = visible
                .map(|change| (change.appointment.id, &change.appointment))
                .collect();
            latest.into_values().cloned().collect()
        })
    }

    fn sees(&self, change: &Change, now: Timestamp) -> bool {
        change
            .at
            .saturating_add((self.setup.visibility)(change))
            .unwrap_or(Timestamp::MAX)
            <= now
    }

    fn is_within(&self, last_modified: Timestamp, since: Timestamp) -> bool {
        match self.setup.boundary {
            Boundary::Inclusive => last_modified >= since,
            Boundary::Exclusive => last_modified > since,
        }
    }

    fn put_in_order(&self, records: &mut [Arc<Appointment>]) {
        match self.setup.order {
            RecordOrder::OldestChangeFirst => {
                records.sort_by_key(|record| (record.last_modified, record.id));
            }
            RecordOrder::LatestChangeFirst => {
                records.sort_by_key(|record| (std::cmp::Reverse(record.last_modified), record.id));
            }
            RecordOrder::ById => {} // As they come out of the map.
            RecordOrder::Shuffled { seed } => Random::from_seed(seed).shuffle(records),
        }
    }

    fn show(&self, appointment: &Appointment) -> Value {
        let mut shown = json!(appointment);
        if self.setup.record_times == RecordTimes::NaiveSeconds {
            shown["lastModified"] =
                json!(naive_seconds(appointment.last_modified, &self.setup.zone));
        }
        shown
    }

    /// Which records of the whole result the request asks for.
    fn window(&self, query: &Query, conduct: &Conduct) -> Result<Window, BadQuery> {
        let Some(page_size) = self.setup.page_size else {
            return Ok(Window {
                from: 0,
                size: usize::MAX,
            });
        };
        let as_index = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let mut size = page_size;
        let from = match self.setup.paging {
            Paging::PageNumber | Paging::Offset if conduct.next == Next::Loops => 0,
            Paging::LinkHeader | Paging::Envelope | Paging::PageNumber => {
                as_index(query.number("page")?.unwrap_or(1).max(1) - 1).saturating_mul(size)
            }
            Paging::Offset => {
                size = query
                    .number("limit")?
                    .map_or(size, |limit| as_index(limit).clamp(1, page_size));
                as_index(query.number("offset")?.unwrap_or(0))
            }
            Paging::Token => query.text("pageToken").map_or(Ok(0), read_token)?,
        };
        Ok(Window { from, size })
    }

    fn page(
        &self,
        now: Timestamp,
        uri: &Uri,
        query: &Query,
        conduct: &Conduct,
        items: Vec<Value>,
        next: Option<NextPage>,
    ) -> Answer {
        let origin = match &conduct.next {
            Next::Honest | Next::Loops => &self.origin,
            Next::Elsewhere(origin) => origin,
        };
        let next = next.filter(|_| self.setup.page_size.is_some());
        let link = |next: &NextPage| {
            format!(
                "{origin}{}?{}",
                uri.path(),
                query.with("page", &(next.from / next.size + 1).to_string())
            )
        };
        match self.setup.paging {
            Paging::PageNumber | Paging::Offset => {
                Answer::json(now, StatusCode::OK, &Value::Array(items))
            }
            Paging::LinkHeader => {
                let answer = Answer::json(now, StatusCode::OK, &Value::Array(items));
                match &next {
                    Some(next) => {
                        answer.header(header::LINK, &format!("<{}>; rel=\"next\"", link(next)))
                    }
                    None => answer,
                }
            }
            Paging::Envelope => Answer::json(
                now,
                StatusCode::OK,
                &json!({ "items": items, "next": next.as_ref().map(link) }),
            ),
            Paging::Token => {
                let mut page = json!({ "items": items });
                if let Some(next) = next {
                    page["nextToken"] = json!(write_token(next.from));
                }
                Answer::json(now, StatusCode::OK, &page)
            }
        }
    }

    /// `GET /changes?since=N&limit=M`: every version ever made, by number, after N.
    fn changes(&self, now: Timestamp, uri: &Uri, conduct: &Conduct) -> Result<Answer, BadQuery> {
        let query = Query::of(uri)?;
        let asked_since = query.number("since")?.unwrap_or(0);
        let since = match conduct.filter {
            Filter::Honoured => asked_since,
            Filter::Ignored => 0,
        };
        let cap = self.setup.page_size.unwrap_or(usize::MAX);
        let limit = query.number("limit")?.map_or(DEFAULT_LIMIT, |limit| {
            usize::try_from(limit).unwrap_or(usize::MAX)
        });
        let limit = limit.clamp(1, cap);
        let (changes, last, done) = self.hospital().read_history(|history| {
            let mut later = history
                .iter()
                .filter(|change| change.sequence > since && self.sees(change, now));
            let given: Vec<&Change> = later.by_ref().take(limit).collect();
            let shown: Vec<Value> = given
                .iter()
                .map(|change| self.show_change(change))
                .collect();
            (
                shown,
                given.last().map_or(since, |change| change.sequence),
                later.next().is_none(),
            )
        });
        let (last, done) = match conduct.next {
            Next::Loops => (asked_since, false),
            Next::Honest | Next::Elsewhere(_) => (last, done),
        };
        Ok(Answer::json(
            now,
            StatusCode::OK,
            &json!({ "Changes": changes, "Last": last, "Done": done }),
        ))
    }

    fn show_change(&self, change: &Change) -> Value {
        json!({
            "Sequence": change.sequence,
            "Kind": change.kind,
            "Appointment": self.show(&change.appointment),
        })
    }
}

/// Records `from` up to `from + size` of the whole result.
struct Window {
    from: usize,
    size: usize,
}

/// The page that comes after.
struct NextPage {
    from: usize,
    size: usize,
}

/// An instant rounded down to its second and written without a zone.
pub(crate) fn naive_seconds(instant: Timestamp, zone: &TimeZone) -> String {
    zone.to_datetime(instant)
        .strftime("%Y-%m-%dT%H:%M:%S")
        .to_string()
}

/// A token looks opaque, so that nobody is tempted to count with it.
fn write_token(from: usize) -> String {
    URL_SAFE_NO_PAD.encode(format!("from:{from}"))
}

fn read_token(token: &str) -> Result<usize, BadQuery> {
    let decoded = URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let from = decoded
        .as_deref()
        .and_then(|text| text.strip_prefix("from:"))
        .and_then(|number| number.parse().ok());
    from.ok_or_else(|| "pageToken is not one that this server gave".to_owned())
}
