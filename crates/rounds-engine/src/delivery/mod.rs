//! Deliveries: who is owed what, what an attempt's outcome means, and when to try again.
//!
//! The store keeps the order: it gives the first delivery of each ordering key only, and the next one when that is
//! done, dead or dropped. So a refused notification holds up its own key and nobody else's (laws 4 and 5). Attempts are
//! made at least once: an answer that was lost on the way back leads to the same notification with the same id again.

mod breaker;
mod challenge;
mod decide;
mod stamp;
mod trial;
mod work;

pub use stamp::shape_headers;
pub use trial::test_message;

pub(crate) use work::DeliveryWork;
