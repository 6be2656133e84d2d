//! The configuration's face: every key, what belongs behind it, and what it means.
//!
//! This is the one description. It reads configurations, names the nearest key for a slip, and makes the JSON Schema; a
//! new key is a new line here and its lowering. See [`crate::reading`] for how a line is read.

mod action;
mod authentication;
mod connection;
mod connector;
mod cursor;
mod destination;
mod feed;
mod map;
mod paging;
mod request;
mod subscription;

use crate::kinds::{Names, PositiveLength};
use crate::reading::keys;
pub(crate) use action::{
    ActionKeys, BatchKeys, LookupKeys, NotifyKeys, OwnModelKeys, ReceiveKeys, RetryKeys, SetupKeys,
};
pub(crate) use authentication::{
    AuthKeys, LoginKeys, OAuth2Keys, SecretKeys, SessionTokenKeys, SmartBackendKeys,
};
pub(crate) use connection::{ConnectionKeys, InboundKeys, PartyKeys, RateKeys};
pub(crate) use connector::{ConnectorActionKeys, ConnectorKeys, SettingKeys};
pub(crate) use cursor::{CursorKeys, LogEndKeys, QueueKeys, RecoverKeys};
pub(crate) use destination::DestinationKeys;
pub(crate) use feed::{AlsoKeys, ChangesKeys, DatesKeys, ForEachKeys, ReconcileKeys, TrailingKeys};
pub(crate) use map::MapKeys;
pub(crate) use paging::PagingKeys;
pub(crate) use request::{AnswerKeys, RequestBodyKeys};
pub(crate) use subscription::{SubscriptionKeys, TranslationKeys};

keys! {
    /// What Rounds does: which EHRs it asks, for which changes, and whom it tells.
    struct ConfigKeys = "Config" {
        /// The EHR instances, by name.
        optional connections: Names<ConnectionKeys>,
        /// The polled API actions, by name.
        optional actions: Names<ActionKeys>,
        /// Where notifications go, by name.
        optional destinations: Names<DestinationKeys>,
        /// Sets of values and what they are called elsewhere, by name.
        optional translations: Names<TranslationKeys>,
        /// How long finished notifications are kept. Default 30d.
        optional keep: PositiveLength = "30d",
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::Findings;
    use crate::source::Sources;
    use crate::tree::{Parsed, parse};

    #[test]
    fn every_example_is_accepted_by_its_own_key() {
        for (keys, key) in [
            super::ALL,
            super::authentication::ALL,
            super::connection::ALL,
            super::action::ALL,
            super::feed::ALL,
            super::cursor::ALL,
            super::connector::ALL,
            super::map::ALL,
            super::paging::ALL,
            super::request::ALL,
            super::subscription::ALL,
            super::destination::ALL,
        ]
        .into_iter()
        .flatten()
        .flat_map(|keys| keys.all.iter().map(move |key| (keys.name, key)))
        {
            let Some(example) = key.example else { continue };
            // As in the schema: JSON where it is, plain text otherwise.
            let json = serde_json::from_str::<serde_json::Value>(example).is_ok();
            let text = if json {
                example.to_owned()
            } else {
                format!("'{}'", example.replace('\'', "''"))
            };
            let sources = Sources::from_text("example", text);
            let mut findings = Findings::new(&sources);
            let Parsed::Tree(node) = parse(0, &mut findings) else {
                panic!("{keys}.{}: not YAML", key.name)
            };
            let accepted = (key.accepts)(&node, &mut findings);
            assert!(
                accepted && !findings.has_errors(),
                "{keys}.{}: {:?}",
                key.name,
                findings.finish()
            );
        }
    }
}
