//! What the engine is given (law 9): a clock, randomness, the EHRs, the destinations, the store.
//!
//! Each port is a trait with a real implementation in its own crate and a simulated one in the test kit, so that
//! years of rounds, faults and crashes run in seconds, from a seed, the same way twice.

mod clock;
mod credentials;
mod destination;
mod ehr;
mod history;
mod operations;
mod reception;
mod store;
mod upkeep;

pub use clock::{Clock, Randomness};
pub use credentials::{Credential, Credentials};
pub use destination::{ChallengeFailure, Destinations, Message};
pub use ehr::{
    Access, BodyPiece, BodySecret, Ehr, EhrError, EhrRequest, EhrResponse, RequestBody, Transience,
    Turn,
};
pub use history::{KeptContainer, KnownState, RecordHistory, Taken, Whereabouts};
pub use operations::{
    ActionOverview, ContainerDetail, ContainerFilter, ContainerSummary, DeletionDecision,
    DeletionFilter, DeliveryCount, DeliveryDetail, DeliveryFilter, DeliverySummary,
    DestinationOverview, HeldDeletion, NotificationDetail, NotificationFilter, NotificationSummary,
    Oldest, Operations, Overview, PageRequest, Selection,
};
pub use reception::{NotTaken, Receipt, Reception};
pub use store::{
    Breaker, Claimed, DestinationNote, DestinationState, Store, StoreError, StoreErrorKind,
};
pub use upkeep::{ActionReset, FeedPlace, KnownRecord, LedgerFate, Upkeep};
