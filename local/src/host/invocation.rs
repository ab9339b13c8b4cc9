//! One invocation of a function: it may panic, and it may take too long.

use std::{future::Future, time::Duration};

use tokio::{
    runtime::Handle,
    sync::oneshot,
    task::JoinError,
    time::{error::Elapsed, timeout},
};

/// Why an invocation has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// It took longer than the function's limit, and was ended.
    TimedOut,
    /// It panicked.
    Panicked,
}

/// Runs an invocation. It goes on to its end or limit even when nobody waits for it any more, as it does
/// on AWS.
pub(super) async fn invoke<T: Send + 'static>(
    function: &'static str,
    limit: Duration,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, NoAnswer> {
    judge(function, tokio::spawn(timeout(limit, work)).await)
}

/// Work whose future stays on one thread, as Lambda allows, as a future that need not: it gets a thread of
/// its own, so there must not be too many at once. It panics when the work does, and ends the work when
/// it is dropped.
pub(super) async fn on_thread<T: Send + 'static, F: Future<Output = T>>(
    begin: impl FnOnce() -> F + Send + 'static,
) -> T {
    let runtime = Handle::current();
    let (alive, dropped) = oneshot::channel::<()>();
    let work = move || {
        runtime.block_on(async {
            tokio::select! {
                done = begin() => Some(done),
                _ = dropped => None,
            }
        })
    };
    let ended = tokio::task::spawn_blocking(work).await;
    drop(alive);
    match ended {
        Ok(Some(done)) => done,
        Ok(None) => unreachable!("it is dropped after the work's end"),
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

fn judge<T>(
    function: &'static str,
    ended: Result<Result<T, Elapsed>, JoinError>,
) -> Result<T, NoAnswer> {
    let no_answer = match ended {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(_)) => NoAnswer::TimedOut,
        Err(_) => NoAnswer::Panicked,
    };
    tracing::error!(function, ?no_answer, "the function gave no answer");
    Err(no_answer)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use super::*;

    const LIMIT: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn a_panic_and_a_time_limit_end_one_invocation_and_nothing_else() {
        assert_eq!(invoke("f", LIMIT, async { 7 }).await, Ok(7));
        let endless = std::future::pending::<()>();
        assert_eq!(invoke("f", LIMIT, endless).await, Err(NoAnswer::TimedOut));
        let panics = async { panic!("as it must") };
        assert_eq!(invoke::<()>("f", LIMIT, panics).await, Err(NoAnswer::Panicked));
        assert_eq!(invoke("f", LIMIT, on_thread(|| async { 7 })).await, Ok(7));
        let panics = on_thread(|| async { panic!("as it must") });
        assert_eq!(invoke::<()>("f", LIMIT, panics).await, Err(NoAnswer::Panicked));
        let held = Arc::new(());
        let mark = Arc::clone(&held);
        let endless = on_thread(move || async move {
            let _mark = mark;
            std::future::pending::<()>().await;
        });
        assert_eq!(invoke("f", LIMIT, endless).await, Err(NoAnswer::TimedOut));
        while Arc::strong_count(&held) > 1 {
            tokio::time::sleep(LIMIT / 10).await;
        }
    }

    #[tokio::test]
    async fn an_invocation_goes_on_when_nobody_waits_for_it() {
        let done = Arc::new(AtomicBool::new(false));
        let mark = Arc::clone(&done);
        let slow = async move {
            tokio::time::sleep(LIMIT / 5).await;
            mark.store(true, Ordering::SeqCst);
        };
        let waited = timeout(Duration::ZERO, invoke("f", LIMIT, slow)).await;
        assert!(waited.is_err());
        tokio::time::sleep(LIMIT).await;
        assert!(done.load(Ordering::SeqCst));
    }
}
