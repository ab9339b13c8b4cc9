//! The gate before every operation under `/v1`: who calls, how often, and whether they may come this way
//! at all.

use std::{collections::HashSet, sync::Arc};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::Method;
use millwright_access::Limits;
use millwright_core::{Error, ErrorCode};
use utoipa::openapi::OpenApi as Document;

use crate::{
    App,
    error::ApiError,
    extract::caller_of,
    openapi::DATA,
    parameters::operations,
    rate::{self, Call},
};

/// The operations on one connection's data, as the document says: the only ones for the holder of a
/// connection token. A new operation is closed to them until it is said to be one of these.
#[derive(Clone, Debug)]
pub(crate) struct DataOperations(Arc<HashSet<(Method, String)>>);

impl DataOperations {
    /// As the document says.
    pub(crate) fn of(document: &Document) -> Self {
        let mut found = HashSet::new();
        for (path, item) in &document.paths.paths {
            for (method, operation) in operations(item) {
                if operation.tags.iter().flatten().any(|tag| tag == DATA) {
                    found.insert((method, path.clone()));
                }
            }
        }
        Self(Arc::new(found))
    }

    fn contain(&self, method: &Method, path: &str) -> bool {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.0.contains(&(method.clone(), path.to_owned()))
    }
}

/// What the gate needs to know. Clones share it.
#[derive(Clone)]
pub(crate) struct Gate {
    app: App,
    data: DataOperations,
    limits: Limits,
}

impl Gate {
    /// For the operations of a document.
    pub(crate) fn new(app: App, document: &Document) -> Self {
        Self { app, data: DataOperations::of(document), limits: Limits::default() }
    }
}

/// Lets those through who are known and do not call too often, and holders of connection tokens only to
/// their connection's data.
pub(crate) async fn gate(
    State(Gate { app, data, limits }): State<Gate>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let path = path.as_ref().map_or("", MatchedPath::as_str);
    if !path.starts_with("/v1/") {
        return Ok(next.run(request).await);
    }
    let is_data = data.contain(request.method(), path);
    let (mut parts, body) = request.into_parts();
    let caller = caller_of(&mut parts, &app).await?;
    if caller.token_holder().is_some() && !is_data {
        let message = "a connection token opens its connection's data only";
        return Err(Error::new(ErrorCode::PermissionDenied, message).into());
    }
    let call = Call::new(&caller, &parts, path, is_data);
    let standings = rate::count(&limits, &app, &call).await?;
    let mut response = match rate::refusal(&standings) {
        Some(error) => ApiError::from(error).into_response(),
        None => next.run(Request::from_parts(parts, body)).await,
    };
    rate::tell(response.headers_mut(), &standings);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes;

    #[test]
    fn connection_tokens_open_data_paths_and_nothing_else() {
        let data = DataOperations::of(&routes::all().split_for_parts().1);
        for (method, path) in [
            (Method::GET, "/v1/purchase-orders"),
            (Method::HEAD, "/v1/purchase-orders/{key}"),
            (Method::POST, "/v1/sync"),
            (Method::GET, "/v1/connection"),
            (Method::POST, "/v1/passthrough"),
        ] {
            assert!(data.contain(&method, path), "{method} {path}");
        }
        for (method, path) in [
            (Method::GET, "/v1/connections"),
            (Method::POST, "/v1/connections/{id}/token"),
            (Method::GET, "/v1/audit-log"),
            (Method::GET, "/v1/api-keys"),
            (Method::POST, "/v1/purchase-orders/{key}"),
        ] {
            assert!(!data.contain(&method, path), "{method} {path}");
        }
    }
}
