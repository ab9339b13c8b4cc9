//! `/v1/audit-log`.

use axum::{Json, extract::State};
use millwright_access::{
    self as access, AuditFilter, AuditOutcome, Audited, Caller, audit_begin, audit_end, list_audit,
};
use millwright_core::{ApiKeyId, ApplicationId, AuditId, ConnectionId, ErrorCode, Result};
use millwright_store::Row;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    App,
    error::Answer,
    extract::{Moment, Params, Reader},
    page::{Limit, Page, position},
};

const LIST: &str = "audit-log";

/// What was done.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AuditAction {
    /// A call of a connected system's own.
    Passthrough,
    /// The address of a connection's webhooks was shown.
    HookShown,
    /// The address of a connection's webhooks was made anew.
    HookRotated,
    /// The signing secret of a webhook endpoint was shown.
    EndpointSecretShown,
    /// A webhook endpoint was given another signing secret.
    EndpointSecretRotated,
    /// An API key was made.
    ApiKeyCreated,
    /// An API key was revoked.
    ApiKeyRevoked,
    /// A connection was made.
    ConnectionCreated,
    /// A connection's name, customer, notes or settings were changed.
    ConnectionUpdated,
    /// A connection was paused.
    ConnectionPaused,
    /// A connection was resumed.
    ConnectionResumed,
    /// A connection was given new credentials, or an address to give them at.
    ConnectionReconnected,
    /// A connection was disconnected.
    ConnectionDisconnected,
    /// The erasing of a connection was begun.
    ConnectionDeleted,
    /// The workspace's credits were set.
    CreditsSet,
    /// An API key was given another text.
    ApiKeyRotated,
    /// An application was made.
    ApplicationCreated,
    /// An application was changed.
    ApplicationChanged,
    /// An application was given another secret.
    ApplicationSecretRotated,
    /// An application was revoked.
    ApplicationRevoked,
    /// A connection token was given out to a caller of the API.
    ConnectionTokenIssued,
    /// A connect link was made, and its address shown.
    ConnectLinkCreated,
    /// A connect link was taken back.
    ConnectLinkRevoked,
    /// A code or refresh token was used again, and all that came of it was ended.
    TokenReplayed,
}

/// What somebody came with.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ActorType {
    /// An API key.
    ApiKey,
    /// An application, with a workspace token.
    Application,
    /// The holder of a connection token.
    ConnectionToken,
}

/// Who did something.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditActor)]
pub(crate) struct Actor {
    /// What they came with.
    #[serde(rename = "type")]
    actor_type: ActorType,
    /// The id of the API key, of the application, or of the connection that the token is for.
    #[schema(example = "key_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    id: String,
    /// The application that a connection token was given to, if it was given to one.
    #[schema(required, value_type = Option<String>)]
    application_id: Option<ApplicationId>,
}

impl From<access::Actor> for Actor {
    fn from(own: access::Actor) -> Self {
        let (actor_type, id, application_id) = match own {
            access::Actor::ApiKey(id) => (ActorType::ApiKey, id.to_string(), None),
            access::Actor::Application(id) => (ActorType::Application, id.to_string(), Some(id)),
            access::Actor::ConnectionToken(holder) => {
                (ActorType::ConnectionToken, holder.connection.to_string(), holder.application)
            }
        };
        Self { actor_type, id, application_id }
    }
}

/// What came of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditOutcome)]
pub(crate) enum Outcome {
    /// It was begun, and its end was not recorded.
    Unknown,
    /// It was done.
    Done,
    /// It was refused or failed.
    Failed,
}

/// Something of consequence that was done.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    /// Its id.
    #[schema(value_type = String, example = "aud_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    id: AuditId,
    /// When it was begun.
    #[schema(format = DateTime)]
    at: String,
    /// Who did it.
    #[schema(required)]
    actor: Option<Actor>,
    /// The API key of who did it, if they came with one.
    #[schema(required, value_type = Option<String>, example = "key_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    api_key_id: Option<ApiKeyId>,
    /// What was done.
    action: AuditAction,
    /// The connection it was done to.
    #[schema(required, value_type = Option<String>)]
    connection_id: Option<ConnectionId>,
    /// The id of the webhook endpoint, API key, application or grant it was done to.
    #[schema(required, example = "ep_01jd8r2v7m5w3k9x1c4t6z8q0a")]
    target_id: Option<String>,
    /// The method of a call.
    #[schema(required)]
    method: Option<String>,
    /// The path of a call, as it was given; of one that was refused for its form, only its plain
    /// beginning. Its query, headers and body are not kept.
    #[schema(required)]
    path: Option<String>,
    /// What came of it.
    outcome: Outcome,
    /// The status of the system's answer to a call.
    #[schema(required)]
    status: Option<u16>,
    /// The code of the error, where it failed.
    #[schema(required, value_type = Option<String>)]
    code: Option<ErrorCode>,
}

