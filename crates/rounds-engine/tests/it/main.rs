//! Stories over the whole engine: a plan from YAML, the real store, a simulated clock, an EHR and a receiver
//! that do what the story says.

mod also;
mod answers;
mod ascending;
mod batches;
mod bodies;
mod cases;
mod changes;
mod connectors;
mod containers;
mod cursors;
mod deliveries;
mod documents;
mod ehr;
mod events;
mod faulty_store;
mod findings;
mod heard;
mod jobs;
mod lookup_identity;
mod more_pages;
mod moving;
mod origin;
mod paging;
mod partitions;
mod poll;
mod pushes;
mod queues;
mod setup;
mod shapes;
mod slices;
mod subscriptions;
mod sweeps;
mod trouble;
mod versions;
mod world;
