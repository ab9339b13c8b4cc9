//! From a filled-in form to tokens: by way of the system's own page, or at once.

use std::fmt;

use millwright_connector::{
    Credentials,
    oauth::{Grant, is_token_name},
};
use millwright_core::{
    Error, ErrorCode, ExposeSecret, FieldError, Result, SecretString, WorkspaceId, constant_time_eq,
};
use millwright_vault::Sealed;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    ConnectionContext,
    credentials::{exposed, hidden},
    prepare::while_connecting,
};

/// What the sealed state is bound to, beside its workspace.
const BOUND_TO: &str = "authorization";

/// An authorization under way.
#[derive(Clone)]
pub struct Started {
    /// The system's own page, where the person is sent.
    pub url: String,
    /// The `state` in that address, which comes back with the answer: by it the session is found.
    pub state: String,
    /// All that [`exchange`] needs, for this workspace alone.
    pub sealed: Sealed,
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Started")
    }
}

/// What came of an authorization: enough to connect with.
pub struct Authorized {
    /// The kind of system.
    pub connector_id: String,
    /// The settings as they were filled in.
    pub settings: Map<String, Value>,
    /// The credentials as they were filled in, and the tokens among them.
    pub credentials: Credentials,
}

impl fmt::Debug for Authorized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorized")
            .field("connector_id", &self.connector_id)
            .finish_non_exhaustive()
    }
}

/// What is kept until the person comes back. Written as text only to be sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    connector_id: String,
    settings: Map<String, Value>,
    credentials: Map<String, Value>,
    redirect_uri: String,
    state: String,
    verifier: Option<String>,
}

/// Begins an authorization on the system's own page.
///
/// # Errors
/// The faulty fields of settings and credentials; `OPERATION_NOT_SUPPORTED` for a connector that has no
/// such page; `VALIDATION_FAILED` when this deployment is not registered with the vendor.
pub async fn authorize(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    connector_id: &str,
    settings: &Map<String, Value>,
    credentials: &Credentials,
    redirect_uri: &str,
) -> Result<Started> {
    let authority = context.engine.authority(connector_id, settings, credentials)?;
    let authority = authority.ok_or_else(|| {
        let message = "this connector has no login page of its own";
        Error::new(ErrorCode::OperationNotSupported, message)
    })?;
    let authorization = authority.authorize(redirect_uri)?;
    let state = authorization.state.expose_secret().to_owned();
    let kept = Kept {
        connector_id: connector_id.to_owned(),
        settings: settings.clone(),
        credentials: exposed(credentials),
        redirect_uri: redirect_uri.to_owned(),
        state: state.clone(),
        verifier: authorization.verifier.map(|secret| secret.expose_secret().to_owned()),
    };
    let text = SecretString::from(serde_json::to_string(&kept).map_err(Error::internal)?);
    let sealed = context.vault.seal(workspace, BOUND_TO, &text).await?;
    Ok(Started { url: authorization.url.into(), state, sealed })
}

/// Ends an authorization: the code that came back, with the `state` that came with it, for tokens.
///
/// # Errors
/// `VALIDATION_FAILED` when the answer belongs to another authorization; `CREDENTIALS_REFUSED` and
/// `SYSTEM_UNREACHABLE` for what the authorization server says.
pub async fn exchange(
    context: &ConnectionContext,
    workspace: &WorkspaceId,
    sealed: &Sealed,
    state: &str,
    code: &SecretString,
) -> Result<Authorized> {
    let text = context.vault.open(workspace, BOUND_TO, sealed).await?;
    // The parser's own words would quote secrets.
    let kept: Kept = serde_json::from_str(text.expose_secret())
        .map_err(|_| Error::internal("a sealed authorization is damaged"))?;
    if !constant_time_eq(kept.state.as_bytes(), state.as_bytes()) {
        return Err(of_another());
    }
    let mut credentials = hidden(kept.credentials);
    let authority = context.engine.authority(&kept.connector_id, &kept.settings, &credentials)?;
    let authority = authority.ok_or_else(|| Error::internal("a connector without OAuth"))?;
    let verifier = kept.verifier.map(SecretString::from);
    let tokens = authority.exchange(code, verifier, &kept.redirect_uri).await;
    tokens.map_err(while_connecting)?.put_into(&mut credentials);
    Ok(Authorized { connector_id: kept.connector_id, settings: kept.settings, credentials })
}

fn of_another() -> Error {
    let message = "the answer belongs to another login: begin again";
    let field = FieldError::new("state", ErrorCode::ValidationFailed, message);
    let mut error = Error::new(field.code, format!("state: {message}"));
    error.fields = vec![field];
    error
}

/// Credentials to connect with: for a system whose tokens nobody has to allow, with tokens.
///
/// # Errors
/// The faulty fields; `CREDENTIALS_REFUSED` and `SYSTEM_UNREACHABLE` for what the authorization server
/// says.
pub(crate) async fn ready(
    context: &ConnectionContext,
    connector_id: &str,
    settings: &Map<String, Value>,
    mut credentials: Credentials,
) -> Result<Credentials> {
    let authority = context.engine.authority(connector_id, settings, &credentials)?;
    let Some(authority) = authority.filter(|authority| authority.grant() != Grant::Code) else {
        return Ok(credentials);
    };
    credentials.retain(|name, _| !is_token_name(name));
    authority.renew(None).await.map_err(while_connecting)?.put_into(&mut credentials);
    Ok(credentials)
}
