//! A queue that is consumed by reading it.
//!
//! The EHR keeps the place and forgets what it gave, so what was read and not committed cannot be asked for again in the usual way.
//! Three things keep the loss small:
//!
//! - Each answer is committed before the next is asked for.
//! - No request is sent twice within a round: one whose answer was lost may have taken something all the same.
//! - Before a round takes anything, the store notes that it begins ([`QueueState::Taking`]), and only its success takes the note away. So
//!   whatever ends a round early (a crash, a lost answer, a full disk), the next one knows from when on something may be missing.
//!
//! Where the EHR can be asked for what it gave within a window of time, that is asked for first, from an overlap before the broken
//! round's beginning. What comes twice is silent by the ledger. Where it cannot, one answer may be lost; `rounds check` says so.

use super::ask::{self, Purpose};
use super::{Interruption, Round};
use crate::moment::earlier;
use jiff::Timestamp;
use rounds_domain::plan::{Feed, Queue, Recover};
use rounds_domain::{Cursor, QueueState, RoundEnd};
use std::sync::Arc;

impl Round<'_> {
    /// Asks for what a broken round may have taken, and notes that this one begins to take.
    pub(super) async fn open_queue(&mut self, queue: &Queue) -> Result<(), Interruption> {
        // What a silent first round takes was not to be told anyway.
        if self.purpose != Purpose::Tell {
            return Ok(());
        }
        if let Some(Cursor::Queue(QueueState::Taking { since })) = self.known {
            if let Some(recover) = &queue.recover {
                self.recover(recover, *since).await?;
            } else {
                tracing::warn!(
                    code = "R0351",
                    action = %self.action.name,
                    feed = %self.feed.name,
                    %since,
                    "a round that took from the EHR's queue did not end well; what it took last may be lost, and there is no `recover` to ask for it again"
                );
            }
        }
        let taking = Cursor::Queue(QueueState::Taking {
            since: self.started_at,
        });
        self.commit_part(RoundEnd::Unfinished, Some(taking)).await?;
        Ok(())
    }

    async fn recover(&mut self, recover: &Recover, since: Timestamp) -> Result<(), Interruption> {
        let now = self.ports.clock.now();
        if earlier(since, recover.written.overlap) < earlier(now, recover.reach) {
            tracing::warn!(
                code = "R0351",
                action = %self.action.name,
                feed = %self.feed.name,
                %since,
                "a round that took from the EHR's queue did not end well, longer ago than the EHR remembers what it gave; what was taken before that may be lost"
            );
        }
        let asked = ask::ask_again(recover, since, now)?;
        let through = Arc::new(Feed {
            request: recover.request.clone(),
            paging: recover.paging.clone(),
            ..Feed::clone(self.feed)
        });
        self.read_pages(&through, &asked).await?;
        Ok(())
    }
}
