//! `/v1/statuses`.

use axum::extract::State;
use millwright_core::Error;
use millwright_entities::Entity;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use super::records::unknown_entity;
use crate::{
    App,
    data_answer::{DataAnswer, all_synced_at},
    error::Answer,
    extract::{DataScope, Params},
    page::{Limit, Page, position},
};

/// Which statuses to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatusList {
    /// Only those of this entity's records.
    #[param(example = "purchase-orders")]
    entity: Option<String>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// The most statuses in the page.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500, default = 50)]
    limit: Limit<500>,
}

/// List statuses
///
/// What `statusKey` of a record refers to, in each entity's usual course.
#[utoipa::path(
    get,
    path = "/v1/statuses",
    operation_id = "list_statuses",
    tag = crate::openapi::DATA,
    params(StatusList),
    responses((
        status = 200,
        description = "A page of statuses.",
        body = ref("#/components/schemas/StatusPage")
    ))
)]
pub(crate) async fn list_statuses(
    DataScope(connection): DataScope,
    State(app): State<App>,
    Params(list): Params<StatusList>,
) -> Answer<DataAnswer<Page<Value>>> {
    let name = format!("statuses/{}", connection.id);
    let skip: usize = position(&name, list.cursor.as_deref())?.unwrap_or_default();
    let manifest = app.engine.catalog().get(&connection.connector_id);
    let manifest = manifest.ok_or_else(|| Error::internal("a connection of no known connector"))?;
    let asked = list.entity.as_deref();
    if asked.is_some_and(|slug| Entity::find(slug).is_none()) {
        return Err(unknown_entity().into());
    }
    let entities = manifest.entities.iter().map(|(slug, _)| slug);
    let wanted = entities.filter(|slug| asked.is_none_or(|asked| asked == *slug));
    let all: Vec<_> = wanted.flat_map(|slug| manifest.statuses(&connection.id, slug)).collect();
    let end = skip.saturating_add(list.limit.get());
    let next = (end < all.len()).then_some(end);
    let shown = all.into_iter().skip(skip).take(list.limit.get()).map(Value::Object).collect();
    let synced_at = all_synced_at(&app.store, &connection).await?;
    Ok(DataAnswer::new(&connection, synced_at, Page::at(&name, shown, next)?))
}
