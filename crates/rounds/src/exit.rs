//! What the program's end means.

use std::fmt::Write;
use std::process::ExitCode;

/// How a command ended. The numbers follow BSD's `sysexits` where they have a word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Ended {
    /// All is well.
    Fine = 0,
    /// Something failed while it ran.
    Failed = 1,
    /// It ran, and what it looked at is not as it should be: the demo lost something, the drain was cut short.
    NotAsItShould = 2,
    /// `status`: something is failing.
    Failing = 3,
    /// `status`: nothing runs.
    NothingRuns = 4,
    /// The command line makes no sense, or names what there is not.
    Usage = 64,
    /// The configuration or the database cannot be used.
    BadData = 65,
    /// The EHR did not do its part in a round made by hand.
    Unavailable = 69,
    /// The data directory cannot be read or written, or the disk is full.
    DataDirectory = 74,
    /// Another process is in the way: try again later.
    TryAgain = 75,
}

impl Ended {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Fine,
        Self::Failed,
        Self::NotAsItShould,
        Self::Failing,
        Self::NothingRuns,
        Self::Usage,
        Self::BadData,
        Self::Unavailable,
        Self::DataDirectory,
        Self::TryAgain,
    ];

    /// The number that the shell sees.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// In words, for the help.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Fine => "all is well",
            Self::Failed => "something failed while it ran",
            Self::NotAsItShould => {
                "the demo lost, repeated or reordered a change, or `run` could not finish in time"
            }
            Self::Failing => "`status` found something failing, held, paused or given up",
            Self::NothingRuns => "`status` found no `run` at work on the data directory",
            Self::Usage => "the command line makes no sense, or names what there is not",
            Self::BadData => "the configuration or the database cannot be used",
            Self::Unavailable => "the EHR did not do its part in a round made by `poll`",
            Self::DataDirectory => {
                "the data directory cannot be read or written, or the disk is full"
            }
            Self::TryAgain => "another process uses the data directory: try again later",
        }
    }

    /// The table that the help ends with.
    pub fn table() -> String {
        let mut table = "Exit codes:".to_owned();
        for ended in Self::ALL {
            // Writing to a text cannot fail.
            let _ = write!(table, "\n  {:>2}  {}", ended.number(), ended.meaning());
        }
        table
    }
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> Self {
        Self::from(ended.number())
    }
}
