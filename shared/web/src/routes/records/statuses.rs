//! `/v1/statuses`: what the connector says of the statuses of its entities. They are records like
//! others, and stand in the manifest and not in the table.

use axum::extract::State;
use http::Method;
use millwright_connection::Connection;
use millwright_connector::manifest::STATUS_FIELDS;
use millwright_core::{Error, ErrorCode};
use millwright_entities::Entity;
use millwright_records::{FilterField, Filters, filter_fields};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, openapi::path::ParameterIn};

use super::{
    OfEntity, Place, RecordOperation,
    access::must_be_readable,
    manifest_of,
    of::unknown_entity,
    params::{Filtered, filter_parameter},
    words,
};
use crate::{
    App,
    data_answer::{DataAnswer, all_synced_at},
    error::{Answer, refused},
    extract::{InformationScope, Params, TextPath},
    page::{Limit, Page, position},
};

/// Which statuses to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StatusList {
    /// Only those of this entity's records.
    #[param(example = "purchase-orders")]
    entity: Option<String>,
    /// List them also while the system cannot be reached or refuses the credentials.
    #[serde(default)]
    #[param(required = false, default = false)]
    allow_stale: bool,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// The most statuses in the page.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500, default = 50)]
    limit: Limit<500>,
}

/// How to read one status.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StatusGet {
    /// Read it also while the system cannot be reached or refuses the credentials.
    #[serde(default)]
    #[param(required = false, default = false)]
    allow_stale: bool,
}

/// A list's cursor: how many statuses came before, and what it was asked for.
#[derive(Serialize, Deserialize)]
struct At {
    skip: usize,
    entity: Option<String>,
    filter: Vec<(String, String)>,
}

pub(super) fn operations(entity: &'static Entity) -> Vec<RecordOperation> {
    let list = RecordOperation::new(
        entity,
        (&Method::GET, Place::List),
        "list_statuses",
        "List statuses",
        list,
    )
    .described("What `statusKey` of a record refers to, in each entity's usual course.")
    .with_parameters(StatusList::into_params(|| Some(ParameterIn::Query)))
    .with_parameters([filter_parameter("StatusFilter")])
    .answering(200, "A page of statuses.", "StatusPage");
    let get = RecordOperation::new(
        entity,
        (&Method::GET, Place::Record),
        "get_status",
        "Get a status",
        get,
    )
    .with_parameters(StatusGet::into_params(|| Some(ParameterIn::Query)))
    .answering(200, "The status.", &words::component(entity));
    vec![list, get]
}

/// The fields that statuses can be filtered by.
pub(crate) fn status_filters(entity: &Entity) -> Vec<FilterField> {
    let fields = filter_fields(entity, None);
    fields.into_iter().filter(|field| STATUS_FIELDS.contains(&field.name)).collect()
}

async fn list(
    OfEntity(statuses): OfEntity,
    InformationScope(connection): InformationScope,
    State(app): State<App>,
    Filtered { mut filter, rest: list }: Filtered<StatusList>,
) -> Answer<DataAnswer<Page<Value>>> {
    let synced_at = all_synced_at(&app.store, &connection).await?;
    must_be_readable(&app, &connection, list.allow_stale, synced_at).await?;
    filter.sort();
    let name = format!("statuses/{}", connection.id);
    let at: Option<At> = position(&name, list.cursor.as_deref())?;
    let At { skip, entity, filter } = begin(at, list.entity, filter)?;
    if entity.as_deref().is_some_and(|slug| Entity::find(slug).is_none()) {
        return Err(unknown_entity().into());
    }
    let filters = Filters::parse(&status_filters(statuses), &filter).map_err(refused)?;
    let mut found = all(&app, &connection, entity.as_deref())?;
    found.retain(|status| filters.admit(status));
    let end = skip.saturating_add(list.limit.get());
    let next = (end < found.len()).then_some(At { skip: end, entity, filter });
    let shown = found.into_iter().skip(skip).take(list.limit.get()).map(Value::Object).collect();
    Ok(DataAnswer::new(&connection, synced_at, Page::at(&name, shown, next)?))
}

/// Where the page begins. A cursor knows what its list was asked for.
fn begin(
    at: Option<At>,
    entity: Option<String>,
    filter: Vec<(String, String)>,
) -> Result<At, Error> {
    let Some(at) = at else { return Ok(At { skip: 0, entity, filter }) };
    let other_entity = entity.is_some() && entity != at.entity;
    if other_entity || (!filter.is_empty() && filter != at.filter) {
        let message = "the cursor belongs to a list with another entity or filter";
        return Err(Error::new(ErrorCode::CursorInvalid, message));
    }
    Ok(at)
}

async fn get(
    _: OfEntity,
    InformationScope(connection): InformationScope,
    State(app): State<App>,
    TextPath(key): TextPath,
    Params(asked): Params<StatusGet>,
) -> Answer<DataAnswer<Value>> {
    let synced_at = all_synced_at(&app.store, &connection).await?;
    must_be_readable(&app, &connection, asked.allow_stale, synced_at).await?;
    let mut all = all(&app, &connection, None)?.into_iter();
    let status = all.find(|status| status.get("key").is_some_and(|own| own == key.as_str()));
    let status = status.ok_or_else(|| Error::not_found("record"))?;
    Ok(DataAnswer::new(&connection, synced_at, Value::Object(status)))
}

/// The statuses of one entity's records, or of all.
fn all(
    app: &App,
    connection: &Connection,
    entity: Option<&str>,
) -> Result<Vec<Map<String, Value>>, Error> {
    let manifest = manifest_of(app, connection)?;
    let entities = manifest.entities.iter().map(|(slug, _)| slug);
    let wanted = entities.filter(|slug| entity.is_none_or(|entity| entity == *slug));
    Ok(wanted.flat_map(|slug| manifest.statuses(&connection.id, slug)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_that_a_status_is_filtered_by_is_one_it_has() {
        let catalog = millwright_connector::Catalog::builtin();
        let manifest = catalog.get("tryton").unwrap();
        let id = millwright_core::ConnectionId::new_at(1);
        let statuses = manifest.statuses(&id, "purchase-orders");
        let fields = status_filters(Entity::find("statuses").unwrap());
        assert_eq!(fields.len(), STATUS_FIELDS.len(), "{fields:?}");
        assert!(fields.iter().all(|field| statuses[0].contains_key(field.name)));
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let at = || Some(At { skip: 2, entity: Some("bom".to_owned()), filter: Vec::new() });
        assert_eq!(begin(at(), None, Vec::new()).unwrap().skip, 2);
        assert_eq!(begin(at(), Some("bom".to_owned()), Vec::new()).unwrap().skip, 2);
        let other = Some("vendors".to_owned());
        assert_eq!(begin(at(), other, Vec::new()).err().unwrap().code, ErrorCode::CursorInvalid);
    }
}
