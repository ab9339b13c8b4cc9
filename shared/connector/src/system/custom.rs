//! Custom fields of a system, and how a row would become a record.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Source, System};
use crate::{
    error::SystemError,
    json::{Json, Row},
    manifest::{CustomFields, CustomKind, Discover, Operation},
    mapping::{Mapper, RowFault},
    overlay::Overlay,
    system::reading::rows_at,
};

/// A field that a customer has added to a system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CustomField {
    /// Its name, by which rows hold its value.
    pub name: String,
    /// What people see.
    pub title: String,
    /// What kind of value it holds.
    #[serde(rename = "type")]
    pub kind: CustomKind,
    /// Whether it can be written.
    pub writable: bool,
}

impl System {
    /// The custom fields that the system has for an entity, in its own order. Empty when the connector
    /// reads none.
    ///
    /// # Errors
    /// When the system cannot be asked.
    pub async fn custom_fields(&self, entity: &str) -> Result<Vec<CustomField>, SystemError> {
        let Some(custom) = &self.def(entity, "read")?.custom_fields else { return Ok(Vec::new()) };
        match (&custom.discover, &self.inner.source) {
            (Some(discover), Source::Remote(remote)) => {
                let request = &discover.request;
                let answer = remote.call(request, Operation::Read, |scope| scope).await?;
                let rows = rows_at(&discover.rows, &answer.value)?;
                Ok(self.discovered(discover, &rows))
            }
            _ => Ok(known(custom)),
        }
    }

    fn discovered(&self, discover: &Discover, rows: &[Row]) -> Vec<CustomField> {
        let counted = rows.iter().filter(|row| discover.filter.hold(row.json(), self.keys()));
        counted.filter_map(|row| self.discovered_one(discover, row.json())).collect()
    }

    fn discovered_one(&self, discover: &Discover, row: Json<'_>) -> Option<CustomField> {
        let name = Mapper::remote_id(&discover.name, row)?;
        let title = discover.title.as_ref().and_then(|path| Mapper::remote_id(path, row));
        let kind = discover.kind.as_ref().and_then(|path| path.text(row));
        let kind = kind.and_then(|word| discover.types.get(&word).copied());
        Some(CustomField {
            title: title.unwrap_or_else(|| name.clone()),
            name,
            kind: kind.unwrap_or(CustomKind::Other),
            writable: discover.writable.as_ref().is_some_and(|when| when.hold(row, self.keys())),
        })
    }

    /// The record that a row would become under an overlay, in place of the one that is in force. The
    /// row is one that the system gave.
    ///
    /// # Errors
    /// When the overlay cannot be used, or the row cannot be mapped with it.
    pub fn preview(
        &self,
        entity: &str,
        raw: &Value,
        overlay: &Overlay,
    ) -> Result<Map<String, Value>, RowFault> {
        let fault =
            |field: String, message: String| RowFault { remote_id: String::new(), field, message };
        let def = self.manifest().entity(entity);
        let def = def.ok_or_else(|| fault(entity.to_owned(), "is not read".to_owned()))?;
        let id = Mapper::remote_id(&def.read.id, raw);
        let id = id.ok_or_else(|| fault("remoteId".to_owned(), "is not in the row".to_owned()))?;
        let laid =
            overlay.apply(entity, def).map_err(|faults| match faults.into_iter().next() {
                Some(found) => fault(found.path, found.message),
                None => fault(String::new(), "the overlay cannot be used".to_owned()),
            })?;
        self.mapper(entity).record(&laid, &id, raw)
    }
}

fn known(custom: &CustomFields) -> Vec<CustomField> {
    let all = custom.known.iter().map(|(name, field)| CustomField {
        name: name.to_owned(),
        title: field.title.clone(),
        kind: field.kind,
        writable: field.writable,
    });
    all.collect()
}
