//! What must be set up at an EHR before an action's rounds, and whether it is.
//!
//! A setup stands in the store as a feed of its own, whose cursor is a mark of the request that was made: so it is
//! made once, survives restarts, is made again when the configuration says another one, and shows in `rounds status` with its
//! failures. After it was made, no round is made until it has settled.
//!
//! What to mind: an answer that means `needs_setup` says that the setup is gone (a subscription ran out, a key was replaced). Then it is
//! made again, but not sooner than it settles: an EHR that goes on refusing is not pestered.

use super::failure::{self, failure};
use crate::exchange::{Basis, Exchanger, Outcome, Retries, document};
use crate::observe::NoObserver;
use crate::{Ports, request};
use jiff::Timestamp;
use rounds_domain::plan::{Action, AnswerFormat, Connection, Feed, Setup};
use rounds_domain::ports::{BodyPiece, EhrRequest, EhrResponse, StoreError};
use rounds_domain::{
    Code, Cursor, FeedKey, FeedName, FeedState, Phi, RoundCommit, RoundEnd, RoundFailure,
};
use rounds_map::Json;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// The name of the feed that a setup is kept as.
const FEED: &str = "setup";
/// The setup was not made.
const SETUP_FAILED: Code = Code::new("R0360");

/// Whether rounds may be made.
pub(crate) enum Readiness {
    /// They may.
    Ready,
    /// They may from then on.
    Settling(Timestamp),
    /// The setup could not be made.
    Failed(RoundFailure),
}

/// Which part a feed has in the setup of its action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// It makes it.
    Makes,
    /// It waits until it is made: several feeds of an action have rounds side by side.
    Waits,
}

impl Part {
    /// The change query makes it, for all.
    pub(crate) fn of(action: &Action, feed: &Feed) -> Self {
        if feed.name == action.changes.name {
            Self::Makes
        } else {
            Self::Waits
        }
    }
}

/// Makes the setup of an action if it has one that was not made yet.
pub(crate) async fn prepare(
    ports: &Ports,
    connection: &Connection,
    action: &Action,
    part: Part,
) -> Result<Readiness, StoreError> {
    let Some(setup) = &action.setup else {
        return Ok(Readiness::Ready);
    };
    let request = match request::build(
        connection,
        &setup.request,
        &Json::object::<String>([]),
        request::Blanks::LeftOut,
    ) {
        Ok(request) => request,
        Err(error) => {
            let words = format!("the setup cannot be asked for: {error}");
            return Ok(Readiness::Failed(failure(SETUP_FAILED, words, HINT)));
        }
    };
    let mark = mark_of(&request);
    let state = state_of(ports, action).await?;
    let is_made = matches!(&state.cursor, Some(Cursor::Token(made)) if *made.expose() == mark);
    if is_made {
        return Ok(settled(setup, state.last_succeeded_at, ports.clock.now()));
    }
    let started_at = ports.clock.now();
    if part == Part::Waits {
        return Ok(Readiness::Settling(started_at));
    }
    let outcome = send(ports, connection, action, setup, request).await;
    let (end, cursor) = match &outcome {
        Ok(()) => (RoundEnd::Succeeded, Some(Cursor::Token(Phi::new(mark)))),
        Err(failure) => (RoundEnd::Failed(failure.clone()), None),
    };
    commit(ports, action, end, cursor, started_at).await?;
    Ok(match outcome {
        Ok(()) => {
            tracing::info!(action = %action.name, settle = ?setup.settle, "the setup was made");
            settled(setup, Some(ports.clock.now()), ports.clock.now())
        }
        Err(failure) => Readiness::Failed(failure),
    })
}

/// Takes note of a round's end: one that failed because something is not set up has the setup made again, once it had its time.
pub(crate) async fn after_round(
    ports: &Ports,
    action: &Action,
    end: &RoundEnd,
) -> Result<(), StoreError> {
    let (Some(setup), RoundEnd::Failed(failed)) = (&action.setup, end) else {
        return Ok(());
    };
    if failed.code != failure::NEEDS_SETUP {
        return Ok(());
    }
    let now = ports.clock.now();
    let state = state_of(ports, action).await?;
    let is_due = matches!(
        settled(setup, state.last_succeeded_at, now),
        Readiness::Ready
    );
    if is_due {
        tracing::warn!(action = %action.name, "the EHR says that something is not set up; the setup is made again");
        let nothing = Cursor::Token(Phi::new(String::new()));
        commit(ports, action, RoundEnd::Unfinished, Some(nothing), now).await?;
    }
    Ok(())
}

