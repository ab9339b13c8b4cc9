//! What records would be if rows were mapped otherwise.

use std::collections::{BTreeSet, HashMap};

use millwright_connection::{open_system, open_system_with};
use millwright_connector::{Found, Overlay, Pull, Pulled, RowFault, SourceRecord, System};
use millwright_core::{ErrorCode, Result};
use millwright_entities::record_key;
use serde_json::{Map, Value};

use super::Live;

/// How many records are looked at.
const EXAMINED: usize = 3;

/// A record as it is made of its row now, and as it would be made.
#[derive(Clone, Debug)]
pub struct Previewed {
    /// Its key.
    pub key: String,
    /// The system's id.
    pub remote_id: String,
    /// The record as it is made now; nothing where its row cannot be read so.
    pub before: Option<Map<String, Value>>,
    /// The record as it would be; nothing where its row cannot be read so.
    pub after: Option<Map<String, Value>>,
    /// Why its row cannot be read so.
    pub fault: Option<RowFault>,
}

impl Previewed {
    /// The fields that are different: of `customFields` each by itself.
    #[must_use]
    pub fn fields(&self) -> Vec<String> {
        let nothing = Map::new();
        let (before, after) = (self.before.as_ref(), self.after.as_ref());
        differing(before.unwrap_or(&nothing), after.unwrap_or(&nothing))
    }
}

fn differing(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut fields = Vec::new();
    for name in names.into_iter().filter(|name| before.get(*name) != after.get(*name)) {
        let inner = |record: &Map<String, Value>| match record.get(name) {
            Some(Value::Object(inner)) => inner.clone(),
            _ => Map::new(),
        };
        if name == "customFields" {
            let own = differing(&inner(before), &inner(after));
            fields.extend(own.into_iter().map(|field| format!("{name}.{field}")));
        } else {
            fields.push(name.clone());
        }
    }
    fields
}

impl Live<'_> {
    /// Reads rows from the system, and makes records of them as it is done now and as it would be with
    /// another overlay. The record of `key`, or a few of the system's own list. Nothing when `key` is
    /// not known, or gone from the system.
    ///
    /// # Errors
    /// The faulty fields of the overlay; what the system says, such as that it does not know a field;
    /// `CONNECTION_UNAVAILABLE` when it says nothing in time.
    pub async fn preview(
        &self,
        entity: &str,
        overlay: &Overlay,
        key: Option<&str>,
    ) -> Result<Option<Vec<Previewed>>> {
        let then = open_system_with(self.context, self.connection, entity, overlay).await?;
        let found = match key {
            None => self.first(&then, entity).await?,
            Some(key) => {
                let Some(id) = self.remote_id(entity, key).await? else { return Ok(None) };
                self.asked(&then, then.find(entity, &[id])).await?
            }
        };
        let ids = ids_of(&found);
        if key.is_some() && ids.is_empty() {
            return Ok(None);
        }
        let before = self.as_now(entity, &ids).await?;
        Ok(Some(self.compared(entity, &ids, before, found)))
    }

    async fn first(&self, system: &System, entity: &str) -> Result<Found> {
        let page_size = u32::try_from(EXAMINED).unwrap_or(u32::MAX);
        let pull = Pull { page_size, ..Pull::default() };
        let Pulled { mut records, mut faults, .. } =
            self.asked(system, system.pull(entity, &pull)).await?;
        records.truncate(EXAMINED);
        faults.truncate(EXAMINED.saturating_sub(records.len()));
        Ok(Found { records, faults })
    }

    /// The records as they are made now. That none can be is no reason to refuse a change.
    async fn as_now(&self, entity: &str, ids: &[String]) -> Result<Found> {
        if ids.is_empty() {
            return Ok(Found::default());
        }
        let now = open_system(self.context, self.connection).await?;
        match self.asked(&now, now.find(entity, ids)).await {
            Err(error)
                if matches!(
                    error.code,
                    ErrorCode::BusinessRuleViolated
                        | ErrorCode::UpstreamError
                        | ErrorCode::PermissionDenied
                ) =>
            {
                Ok(Found::default())
            }
            found => found,
        }
    }

    fn compared(
        &self,
        entity: &str,
        ids: &[String],
        before: Found,
        after: Found,
    ) -> Vec<Previewed> {
        let (mut before, mut after) = (by_id(before.records), (by_id(after.records), after.faults));
        let compared = |id: &String| Previewed {
            key: record_key(&self.connection.id, entity, id),
            remote_id: id.clone(),
            before: before.remove(id),
            after: after.0.remove(id),
            fault: after.1.iter().find(|fault| fault.remote_id == *id).cloned(),
        };
        ids.iter().map(compared).collect()
    }
}

fn ids_of(found: &Found) -> Vec<String> {
    let records = found.records.iter().map(|record| record.remote_id.clone());
    records.chain(found.faults.iter().map(|fault| fault.remote_id.clone())).collect()
}

fn by_id(records: Vec<SourceRecord>) -> HashMap<String, Map<String, Value>> {
    records.into_iter().map(|record| (record.remote_id, record.record)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_is_named_with_each_custom_field_by_itself() {
        let map = |value: Value| value.as_object().unwrap().clone();
        let before = json!({ "key": "k", "notes": "a", "customFields": { "x": "1", "y": "2" } });
        let after = json!({ "key": "k", "terms": "b", "customFields": { "x": "1", "z": "3" } });
        let expected = ["customFields.y", "customFields.z", "notes", "terms"];
        assert_eq!(differing(&map(before.clone()), &map(after)), expected);
        assert!(differing(&map(before.clone()), &map(before)).is_empty());
    }
}
