//! Stories over the whole engine: a plan from YAML, the real store, a simulated clock, an EHR and a receiver
//! that do what the story says.

mod also;
mod ascending;
mod cases;
mod changes;
mod containers;
mod cursors;
mod deliveries;
mod ehr;
mod faulty_store;
mod heard;
mod moving;
mod paging;
mod partitions;
mod poll;
mod sweeps;
mod trouble;
mod world;
