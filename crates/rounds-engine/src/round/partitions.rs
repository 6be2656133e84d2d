//! Which partitions a feed has.
//!
//! They stand in the configuration, or another request gives them. An answer serves for a while, so that a feed over ten thousand
//! patients that is asked each hour does not ask for the patients each hour too. When it cannot be renewed the former one
//! serves on: a list that is a day old is better than no round.

use super::failure::{self, failure};
use super::feed_key;
use super::pages::{Maker, Pages};
use super::read::{self, Identity, PageContent};
use crate::Ports;
use crate::exchange::{Counted, Exchanger, Outcome, Retries};
use crate::observe::Observer;
use jiff::Timestamp;
use rounds_domain::plan::{Action, Connection, Feed, PartitionQuery, Partitions};
use rounds_domain::{FeedKey, Partition, RoundCounts, RoundFailure};
use rounds_map::Json;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// More than these are a mistake, or a feed that should be asked in another way.
const MOST_PARTITIONS: usize = 100_000;

/// The lists that were answered, and when.
#[derive(Default)]
pub(crate) struct PartitionLists {
    answered: Mutex<HashMap<FeedKey, Answered>>,
}

#[derive(Clone)]
struct Answered {
    at: Timestamp,
    partitions: Arc<[Partition]>,
}

impl PartitionLists {
    /// The feed's partitions; none for a feed without.
    pub(super) async fn of(
        &self,
        ports: &Ports,
        connection: &Connection,
        action: &Arc<Action>,
        feed: &Feed,
        counts: &mut RoundCounts,
        observer: &mut dyn Observer,
    ) -> Result<Arc<[Partition]>, RoundFailure> {
        let query = match &feed.partitions {
            None => return Ok(Arc::default()),
            Some(Partitions::Listed(listed)) => return Ok(listed.as_slice().into()),
            Some(Partitions::Asked(query)) => query,
        };
        let key = feed_key(action, feed);
        let now = ports.clock.now();
        let former = self.lock().get(&key).cloned();
        if let Some(former) = &former
            && now.duration_since(former.at).unsigned_abs() < query.every
        {
            return Ok(Arc::clone(&former.partitions));
        }
        match ask(ports, connection, action, query, counts, observer).await {
            Ok(partitions) => {
                let answered = Answered {
                    at: now,
                    partitions: partitions.into_iter().collect(),
                };
                let partitions = Arc::clone(&answered.partitions);
                self.lock().insert(key, answered);
                Ok(partitions)
            }
            Err(failure) => match former {
                Some(former) => {
                    tracing::warn!(
                        action = %action.name,
                        feed = %feed.name,
                        code = %failure.code,
                        listed_at = %former.at,
                        "the list of partitions cannot be renewed, the former one serves on: {}",
                        failure.message
                    );
                    Ok(former.partitions)
                }
                None => Err(failure),
            },
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<FeedKey, Answered>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the list is asked for, as its failures say it.
const ASKING: &str = "asking for partitions";

async fn ask(
    ports: &Ports,
    connection: &Connection,
    action: &Arc<Action>,
    query: &PartitionQuery,
    counts: &mut RoundCounts,
    observer: &mut dyn Observer,
) -> Result<BTreeSet<Partition>, RoundFailure> {
    let list = &query.list;
    let maker = Maker {
        connection,
        rule: &list.request,
        scope: Json::object::<String>([]),
        what: "partitions",
    };
    let exchanger = Exchanger::new(ports, connection, action, &list.request);
    let mut counted = Counted {
        requests: &mut counts.requests,
        observer,
    };
    let mut pages = Pages::new(list, maker)?;
    let mut partitions = BTreeSet::new();
    while let Some(request) = pages.take()? {
        let outcome = exchanger
            .exchange(request.clone(), ASKING, Retries::AtOnce, &mut counted)
            .await?;
        let page = match &outcome {
            Outcome::Good(response, basis) => {
                read::page_beside(ports, action, list, None, response, *basis).await?
            }
            Outcome::Empty(_) => PageContent::nothing(),
            Outcome::Gone(response) => return Err(failure::status(response, ASKING)),
        };
        page.believed(ASKING)?;
        for record in &page.records {
            // A partition that names nothing would ask for all of them.
            let is_blank = !record.id.expose().contains(char::is_alphanumeric);
            if is_blank || record.identity == Identity::Missing {
                return Err(failure(
                    failure::PARTITIONS,
                    "an entry of the list of partitions gives no text or number",
                    "`for_each.id` must give one for each record of the list",
                ));
            }
            partitions.insert(Partition::new(record.id.expose()));
        }
        if partitions.len() > MOST_PARTITIONS {
            return Err(failure(
                failure::PARTITIONS,
                format!("the list has more than {MOST_PARTITIONS} partitions"),
                "narrow the list in `for_each`, or ask the EHR in another way",
            ));
        }
        pages.advance(&request, &outcome.response().headers, &page)?;
    }
    Ok(partitions)
}
