//! What a connection's own tests showed, in words.

use crate::output::{Align, Columns, Report, plural};
use rounds_engine::probe::{Tested, Works};
use serde::Serialize;
use std::io::{self, Write};

/// What a connection's own tests showed.
#[derive(Debug, Serialize)]
pub struct TestsPage {
    /// Which connection.
    pub connection: String,
    /// How each went.
    pub tests: Vec<TestRow>,
    /// How many requests it took.
    pub requests: usize,
}

/// How one went.
#[derive(Debug, Serialize)]
pub struct TestRow {
    /// Which.
    pub test: String,
    /// Whether it can be polled.
    pub works: bool,
    /// How that showed.
    pub because: String,
    /// The configuration that would do it; none where the test is the user's own.
    pub configuration: Option<String>,
}

impl TestsPage {
    /// The page of what was found.
    pub fn of(connection: &str, tested: Vec<Tested>, requests: usize) -> Self {
        let tests = tested.into_iter().map(|tested| {
            let works = tested.found.works == Works::Yes;
            let name = &tested.name;
            let configuration = tested.connector.filter(|_| works).map(|_| {
                format!("{name}: {{ connection: {connection}, uses: {name}, every: ..., to: ... }}")
            });
            TestRow {
                works,
                because: tested.found.because,
                configuration,
                test: tested.name,
            }
        });
        Self {
            connection: connection.to_owned(),
            tests: tests.collect(),
            requests,
        }
    }

    /// Whether anything can be gone by.
    pub fn has_answered(&self) -> bool {
        self.tests.iter().any(|row| row.works)
    }
}

impl Report for TestsPage {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}\n", self.connection)?;
        let mut table = Columns::new(&[
            ("test", Align::Left),
            ("pollable", Align::Left),
            ("because", Align::Left),
        ]);
        for row in &self.tests {
            let works = if row.works { "yes" } else { "no" };
            table.row([row.test.clone(), works.to_owned(), row.because.clone()]);
        }
        table.write(out, "")?;
        writeln!(out)?;
        for configuration in self
            .tests
            .iter()
            .filter_map(|row| row.configuration.as_ref())
        {
            writeln!(out, "  {configuration}")?;
        }
        let requests = u64::try_from(self.requests).unwrap_or(u64::MAX);
        writeln!(out, "\nThis took {}.", plural(requests, "request"))
    }
}
