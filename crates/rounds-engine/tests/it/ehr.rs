//! An EHR in the same process: answers are closures over what the story put there.

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use rounds_domain::ConnectionName;
use rounds_domain::ports::{BodyPiece, Clock, Ehr, EhrError, EhrRequest, EhrResponse};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use url::Url;

/// What the EHR answers: a response, or no answer at all.
pub(crate) type Answer = Result<EhrResponse, EhrError>;

type Handler = Box<dyn FnMut(&EhrRequest) -> Answer + Send>;

/// The EHR: handlers by path, a log of what was asked, and a clock that may be wrong.
pub(crate) struct FakeEhr {
    clock: Arc<dyn Clock>,
    handlers: Mutex<Vec<(String, Handler)>>,
    log: Mutex<Vec<Url>>,
    /// How far the EHR's clock is ahead of ours, in seconds; None: it sends no `Date`.
    pub(crate) clock_ahead_seconds: Mutex<Option<i64>>,
    /// How long each answer takes.
    pub(crate) takes: Mutex<Duration>,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
    /// What was said of the connection: that its session has ended, or how long to wait.
    heard: Mutex<Vec<String>>,
}

impl FakeEhr {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            handlers: Mutex::default(),
            log: Mutex::default(),
            clock_ahead_seconds: Mutex::new(Some(0)),
            takes: Mutex::default(),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
            heard: Mutex::default(),
        }
    }

    /// Answers paths that begin with `path`; a later handler of the same path replaces the earlier one.
    pub(crate) fn on(&self, path: &str, mut handler: impl FnMut(&Url) -> Answer + Send + 'static) {
        self.on_request(path, move |request| handler(&request.url));
    }

    /// The same, with a look at the whole request.
    pub(crate) fn on_request(
        &self,
        path: &str,
        handler: impl FnMut(&EhrRequest) -> Answer + Send + 'static,
    ) {
        let mut handlers = self.handlers.lock().expect("not poisoned");
        handlers.retain(|(known, _)| known != path);
        handlers.push((path.to_owned(), Box::new(handler)));
    }

    /// What was said of the connection since the last call.
    pub(crate) fn take_heard(&self) -> Vec<String> {
        std::mem::take(&mut self.heard.lock().expect("not poisoned"))
    }

    /// Everything that was asked since the last call.
    pub(crate) fn take_log(&self) -> Vec<Url> {
        std::mem::take(&mut self.log.lock().expect("not poisoned"))
    }

    /// How many requests for paths that begin with `path` were made since the last call, which forgets all.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.take_log()
            .iter()
            .filter(|url| url.path().starts_with(path))
            .count()
    }

    /// How many requests were ever under way at once.
    pub(crate) fn most_under_way(&self) -> usize {
        self.most_under_way.load(Ordering::Relaxed)
    }

    /// The EHR's own time.
    pub(crate) fn now(&self) -> Timestamp {
        let ahead = self
            .clock_ahead_seconds
            .lock()
            .expect("not poisoned")
            .unwrap_or(0);
        Timestamp::from_second(self.clock.now().as_second() + ahead).expect("an instant")
    }
}

#[async_trait]
impl Ehr for FakeEhr {
    async fn send(&self, request: EhrRequest) -> Result<EhrResponse, EhrError> {
        self.log
            .lock()
            .expect("not poisoned")
            .push(request.url.clone());
        let under_way = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_under_way.fetch_max(under_way, Ordering::Relaxed);
        let takes = *self.takes.lock().expect("not poisoned");
        if !takes.is_zero() {
            self.clock.sleep(takes).await;
        }
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        let mut answer = {
            let mut handlers = self.handlers.lock().expect("not poisoned");
            let path = request.url.path();
            let handler = handlers
                .iter_mut()
                .find(|(known, _)| path.starts_with(known.as_str()));
            handler.map_or_else(|| Ok(status(404)), |(_, handler)| handler(&request))
        };
        let sends_date = self
            .clock_ahead_seconds
            .lock()
            .expect("not poisoned")
            .is_some();
        if let (Ok(response), true) = (&mut answer, sends_date) {
            let date = self.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            let value = HeaderValue::from_str(&date).expect("a header value");
            response.headers.entry(http::header::DATE).or_insert(value);
        }
        answer
    }

