//! One page's request and answer.

use super::failure;
use crate::Ports;
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

/// Asks for one page. Trouble that may pass is tried again at once, a little later and not more.
pub(super) async fn ask(
    ports: &Ports,
    request: EhrRequest,
    repeatable: Repeatable,
    requests: &mut u64,
    observer: &mut dyn Observer,
) -> Result<EhrResponse, RoundFailure> {
    let mut waits = match repeatable {
        Repeatable::Yes => WAITS.iter(),
        Repeatable::No => [].iter(),
    };
    loop {
        *requests += 1;
        let began = ports.clock.monotonic();
        let answer = ports.ehr.send(request.clone()).await;
        observer.exchanged(Exchange::of(&request, &answer, ports.elapsed_since(began)));
        let (failure, may_pass) = match answer {
            Ok(response) if response.status.is_success() => return Ok(response),
            Ok(response) => (
                failure::status(&response, "asking for changes"),
                matches!(response.status.as_u16(), 429 | 500 | 502 | 503 | 504),
            ),
            Err(error) => (
                failure::no_answer(&error),
                error.transience == Transience::Passing,
            ),
        };
        match waits.next() {
            Some(wait) if may_pass => ports.clock.sleep(*wait).await,
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
