//! One invocation of a function: it may panic, and it may take too long.

use std::{future::Future, time::Duration};

use tokio::{
    runtime::Handle,
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

/// The same for a function whose future stays on one thread: Lambda asks for no more. It gets a thread
/// of its own, so there must not be too many at once.
pub(super) async fn invoke_on_thread<T: Send + 'static, F: Future<Output = T>>(
    function: &'static str,
    limit: Duration,
    begin: impl FnOnce() -> F + Send + 'static,
) -> Result<T, NoAnswer> {
    let runtime = Handle::current();
    let on_thread = move || runtime.block_on(async { timeout(limit, begin()).await });
    judge(function, tokio::task::spawn_blocking(on_thread).await)
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
        assert_eq!(invoke_on_thread("f", LIMIT, || async { 7 }).await, Ok(7));
        let endless = std::future::pending::<()>;
        assert_eq!(invoke_on_thread("f", LIMIT, endless).await, Err(NoAnswer::TimedOut));
        let panics = || async { panic!("as it must") };
        assert_eq!(invoke_on_thread::<(), _>("f", LIMIT, panics).await, Err(NoAnswer::Panicked));
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
