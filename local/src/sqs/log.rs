//! What must outlive the process: queues and messages, in SQLite.
//!
//! Who has a message in flight is not kept: after a start every message is free again, as it would be
//! after its visibility timeout. How often it was received is kept, so that a message that kills the
//! process still ends in the dead-letter queue.

use std::{collections::BTreeMap, path::Path};

use millwright_core::{ScheduleTime, WallTime};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::{shelf::Seq, wire::Attributes};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS queue (
    name TEXT PRIMARY KEY,
    settings TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message (
    seq INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    id TEXT NOT NULL,
    message_group TEXT NOT NULL,
    body TEXT NOT NULL,
    attributes TEXT NOT NULL,
    sent_at INTEGER NOT NULL,
    ready_at INTEGER NOT NULL,
    received INTEGER NOT NULL DEFAULT 0,
    first_received_at INTEGER,
    dead_from TEXT
);
CREATE INDEX IF NOT EXISTS message_sent_at ON message (queue, sent_at);
";

/// A queue as it is kept.
pub(crate) struct QueueRow {
    pub(crate) name: String,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) created_at: WallTime,
    pub(crate) modified_at: WallTime,
}

/// A new message.
pub(crate) struct NewMessage<'a> {
    pub(crate) queue: &'a str,
    pub(crate) id: &'a str,
    pub(crate) group: &'a str,
    pub(crate) body: &'a str,
    pub(crate) attributes: &'a Attributes,
    /// Wall clock: retention counts from here.
    pub(crate) sent_at: WallTime,
    /// Schedule clock: when its delay ends.
    pub(crate) ready_at: ScheduleTime,
}

/// What the shelf needs to know of a kept message.
pub(crate) struct Kept {
    pub(crate) seq: Seq,
    pub(crate) queue: String,
    pub(crate) group: String,
    pub(crate) ready_at: ScheduleTime,
    pub(crate) received: u32,
    pub(crate) first_received_at: Option<WallTime>,
}

/// What a receiver is given.
pub(crate) struct Content {
    pub(crate) id: String,
    pub(crate) group: String,
    pub(crate) body: String,
    pub(crate) attributes: Attributes,
    pub(crate) sent_at: WallTime,
    /// The queue it was moved here from, when this is a dead-letter queue.
    pub(crate) dead_from: Option<String>,
}

/// The database.
pub(crate) struct Log {
    db: Connection,
    durable: bool,
}

