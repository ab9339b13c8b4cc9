//! What stands in the path.

use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use millwright_core::{ConnectionId, Error, ErrorCode};
use millwright_entities::Entity;

use crate::{App, error::ApiError};

/// The path's one id. What is no id of this kind is not found, like an id that nothing has.
#[derive(Clone, Debug)]
pub(crate) struct IdPath<T>(pub(crate) T);

impl<T: FromStr<Err = Error>> FromRequestParts<App> for IdPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Ok(Self(only_param(parts, app).await?.parse()?))
    }
}

/// The path's one parameter as text.
#[derive(Clone, Debug)]
pub(crate) struct TextPath(pub(crate) String);

impl FromRequestParts<App> for TextPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        only_param(parts, app).await.map(Self)
    }
}

/// The path's two parameters as text: a record's key, and the name of an action.
#[derive(Clone, Debug)]
pub(crate) struct ActionPath {
    /// The record's key.
    pub(crate) key: String,
    /// The action's name.
    pub(crate) name: String,
}

impl FromRequestParts<App> for ActionPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let (key, name) = two_params(parts, app, "key", "name").await?;
        Ok(Self { key, name })
    }
}

/// The path's connection, and an entity of it.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionEntityPath {
    /// The connection.
    pub(crate) connection: ConnectionId,
    /// The entity.
    pub(crate) entity: &'static Entity,
}

impl FromRequestParts<App> for ConnectionEntityPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let (connection, slug) = two_params(parts, app, "id", "entity").await?;
        let entity = Entity::find(&slug).ok_or_else(|| Error::not_found("entity"))?;
        Ok(Self { connection: connection.parse()?, entity })
    }
}

async fn two_params(
    parts: &mut Parts,
    app: &App,
    first: &str,
    second: &str,
) -> Result<(String, String), ApiError> {
    let params = RawPathParams::from_request_parts(parts, app).await;
    let params = params.map_err(|_| Error::new(ErrorCode::NotFound, "there is no such path"))?;
    let of = |wanted: &str| params.iter().find(|(name, _)| *name == wanted);
    let text = |wanted| of(wanted).map(|(_, value)| value.to_owned());
    let both = text(first).zip(text(second));
    both.ok_or_else(|| Error::internal("a path without its parameters").into())
}

async fn only_param(parts: &mut Parts, app: &App) -> Result<String, ApiError> {
    let params = RawPathParams::from_request_parts(parts, app).await;
    // Only a path that is not UTF-8 is refused; nothing has such a name.
    let params = params.map_err(|_| Error::new(ErrorCode::NotFound, "there is no such path"))?;
    let value = params.iter().next().map(|(_, value)| value.to_owned());
    value.ok_or_else(|| Error::internal("a path without its parameter").into())
}
