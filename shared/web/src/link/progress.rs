//! Where a session is: before anything is connected its beginning, after that the first load.

use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use maud::{Markup, html};
use millwright_connection::{Connection, Status, find_connection};
use millwright_core::ConnectionId;
use millwright_sync::{SyncState, SyncStatus, sync_states};

use super::{
    Shown,
    connect::still_open,
    go_to, leave, path,
    session::{Phase, Purpose, Visit, visit},
    session_path,
    shell::{Page, Step},
};
use crate::App;

/// Shows where a session is.
pub(super) async fn show(
    State(app): State<App>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Shown {
    let visit = visit(&app.store, &headers, &name).await??;
    if let Phase::Connected(id) = &visit.row.doc.phase {
        return loading(&app, &visit, id).await;
    }
    still_open(&app, &visit).await?;
    let session = &visit.row.doc;
    let beginning = match session.connectors.as_slice() {
        [only] => format!("/connect/{}", super::encoded(only)),
        _ => "/systems".to_owned(),
    };
    Ok(go_to(&session_path(&app, &visit, &beginning)))
}

async fn loading(app: &App, visit: &Visit, id: &ConnectionId) -> Shown {
    let session = &visit.row.doc;
    let connection = find_connection(&app.store, &session.workspace, id).await?.doc;
    let states = sync_states(&app.store, &session.workspace, id).await?;
    Ok(page(app, visit, &connection, &states))
}

fn page(app: &App, visit: &Visit, connection: &Connection, states: &[SyncState]) -> Response {
    let session = &visit.row.doc;
    let again = matches!(session.purpose, Purpose::Reconnect(_));
    let running = connection.status() == Status::Synchronizing;
    let body = html! {
        p #lead .lead { (lead(connection, again)) }
        p.actions { (leave::leave_link(app, visit)) }
        section #progress data-running[running] aria-labelledby="progress-title" {
            h2 #progress-title { "What is read" }
            p #summary role="status" { (summary(connection, states)) }
            @if !states.is_empty() {
                table {
                    caption.hidden { "What is read, and how far it is" }
                    thead { tr { th scope="col" { "Kind" } th.number scope="col" { "Read" } th scope="col" { "State" } } }
                    tbody { @for state in states { (row(state)) } }
                }
            }
        }
        noscript { p.hint { "This page brings itself up to date every few seconds." } }
    };
    let title = if again { "You are connected again" } else { "Your system is connected" };
    let page = Page::new(title, body).of(Some(&session.brand)).step(Step::Done);
    let page = if running { page.with_script().refreshed() } else { page };
    page.respond(&path(app, ""))
}

fn lead(connection: &Connection, again: bool) -> String {
    let name = &connection.name;
    match connection.status() {
        Status::Inactive => format!(
            "{name} is connected, but it is not read from yet: whoever sent you here has to switch it \
             on first."
        ),
        _ if again => format!("{name} accepts the login. Reading goes on where it stopped."),
        Status::Synchronizing => format!(
            "{name} accepts the login. It is now being read for the first time. You need not wait for \
             that: it goes on by itself."
        ),
        _ => format!("{name} accepts the login. Everything has been read for the first time."),
    }
}

fn summary(connection: &Connection, states: &[SyncState]) -> String {
    let ended = states.len() - connection.loading.len().min(states.len());
    match states.len() {
        0 => "Nothing yet.".to_owned(),
        all => format!("{ended} of {all} kinds are done."),
    }
}

fn row(state: &SyncState) -> Markup {
    let id = format!("kind-{}", state.entity);
    html! {
        tr {
            th scope="row" { (title_of(&state.entity)) }
            td.number id={ (id) "-read" } { (state.counts.seen) }
            td id={ (id) "-state" } { (words_of(state)) }
        }
    }
}

const fn words_of(state: &SyncState) -> &'static str {
    match state.status {
        SyncStatus::Never => "Waiting",
        SyncStatus::InProgress => "Being read",
        SyncStatus::Completed => "Done",
        SyncStatus::CompletedWithErrors => "Done, some left out",
        SyncStatus::Held => "Done, deletions held",
        SyncStatus::Failed => "Will be tried again",
        SyncStatus::Cancelled => "Ended before its end",
    }
}

/// `purchase-orders` as people write it.
fn title_of(slug: &str) -> String {
    let mut letters = slug.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first
        .into_iter()
        .chain(letters.map(|letter| if letter == '-' { ' ' } else { letter }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_named_as_people_write_them() {
        assert_eq!(title_of("purchase-orders"), "Purchase orders");
        assert_eq!(title_of(""), "");
    }
}
