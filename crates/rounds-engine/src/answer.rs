//! What an answer means: by the user's rules first, by its status otherwise.
//!
//! Rounds and lookups ask in different ways, but an answer means the same to both, so it is judged in one place. The action's
//! rules come before the connection's, and the first one that fits counts. What concerns the connection as a whole, that it
//! asks for less, that its session has ended, is told to the [`Ehr`](rounds_domain::ports::Ehr) from here.
//!
//! A good answer is not yet the right one: whether it is the document that was asked for is the matter of [`document`], and what it says of its
//! own size that of [`claims`]. Neither doubts an answer that a rule calls good.
//!
//! What to mind: a rule with a `body` reads the whole body, and a page that turns out to be good is read once more for its records.
//! A rule with `status` or `text` beside it is looked at in that order, so that the body is only read where it may matter.

pub(crate) mod claims;
pub(crate) mod document;
pub(crate) mod issue;

use crate::Ports;
use crate::round::failure::{self, failure};
use bytes::Bytes;
use http::StatusCode;
use jiff::Timestamp;
use rounds_domain::RoundFailure;
use rounds_domain::plan::{
    Action, After, AnswerFormat, AnswerRule, Connection, Meaning, RequestBodyRule, RequestRule,
};
use rounds_domain::ports::EhrResponse;
use rounds_map::Json;
use std::time::Duration;

/// Whose answers are judged, and how they are written.
#[derive(Clone, Copy)]
pub(crate) struct Judge<'a> {
    pub(crate) ports: &'a Ports,
    pub(crate) connection: &'a Connection,
    pub(crate) action: &'a Action,
    pub(crate) rule: &'a RequestRule,
}

/// What an answer means.
pub(crate) enum Verdict {
    /// Its body is read.
    Good(Basis),
    /// It says that there is nothing.
    Nothing,
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

/// Why an answer counts as a good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Basis {
    /// A rule says so, of this very answer: nothing more is asked of it.
    Rule,
    /// Its status.
    Status,
}

/// Whether the same request may go better a little later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MayPass {
    Yes,
    No,
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
}

impl Judge<'_> {
    /// Judges an answer. `what` is what was asked for, `sent_at` when, by the monotonic clock.
    pub(crate) async fn judge(
        &self,
        response: &EhrResponse,
        what: &str,
        sent_at: Duration,
    ) -> Result<Verdict, RoundFailure> {
        let Some(said) = self.said(response, what).await? else {
            return Ok(by_status(response, what));
        };
        let ehr = &self.ports.ehr;
        let connection = &self.connection.name;
        let told = format!(
            "{what}: the EHR answered {}, which means `{}` by {}",
            response.status,
            said.meaning.word(),
            said.rule
        );
        let bad = |code, hint: &str, may_pass| Verdict::Bad {
            failure: failure(code, told.clone(), hint),
            may_pass,
            after: None,
        };
        Ok(match said.meaning {
            Meaning::Ok => Verdict::Good(Basis::Rule),
            Meaning::Empty => Verdict::Nothing,
            Meaning::Gone => Verdict::Gone,
            Meaning::Throttled { .. } => {
                let after = said.after.or_else(|| retry_after(response));
                ehr.throttled(connection, sent_at, after).await;
                Verdict::Bad {
                    failure: failure(failure::THROTTLED, told, failure::SLOWER),
                    may_pass: MayPass::Yes,
                    after,
                }
            }
            Meaning::AuthExpired => {
                ehr.session_ended(connection, sent_at).await;
                Verdict::SessionEnded(failure(
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
        let own = self.action.answers.iter();
        let is_graphql = matches!(self.rule.body, Some(RequestBodyRule::GraphQl { .. }));
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
            let (format, body) = (self.rule.format, response.body.clone());
            let (rules, now) = (candidates.clone(), self.ports.clock.now());
            let looked = (self.ports.evaluator)
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

    fn name_of(&self, index: usize) -> String {
        let own = self.action.answers.len();
        if index < own {
            format!("rule {} of the action's `answers`", index + 1)
        } else {
            format!("rule {} of the connection's `answers`", index - own + 1)
        }
    }
}

/// What the status means by itself.
fn by_status(response: &EhrResponse, what: &str) -> Verdict {
    let status = response.status;
    if status.is_success() {
        return Verdict::Good(Basis::Status);
    }
    if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) {
        return Verdict::Gone;
    }
    let may_pass = if matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504) {
        MayPass::Yes
    } else {
        MayPass::No
    };
    Verdict::Bad {
        failure: failure::status(response, what),
        may_pass,
        after: retry_after(response),
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
    let fits = |rule: &AnswerRule| {
        rule.body.as_ref().is_none_or(|filter| {
            (json.as_ref())
                .and_then(|json| filter.optional(json).ok().flatten())
                .and_then(|value| value.as_bool())
                == Some(true)
        })
    };
    if let Some((index, rule)) = rules.iter().find(|(_, rule)| fits(rule)) {
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

/// `Retry-After` in seconds. The form with a date is the gate's matter, which holds all requests until then.
pub(crate) fn retry_after(response: &EhrResponse) -> Option<Duration> {
    let text = response.headers.get(http::header::RETRY_AFTER)?;
    let text = text.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}
