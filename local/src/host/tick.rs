//! EventBridge Scheduler: `rate(1 minute)` on the schedule clock.

use std::time::Duration;

use millwright_core::{Clock, ScheduleTime};
use serde_json::json;
use tokio::sync::watch;

use super::{TickFunction, invocation::invoke, stopping};

/// The schedule's rate.
const MINUTE: Duration = Duration::from_secs(60);
/// Ticks are at least so far apart, however fast the schedule clock runs; also how often the clock is
/// looked at, since it can be stepped.
const PAUSE: Duration = Duration::from_millis(50);
/// The function's limit in the template.
const LIMIT: Duration = Duration::from_secs(30);

/// Ticks until the host stops; the first tick is at once, for what was due while nobody ran.
pub(super) async fn run(tick: TickFunction, clock: Clock, stopped: watch::Receiver<bool>) {
    tokio::select! {
        () = tick_on(&tick, &clock) => {}
        () = stopping(stopped) => {}
    }
}

async fn tick_on(tick: &TickFunction, clock: &Clock) {
    let mut next = clock.schedule();
    loop {
        let now = clock.schedule();
        if now >= next {
            next = following(next, now);
            // The template's input.
            if let Ok(Err(error)) = invoke("tick", LIMIT, tick(json!({}))).await {
                tracing::error!(%error, "the tick failed");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The next minute after `now`, in step with the last one; minutes that were missed are not made up.
fn following(last: ScheduleTime, now: ScheduleTime) -> ScheduleTime {
    let missed = now.since(last).as_secs() / MINUTE.as_secs();
    last + MINUTE * u32::try_from(missed.saturating_add(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_keep_in_step_and_missed_ones_are_left_out() {
        let at = |seconds: i64| ScheduleTime::from_millis(seconds * 1000);
        assert_eq!(following(at(0), at(0)), at(60));
        assert_eq!(following(at(0), at(59)), at(60));
        assert_eq!(following(at(0), at(60)), at(120));
        assert_eq!(following(at(0), at(3605)), at(3660));
    }
}