const HINT: &str = "check `setup` of the action, and what the EHR allows this credential";

fn settled(setup: &Setup, made_at: Option<Timestamp>, now: Timestamp) -> Readiness {
    // What is said to have been made in the future was made while the clock was wrong: how long ago is not known.
    let made_at = made_at.filter(|made_at| *made_at <= now);
    let Some(until) = made_at.and_then(|made_at| made_at.checked_add(setup.settle).ok()) else {
        return Readiness::Ready;
    };
    if now < until {
        Readiness::Settling(until)
    } else {
        Readiness::Ready
    }
}

async fn send(
    ports: &Ports,
    connection: &Connection,
    action: &Action,
    setup: &Setup,
    request: EhrRequest,
) -> Result<(), RoundFailure> {
    const WHAT: &str = "setting up";
    let rule = &setup.request;
    let exchanger = Exchanger::new(ports, connection, action, rule);
    let outcome = exchanger
        .exchange(request, WHAT, Retries::AtOnce, &mut NoObserver)
        .await;
    let answered = match outcome {
        Ok(Outcome::Good(response, basis)) => {
            believed(ports, rule.format, response, basis, WHAT).await
        }
        Ok(Outcome::Empty(_)) => Ok(()),
        Ok(Outcome::Gone(response)) => Err(failure::status(&response, WHAT)),
        Err(failed) => Err(failed.into()),
    };
    answered.map_err(|cause| {
        failure(
            SETUP_FAILED,
            cause.message,
            cause.hint.unwrap_or_else(|| HINT.to_owned()),
        )
    })
}

/// Whether a good answer says that the setup was made, or at least nothing else.
async fn believed(
    ports: &Ports,
    format: AnswerFormat,
    response: EhrResponse,
    basis: Basis,
    what: &str,
) -> Result<(), RoundFailure> {
    let looked = (ports.evaluator)
        .run(move || basis.doubt(|| document::doubt_receipt(format, &response)))
        .await;
    match looked {
        Ok(None) => Ok(()),
        Ok(Some(doubt)) => Err(failure(
            SETUP_FAILED,
            format!("{what}: {}", doubt.words()),
            HINT,
        )),
        Err(error) => Err(failure::not_evaluated(what, error)),
    }
}

fn key(action: &Action) -> FeedKey {
    FeedKey::whole(action.name.clone(), FeedName::new(FEED))
}

async fn state_of(ports: &Ports, action: &Action) -> Result<FeedState, StoreError> {
    let states = ports.store.feed_states(&[key(action)]).await?;
    Ok(states.into_iter().next().unwrap_or_default())
}

async fn commit(
    ports: &Ports,
    action: &Action,
    end: RoundEnd,
    cursor: Option<Cursor>,
    started_at: Timestamp,
) -> Result<(), StoreError> {
    let (lane, now) = (action.connection.clone(), ports.clock.now());
    let commit = RoundCommit {
        cursor,
        ..RoundCommit::of(key(action), lane, started_at, now, end)
    };
    ports.store.commit_round(commit).await.map(drop)
}

/// What makes one setup another than the former.
fn mark_of(request: &EhrRequest) -> String {
    let mut hash = Sha256::new();
    hash.update(request.method.as_str());
    hash.update(request.url.as_str());
    for (name, value) in &request.headers {
        hash.update(name.as_str());
        hash.update(value.as_bytes());
    }
    for piece in request.body.iter().flat_map(|body| &body.pieces) {
        if let BodyPiece::Ready(text) = piece {
            hash.update(text);
        }
    }
    let mut mark = String::new();
    for byte in &hash.finalize()[..16] {
        // Writing into a text does not fail.
        _ = write!(mark, "{byte:02x}");
    }
    mark
}
