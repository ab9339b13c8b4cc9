//! The form of a connector.

use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use http::StatusCode;
use maud::{Markup, html};
use millwright_connection::{Cause, find_connection};
use millwright_connector::{
    Manifest,
    manifest::{Auth, FieldKind, Form},
};
use millwright_core::{FieldError, Upstream};
use serde_json::{Map, Value};

use super::{
    Shown,
    assets::has_conditions,
    choose::{admits, offered},
    encoded,
    ends::{End, Ended},
    fields::Part,
    leave, path,
    session::{Phase, Purpose, Visit, visit},
    session_path,
    shell::{Page, Step},
};
use crate::App;

/// What stands in a form, and what is wrong with it.
#[derive(Default)]
pub(super) struct Entered {
    /// The settings.
    pub settings: Map<String, Value>,
    /// Credentials that are no secrets.
    pub credentials: Map<String, Value>,
    /// The faulty fields.
    pub faults: Vec<FieldError>,
    /// Why the system could not be connected.
    pub trouble: Option<Trouble>,
}

/// Why a system could not be connected.
pub(super) struct Trouble {
    /// The cause.
    pub cause: Cause,
    /// What the connector says of it.
    pub detail: Option<String>,
    /// What the system says.
    pub upstream: Option<Upstream>,
}

/// Shows the form.
pub(super) async fn show(
    State(app): State<App>,
    Path((name, connector)): Path<(String, String)>,
    headers: HeaderMap,
) -> Shown {
    let visit = visit(&app.store, &headers, &name).await??;
    if matches!(visit.row.doc.phase, Phase::Connected(_)) {
        return Ok(super::go_to(&session_path(&app, &visit, "")));
    }
    first(&app, &visit, &connector).await
}

/// The form as it is before anything is entered: blank, or with the settings that there were.
pub(super) async fn first(app: &App, visit: &Visit, connector: &str) -> Shown {
    let manifest = manifest(app, visit, connector)?;
    let mut entered = Entered::default();
    if let Purpose::Reconnect(id) = &visit.row.doc.purpose {
        let row = find_connection(&app.store, &visit.row.doc.workspace, id).await?;
        entered.settings = row.doc.settings;
    }
    Ok(page(app, visit, manifest, &entered))
}

/// The connector, if it may be connected here.
pub(super) fn manifest<'a>(
    app: &'a App,
    visit: &Visit,
    connector: &str,
) -> Result<&'a Manifest, Ended> {
    let session = &visit.row.doc;
    let found = app.engine.catalog().get(connector).filter(|own| admits(session, own));
    let ended = || Ended::from(End::NotOffered).of(&session.brand);
    found.map(AsRef::as_ref).ok_or_else(ended)
}

/// Whether a person allows it on the system's own page.
pub(super) fn has_own_page(manifest: &Manifest) -> bool {
    matches!(manifest.auth, Auth::Oauth2Code(_))
}

/// The page.
pub(super) fn page(app: &App, visit: &Visit, manifest: &Manifest, entered: &Entered) -> Response {
    let session = &visit.row.doc;
    let reconnects = matches!(session.purpose, Purpose::Reconnect(_));
    let failed = entered.trouble.is_some() || !entered.faults.is_empty();
    let here = session_path(app, visit, &format!("/connect/{}", encoded(&manifest.id)));
    let body = html! {
        @if let Some(trouble) = &entered.trouble { (trouble_box(manifest, trouble)) }
        p.lead { (lead(&manifest.name, reconnects, has_own_page(manifest))) }
        (form(manifest, entered, &here, &visit.csrf, failed))
        @if !reconnects && offered(app, session).len() > 1 {
            p { a href=(session_path(app, visit, "/systems")) { "Choose another system" } }
        }
        (leave::cancel_link(app, visit))
    };
    let name = &manifest.name;
    let title = match (failed, reconnects) {
        (true, _) => format!("{name} is not connected yet"),
        (false, true) => format!("Log in again to {name}"),
        (false, false) => format!("Connect {name}"),
    };
    let mut page = Page::new(title, body).of(Some(&session.brand)).step(Step::Enter);
    if has_conditions(&manifest.settings) || has_conditions(&manifest.credentials) {
        page = page.styled(format!("/conditions/{}", encoded(&manifest.id)));
    }
    let status = if failed { status_of(entered) } else { StatusCode::OK };
    page.status(status).respond(&path(app, ""))
}

fn lead(system: &str, reconnects: bool, own_page: bool) -> String {
    match (reconnects, own_page) {
        (true, false) => format!(
            "{system} no longer accepts the login that was entered before. Enter it anew; everything \
             that was read so far stays."
        ),
        (true, true) => format!(
            "{system} no longer accepts the permission that was given before. Give it anew; \
             everything that was read so far stays."
        ),
        (false, false) => format!("Enter how {system} is reached. It is tried at once."),
        (false, true) => {
            format!("You will log in on {system}'s own page, and come back here by yourself.")
        }
    }
}

fn status_of(entered: &Entered) -> StatusCode {
    match &entered.trouble {
        Some(Trouble { cause: Cause::DifferentSystem, .. }) => StatusCode::CONFLICT,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

fn form(manifest: &Manifest, entered: &Entered, here: &str, csrf: &str, failed: bool) -> Markup {
    let part = |prefix, form, filled| Part {
        prefix,
        form,
        beside: &manifest.settings,
        filled,
        faults: &entered.faults,
    };
    let settings = part("settings", &manifest.settings, &entered.settings);
    let credentials = part("credentials", &manifest.credentials, &entered.credentials);
    let faulty: Vec<_> = settings.summary().into_iter().chain(credentials.summary()).collect();
    let has = |form: &Form| !form.fields().is_empty();
    let go = if has_own_page(manifest) { "Continue" } else { "Connect" };
    html! {
        @if !faulty.is_empty() {
            div.trouble role="alert" tabindex="-1" autofocus[entered.trouble.is_none()] {
                h2 { "Please check what you entered" }
                ul { @for (id, fault) in &faulty { li { a href={ "#" (id) } { (fault) } } } }
            }
        }
        form method="post" action=(here) novalidate autocomplete="off" {
            input type="hidden" name="csrf" value=(csrf);
            @if has(&manifest.settings) {
                fieldset { legend { "The system" } (settings.fields()) }
            }
            @if has(&manifest.credentials) {
                fieldset {
                    legend { "Your login" }
                    @if failed && has_secrets(&manifest.credentials) {
                        p.hint { "Passwords and keys have to be entered again: they are never shown." }
                    }
                    (credentials.fields())
                }
            }
            p.actions {
                button.button type="submit" { (go) }
                span.hint { " This can take up to half a minute." }
            }
        }
    }
}

fn has_secrets(form: &Form) -> bool {
    form.fields().iter().any(|field| field.kind == FieldKind::Secret)
}

/// What went wrong, why, and what to do.
fn trouble_box(manifest: &Manifest, trouble: &Trouble) -> Markup {
    let text = trouble.cause.text();
    let said = trouble.upstream.as_ref().and_then(|said| said.message.as_deref());
    html! {
        div.trouble role="alert" tabindex="-1" autofocus data-cause=(text.name) {
            h2 { (text.title) }
            p { (text.what) }
            p { strong { "What you can do: " } (text.remedy) }
            @if trouble.detail.is_some() || said.is_some() {
                details {
                    summary { "More about it" }
                    @if let Some(detail) = &trouble.detail { p { (detail) "." } }
                    @if let Some(said) = said {
                        p { (manifest.name) " says: “" (said) "”" }
                    }
                }
            }
        }
    }
}
