//! Bringing the log into the file beside what is being written.
//!
//! SQLite does this within a commit when its log has grown to a thousand pages: whoever commits then
//! waits for two flushes of the disk, and so does everybody behind. A thread with a connection of its
//! own does it here, for a longer log, in which a page that is written often is copied once.

use std::{
    fs::File,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};

use rusqlite::Connection;
use tokio::sync::Mutex;

use super::{Shared, tables::Tables};

/// Rows after which the log is brought into the file. A row dirties four to ten pages, so that the log
/// stays within some 160 MB.
const ROWS_EACH: usize = 4_000;
/// While others write, the log is copied so often at most before they are held up for the last of it.
const PASSES_MAX: usize = 8;
/// So much of it, in pages, may be left for that.
const PAGES_LEFT: i64 = 256;

/// Counts what is written. Clones share the thread that it wakes.
#[derive(Clone, Debug)]
pub(super) struct Checkpoints {
    wake: SyncSender<()>,
    rows: Arc<AtomicUsize>,
}

impl Checkpoints {
    /// For the database at `path`, on which `tables` are open. The thread ends with the last clone.
    pub(super) fn start(path: &Path, tables: Shared) -> io::Result<Self> {
        let log =
            Log { connection: open(path).map_err(io::Error::other)?, file: File::open(path)? };
        let (wake, woken) = sync_channel(1);
        let thread = std::thread::Builder::new().name("dynamodb-log".to_owned());
        thread.spawn(move || {
            serve(&log, &tables, &woken);
            // Before the log's own file is closed: that ends all locks that the process has on it (POSIX).
            drop(tables);
        })?;
        Ok(Self { wake, rows: Arc::default() })
    }

    /// Takes note of rows that have been written, about so many.
    pub(super) fn wrote(&self, rows: usize) {
        if self.rows.fetch_add(rows, Ordering::Relaxed) + rows >= ROWS_EACH {
            self.rows.store(0, Ordering::Relaxed);
            // One that is waiting serves for this, too.
            let _ = self.wake.try_send(());
        }
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch("PRAGMA synchronous = NORMAL")?;
    Ok(connection)
}

fn serve(log: &Log, tables: &Mutex<Tables>, woken: &Receiver<()>) {
    while woken.recv().is_ok() {
        let copied = log.copy_beside().and_then(|()| {
            let _turn = tables.blocking_lock();
            // What is left is copied while nobody writes, after which SQLite begins the log anew.
            log.copy().map(drop)
        });
        if let Err(error) = copied {
            tracing::warn!(%error, "the tables' log could not be brought into their file");
        }
    }
}

/// A database's log, and the file that it is brought into.
struct Log {
    connection: Connection,
    file: File,
}

impl Log {
    /// Copies while others write, until little is left, and sees to it that this is on the disk: nobody
    /// has to wait for it then.
    fn copy_beside(&self) -> rusqlite::Result<()> {
        let mut before = 0;
        for _ in 0..PASSES_MAX {
            let copied = self.copy()?;
            // What has come meanwhile is about what this took to copy.
            let pages = if copied < before { copied } else { copied - before };
            if pages <= PAGES_LEFT {
                break;
            }
            before = copied;
        }
        let failed = |error: io::Error| rusqlite::Error::ToSqlConversionFailure(Box::new(error));
        self.file.sync_data().map_err(failed)
    }

    /// Copies what nobody reads or writes any more: how many pages of the log are in the file now. It
    /// waits for nobody.
    fn copy(&self) -> rusqlite::Result<i64> {
        self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(2))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rusqlite::OpenFlags;

    use super::*;

    /// How many rows `t` has in the file without its log, if it is there.
    fn rows_in_file(path: &Path) -> Option<u32> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let alone = format!("file:{}?immutable=1", path.display());
        let file = Connection::open_with_flags(alone, flags).unwrap();
        file.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).ok()
    }

    #[tokio::test]
    async fn the_log_is_brought_into_the_file_when_it_has_grown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dynamo.sqlite");
        let tables = Tables::open(&path).unwrap();
        let write = "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)";
        tables.storage.conn().execute_batch(write).unwrap();
        let tables = Arc::new(Mutex::new(tables));
        let checkpoints = Checkpoints::start(&path, Arc::clone(&tables)).unwrap();
        checkpoints.wrote(ROWS_EACH - 1);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(rows_in_file(&path), None);
        checkpoints.wrote(1);
        for _ in 0..200 {
            if rows_in_file(&path) == Some(2) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the log was not brought into the file");
    }
}