/// Which entries to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditList {
    /// Only those of this time or later.
    #[param(value_type = String, required = false, format = DateTime)]
    since: Option<Moment>,
    /// Only those of before this time.
    #[param(value_type = String, required = false, format = DateTime)]
    until: Option<Moment>,
    /// Only those that did this.
    #[param(inline)]
    action: Option<AuditAction>,
    /// Only those done to this connection.
    #[param(value_type = String, required = false)]
    connection_id: Option<ConnectionId>,
    /// Where to go on: `next_cursor` of the page before.
    cursor: Option<String>,
    /// The most entries in the page.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500, default = 50)]
    limit: Limit<500>,
}

impl From<access::AuditAction> for AuditAction {
    fn from(own: access::AuditAction) -> Self {
        match own {
            access::AuditAction::Passthrough => Self::Passthrough,
            access::AuditAction::HookShown => Self::HookShown,
            access::AuditAction::HookRotated => Self::HookRotated,
            access::AuditAction::EndpointSecretShown => Self::EndpointSecretShown,
            access::AuditAction::EndpointSecretRotated => Self::EndpointSecretRotated,
            access::AuditAction::ApiKeyCreated => Self::ApiKeyCreated,
            access::AuditAction::ApiKeyRevoked => Self::ApiKeyRevoked,
            access::AuditAction::ConnectionCreated => Self::ConnectionCreated,
            access::AuditAction::ConnectionUpdated => Self::ConnectionUpdated,
            access::AuditAction::ConnectionPaused => Self::ConnectionPaused,
            access::AuditAction::ConnectionResumed => Self::ConnectionResumed,
            access::AuditAction::ConnectionReconnected => Self::ConnectionReconnected,
            access::AuditAction::ConnectionDisconnected => Self::ConnectionDisconnected,
            access::AuditAction::ConnectionDeleted => Self::ConnectionDeleted,
            access::AuditAction::CreditsSet => Self::CreditsSet,
            access::AuditAction::ApiKeyRotated => Self::ApiKeyRotated,
            access::AuditAction::ApplicationCreated => Self::ApplicationCreated,
            access::AuditAction::ApplicationChanged => Self::ApplicationChanged,
            access::AuditAction::ApplicationSecretRotated => Self::ApplicationSecretRotated,
            access::AuditAction::ApplicationRevoked => Self::ApplicationRevoked,
            access::AuditAction::ConnectionTokenIssued => Self::ConnectionTokenIssued,
            access::AuditAction::ConnectLinkCreated => Self::ConnectLinkCreated,
            access::AuditAction::ConnectLinkRevoked => Self::ConnectLinkRevoked,
            access::AuditAction::TokenReplayed => Self::TokenReplayed,
        }
    }
}

impl From<AuditAction> for access::AuditAction {
    fn from(own: AuditAction) -> Self {
        match own {
            AuditAction::Passthrough => Self::Passthrough,
            AuditAction::HookShown => Self::HookShown,
            AuditAction::HookRotated => Self::HookRotated,
            AuditAction::EndpointSecretShown => Self::EndpointSecretShown,
            AuditAction::EndpointSecretRotated => Self::EndpointSecretRotated,
            AuditAction::ApiKeyCreated => Self::ApiKeyCreated,
            AuditAction::ApiKeyRevoked => Self::ApiKeyRevoked,
            AuditAction::ConnectionCreated => Self::ConnectionCreated,
            AuditAction::ConnectionUpdated => Self::ConnectionUpdated,
            AuditAction::ConnectionPaused => Self::ConnectionPaused,
            AuditAction::ConnectionResumed => Self::ConnectionResumed,
            AuditAction::ConnectionReconnected => Self::ConnectionReconnected,
            AuditAction::ConnectionDisconnected => Self::ConnectionDisconnected,
            AuditAction::ConnectionDeleted => Self::ConnectionDeleted,
            AuditAction::CreditsSet => Self::CreditsSet,
            AuditAction::ApiKeyRotated => Self::ApiKeyRotated,
            AuditAction::ApplicationCreated => Self::ApplicationCreated,
            AuditAction::ApplicationChanged => Self::ApplicationChanged,
            AuditAction::ApplicationSecretRotated => Self::ApplicationSecretRotated,
            AuditAction::ApplicationRevoked => Self::ApplicationRevoked,
            AuditAction::ConnectionTokenIssued => Self::ConnectionTokenIssued,
            AuditAction::ConnectLinkCreated => Self::ConnectLinkCreated,
            AuditAction::ConnectLinkRevoked => Self::ConnectLinkRevoked,
            AuditAction::TokenReplayed => Self::TokenReplayed,
        }
    }
}

