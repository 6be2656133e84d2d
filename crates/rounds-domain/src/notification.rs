//! What one changed record becomes.

use crate::plan::Shape;
use crate::{
    ActionName, ChangeKind, ContainerId, DestinationName, Document, Former, LookupName,
    NotificationId, OrderingKey, RecordId, Version,
};
use jiff::Timestamp;

/// Something that the notification should have had and has not: marked, never silent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The lookup whose answer is missing.
    pub lookup: LookupName,
    /// The status that the EHR answered, 404 or 410.
    pub status: u16,
}

/// What one changed record becomes: one body, one stable id.
#[derive(Debug, Clone)]
pub struct Notification {
    /// The same on every attempt and after every crash.
    pub id: NotificationId,
    /// The container it came from.
    pub container: ContainerId,
    /// The action.
    pub action: ActionName,
    /// The record.
    pub record_id: RecordId,
    /// The record's state that it tells of.
    pub version: Version,
    /// First seen, or changed.
    pub kind: ChangeKind,
    /// What is known of its state before.
    pub former: Former,
    /// What it is called, `Scheduling.New` or the action's name: no patient data.
    pub event: String,
    /// Whose order it keeps.
    pub ordering_key: OrderingKey,
    /// What the receiver gets, but for what belongs to an attempt or to a destination and is filled in when it leaves.
    pub body: Document,
    /// How it is wrapped.
    pub shape: Shape,
    /// What is missing in it.
    pub gaps: Vec<Gap>,
    /// The paths of its body that are not as they were, however many changes of the record lie in between. No values.
    pub changed: Vec<String>,
    /// Where its body has values that no translation knows. Only counted, not kept with it.
    pub unknown: Vec<String>,
    /// The destinations that did not want it, by the rules of their subscriptions.
    pub filtered: Vec<DestinationName>,
    /// When the change was committed, by our clock.
    pub detected_at: Timestamp,
    /// When the notification was made, by our clock.
    pub created_at: Timestamp,
}
