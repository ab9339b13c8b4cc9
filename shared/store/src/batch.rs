//! Many writes at once, without conditions.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest, WriteRequest};

use crate::{
    Expect, Store, StoreError, Write,
    store::{give_up_after, pause_before},
    write::Kind,
};

impl Store {
    /// Makes many writes that expect nothing, in no order and not together.
    ///
    /// # Errors
    /// When the table fails; some of the writes may have been made.
    pub async fn write_batch(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        let mut waiting: HashMap<String, Vec<WriteRequest>> = HashMap::new();
        for write in writes {
            debug_assert_eq!(write.expect, Expect::Anything, "a batch cannot hold conditions");
            let table = self.tables.name(write.key.table).to_owned();
            waiting.entry(table).or_default().push(batch_request(write)?);
        }
        let mut tries = 0;
        while let Some(batch) = take_batch(&mut waiting) {
            pause_before(tries).await;
            let call = self.client.batch_write_item().set_request_items(Some(batch));
            let left = call.send().await.map_err(StoreError::sdk)?.unprocessed_items;
            let left = left.unwrap_or_default();
            tries = if left.is_empty() { 0 } else { tries + 1 };
            give_up_after(tries, left.is_empty())?;
            for (table, requests) in left {
                waiting.entry(table).or_default().extend(requests);
            }
        }
        Ok(())
    }
}

fn batch_request(write: Write) -> Result<WriteRequest, StoreError> {
    let built = |e| StoreError::Sdk(Box::new(e));
    let request = WriteRequest::builder();
    Ok(match write.kind {
        Kind::Put(item, _) => {
            request.put_request(PutRequest::builder().set_item(Some(item)).build().map_err(built)?)
        }
        Kind::Delete | Kind::Check => {
            let key = Some(write.key.attributes());
            request.delete_request(DeleteRequest::builder().set_key(key).build().map_err(built)?)
        }
    }
    .build())
}

/// 25 requests a call (BatchWriteItem), of one table.
fn take_batch(
    waiting: &mut HashMap<String, Vec<WriteRequest>>,
) -> Option<HashMap<String, Vec<WriteRequest>>> {
    let (table, requests) = waiting.iter_mut().find(|(_, requests)| !requests.is_empty())?;
    let batch = requests.split_off(requests.len().saturating_sub(25));
    Some(HashMap::from([(table.clone(), batch)]))
}
