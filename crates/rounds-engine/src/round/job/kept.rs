//! A job that was started, as it stands in the store.

use super::super::Round;
use super::manifest::LONGEST_WAIT;
use crate::moment::later;
use jiff::Timestamp;
use rounds_domain::ports::StoreError;
use rounds_domain::{Cursor, FeedKey, FeedName, Phi, RoundCommit, RoundEnd};
use url::Url;

/// A job that was started.
pub(super) struct Started {
    /// Where its state is asked for.
    pub(super) url: Url,
    /// Not before then.
    pub(super) not_before: Timestamp,
    /// When it was started, by our clock.
    pub(super) at: Timestamp,
}

impl Started {
    /// Whether its state is not asked for yet. A wait that is longer than any that is kept was kept by a clock that was wrong.
    pub(super) fn waits(&self, now: Timestamp) -> bool {
        now < self.not_before && self.not_before <= later(now, LONGEST_WAIT)
    }

    fn text(&self) -> String {
        format!("{}\n{}\n{}", self.not_before, self.at, self.url)
    }

    fn read(text: &str) -> Option<Self> {
        let mut lines = text.splitn(3, '\n');
        Some(Self {
            not_before: lines.next()?.parse().ok()?,
            at: lines.next()?.parse().ok()?,
            url: lines.next()?.parse().ok()?,
        })
    }
}

impl Round<'_> {
    /// The feed under whose name the job is kept.
    fn job_key(&self) -> FeedKey {
        FeedKey {
            feed: FeedName::new(format!("{}.job", self.key.feed)),
            ..self.key.clone()
        }
    }

    /// The job that was started and not ended.
    pub(super) async fn started_job(&mut self) -> Result<Option<Started>, StoreError> {
        let states = self.ports.store.feed_states(&[self.job_key()]).await?;
        let cursor = states.into_iter().next().and_then(|state| state.cursor);
        Ok(match cursor {
            Some(Cursor::Token(text)) => Started::read(text.expose()),
            _ => None,
        })
    }

    /// Keeps that a job was started, or that there is none any more.
    pub(super) async fn keep_job(&mut self, started: Option<&Started>) -> Result<(), StoreError> {
        let now = self.ports.clock.now();
        let text = started.map_or_else(String::new, Started::text);
        let lane = self.action.connection.clone();
        let commit = RoundCommit {
            cursor: Some(Cursor::Token(Phi::new(text))),
            ..RoundCommit::of(self.job_key(), lane, now, now, RoundEnd::Unfinished)
        };
        self.ports.store.commit_round(commit).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::Started;

    #[test]
    fn a_job_is_kept_as_text_and_read_again() {
        let started = Started {
            url: "https://ehr.example/jobs/7?part=1".parse().expect("a URL"),
            not_before: "2026-05-01T10:02:00Z".parse().expect("an instant"),
            at: "2026-05-01T10:00:00Z".parse().expect("an instant"),
        };
        let read = Started::read(&started.text()).expect("it can be read");
        assert_eq!(read.url, started.url);
        assert_eq!((read.not_before, read.at), (started.not_before, started.at));
        assert!(Started::read("").is_none(), "an ended job");
    }
}
