//! Stories over the whole engine: a plan from YAML, the real store, a simulated clock, an EHR and a receiver
//! that do what the story says.

mod cases;
mod changes;
mod containers;
mod cursors;
mod deliveries;
mod ehr;
mod faulty_store;
mod paging;
mod poll;
mod trouble;
mod world;
