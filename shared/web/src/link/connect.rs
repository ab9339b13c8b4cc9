//! A form that was sent: its system is tried at once, and connected when it works.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{Path, State},
    http::HeaderMap,
};
use millwright_connection::{
    Cause, Connection, NewConnection, find_connection,
    link::{LinkState, find_link},
};
use millwright_connector::{Credentials, Manifest, check_forms};
use millwright_core::{Error, ErrorCode};
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::{
    Shown,
    ends::{End, Ended, of_link},
    form::{Entered, Trouble, has_own_page, manifest, page},
    go_to,
    posted::Posted,
    session::{Claim, Phase, Purpose, Session, Visit, visit},
    session_path, upstream,
};
use crate::{App, extract::read_body};

/// How long a system may take to be tried: API Gateway gives up after 30 s.
const TRY_WITHIN: Duration = Duration::from_secs(25);

/// What a system is connected with.
pub(super) struct Access {
    /// The settings.
    pub settings: Map<String, Value>,
    /// The credentials, tokens among them where there are any.
    pub credentials: Credentials,
}

/// Takes a form.
pub(super) async fn take(
    State(app): State<App>,
    Path((name, connector)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Shown {
    let mut visit = visit(&app.store, &headers, &name).await??;
    let brand = visit.row.doc.brand.clone();
    let body = read_body(body, app.settings.body_limit).await?;
    let manifest = manifest(&app, &visit, &connector)?;
    let posted = Posted::read(manifest, &body);
    if !visit.sent_from_here(&posted.csrf) {
        return Err(Ended::from(End::Forged).of(&brand));
    }
    let faults = match check_forms(manifest, &posted.settings, &posted.credentials) {
        Ok(_) => Vec::new(),
        Err(error) => error.fields,
    };
    let Posted { settings, credentials, shown, .. } = posted;
    let mut entered =
        Entered { settings: settings.clone(), credentials: shown, faults, trouble: None };
    if !entered.faults.is_empty() {
        return Ok(page(&app, &visit, manifest, &entered));
    }
    let access = Access { settings, credentials };
    if has_own_page(manifest) {
        return upstream::send_there(&app, visit, manifest, access, entered).await;
    }
    match try_now(&app, &mut visit, manifest, access).await? {
        Ok(()) => Ok(go_to(&session_path(&app, &visit, ""))),
        Err(error) => {
            failed(&mut entered, error)?;
            Ok(page(&app, &visit, manifest, &entered))
        }
    }
}

/// Tries a system and connects it. What is wrong with it is an answer; what ends the visit is an error.
pub(super) async fn try_now(
    app: &App,
    visit: &mut Visit,
    manifest: &Manifest,
    access: Access,
) -> Result<Result<(), Error>, Ended> {
    still_open(app, visit).await?;
    let now = app.clock().wall();
    let claim = visit.change(&app.store, move |session| session.claim(now)).await?;
    let brand = visit.row.doc.brand.clone();
    let here = session_path(app, visit, "");
    match claim {
        None => return Err(Ended::from(End::Over).of(&brand)),
        Some(Claim::Busy) => {
            return Err(Ended::from(End::Busy).of(&brand).onward(here, "Go on"));
        }
        Some(Claim::Done) => {
            return Err(Ended::from(End::Repeated).of(&brand).onward(here, "Go on"));
        }
        Some(Claim::Taken) => {}
    }
    let tried = timeout(TRY_WITHIN, connect(app, &visit.row.doc, manifest, access)).await;
    let tried = tried.unwrap_or_else(|_| Err(too_slow()));
    match &tried {
        Ok(connection) => visit.connected(&app.store, &connection.id).await?,
        Err(_) => drop(visit.change(&app.store, |session| session.phase = Phase::Open).await?),
    }
    Ok(tried.map(drop))
}

/// Whether what the visit is for can still be had: a link may have expired or been taken back, and
/// somebody else may have logged in again, since the visit began.
pub(super) async fn still_open(app: &App, visit: &Visit) -> Result<(), Ended> {
    let session = &visit.row.doc;
    // Our own success is told as such.
    if matches!(session.phase, Phase::Connected(_)) {
        return Ok(());
    }
    let context = app.connections();
    let end = match &session.purpose {
        Purpose::Authorize(_) => None,
        Purpose::Link { link, .. } => {
            of_link(find_link(&context, &session.workspace, link).await?.state)
        }
        Purpose::Reconnect(id) => {
            let row = find_connection(&context.store, &session.workspace, id).await?;
            row.doc.reconnect.is_none().then_some(End::Spent)
        }
    };
    match end {
        Some(end) => Err(Ended::from(end).of(&session.brand)),
        None => Ok(()),
    }
}

async fn connect(
    app: &App,
    session: &Session,
    manifest: &Manifest,
    access: Access,
) -> Result<Connection, Error> {
    let context = app.connections();
    let workspace = &session.workspace;
    let Access { settings, credentials } = access;
    let mut new = NewConnection::to(&manifest.id, settings, credentials);
    match &session.purpose {
        Purpose::Reconnect(id) => {
            let NewConnection { settings, credentials, .. } = new;
            return millwright_sync::reconnect(
                &context,
                workspace,
                id,
                Some(settings),
                credentials,
            )
            .await;
        }
        Purpose::Authorize(request) => new.application_id = Some(request.application.id.clone()),
        Purpose::Link { link, .. } => {
            let found = find_link(&context, workspace, link).await?;
            if found.state != LinkState::Open {
                let message = "the link can no longer be used";
                return Err(Error::new(ErrorCode::StateConflict, message));
            }
            new.name = found.link.name;
            new.customer = found.link.customer;
            new.metadata = found.link.metadata;
            new.application_id = found.link.application_id;
            new.pending = Some(found.link.connection);
        }
    }
    millwright_sync::connect(&context, workspace, new).await
}

fn too_slow() -> Error {
    let mut slow = millwright_connector::SystemError::new(
        millwright_connector::SystemErrorClass::Unreachable,
        "the system did not answer within 25 seconds",
    );
    slow.failure = Some(millwright_outbound::FailureClass::Timeout);
    Error::new(ErrorCode::SystemUnreachable, slow.message.clone()).caused_by(slow)
}

/// What a form shows of a failure; our own faults have a page of their own.
pub(super) fn failed(entered: &mut Entered, error: Error) -> Result<(), Ended> {
    match error.code {
        ErrorCode::InternalError => return Err(error.into()),
        _ if !error.fields.is_empty() => entered.faults = error.fields,
        _ => {
            let cause = Cause::behind(&error);
            let Error { message, upstream, .. } = error;
            entered.trouble = Some(Trouble { cause, detail: Some(message), upstream });
        }
    }
    Ok(())
}
