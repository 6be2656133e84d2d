//! Redox data models as data: what a user's body leaves out is filled as Redox does.
