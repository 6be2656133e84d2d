//! What a store must do, and what `SQLite` must do when files, disks and processes are in the way.

mod conformance;
mod damage;
mod files;
mod model;
mod support;
