//! What the oracle found.

use std::fmt;

use super::{Delays, RecordVersion};

/// The verdict: counts where all is well, lists where it is not. The [module](super) says what each word means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Changes in the history.
    pub changes: usize,
    /// Of them, those that arrived.
    pub notified: usize,
    /// Not told, but a later version of the record was.
    pub superseded: Vec<RecordVersion>,
    /// Not told, nor anything later of the record.
    pub lost: Vec<RecordVersion>,
    /// The same notification id again, once for each further arrival.
    pub redelivered: Vec<RecordVersion>,
    /// A further notification id for a version that was told.
    pub repeated: Vec<Repeated>,
    /// Told first after a higher version.
    pub reordered: Vec<Reordered>,
    /// Came under a notification id that was another version's.
    pub reused: Vec<RecordVersion>,
    /// Never happened at the hospital.
    pub unknown: Vec<RecordVersion>,
    /// The notification ids of bodies in which no record and version were found.
    pub unreadable: Vec<Option<String>>,
    /// From change to first arrival.
    pub delays: Delays,
}

/// A version told under more than one notification id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// The version.
    pub what: RecordVersion,
    /// The further id.
    pub notification_id: Option<String>,
}

/// A version told too late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reordered {
    /// The version.
    pub what: RecordVersion,
    /// The highest version of the record that was told before it.
    pub after_version: u64,
}

impl Verdict {
    /// Whether the law was kept: nothing lost, repeated, reordered, reused, unknown or unreadable. Superseded and redelivered are allowed.
    pub fn is_clean(&self) -> bool {
        self.lost.is_empty()
            && self.repeated.is_empty()
            && self.reordered.is_empty()
            && self.reused.is_empty()
            && self.unknown.is_empty()
            && self.unreadable.is_empty()
    }
}

/// One line of counts, then a line for each kind that has entries.
impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "changes={} notified={} lost={} repeated={} reordered={} superseded={} redelivered={}",
            self.changes,
            self.notified,
            self.lost.len(),
            self.repeated.len(),
            self.reordered.len(),
            self.superseded.len(),
            self.redelivered.len()
        )?;
        list(
            formatter,
            "superseded",
            &self.superseded,
            ToString::to_string,
        )?;
        list(formatter, "lost", &self.lost, ToString::to_string)?;
        list(
            formatter,
            "redelivered",
            &self.redelivered,
            ToString::to_string,
        )?;
        list(formatter, "repeated", &self.repeated, |one| {
            format!(
                "{} as {}",
                one.what,
                or_no_id(one.notification_id.as_deref())
            )
        })?;
        list(formatter, "reordered", &self.reordered, |one| {
            format!("{} after v{}", one.what, one.after_version)
        })?;
        list(formatter, "reused id", &self.reused, ToString::to_string)?;
        list(formatter, "unknown", &self.unknown, ToString::to_string)?;
        list(formatter, "unreadable", &self.unreadable, |id| {
            or_no_id(id.as_deref()).to_owned()
        })
    }
}

fn list<T>(
    formatter: &mut fmt::Formatter<'_>,
    word: &str,
    entries: &[T],
    show: impl Fn(&T) -> String,
) -> fmt::Result {
    if entries.is_empty() {
        return Ok(());
    }
    let shown: Vec<String> = entries.iter().map(show).collect();
    write!(formatter, "\n  {word}: {}", shown.join(", "))
}

fn or_no_id(id: Option<&str>) -> &str {
    id.unwrap_or("(no id)")
}
