//! `/link/{token}`: connect links and reconnect links.

use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use http::header;
use millwright_connection::{
    Connection, find_reconnect,
    link::{FoundLink, find_link_by_token},
    spent_reconnect,
};
use serde::Deserialize;

use super::{
    Shown, brand, choose,
    ends::{End, Ended, of_link},
    form,
    session::{NewSession, Purpose, Visit, begin},
};
use crate::App;

/// How an entry is opened.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Opening {
    /// `popup` in a window that another page has opened.
    display: Option<String>,
}

impl Opening {
    /// Whether another page has opened the window.
    pub fn is_popup(&self) -> bool {
        self.display.as_deref() == Some("popup")
    }
}

/// Opens a link. It is not spent by that: programs that look at links before people do (mail scanners,
/// previews) use up nothing.
pub(super) async fn open(
    State(app): State<App>,
    Path(token): Path<String>,
    Query(opening): Query<Opening>,
) -> Shown {
    let context = app.connections();
    if let Some(found) = find_link_by_token(&context, &token).await? {
        return open_link(&app, found, &opening).await;
    }
    match find_reconnect(&context, &token).await? {
        Some(connection) => open_reconnect(&app, connection, &opening).await,
        None => Err(dead(&app, &token).await?),
    }
}

/// The end of an address where nobody can log in: any more, or ever.
async fn dead(app: &App, token: &str) -> Result<Ended, Ended> {
    let Some(spent) = spent_reconnect(&app.connections(), token).await? else {
        return Ok(End::Unknown.into());
    };
    let application = spent.application.as_ref();
    let (brand, _) = brand::of_workspace(&app.store, &spent.workspace, application).await?;
    Ok(Ended::from(End::Spent).of(&brand))
}

async fn open_link(app: &App, found: FoundLink, opening: &Opening) -> Shown {
    let FoundLink { link, state, .. } = found;
    let application = link.application_id.as_ref();
    let (brand, sandbox) = brand::of_workspace(&app.store, &link.workspace, application).await?;
    if let Some(end) = of_link(state) {
        return Err(Ended::from(end).of(&brand));
    }
    let new = NewSession {
        workspace: link.workspace,
        purpose: Purpose::Link { link: link.id, return_url: link.return_url },
        brand,
        popup: opening.is_popup(),
        connectors: link.connector_ids,
        sandbox,
    };
    first_page(app, new).await
}

async fn open_reconnect(app: &App, connection: Connection, opening: &Opening) -> Shown {
    let Connection { id, workspace, application_id, .. } = &connection;
    let application = application_id.as_ref();
    let (brand, sandbox) = brand::of_workspace(&app.store, workspace, application).await?;
    let new = NewSession {
        workspace: workspace.clone(),
        purpose: Purpose::Reconnect(id.clone()),
        brand,
        popup: opening.is_popup(),
        connectors: connection.connector_id.clone().into_iter().collect(),
        sandbox,
    };
    first_page(app, new).await
}

/// Begins a session, and shows its first page at once.
pub(super) async fn first_page(app: &App, new: NewSession) -> Shown {
    let (visit, cookie) = begin(app, new).await?;
    let mut response = beginning(app, &visit).await?;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

/// The form where there is nothing to choose, else the list of systems.
async fn beginning(app: &App, visit: &Visit) -> Shown {
    let page: Response = match visit.row.doc.connectors.as_slice() {
        [only] => form::first(app, visit, only).await?,
        _ => choose::page(app, visit, ""),
    };
    Ok(page)
}
