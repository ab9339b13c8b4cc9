//! The indexes of `state`: what is due, and what has failed.

use millwright_core::{QueueName, ScheduleTime};

use crate::{
    Due, DueRow, Key, Store, StoreError,
    change::{Refusal, refused},
    row::{Item, attr, due_work, integer, number, text},
    write::text_value,
};

impl Store {
    /// The rows of a shard that the sweep must look at by `now`, oldest first. The index trails the
    /// table: a row that has just become due may be missing, one that has been dealt with may show.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn due(
        &self,
        queue: QueueName,
        shard: u32,
        now: ScheduleTime,
        limit: i32,
    ) -> Result<Vec<DueRow>, StoreError> {
        let values = Item::from([
            (":due".to_owned(), text_value(Due::shard(queue, shard))),
            (":now".to_owned(), number(now.millis())),
        ]);
        let answer = self
            .client
            .query()
            .table_name(&self.tables.state)
            .index_name("due")
            .key_condition_expression("due = :due AND due_at <= :now")
            .set_expression_attribute_values(Some(values))
            .limit(limit)
            .send()
            .await
            .map_err(StoreError::sdk)?;
        Ok(answer.items.unwrap_or_default().iter().filter_map(due_row).collect())
    }

    /// Moves the time at which the sweep must look again: false when another sweep, or the work
    /// itself, was first.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn move_due(&self, row: &DueRow, due_at: ScheduleTime) -> Result<bool, StoreError> {
        let values = Item::from([
            (":old".to_owned(), number(row.due_at.millis())),
            (":new".to_owned(), number(due_at.millis())),
        ]);
        let call = self
            .client
            .update_item()
            .table_name(self.tables.name(row.key.table))
            .set_key(Some(row.key.attributes()))
            .update_expression("SET due_at = :new")
            .condition_expression("due_at = :old")
            .set_expression_attribute_values(Some(values));
        match call.send().await.map_err(refused) {
            Ok(_) => Ok(true),
            // A passing refusal means that the work itself is writing the row; the next sweep looks.
            Err((Refusal::Condition(_) | Refusal::Passing, _)) => Ok(false),
            Err((Refusal::Other, error)) => Err(error),
        }
    }

    /// The keys of failed rows of `of`, newest first, from `before` (excluded) back.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn failed(
        &self,
        of: &str,
        before: Option<ScheduleTime>,
        limit: i32,
    ) -> Result<Vec<(Key, ScheduleTime)>, StoreError> {
        let before = before.map_or(i64::MAX, ScheduleTime::millis);
        let values = Item::from([
            (":of".to_owned(), text_value(of)),
            (":before".to_owned(), number(before)),
        ]);
        let answer = self
            .client
            .query()
            .table_name(&self.tables.state)
            .index_name("failed")
            .key_condition_expression("failed = :of AND failed_at < :before")
            .set_expression_attribute_values(Some(values))
            .scan_index_forward(false)
            .limit(limit)
            .send()
            .await
            .map_err(StoreError::sdk)?;
        let keyed = |item: &Item| {
            let key = Key::state(text(item, attr::PK), text(item, attr::SK));
            Some((key, ScheduleTime::from_millis(integer(item, attr::FAILED_AT)?)))
        };
        Ok(answer.items.unwrap_or_default().iter().filter_map(keyed).collect())
    }

    /// The keys of the oldest rows marked with `of` in the index of failed rows, oldest first. The index
    /// trails the table.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn oldest_marked(&self, of: &str, limit: i32) -> Result<Vec<Key>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.state)
            .index_name("failed")
            .key_condition_expression("failed = :of")
            .expression_attribute_values(":of", text_value(of))
            .limit(limit)
            .send()
            .await
            .map_err(StoreError::sdk)?;
        let key = |item: &Item| Key::state(text(item, attr::PK), text(item, attr::SK));
        Ok(answer.items.unwrap_or_default().iter().map(key).collect())
    }
}

fn due_row(item: &Item) -> Option<DueRow> {
    Some(DueRow {
        key: Key::state(text(item, attr::PK), text(item, attr::SK)),
        attempt_at: ScheduleTime::from_millis(integer(item, attr::ATTEMPT_AT)?),
        due_at: ScheduleTime::from_millis(integer(item, attr::DUE_AT)?),
        work: due_work(item)?,
    })
}
