//! Answers that a job makes: FHIR Bulk exports, over a server that does what Bulk Data Access 2.0 says, and what real ones do besides.

use crate::ehr::{Answer, json_answer, parameter, status, text_answer, with_header};
use crate::world::{World, feed_key};
use http::Method;
use jiff::Timestamp;
use rounds_domain::ports::{Access, EhrRequest};
use rounds_engine::{PollError, Subject, rehearse};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use url::Url;

const CONFIG: &str = r#"
connections:
  ehr:
    base_url: "https://ehr.example/fhir"
    headers: { accept: application/fhir+json }
actions:
  patients:
    connection: ehr
    at: "* * * * *"
    timeout: 5s
    changes:
      job: fhir_bulk
      get: /$export
      query: { _since: "{{ cursor }}", _type: Patient }
      cursor: { time: rfc3339, answer: .transactionTime, overlap: 0s }
      start: now
      records: ".[]"
      id: .id
      version: .meta.versionId
    notify: { body: { id: = .record.id, kind: = .change.kind, version: = .record.meta.versionId } }
    to: app
destinations:
  app: { url: "https://app.example/hooks" }
"#;

/// Where a job stands.
struct Export {
    number: u32,
    since: Timestamp,
    transaction_time: Timestamp,
    /// How many more questions are answered with 202.
    unfinished: u32,
}

/// A server with patients and at most one export.
#[derive(Default)]
struct Held {
    /// The FHIR base.
    base: String,
    /// Identifier, version, when, whether it is there.
    patients: Vec<(String, u32, Timestamp, bool)>,
    export: Option<Export>,
    started: u32,
    /// How long its exports take, in questions.
    questions: u32,
    /// What an unfinished one answers as `Retry-After`.
    wait: Option<String>,
    /// What came: method and path.
    log: Vec<String>,
    /// What is answered instead, by the beginning of a path: how often, and what.
    instead: Vec<(&'static str, u32, u16, Value)>,
    /// The manifest's `error`.
    errors: Option<String>,
    /// Where the parts are said to be.
    host: String,
    /// Whether the parts are read without the access token.
    open_parts: bool,
    /// Where the EHR's own links to parts lead by a redirect.
    parts_at: Option<String>,
    /// Whose parts were asked for, and as whom.
    parts_asked: Vec<(String, Access)>,
}

#[derive(Clone)]
pub(crate) struct Server(Arc<Mutex<Held>>);

impl Server {
    fn of(world: &World) -> Self {
        Self::at(world, "https://ehr.example/fhir")
    }

    pub(crate) fn at(world: &World, base: &str) -> Self {
        let url = Url::parse(base).expect("a URL");
        let server = Self(Arc::new(Mutex::new(Held {
            base: base.to_owned(),
            host: url.origin().ascii_serialization(),
            ..Held::default()
        })));
        let (own, clock) = (server.clone(), Arc::clone(&world.ports.clock));
        (world.ehr).on_request(url.path(), move |request| own.answer(request, clock.now()));
        server
    }

    fn with<T>(&self, change: impl FnOnce(&mut Held) -> T) -> T {
        change(&mut self.0.lock().expect("not poisoned"))
    }

    pub(crate) fn put(&self, world: &World, id: &str, version: u32) {
        self.set(world, id, version, true);
    }

    pub(crate) fn delete(&self, world: &World, id: &str) {
        self.set(world, id, 0, false);
    }

    fn set(&self, world: &World, id: &str, version: u32, is_there: bool) {
        let now = world.now();
        self.with(|held| {
            held.patients.retain(|(known, ..)| known != id);
            held.patients.push((id.to_owned(), version, now, is_there));
        });
    }

    /// The requests that began so.
    fn asked(&self, beginning: &str) -> usize {
        self.with(|held| {
            held.log
                .iter()
                .filter(|line| line.starts_with(beginning))
                .count()
        })
    }

