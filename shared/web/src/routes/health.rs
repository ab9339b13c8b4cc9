//! Whether the service answers.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;

/// How the service is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`: a service that is not does not answer.
    #[schema(example = "ok")]
    status: &'static str,
    /// Millwright's version.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// The wall clock.
    #[schema(format = DateTime)]
    time: String,
}

/// Ask whether the service answers
///
/// Needs no key and reads nothing.
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "get_health",
    tag = "Service",
    security(()),
    responses((status = 200, description = "It answers.", body = Health))
)]
pub(crate) async fn get_health(State(app): State<App>) -> Json<Health> {
    let time = app.clock().wall().iso();
    Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION"), time })
}
