//! What an expression may use up, counted by the values it works on.
//!
//! The interpreter cannot be told to stop, and has no notion of a limit. But all it does, it does with
//! values: each step makes, copies, compares or enters one. So the values count, and when the count is
//! used up they end the evaluation from inside by unwinding the stack to [`metered`]. An expression
//! cannot catch that, and the count does not depend on how busy the machine is: a row is mapped always
//! or never.

use std::{
    any::Any,
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

#[cfg(panic = "abort")]
compile_error!("jq is ended by unwinding: panic must not abort");

/// How much an evaluation may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// How many values it may make, copy, compare or enter.
    pub steps: u64,
    /// How many bytes of text and lists it may make, all in all.
    pub bytes: u64,
}

/// Why an evaluation was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It has made its steps.
    Steps,
    /// It has made too much text, or too long lists.
    Bytes,
    /// It has made a value that is nested too deep.
    Depth,
    /// The interpreter failed.
    Broken,
}

/// Outside of an evaluation nothing is counted.
const UNLIMITED: Limits = Limits { steps: u64::MAX, bytes: u64::MAX };

thread_local! {
    static LEFT: Cell<Limits> = const { Cell::new(UNLIMITED) };
}

/// Counts steps.
pub(super) fn step(count: usize) {
    let left = LEFT.get();
    match left.steps.checked_sub(count as u64) {
        Some(steps) => LEFT.set(Limits { steps, ..left }),
        None => end(Stop::Steps),
    }
}

/// Counts bytes that are about to be made, and the work of writing them.
pub(super) fn make(bytes: usize) {
    step(1 + bytes / 256);
    let left = LEFT.get();
    match left.bytes.checked_sub(bytes as u64) {
        Some(bytes) => LEFT.set(Limits { bytes, ..left }),
        None => end(Stop::Bytes),
    }
}

/// Ends the evaluation that is going on.
pub(super) fn end(why: Stop) {
    // Whatever is dropped on the way out must not begin a second unwinding.
    if !std::thread::panicking() {
        resume_unwind(Box::new(why));
    }
}

/// Runs an evaluation within limits.
pub(super) fn metered<T>(limits: Limits, evaluate: impl FnOnce() -> T) -> Result<T, Stop> {
    struct Restore(Limits);
    impl Drop for Restore {
        fn drop(&mut self) {
            LEFT.set(self.0);
        }
    }
    let _restore = Restore(LEFT.replace(limits));
    // Nothing of an evaluation outlives it.
    catch_unwind(AssertUnwindSafe(evaluate)).map_err(|why| reason(why.as_ref()))
}

fn reason(payload: &(dyn Any + Send)) -> Stop {
    payload.downcast_ref::<Stop>().copied().unwrap_or(Stop::Broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { steps: 10, bytes: 300 };

    #[test]
    fn what_is_used_up_ends_the_evaluation_and_nothing_else() {
        assert_eq!(metered(LIMITS, || step(10)), Ok(()));
        assert_eq!(metered(LIMITS, || step(11)), Err(Stop::Steps));
        assert_eq!(metered(LIMITS, || make(300)), Ok(()));
        assert_eq!(metered(LIMITS, || make(301)), Err(Stop::Bytes));
        assert_eq!(metered(LIMITS, || end(Stop::Depth)), Err(Stop::Depth));
        step(usize::MAX);
    }

    #[test]
    fn an_evaluation_inside_another_has_a_count_of_its_own() {
        let both = metered(LIMITS, || {
            step(6);
            assert_eq!(metered(LIMITS, || step(11)), Err(Stop::Steps));
            step(4);
        });
        assert_eq!(both, Ok(()));
    }
}
