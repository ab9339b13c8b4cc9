//! Records that are read before a write.

use serde_json::{Map, Value, json};

use super::{Source, System};
use crate::{
    error::SystemError,
    manifest::{Lookup, Operation, WriteOp},
    mapping::{Lookups, References, Writer},
    remote::Remote,
    system::reading::{rows_at, with_ids},
};

impl System {
    /// Reads what a body needs of other records, once the rules that need no look-up hold.
    pub(super) async fn look_up(
        &self,
        entity: &str,
        operation: &WriteOp,
        body: &Map<String, Value>,
        current: Option<&Map<String, Value>>,
        references: &References,
    ) -> Result<Lookups, SystemError> {
        let writer = self.writer(entity, operation)?;
        let writer = Writer { references: Some(references), ..writer };
        if let Some(error) = writer.plan(operation, body, current).1.into_error() {
            return Err(super::refused(error));
        }
        let mut lookups = Lookups::new();
        let Source::Remote(remote) = &self.inner.source else { return Ok(lookups) };
        for (name, lookup) in writer.def.write.lookups.iter() {
            let ids = writer.lookup_ids(&lookup.from, operation, body);
            let rows = self.looked_up(remote, lookup, &ids).await?;
            lookups.insert(name.to_owned(), rows.into_iter().collect());
        }
        Ok(lookups)
    }

    async fn looked_up(
        &self,
        remote: &Remote,
        lookup: &Lookup,
        ids: &[String],
    ) -> Result<Vec<(String, Value)>, SystemError> {
        let mut rows = Vec::new();
        for chunk in ids.chunks(self.manifest().limits.ids_per_request) {
            let answer = remote
                .call(&lookup.request, Operation::Read, |scope| scope.with("ids", json!(chunk)))
                .await?;
            let found = with_ids(rows_at(&lookup.rows, &answer.value)?, &lookup.id)?;
            rows.extend(found.into_iter().map(|(id, row)| (id, row.to_value())));
        }
        Ok(rows)
    }
}
