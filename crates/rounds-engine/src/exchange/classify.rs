//! What an answer means: by the user's rules first, by its status otherwise.
//!
//! An answer means the same to a round and to a lookup, so it is classified in one place. The action's rules come before the
//! connection's, and the first one that fits counts. What concerns the connection as a whole, that it asks for less, that its
//! session has ended, is told to the [`Ehr`](rounds_domain::ports::Ehr) from here.
//!
//! What to mind: a rule with a `body` reads the whole body, and a page that turns out to be good is read once more for its records.
//! A rule with `status` or `text` beside it is looked at in that order, so that the body is only read where it may matter.

use super::{Basis, Dialect, Exchanger, MayPass};
use crate::round::conditions::no_condition;
use crate::round::failure::{self, failure};
use bytes::Bytes;
use http::StatusCode;
use jiff::Timestamp;
use rounds_domain::plan::{After, AnswerFormat, AnswerRule, Meaning, RequestBodyRule, RequestRule};
use rounds_domain::ports::EhrResponse;
use rounds_domain::{RoundFailure, retry_after};
use rounds_map::{EvaluateError, Json};
use std::time::Duration;

/// What an answer means.
pub(super) enum Class {
    /// Its body is read.
    Good(Basis),
    /// It says that there is nothing.
    Empty,
    /// It says that what was asked for is gone, or was never there.
    Gone,
    /// The connection's session has ended, and the next request gets another one.
    SessionEnded(RoundFailure),
    /// It is none.
    Bad {
        failure: RoundFailure,
        /// Whether the same request may go better a little later.
        may_pass: MayPass,
        /// How long to wait before, if it said so.
        after: Option<Duration>,
    },
}

/// What a rule says of an answer.
struct Said {
    meaning: Meaning,
    /// Which rule it was, in words.
    rule: String,
    /// How long to wait, if the body says so.
    after: Option<Duration>,
}

/// What is found in an answer by looking into it.
enum Found {
    /// The rule with this index fits.
    Rule(usize, Option<Duration>),
    /// None fits, and it is GraphQL's answer to a failure.
    GraphQlErrors(usize),
    Nothing,
    /// The condition of the rule with this index gives neither true nor false.
    NoCondition(usize, EvaluateError),
}

impl Dialect {
    /// That of a request.
    pub(crate) const fn of(rule: &RequestRule) -> Self {
        match rule.body {
            Some(RequestBodyRule::GraphQl { .. }) => Self::GraphQl,
            _ => Self::Plain,
        }
    }
}

impl Exchanger<'_> {
    /// Classifies an answer. `what` is what was asked for, `sent_at` when, by the monotonic clock.
    pub(super) async fn classify(
        &self,
        response: &EhrResponse,
        what: &str,
        sent_at: Duration,
    ) -> Result<Class, RoundFailure> {
        let Some(said) = self.said(response, what).await? else {
            return Ok(self.by_status(response, what));
        };
        let ehr = self.ehr;
        let connection = &self.connection.name;
        let told = format!(
            "{what}: the EHR answered {}, which means `{}` by {}",
            response.status,
            said.meaning.word(),
            said.rule
        );
        let bad = |code, hint: &str, may_pass| Class::Bad {
            failure: failure(code, told.clone(), hint),
            may_pass,
            after: None,
        };
        Ok(match said.meaning {
            Meaning::Ok => Class::Good(Basis::Rule),
            Meaning::Empty => Class::Empty,
            Meaning::Gone => Class::Gone,
            Meaning::Throttled { .. } => {
                let after = said.after.or_else(|| self.retry_after(response));
                ehr.throttled(connection, sent_at, after).await;
                Class::Bad {
                    failure: failure(failure::THROTTLED, told, failure::SLOWER),
                    may_pass: MayPass::Yes,
                    after,
                }
            }
            Meaning::AuthExpired => {
                ehr.session_ended(connection, sent_at).await;
                Class::SessionEnded(failure(
                    failure::REFUSED_CREDENTIALS,
                    told,
                    "check the connection's `auth`, and that the rule fits answers of an ended session only",
                ))
            }
            Meaning::NeedsSetup => bad(
                failure::NEEDS_SETUP,
                "the EHR wants something set up before it is asked, such as a subscription: its documentation says what",
                MayPass::No,
            ),
            Meaning::Unsupported => bad(
                failure::UNSUPPORTED,
                "ask in another way: by dates, or for everything with `reconcile`",
                MayPass::No,
            ),
            Meaning::Retry => bad(
                failure::UNEXPECTED_STATUS,
                "the trouble is at the EHR; Rounds goes on asking",
                MayPass::Yes,
            ),
            Meaning::Fatal => bad(
                failure::FATAL_ANSWER,
                "`rounds poll ACTION --dry-run` shows the request; the EHR's own words are in its answer",
                MayPass::No,
            ),
        })
    }

    /// What the rules say; None where none fits.
    async fn said(&self, response: &EhrResponse, what: &str) -> Result<Option<Said>, RoundFailure> {
        let own = self.own_rules.iter();
        let is_graphql = self.dialect == Dialect::GraphQl;
        let candidates: Vec<(usize, AnswerRule)> = own
            .chain(&self.connection.answers)
            .enumerate()
            .filter(|(_, rule)| may_fit(rule, response))
            .map(|(index, rule)| (index, rule.clone()))
            .collect();
        if candidates.is_empty() && !is_graphql {
            return Ok(None);
        }
        let reads = is_graphql || candidates.iter().any(|(_, rule)| reads_body(rule));
        let found = if reads {
            let (format, body) = (self.format, response.body.clone());
            let (rules, now) = (candidates.clone(), self.clock.now());
            let looked = (self.evaluator)
                .run(move || look(&rules, format, &body, is_graphql, now))
                .await;
            looked.map_err(|error| {
                failure::not_evaluated(&format!("{what}: reading the answer"), error)
            })?
        } else {
            (candidates.first()).map_or(Found::Nothing, |(index, _)| Found::Rule(*index, None))
        };
        Ok(match found {
            Found::GraphQlErrors(count) if response.status.is_success() => Some(Said {
                meaning: Meaning::Fatal,
                rule: format!("its GraphQL `errors`, of which there are {count}"),
                after: None,
            }),
            Found::GraphQlErrors(_) | Found::Nothing => None,
            Found::NoCondition(index, error) => {
                let rule = format!("`body` of {}", self.name_of(index));
                return Err(no_condition(&rule, &error));
            }
            Found::Rule(index, after) => {
                let rule = candidates.into_iter().find(|(known, _)| *known == index);
                rule.map(|(index, rule)| {
                    let span = match &rule.means {
                        Meaning::Throttled {
                            after: Some(After::Span(span)),
                        } => Some(*span),
                        _ => None,
                    };
                    Said {
                        meaning: rule.means,
                        rule: self.name_of(index),
                        after: after.or(span),
                    }
                })
            }
        })
    }

    /// What the status means by itself.
    fn by_status(&self, response: &EhrResponse, what: &str) -> Class {
        let status = response.status;
        if status.is_success() {
            return Class::Good(Basis::Status);
        }
        if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Class::Gone;
        }
        let may_pass = if matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504) {
            MayPass::Yes
        } else {
            MayPass::No
        };
        Class::Bad {
            failure: failure::status(response, what),
            may_pass,
            after: self.retry_after(response),
        }
    }

    fn retry_after(&self, response: &EhrResponse) -> Option<Duration> {
        retry_after(&response.headers, self.clock.now())
    }

    fn name_of(&self, index: usize) -> String {
        let own = self.own_rules.len();
        if index < own {
            format!("rule {} of the action's `answers`", index + 1)
        } else {
            format!("rule {} of the connection's `answers`", index - own + 1)
        }
    }
}

