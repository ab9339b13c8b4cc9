//! The authorization request (RFC 6749, 4.1.1), and its end: a code.

use std::fmt;

use millwright_core::{
    ApplicationId, ConnectionId, Error, ErrorCode, ExposeSecret, PublicUrl, Result, SecretString,
    TokenFamilyId, WorkspaceId,
};
use millwright_store::{Expect, Store, Write};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    CODE_LIFE, Form, Grant, GrantId, OauthCode, OauthError,
    form::asked_scopes,
    grant::{Code, Holder},
    pkce::is_challenge,
};
use crate::{
    Scope,
    application::{Application, address_of_client, living, living_application},
    token_text::{CODE, hash_of, random_secret},
};

/// The application that sent a user, as pages may show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizedApplication {
    /// Its id.
    pub id: ApplicationId,
    /// Its workspace, which the connection will belong to.
    pub workspace: WorkspaceId,
    /// Its name.
    pub name: String,
    /// Its logo.
    pub logo_url: Option<String>,
}

/// A request that was checked: it comes from a known application and returns where that one may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// Who asks.
    pub application: AuthorizedApplication,
    /// Where to return to.
    pub redirect_uri: String,
    /// Whether the request named that address.
    pub redirect_named: bool,
    /// What to return with, as it was given.
    pub state: Option<String>,
    /// The challenge that the code will be bound to: S256.
    pub code_challenge: String,
    /// The scopes that are given.
    pub scopes: Vec<Scope>,
}

/// Why a request ends without a code although it was well-formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The user said no.
    AccessDenied,
    /// Our fault.
    ServerError,
    /// Our fault, and it will pass.
    TemporarilyUnavailable,
}

/// Why a request is refused.
pub enum AuthorizationError {
    /// The client or its address is wrong: nobody may be sent there, a page of our own must tell
    /// (RFC 6749, 4.1.2.1). With a sentence for the user.
    Page(&'static str),
    /// Something else is wrong: the application is told so at its own address.
    Redirect {
        /// Where to return to.
        redirect_uri: String,
        /// What to return with.
        state: Option<String>,
        /// What is wrong.
        code: OauthCode,
        /// The same in words.
        description: &'static str,
    },
    /// Our fault.
    Internal(Error),
}

impl fmt::Debug for AuthorizationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Page(why) => f.debug_tuple("Page").field(why).finish(),
            Self::Redirect { code, .. } => f.debug_tuple("Redirect").field(code).finish(),
            Self::Internal(error) => f.debug_tuple("Internal").field(error).finish(),
        }
    }
}

impl<E: Into<Error>> From<E> for AuthorizationError {
    fn from(error: E) -> Self {
        Self::Internal(error.into())
    }
}

impl AuthorizationError {
    /// Where to send the user with the error, where that is right.
    #[must_use]
    pub fn location(&self, issuer: &PublicUrl) -> Option<String> {
        let Self::Redirect { redirect_uri, state, code, description } = self else { return None };
        let error = [("error", code.as_str()), ("error_description", description)];
        location(redirect_uri, &error, state.as_deref(), issuer)
    }
}

impl AuthorizationRequest {
    /// Where to send the user with a code. It is as secret as the code.
    ///
    /// # Errors
    /// Never for an address that was checked.
    pub fn location_with_code(
        &self,
        issuer: &PublicUrl,
        code: &SecretString,
    ) -> Result<SecretString> {
        let own = [("code", code.expose_secret())];
        self.location(&own, issuer).map(SecretString::from)
    }

    /// Where to send the user without one.
    ///
    /// # Errors
    /// Never for an address that was checked.
    pub fn location_with_refusal(&self, issuer: &PublicUrl, why: Refusal) -> Result<String> {
        let code = match why {
            Refusal::AccessDenied => OauthCode::AccessDenied,
            Refusal::ServerError => OauthCode::ServerError,
            Refusal::TemporarilyUnavailable => OauthCode::TemporarilyUnavailable,
        };
        self.location(&[("error", code.as_str())], issuer)
    }

    fn location(&self, own: &[(&str, &str)], issuer: &PublicUrl) -> Result<String> {
        location(&self.redirect_uri, own, self.state.as_deref(), issuer)
            .ok_or_else(|| Error::internal("a redirect URI that is no address"))
    }
}

