//! Waiting for something that another process does: there is nothing but to look again.

use anyhow::{Result, bail};
use std::time::Duration;

const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// What a look found.
pub(crate) enum Look<T> {
    /// It is there.
    There(T),
    /// Not yet; what is still missing, for the message should it never come.
    NotYet(String),
}

/// Looks until it is there, `limit` at most. The error says what was waited for and what was missing at the last look.
pub(crate) async fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Result<Look<T>>,
) -> Result<T> {
    let mut missing = String::new();
    let looks = async {
        loop {
            match look().await? {
                Look::There(found) => return Ok(found),
                Look::NotYet(still_missing) => missing = still_missing,
            }
            pause(BETWEEN_LOOKS).await;
        }
    };
    let looked = tokio::time::timeout(limit, looks).await;
    match looked {
        Ok(found) => found,
        Err(_elapsed) => bail!("waited {} s for {what}: {missing}", limit.as_secs()),
    }
}

/// Lets `duration` pass.
#[expect(
    clippy::disallowed_methods,
    reason = "the processes that are watched run on the machine's clock"
)]
pub(crate) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

#[cfg(test)]
mod tests {
    use super::{Look, wait_for};
    use std::time::Duration;

    #[tokio::test]
    async fn it_looks_again_until_it_is_there() {
        let mut looks = 0;
        let found = wait_for("three", Duration::from_secs(10), async || {
            looks += 1;
            Ok(if looks == 3 {
                Look::There(looks)
            } else {
                Look::NotYet(String::new())
            })
        });
        assert_eq!(found.await.expect("it comes"), 3);
    }

    #[tokio::test]
    async fn what_never_comes_is_named() {
        let never = wait_for::<()>("rain", Duration::from_millis(1), async || {
            Ok(Look::NotYet("no cloud".to_owned()))
        });
        let error = never.await.expect_err("it never comes");
        assert_eq!(error.to_string(), "waited 0 s for rain: no cloud");
    }
}
