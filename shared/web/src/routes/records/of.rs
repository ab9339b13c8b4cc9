//! Which entity a request is about.

use axum::extract::FromRequestParts;
use http::request::Parts;
use millwright_core::Error;
use millwright_entities::Entity;

use crate::{
    App,
    error::{ApiError, refused_one},
};

/// The entity of the request's route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfEntity(pub(crate) &'static Entity);

impl FromRequestParts<App> for OfEntity {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let route = parts.extensions.get::<Self>().copied();
        route.ok_or_else(|| Error::internal("a route of no entity").into())
    }
}

/// Refuses a query's `entity` that is none.
pub(crate) fn unknown_entity() -> Error {
    let known: Vec<&str> = Entity::ALL.iter().map(|entity| entity.slug).collect();
    refused_one("entity", &format!("must be one of {}", known.join(", ")))
}
