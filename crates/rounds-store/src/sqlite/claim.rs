//! What can be claimed, of either queue.

use super::codec::At;
use super::error::Result;
use jiff::Timestamp;
use rusqlite::{Connection, Statement, params};

/// Rows to claim, and when to look again.
pub(crate) struct Claimable {
    /// Their numbers, in the order of the changes.
    pub(crate) sequences: Vec<i64>,
    /// When the first one that was left is available.
    pub(crate) next_due: Option<Timestamp>,
}

/// Chooses up to `limit` rows. The statement yields `(sequence, available_at)` of a lane's claimable rows, soonest first,
/// for the parameters `(lane, how many)`. One row more than the limit is read: the one that is left says when to look
/// again.
///
/// Those that became available first are chosen, so that nobody starves behind others that fail over and over;
/// what is chosen is then put into the order of the changes.
pub(crate) fn choose(
    statement: &mut Statement<'_>,
    lane: i64,
    now: Timestamp,
    limit: usize,
) -> Result<Claimable> {
    let read = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut rows = statement.query([lane, read])?;
    let mut sequences = Vec::new();
    let mut next_due = None;
    while let Some(row) = rows.next()? {
        let available_at = row.get::<_, At>(1)?.0;
        if available_at > now || sequences.len() == limit {
            next_due = Some(available_at);
            break;
        }
        sequences.push(row.get(0)?);
    }
    sequences.sort_unstable();
    Ok(Claimable {
        sequences,
        next_due,
    })
}

/// Makes due now what nobody has claimed and what would be due only after `latest`, of both queues.
pub(crate) fn bring_forward(
    connection: &Connection,
    latest: Timestamp,
    now: Timestamp,
) -> Result<usize> {
    // By lane, as the index is ordered: what is due in time is not looked at.
    let containers = connection.execute(
        "UPDATE containers SET due_at = ?2
         WHERE lane IN (SELECT id FROM lanes) AND state IN ('due', 'parked') AND available_at > ?1
           AND claimed_until IS NULL",
        params![At(latest), At(now)],
    )?;
    let deliveries = connection.execute(
        "UPDATE deliveries SET due_at = ?2
         WHERE destination IN (SELECT id FROM destinations) AND state = 'due' AND available_at > ?1
           AND claimed_until IS NULL",
        params![At(latest), At(now)],
    )?;
    Ok(containers + deliveries)
}
