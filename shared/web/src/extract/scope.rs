//! One connection's data: `Connection-Id`, the workspace's own connection, and its status.

use axum::extract::FromRequestParts;
use http::{HeaderName, request::Parts};
use millwright_connection::{Connection, allow_data, find_connection};
use millwright_core::{ConnectionId, Error, ErrorCode};
use millwright_records::Scope;

use super::{TokenConnection, caller_of, scenario::as_asked};
use crate::{App, error::ApiError};

/// Names the connection that a request with an API key or workspace token is about.
pub(crate) const CONNECTION_ID: HeaderName = HeaderName::from_static("connection-id");

/// The request's connection, in a status in which records may be read and written.
#[derive(Clone, Debug)]
pub(crate) struct DataScope(pub(crate) Connection);

/// The request's connection, in a status in which its changes and syncs may be read: all but
/// `pending` and `disconnected`.
#[derive(Clone, Debug)]
pub(crate) struct InformationScope(pub(crate) Connection);

impl FromRequestParts<App> for DataScope {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let connection = connection(parts, app).await?;
        allow_data(&app.connections(), &connection).await?;
        Ok(Self(connection))
    }
}

impl FromRequestParts<App> for InformationScope {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let connection = connection(parts, app).await?;
        connection.status().allow_information()?;
        Ok(Self(connection))
    }
}

async fn connection(parts: &mut Parts, app: &App) -> Result<Connection, ApiError> {
    let caller = caller_of(parts, app).await?;
    let connection = match parts.extensions.get::<TokenConnection>() {
        Some(TokenConnection(own)) => {
            must_be_named_or_none(parts, &own.id)?;
            own.clone()
        }
        None => {
            let id = connection_id(parts)?;
            find_connection(&app.store, &caller.workspace, &id).await?.doc
        }
    };
    Ok(as_asked(app, &parts.headers, connection)?)
}

/// The holder of a connection token need not name its connection, and cannot name another.
fn must_be_named_or_none(parts: &Parts, own: &ConnectionId) -> Result<(), Error> {
    let mut values = parts.headers.get_all(&CONNECTION_ID).iter();
    if values.all(|value| value.as_bytes() == own.as_str().as_bytes()) {
        return Ok(());
    }
    let message = "this connection token is for another connection than Connection-Id names";
    Err(Error::new(ErrorCode::PermissionDenied, message))
}

fn connection_id(parts: &Parts) -> Result<ConnectionId, Error> {
    let message = "name the connection in the header Connection-Id";
    let required = || Error::new(ErrorCode::ConnectionRequired, message);
    let mut values = parts.headers.get_all(&CONNECTION_ID).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(required()) };
    let text = value.to_str().ok().filter(|text| !text.is_empty()).ok_or_else(required)?;
    text.parse().map_err(|_| Error::not_found("connection"))
}

/// Where a connection's records are.
pub(crate) fn records_of(connection: &Connection) -> Scope {
    Scope::of(connection)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn code(values: &[&str]) -> ErrorCode {
        let mut request = Request::builder();
        for value in values {
            request = request.header(CONNECTION_ID, *value);
        }
        connection_id(&request.body(()).unwrap().into_parts().0).unwrap_err().code
    }

    #[test]
    fn a_data_call_names_one_connection() {
        let two = ["conn_1", "conn_2"];
        for values in [&[][..], &[""], &two] {
            assert_eq!(code(values), ErrorCode::ConnectionRequired, "{values:?}");
        }
    }

    #[test]
    fn a_connection_token_is_for_one_connection() {
        let (own, other) = (ConnectionId::new_at(1), ConnectionId::new_at(2));
        let named = |values: &[&str]| {
            let mut request = Request::builder();
            for value in values {
                request = request.header(CONNECTION_ID, *value);
            }
            must_be_named_or_none(&request.body(()).unwrap().into_parts().0, &own)
        };
        assert!(named(&[]).is_ok() && named(&[own.as_str()]).is_ok());
        for values in [&[other.as_str()][..], &[""], &[own.as_str(), other.as_str()]] {
            let refused = named(values).unwrap_err();
            assert_eq!(refused.code, ErrorCode::PermissionDenied, "{values:?}");
        }
    }

    #[test]
    fn what_is_no_connections_id_is_not_found() {
        for value in ["1", "ep_01jd8r2v7m5w3k9x1c4t6z8q0a", "conn_../../x"] {
            assert_eq!(code(&[value]), ErrorCode::NotFound, "{value}");
        }
    }
}