impl From<access::AuditEntry> for AuditEntry {
    fn from(own: access::AuditEntry) -> Self {
        let (outcome, status, code) = match own.outcome {
            AuditOutcome::Unknown => (Outcome::Unknown, None, None),
            AuditOutcome::Done(status) => (Outcome::Done, status, None),
            AuditOutcome::Failed(code) => (Outcome::Failed, None, Some(code)),
        };
        let actor = own.actor();
        let (method, path) = own.call.map(|call| (call.method, call.path)).unzip();
        Self {
            id: own.id,
            at: own.at.iso(),
            api_key_id: match &actor {
                Some(access::Actor::ApiKey(id)) => Some(id.clone()),
                _ => None,
            },
            actor: actor.map(Actor::from),
            action: own.action.into(),
            connection_id: own.connection,
            target_id: own.target,
            method,
            path,
            outcome,
            status,
            code,
        }
    }
}

/// List what was done of consequence
///
/// Newest first, as far back as the log is kept: a year unless the deployment says otherwise.
#[utoipa::path(
    get,
    path = "/v1/audit-log",
    operation_id = "list_audit_log",
    tag = "Audit log",
    params(AuditList),
    responses((status = 200, description = "A page of entries.", body = Page<AuditEntry>))
)]
pub(crate) async fn list(
    caller: Reader,
    State(app): State<App>,
    Params(list): Params<AuditList>,
) -> Answer<Json<Page<AuditEntry>>> {
    let filter = AuditFilter {
        since: list.since.map(Moment::wall),
        until: list.until.map(Moment::wall),
        action: list.action.map(Into::into),
        connection: list.connection_id,
    };
    let place = position(LIST, list.cursor.as_deref())?;
    let kept = app.settings.audit_kept();
    let limit = list.limit.get();
    let page = list_audit(&app.store, &caller.workspace, kept, &filter, place, limit).await?;
    let entries = page.entries.into_iter().map(AuditEntry::from).collect();
    Ok(Json(Page::at(LIST, entries, page.next)?))
}

/// Does something of consequence, which is in the log from before it begins.
///
/// # Errors
/// When it cannot be written down: then it is not done. What doing it says.
pub(super) async fn in_log<T>(
    app: &App,
    caller: &Caller,
    audited: Audited,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let entry = audit_begin(&app.store, caller, app.settings.audit_kept(), audited).await?;
    let done = work.await;
    let outcome = match &done {
        Ok(_) => AuditOutcome::Done(None),
        Err(error) => AuditOutcome::Failed(error.code),
    };
    end_entry(app, entry, outcome).await;
    done
}

/// As [`in_log`], for something that is made: the entry names it once it is there.
///
/// # Errors
/// As [`in_log`].
pub(super) async fn made_in_log<T>(
    app: &App,
    caller: &Caller,
    audited: Audited,
    work: impl Future<Output = Result<T>>,
    id: impl FnOnce(&T) -> String,
) -> Result<T> {
    let mut entry = audit_begin(&app.store, caller, app.settings.audit_kept(), audited).await?;
    let made = work.await;
    let outcome = match &made {
        Ok(made) => {
            entry.doc.target = Some(id(made));
            AuditOutcome::Done(None)
        }
        Err(error) => AuditOutcome::Failed(error.code),
    };
    end_entry(app, entry, outcome).await;
    made
}

/// Writes down what came of something. It was done and is in the log: whoever did it is told what came
/// of it, also when this fails.
pub(super) async fn end_entry(app: &App, entry: Row<access::AuditEntry>, outcome: AuditOutcome) {
    let (id, action) = (entry.doc.id.clone(), entry.doc.action);
    if let Err(error) = audit_end(&app.store, entry, outcome).await {
        tracing::error!(entry = %id, ?action, %error, "audit entry left without its end");
    }
}
