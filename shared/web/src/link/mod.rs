//! Link: the pages on which a customer connects a system, or logs in to it again.
//!
//! They are made here and need no script. Whoever opens one of the three entries (an application's
//! authorization request, a connect link, a reconnect link) gets a [`session::Session`] that is bound to
//! a cookie; its pages are under `/link/session/{name}`. Choosing a system is a link; the form is
//! posted, tried at once, and followed by a page that shows the first load. The way back to the
//! application is a link again, so that no form ever leads elsewhere.

mod assets;
mod authorize;
mod brand;
mod choose;
mod connect;
mod ends;
mod entry;
mod fields;
mod form;
mod leave;
mod posted;
mod progress;
mod session;
mod shell;
mod upstream;

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};

use self::{ends::Ended, session::Visit};
use crate::{App, frame::caught};

/// What a page's handler answers.
type Shown = Result<Response, Ended>;

/// The pages.
pub(crate) fn routes(app: &App) -> Router<App> {
    let session = "/link/session/{name}";
    let at = |rest: &str| format!("{session}{rest}");
    Router::new()
        .route("/link/authorize", get(authorize::open))
        .route("/link/callback", get(upstream::callback))
        .route("/link/assets/{name}", get(assets::asset))
        .route("/link/conditions/{connector}", get(assets::conditions))
        .route("/link/{token}", get(entry::open))
        .route(session, get(progress::show))
        .route(&at("/systems"), get(choose::show))
        .route(&at("/connect/{connector}"), get(form::show).post(connect::take))
        .route(&at("/leave"), get(leave::leave))
        .route(&at("/cancel"), get(leave::cancel))
        .layer(from_fn_with_state(app.clone(), shown))
}

/// Shows what handlers have ended with, as a page; a panic too.
async fn shown(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = caught(next.run(request)).await;
    let extensions = response.extensions_mut();
    let failed = extensions.remove::<crate::error::ApiError>();
    let ended = extensions.remove::<Ended>();
    match (ended, failed) {
        (Some(ended), _) => ended.page(&path(&app, "")),
        (None, Some(error)) => {
            tracing::error!(error = %error.0, "page failed");
            Ended::from(ends::End::Broken).page(&path(&app, ""))
        }
        (None, None) => response,
    }
}

/// The path of a page as browsers see it; `rest` begins with a slash or is empty.
fn path(app: &App, rest: &str) -> String {
    let public = app.settings.public_url.as_str();
    let host = public.find("://").map_or(0, |at| at + 3);
    let before = public[host..].find('/').map_or("", |at| &public[host + at..]);
    format!("{before}/link{rest}")
}

/// The path of a page of a session.
fn session_path(app: &App, visit: &Visit, rest: &str) -> String {
    path(app, &format!("/session/{}{rest}", visit.row.doc.name))
}

/// Sends the browser to a page with a GET (RFC 9110, 15.4.4).
fn go_to(address: &str) -> Response {
    Redirect::to(address).into_response()
}

/// Text as one segment of a path or a value of a query.
fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