/// The address with the answer's parameters behind those that it has (RFC 6749, 4.1.2), among them who
/// answers (RFC 9207).
fn location(
    redirect_uri: &str,
    own: &[(&str, &str)],
    state: Option<&str>,
    issuer: &PublicUrl,
) -> Option<String> {
    let mut url = Url::parse(redirect_uri).ok()?;
    let mut pairs = url.query_pairs_mut();
    pairs.extend_pairs(own);
    pairs.extend_pairs(state.map(|state| ("state", state)));
    pairs.append_pair("iss", issuer.as_str());
    drop(pairs);
    Some(url.into())
}

/// Checks an authorization request, given as the query of its address.
///
/// # Errors
/// Each with the way in which it may be told.
pub async fn check_authorization(
    store: &Store,
    query: &str,
) -> Result<AuthorizationRequest, AuthorizationError> {
    let loose = Form::read_loosely(query.as_bytes());
    let unknown = AuthorizationError::Page("The application that sent you here is not known.");
    let Some(key) = loose.get("client_id").and_then(address_of_client) else {
        return Err(unknown);
    };
    let Some(application) = living(store, &key).await? else { return Err(unknown) };
    check(&application, &loose, query)
}

/// The decision, once the application is known.
fn check(
    application: &Application,
    loose: &Form,
    query: &str,
) -> Result<AuthorizationRequest, AuthorizationError> {
    let named = loose.get("redirect_uri").filter(|uri| !uri.is_empty());
    let (redirect_uri, redirect_named) = return_address(application, named)?;
    let state = loose.get("state").filter(|state| !state.is_empty()).map(str::to_owned);
    let told = |error: &OauthError| AuthorizationError::Redirect {
        redirect_uri: redirect_uri.clone(),
        state: state.clone(),
        code: error.code(),
        description: error.description(),
    };
    let (code_challenge, scopes) = asked(application, query).map_err(|error| told(&error))?;
    let application = AuthorizedApplication {
        id: application.id.clone(),
        workspace: application.workspace.clone(),
        name: application.name.clone(),
        logo_url: application.logo_url.clone(),
    };
    Ok(AuthorizationRequest {
        application,
        redirect_uri: redirect_uri.clone(),
        redirect_named,
        state: state.clone(),
        code_challenge,
        scopes,
    })
}

/// The address to return to: one of the application's own, letter by letter (RFC 9700, 2.1); its only
/// one when none is named.
fn return_address(
    application: &Application,
    named: Option<&str>,
) -> Result<(String, bool), AuthorizationError> {
    let own = &application.redirect_uris;
    let found = match named {
        Some(named) => own.iter().find(|uri| *uri == named),
        None => own.first().filter(|_| own.len() == 1),
    };
    let unknown =
        "The application that sent you here did not name an address of its own to return to.";
    let found = found.ok_or(AuthorizationError::Page(unknown))?;
    Ok((found.clone(), named.is_some()))
}

/// What is asked for: the challenge and the scopes.
fn asked(application: &Application, query: &str) -> Result<(String, Vec<Scope>), OauthError> {
    let form = Form::read(query.as_bytes())?;
    let invalid = |description| OauthError::refused(OauthCode::InvalidRequest, description);
    let response_type = form.required("response_type", "response_type is missing")?;
    if response_type != "code" {
        let description = "response_type must be code";
        return Err(OauthError::refused(OauthCode::UnsupportedResponseType, description));
    }
    let challenge =
        form.required("code_challenge", "code_challenge is missing: PKCE is required")?;
    // Without a method it would be `plain` (RFC 7636, 4.3).
    if form.get("code_challenge_method") != Some("S256") {
        return Err(invalid("code_challenge_method must be S256"));
    }
    if !is_challenge(challenge) {
        return Err(invalid("code_challenge must be a SHA-256 in base64url without padding"));
    }
    let scopes = asked_scopes(form.get("scope"), &application.scopes)?;
    Ok((challenge.to_owned(), scopes))
}

