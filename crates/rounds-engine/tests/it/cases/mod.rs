//! Real bugs of real pollers, each as a story that must not happen here.
//!
//! Pollers have lost and repeated data in the same few ways for twenty years. Each case is one such bug that somebody
//! reported of a system in use; a test carries the case's number and where it was reported, and is named after what it
//! protects. RELIABILITY.md lists which test stands for which case. A case shows a rule, so most tests here try many
//! variants of it (intervals, page sizes, offsets, orders), and the one that was reported is among them.
//!
//! Some cases are older stories of this crate that were moved here; some live where the rule does, in unit tests or in
//! another crate, with the same sort of comment.
//!
//! What to mind: `EC:` is a commit of github.com/estuary/connectors; `CDK#` an issue of airbytehq/airbyte-python-cdk.

mod auth_and_limits;
mod child_lookups;
mod cursor_boundary;
mod deletes_and_snapshots;
mod late_arrivals;
mod memory_and_state;
mod paging;
mod precision_and_identity;
mod scheduling;
mod state_and_delivery;
mod zones_and_clocks;
