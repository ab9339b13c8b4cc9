//! `/v1/connection`: the connection that a data call is about.

use axum::extract::State;

use super::connection_view::Connection;
use crate::{
    App,
    data_answer::{DataAnswer, all_synced_at},
    error::Answer,
    extract::InformationScope,
};

/// Get the connection of the data calls
///
/// Answers in every status but `pending` and `disconnected`.
#[utoipa::path(
    get,
    path = "/v1/connection",
    operation_id = "get_current_connection",
    tag = crate::openapi::DATA,
    responses((status = 200, description = "The connection.", body = Connection))
)]
pub(crate) async fn get_current_connection(
    InformationScope(connection): InformationScope,
    State(app): State<App>,
) -> Answer<DataAnswer<Connection>> {
    let synced_at = all_synced_at(&app.store, &connection).await?;
    let shown = Connection::of(&app, connection.clone()).await?;
    Ok(DataAnswer::new(&connection, synced_at, shown))
}