/// Gives a code for a connection that the user has made, good for a minute.
///
/// # Errors
/// `NOT_FOUND` when the application is gone or belongs to another workspace; when the table fails.
pub async fn issue_code(
    store: &Store,
    request: &AuthorizationRequest,
    workspace: &WorkspaceId,
    connection: &ConnectionId,
) -> Result<SecretString> {
    let gone = || Error::new(ErrorCode::NotFound, "the application is gone");
    let own = &request.application;
    if own.workspace != *workspace {
        return Err(gone());
    }
    let application = living_application(store, workspace, &own.id).await?.ok_or_else(gone)?;
    let (now, secret) = (store.clock().wall(), random_secret());
    let id = GrantId {
        workspace: workspace.clone(),
        connection: connection.clone(),
        family: TokenFamilyId::new_at(now.millis()),
    };
    let code = Code {
        hash: hash_of(secret.expose_secret()),
        redirect_uri: request.redirect_uri.clone(),
        redirect_named: request.redirect_named,
        challenge: request.code_challenge.clone(),
        until: now + CODE_LIFE,
        spent: false,
    };
    let grant = Grant {
        environment: application.environment,
        holder: Holder::Application(application.id, request.scopes.clone()),
        granted_at: now,
        code: Some(code),
        access: Vec::new(),
        refresh: None,
        ended: None,
        id,
    };
    store.write(Write::put(&grant.id.key(), &grant, Expect::Absent)?).await?;
    Ok(grant.id.text(secret).write(CODE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::sample_application;

    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn query(changes: &[(&str, Option<&str>)]) -> String {
        let mut pairs = vec![
            ("response_type", "code"),
            ("redirect_uri", "https://planner.example/back"),
            ("state", "s t"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        for (name, value) in changes {
            pairs.retain(|(own, _)| own != name);
            pairs.extend(value.map(|value| (*name, value)));
        }
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    }

    fn checked(query: &str) -> Result<AuthorizationRequest, AuthorizationError> {
        check(&sample_application(&[]), &Form::read_loosely(query.as_bytes()), query)
    }

    fn issuer() -> PublicUrl {
        PublicUrl::new("https://api.example.com")
    }

    #[test]
    fn a_right_request_returns_to_the_application_with_its_state() {
        let request = checked(&query(&[])).unwrap();
        assert_eq!(request.application.name, "Planner");
        let code = SecretString::from("mw_ac_x");
        let location = request.location_with_code(&issuer(), &code).unwrap();
        assert_eq!(
            location.expose_secret(),
            "https://planner.example/back?code=mw_ac_x&state=s+t&iss=https%3A%2F%2Fapi.example.com"
        );
        let denied = request.location_with_refusal(&issuer(), Refusal::AccessDenied).unwrap();
        assert!(denied.contains("?error=access_denied&state=s+t&iss="), "{denied}");
    }

    #[test]
    fn an_address_that_is_not_the_applications_own_is_not_returned_to() {
        for uri in [
            "https://planner.example/back/",
            "https://planner.example/back?x",
            "https://planner.example.evil/back",
            "https://PLANNER.example/back",
        ] {
            let refused = checked(&query(&[("redirect_uri", Some(uri))])).unwrap_err();
            assert!(matches!(refused, AuthorizationError::Page(_)), "{uri}");
            assert_eq!(refused.location(&issuer()), None);
        }
        let twice = query(&[]) + "&redirect_uri=https%3A%2F%2Fevil.example%2F";
        let refused = checked(&twice).unwrap_err().location(&issuer()).unwrap();
        assert!(refused.starts_with("https://planner.example/back?error=invalid_request"));
    }

    #[test]
    fn the_only_address_need_not_be_named() {
        let request = checked(&query(&[("redirect_uri", None)])).unwrap();
        assert_eq!(request.redirect_uri, "https://planner.example/back");
        assert!(!request.redirect_named);
    }

    #[test]
    fn what_else_is_wrong_is_told_to_the_application() {
        for (change, code) in [
            (("response_type", None), OauthCode::InvalidRequest),
            (("response_type", Some("token")), OauthCode::UnsupportedResponseType),
            (("code_challenge", None), OauthCode::InvalidRequest),
            (("code_challenge", Some("short")), OauthCode::InvalidRequest),
            (("code_challenge_method", None), OauthCode::InvalidRequest),
            (("code_challenge_method", Some("plain")), OauthCode::InvalidRequest),
            (("scope", Some("passthrough")), OauthCode::InvalidScope),
        ] {
            let refused = checked(&query(&[change])).unwrap_err();
            let location = refused.location(&issuer()).unwrap();
            let start = format!("https://planner.example/back?error={}&", code.as_str());
            assert!(location.starts_with(&start), "{change:?}: {location}");
            assert!(location.contains("&state=s+t&iss="), "{location}");
        }
    }

    #[test]
    fn a_parameter_given_twice_is_told_to_the_application() {
        let refused = checked(&(query(&[]) + "&code_challenge=x")).unwrap_err();
        assert!(refused.location(&issuer()).unwrap().contains("error=invalid_request"));
    }

    #[test]
    fn a_request_can_be_kept() {
        let request = checked(&query(&[])).unwrap();
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<AuthorizationRequest>(&text).unwrap(), request);
    }
}
