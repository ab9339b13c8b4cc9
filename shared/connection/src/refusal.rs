//! What calls about a connection's data answer in its status.

use std::time::Duration;

use millwright_core::{Clock, Result, WallTime};

use crate::{Connection, ConnectionContext, Status, reconnect_url, tell::is_failure};

/// How long a caller is asked to wait when nothing says when the system is asked next.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// Whether records may be read from the system and written.
///
/// # Errors
/// The error that data calls answer with in this status: with the reason, with the address for logging
/// in again where that is what is needed, with the time until the next check where the system cannot be
/// reached.
pub async fn allow_data(context: &ConnectionContext, connection: &Connection) -> Result<()> {
    let status = connection.status();
    let Err(mut error) = status.allow_data() else { return Ok(()) };
    if let Some(reason) = connection.status_reason.as_deref().filter(|reason| !reason.is_empty()) {
        error.message = format!("{}: {reason}", error.message);
    }
    match status {
        Status::ReauthorizationRequired => {
            error.reconnect_url = reconnect_url(context, connection).await?;
        }
        Status::Unavailable => {
            error.retry_after = Some(until_next_check(connection, context.store.clock()));
        }
        _ => {}
    }
    Err(error)
}

/// Whether records of the last sync may be read: as [`allow_data`], but with `allow_stale` also while
/// the system fails, unless they were synced too long ago (`synced_at`; nothing before the first load of
/// the entity has ended, when what is there is no older than the connection).
///
/// # Errors
/// As [`allow_data`].
pub async fn allow_stale_data(
    context: &ConnectionContext,
    connection: &Connection,
    allow_stale: bool,
    synced_at: Option<WallTime>,
) -> Result<()> {
    let Err(mut error) = allow_data(context, connection).await else { return Ok(()) };
    if !allow_stale || !is_failure(connection.status()) {
        return Err(error);
    }
    let now = context.store.clock().wall();
    if is_recent(synced_at.unwrap_or(connection.created_at), now, context.timing.stale) {
        return Ok(());
    }
    let hours = context.timing.stale.as_secs().div_ceil(3600);
    error.message = format!("{}; the last sync ended more than {hours} h ago", error.message);
    Err(error)
}

fn is_recent(synced_at: WallTime, now: WallTime, limit: Duration) -> bool {
    now.since(synced_at) <= limit
}

/// The caller waits by the time of day, the check by the schedule clock.
fn until_next_check(connection: &Connection, clock: &Clock) -> Duration {
    let Some(at) = connection.next_check_at else { return ASK_AGAIN_AFTER };
    let wait = at.since(clock.schedule()).div_f64(clock.speed());
    wait.max(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{WALL, connection};

    #[test]
    fn a_caller_is_asked_to_wait_until_the_next_check_and_never_not_at_all() {
        let clock = Clock::system();
        let mut own = connection();
        assert_eq!(until_next_check(&own, &clock), ASK_AGAIN_AFTER);
        own.next_check_at = Some(clock.schedule() + Duration::from_secs(600));
        let wait = until_next_check(&own, &clock).as_secs();
        assert!((598..=600).contains(&wait), "{wait}");
        own.next_check_at = Some(clock.schedule() - Duration::from_secs(600));
        assert_eq!(until_next_check(&own, &clock), Duration::from_secs(1));
    }

    #[test]
    fn a_quickened_clock_comes_to_the_check_sooner() {
        let now = Clock::system().wall();
        let clock = Clock::scaled(now, Duration::ZERO, 60.0);
        let mut own = connection();
        own.next_check_at = Some(clock.schedule() + Duration::from_secs(600));
        let wait = until_next_check(&own, &clock).as_secs();
        assert!((8..=10).contains(&wait), "{wait}");
    }

    #[test]
    fn records_are_stale_after_the_limit_and_not_before() {
        let limit = Duration::from_secs(3600);
        assert!(is_recent(WALL, WALL + limit, limit));
        assert!(!is_recent(WALL, WALL + limit + Duration::from_millis(1), limit));
    }
}
