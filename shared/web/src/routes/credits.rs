//! `/v1/credits`.

use axum::{Json, extract::State};
use millwright_access::{AuditAction, Audited};
use millwright_connection::{self as connection, get_credits, set_credits};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::audit_log::in_log;
use crate::{
    App,
    error::Answer,
    extract::{Admin, JsonBody, Reader},
};

/// What a workspace's connections cost together, and how much they may.
#[derive(Serialize, ToSchema)]
pub(crate) struct Credits {
    /// How many credits its connections may cost together; null for as many as they like.
    #[schema(required, example = 40)]
    limit: Option<u64>,
    /// How many they cost: those that are connected, also while they are paused or fail.
    #[schema(example = 12)]
    used: u64,
    /// How many are left; null where there is no limit.
    #[schema(required, example = 28)]
    available: Option<u64>,
    /// Whether connections may be made beyond the limit.
    overage: bool,
}

impl From<connection::Credits> for Credits {
    fn from(own: connection::Credits) -> Self {
        let available = own.available();
        Self { limit: own.limit, used: own.used, available, overage: own.overage }
    }
}

/// How many credits a workspace's connections may cost.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreditLimit {
    /// How many together; null for as many as they like.
    #[schema(required, minimum = 0, maximum = 1_000_000_000)]
    limit: Option<u64>,
    /// Whether connections may be made beyond it.
    #[serde(default)]
    overage: bool,
}

/// Get the workspace's credits
#[utoipa::path(
    get,
    path = "/v1/credits",
    operation_id = "get_credits",
    tag = "Credits",
    responses((status = 200, description = "What is used and what is left.", body = Credits))
)]
pub(crate) async fn get(caller: Reader, State(app): State<App>) -> Answer<Json<Credits>> {
    Ok(Json(get_credits(&app.store, &caller.workspace).await?.into()))
}

/// Set the workspace's credits
///
/// Nothing is disconnected by a limit below what is used: only what would cost more is refused. A
/// connection that is `inactive` for want of credits takes them when it is resumed. It is in the audit
/// log.
#[utoipa::path(
    put,
    path = "/v1/credits",
    operation_id = "set_credits",
    tag = "Credits",
    request_body = CreditLimit,
    responses((status = 200, description = "What is used and what is left.", body = Credits))
)]
pub(crate) async fn put(
    caller: Admin,
    State(app): State<App>,
    JsonBody(new): JsonBody<CreditLimit>,
) -> Answer<Json<Credits>> {
    let action = AuditAction::CreditsSet;
    let audited = Audited { action, connection: None, target: None, call: None };
    let setting = set_credits(&app.store, &caller.workspace, new.limit, new.overage);
    Ok(Json(in_log(&app, &caller, audited, setting).await?.into()))
}
