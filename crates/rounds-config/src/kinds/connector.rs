//! What a connector says of its actions, in a word.

use super::text::words;

/// How an action is polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// By a filter for what changed.
    Changes,
    /// By the history of its records, deletions included.
    History,
    /// By an export that a job makes.
    Export,
    /// By a log of changes with numbers or tokens.
    Log,
    /// By a queue that forgets what it gave.
    Queue,
    /// The newest first, down to what is known.
    Newest,
    /// By a range of dates around today, compared with what is known.
    Dates,
    /// Everything each time, compared with what is known.
    Everything,
    /// It cannot be polled.
    None,
}

impl Strategy {
    /// In words, for people.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Changes => "what changed",
            Self::History => "history",
            Self::Export => "bulk export",
            Self::Log => "log of changes",
            Self::Queue => "queue",
            Self::Newest => "newest first",
            Self::Dates => "range of dates",
            Self::Everything => "everything",
            Self::None => "cannot be polled",
        }
    }
}

/// How sure a fact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// The vendor's or the standard's own text says so.
    Documented,
    /// A live server did so.
    Verified,
}

impl Certainty {
    /// In a word, for people.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Verified => "verified live",
        }
    }
}

words!(Strategy {
    "changes" => Self::Changes,
    "history" => Self::History,
    "export" => Self::Export,
    "log" => Self::Log,
    "queue" => Self::Queue,
    "newest" => Self::Newest,
    "dates" => Self::Dates,
    "everything" => Self::Everything,
    "none" => Self::None,
});

words!(Certainty {
    "documented" => Self::Documented,
    "verified" => Self::Verified,
});