    async fn session_ended(&self, connection: &ConnectionName, _sent_at: Duration) {
        let mut heard = self.heard.lock().expect("not poisoned");
        heard.push(format!("{connection}: session ended"));
    }

    async fn throttled(
        &self,
        connection: &ConnectionName,
        _sent_at: Duration,
        after: Option<Duration>,
    ) {
        let mut heard = self.heard.lock().expect("not poisoned");
        heard.push(format!("{connection}: wait {after:?}"));
    }
}

/// A request's body as text; secrets in it by their names.
pub(crate) fn body_of(request: &EhrRequest) -> String {
    let pieces = request.body.iter().flat_map(|body| &body.pieces);
    let texts = pieces.map(|piece| match piece {
        BodyPiece::Ready(text) => text.clone(),
        BodyPiece::Secret { source, .. } => format!("[{source:?}]"),
    });
    texts.collect()
}

/// A JSON answer.
pub(crate) fn json_answer(body: &Value) -> Answer {
    text_answer(&body.to_string())
}

/// An answer with this text.
#[expect(clippy::unnecessary_wraps, reason = "handlers give answers")]
pub(crate) fn text_answer(body: &str) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    let body = Bytes::copy_from_slice(body.as_bytes());
    Ok(EhrResponse {
        status: StatusCode::OK,
        headers,
        body,
    })
}

/// An answer with a header more.
pub(crate) fn with_header(answer: Answer, name: &'static str, value: &str) -> Answer {
    answer.map(|mut response| {
        let value = HeaderValue::from_str(value).expect("a header value");
        response
            .headers
            .append(HeaderName::from_static(name), value);
        response
    })
}

/// An empty answer with this status.
pub(crate) fn status(status: u16) -> EhrResponse {
    EhrResponse {
        status: StatusCode::from_u16(status).expect("a status"),
        headers: HeaderMap::new(),
        body: Bytes::new(),
    }
}

/// Appointments that are changed by the story, and found by `changedsince`, inclusive, in whole seconds.
#[derive(Clone, Default)]
pub(crate) struct Clinic(Arc<Mutex<BTreeMap<String, Value>>>);

impl Clinic {
    /// Puts an appointment as changed at this time.
    pub(crate) fn put(&self, id: u64, patient: &str, status: &str, at: Timestamp) {
        let mut appointment = json!({
            "id": id, "patientID": patient, "status": status,
            "lastModified": at.to_string(),
        });
        let mut appointments = self.0.lock().expect("not poisoned");
        let version = appointments
            .get(&id.to_string())
            .map_or(1, |known| known["version"].as_u64().expect("a version") + 1);
        appointment["version"] = json!(version);
        appointments.insert(id.to_string(), appointment);
    }

    /// Takes an appointment away, without a trace.
    pub(crate) fn remove(&self, id: u64) {
        let mut appointments = self.0.lock().expect("not poisoned");
        appointments.remove(&id.to_string());
    }

    /// The answer to `changedsince`.
    pub(crate) fn changed_since(&self, url: &Url) -> Vec<Value> {
        let since = format!("{}Z", parameter(url, "changedsince"))
            .parse::<Timestamp>()
            .expect("an instant");
        self.from(since)
    }

    /// What changed at `since` or later, in that order.
    pub(crate) fn from(&self, since: Timestamp) -> Vec<Value> {
        let appointments = self.0.lock().expect("not poisoned");
        let mut found: Vec<Value> = appointments
            .values()
            .filter(|appointment| modified(appointment) >= since)
            .cloned()
            .collect();
        found.sort_by_key(modified);
        found
    }
}

/// A query parameter that must be there.
pub(crate) fn parameter(url: &Url, name: &str) -> String {
    url.query_pairs()
        .find(|(known, _)| known == name)
        .map_or_else(
            || panic!("`{name}` is asked"),
            |(_, value)| value.into_owned(),
        )
}

/// When an appointment of the clinic changed.
pub(crate) fn modified(appointment: &Value) -> Timestamp {
    appointment["lastModified"]
        .as_str()
        .expect("text")
        .parse()
        .expect("an instant")
}
