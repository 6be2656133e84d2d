//! What every task with real processes needs: the release binary, processes that end with the task, waiting for what they do.

pub(crate) mod build;
pub(crate) mod process;
pub(crate) mod wait;
