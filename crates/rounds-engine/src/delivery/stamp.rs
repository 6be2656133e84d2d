//! What of a body belongs to one attempt or to one destination, filled in when it leaves.
//!
//! A notification is kept once, and is the same for all its destinations. Redox's `Meta.Logs[].AttemptID` is new for each attempt,
//! though, and the number of an event in a FHIR subscription counts what its own destination was told. Both stand in the kept body as a
//! mark. The signature is made of what leaves, so a receiver sees nothing of this.

use crate::containers::{NUMBER_MARK, source};
use crate::ids::attempt_id;
use jiff::Timestamp;
use memchr::memmem;
use rounds_domain::plan::Shape;
use rounds_domain::{ActionName, DeliveryJob, Document, Notification, NotificationId};

/// The body of the attempt that begins now.
pub(super) fn stamped(job: &DeliveryJob, started_at: Timestamp) -> Document {
    let id = job.id.notification.as_str();
    match job.shape {
        Shape::FhirSubscriptionR4 | Shape::FhirSubscriptionR5 => {
            replaced(&job.body, NUMBER_MARK, || job.number.to_string())
        }
        Shape::FhirMessage => job.body.clone(),
        Shape::Plain | Shape::CloudEvents | Shape::CloudEventsBinary => {
            let log = |attempt: &str| format!(r#"{{"ID":"{id}","AttemptID":{attempt}}}"#);
            replaced(&job.body, &log("null"), || {
                log(&format!("\"{}\"", attempt_id(&job.id, started_at)))
            })
        }
    }
}

/// What a shape says in headers.
pub(super) fn headers(job: &DeliveryJob) -> Vec<(&'static str, String)> {
    let id = &job.id.notification;
    of_shape(job.shape, id, &job.action, &job.event, job.detected_at)
}

/// What its shape will say in headers when a notification leaves.
pub fn shape_headers(notification: &Notification) -> Vec<(&'static str, String)> {
    let Notification {
        shape,
        id,
        action,
        event,
        detected_at,
        ..
    } = notification;
    of_shape(*shape, id, action, event, *detected_at)
}

fn of_shape(
    shape: Shape,
    id: &NotificationId,
    action: &ActionName,
    event: &str,
    detected_at: Timestamp,
) -> Vec<(&'static str, String)> {
    if shape != Shape::CloudEventsBinary {
        return Vec::new();
    }
    vec![
        ("ce-specversion", "1.0".to_owned()),
        ("ce-id", id.to_string()),
        ("ce-source", source(action.as_str())),
        ("ce-type", event.to_owned()),
        ("ce-time", detected_at.to_string()),
    ]
}

/// The body with `text` for every `mark`; the same document where there is none.
fn replaced(body: &Document, mark: &str, text: impl FnOnce() -> String) -> Document {
    let bytes = body.bytes();
    let mut marks = memmem::find_iter(bytes, mark).peekable();
    if marks.peek().is_none() {
        return body.clone();
    }
    let text = text();
    let mut out = Vec::with_capacity(bytes.len() + text.len());
    let mut from = 0;
    for at in marks {
        out.extend_from_slice(&bytes[from..at]);
        out.extend_from_slice(text.as_bytes());
        from = at + mark.len();
    }
    out.extend_from_slice(&bytes[from..]);
    Document::new(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_filled_in_and_nothing_else() {
        let body = Document::new(br#"{"a":"@m@","b":"@m","c":"@m@"}"#.to_vec());
        let filled = replaced(&body, "@m@", || "12".to_owned());
        assert_eq!(&filled.bytes()[..], br#"{"a":"12","b":"@m","c":"12"}"#);
        let same = replaced(&body, "@n@", || unreachable!("there is no such mark"));
        assert_eq!(same.bytes(), body.bytes());
    }
}
