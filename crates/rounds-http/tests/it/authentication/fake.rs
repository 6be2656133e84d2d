//! An EHR with a token endpoint that keeps the books: what it gave, to whom, until when.

use super::{CLIENT_SECRET, seconds};
use crate::server::{Answer, Received, Server, answer};
use crate::test_clock::TestClock;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rounds_domain::ports::Clock;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The EHR's side of a story.
#[derive(Clone)]
pub(super) struct Fake {
    clock: TestClock,
    books: Arc<Mutex<Books>>,
}

pub(super) struct Books {
    pub(super) lifetime: Duration,
    /// Sessions that are good, each with its end.
    pub(super) sessions: BTreeMap<String, Duration>,
    given: usize,
    /// The one refresh token that is good.
    pub(super) refresh_token: String,
    /// How `Authorization` must look for the client.
    pub(super) authorization: Option<String>,
    /// The public keys of the client.
    pub(super) jwks: Value,
    pub(super) audience: String,
    pub(super) seen_jti: BTreeSet<String>,
    /// What the token endpoint says instead.
    pub(super) tokens: Option<Answer>,
    /// What more it says.
    pub(super) more: Value,
    /// All sessions are refused.
    pub(super) refuses: bool,
    asked: Vec<String>,
}

impl Fake {
    pub(super) fn new(clock: TestClock) -> Self {
        // RFC 6749, 2.3.1: `s3cr3t+/=` as a form writes it.
        let basic = format!("Basic {}", STANDARD.encode("rounds:s3cr3t%2B%2F%3D"));
        Self {
            clock,
            books: Arc::new(Mutex::new(Books {
                lifetime: seconds(3600),
                sessions: BTreeMap::new(),
                given: 0,
                refresh_token: "refresh-0".to_owned(),
                authorization: Some(basic),
                jwks: Value::Null,
                audience: String::new(),
                seen_jti: BTreeSet::new(),
                tokens: None,
                more: json!({}),
                refuses: false,
                asked: Vec::new(),
            })),
        }
    }

    pub(super) async fn serve(&self) -> Server {
        let fake = self.clone();
        Server::answering(move |request| fake.answer(request)).await
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often this path was asked.
    pub(super) fn asked(&self, path: &str) -> usize {
        let books = self.books();
        books.asked.iter().filter(|asked| *asked == path).count()
    }

    /// All sessions end now.
    pub(super) fn end_sessions(&self) {
        self.books().sessions.clear();
    }

    fn answer(&self, request: &Received) -> Answer {
        let target = request.line().split(' ').nth(1).unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        let mut books = self.books();
        books.asked.push(path.to_owned());
        match path {
            "/token" => books.token(request, &self.clock),
            "/api/.well-known/smart-configuration" => {
                let host = request.header("host");
                json_answer(&json!({ "token_endpoint": format!("http://{host}/token") }))
            }
            "/api/login" => books.login(request, &self.clock),
            _ => books.records(request, target, self.clock.monotonic()),
        }
    }
}

pub(super) fn json_answer(body: &Value) -> Answer {
    answer(
        "200 OK",
        &["content-type: application/json"],
        body.to_string(),
    )
}

fn refusal(word: &str) -> Answer {
    let told = format!("what came was {CLIENT_SECRET} hunter2");
    let body = json!({ "error": word, "error_description": told });
    answer("401 Unauthorized", &[], body.to_string())
}

pub(super) fn form(request: &Received) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(&request.body)
        .into_owned()
        .collect()
}

impl Books {
    fn token(&mut self, request: &Received, clock: &TestClock) -> Answer {
        if let Some(answer) = &self.tokens {
            return answer.clone();
        }
        let form = form(request);
        let is_client = match &self.authorization {
            Some(wanted) => request.header("authorization") == *wanted,
            None => form
                .get("client_secret")
                .is_some_and(|it| it == CLIENT_SECRET),
        };
        let is_signed = form
            .get("client_assertion")
            .is_some_and(|assertion| self.verifies(assertion, clock));
        if !is_client && !is_signed {
            return refusal("invalid_client");
        }
        let mut body = json!({
            "access_token": self.session("access", clock.monotonic()),
            "token_type": "BearerToken",
            "expires_in": self.lifetime.as_secs(),
        });
        match form.get("grant_type").map(String::as_str) {
            Some("client_credentials") => {}
            Some("password") if form.get("password").is_some_and(|it| it == "pa$$ & word") => {}
            Some("refresh_token") if form.get("refresh_token") == Some(&self.refresh_token) => {
                // Each is good once.
                self.refresh_token = format!("refresh-{}", self.given);
                body["refresh_token"] = self.refresh_token.clone().into();
            }
            _ => return refusal("invalid_grant"),
        }
        for (name, value) in self.more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        json_answer(&body)
    }

    /// A session that is good from now on.
    pub(super) fn session(&mut self, kind: &str, now: Duration) -> String {
        self.given += 1;
        let session = format!("{kind}-{}", self.given);
        self.sessions.insert(session.clone(), now + self.lifetime);
        session
    }

    fn login(&mut self, request: &Received, clock: &TestClock) -> Answer {
        let sent = String::from_utf8_lossy(&request.body).into_owned();
        if !sent.contains("pa$$ & word") && !sent.contains("pa%24%24+%26+word") {
            return answer("403 Forbidden", &[], "");
        }
        let session = self.session("session", clock.monotonic());
        if request.line().contains("xml") {
            let text = format!("<PPMDResults><usercontext>{session}</usercontext></PPMDResults>");
            return answer("200 OK", &["content-type: text/xml"], text);
        }
        answer(
            "200 OK",
            &[
                "set-cookie: JSESSIONID=old; Path=/",
                &format!("set-cookie: JSESSIONID={session}; HttpOnly"),
                &format!("x-session: {session}"),
            ],
            json!({ "data": { "token": session } }).to_string(),
        )
    }

    fn records(&self, request: &Received, target: &str, now: Duration) -> Answer {
        let headers = request.headers();
        let body = String::from_utf8_lossy(&request.body);
        let texts = headers
            .values()
            .filter_map(|value| value.to_str().ok())
            .chain([target, &*body]);
        let mut shown: Vec<&str> = texts.collect();
        let split: Vec<&str> = shown
            .iter()
            .flat_map(|text| text.split([' ', '=', '&', ';', '<', '>']))
            .collect();
        shown.extend(split);
        let good = shown
            .iter()
            .any(|text| self.sessions.get(*text).is_some_and(|end| now < *end));
        if self.refuses || (!good && !target.contains("api_key")) {
            return answer("401 Unauthorized", &[], "");
        }
        answer("200 OK", &[], "[]")
    }
}
