//! One request to an EHR: sent, its answer classified, sent again where that helps.
//!
//! Rounds, lookups, setups, exports and probes ask for different things, but each exchange goes the same way. The request goes
//! through the connection's gate. What comes back is classified by the user's rules and by its status ([`classify`]). A session that has
//! ended costs a second try with a new one, whoever asks; trouble that may pass is tried again at once where nobody else would
//! ([`Retries`]), and otherwise left to the schedule or to the container, which wait longer.
//!
//! A good answer is not yet the right one: whether it is the document that was asked for is the matter of [`document`], and what it says of
//! its own size that of [`claims`]. Neither doubts an answer that a rule calls good ([`Basis::Rule`]).
//!
//! What to mind: the gate heeds `Retry-After` for all requests of a connection, so a request that is sent again waits there as long
//! as the EHR asked. What is given back as [`Failed::after`] is for those who wait elsewhere.

pub(crate) mod claims;
mod classify;
pub(crate) mod document;
pub(crate) mod issue;

use crate::Ports;
use crate::observe::{Exchange, Observer};
use crate::round::failure;
use classify::Class;
use document::Doubt;
use jiff::Timestamp;
use rounds_domain::plan::{Action, AnswerFormat, AnswerRule, Connection, RequestRule};
use rounds_domain::ports::{Clock, Ehr, EhrRequest, EhrResponse, Transience};
use rounds_domain::{Code, RoundFailure};
use rounds_map::Evaluator;
use std::time::Duration;

/// Waits before the second and the third try of what is tried again at once. A page in the middle of a long drain is worth it;
/// anything longer is the schedule's matter.
const WAITS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];

/// The code of an answer that is longer than the connection allows.
const BODY_LIMIT: Code = Code::new("R0303");

/// Who asks an EHR, and how its answers are read.
#[derive(Clone, Copy)]
pub(crate) struct Exchanger<'a> {
    pub(crate) ehr: &'a dyn Ehr,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) evaluator: &'a Evaluator,
    pub(crate) connection: &'a Connection,
    /// The action's own rules, which come before the connection's.
    pub(crate) own_rules: &'a [AnswerRule],
    /// How the answer is written.
    pub(crate) format: AnswerFormat,
    pub(crate) dialect: Dialect,
}

/// Which failures an answer with status 200 may be by its kind of API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// None.
    Plain,
    /// What has `errors`.
    GraphQl,
}

/// Whether trouble that may pass is tried again at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retries {
    /// It is, a little later and not more often than twice.
    AtOnce,
    /// It is not: the request takes what it gives, starts something, or is repeated by whoever made it.
    Left,
}

/// A good answer.
pub(crate) enum Outcome {
    /// Its body is to be read.
    Good(EhrResponse, Basis),
    /// It says that there is nothing.
    Empty(EhrResponse),
    /// It says that what was asked for is not there, or not any more.
    Gone(EhrResponse),
}

/// Why an answer counts as a good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Basis {
    /// A rule says so, of this very answer: nothing more is asked of it.
    Rule,
    /// Its status.
    Status,
}

impl Basis {
    /// What speaks against an answer, unless a rule says that it is good.
    pub(crate) fn doubt(self, judge: impl FnOnce() -> Option<Doubt>) -> Option<Doubt> {
        match self {
            Self::Rule => None,
            Self::Status => judge(),
        }
    }
}

/// Whether the same request may go better a little later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MayPass {
    Yes,
    No,
}

/// No good answer came.
pub(crate) struct Failed {
    pub(crate) failure: RoundFailure,
    pub(crate) may_pass: MayPass,
    /// How long to wait before the next try, if the answer said so.
    pub(crate) after: Option<Duration>,
    /// The bad answer, if one came.
    pub(crate) response: Option<EhrResponse>,
}

impl Failed {
    /// Nothing is known of a wait, and there is no answer that says more.
    const fn of(failure: RoundFailure, may_pass: MayPass) -> Self {
        Self {
            failure,
            may_pass,
            after: None,
            response: None,
        }
    }

    /// Whether it is this very request that the EHR does not bear, so that a smaller one may go better.
    pub(crate) fn is_of_the_request(&self) -> bool {
        let is_answered = self.response.is_some() || self.failure.code == BODY_LIMIT;
        self.may_pass == MayPass::No && is_answered
    }
}

