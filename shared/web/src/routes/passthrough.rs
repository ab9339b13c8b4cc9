//! `/v1/passthrough`: calls of a system's own.

use std::{collections::BTreeMap, time::Duration};

use axum::extract::State;
use http::Method;
use millwright_access::{AuditAction, AuditOutcome, Audited, AuditedCall, audit_begin};
use millwright_connection::call_native;
use millwright_connector::{PassthroughAnswer, PassthroughRequest};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::audit_log::end_entry;
use crate::{
    App,
    data_answer::DataAnswer,
    error::Answer,
    extract::{DataScope, JsonBody, Native},
};

/// A method of HTTP.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum NativeMethod {
    /// Reads.
    Get,
    /// Reads the headers.
    Head,
    /// Does what the path says.
    Post,
    /// Puts what the path names.
    Put,
    /// Changes what the path names.
    Patch,
    /// Deletes what the path names.
    Delete,
}

/// A call of the system's own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NativeCall {
    /// Its method.
    method: NativeMethod,
    /// Its path below the connection's address, without a query.
    #[schema(min_length = 1, max_length = 4000, example = "/latest.json")]
    path: String,
    /// Its query: texts, numbers, booleans, and lists of them.
    #[serde(default)]
    query: Map<String, Value>,
    /// Its headers. Those that carry rights, and those that say where a request goes, are refused.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Its body, at most 1 MiB: JSON; with a `Content-Type` of a form, an object of its fields; with
    /// any other, a text.
    #[serde(default)]
    body: Option<Value>,
}

/// What the system answered, whatever its status.
#[derive(Serialize, ToSchema)]
pub(crate) struct NativeAnswer {
    /// The status.
    status: u16,
    /// The headers, by their names in small letters, without those that carry rights.
    headers: BTreeMap<String, String>,
    /// The body: JSON where it is JSON, else a text; null when there is none.
    body: Value,
    /// Whether the body is base64 of bytes that are no text.
    is_base64: bool,
}

impl From<NativeMethod> for Method {
    fn from(own: NativeMethod) -> Self {
        match own {
            NativeMethod::Get => Self::GET,
            NativeMethod::Head => Self::HEAD,
            NativeMethod::Post => Self::POST,
            NativeMethod::Put => Self::PUT,
            NativeMethod::Patch => Self::PATCH,
            NativeMethod::Delete => Self::DELETE,
        }
    }
}

impl From<NativeCall> for PassthroughRequest {
    fn from(own: NativeCall) -> Self {
        Self {
            method: own.method.into(),
            path: own.path,
            query: own.query,
            headers: own.headers,
            body: own.body,
        }
    }
}

impl From<PassthroughAnswer> for NativeAnswer {
    fn from(own: PassthroughAnswer) -> Self {
        let PassthroughAnswer { status, headers, body, is_base64 } = own;
        Self { status, headers, body, is_base64 }
    }
}

/// Call the system natively
///
/// With the connection's credentials, within the connector's allow-list. What the system answers comes
/// back as it is, also when it refuses. Each call is in the audit log before it is made.
#[utoipa::path(
    post,
    path = "/v1/passthrough",
    operation_id = "call_natively",
    tag = crate::openapi::DATA,
    request_body = NativeCall,
    responses((status = 200, description = "What the system answered.", body = NativeAnswer))
)]
pub(crate) async fn call(
    caller: Native,
    DataScope(connection): DataScope,
    State(app): State<App>,
    JsonBody(request): JsonBody<NativeCall>,
) -> Answer<DataAnswer<NativeAnswer>> {
    let request = PassthroughRequest::from(request);
    let audited = Audited {
        action: AuditAction::Passthrough,
        connection: Some(connection.id.clone()),
        target: None,
        call: Some(AuditedCall {
            method: request.method.to_string(),
            path: request.path_to_keep().to_owned(),
        }),
    };
    let entry = audit_begin(&app.store, &caller, app.settings.audit_kept(), audited).await?;
    let answer = call_native(&app.connections(), &connection, &request).await;
    let outcome = match &answer {
        Ok(answer) => AuditOutcome::Done(Some(answer.status)),
        Err(error) => AuditOutcome::Failed(error.code),
    };
    end_entry(&app, entry, outcome).await;
    Ok(DataAnswer::new(&connection, None, answer?.into()))
}

impl crate::Settings {
    /// How long entries of the audit log are kept.
    pub(crate) fn audit_kept(&self) -> Duration {
        Duration::from_secs(u64::from(self.audit_days) * 24 * 3600)
    }
}
