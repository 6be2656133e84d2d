//! What can be wrong with an EHR beyond the wire: feeds that do not do what their page says.

use crate::wire::{StatusAnswer, WireFault};

/// One thing that goes wrong with one request to the EHR.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Something on the wire.
    Wire(WireFault),
    /// `changedsince` and `since` are ignored: everything is given.
    IgnoreFilter,
    /// Paging never gets on. A next link or token leads to the page that it stands on; page numbers and offsets are ignored; the change feed
    /// says `Last` = `since`.
    NextLoops,
    /// Next links lead to this origin (`http://elsewhere.example`) instead of the EHR's own.
    NextElsewhere {
        /// Scheme, host and port.
        origin: String,
    },
}

impl From<WireFault> for Fault {
    fn from(fault: WireFault) -> Self {
        Self::Wire(fault)
    }
}

impl From<StatusAnswer> for Fault {
    fn from(answer: StatusAnswer) -> Self {
        Self::Wire(answer.into())
    }
}

/// Which requests a fault is meant for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All.
    Everything,
    /// Those to exactly this path, such as `/appointments`.
    Path(String),
    /// Those to a path that begins so, such as `/patient/`.
    Under(String),
}

impl Scope {
    /// Requests to exactly `path`.
    pub fn path(path: impl Into<String>) -> Self {
        Self::Path(path.into())
    }

    /// Requests to paths that begin with `prefix`.
    pub fn under(prefix: impl Into<String>) -> Self {
        Self::Under(prefix.into())
    }

    /// Whether a request to `path` is meant.
    pub fn covers(&self, path: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Path(exact) => path == exact,
            Self::Under(prefix) => path.starts_with(prefix.as_str()),
        }
    }
}

/// How the feeds behave for one request.
#[derive(Debug)]
pub(crate) struct Conduct {
    pub(crate) filter: Filter,
    pub(crate) next: Next,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filter {
    Honoured,
    Ignored,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Honest,
    Loops,
    Elsewhere(String),
}

impl Conduct {
    /// As the faults of a request make it.
    pub(crate) fn under(faults: &[Fault]) -> Self {
        let mut conduct = Self {
            filter: Filter::Honoured,
            next: Next::Honest,
        };
        for fault in faults {
            match fault {
                Fault::Wire(_) => {}
                Fault::IgnoreFilter => conduct.filter = Filter::Ignored,
                Fault::NextLoops => conduct.next = Next::Loops,
                Fault::NextElsewhere { origin } => conduct.next = Next::Elsewhere(origin.clone()),
            }
        }
        conduct
    }
}
