//! Answers that are made beside: a job is started, asked for its state, read and ended.
//!
//! An export may take hours, so no round waits for it. Each round goes one step: the first starts the job and keeps where its
//! state is asked for; those after it ask, as often as the action is asked at all and not before the EHR's `Retry-After`; and the one
//! that finds it done reads its parts, moves the cursor to the manifest's `transactionTime` and deletes the job. Where its state is asked for
//! stands in the store, as a feed of its own, so a job survives a restart: many EHRs refuse a second export beside the first.
//!
//! What to mind: the job is deleted after the commit. If the process dies in between, its parts are read once more and the ledger
//! keeps them silent. A job that the EHR does not know any more (404, 410) is started anew from the same cursor. A part is held
//! in memory, bounded by the connection's `body_limit`.

mod kept;
mod manifest;

use self::kept::Started;
use self::manifest::Manifest;
use super::cursor::SourceClock;
use super::failure::failure;
use super::{Interruption, Round, ask, read};
use crate::exchange::{Basis, Failed, Outcome, Retries};
use crate::request;
use http::header::{ACCEPT, CONTENT_LOCATION, HeaderValue, LOCATION};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use rounds_domain::plan::{
    AnswerFormat, CursorRule, Deletions, Feed, Records, RequestRule, Sweep, SweepScope,
};
use rounds_domain::ports::{Access, EhrRequest, EhrResponse, StoreError, Turn};
use rounds_domain::{Code, Cursor, RoundEnd, RoundFailure};
use rounds_map::Filter;
use std::sync::Arc;
use url::Url;

/// The EHR did not start the job.
const NOT_STARTED: Code = Code::new("R0380");
/// The manifest cannot be used.
const MANIFEST: Code = Code::new("R0381");
/// The EHR says that the job failed.
const EXPORT_FAILED: Code = Code::new("R0382");

/// A part may be behind so many redirects.
const MOST_REDIRECTS: u32 = 4;

/// What a round of a job asks for, as its failures say it.
const ASKING: &str = "asking for an export";

/// Whether the job is of no use after such a failure. After others it is asked again.
fn ends_the_job(code: Code) -> bool {
    [MANIFEST, EXPORT_FAILED].contains(&code)
}

/// From a part of deletions to tombstones: each line is a Bundle of DELETE requests (Bulk Data Access 2.0, 2.5.1.3).
const DELETED: &str = r#".[] | .entry[]? | select(.request.method == "DELETE") | .request.url | split("?")[0] | split("/")
  | {resourceType: .[-2], id: .[-1], deleted: true}"#;

