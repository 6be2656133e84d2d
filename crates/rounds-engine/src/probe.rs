//! What a FHIR server can be polled by: asked and tried, not believed.
//!
//! A `CapabilityStatement` says which search parameters a server has, and is often wrong in both ways; and a server that does not
//! know a parameter mostly answers with status 200 and everything, or nothing. So each resource is tried: with the
//! change filter set to tomorrow nothing may come, and set to 1970 something should. A parameter that no server has is
//! tried too, which shows whether `Prefer: handling=strict` is heard. All of that costs three or four requests for each
//! resource, through the connection's own gate, and reads no more than one record each.
//!
//! Of an API that is not FHIR, its connector (or the connection) says by which requests it shows; those are asked instead, and each says
//! of its answer whether it works.
//!
//! What to mind: a server without records of a type shows nothing by them; then the verdict says how sure it is.

mod statement;
mod tries;

use crate::observe::Exchange;
use jiff::Timestamp;
use rounds_domain::plan::Connection;
use rounds_domain::ports::{Clock, Ehr};
use rounds_map::Evaluator;
pub use statement::{ExportLevel, Smart, Statement};
use std::sync::Arc;
use tries::{Asking, Seen};

/// The resources that are tried where nobody names others.
const COMMON: [&str; 7] = [
    "Appointment",
    "Patient",
    "Encounter",
    "ServiceRequest",
    "DiagnosticReport",
    "Observation",
    "DocumentReference",
];

/// What a probe needs.
pub struct Prober<'a> {
    /// The way to the server.
    pub ehr: &'a Arc<dyn Ehr>,
    /// Time.
    pub clock: &'a Arc<dyn Clock>,
    /// Where bodies are read.
    pub evaluator: &'a Evaluator,
    /// Which server.
    pub connection: &'a Connection,
}

/// What a probe found.
#[derive(Debug, Clone)]
pub struct Probed {
    /// What was asked.
    pub exchanges: Vec<Exchange>,
    /// What the server says of itself; None where it gave no `CapabilityStatement`.
    pub statement: Option<Statement>,
    /// How it says who may ask; None where it does not.
    pub smart: Option<Smart>,
    /// Whether it refuses a parameter that it does not know when asked to.
    pub strictness: Strictness,
    /// What was found for each resource.
    pub resources: Vec<ResourceVerdict>,
}

/// What a test of the connection showed.
#[derive(Debug, Clone)]
pub struct Tested {
    /// Which.
    pub name: String,
    /// The connector whose action it is about.
    pub connector: Option<String>,
    /// How it went.
    pub found: Found,
}

/// Whether a server refuses a parameter that it does not know when asked to (FHIR R4, search, 3.1.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// It does.
    Refuses,
    /// It answers as if it were not there.
    Ignores,
    /// It could not be seen.
    Unseen,
}

/// What was found for a resource.
#[derive(Debug, Clone)]
pub struct ResourceVerdict {
    /// Its type.
    pub resource: String,
    /// By the change filter `_lastUpdated`.
    pub search: Found,
    /// By its history.
    pub history: Found,
    /// A search parameter that takes a range of dates, by the server's own word.
    pub dates: Option<&'static str>,
}

/// What was found of one way to poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Whether it works.
    pub works: Works,
    /// How that showed.
    pub because: String,
}

/// Whether a way to poll works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Works {
    /// It was tried and did.
    Yes,
    /// It was tried and did not.
    No,
    /// It was accepted, and there were no records to see it by.
    Unseen,
}

impl Prober<'_> {
    /// Probes the server: these resources, or the common ones of those that it has.
    pub async fn probe(&self, resources: &[String]) -> Probed {
        let mut asking = Asking::new(self);
        let statement = asking.json("metadata", &[]).await;
        let statement = statement.and_then(|body| Statement::read(&body));
        let smart = asking.json(".well-known/smart-configuration", &[]).await;
        let smart = smart.and_then(|body| Smart::read(&body));
        let names = chosen(resources, statement.as_ref());
        let strictness = match names.first() {
            Some(first) => strictness(&mut asking, first).await,
            None => Strictness::Unseen,
        };
        let mut verdicts = Vec::new();
        for name in names {
            let own = statement.as_ref().and_then(|known| known.resource(&name));
            let dates = own.and_then(|own| {
                DATES
                    .into_iter()
                    .find(|date| own.parameters.contains(*date))
            });
            verdicts.push(ResourceVerdict {
                search: search(&mut asking, &name, strictness, self.clock.now()).await,
                history: history(&mut asking, &name).await,
                dates,
                resource: name,
            });
        }
        Probed {
            exchanges: asking.exchanges(),
            statement,
            smart,
            strictness,
            resources: verdicts,
        }
    }
}

