//! `/auth`: people sign in with the operator's provider of identities (OpenID Connect, code flow with
//! PKCE). Only where it is configured; elsewhere these paths do not exist.

mod cookies;
mod provider;

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use millwright_access::{
    oauth::Form,
    sign_in::{
        Expected, SESSION_LIFE, Session, SignInPolicy, begin_session, check_claims, claims_of,
        end_session, find_session,
    },
};
use millwright_core::{
    Error, ErrorCode, ExposeSecret, Result, SecretString, WorkspaceId,
    config::{ConfigError, Source, required},
    constant_time_eq,
};
use serde::Serialize;
use url::Url;
use utoipa::ToSchema;

use super::api_keys::Role;
use crate::{App, error::Answer};
use cookies::{Attempt, Jar};

const ISSUER: &str = "MILLWRIGHT_SIGN_IN_ISSUER";
const CLIENT_ID: &str = "MILLWRIGHT_SIGN_IN_CLIENT_ID";
const CLIENT_SECRET: &str = "MILLWRIGHT_SIGN_IN_CLIENT_SECRET";
const ALLOW: &str = "MILLWRIGHT_SIGN_IN_ALLOW";
const WORKSPACE: &str = "MILLWRIGHT_SIGN_IN_WORKSPACE";

/// How people sign in.
#[derive(Clone, Debug)]
pub struct SignIn {
    issuer: String,
    client_id: String,
    client_secret: Option<SecretString>,
    policy: SignInPolicy,
    workspace: WorkspaceId,
}

impl SignIn {
    /// From `MILLWRIGHT_SIGN_IN_ISSUER` (none: nobody signs in), `..._CLIENT_ID`, `..._CLIENT_SECRET`
    /// (none for a public client), `..._ALLOW` (who may come in as what) and `..._WORKSPACE` (where to).
    ///
    /// # Errors
    /// When one that is needed is not set or cannot be what it stands for.
    pub(crate) fn from_source(source: &impl Source) -> Result<Option<Self>, ConfigError> {
        let Some(issuer) = source.text(ISSUER) else { return Ok(None) };
        let invalid = |name, value: &str, why: String| {
            let value = value.to_owned();
            ConfigError::Invalid { name, value, why }
        };
        let safe = Url::parse(&issuer).is_ok_and(|url| provider::is_safe(&url));
        if !safe {
            return Err(invalid(ISSUER, &issuer, "it must begin with https://".to_owned()));
        }
        let allow = required(source, ALLOW)?;
        let policy = SignInPolicy::read(&allow).map_err(|why| invalid(ALLOW, &allow, why))?;
        let workspace = required(source, WORKSPACE)?;
        let workspace = workspace
            .parse::<WorkspaceId>()
            .map_err(|error| invalid(WORKSPACE, &workspace, error.message))?;
        let client_id = required(source, CLIENT_ID)?;
        let client_secret = source.text(CLIENT_SECRET).map(SecretString::from);
        Ok(Some(Self { issuer, client_id, client_secret, policy, workspace }))
    }
}

/// Somebody is signed in.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignedIn {
    /// The provider's own id of them.
    subject: String,
    /// Their verified e-mail address.
    #[schema(required)]
    email: Option<String>,
    /// Their name.
    #[schema(required)]
    name: Option<String>,
    /// What they may do.
    role: Role,
    /// When they must sign in again.
    #[schema(format = DateTime)]
    expires_at: String,
}

impl From<Session> for SignedIn {
    fn from(session: Session) -> Self {
        Self {
            subject: session.subject,
            email: session.email,
            name: session.name,
            role: session.role.into(),
            expires_at: session.until.iso(),
        }
    }
}

/// Sign in
///
/// Sends the browser to the operator's provider of identities; `return_to` is the path to come back to.
#[utoipa::path(
    get,
    path = "/auth/login",
    operation_id = "sign_in",
    tag = "Sign-in",
    security(()),
    params(("return_to" = Option<String>, Query, description = "A path of this service.")),
    responses((status = 303, description = "To the provider."))
)]
pub(crate) async fn login(State(app): State<App>, request: Request) -> Answer<Response> {
    let sign_in = configured(&app)?;
    let form = query(&request)?;
    let provider = provider::discover(&app.outbound, sign_in).await?;
    let attempt = Attempt::begin(form.get("return_to"));
    let mut url = provider.authorization_endpoint;
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &sign_in.client_id)
        .append_pair("redirect_uri", &callback_url(&app))
        .append_pair("scope", "openid email profile")
        .append_pair("state", &attempt.state)
        .append_pair("nonce", &attempt.nonce)
        .append_pair("code_challenge", &attempt.challenge())
        .append_pair("code_challenge_method", "S256");
    let cookie = Jar::of(&app).attempt(Some(&attempt));
    Ok(redirect(url.as_str(), &[cookie]))
}

