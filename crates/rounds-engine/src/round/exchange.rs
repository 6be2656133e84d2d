//! One page's request and answer.

use super::failure;
use crate::answer::{Basis, Judge, MayPass, Verdict};
use crate::observe::{Exchange, Observer};
use jiff::Timestamp;
use rounds_domain::RoundFailure;
use rounds_domain::ports::{EhrRequest, EhrResponse, Transience};
use std::time::Duration;

/// Waits before the second and the third try of a page. A page in the middle of a long drain is worth trying again at
/// once; anything longer is the schedule's matter.
const WAITS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];

/// Whether a request may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeatable {
    /// It may: it changes nothing.
    Yes,
    /// It takes what it gives: the same request again would get something else.
    No,
}

/// A good answer.
pub(super) enum Heard {
    /// Its body is to be read.
    Page(EhrResponse, Basis),
    /// It says that there is nothing.
    Nothing(EhrResponse),
    /// It says that what was asked for is not there, or not any more.
    Gone(EhrResponse),
}

impl Heard {
    /// The answer.
    pub(super) const fn response(&self) -> &EhrResponse {
        match self {
            Self::Page(response, _) | Self::Nothing(response) | Self::Gone(response) => response,
        }
    }
}

/// What a round asks for, as its failures say it.
pub(super) const ASKING: &str = "asking for changes";

/// Asks for one page. Trouble that may pass is tried again at once, a little later and not more; a session that has ended,
/// once with another one.
pub(super) async fn ask(
    judge: &Judge<'_>,
    request: EhrRequest,
    repeatable: Repeatable,
    requests: &mut u64,
    observer: &mut dyn Observer,
) -> Result<Heard, RoundFailure> {
    let ports = judge.ports;
    let mut waits = match repeatable {
        Repeatable::Yes => WAITS.iter(),
        Repeatable::No => [].iter(),
    };
    let mut sessions = 0..1;
    loop {
        *requests += 1;
        let began = ports.clock.monotonic();
        let answer = ports.ehr.send(request.clone()).await;
        observer.exchanged(Exchange::of(&request, &answer, ports.elapsed_since(began)));
        let (failure, may_pass) = match answer {
            Ok(response) => match judge.judge(&response, ASKING, began).await? {
                Verdict::Good(basis) => return Ok(Heard::Page(response, basis)),
                Verdict::Nothing => return Ok(Heard::Nothing(response)),
                Verdict::Gone => return Ok(Heard::Gone(response)),
                // Such an answer gave nothing, so nothing is taken twice.
                Verdict::SessionEnded(failure) => match sessions.next() {
                    Some(_) => continue,
                    None => (failure, MayPass::No),
                },
                Verdict::Bad {
                    failure, may_pass, ..
                } => (failure, may_pass),
            },
            Err(error) => (
                failure::no_answer(&error),
                match error.transience {
                    Transience::Passing => MayPass::Yes,
                    Transience::Lasting => MayPass::No,
                },
            ),
        };
        match waits.next() {
            Some(wait) if may_pass == MayPass::Yes => ports.clock.sleep(*wait).await,
            _ => return Err(failure),
        }
    }
}

/// The source's clock, as the answer's `Date` header shows it (RFC 9110, 6.6.1).
pub(super) fn date_of(response: &EhrResponse) -> Option<Timestamp> {
    let text = response.headers.get(http::header::DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()
}