impl Log {
    /// Opens or creates the database at `path`.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let db = Connection::open(path)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.execute_batch(SCHEMA)?;
        db.set_prepared_statement_cache_capacity(32);
        Ok(Self { db, durable: true })
    }

    /// Begins a transaction. A durable one survives a loss of power once it is committed; every
    /// committed one survives the end of the process.
    pub(crate) fn begin(&mut self, durable: bool) -> Result<()> {
        if durable != self.durable {
            let level = if durable { "FULL" } else { "NORMAL" };
            self.db.pragma_update(None, "synchronous", level)?;
            self.durable = durable;
        }
        self.db.execute_batch("BEGIN")
    }

    pub(crate) fn commit(&self) -> Result<()> {
        self.db.execute_batch("COMMIT")
    }

    pub(crate) fn roll_back(&self) {
        // Refused when the failure has already ended the transaction: it is over either way.
        let _ = self.db.execute_batch("ROLLBACK");
    }

    pub(crate) fn queues(&self) -> Result<Vec<QueueRow>> {
        let sql = "SELECT name, settings, created_at, modified_at FROM queue";
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            Ok(QueueRow {
                name: row.get(0)?,
                settings: json(row, 1)?,
                created_at: wall(row.get(2)?),
                modified_at: wall(row.get(3)?),
            })
        })?;
        rows.collect()
    }

    pub(crate) fn put_queue(
        &self,
        name: &str,
        settings: &BTreeMap<&'static str, String>,
        created_at: WallTime,
        modified_at: WallTime,
    ) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO queue (name, settings, created_at, modified_at)
                   VALUES (?1, ?2, ?3, ?4)";
        let settings = text(settings)?;
        let values = params![name, settings, created_at.millis(), modified_at.millis()];
        self.db.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    pub(crate) fn delete_queue(&self, name: &str) -> Result<()> {
        self.purge(name)?;
        self.db.prepare_cached("DELETE FROM queue WHERE name = ?1")?.execute([name])?;
        Ok(())
    }

    pub(crate) fn purge(&self, queue: &str) -> Result<()> {
        self.db.prepare_cached("DELETE FROM message WHERE queue = ?1")?.execute([queue])?;
        Ok(())
    }

    /// Every message, for the shelves.
    pub(crate) fn messages(&self, mut each: impl FnMut(Kept)) -> Result<()> {
        let sql = "SELECT seq, queue, message_group, ready_at, received, first_received_at
                   FROM message ORDER BY seq";
        let mut statement = self.db.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            each(Kept {
                seq: row.get(0)?,
                queue: row.get(1)?,
                group: row.get(2)?,
                ready_at: ScheduleTime::from_millis(row.get(3)?),
                received: row.get(4)?,
                first_received_at: row.get::<_, Option<i64>>(5)?.map(wall),
            });
        }
        Ok(())
    }

    pub(crate) fn insert(&self, message: &NewMessage<'_>) -> Result<Seq> {
        let sql = "INSERT INTO message
                   (queue, id, message_group, body, attributes, sent_at, ready_at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        self.db.prepare_cached(sql)?.insert(params![
            message.queue,
            message.id,
            message.group,
            message.body,
            text(message.attributes)?,
            message.sent_at.millis(),
            message.ready_at.millis(),
        ])
    }

    pub(crate) fn content(&self, seq: Seq) -> Result<Option<Content>> {
        let sql = "SELECT id, message_group, body, attributes, sent_at, dead_from
                   FROM message WHERE seq = ?1";
        let read = |row: &Row<'_>| {
            Ok(Content {
                id: row.get(0)?,
                group: row.get(1)?,
                body: row.get(2)?,
                attributes: json(row, 3)?,
                sent_at: wall(row.get(4)?),
                dead_from: row.get(5)?,
            })
        };
        self.db.prepare_cached(sql)?.query_row([seq], read).optional()
    }

    pub(crate) fn count_receive(&self, seq: Seq, received: u32, first: WallTime) -> Result<()> {
        let sql = "UPDATE message SET received = ?2, first_received_at = ?3 WHERE seq = ?1";
        self.db.prepare_cached(sql)?.execute(params![seq, received, first.millis()])?;
        Ok(())
    }

    pub(crate) fn delete(&self, seq: Seq) -> Result<()> {
        self.db.prepare_cached("DELETE FROM message WHERE seq = ?1")?.execute([seq])?;
        Ok(())
    }

    /// Moves a message to a dead-letter queue.
    pub(crate) fn bury(&self, seq: Seq, from: &str, to: &str) -> Result<()> {
        let sql = "UPDATE message SET queue = ?2, dead_from = ?3 WHERE seq = ?1";
        self.db.prepare_cached(sql)?.execute(params![seq, to, from])?;
        Ok(())
    }

    /// The messages of a queue that were sent before `limit`.
    pub(crate) fn sent_before(&self, queue: &str, limit: WallTime) -> Result<Vec<Seq>> {
        let sql = "SELECT seq FROM message WHERE queue = ?1 AND sent_at < ?2";
        let mut statement = self.db.prepare_cached(sql)?;
        statement.query_map(params![queue, limit.millis()], |row| row.get(0))?.collect()
    }
}

fn wall(millis: i64) -> WallTime {
    WallTime::from_millis(millis)
}

fn text(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))
}

fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|e| {
        let kind = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(column, kind, Box::new(e))
    })
}