/// Come back from signing in
#[utoipa::path(
    get,
    path = "/auth/callback",
    operation_id = "finish_sign_in",
    tag = "Sign-in",
    security(()),
    params(
        ("code" = Option<String>, Query, description = "The provider's code."),
        ("state" = Option<String>, Query, description = "What was sent along."),
        ("error" = Option<String>, Query, description = "Why there is no code."),
    ),
    responses((status = 303, description = "To where it began."))
)]
pub(crate) async fn callback(State(app): State<App>, request: Request) -> Answer<Response> {
    let sign_in = configured(&app)?;
    let form = query(&request)?;
    let jar = Jar::of(&app);
    let stray = || refused("this sign-in did not begin in this browser, or took too long");
    let attempt = jar.find_attempt(request.headers()).ok_or_else(stray)?;
    let state = form.get("state").unwrap_or_default();
    if !constant_time_eq(state.as_bytes(), attempt.state.as_bytes()) {
        return Err(stray().into());
    }
    let code = form.get("code").ok_or_else(|| refused("the provider did not sign you in"))?;
    let provider = provider::discover(&app.outbound, sign_in).await?;
    let back = callback_url(&app);
    let token =
        provider::exchange(&app.outbound, sign_in, &provider, code, &attempt.verifier, &back)
            .await?;
    let expected = Expected {
        issuer: &sign_in.issuer,
        client_id: &sign_in.client_id,
        nonce: &attempt.nonce,
        now: app.clock().wall(),
    };
    let identity = check_claims(&claims_of(token.expose_secret())?, expected)?;
    let role = sign_in.policy.role_of(&identity)?;
    let (_, text) = begin_session(&app.store, &sign_in.workspace, identity, role).await?;
    let cookies = [jar.session(Some((&text, SESSION_LIFE))), jar.attempt(None)];
    Ok(redirect(&attempt.return_to, &cookies))
}

/// Get who is signed in
#[utoipa::path(
    get,
    path = "/auth/session",
    operation_id = "get_session",
    tag = "Sign-in",
    security(()),
    responses((status = 200, description = "Who is signed in.", body = SignedIn))
)]
pub(crate) async fn session(State(app): State<App>, headers: HeaderMap) -> Answer<Json<SignedIn>> {
    configured(&app)?;
    let nobody = || refused("nobody is signed in");
    let text = Jar::of(&app).find_session(&headers).ok_or_else(nobody)?;
    let session = find_session(&app.store, text.expose_secret()).await?;
    Ok(Json(session.ok_or_else(nobody)?.into()))
}

/// Sign out
#[utoipa::path(
    post,
    path = "/auth/logout",
    operation_id = "sign_out",
    tag = "Sign-in",
    security(()),
    responses((status = 204, description = "Nobody is signed in any more."))
)]
pub(crate) async fn logout(State(app): State<App>, headers: HeaderMap) -> Answer<Response> {
    configured(&app)?;
    let jar = Jar::of(&app);
    if let Some(text) = jar.find_session(&headers) {
        end_session(&app.store, text.expose_secret()).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookies(response.headers_mut(), &[jar.session(None)]);
    Ok(response)
}

fn configured(app: &App) -> Result<&SignIn> {
    let missing = || Error::new(ErrorCode::NotFound, "signing in is not set up here");
    app.settings.sign_in.as_ref().ok_or_else(missing)
}

fn callback_url(app: &App) -> String {
    app.settings.public_url.at("/auth/callback")
}

fn query(request: &Request) -> Result<Form> {
    let text = request.uri().query().unwrap_or_default();
    Form::read(text.as_bytes())
        .map_err(|error| Error::new(ErrorCode::InvalidRequest, error.description()))
}

fn refused(why: &str) -> Error {
    Error::new(ErrorCode::AuthenticationFailed, why)
}

fn redirect(to: &str, cookies: &[String]) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(location) = HeaderValue::from_str(to) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    set_cookies(response.headers_mut(), cookies);
    response
}

fn set_cookies(headers: &mut HeaderMap, cookies: &[String]) {
    for cookie in cookies {
        if let Ok(mut value) = HeaderValue::from_str(cookie) {
            value.set_sensitive(true);
            headers.append(header::SET_COOKIE, value);
        }
    }
}