    fn answer(&self, request: &EhrRequest, now: Timestamp) -> Answer {
        self.with(|held| {
            let path = request.url.path().to_owned();
            held.log.push(format!("{} {path}", request.method));
            let instead = held.instead.iter_mut();
            let mut instead =
                instead.filter(|(beginning, left, ..)| *left > 0 && path.starts_with(beginning));
            if let Some((_, left, code, body)) = instead.next() {
                *left -= 1;
                let mut response = json_answer(body)?;
                response.status = http::StatusCode::from_u16(*code).expect("a status");
                return Ok(response);
            }
            let last = path.rsplit('/').next().unwrap_or_default();
            match (request.method.clone(), last) {
                (Method::GET, "$export") => held.start(request, now),
                (Method::GET, "job") => held.state(request),
                (Method::DELETE, "job") => {
                    held.export = None;
                    Ok(status(202))
                }
                (Method::GET, "part") => held.part(request),
                _ => Ok(status(404)),
            }
        })
    }
}

impl Held {
    fn start(&mut self, request: &EhrRequest, now: Timestamp) -> Answer {
        if self.export.is_some() {
            return with_header(Ok(status(429)), "retry-after", "30");
        }
        assert_eq!(request.headers["prefer"], "respond-async");
        self.started += 1;
        self.export = Some(Export {
            number: self.started,
            since: parameter(&request.url, "_since")
                .parse()
                .expect("an instant"),
            transaction_time: now,
            unfinished: self.questions,
        });
        let location = format!("{}/job?number={}", self.base, self.started);
        with_header(Ok(status(202)), "content-location", &location)
    }

    fn state(&mut self, request: &EhrRequest) -> Answer {
        let Some(export) = self.export_of(request) else {
            return Ok(status(404));
        };
        if export.unfinished > 0 {
            export.unfinished -= 1;
            let wait = self.wait.as_deref().unwrap_or("90");
            return with_header(Ok(status(202)), "retry-after", wait);
        }
        let (number, up_to) = (export.number, export.transaction_time);
        let path = Url::parse(&self.base).expect("a URL").path().to_owned();
        let link = |part: &str| json!({ "type": "Patient", "url": format!("{}{path}/part?number={number}&part={part}", self.host) });
        let error: Vec<Value> = self.errors.iter().map(|_| link("errors")).collect();
        json_answer(&json!({
            "transactionTime": up_to.to_string(),
            "requiresAccessToken": !self.open_parts,
            "output": [link("odd"), link("even")],
            "deleted": [link("deleted")],
            "error": error,
        }))
    }

    fn part(&mut self, request: &EhrRequest) -> Answer {
        let host = request.url.host_str().unwrap_or_default().to_owned();
        self.parts_asked.push((host.clone(), request.access));
        if let Some(elsewhere) = self.parts_at.as_ref().filter(|_| host == "ehr.example") {
            let mut url = request.url.clone();
            url.set_host(Some(elsewhere)).expect("a host");
            return with_header(Ok(status(307)), "location", url.as_str());
        }
        assert!(
            request.headers["accept"]
                .to_str()
                .expect("text")
                .contains("ndjson"),
            "what a strict server wants"
        );
        let Some(export) = self.export_of(request) else {
            return Ok(status(404));
        };
        let (since, up_to) = (export.since, export.transaction_time);
        let part = parameter(&request.url, "part");
        if part == "errors" {
            return text_answer(self.errors.as_deref().unwrap_or_default());
        }
        let shown = self.patients.iter().filter(|(_, version, at, is_there)| {
            let wanted = match part.as_str() {
                "deleted" => !is_there,
                "odd" => *is_there && version % 2 == 1,
                _ => *is_there && version % 2 == 0,
            };
            wanted && *at > since && *at <= up_to
        });
        let lines: Vec<String> = shown
            .map(|(id, version, at, is_there)| {
                let line = if *is_there {
                    json!({ "resourceType": "Patient", "id": id, "meta": { "versionId": version.to_string(), "lastUpdated": at.to_string() } })
                } else {
                    json!({ "resourceType": "Bundle", "type": "transaction", "entry": [{ "request": { "method": "DELETE", "url": format!("Patient/{id}") } }] })
                };
                format!("{line}\n")
            })
            .collect();
        text_answer(&lines.concat())
    }

