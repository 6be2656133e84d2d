//! Time and chance.

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use std::time::Duration;

/// The only source of time.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock. It may jump.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment of this process. It never goes back.
    fn monotonic(&self) -> Duration;

    /// Ends after this long.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The only source of chance.
pub trait Randomness: Send + Sync + 'static {
    /// 64 fresh random bits.
    fn next_u64(&self) -> u64;
}
