//! Taking what an EHR pushes.

use crate::{ActionName, Code, ConnectionName};
use async_trait::async_trait;
use bytes::Bytes;

/// Takes pushes. What it has taken is on the disk.
#[async_trait]
pub trait Reception: Send + Sync + 'static {
    /// Takes one push for an action of a connection.
    async fn receive(
        &self,
        connection: &ConnectionName,
        action: &ActionName,
        body: Bytes,
    ) -> Result<Receipt, NotTaken>;
}

/// What became of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// How many of its records are news.
    pub told: u64,
    /// How many were known already, or are older than what is known.
    pub known: u64,
}

/// Why a push was not taken. Without patient data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTaken {
    /// There is no such action, or it takes no pushes.
    Unknown,
    /// It cannot be read: it would not be taken if it came again.
    Unreadable {
        /// The stable code.
        code: Code,
        /// In words.
        reason: String,
    },
    /// It cannot be kept now: it should come again.
    Unavailable {
        /// The stable code.
        code: Code,
        /// In words.
        reason: String,
    },
}