impl Round<'_> {
    /// Goes one step with the job of this feed. Gives where the cursor stands once all was read.
    pub(super) async fn drain_job(&mut self) -> Result<Cursor, Interruption> {
        let Some(started) = self.started_job().await? else {
            self.start_job().await?;
            return Err(Interruption::Waits);
        };
        if started.waits(self.ports.clock.now()) {
            return Err(Interruption::Waits);
        }
        match self.finish_job(started).await {
            Err(Interruption::Failed(failure)) if ends_the_job(failure.code) => {
                self.end_job().await?;
                Err(failure.into())
            }
            done => done,
        }
    }

    async fn finish_job(&mut self, started: Started) -> Result<Cursor, Interruption> {
        let request = self.request(Method::GET, started.url.clone(), AnswerFormat::Json);
        // The next round asks again anyway.
        let (response, basis) = match self.ask_of_job(request, Retries::Left).await {
            Ok(Outcome::Good(response, basis)) => (response, basis),
            Ok(Outcome::Empty(response)) => (response, Basis::Rule),
            Ok(Outcome::Gone(_)) => {
                tracing::warn!(action = %self.action.name, feed = %self.feed.name, "the EHR does not know its export any more; it is started anew");
                self.keep_job(None).await?;
                return Err(Interruption::Waits);
            }
            Err(failed) => {
                let for_good = failed.response.as_ref().and_then(manifest::failed_for_good);
                return Err(for_good.unwrap_or(failed.failure).into());
            }
        };
        if response.status == StatusCode::ACCEPTED {
            let not_before = manifest::after(&response, self.ports.clock.now());
            let asked_again = Started {
                not_before,
                ..started
            };
            self.keep_job(Some(&asked_again)).await?;
            return Err(Interruption::Waits);
        }
        let manifest = manifest::read(self.ports, self.feed, response, basis).await?;
        self.read_parts(&manifest, &started).await
    }

    async fn start_job(&mut self) -> Result<(), Interruption> {
        let asked = ask::ask(self.feed, self.known, self.ports.clock.now())?;
        let rule = &self.feed.request;
        let mut request = request::build(
            self.connection,
            rule,
            &self.scope_of(&asked),
            request::Blanks::LeftOut,
        )
        .map_err(|error| {
            failure(
                request::RequestError::CODE,
                format!("the request for an export cannot be made: {error}"),
                "check `changes` of the action",
            )
        })?;
        add(&mut request.headers, "prefer", "respond-async");
        add(
            &mut request.headers,
            ACCEPT.as_str(),
            "application/fhir+json",
        );
        let now = self.ports.clock.now();
        // Sent twice it might start two exports.
        let response = match self.ask_of_job(request.clone(), Retries::Left).await? {
            Outcome::Good(response, _) | Outcome::Empty(response) => response,
            Outcome::Gone(_) => return Err(not_started("the EHR does not have it").into()),
        };
        let location = response.headers.get(CONTENT_LOCATION);
        let location = location.and_then(|value| value.to_str().ok());
        let (StatusCode::ACCEPTED, Some(location)) = (response.status, location) else {
            let words = format!(
                "the EHR answered {} and does not say where the job's state is",
                response.status
            );
            return Err(not_started(&words).into());
        };
        let started = Started {
            url: self.follow(&request.url, location)?,
            not_before: manifest::after(&response, now),
            at: now,
        };
        tracing::info!(action = %self.action.name, feed = %self.feed.name, "an export was started");
        Ok(self.keep_job(Some(&started)).await?)
    }

    async fn read_parts(
        &mut self,
        manifest: &Manifest,
        started: &Started,
    ) -> Result<Cursor, Interruption> {
        let asked = ask::ask(self.feed, self.known, started.at)?;
        let clock = SourceClock {
            now: manifest.up_to,
            ours: started.at,
        };
        self.source_clock.get_or_insert(clock.believed());
        self.advance.clock_answered();
        for link in &manifest.said {
            let (response, _) = self.part(started, manifest, link).await?;
            manifest::errors_in(&response.body)?;
        }
        let (there, gone) = (self.of_parts(None)?, self.of_parts(Some(DELETED))?);
        let parts = manifest.parts.iter().map(|link| (link, &there));
        let deleted = manifest.deleted.iter().map(|link| (link, &gone));
        for (link, feed) in parts.chain(deleted) {
            let (response, basis) = self.part(started, manifest, link).await?;
            let (ports, partition) = (self.ports, self.key.partition.as_ref());
            let page =
                read::page_beside(ports, self.action, feed, partition, &response, basis).await?;
            page.believed("reading a part of an export")?;
            self.counts.pages += 1;
            self.choose(page.records, &asked, clock, started.at).await?;
            if self.pending.is_large() {
                self.commit_part(RoundEnd::Unfinished, None).await?;
            }
        }
        Ok(self.advance.after_drain(self.purpose, &asked, clock))
    }

    async fn part(
        &mut self,
        started: &Started,
        manifest: &Manifest,
        link: &str,
    ) -> Result<(EhrResponse, Basis), Interruption> {
        let mut request = match manifest.parts_need {
            Access::AsUser => {
                let url = self.follow(&started.url, link)?;
                self.request(Method::GET, url, AnswerFormat::Ndjson)
            }
            Access::Bare => {
                let url = joined(&started.url, link)?;
                self.bare(url)
            }
        };
        for _ in 0..=MOST_REDIRECTS {
            let from = request.url.clone();
            let failed = match self.ask_of_job(request, Retries::AtOnce).await {
                Ok(Outcome::Good(response, basis)) => return Ok((response, basis)),
                Ok(Outcome::Empty(response)) => return Ok((response, Basis::Rule)),
                Ok(Outcome::Gone(_)) => {
                    return Err(manifest::unusable("a part is not there any more").into());
                }
                Err(failed) => failed,
            };
            let Some(location) = failed.response.as_ref().and_then(redirected) else {
                return Err(failed.failure.into());
            };
            // Wherever it leads, it is the link that permits it.
            request = self.bare(joined(&from, location)?);
        }
        Err(manifest::unusable("a part is redirected again and again").into())
    }

    /// A request for a part without credentials.
    fn bare(&self, url: Url) -> EhrRequest {
        EhrRequest {
            access: Access::Bare,
            ..self.request(Method::GET, url, AnswerFormat::Ndjson)
        }
    }

    /// Deletes the job, after what it gave was committed or when it is of no use; one that stays is in the way of the next.
    /// Where that fails, the EHR deletes it in its own time.
    pub(super) async fn end_job(&mut self) -> Result<(), StoreError> {
        let Some(started) = self.started_job().await? else {
            return Ok(());
        };
        let request = self.request(Method::DELETE, started.url, AnswerFormat::Json);
        if let Err(failed) = self.ask_of_job(request, Retries::Left).await {
            let failure = failed.failure;
            tracing::info!(action = %self.action.name, feed = %self.feed.name, code = %failure.code, "an export could not be deleted: {}", failure.message);
        }
        self.keep_job(None).await
    }

    /// The feed as it reads parts: lines of JSON, by its own `records` or by these.
    fn of_parts(&self, records: Option<&str>) -> Result<Arc<Feed>, RoundFailure> {
        let mut feed = Feed::clone(self.feed);
        feed.request = RequestRule {
            format: AnswerFormat::Ndjson,
            ..feed.request
        };
        // What is asked of an answer for the cursor is asked of the manifest, and a part is none.
        feed.cursor = CursorRule::Sweep(Sweep {
            scope: SweepScope::Everything,
            deletions: Deletions::Ignored,
        });
        if let Some(records) = records {
            let filter = |text: &str| {
                Filter::compile(text).map_err(|error| manifest::unusable(&error.to_string()))
            };
            feed.records = Records::of(filter(records)?);
            feed.gone = Some(filter("true")?);
            feed.skip = None;
        }
        Ok(Arc::new(feed))
    }

    fn request(&self, method: Method, url: Url, format: AnswerFormat) -> EhrRequest {
        // The connection's own `accept` is for searches; a strict server has parts as lines only.
        let accept = HeaderValue::from_static(format.accept());
        EhrRequest {
            turn: Turn::Poll,
            access: Access::AsUser,
            connection: self.connection.name.clone(),
            method,
            url,
            headers: HeaderMap::from_iter([(ACCEPT, accept)]),
            accept: format.accept(),
            body: None,
            timeout: self.feed.request.timeout,
        }
    }

    async fn ask_of_job(
        &mut self,
        request: EhrRequest,
        retries: Retries,
    ) -> Result<Outcome, Failed> {
        self.exchange(&self.feed.clone(), request, ASKING, retries)
            .await
    }

    /// A link of the EHR's, which must lead to the EHR itself: the credentials go along.
    fn follow(&self, from: &Url, link: &str) -> Result<Url, RoundFailure> {
        let url = joined(from, link)?;
        if url.origin() == self.connection.base_url.origin() {
            return Ok(url);
        }
        let host = url.origin().ascii_serialization();
        Err(manifest::unusable(&format!(
            "a link leads to another host, {host}, and it does not say that parts are read without the access token (`requiresAccessToken`: false)"
        )))
    }
}

fn joined(from: &Url, link: &str) -> Result<Url, RoundFailure> {
    from.join(link)
        .map_err(|_| manifest::unusable("a link in it is no URL"))
}

/// Where an answer says that what was asked for is elsewhere.
fn redirected(response: &EhrResponse) -> Option<&str> {
    match response.status.as_u16() {
        301 | 302 | 303 | 307 | 308 => response.headers.get(LOCATION)?.to_str().ok(),
        _ => None,
    }
}

/// A header, where the user has not said another.
fn add(headers: &mut HeaderMap, name: &str, value: &'static str) {
    if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
}

fn not_started(words: &str) -> RoundFailure {
    failure(
        NOT_STARTED,
        format!("{ASKING}: {words}"),
        "check the path of the export, and that the EHR lets this credential export; some run one export at a time",
    )
}
