//! Connector files: what is known of an EHR's API, so that its user need not find it out.
//!
//! A connector file says how an API says what changed: for each of its actions a strategy, the configuration that follows
//! from it, how sure that is and where it comes from; and which actions cannot be polled, why, and what can be done
//! instead. A user's connection begins with it (`connector: epic`), a user's action with one of its actions (`uses:
//! appointments`), and what the user writes comes over it.
//!
//! How it works: before a configuration is read, its trees are merged with those of the connectors. A piece of a tree
//! knows its file, so a mistake in a connector is shown in the connector, and one in the user's file there. The files of
//! `connectors/` are compiled in; a file in the user's own folder that begins with `connector:` is one too, and comes
//! before a built-in one of the same name.
//!
//! What to mind: how often an EHR is asked is never a connector's to say, nor is who is told.

mod facts;
mod merge;
mod settings;

pub use facts::{ActionFacts, ConnectorFacts, SettingFacts, connectors};
pub(crate) use merge::apply;
pub(crate) use settings::{Values, filled};

/// What became of an action that uses a connector's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorUse {
    /// The user's action.
    pub action: String,
    /// The connector.
    pub connector: String,
    /// Its action.
    pub uses: String,
    /// How it is polled.
    pub strategy: crate::kinds::Strategy,
    /// How sure that is.
    pub certainty: crate::kinds::Certainty,
}
