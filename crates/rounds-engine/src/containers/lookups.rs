//! Follow-up requests: equal ones of a round are asked once.
//!
//! A thousand changed appointments of fifty patients cost fifty requests. The first container that needs an answer asks,
//! those that come meanwhile wait for the same answer, those that come later find it. An answer serves the round that
//! asked and no later one, because a patient may have changed in between. Failures are not kept.
//!
//! Where the EHR can answer many at once, those that are wanted at the same time share a request ([`batch`]).

mod batch;
mod identity;

use self::batch::Batches;
use self::identity::{AskedFor, Identity};
use super::Trouble;
use crate::Ports;
use crate::exchange::document::{self, Doubt};
use crate::exchange::{Basis, Exchanger, Failed, Outcome, Retries};
use crate::observe::NoObserver;
use crate::request::{self, Blanks};
use crate::round::failure;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use jiff::Timestamp;
use rounds_domain::plan::{Action, Connection, Expect, Lookup, WhenMissing};
use rounds_domain::ports::{Access, BodyPiece, EhrRequest, Turn};
use rounds_domain::{ActionName, Code, Container, Document, LookupName};
use rounds_map::{EvaluateError, Json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The code of a lookup whose request cannot be made from the container.
const NOT_ASKABLE: Code = Code::new("R0405");
/// The code of an answer that holds several records where one is expected.
const SEVERAL: Code = Code::new("R0414");
/// The code of an answer that is another record's.
const ANOTHER: Code = Code::new("R0415");
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
    batches: Batches,
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
enum Question {
    /// The same request.
    Request {
        method: http::Method,
        url: url::Url,
        headers: Vec<(http::HeaderName, http::HeaderValue)>,
        body: Vec<BodyPiece>,
    },
    /// The same key of a lookup that is asked in batches.
    Key { lookup: LookupName, key: String },
}

impl Question {
    fn of(request: &EhrRequest) -> Self {
        let headers = request.headers.iter();
        Self::Request {
            method: request.method.clone(),
            url: request.url.clone(),
            headers: headers
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            body: (request.body.as_ref()).map_or_else(Vec::new, |body| body.pieces.clone()),
        }
    }
}

impl LookupDesk {
    /// Asks, or waits for whoever asks the same already.
    pub(super) async fn look_up(
        &self,
        ports: &Ports,
        connection: &Arc<Connection>,
        action: &Arc<Action>,
        container: &Container,
        lookup: &Lookup,
        scope: &super::scope::Scope,
    ) -> Result<Looked, Trouble> {
        let asking = Asking {
            ports: ports.clone(),
            connection: Arc::clone(connection),
            action: Arc::clone(action),
            lookup: Arc::new(lookup.clone()),
            what: format!("lookup `{}`", lookup.name),
        };
        let (question, answer) = match &lookup.batch {
            None => {
                let request = asking.request(scope.json())?;
                let question = Question::of(&request);
                let answer = self.answer(container, question.clone(), || {
                    let asked_for = AskedFor::of(lookup, scope.json());
                    asking.one(request, asked_for).boxed().shared()
                });
                (question, answer)
            }
            Some(batch) => {
                let key = batch::key(batch, scope.json(), &asking.what)?;
                let question = Question::Key {
                    lookup: lookup.name.clone(),
                    key: key.clone(),
                };
                let answer = self.answer(container, question.clone(), || {
                    (self.batches)
                        .join(container, lookup, batch, asking, key)
                        .boxed()
                        .shared()
                });
                (question, answer)
            }
        };
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

/// What one question needs, which may outlive whoever asked it first.
struct Asking {
    ports: Ports,
    connection: Arc<Connection>,
    action: Arc<Action>,
    lookup: Arc<Lookup>,
    what: String,
}

impl Asking {
    fn request(&self, scope: &Json) -> Result<EhrRequest, Trouble> {
        let blanks = Blanks::Refused {
            optional: &self.lookup.optional,
        };
        let built = request::build(&self.connection, &self.lookup.request, scope, blanks);
        let request = built.map_err(|error| Trouble {
            code: NOT_ASKABLE,
            reason: format!("{} cannot be asked: {error}", self.what),
            retry_after: None,
        })?;
        Ok(EhrRequest {
            turn: Turn::FollowUp,
            access: Access::AsUser,
            ..request
        })
    }

    /// Asks for one record.
    async fn one(self, request: EhrRequest, asked_for: AskedFor) -> Result<Looked, Trouble> {
        let (outcome, at) = self.ask(request).await?;
        match outcome {
            Outcome::Empty(response) | Outcome::Gone(response) => Ok(Looked::Missing {
                status: response.status.as_u16(),
                at,
            }),
            Outcome::Good(response, basis) => {
                let (lookup, answer) = (Arc::clone(&self.lookup), response.clone());
                let read = self
                    .beside(move || {
                        let json = lookup.request.format.read(&answer.body)?;
                        let doubt = basis.doubt(|| match lookup.expect {
                            Expect::One => document::doubt_single(answer.status, &json),
                            Expect::Many => document::doubt_record(answer.status, &json),
                        });
                        if let Some(doubt) = doubt {
                            return Ok(Err(doubt));
                        }
                        let identity = match lookup.expect {
                            Expect::One => asked_for.judge(&lookup, &json),
                            Expect::Many => Identity::AsAsked,
                        };
                        Ok(Ok((Document::new(json.to_bytes()), identity)))
                    })
                    .await?;
                let read = read.map_err(|error| {
                    Trouble::from(failure::unreadable(&response, &self.what, &error))
                })?;
                let (body, identity) =
                    read.map_err(|doubt| Trouble::from(doubt.failure(&self.what)))?;
                match identity {
                    Identity::AsAsked => Ok(Looked::Found { body, at }),
                    Identity::Nothing => Ok(Looked::Missing {
                        status: response.status.as_u16(),
                        at,
                    }),
                    Identity::Several(count) => Err(self.several(count)),
                    Identity::Another => Err(Trouble {
                        code: ANOTHER,
                        reason: format!(
                            "{}: the answer's own identifier is not the one that was asked for",
                            self.what
                        ),
                        retry_after: None,
                    }),
                }
            }
        }
    }

    fn several(&self, count: u64) -> Trouble {
        Trouble {
            code: SEVERAL,
            reason: format!(
                "{}: the answer holds {count} records, and one is expected",
                self.what
            ),
            retry_after: None,
        }
    }

    /// Asks. Trouble that may pass is waited for by the container, which others overtake meanwhile.
    async fn ask(&self, request: EhrRequest) -> Result<(Outcome, Timestamp), Failed> {
        let exchanger = Exchanger::new(
            &self.ports,
            &self.connection,
            &self.action,
            &self.lookup.request,
        );
        let outcome = exchanger
            .exchange(request, &self.what, Retries::Left, &mut NoObserver)
            .await?;
        Ok((outcome, self.ports.clock.now()))
    }

    /// Computes where expressions are evaluated.
    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Trouble> {
        let done = self.ports.evaluator.run(work).await;
        done.map_err(|error| Trouble::not_evaluated(&self.what, error))
    }
}

/// A condition of a lookup that fails says nothing: an answer of null would be told as if nothing had been asked for.
pub(super) fn not_askable(lookup: &Lookup, error: &EvaluateError) -> Trouble {
    Trouble {
        code: NOT_ASKABLE,
        reason: format!(
            "lookup `{}` cannot be asked: its `when` failed: {error}",
            lookup.name
        ),
        retry_after: None,
    }
}

impl std::fmt::Debug for LookupDesk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LookupDesk")
    }
}

#[cfg(test)]
mod tests;
