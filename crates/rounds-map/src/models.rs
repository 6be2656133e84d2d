//! Redox data models as data: what a user's body leaves out is filled as Redox does.

/// Stub: being written.
#[derive(Debug)]
pub struct Model;
