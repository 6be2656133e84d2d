//! Follow-up requests: equal ones of a round are asked once.
//!
//! A thousand changed appointments of fifty patients cost fifty requests. The first container that needs an answer asks,
//! those that come meanwhile wait for the same answer, those that come later find it. An answer serves the round that
//! asked and no later one, because a patient may have changed in between. Failures are not kept.

use super::Trouble;
use crate::round::failure;
use crate::{Ports, request};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use jiff::Timestamp;
use rounds_domain::plan::{Connection, Lookup, WhenMissing};
use rounds_domain::ports::EhrRequest;
use rounds_domain::{ActionName, Code, Container, Document};
use rounds_map::Json;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The code of a lookup whose request cannot be made from the container.
const NOT_ASKABLE: Code = Code::new("R0405");
/// The desk forgets everything when it holds this many answers...
const MOST_ANSWERS: usize = 10_000;
/// ...or this many bytes of them.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// What a lookup found.
#[derive(Debug, Clone)]
pub(super) enum Looked {
    /// The answer.
    Found {
        /// Its body, JSON.
        body: Document,
        /// When it was given, by our clock.
        at: Timestamp,
    },
    /// The EHR says that there is no such record.
    Missing {
        /// 404 or 410.
        status: u16,
        /// When it said so, by our clock.
        at: Timestamp,
    },
}

type Answer = Shared<BoxFuture<'static, Result<Looked, Trouble>>>;

/// Where equal lookups of a round meet.
#[derive(Default)]
pub(crate) struct LookupDesk {
    rounds: Mutex<Rounds>,
}

/// The answers of each action's latest round.
#[derive(Default)]
struct Rounds {
    by_action: HashMap<ActionName, RoundAnswers>,
    answers: usize,
    bytes: usize,
}

/// The answers of one round of an action.
#[derive(Default)]
struct RoundAnswers {
    round: u64,
    answers: HashMap<Question, Kept>,
}

/// One answer, which many containers may share.
struct Kept {
    answer: Answer,
    /// Its size, counted once; 0 while it is not there.
    bytes: usize,
}

/// What makes two lookups equal.
#[derive(PartialEq, Eq, Hash, Clone)]
struct Question {
    method: http::Method,
    url: url::Url,
    headers: Vec<(http::HeaderName, http::HeaderValue)>,
}

impl LookupDesk {
    /// Asks, or waits for whoever asks the same already.
    pub(super) async fn look_up(
        &self,
        ports: &Ports,
        connection: &Connection,
        container: &Container,
        lookup: &Lookup,
        scope: &super::mapping::Scope,
    ) -> Result<Looked, Trouble> {
        let request =
            request::build(connection, &lookup.request, scope.json()).map_err(|error| Trouble {
                code: NOT_ASKABLE,
                reason: format!("lookup `{}` cannot be asked: {error}", lookup.name),
                retry_after: None,
            })?;
        let question = Question {
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        };
        let answer = self.answer(container, question.clone(), || {
            ask(ports.clone(), request, lookup.name.to_string())
                .boxed()
                .shared()
        });
        let looked = answer.await;
        self.remember(container, lookup.when_missing, &question, &looked);
        looked
    }

    fn answer(
        &self,
        container: &Container,
        question: Question,
        ask: impl FnOnce() -> Answer,
    ) -> Answer {
        let mut rounds = self.lock();
        let full = rounds.answers >= MOST_ANSWERS || rounds.bytes >= MOST_BYTES;
        if full {
            *rounds = Rounds::default();
        }
        let latest = rounds
            .by_action
            .entry(container.action.clone())
            .or_default();
        if container.round < latest.round {
            // A late container of an older round: its own question, so that it does not get an answer older than it needs
            // nor keep one for others.
            return ask();
        }
        let (mut forgotten, mut forgotten_bytes) = (0, 0);
        if container.round > latest.round {
            latest.round = container.round;
            forgotten = latest.answers.len();
            forgotten_bytes = latest.answers.values().map(|kept| kept.bytes).sum();
            latest.answers.clear();
        }
        let before = latest.answers.len();
        let kept = latest.answers.entry(question).or_insert_with(|| Kept {
            answer: ask(),
            bytes: 0,
        });
        let answer = kept.answer.clone();
        let added = latest.answers.len() - before;
        rounds.answers = (rounds.answers + added).saturating_sub(forgotten);
        rounds.bytes = rounds.bytes.saturating_sub(forgotten_bytes);
        answer
    }

    /// Counts what is kept, and forgets failures. A record that is missing and waited for is one: whoever tries again
    /// wants to know whether it has come.
    fn remember(
        &self,
        container: &Container,
        when_missing: WhenMissing,
        question: &Question,
        looked: &Result<Looked, Trouble>,
    ) {
        let mut rounds = self.lock();
        let Some(latest) = rounds
            .by_action
            .get_mut(&container.action)
            .filter(|latest| latest.round == container.round)
        else {
            return;
        };
        match looked {
            Ok(Looked::Found { body, .. }) => {
                // Whoever comes first counts it: the others share the same bytes.
                let uncounted = latest
                    .answers
                    .get_mut(question)
                    .filter(|kept| kept.bytes == 0);
                if let Some(kept) = uncounted {
                    kept.bytes = body.len_bytes();
                    rounds.bytes += body.len_bytes();
                }
            }
            Ok(Looked::Missing { .. }) if when_missing != WhenMissing::Park => {}
            Ok(Looked::Missing { .. }) | Err(_) => {
                if latest.answers.remove(question).is_some() {
                    rounds.answers = rounds.answers.saturating_sub(1);
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Rounds> {
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask(ports: Ports, request: EhrRequest, name: String) -> Result<Looked, Trouble> {
    let what = format!("lookup `{name}`");
    let response = ports.ehr.send(request).await.map_err(|error| Trouble {
        code: error.code,
        reason: format!("{what}: {}", error.message),
        retry_after: None,
    })?;
    let at = ports.clock.now();
    let status = response.status;
    if matches!(status.as_u16(), 404 | 410) {
        return Ok(Looked::Missing {
            status: status.as_u16(),
            at,
        });
    }
    let failed = |failure: rounds_domain::RoundFailure, retry_after| Trouble {
        code: failure.code,
        reason: failure.message,
        retry_after,
    };
    if !status.is_success() {
        return Err(failed(
            failure::status(&response, &what),
            retry_after(&response.headers),
        ));
    }
    let body: Bytes = response.body.clone();
    let parsed = ports
        .evaluator
        .run(move || Json::parse(&body).map(|json| Document::new(json.to_bytes())))
        .await
        .map_err(|error| Trouble {
            code: failure::EVALUATOR,
            reason: format!("{what}: {error}"),
            retry_after: None,
        })?;
    let body = parsed.map_err(|error| failed(failure::not_json(&response, &what, &error), None))?;
    Ok(Looked::Found { body, at })
}

/// `Retry-After` in seconds. The form with a date is the gate's matter, which holds all requests until then.
fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

impl std::fmt::Debug for LookupDesk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LookupDesk")
    }
}

#[cfg(test)]
mod tests;
