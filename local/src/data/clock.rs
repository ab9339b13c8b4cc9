//! The schedule clock across starts.
//!
//! It never goes back, whatever speeds it has run at: a start goes on from what was last kept, as fast
//! as it ran then for as long as the keeping may have been behind, and at the wall clock's pace for the
//! rest of the time that nobody ran it.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use millwright_core::{Clock, ScheduleTime, WallTime};
use serde::{Deserialize, Serialize};

use super::{DataError, folder::write_whole};

/// How often a quickened clock is kept.
const KEEP_EVERY: Duration = Duration::from_secs(2);
/// How far the keeping may be behind when a process is killed.
const BEHIND: Duration = Duration::from_secs(10);

/// Where the clock stood at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Kept {
    wall: WallTime,
    schedule: ScheduleTime,
    speed: f64,
}

impl Kept {
    /// A reading that no reading before `now` can have been later than.
    fn at_least(&self, now: WallTime) -> ScheduleTime {
        let passed = now.since(self.wall);
        let quick = passed.min(BEHIND);
        self.schedule + quick.mul_f64(self.speed) + (passed - quick)
    }
}

/// The clock and the file that it is kept in.
#[derive(Debug)]
pub struct ClockKeeper {
    clock: Clock,
    file: PathBuf,
    writing: Mutex<()>,
}

impl ClockKeeper {
    pub(super) fn open(file: PathBuf, speed: f64) -> Result<Self, DataError> {
        let now = Clock::system().wall();
        let schedule = read(&file)?.map_or(ScheduleTime::default(), |kept| kept.at_least(now));
        // The schedule clock is never behind the wall clock.
        let ahead = schedule.since(ScheduleTime::from_millis(now.millis()));
        let keeper =
            Self { clock: Clock::scaled(now, ahead, speed), file, writing: Mutex::new(()) };
        keeper.keep()?;
        Ok(keeper)
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Keeps where the clock stands.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep(&self) -> Result<(), DataError> {
        // A panic while writing leaves the file whole, so the lock is as good as before.
        let _writing = self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (wall, schedule) = (self.clock.wall(), self.clock.schedule());
        let kept = Kept { wall, schedule, speed: self.clock.speed() };
        let text =
            serde_json::to_vec(&kept).map_err(|e| DataError::damaged(&self.file, e.to_string()))?;
        write_whole(&self.file, &text)
    }

    /// Keeps a quickened clock from time to time, for ever.
    pub async fn keep_on(&self) {
        if self.clock.speed() <= 1.0 {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(KEEP_EVERY).await;
            if let Err(error) = self.keep() {
                tracing::warn!(%error, "the schedule clock could not be kept");
            }
        }
    }
}

fn read(file: &Path) -> Result<Option<Kept>, DataError> {
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DataError::Io { file: file.to_owned(), error }),
    };
    let why = "is damaged; put back the copy from your backup, or remove it to let the schedule \
               clock begin at the time of day";
    serde_json::from_slice(&text).map(Some).map_err(|_| DataError::damaged(file, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn the_clock_does_not_go_back_when_it_is_slowed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clock");
        let quick = ClockKeeper::open(file.clone(), 10_000.0).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        quick.clock().step(HOUR);
        quick.keep().unwrap();
        std::thread::sleep(Duration::from_millis(50));
        let last = quick.clock().schedule();
        drop(quick);
        let slow = ClockKeeper::open(file, 1.0).unwrap();
        assert!(slow.clock().schedule() >= last);
        assert!(slow.clock().schedule().since(last) < HOUR);
    }

    #[test]
    fn a_quickened_clock_goes_at_the_usual_pace_while_nobody_runs_it() {
        let wall = WallTime::from_millis(1_000_000);
        let kept = Kept { wall, schedule: ScheduleTime::from_millis(5_000_000), speed: 60.0 };
        let day = kept.at_least(wall + HOUR * 24).since(kept.schedule);
        assert!(day >= HOUR * 24 && day < HOUR * 25, "{day:?}");
        assert_eq!(kept.at_least(wall - HOUR), kept.schedule);
        assert_eq!(
            kept.at_least(wall + Duration::from_secs(5)).since(kept.schedule).as_secs(),
            300
        );
    }

    #[test]
    fn a_damaged_clock_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clock");
        fs::write(&file, "{").unwrap();
        let line = ClockKeeper::open(file, 1.0).unwrap_err().to_string();
        assert!(
            line.contains("clock") && line.contains("damaged") && !line.contains('\n'),
            "{line}"
        );
    }
}
