//! What operators ask and do.

pub(crate) mod containers;
pub(crate) mod deliveries;
pub(crate) mod history;
pub(crate) mod notifications;
pub(crate) mod overview;

use super::codec::CodeText;
use super::error::Result;
use jiff::Timestamp;
use rounds_domain::ports::{PageRequest, Selection};
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, Row, ToSql};

/// The conditions of a query, put together from the parts of a filter that are given. Values are bound, never written
/// into the text.
#[derive(Default)]
pub(crate) struct Conditions<'a> {
    terms: Vec<String>,
    values: Vec<ToSqlOutput<'a>>,
}

impl<'a> Conditions<'a> {
    /// Requires a term in which each `?` stands for one of the values.
    fn require<const N: usize>(&mut self, term: &str, values: [&'a str; N]) {
        self.terms.push(term.to_owned());
        self.values.extend(values.map(ToSqlOutput::from));
    }

    /// Requires a term in which the `?` stands for an instant.
    fn require_at(&mut self, term: &str, at: Timestamp) {
        self.terms.push(term.to_owned());
        let at = i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX);
        self.values.push(ToSqlOutput::from(at));
    }

    /// Requires a column to hold one of these words. No words require nothing.
    fn require_one_of<T: ToSql + 'a>(&mut self, column: &str, words: &'a [T]) -> Result<()> {
        if !words.is_empty() {
            let places = vec!["?"; words.len()].join(", ");
            self.terms.push(format!("{column} IN ({places})"));
            for word in words {
                self.values.push(word.to_sql()?);
            }
        }
        Ok(())
    }

    /// The `WHERE` clause, or nothing.
    fn clause(&self) -> String {
        if self.terms.is_empty() {
            String::new()
        } else {
            format!("WHERE {}", self.terms.join(" AND "))
        }
    }

    /// The numbers that a query with these conditions yields in its first column.
    fn numbers(&self, connection: &Connection, select: &str, order: &str) -> Result<Vec<i64>> {
        let mut statement =
            connection.prepare(&format!("{select} {} ORDER BY {order}", self.clause()))?;
        let numbers =
            statement.query_map(rusqlite::params_from_iter(&self.values), |row| row.get(0))?;
        Ok(numbers.collect::<rusqlite::Result<_>>()?)
    }

    /// What a query with these conditions yields by groups, in their order.
    fn groups<T>(
        &self,
        connection: &Connection,
        select: &str,
        groups: &str,
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = connection.prepare(&format!(
            "{select} {} GROUP BY {groups} ORDER BY {groups}",
            self.clause()
        ))?;
        let mut rows = statement.query(rusqlite::params_from_iter(&self.values))?;
        let mut items = Vec::new();
        while let Some(row) = rows.next()? {
            items.push(read(row)?);
        }
        Ok(items)
    }

    /// One page of what a query with these conditions yields.
    fn page<T>(
        mut self,
        connection: &Connection,
        select: &str,
        order: &str,
        page: PageRequest,
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let clause = self.clause();
        for number in [page.limit, page.offset] {
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            self.values.push(ToSqlOutput::from(number));
        }
        let mut statement = connection.prepare(&format!(
            "{select} {clause} ORDER BY {order} LIMIT ? OFFSET ?"
        ))?;
        let mut rows = statement.query(rusqlite::params_from_iter(&self.values))?;
        let mut items = Vec::new();
        while let Some(row) = rows.next()? {
            items.push(read(row)?);
        }
        Ok(items)
    }
}

/// What a command that changes many rows needs to know of their kind.
trait Selectable {
    /// What people name a row by.
    type Id;
    /// What people choose rows by.
    type Filter;
    /// Where a row stands.
    type State: Copy + PartialEq;
    /// What is known of a row before it is changed.
    type Standing;

    /// Finds a row by its name.
    fn find(connection: &Connection, id: &Self::Id) -> Result<Option<Self::Standing>>;
    /// The numbers of the rows in these states that match, oldest first.
    fn matching(
        connection: &Connection,
        filter: &Self::Filter,
        states: &[Self::State],
    ) -> Result<Vec<i64>>;
    /// Finds a row by its number.
    fn standing(connection: &Connection, sequence: i64) -> Result<Option<Self::Standing>>;
    /// Where it stands.
    fn state(standing: &Self::Standing) -> Self::State;
}

/// Does something to each selected row that stands in one of these states, oldest first; says to how many.
fn for_each<S: Selectable>(
    connection: &Connection,
    selection: &Selection<S::Id, S::Filter>,
    states: &[S::State],
    mut act: impl FnMut(&S::Standing) -> Result<()>,
) -> Result<u64> {
    let mut acted = 0;
    let mut consider = |standing: Option<S::Standing>| -> Result<()> {
        if let Some(standing) = standing
            && states.contains(&S::state(&standing))
        {
            act(&standing)?;
            acted += 1;
        }
        Ok(())
    };
    match selection {
        Selection::These(ids) => {
            for id in ids {
                consider(S::find(connection, id)?)?;
            }
        }
        Selection::Matching(filter) => {
            for sequence in S::matching(connection, filter, states)? {
                consider(S::standing(connection, sequence)?)?;
            }
        }
    }
    Ok(acted)
}

/// A reason's code and words. The code is empty where there is none, as for what a person dropped.
fn read_reason(row: &Row<'_>, code: &str, words: &str) -> Result<Option<(String, String)>> {
    let Some(reason) = row.get::<_, Option<String>>(words)? else {
        return Ok(None);
    };
    let code = row
        .get::<_, Option<CodeText>>(code)?
        .map(|code| code.0.as_str().to_owned());
    Ok(Some((code.unwrap_or_default(), reason)))
}