/// Whether a rule fits as far as can be seen without reading the body.
fn may_fit(rule: &AnswerRule, response: &EhrResponse) -> bool {
    let has_status = rule.statuses.is_empty()
        || (rule.statuses.iter()).any(|range| range.contains(response.status));
    let has_headers = rule.headers.iter().all(|(name, text)| {
        let mut values = response.headers.get_all(name).iter();
        values.any(|value| {
            let value = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
            value.contains(&text.to_ascii_lowercase())
        })
    });
    has_status
        && has_headers
        && rule
            .text
            .as_ref()
            .is_none_or(|text| holds(&response.body, text))
}

fn holds(body: &Bytes, text: &str) -> bool {
    memchr::memmem::find(body, text.as_bytes()).is_some()
}

const fn reads_body(rule: &AnswerRule) -> bool {
    let waits_as_it_says = matches!(
        rule.means,
        Meaning::Throttled {
            after: Some(After::Body(_))
        }
    );
    rule.body.is_some() || waits_as_it_says
}

fn look(
    rules: &[(usize, AnswerRule)],
    format: AnswerFormat,
    body: &[u8],
    is_graphql: bool,
    now: Timestamp,
) -> Found {
    let json = format.read(body).ok();
    for (index, rule) in rules {
        // Answers are of every shape, and a condition that fails on one of them does not fit it.
        if let Some(filter) = &rule.body {
            match json.as_ref().map(|json| filter.holds(json)) {
                Some(Ok(true)) => {}
                Some(Err(error @ EvaluateError::NoCondition { .. })) => {
                    return Found::NoCondition(*index, error);
                }
                Some(Ok(false) | Err(_)) | None => continue,
            }
        }
        let after = match &rule.means {
            Meaning::Throttled {
                after: Some(After::Body(filter)),
            } => (json.as_ref())
                .and_then(|json| filter.optional(json).ok().flatten())
                .and_then(|value| wait(&value, now)),
            _ => None,
        };
        return Found::Rule(*index, after);
    }
    let errors = json.as_ref().and_then(|json| json.get("errors"));
    let count = errors.map_or(0, |errors| errors.items().count());
    if is_graphql && count > 0 {
        return Found::GraphQlErrors(count);
    }
    Found::Nothing
}

/// How long to wait: seconds, or until an instant.
fn wait(value: &Json, now: Timestamp) -> Option<Duration> {
    let text = value.scalar_text()?;
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Duration::try_from(instant.duration_since(now)).ok();
    }
    let seconds: f64 = text.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}