impl Prober<'_> {
    /// Asks what the connection's own tests ask; gives how each went, and what was asked.
    pub async fn test(&self) -> (Vec<Tested>, Vec<Exchange>) {
        let mut asking = Asking::new(self);
        let mut tested = Vec::new();
        for test in &self.connection.tests {
            tested.push(Tested {
                name: test.name.clone(),
                connector: test.connector.clone(),
                found: asking.test(test).await,
            });
        }
        (tested, asking.exchanges())
    }
}

/// Parameters that take a range of dates of the matter, not of the change.
const DATES: [&str; 4] = ["date", "authored", "period", "onset-date"];

fn chosen(wanted: &[String], statement: Option<&Statement>) -> Vec<String> {
    if !wanted.is_empty() {
        return wanted.to_vec();
    }
    let has = |name: &&str| statement.is_none_or(|known| known.resource(name).is_some());
    COMMON.into_iter().filter(has).map(str::to_owned).collect()
}

async fn strictness(asking: &mut Asking<'_>, resource: &str) -> Strictness {
    let unknown = [("rounds-unknown-parameter", "1"), ("_count", "1")];
    match asking
        .search(resource, &unknown, "rounds-unknown-parameter")
        .await
    {
        Seen::Refused {
            status: 400 | 422, ..
        } => Strictness::Refuses,
        Seen::Records(_) | Seen::Ignored(_) => Strictness::Ignores,
        Seen::Refused { .. } | Seen::Nothing(_) => Strictness::Unseen,
    }
}

async fn search(
    asking: &mut Asking<'_>,
    resource: &str,
    strictness: Strictness,
    now: Timestamp,
) -> Found {
    const FILTER: &str = "_lastUpdated";
    let tomorrow = now + jiff::SignedDuration::from_hours(24);
    let tomorrow = format!("ge{}", tomorrow.strftime("%Y-%m-%dT%H:%M:%SZ"));
    let none = asking
        .search(resource, &[(FILTER, &tomorrow), ("_count", "1")], FILTER)
        .await;
    let found = |works, because: &str| Found {
        works,
        because: because.to_owned(),
    };
    match none {
        Seen::Records(0) => {}
        Seen::Records(_) => {
            return found(
                Works::No,
                "records came that cannot have changed after tomorrow: the filter is ignored",
            );
        }
        Seen::Ignored(how) => return found(Works::No, how),
        Seen::Refused { words, .. } | Seen::Nothing(words) => return found(Works::No, &words),
    }
    let since_1970 = [(FILTER, "ge1970-01-01T00:00:00Z"), ("_count", "1")];
    match asking.search(resource, &since_1970, FILTER).await {
        Seen::Records(0) if strictness == Strictness::Refuses => found(
            Works::Unseen,
            "accepted by a server that refuses what it does not know; there are no records to see it by",
        ),
        Seen::Records(0) => found(
            Works::Unseen,
            "nothing came, with the filter at tomorrow and at 1970: either there are no records, or nothing is found by it",
        ),
        Seen::Records(_) => found(
            Works::Yes,
            "nothing came for tomorrow, and records came for 1970",
        ),
        Seen::Ignored(how) => found(Works::No, how),
        Seen::Refused { words, .. } | Seen::Nothing(words) => found(Works::No, &words),
    }
}

async fn history(asking: &mut Asking<'_>, resource: &str) -> Found {
    match asking.history(resource).await {
        Ok(()) => Found {
            works: Works::Yes,
            because: "a history came".to_owned(),
        },
        Err(words) => Found {
            works: Works::No,
            because: words,
        },
    }
}
