//! An answer that is made beside, asked for by a job.

/// A query whose answer is not in its response: it starts a job, which is asked for its state until its parts are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// A Bulk export (Bulk Data Access 2.0): 202 with `Content-Location`, a manifest with `transactionTime`, parts of ndjson.
    FhirBulk,
}
