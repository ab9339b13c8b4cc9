//! Making records.

use millwright_core::Error;
use serde_json::{Map, Value, json};

use super::{
    Source, System,
    reading::{rows_at, with_ids},
};
use crate::{
    error::SystemError,
    manifest::{Create, Lookup, Operation},
    mapping::{Lookups, Mapper, Reference, References, Writer},
    path::{NestedKeys, Path},
    remote::Remote,
};

impl System {
    /// The keys that a record names, to be resolved to remote ids before it can be made.
    ///
    /// # Errors
    /// When records of this entity cannot be made.
    pub fn references(
        &self,
        entity: &str,
        record: &Map<String, Value>,
    ) -> Result<Vec<Reference>, SystemError> {
        Ok(self.writer(entity)?.references(record))
    }

    /// Checks a record against the manifest's rules. Nothing is sent.
    ///
    /// # Errors
    /// Every faulty field, those with an unresolved reference too when `references` is given.
    pub fn check_create(
        &self,
        entity: &str,
        record: &Map<String, Value>,
        references: Option<&References>,
    ) -> Result<(), Error> {
        let writer = Writer { references, ..self.writer(entity)? };
        match writer.encode(record) {
            Ok(_) => Ok(()),
            Err(faults) => Err(SystemError::of_fields(faults).into()),
        }
    }

    /// Makes a record, with its lines, and answers with its remote id. `references` has the remote id
    /// of every key in it.
    ///
    /// # Errors
    /// Every faulty field before anything is sent; what the system says. Where it is not known whether
    /// the record was made, `sent` is true.
    pub async fn create(
        &self,
        entity: &str,
        record: &Map<String, Value>,
        references: &References,
    ) -> Result<String, SystemError> {
        let writer = Writer { references: Some(references), ..self.writer(entity)? };
        writer.encode(record).map_err(SystemError::of_fields)?;
        let remote = match &self.inner.source {
            Source::Sandbox(sandbox) => {
                let row = writer.encode(record).map_err(SystemError::of_fields)?;
                return sandbox.create(entity, row).await;
            }
            Source::Remote(remote) => remote,
        };
        let lookups = self.look_up(remote, &writer, record).await?;
        let row = Writer { lookups: Some(&lookups), ..writer }.encode(record);
        let row = row.map_err(SystemError::of_fields)?;
        self.send(remote, entity, writer.create, &row).await
    }

    async fn send(
        &self,
        remote: &Remote,
        entity: &str,
        create: &Create,
        row: &Value,
    ) -> Result<String, SystemError> {
        let request = create.request.as_ref();
        let request = request.ok_or_else(|| SystemError::unsupported(entity, "create"))?;
        let answer = remote
            .call(request, Operation::Write, |scope| scope.with("record", row.clone()))
            .await?;
        let id = create.id.get(&answer.value, NestedKeys::Plain);
        id.and_then(|id| Mapper::remote_id(&Path::default(), id)).ok_or_else(|| {
            let mut error = SystemError::malformed("the system does not name the new record");
            error.sent = true;
            error
        })
    }

    fn writer<'a>(&'a self, entity: &'a str) -> Result<Writer<'a>, SystemError> {
        let create = self.def(entity, "create")?.write.create.as_ref();
        let create = create.ok_or_else(|| SystemError::unsupported(entity, "create"))?;
        Ok(Writer { entity, create, references: None, lookups: None })
    }

    async fn look_up(
        &self,
        remote: &Remote,
        writer: &Writer<'_>,
        record: &Map<String, Value>,
    ) -> Result<Lookups, SystemError> {
        let mut lookups = Lookups::new();
        for (name, lookup) in writer.create.lookups.iter() {
            let ids = writer.lookup_ids(&lookup.from, record);
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
            rows.extend(with_ids(rows_at(&lookup.rows, answer.value)?, &lookup.id)?);
        }
        Ok(rows)
    }
}
