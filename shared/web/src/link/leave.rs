//! The way back: to the application with a code, to a link's own address, or nowhere.

use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use maud::{Markup, html};
use millwright_access::oauth::{Refusal, issue_code};
use millwright_core::{ConnectionId, Error, ExposeSecret};
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    Shown, brand, go_to, path,
    session::{Phase, Purpose, Session, Visit, visit},
    session_path,
    shell::{Page, Step},
};
use crate::App;

/// How a visit ends.
enum Outcome<'a> {
    Connected(&'a ConnectionId),
    Cancelled,
}

/// Leaves with what was connected. It may be repeated while the session lasts: an answer that was lost
/// must not leave its user behind, and each code is good for once.
pub(super) async fn leave(
    State(app): State<App>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Shown {
    let visit = visit(&app.store, &headers, &name).await??;
    let Phase::Connected(connection) = &visit.row.doc.phase else {
        return Ok(go_to(&session_path(&app, &visit, "")));
    };
    let address = address(&app, &visit.row.doc, &Outcome::Connected(connection)).await?;
    Ok(depart(&app, &visit.row.doc, address, "You are done"))
}

/// Leaves without anything connected. What was connected already stays so.
pub(super) async fn cancel(
    State(app): State<App>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Shown {
    let visit = visit(&app.store, &headers, &name).await??;
    if matches!(visit.row.doc.phase, Phase::Connected(_)) {
        return Ok(go_to(&session_path(&app, &visit, "")));
    }
    let address = address(&app, &visit.row.doc, &Outcome::Cancelled).await?;
    Ok(depart(&app, &visit.row.doc, address, "Nothing was connected"))
}

/// Where the browser goes; nothing where it came from nowhere. Only to an address that the workspace
/// has given beforehand.
async fn address(
    app: &App,
    session: &Session,
    outcome: &Outcome<'_>,
) -> Result<Option<String>, Error> {
    let issuer = &app.settings.public_url;
    match (&session.purpose, outcome) {
        (Purpose::Authorize(request), Outcome::Connected(connection)) => {
            let code = issue_code(&app.store, request, &session.workspace, connection).await?;
            let location = request.location_with_code(issuer, &code)?;
            Ok(Some(location.expose_secret().to_owned()))
        }
        (Purpose::Authorize(request), Outcome::Cancelled) => {
            request.location_with_refusal(issuer, Refusal::AccessDenied).map(Some)
        }
        (Purpose::Link { return_url, .. }, outcome) => {
            let told = match outcome {
                Outcome::Connected(connection) => ("connection_id", connection.as_str()),
                Outcome::Cancelled => ("error", "access_denied"),
            };
            Ok(return_url.as_deref().and_then(|url| with_pair(url, told)))
        }
        (Purpose::Reconnect(_), _) => Ok(None),
    }
}

fn with_pair(url: &str, (name, value): (&str, &str)) -> Option<String> {
    let mut url = Url::parse(url).ok()?;
    url.query_pairs_mut().append_pair(name, value);
    Some(url.into())
}

fn depart(app: &App, session: &Session, address: Option<String>, title: &str) -> Response {
    match address {
        Some(address) if session.popup => told(app, session, &address, title),
        Some(address) => go_to(&address),
        None => over(app, session, title),
    }
}

/// In a window that another page has opened: that page is told, if it is of the very origin that the
/// browser would have been sent to. Without a script, or without such a page, a link leads there.
fn told(app: &App, session: &Session, address: &str, title: &str) -> Response {
    let origin = brand::origin(address).unwrap_or_default();
    let body = html! {
        p #told data-origin=(origin) data-message=(message(address)) {
            "This window should close by itself."
        }
        p.actions { a.button href=(address) { "Go on to " (session.brand.name) } }
    };
    Page::new(title, body).of(Some(&session.brand)).with_script().respond(&path(app, ""))
}

/// What the page that opened the window is told: what would have come back in the address.
fn message(address: &str) -> String {
    let mut told = Map::from_iter([("type".to_owned(), json!("millwright.link"))]);
    if let Ok(url) = Url::parse(address) {
        for (name, value) in url.query_pairs() {
            let known = ["code", "state", "iss", "error", "connection_id"];
            if known.contains(&name.as_ref()) {
                told.insert(name.into_owned(), Value::from(value.into_owned()));
            }
        }
    }
    Value::Object(told).to_string()
}

fn over(app: &App, session: &Session, title: &str) -> Response {
    let body = html! { p.lead { "You can close this window." } };
    let page = Page::new(title, body).of(Some(&session.brand));
    let done = matches!(session.phase, Phase::Connected(_));
    let page = if done { page.step(Step::Done) } else { page };
    page.respond(&path(app, ""))
}

/// The link by which a visit ends with something connected.
pub(super) fn leave_link(app: &App, visit: &Visit) -> Markup {
    let session = &visit.row.doc;
    let address = session_path(app, visit, "/leave");
    let returns = match &session.purpose {
        Purpose::Authorize(_) => true,
        Purpose::Link { return_url, .. } => return_url.is_some(),
        Purpose::Reconnect(_) => false,
    };
    html! {
        a.button href=(address) {
            @if returns { "Go on to " (session.brand.name) } @else { "Finish" }
        }
    }
}

/// The link by which a visit ends without.
pub(super) fn cancel_link(app: &App, visit: &Visit) -> Markup {
    let address = session_path(app, visit, "/cancel");
    html! { p.cancel { a href=(address) { "Cancel" } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_return_address_keeps_what_it_has_and_gets_one_thing_more() {
        let address = with_pair("https://a.example/x?y=1", ("connection_id", "conn_1&z=2"));
        assert_eq!(
            address.as_deref(),
            Some("https://a.example/x?y=1&connection_id=conn_1%26z%3D2")
        );
    }

    #[test]
    fn the_opening_page_is_told_what_the_address_would_have_told() {
        let told = message("https://a.example/x?own=1&code=c&state=%3C");
        assert_eq!(told, r#"{"type":"millwright.link","code":"c","state":"<"}"#);
    }
}
