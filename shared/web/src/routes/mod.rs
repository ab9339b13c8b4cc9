//! The routes, one file per resource. Each handler reads its request, calls one capability and shapes
//! the answer.

#![allow(unused_qualifications, reason = "utoipa's macro writes qualified names")]

mod api_keys;
mod health;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{App, openapi};

/// Every operation of the API. The document is collected from the same calls that make the routes,
/// so neither can have one that the other has not.
pub(crate) fn all() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(health::get_health))
        .routes(routes!(openapi::get_document))
        .routes(routes!(api_keys::list_api_keys, api_keys::create_api_key))
        .routes(routes!(api_keys::get_api_key, api_keys::revoke_api_key))
}
