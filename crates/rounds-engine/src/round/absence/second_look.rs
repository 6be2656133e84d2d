//! The second look at a record that a sweep did not show: by its own address.
//!
//! Every FHIR server that searches a type reads its resources by id (R4, http, 3.1.0.1.2), so for a sweep of `/Appointment` the address is
//! known without a word of the user's. 404 and 410 say that the record is gone; the record itself says that the sweep does not
//! show such ones; anything else says nothing, and the next sweep decides.

use super::Round;
use crate::exchange::{Counted, Exchanger, Outcome, Retries};
use http::{HeaderMap, Method};
use rounds_domain::RecordId;
use rounds_domain::plan::Feed;
use rounds_domain::ports::{Access, EhrRequest, Turn};
use rounds_map::{Escape, Json};

/// How many are looked for in one round. More than these are decided by the next sweep, which asks once for all of them.
pub(super) const MOST: usize = 25;

/// What came out of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looked {
    Gone,
    There,
    Undecided,
}

/// Looks for a record.
pub(super) async fn look(round: &mut Round<'_>, id: &RecordId) -> Looked {
    let Some(kind) = resource_type(round.feed) else {
        return Looked::Undecided;
    };
    let mut path = format!("./{kind}/");
    Escape::PathSegment.write(id.expose(), &mut path);
    let Ok(url) = round.connection.base_url.join(&path) else {
        return Looked::Undecided;
    };
    let request = EhrRequest {
        turn: Turn::Poll,
        access: Access::AsUser,
        connection: round.connection.name.clone(),
        method: Method::GET,
        url,
        headers: HeaderMap::new(),
        accept: "application/fhir+json, application/json",
        body: None,
        timeout: round.feed.request.timeout,
    };
    let exchanger = Exchanger::new(
        round.ports,
        round.connection,
        round.action,
        &round.feed.request,
    );
    let mut counted = Counted {
        requests: &mut round.counts.requests,
        observer: round.observer,
    };
    let outcome = exchanger
        .exchange(request, "looking for a record", Retries::Left, &mut counted)
        .await;
    match outcome {
        Ok(Outcome::Gone(_) | Outcome::Empty(_)) => Looked::Gone,
        Ok(Outcome::Good(response, _)) => {
            let Ok(body) = Json::parse(&response.body) else {
                return Looked::Undecided;
            };
            let says = |name: &str, wanted: &str| {
                body.get(name).as_ref().and_then(Json::as_str) == Some(wanted)
            };
            if says("resourceType", kind) && says("id", id.expose()) {
                Looked::There
            } else {
                Looked::Undecided
            }
        }
        Err(_) => Looked::Undecided,
    }
}

/// The FHIR type that a feed searches, if what the user reads as the identity is the logical id.
fn resource_type(feed: &Feed) -> Option<&str> {
    feed.searched_type()
        .filter(|_| feed.id.text().trim() == ".id")
}
