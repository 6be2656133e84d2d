//! Where rounds, containers, notifications and deliveries are kept.
//!
//! The engine never remembers anything that matters: what it must not forget is here, and every step of a change's
//! way is one transaction (law 1). A crash therefore leaves every change at exactly one place of its way, and going on
//! is nothing but claiming what is due.
//!
//! [`SqliteStore`] implements three ports on one `SQLite` database in a data directory:
//! [`Store`](rounds_domain::ports::Store), what the engine needs,
//! [`Operations`](rounds_domain::ports::Operations), what people ask and do, and
//! [`Credentials`](rounds_domain::ports::Credentials), the secrets that EHRs gave. Its module [`sqlite`] tells how. The conformance suite under `tests/it/conformance` says what any
//! backend must do; a second one passes it before it is believed.
//!
//! # Order without searching
//!
//! Containers keep the order of their action's ordering key, deliveries that of their destination's. Neither is found
//! out when claiming. A row that comes behind an open one of its key is *waiting*, and whatever ends a row makes the
//! first open row of the key due, if that one waits. So there is one invariant, *the first open row of a key never
//! waits*, and a claim reads nothing but an index of what may be claimed, however much waits or is finished.
//!
//! A dead row does not hold up its key. When a person retries it after its key went on, it is due at once, beside the
//! later ones that are open already, because those may be on their way and cannot be called back; behind an *earlier*
//! open one it waits like any other.
//!
//! # What to mind
//!
//! - **A claim is a row with an expiry.** Nobody gives a claim back by dying; its lease ends. Only a process that
//!   has the data directory for itself releases the claims of its predecessor at once, when it opens the store.
//! - **A late settlement does no harm.** A container that is gone, dead or dropped is not settled again; a
//!   delivery that is done keeps its state and only remembers the attempt.
//! - **Errors carry no patient data.** Record ids and bodies are bound as parameters, never formatted into SQL or
//!   into a message.

pub mod sqlite;

pub use sqlite::{Holder, Purpose, SqliteStore, StoreOptions};
