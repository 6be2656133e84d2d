//! How the domain's values stand in columns.

use jiff::Timestamp;
use rounds_domain::plan::Shape;
use rounds_domain::{ChangeKind, Code, ContainerState, DeliveryState, Former, Version};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Row, ToSql};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// An instant as nanoseconds since 1970, which reach from 1677 to 2262; what lies beyond is taken as that bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At(pub(crate) Timestamp);

impl ToSql for At {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let bound = if self.0 < Timestamp::UNIX_EPOCH {
            i64::MIN
        } else {
            i64::MAX
        };
        Ok(i64::try_from(self.0.as_nanosecond())
            .unwrap_or(bound)
            .into())
    }
}

impl FromSql for At {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let nanoseconds = value.as_i64()?;
        Timestamp::from_nanosecond(i128::from(nanoseconds))
            .map(Self)
            .map_err(|_| FromSqlError::OutOfRange(nanoseconds))
    }
}

/// A length of time as nanoseconds, at most 292 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Length(pub(crate) Duration);

impl ToSql for Length {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(i64::try_from(self.0.as_nanos()).unwrap_or(i64::MAX).into())
    }
}

impl FromSql for Length {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let nanoseconds = value.as_i64()?;
        u64::try_from(nanoseconds)
            .map(|nanoseconds| Self(Duration::from_nanos(nanoseconds)))
            .map_err(|_| FromSqlError::OutOfRange(nanoseconds))
    }
}

/// How a notification is wrapped. One that a later version wrote is sent as it is.
pub(crate) struct ShapeWord(pub(crate) Shape);

impl FromSql for ShapeWord {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?;
        let known = Shape::ALL.into_iter().find(|shape| shape.as_str() == word);
        Ok(Self(known.unwrap_or_default()))
    }
}

/// What stands between paths in a column; no path that is worth showing has it.
const BETWEEN_PATHS: char = '\u{1f}';

/// Paths of a body, in one column.
pub(crate) struct PathList<'p>(pub(crate) &'p [String]);

impl ToSql for PathList<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.join(&String::from(BETWEEN_PATHS))))
    }
}

/// They again.
pub(crate) fn paths(column: &str) -> Vec<String> {
    let paths = column.split(BETWEEN_PATHS).filter(|path| !path.is_empty());
    paths.map(str::to_owned).collect()
}

/// The end of a lease. A lease that is longer than time goes on never ends.
pub(crate) fn lease_end(now: Timestamp, lease: Duration) -> Timestamp {
    now.checked_add(lease).unwrap_or(Timestamp::MAX)
}

/// A version as its 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct VersionBytes(pub(crate) Version);

impl ToSql for VersionBytes {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.0.as_slice()))
    }
}

impl FromSql for VersionBytes {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 16]>::column_result(value).map(|bytes| Self(Version(bytes)))
    }
}

/// Declares a column type that holds an enum's variants as words. An unknown word is a damaged database.
macro_rules! words {
    ($(#[$doc:meta])* $column:ident($type:ty) { $($variant:path => $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) struct $column(pub(crate) $type);

        impl ToSql for $column {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(match self.0 { $($variant => $word),+ }))
            }
        }

        impl FromSql for $column {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                match value.as_str()? {
                    $($word => Ok(Self($variant)),)+
                    _ => Err(FromSqlError::InvalidType),
                }
            }
        }
    };
}

words! {
    /// What happened to a record.
    KindWord(ChangeKind) {
        ChangeKind::Created => "created",
        ChangeKind::Updated => "updated",
        ChangeKind::Deleted => "deleted",
    }
}
words! {
    /// What is known of a record's state before.
    FormerWord(Former) {
        Former::None => "none",
        Former::Known => "known",
        Former::Unknown => "unknown",
    }
}
words! {
    /// The state of a container.
    ContainerWord(ContainerState) {
        ContainerState::Waiting => "waiting",
        ContainerState::Due => "due",
        ContainerState::Parked => "parked",
        ContainerState::Dead => "dead",
        ContainerState::Dropped => "dropped",
    }
}
words! {
    /// The state of a delivery.
    DeliveryWord(DeliveryState) {
        DeliveryState::Waiting => "waiting",
        DeliveryState::Due => "due",
        DeliveryState::Delivered => "delivered",
        DeliveryState::Dead => "dead",
        DeliveryState::Dropped => "dropped",
    }
}

/// What a row says of the state before, or what its kind says where it is older than that note.
pub(crate) fn former_of(row: &Row<'_>) -> rusqlite::Result<Former> {
    let noted = row.get::<_, Option<FormerWord>>("former")?;
    Ok(match (noted, row.get::<_, KindWord>("kind")?.0) {
        (Some(noted), _) => noted.0,
        (None, ChangeKind::Created) => Former::None,
        (None, ChangeKind::Updated | ChangeKind::Deleted) => Former::Known,
    })
}

/// A stable code as its text.
///
/// A [`Code`] borrows forever, because codes are written in the program. One that is read back may be of another version
/// of it, so each distinct one that is ever read is kept until the process ends: a few hundred, five bytes each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CodeText(pub(crate) Code);

impl ToSql for CodeText {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.as_str()))
    }
}

impl FromSql for CodeText {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        static READ: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
        let text = value.as_str()?;
        let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = read.get(text).copied().unwrap_or_else(|| {
            let kept: &'static str = Box::leak(Box::from(text));
            read.insert(kept);
            kept
        });
        Ok(Self(Code::new(kept)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    fn there_and_back<T: ToSql + FromSql>(value: &T) -> rusqlite::Result<T> {
        Connection::open_in_memory()?.query_row("SELECT ?1", [value], |row| row.get(0))
    }

    #[test]
    fn instants_keep_every_nanosecond_and_stop_at_the_bounds() -> rusqlite::Result<()> {
        let exact: Timestamp = "2026-11-23T10:20:30.123456789Z"
            .parse()
            .expect("an instant");
        assert_eq!(there_and_back(&At(exact))?.0, exact);
        let far = there_and_back(&At(Timestamp::MAX))?.0;
        assert_eq!(far.as_nanosecond(), i128::from(i64::MAX));
        let long_ago = there_and_back(&At(Timestamp::MIN))?.0;
        assert_eq!(long_ago.as_nanosecond(), i128::from(i64::MIN));
        Ok(())
    }

    #[test]
    fn unknown_words_are_errors() {
        let database = Connection::open_in_memory().expect("memory");
        let read = database.query_row("SELECT 'lost'", [], |row| row.get::<_, ContainerWord>(0));
        assert!(read.is_err());
    }

    #[test]
    fn a_code_read_twice_is_kept_once() -> rusqlite::Result<()> {
        let first = there_and_back(&CodeText(Code::new("R0999")))?.0;
        let second = there_and_back(&CodeText(Code::new("R0999")))?.0;
        assert!(std::ptr::eq(first.as_str(), second.as_str()));
        Ok(())
    }
}
