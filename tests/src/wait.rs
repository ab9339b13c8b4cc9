//! Waiting for something to become true, with an end.

use std::{
    fmt::Debug,
    future::Future,
    time::{Duration, Instant},
};

/// How long to wait between looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Looks until there is something and answers with it.
///
/// # Panics
/// When there is still nothing after `limit`.
pub async fn until<T, F, Fut>(what: &str, limit: Duration, look: F) -> T
where
    F: Fn() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "waited {limit:?} in vain: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Looks until `look` answers `wanted`, and names the last answer when it never does.
///
/// # Panics
/// When it has not after `limit`.
pub async fn until_equal<T, F, Fut>(what: &str, limit: Duration, wanted: T, look: F)
where
    T: PartialEq + Debug,
    F: Fn() -> Fut,
    Fut: Future<Output = T>,
{
    let end = Instant::now() + limit;
    loop {
        let seen = look().await;
        if seen == wanted {
            return;
        }
        assert!(Instant::now() < end, "waited {limit:?} for {what}: {seen:?}, not {wanted:?}");
        tokio::time::sleep(PAUSE).await;
    }
}
