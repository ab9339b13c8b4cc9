//! The HTTP API: routes, who may call them, the error contract, idempotency, the OpenAPI document.
//!
//! A request passes the frame (its id, the catch for panics, the error's last form, headers, the log
//! line), then the gate (who calls, and how often), then the check that every query parameter is one the operation takes, then idempotency, then
//! a handler whose signature says what it needs: a role, a connection's
//! data, a checked body. Handlers are thin; what they do stands in the capabilities' crates.

mod app;
mod data_answer;
mod docs;
mod error;
mod extract;
mod frame;
mod gate;
mod idempotency;
mod link;
mod openapi;
mod page;
mod parameters;
mod rate;
mod routes;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::{Extension, Router, middleware::from_fn_with_state};

pub use app::{App, Parts, Settings};
pub use rate::RateLimits;
pub use routes::sign_in::SignIn;

/// The whole API.
pub fn router(app: App) -> Router {
    let (api, document) = routes::all().split_for_parts();
    let known = parameters::Known::of(&document);
    let gate = gate::Gate::new(app.clone(), &document);
    let served = Arc::new(openapi::Served::new(app.settings.clone()));
    api.route_layer(from_fn_with_state(app.clone(), idempotency::idempotency))
        .route_layer(from_fn_with_state((app.clone(), known), parameters::parameters))
        .route_layer(from_fn_with_state(gate, gate::gate))
        .merge(docs::routes())
        .merge(routes::well_known(&app))
        .merge(link::routes(&app))
        .fallback(frame::not_found)
        .method_not_allowed_fallback(frame::method_not_allowed)
        .layer(Extension(served))
        .layer(from_fn_with_state(app.clone(), frame::frame))
        .with_state(app)
}

/// The OpenAPI document, as `/openapi.json` serves it.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn openapi_document(settings: &Settings) -> millwright_core::Result<serde_json::Value> {
    let (_, document) = routes::all().split_for_parts();
    openapi::complete(&document, settings)
}
