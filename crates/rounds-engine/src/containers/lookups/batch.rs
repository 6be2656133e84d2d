//! Many lookups in one request.
//!
//! The first container that wants a key opens a batch, which stays open for a moment or until it is full; whoever comes meanwhile adds a
//! key. Then one request asks for all of them, and each takes its own record out of the answer.
//!
//! What to mind: no neighbour may spoil a batch (law 4). A request that fails in a way that will not pass is asked again in halves, so that
//! the one key that the EHR cannot bear is found and the others have their answers. And a key that is not in the answer of
//! several is asked for alone before it counts as missing: an answer that was cut off looks the same.

use super::{Asking, Basis, Doubt, Looked, NOT_ASKABLE, Trouble};
use crate::exchange::document::{self, items};
use crate::exchange::{Failed, Outcome};
use crate::round::failure::{self, failure};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use rounds_domain::plan::{Batch, Lookup};
use rounds_domain::ports::EhrResponse;
use rounds_domain::{ActionName, Container, Document, LookupName};
use rounds_map::Json;
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How long a batch stays open. Containers of one round come together within a few milliseconds.
const OPEN_FOR: Duration = Duration::from_millis(50);

/// The root of a batch's templates.
const IDS: &str = "ids";

type Answers = Arc<HashMap<String, Result<Looked, Trouble>>>;

/// The batches that still take keys.
#[derive(Default)]
pub(super) struct Batches {
    open: Arc<Mutex<HashMap<Name, Open>>>,
}

/// Who shares a batch.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Name {
    action: ActionName,
    round: u64,
    lookup: LookupName,
}

#[derive(Clone)]
struct Open {
    gathered: Arc<Gathered>,
    answers: Shared<BoxFuture<'static, Answers>>,
}

#[derive(Default)]
struct Gathered {
    keys: Mutex<Vec<String>>,
    full: Notify,
}

/// What a container wants to have looked up.
pub(super) fn key(batch: &Batch, scope: &Json, what: &str) -> Result<String, Trouble> {
    let key = batch.key.optional(scope).ok().flatten();
    key.and_then(|key| key.scalar_text())
        .filter(|key| key.contains(char::is_alphanumeric))
        .ok_or_else(|| Trouble {
            code: NOT_ASKABLE,
            reason: format!(
                "{what} cannot be asked: `batch.key` gives nothing that can be asked for"
            ),
            retry_after: None,
        })
}

impl Batches {
    /// Puts a key into the open batch, or opens one. The key must not be in it yet.
    pub(super) fn join(
        &self,
        container: &Container,
        lookup: &Lookup,
        batch: &Batch,
        asking: Asking,
        key: String,
    ) -> impl Future<Output = Result<Looked, Trouble>> + Send + use<> {
        let name = Name {
            action: container.action.clone(),
            round: container.round,
            lookup: lookup.name.clone(),
        };
        let mut open = lock(&self.open);
        let one = open
            .entry(name.clone())
            .or_insert_with(|| self.opened(name.clone(), batch.clone(), asking))
            .clone();
        let count = {
            let mut keys = lock(&one.gathered.keys);
            keys.push(key.clone());
            keys.len()
        };
        if count >= batch.most {
            open.remove(&name);
            one.gathered.full.notify_one();
        }
        drop(open);
        async move {
            let answers = one.answers.await;
            // Every key that was gathered has an answer.
            answers.get(&key).cloned().unwrap_or_else(|| {
                Err(Trouble {
                    code: failure::EVALUATOR,
                    reason: "a batch of lookups lost one of its keys".to_owned(),
                    retry_after: None,
                })
            })
        }
    }

    fn opened(&self, name: Name, batch: Batch, asking: Asking) -> Open {
        let gathered = Arc::new(Gathered::default());
        let (own, open) = (Arc::clone(&gathered), Arc::clone(&self.open));
        let answers = async move {
            tokio::select! {
                biased;
                () = own.full.notified() => {}
                () = asking.ports.clock.sleep(OPEN_FOR) => {}
            }
            let keys = {
                let mut open = lock(&open);
                if open
                    .get(&name)
                    .is_some_and(|known| Arc::ptr_eq(&known.gathered, &own))
                {
                    open.remove(&name);
                }
                std::mem::take(&mut *lock(&own.keys))
            };
            Arc::new(ask_all(&asking, &batch, keys).await)
        };
        Open {
            gathered,
            answers: answers.boxed().shared(),
        }
    }
}

/// Why a request for several keys gave nothing.
struct Unasked {
    trouble: Trouble,
    about: About,
}

/// What the trouble of a batch is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// This request: one with fewer keys may go better.
    Request,
    /// The connection: any request would have it.
    Connection,
}

impl From<Failed> for Unasked {
    fn from(failed: Failed) -> Self {
        let about = if failed.is_of_the_request() {
            About::Request
        } else {
            About::Connection
        };
        Self {
            trouble: failed.into(),
            about,
        }
    }
}

