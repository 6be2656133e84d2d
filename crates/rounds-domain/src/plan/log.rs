//! Logs: numbered entries, or tokens for what came since.

use super::RequestRule;
use rounds_map::Filter;

/// A log that is read from the place up to which it was read before.
#[derive(Debug, Clone)]
pub struct Log {
    /// From a page's body to the place behind what it showed; absent keeps the former one.
    pub place: Filter,
    /// A request whose answer gives the place behind everything, asked instead of reading it all where the feed starts from now.
    pub end: Option<Box<RequestRule>>,
    /// Whether each page's place is known to be that of what it showed.
    pub order: LogOrder,
}

/// Whether each page of a log gives the place of what it showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogOrder {
    /// Nobody says so: an answer may give the log's end on every page. Then a page's place counts only where the next page is asked for from it.
    #[default]
    Unsaid,
    /// It does, and pages ascend: checked by whether it rises from page to page.
    Ascending,
}