    fn export_of(&mut self, request: &EhrRequest) -> Option<&mut Export> {
        let number = parameter(&request.url, "number");
        let export = self.export.as_mut();
        export.filter(|export| export.number.to_string() == number)
    }
}

fn told(world: &World) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mut told: Vec<String> = (world.bodies().iter())
        .map(|body| {
            format!(
                "{} {} {}",
                text(&body["id"]),
                text(&body["kind"]),
                text(&body["version"])
            )
        })
        .collect();
    told.sort();
    told
}

const CHANGES: [&str; 3] = ["a deleted 1", "b updated 2", "c created 1"];

/// Two patients are told from the first exports; then one is deleted, one changed, one new.
async fn three_changes(world: &World) -> Server {
    let server = Server::of(world);
    world.run_for(30).await;
    server.put(world, "a", 1);
    server.put(world, "b", 1);
    world.run_for(300).await;
    assert_eq!(told(world), ["a created 1", "b created 1"]);
    server.delete(world, "a");
    server.put(world, "b", 2);
    server.put(world, "c", 1);
    server.with(|held| held.log.clear());
    server
}

/// Goes on for an hour: then all was told, nothing twice, and nothing is wrong.
async fn all_is_told(world: &World) {
    world.run_for(3600).await;
    assert_eq!(told(world), CHANGES);
    let failure = world.feed("patients").await.failure;
    assert!(failure.is_none(), "{failure:?}");
}

#[tokio::test(start_paused = true)]
async fn an_export_is_started_waited_for_read_in_parts_and_deleted() {
    let world = World::with(CONFIG);
    let server = three_changes(&world).await;
    world.run_for(240).await;
    server.with(|held| {
        held.export = None;
        held.questions = 2;
        held.log.clear();
    });
    // Each 202 says 90 seconds, which is every other round.
    world.run_for(60 * 7).await;
    let asked = server.with(|held| held.log.clone());
    assert_eq!(
        asked,
        [
            "GET /fhir/$export",
            "GET /fhir/job",
            "GET /fhir/job",
            "GET /fhir/job",
            "GET /fhir/part",
            "GET /fhir/part",
            "GET /fhir/part",
            "DELETE /fhir/job",
            "GET /fhir/$export",
        ]
    );
    assert_eq!(told(&world), CHANGES);
}

