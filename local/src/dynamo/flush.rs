//! Commits that wait for the disk together.
//!
//! SQLite would flush its log once for each commit. Here a commit is written to the log, and its answer
//! waits until a flush that began afterwards has ended: one flush serves everybody who waits for it.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, Sender, channel},
};

use tokio::sync::oneshot;

type Waiter = oneshot::Sender<io::Result<()>>;

/// Flushes a database's log for those who wait. Clones share the thread that does it, which ends with
/// the last of them.
#[derive(Clone, Debug)]
pub(super) struct Flusher(Sender<Waiter>);

impl Flusher {
    /// For the database at `path`, which must keep a write-ahead log.
    pub(super) fn start(path: &Path) -> io::Result<Self> {
        let (sender, waiters) = channel();
        let log = log_of(path);
        let thread = std::thread::Builder::new().name("dynamodb-flush".to_owned());
        thread.spawn(move || serve(&log, &waiters))?;
        Ok(Self(sender))
    }

    /// Waits until everything that has been committed so far is on the disk.
    pub(super) async fn flush(&self) -> io::Result<()> {
        let ended = || io::Error::other("the thread that flushes has ended");
        let (waiter, flushed) = oneshot::channel();
        self.0.send(waiter).map_err(|_| ended())?;
        flushed.await.map_err(|_| ended())?
    }
}

/// Where SQLite keeps the write-ahead log ("Write-Ahead Logging", section 2.2).
fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn serve(log: &Path, waiters: &Receiver<Waiter>) {
    while let Ok(first) = waiters.recv() {
        let all: Vec<Waiter> = std::iter::once(first).chain(waiters.try_iter()).collect();
        let flushed = File::open(log).and_then(|log| log.sync_data());
        if let Err(error) = &flushed {
            tracing::error!(%error, "the tables' log could not be flushed");
        }
        for waiter in all {
            let told = flushed.as_ref().copied().map_err(|error| error.kind().into());
            let _ = waiter.send(told);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_who_waits_is_told_and_a_lost_log_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("tables.sqlite");
        let flusher = Flusher::start(&database).unwrap();
        assert_eq!(flusher.flush().await.unwrap_err().kind(), io::ErrorKind::NotFound);
        std::fs::write(folder.path().join("tables.sqlite-wal"), "log").unwrap();
        let all = futures::future::join_all((0..100).map(|_| flusher.flush())).await;
        assert!(all.into_iter().all(|flushed| flushed.is_ok()));
    }
}