async fn ask_all(
    asking: &Asking,
    batch: &Batch,
    keys: Vec<String>,
) -> HashMap<String, Result<Looked, Trouble>> {
    let mut answers = HashMap::new();
    let mut waiting = vec![keys];
    while let Some(mut keys) = waiting.pop() {
        match ask(asking, batch, &keys).await {
            Ok(mut found) => {
                let is_alone = keys.len() == 1;
                for key in keys {
                    match found.remove(&key) {
                        Some(Ok(Looked::Missing { .. })) if !is_alone => waiting.push(vec![key]),
                        Some(looked) => _ = answers.insert(key, looked),
                        None => {}
                    }
                }
            }
            Err(Unasked {
                about: About::Request,
                ..
            }) if keys.len() > 1 => {
                let half = keys.split_off(keys.len() / 2);
                waiting.extend([half, keys]);
            }
            Err(Unasked { trouble, .. }) => {
                answers.extend(keys.into_iter().map(|key| (key, Err(trouble.clone()))));
            }
        }
    }
    answers
}

/// One request for these keys: each has its record, or is missing, or has several, which are none.
async fn ask(
    asking: &Asking,
    batch: &Batch,
    keys: &[String],
) -> Result<HashMap<String, Result<Looked, Trouble>>, Unasked> {
    let for_good = |trouble| Unasked {
        trouble,
        about: About::Request,
    };
    let ids = Json::array(keys.iter().map(Json::string));
    let scope = Json::object([(IDS, ids)]);
    let request = asking.request(&scope).map_err(for_good)?;
    let (outcome, at) = asking.ask(request).await?;
    let (mut found, mut refused, status) = match outcome {
        Outcome::Empty(response) | Outcome::Gone(response) => {
            (HashMap::new(), HashMap::new(), response.status.as_u16())
        }
        Outcome::Good(response, basis) => {
            let (lookup, batch, keys) = (Arc::clone(&asking.lookup), batch.clone(), keys.to_vec());
            let answer = response.clone();
            let read = asking.beside(move || read(&lookup, &batch, &keys, &answer, basis));
            let Read { by_key, refused } = read.await.map_err(for_good)?.map_err(|unread| {
                for_good(match unread {
                    Unread::Doubt(doubt) => doubt.failure(&asking.what).into(),
                    Unread::Words(error) => {
                        let words = format!("{}: the answer cannot be used: {error}", asking.what);
                        let hint = "check `records` and `id` of the lookup's `batch`";
                        failure(failure::RECORDS_FAILED, words, hint).into()
                    }
                })
            })?;
            (by_key, refused, http::StatusCode::NOT_FOUND.as_u16())
        }
    };
    let looked = keys.iter().map(|key| {
        let mut of_key = found.remove(key).unwrap_or_default();
        let looked = match of_key.len() {
            0 if let Some(status) = refused.remove(key) => Err(Trouble {
                code: failure::UNEXPECTED_STATUS,
                reason: format!(
                    "{}: its entry in the answer has the status {status}",
                    asking.what
                ),
                retry_after: None,
            }),
            0 => Ok(Looked::Missing { status, at }),
            1 => Ok(Looked::Found {
                body: of_key.remove(0),
                at,
            }),
            several => Err(asking.several(u64::try_from(several).unwrap_or(u64::MAX))),
        };
        (key.clone(), looked)
    });
    Ok(looked.collect())
}

/// The records of an answer.
struct Read {
    /// By their keys. Several of one key are none.
    by_key: HashMap<String, Vec<Document>>,
    /// Of a FHIR batch the keys whose own entry has a status that is neither success nor absence.
    refused: HashMap<String, u16>,
}

/// Why an answer has no records.
enum Unread {
    Doubt(Doubt),
    Words(String),
}

fn read(
    lookup: &Lookup,
    batch: &Batch,
    keys: &[String],
    response: &EhrResponse,
    basis: Basis,
) -> Result<Read, Unread> {
    let body = lookup.request.format.read(&response.body);
    let body = body.map_err(|error| Unread::Words(error.to_string()))?;
    let doubt = basis.doubt(|| document::doubt_record(response.status, &body));
    if let Some(doubt) = doubt {
        return Err(Unread::Doubt(doubt));
    }
    let records = batch.records.all(&body);
    let records = records.map_err(|error| Unread::Words(format!("`batch.records`: {error}")))?;
    let mut by_key = HashMap::<String, Vec<Document>>::new();
    for record in &records {
        let id = batch.id.optional(record).ok().flatten();
        let Some(id) = id.and_then(|id| id.scalar_text()) else {
            continue;
        };
        let of_key = by_key.entry(id).or_default();
        let record = Document::new(record.to_bytes());
        // The same record twice is one.
        if !of_key.contains(&record) {
            of_key.push(record);
        }
    }
    Ok(Read {
        by_key,
        refused: refused(&body, keys),
    })
}

/// Whose entries of a FHIR batch-response failed: they stand in the order in which they were asked for (R4, http, 3.1.0.11.3).
fn refused(body: &Json, keys: &[String]) -> HashMap<String, u16> {
    let kind = body.get("type");
    if kind.as_ref().and_then(Json::as_str) != Some("batch-response") {
        return HashMap::new();
    }
    let entries: Vec<Json> = items(body, "entry").collect();
    if entries.len() != keys.len() {
        // Whose entry is missing cannot be said, so nobody's absence is believed.
        return keys.iter().map(|key| (key.clone(), 0)).collect();
    }
    let refused = keys.iter().zip(&entries).filter_map(|(key, entry)| {
        let status = entry
            .get("response")
            .and_then(|response| response.get("status"));
        let status = status.as_ref().and_then(Json::scalar_text);
        let status = status.and_then(|text| text.split(' ').next()?.parse().ok());
        match status.unwrap_or(0) {
            200..=299 | 404 | 410 => None,
            status => Some((key.clone(), status)),
        }
    });
    refused.collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
