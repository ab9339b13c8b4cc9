//! Answers about one connection's data: how the connection is, and how fresh the data.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, header};
use millwright_connection::Connection;
use millwright_core::{Result, WallTime};
use millwright_store::Store;
use millwright_sync::{SyncState, sync_key, sync_states};
use serde::Serialize;

/// The connection's status at the time of the answer.
pub(crate) const CONNECTION_STATUS: HeaderName =
    HeaderName::from_static("millwright-connection-status");
/// When the data was last synced to its end. Not set before the first time.
pub(crate) const SYNCED_AT: HeaderName = HeaderName::from_static("millwright-synced-at");

/// A JSON answer with the two headers.
pub(crate) struct DataAnswer<T> {
    status: &'static str,
    synced_at: Option<WallTime>,
    etag: Option<String>,
    body: T,
}

impl<T> DataAnswer<T> {
    /// An answer about a connection.
    pub(crate) fn new(connection: &Connection, synced_at: Option<WallTime>, body: T) -> Self {
        Self { status: connection.status().as_str(), synced_at, etag: None, body }
    }

    /// The same with the record's entity tag, a strong one (RFC 9110, 8.8.3).
    pub(crate) fn tagged(self, etag: Option<&str>) -> Self {
        Self { etag: etag.map(|tag| format!("\"{tag}\"")), ..self }
    }
}

impl<T: Serialize> IntoResponse for DataAnswer<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONNECTION_STATUS, HeaderValue::from_static(self.status));
        let synced_at = self.synced_at.and_then(|at| HeaderValue::from_str(&at.iso()).ok());
        if let Some(synced_at) = synced_at {
            headers.insert(SYNCED_AT, synced_at);
        }
        let etag = self.etag.and_then(|tag| HeaderValue::from_str(&tag).ok());
        if let Some(etag) = etag {
            headers.insert(header::ETAG, etag);
        }
        response
    }
}

/// When an entity was last synced to its end.
pub(crate) async fn synced_at(
    store: &Store,
    connection: &Connection,
    entity: &str,
) -> Result<Option<WallTime>> {
    let key = sync_key(&connection.workspace, &connection.id, entity);
    let row = store.get_doc::<SyncState>(&key).await?;
    Ok(row.and_then(|row| row.doc.last_success_at))
}

/// Whether the rows that are kept with an entity's records are those that they were made of.
pub(crate) async fn keeps_raw(
    store: &Store,
    connection: &Connection,
    entity: &str,
) -> Result<bool> {
    let key = sync_key(&connection.workspace, &connection.id, entity);
    let row = store.get_doc::<SyncState>(&key).await?;
    Ok(row.is_some_and(|row| row.doc.has_raw()))
}

/// Since when all entities have been synced to their end: the time of the one that lags most.
pub(crate) async fn all_synced_at(
    store: &Store,
    connection: &Connection,
) -> Result<Option<WallTime>> {
    Ok(oldest_success(&sync_states(store, &connection.workspace, &connection.id).await?))
}

/// The oldest of the entities' last successes; nothing while one of them has none.
pub(crate) fn oldest_success(states: &[SyncState]) -> Option<WallTime> {
    let successes: Option<Vec<WallTime>> =
        states.iter().map(|state| state.last_success_at).collect();
    successes?.into_iter().min()
}
