//! What nobody foresaw: files that are nearly manifests, rows that are anything, and numbers that a
//! float would spoil. Bounded here; `tests/long fuzz` does more, with other seeds.
//!
//! `MILLWRIGHT_FUZZ=n` makes n times as many cases, `MILLWRIGHT_SEED=n` others.

#[path = "../support/mod.rs"]
mod support;

mod decimals;
mod loader;
mod mapping;
mod values;

use std::{
    fmt::Debug,
    io::Write,
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use proptest::{
    strategy::Strategy,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};

/// One case takes milliseconds, also where it was made to be slow: this is for a loaded machine.
const LONGEST: Duration = Duration::from_secs(30);
/// No case needs more than the process may have held in all, in KiB.
const MEMORY_MAX: u64 = 1 << 20;

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Holds `test` against so many cases. One that does not end, ends the tests.
fn hold<S: Strategy>(usual: u32, cases: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>)
where
    S::Value: Clone + Debug,
{
    let times = u32::try_from(number("MILLWRIGHT_FUZZ", 1)).unwrap();
    let seed = number("MILLWRIGHT_SEED", 1);
    let mut bytes = [1; 16];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: usual.saturating_mul(times),
        failure_persistence: None,
        // Making a case smaller takes longer than any case: the seed tells it again.
        max_shrink_iters: 0,
        ..Config::default()
    };
    let random = TestRng::from_seed(RngAlgorithm::XorShift, &bytes);
    let (begun, watched) = channel::<String>();
    let watch = thread::spawn(move || {
        let mut last = String::new();
        loop {
            match watched.recv_timeout(LONGEST) {
                Ok(case) => last = case,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    // Past what the test harness captures.
                    let told = format!("seed {seed}: does not end: {last}\n");
                    let _ = std::io::stderr().write_all(told.as_bytes());
                    std::process::abort();
                }
            }
        }
    });
    let found = TestRunner::new_with_rng(config, random).run(cases, |case| {
        begun.send(format!("{case:?}").chars().take(4_000).collect()).unwrap();
        test(case)
    });
    drop(begun);
    watch.join().unwrap();
    match found {
        Ok(()) => {}
        Err(TestError::Fail(why, case)) => panic!("seed {seed}: {why}\n{case:#?}"),
        Err(TestError::Abort(why)) => panic!("seed {seed}: {why}"),
    }
    assert!(peak() < MEMORY_MAX, "{} KiB were held", peak());
}

/// The most that this process has held, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse().unwrap())
}
