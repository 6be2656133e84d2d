//! Names that the user chose, and identifiers that Rounds or an EHR gave.

use crate::Phi;
use std::fmt;

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(std::sync::Arc<str>);

        impl $type {
            /// Takes the text as it is.
            pub fn new(text: impl Into<std::sync::Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

name! {
    /// The name of one EHR instance, as the configuration gives it.
    ConnectionName
}
name! {
    /// The name of one polled API action.
    ActionName
}
name! {
    /// The name of one change query of an action; `changes` for the main one.
    FeedName
}
name! {
    /// The name of one place that notifications go to.
    DestinationName
}
name! {
    /// The name under which a lookup's answer is placed in the container.
    LookupName
}
name! {
    /// The random name of one installation, made with its database: spreads the starts of actions over installations.
    InstanceId
}
name! {
    /// One container. Sorts by the time of its creation. Its notification has the same last part.
    ContainerId
}
name! {
    /// One notification: the same on every attempt and after every crash. Has no dot (Standard Webhooks 1.0.0 forbids it).
    NotificationId
}

/// What the last part of a container's and its notification's id is made of.
impl ContainerId {
    /// The prefix of every container id.
    pub const PREFIX: &'static str = "ctr_";

    /// The id of the notification that this container becomes.
    pub fn notification_id(&self) -> NotificationId {
        let last = self
            .as_str()
            .strip_prefix(Self::PREFIX)
            .unwrap_or(self.as_str());
        NotificationId::new(format!("{}{last}", NotificationId::PREFIX))
    }
}

impl NotificationId {
    /// The prefix of every notification id.
    pub const PREFIX: &'static str = "ntf_";
}

/// One notification owed to one destination.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId {
    /// What is owed.
    pub notification: NotificationId,
    /// To whom.
    pub destination: DestinationName,
}

/// One change query of one action. Cursors belong to feeds; the ledger belongs to the action, because all feeds of
/// an action tell of the same records.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FeedKey {
    /// The action.
    pub action: ActionName,
    /// The feed within it.
    pub feed: FeedName,
    /// Which of its partitions, if it is asked partition by partition; None for the feed itself.
    pub partition: Option<Partition>,
}

impl FeedKey {
    /// The feed itself.
    pub const fn whole(action: ActionName, feed: FeedName) -> Self {
        Self {
            action,
            feed,
            partition: None,
        }
    }

    /// One of its partitions.
    #[must_use]
    pub fn of_partition(&self, partition: Partition) -> Self {
        Self {
            partition: Some(partition),
            ..self.clone()
        }
    }
}

/// What a query is asked for one at a time: a department, a practice, a patient. It may name a patient, so it is not shown
/// in logs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition(pub Phi<String>);

impl Partition {
    /// Takes the text as it is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Phi::new(text.into()))
    }

    /// The text.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Display for FeedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.action, self.feed)
    }
}

/// A record's identity within its action. The number 1 and the text "1" are the same identity.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId(pub Phi<String>);

impl RecordId {
    /// Takes the identity's text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Phi::new(text.into()))
    }

    /// The identity's text.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// Notifications with the same key reach a destination in the order in which their changes were found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrderingKey(pub Phi<String>);

impl OrderingKey {
    /// What stands between the keys of one that is several.
    const SEPARATOR: char = '\u{1f}';

    /// Takes the key's text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Phi::new(text.into()))
    }

    /// Several keys at once: what has them comes after everything earlier of each, and before everything later of each. The
    /// merge of two patients is such a barrier.
    pub fn several<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        let mut distinct: Vec<&str> = Vec::new();
        for key in keys {
            if !distinct.contains(&key) {
                distinct.push(key);
            }
        }
        Self::new(distinct.join(&Self::SEPARATOR.to_string()))
    }

    /// Its keys, mostly one.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.expose().split(Self::SEPARATOR)
    }

    /// The key's text.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// Which state of a record was seen: 16 bytes of a hash, of its version field or of its canonical content. Tells
/// nothing about the record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(pub [u8; 16]);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version({self})")
    }
}
