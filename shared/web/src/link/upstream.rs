//! Systems that have a login page of their own: the way there, and back by `/link/callback`.

use axum::{
    extract::{Query, State},
    http::HeaderMap,
    response::Response,
};
use maud::html;
use millwright_connection::oauth::{authorize, exchange};
use millwright_connector::Manifest;
use millwright_core::{SecretString, constant_time_eq, sha256_hex};
use serde::Deserialize;
use serde_json::Map;

use super::{
    Shown,
    connect::{Access, failed, still_open, try_now},
    ends::{End, Ended},
    form::{Entered, manifest, page},
    go_to, leave, path,
    session::{Away, Phase, Visit, visits},
    session_path,
    shell::{Page, Step},
};
use crate::App;

/// What comes back from the system's own page (RFC 6749, 4.1.2).
#[derive(Deserialize)]
pub(super) struct Callback {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
}

/// Shows the way to the system's own page. It is a link: no form leads elsewhere.
pub(super) async fn send_there(
    app: &App,
    mut visit: Visit,
    manifest: &Manifest,
    access: Access,
    mut entered: Entered,
) -> Shown {
    still_open(app, &visit).await?;
    let Access { settings, credentials } = access;
    let (workspace, back) =
        (&visit.row.doc.workspace, app.settings.public_url.at("/link/callback"));
    let context = app.connections();
    let started =
        authorize(&context, workspace, &manifest.id, &settings, &credentials, &back).await;
    let started = match started {
        Ok(started) => started,
        Err(error) => {
            failed(&mut entered, error)?;
            return Ok(page(app, &visit, manifest, &entered));
        }
    };
    let away = Away {
        connector: manifest.id.clone(),
        state_hash: sha256_hex(started.state.as_bytes()),
        sealed: started.sealed,
    };
    let begun = visit.change(&app.store, move |session| {
        let open = matches!(session.phase, Phase::Open | Phase::Away(_));
        if open {
            session.phase = Phase::Away(Box::new(away.clone()));
        }
        open
    });
    if begun.await? != Some(true) {
        let here = session_path(app, &visit, "");
        return Err(Ended::from(End::Repeated).of(&visit.row.doc.brand).onward(here, "Go on"));
    }
    Ok(way_there(app, &visit, manifest, &started.url))
}

fn way_there(app: &App, visit: &Visit, manifest: &Manifest, address: &str) -> Response {
    let body = html! {
        p.lead {
            "You now leave for " (manifest.name) "'s own page. Log in there and allow the connection; \
             then you come back here by yourself."
        }
        p.actions { a.button href=(address) rel="noreferrer" { "Continue to " (manifest.name) } }
        (leave::cancel_link(app, visit))
    };
    let title = format!("Log in to {}", manifest.name);
    let brand = &visit.row.doc.brand;
    Page::new(title, body).of(Some(brand)).step(Step::Enter).respond(&path(app, ""))
}

/// Comes back from the system's own page. Only the browser that went there can, and only once.
pub(super) async fn callback(
    State(app): State<App>,
    Query(callback): Query<Callback>,
    headers: HeaderMap,
) -> Shown {
    let state = callback.state.as_deref().unwrap_or_default();
    let (mut visit, away) = find(&app, &headers, state).await?.ok_or(End::Foreign)?;
    let manifest = manifest(&app, &visit, &away.connector)?;
    let mut entered = Entered::default();
    let Some(code) = callback.code.filter(|_| callback.error.is_none()) else {
        visit.change(&app.store, |session| session.phase = Phase::Open).await?;
        return Ok(refused(&app, &visit, manifest, callback.error.as_deref()));
    };
    let (code, context) = (SecretString::from(code), app.connections());
    let workspace = visit.row.doc.workspace.clone();
    let authorized = exchange(&context, &workspace, &away.sealed, state, &code).await;
    let tried = match authorized {
        Ok(authorized) => {
            entered.settings.clone_from(&authorized.settings);
            let (settings, credentials) = (authorized.settings, authorized.credentials);
            try_now(&app, &mut visit, manifest, Access { settings, credentials }).await?
        }
        Err(error) => {
            visit.change(&app.store, |session| session.phase = Phase::Open).await?;
            Err(error)
        }
    };
    match tried {
        Ok(()) => Ok(go_to(&session_path(&app, &visit, ""))),
        Err(error) => {
            failed(&mut entered, error)?;
            entered.credentials = Map::new();
            Ok(page(&app, &visit, manifest, &entered))
        }
    }
}

/// The visit of this browser that waits for this `state`.
async fn find(app: &App, headers: &HeaderMap, state: &str) -> Result<Option<(Visit, Away)>, Ended> {
    let hash = sha256_hex(state.as_bytes());
    for visit in visits(&app.store, headers).await? {
        if let Phase::Away(away) = &visit.row.doc.phase
            && constant_time_eq(away.state_hash.as_bytes(), hash.as_bytes())
        {
            let away = away.as_ref().clone();
            return Ok(Some((visit, away)));
        }
    }
    Ok(None)
}

/// The user, or the system, said no.
fn refused(app: &App, visit: &Visit, manifest: &Manifest, error: Option<&str>) -> Response {
    let form = session_path(app, visit, &format!("/connect/{}", super::encoded(&manifest.id)));
    let by_user = error == Some("access_denied");
    let body = html! {
        @if by_user {
            p.lead { "On " (manifest.name) "'s page the connection was not allowed, so nothing was connected." }
            p { "If that was not what you meant, try again and choose to allow it." }
        } @else {
            p.lead { (manifest.name) " did not let you through. Nothing was connected." }
            @if let Some(error) = error { p.detail { "It says: " code { (error) } } }
        }
        p.actions { a.button href=(form) { "Try again" } }
        (leave::cancel_link(app, visit))
    };
    let title = if by_user { "You did not allow it" } else { "The login did not succeed" };
    let brand = &visit.row.doc.brand;
    Page::new(title, body).of(Some(brand)).step(Step::Enter).respond(&path(app, ""))
}
