//! A message that a person sends to see whether an endpoint takes one.

use crate::ids::{Version, uuid};
use jiff::Timestamp;
use rounds_domain::ports::Message;
use rounds_domain::{DestinationName, Document, Former, NotificationId};
use rounds_map::Json;

/// A test for a destination: in the frame of a Redox message, which says of itself that it is none (`Meta.Test`).
pub fn test_message(destination: &DestinationName, sent_at: Timestamp, chance: u64) -> Message {
    let id = format!("tst_{chance:016x}");
    let party = |name: String| Json::object([("ID", Json::null()), ("Name", Json::string(name))]);
    let log = Json::object([
        ("ID", Json::string(id.clone())),
        (
            "AttemptID",
            Json::string(uuid(u128::from(chance), Version::Random)),
        ),
    ]);
    let meta = Json::object([
        ("DataModel", Json::string("Rounds")),
        ("EventType", Json::string("Test")),
        ("EventDateTime", Json::string(sent_at.to_string())),
        ("Test", Json::boolean(true)),
        ("Source", party("Rounds".to_owned())),
        (
            "Destinations",
            Json::array([party(destination.to_string())]),
        ),
        ("Logs", Json::array([log])),
    ]);
    Message {
        id: NotificationId::new(id),
        body: Document::new(Json::object([("Meta", meta)]).to_bytes()),
        content_type: "application/json",
        headers: Vec::new(),
        gaps: Vec::new(),
        former: Former::None,
        changed: Vec::new(),
        attempt: 1,
        sent_at,
    }
}