/// Where only the failure matters.
impl From<Failed> for RoundFailure {
    fn from(failed: Failed) -> Self {
        failed.failure
    }
}

/// Counts what is sent, for whoever looks on.
pub(crate) struct Counted<'a> {
    pub(crate) requests: &'a mut u64,
    pub(crate) observer: &'a mut dyn Observer,
}

impl Observer for Counted<'_> {
    fn exchanged(&mut self, exchange: Exchange) {
        *self.requests += 1;
        self.observer.exchanged(exchange);
    }
}

impl<'a> Exchanger<'a> {
    /// For what an action asks by this rule.
    pub(crate) fn new(
        ports: &'a Ports,
        connection: &'a Connection,
        action: &'a Action,
        rule: &RequestRule,
    ) -> Self {
        Self {
            ehr: &*ports.ehr,
            clock: &*ports.clock,
            evaluator: &ports.evaluator,
            connection,
            own_rules: &action.answers,
            format: rule.format,
            dialect: Dialect::of(rule),
        }
    }

    /// Sends a request until it has an answer, or none that is worth waiting for. `what` is what is asked for, as failures say it:
    /// "asking for changes".
    pub(crate) async fn exchange(
        &self,
        request: EhrRequest,
        what: &str,
        retries: Retries,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, Failed> {
        let mut waits = match retries {
            Retries::AtOnce => WAITS.iter(),
            Retries::Left => [].iter(),
        };
        let mut sessions = 0..1;
        loop {
            let failed = match self.send(&request, what, observer).await? {
                Tried::Done(outcome) => return Ok(outcome),
                // Such an answer gave nothing, so nothing is taken twice.
                Tried::SessionEnded(failed) => match sessions.next() {
                    Some(_) => continue,
                    None => return Err(failed),
                },
                Tried::Failed(failed) => failed,
            };
            match waits.next() {
                Some(wait) if failed.may_pass == MayPass::Yes => self.clock.sleep(*wait).await,
                _ => return Err(failed),
            }
        }
    }

    async fn send(
        &self,
        request: &EhrRequest,
        what: &str,
        observer: &mut dyn Observer,
    ) -> Result<Tried, Failed> {
        let sent_at = self.clock.monotonic();
        let answer = self.ehr.send(request.clone()).await;
        let took = self.clock.monotonic().saturating_sub(sent_at);
        observer.exchanged(Exchange::of(request, &answer, took));
        let response = match answer {
            Ok(response) => response,
            Err(error) => {
                let may_pass = match error.transience {
                    Transience::Passing => MayPass::Yes,
                    Transience::Lasting => MayPass::No,
                };
                let failure = failure::no_answer(&error, what);
                return Ok(Tried::Failed(Failed::of(failure, may_pass)));
            }
        };
        // An evaluation that was given up says nothing of the answer, and would take its time at each try.
        let class = self.classify(&response, what, sent_at).await;
        let class = class.map_err(|failure| Failed::of(failure, MayPass::Yes))?;
        Ok(match class {
            Class::Good(basis) => Tried::Done(Outcome::Good(response, basis)),
            Class::Empty => Tried::Done(Outcome::Empty(response)),
            Class::Gone => Tried::Done(Outcome::Gone(response)),
            Class::SessionEnded(failure) => Tried::SessionEnded(Failed::of(failure, MayPass::Yes)),
            Class::Bad {
                failure,
                may_pass,
                after,
            } => Tried::Failed(Failed {
                failure,
                may_pass,
                after,
                response: Some(response),
            }),
        })
    }
}

/// What came of one try.
enum Tried {
    Done(Outcome),
    SessionEnded(Failed),
    Failed(Failed),
}

impl Outcome {
    /// The answer.
    pub(crate) const fn response(&self) -> &EhrResponse {
        match self {
            Self::Good(response, _) | Self::Empty(response) | Self::Gone(response) => response,
        }
    }
}

/// The source's clock, as the answer's `Date` header shows it (RFC 9110, 6.6.1).
pub(crate) fn date_of(response: &EhrResponse) -> Option<Timestamp> {
    let text = response.headers.get(http::header::DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()
}
