//! The rules that give an action's stored state its meaning.
//!
//! A ledger is of one EHR and goes by one identity; a cursor is of one kind and began at one start. When the configuration is edited
//! under them, nothing in the store says so by itself: a changed `id` makes every record a new one, another `base_url` compares one
//! EHR's records with another's, and a changed `start` is simply not read any more. So these few rules are kept beside the state, in the
//! words of the configuration, and compared at each start. How a version is made is not among them: the ledger keeps the last state
//! whole, so an edit of that is seen through (`round/former.rs` of the engine).

use super::{Action, Connection, CursorRule, Feed, FeedRole, Ids};
use std::collections::BTreeMap;

/// How the rule is named by which a record is identified.
pub const ID: &str = "id";
/// How the rule is named that says which EHR it is.
pub const BASE_URL: &str = "base_url";
/// The ending of the rules that say of which kind a feed's cursor is.
pub const CURSOR: &str = "cursor";
/// The ending of the rules that say where a feed began.
pub const START: &str = "start";

/// How it is named what the whole configuration was: it gives the state no meaning, but what failed under another may go well now.
pub const CONFIGURATION: &str = "configuration";

/// The rules of an action, by name: `id`, `base_url`, and for each change query `FEED.cursor` and `FEED.start`.
pub type Rules = BTreeMap<String, String>;

/// The rules that an action has now.
pub fn rules_of(action: &Action, connection: &Connection) -> Rules {
    let mut rules = Rules::from([
        (ID.to_owned(), identity(&action.changes)),
        (
            BASE_URL.to_owned(),
            connection
                .base_url
                .as_str()
                .trim_end_matches('/')
                .to_owned(),
        ),
    ]);
    let changes = action.feeds().filter(|feed| feed.role == FeedRole::Changes);
    for feed in changes {
        rules.insert(of_feed(feed, CURSOR), cursor_kind(&feed.cursor).to_owned());
        rules.insert(of_feed(feed, START), feed.start.to_string());
    }
    rules
}

/// How a rule of a feed is named.
pub fn of_feed(feed: &Feed, rule: &str) -> String {
    format!("{}.{rule}", feed.name)
}

fn identity(feed: &Feed) -> String {
    match feed.ids {
        Ids::Shared => feed.id.text().trim().to_owned(),
        Ids::PerPartition => format!("{} per_partition", feed.id.text().trim()),
    }
}

/// Of which kind a cursor is.
const fn cursor_kind(rule: &CursorRule) -> &'static str {
    match rule {
        CursorRule::Time(_) => "time",
        CursorRule::Number(_) => "number",
        CursorRule::Token(_) => "token",
        CursorRule::Queue(_) => "queue",
        CursorRule::Sweep(_) => "none",
    }
}