#[tokio::test(start_paused = true)]
async fn an_export_that_is_under_way_is_not_started_twice_over_restarts() {
    let world = World::with(CONFIG);
    let server = three_changes(&world).await;
    server.with(|held| held.questions = 20);
    world.crash_after(Duration::from_secs(150)).await;
    let started = server.with(|held| held.started);
    for _ in 0..5 {
        world.crash_after(Duration::from_secs(61)).await;
    }
    assert_eq!(server.with(|held| held.started), started);
    server.with(|held| held.questions = 0);
    all_is_told(&world).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_while_its_parts_are_read_reads_them_again() {
    let world = World::with(CONFIG);
    let server = three_changes(&world).await;
    *world.ehr.takes.lock().expect("not poisoned") = Duration::from_secs(2);
    for alive in [61, 63, 65, 67, 69, 71, 73] {
        world.crash_after(Duration::from_secs(alive)).await;
    }
    assert!(server.asked("GET /fhir/part") > 0);
    all_is_told(&world).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_runs_one_export_at_a_time_is_asked_again_later() {
    let world = World::with(CONFIG);
    let server = three_changes(&world).await;
    // Somebody else's.
    server.with(|held| {
        held.export = Some(Export {
            number: 99,
            since: Timestamp::UNIX_EPOCH,
            transaction_time: Timestamp::UNIX_EPOCH,
            unfinished: 0,
        });
    });
    world.run_for(300).await;
    assert_eq!(told(&world), [""; 0]);
    assert!(world.feed("patients").await.failure.is_some());
    server.with(|held| held.export = None);
    all_is_told(&world).await;
}

#[tokio::test(start_paused = true)]
async fn an_export_that_the_ehr_forgot_is_started_anew() {
    let world = World::with(CONFIG);
    let server = three_changes(&world).await;
    server.with(|held| held.questions = 3);
    world.run_for(90).await;
    server.with(|held| held.export = None);
    all_is_told(&world).await;
}

#[tokio::test(start_paused = true)]
async fn a_part_that_fails_is_asked_for_again_and_the_cursor_waits() {
    let world = World::with(CONFIG);
    let server = three_changes(&world).await;
    let before = world.feed("patients").await.cursor;
    server.with(|held| (held.instead).push(("/fhir/part", 4, 503, json!({}))));
    world.run_for(130).await;
    assert_eq!(failure(&world).await.as_deref(), Some("R0313"));
    assert_eq!(world.feed("patients").await.cursor, before);
    all_is_told(&world).await;
}

#[tokio::test(start_paused = true)]
async fn a_part_that_hiccups_is_asked_for_again_in_the_same_round() {
    let world = World::with(CONFIG);
    let server = three_changes(&world).await;
    server.with(|held| (held.instead).push(("/fhir/part", 2, 503, json!({}))));
    world.run_for(180).await;
    assert_eq!(told(&world), CHANGES);
    assert_eq!(server.asked("GET /fhir/part"), 2 + 3, "two of them in vain");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_in_an_export_costs_one_request_more() {
    const RULE: &str = r#"    answers: [ { text: "Invalid session", means: auth_expired } ]"#;
    let accept = "    headers: { accept: application/fhir+json }";
    assert!(CONFIG.contains(accept));
    let config = CONFIG.replace(accept, &format!("{accept}\n{RULE}"));
    let ended = json!({ "error": "Invalid session" });
    for beginning in ["/fhir/$export", "/fhir/job", "/fhir/part"] {
        let world = World::with(&config);
        let server = three_changes(&world).await;
        server.with(|held| (held.instead).push((beginning, 1, 200, ended.clone())));
        world.run_for(240).await;
        assert_eq!(
            world.ehr.take_heard(),
            ["ehr: session ended"],
            "{beginning}"
        );
        assert_eq!(told(&world), CHANGES, "{beginning}");
        assert_eq!(failure(&world).await, None, "{beginning}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_said_as_a_date_is_waited_for() {
    let world = World::with(CONFIG);
    let server = three_changes(&world).await;
    let in_ten_minutes = world.now() + Duration::from_mins(10);
    server.with(|held| {
        held.questions = 1;
        held.wait = Some(
            in_ten_minutes
                .strftime("%a, %d %b %Y %H:%M:%S GMT")
                .to_string(),
        );
    });
    world.run_for(590).await;
    assert_eq!(server.asked("GET /fhir/job"), 1, "not before it is time");
    all_is_told(&world).await;
}

#[tokio::test(start_paused = true)]
async fn an_outcome_in_the_place_of_a_manifest_ends_no_export() {
    let world = World::with(CONFIG);
    let server = three_changes(&world).await;
    let outcome = json!({ "resourceType": "OperationOutcome", "issue": [{ "severity": "error", "code": "exception" }] });
    server.with(|held| (held.instead).push(("/fhir/job", 1, 200, outcome)));
    world.run_for(130).await;
    assert_eq!(failure(&world).await.as_deref(), Some("R0325"));
    world.run_for(120).await;
    assert_eq!(told(&world), CHANGES);
    assert_eq!(
        server.asked("GET /fhir/$export"),
        2,
        "that one, and the next in its turn"
    );
}

#[tokio::test(start_paused = true)]
async fn an_export_that_failed_is_started_anew_and_a_question_that_failed_is_not() {
    let outcome = |code: &str| json!({ "resourceType": "OperationOutcome", "issue": [{ "severity": "error", "code": code }] });
    for (code, starts) in [("transient", 0), ("processing", 1)] {
        let world = World::with(CONFIG);
        let server = three_changes(&world).await;
        server.with(|held| {
            held.questions = 3;
            held.instead.push(("/fhir/job", 1, 500, outcome(code)));
        });
        world.run_for(150).await;
        assert!(failure(&world).await.is_some());
        let started = server.with(|held| {
            held.export = held.export.take().filter(|_| code == "transient");
            held.started
        });
        world.run_for(120).await;
        assert_eq!(server.with(|held| held.started) - started, starts, "{code}");
        all_is_told(&world).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_export_with_errors_in_it_moves_no_cursor_and_one_with_warnings_does() {
    let world = World::with(CONFIG);
    let server = three_changes(&world).await;
    let said = |severity: &str| {
        format!(
            "{{\"resourceType\":\"OperationOutcome\",\"issue\":[{{\"severity\":\"{severity}\",\"code\":\"exception\"}}]}}\n"
        )
    };
    let before = world.feed("patients").await.cursor;
    server.with(|held| held.errors = Some(said("error")));
    world.run_for(240).await;
    assert_eq!(failure(&world).await.as_deref(), Some("R0382"));
    assert_eq!(world.feed("patients").await.cursor, before);
    server.with(|held| held.errors = Some(said("warning")));
    all_is_told(&world).await;
}

#[tokio::test(start_paused = true)]
async fn a_part_on_another_host_is_not_asked_for() {
    let world = World::with(CONFIG);
    let server = three_changes(&world).await;
    server.with(|held| held.host = "https://files.example".to_owned());
    world.run_for(240).await;
    assert_eq!(failure(&world).await.as_deref(), Some("R0381"));
    assert_eq!(server.asked("GET /fhir/part"), 0);
}

#[tokio::test(start_paused = true)]
async fn parts_that_need_no_token_are_read_wherever_they_are_and_without_one() {
    for at_another in [true, false] {
        let world = World::with(CONFIG);
        let server = three_changes(&world).await;
        server.with(|held| {
            held.open_parts = true;
            held.parts_asked.clear();
            if at_another {
                held.host = "https://files.example".to_owned();
            }
        });
        all_is_told(&world).await;
        let host = if at_another {
            "files.example"
        } else {
            "ehr.example"
        };
        server.with(|held| {
            let asked = held.parts_asked.iter();
            let mut others = asked.filter(|(at, access)| at != host || *access != Access::Bare);
            assert_eq!(others.next(), None);
            assert!(!held.parts_asked.is_empty());
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_behind_a_redirect_is_read_there_without_credentials() {
    let world = World::with(CONFIG);
    let server = three_changes(&world).await;
    server.with(|held| held.parts_at = Some("files.example".to_owned()));
    all_is_told(&world).await;
    server.with(|held| {
        for (host, access) in &held.parts_asked {
            let expected = if host == "ehr.example" {
                Access::AsUser
            } else {
                Access::Bare
            };
            assert_eq!(*access, expected, "{host}");
        }
        assert!(
            held.parts_asked
                .iter()
                .any(|(host, _)| host == "files.example")
        );
    });
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_starts_no_export() {
    let world = World::with(CONFIG);
    let server = Server::of(&world);
    let feed = feed_key("patients", "changes");
    let refused = rehearse(&world.plan, &world.ports, &feed, Subject::NextRound).await;
    assert!(matches!(refused, Err(PollError::StartsJob(key)) if key == feed));
    assert_eq!(server.with(|held| held.started), 0);
}

async fn failure(world: &World) -> Option<String> {
    let state = world.feed("patients").await;
    state.failure.map(|failure| failure.code.to_string())
}
