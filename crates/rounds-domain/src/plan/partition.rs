//! One query over several partitions: by patient, by department, by practice.

use super::Feed;
use crate::Partition;
use std::sync::Arc;
use std::time::Duration;

/// Over what a query is asked: each of them on its own, with a cursor of its own. Templates may use `partition`.
#[derive(Debug, Clone)]
pub enum Partitions {
    /// These.
    Listed(Vec<Partition>),
    /// Those that another request gives.
    Asked(PartitionQuery),
}

/// A request for partitions.
#[derive(Debug, Clone)]
pub struct PartitionQuery {
    /// What is asked: the ids of its records are the partitions. It has no cursor.
    pub list: Arc<Feed>,
    /// How long an answer serves.
    pub every: Duration,
}
