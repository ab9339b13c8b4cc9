//! One write at a time for each record: what `If-Match` was held against must still be there when the
//! write is sent.

use std::time::Duration;

use millwright_connection::connection_pk;
use millwright_core::{Error, ErrorCode, Result, WallTime, WriteId};
use millwright_store::{Document, Expect, Key, Store, StoreError, Version, Write};
use serde::{Deserialize, Serialize};

use crate::Scope;

/// How often a held record is looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The row that says who writes a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct WritingDoc {
    write: WriteId,
    until: WallTime,
}

impl Document for WritingDoc {
    fn expires_at(&self) -> Option<WallTime> {
        Some(self.until)
    }
}

/// A record that is held for one write, until it is released or its time is over.
#[derive(Debug)]
pub(super) struct Held {
    store: Store,
    key: Key,
    doc: WritingDoc,
    version: Version,
}

impl Held {
    /// Holds a record for `write`, which may hold it already; waits for another write until
    /// `patience` is over.
    ///
    /// # Errors
    /// `STATE_CONFLICT` when the other write has not ended by then.
    pub(super) async fn take(
        store: &Store,
        scope: &Scope,
        (entity, record): (&str, &str),
        write: &WriteId,
        term: Duration,
        patience: Duration,
    ) -> Result<Self> {
        let pk = connection_pk(&scope.workspace, &scope.connection);
        let key = Key::state(pk, format!("writing#{entity}#{record}"));
        let began = store.clock().wall();
        loop {
            let now = store.clock().wall();
            let row = store.get_doc::<WritingDoc>(&key).await?;
            let free =
                row.as_ref().is_none_or(|row| row.doc.until <= now || row.doc.write == *write);
            if free {
                let doc = WritingDoc { write: write.clone(), until: now + term };
                let expect = row.map_or(Expect::Absent, |row| Expect::Version(row.version));
                match store.write(Write::put(&key, &doc, expect)?).await {
                    Ok(version) => return Ok(Self { store: store.clone(), key, doc, version }),
                    Err(StoreError::Conflict(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if now.since(began) >= patience {
                return Err(busy());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Makes sure that the record is held for `least` from now on, and holds it for `term` where it
    /// would not be.
    ///
    /// # Errors
    /// `STATE_CONFLICT` when another write has taken it meanwhile.
    pub(super) async fn outlast(&mut self, least: Duration, term: Duration) -> Result<()> {
        let now = self.store.clock().wall();
        if self.doc.until >= now + least {
            return Ok(());
        }
        let doc = WritingDoc { until: now + term, ..self.doc.clone() };
        match self.store.write(Write::put(&self.key, &doc, Expect::Version(self.version))?).await {
            Ok(version) => {
                (self.doc, self.version) = (doc, version);
                Ok(())
            }
            Err(StoreError::Conflict(_)) => Err(busy()),
            Err(error) => Err(error.into()),
        }
    }

    /// Lets the record go. A failure is only logged: its time will be over.
    pub(super) async fn release(self) {
        let gone = Write::delete(&self.key, Expect::Version(self.version));
        match self.store.write(gone).await {
            Ok(_) | Err(StoreError::Conflict(_)) => {}
            Err(error) => tracing::warn!(%error, "a written record is held until its time is over"),
        }
    }
}

fn busy() -> Error {
    let message = "another write to this record has not been answered yet: try again";
    Error::new(ErrorCode::StateConflict, message)
}
