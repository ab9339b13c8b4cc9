//! The authorization server of one connection: what a manifest says of it, filled in.

use std::sync::Arc;

use millwright_core::{
    Clock, Error, ErrorCode, ExposeSecret, FieldError, Result, SecretString, random_token,
};
use millwright_outbound::{Outbound, Url};
use oauth2::{
    AuthType, AuthUrl, ClientId, ClientSecret, CsrfToken, PkceCodeChallenge, RedirectUrl,
    Scope as Asked, basic::BasicClient,
};
use serde_json::{Value, json};

use super::{Registration, Registrations, tokens::is_token_name};
use crate::{
    engine::{Credentials, Filled},
    manifest::{
        Auth, ClientStyle, Manifest, Oauth2Client, Oauth2Code, Oauth2Jwt, OauthClient, TokenRules,
    },
    remote::Redaction,
    table::Table,
    template::{Scope, Template},
};

/// How tokens are had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// A person allows it on the system's own page; renewed with a token for that.
    Code,
    /// With the client's own credentials; simply asked for anew.
    Client,
    /// With an assertion that we sign; simply asked for anew.
    Assertion,
}

/// The authorization server of one connection.
pub struct Authority {
    pub(super) manifest: Arc<Manifest>,
    pub(super) outbound: Outbound,
    pub(super) clock: Clock,
    pub(super) scope: Scope,
    pub(super) redaction: Redaction,
}

/// What a person is sent to, and what must be kept until they come back.
pub struct Authorization {
    /// The system's own page.
    pub url: Url,
    /// What the answer must repeat.
    pub state: SecretString,
    /// The proof of possession of the code, where the system takes one (RFC 7636).
    pub verifier: Option<SecretString>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("connector", &self.manifest.id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Authorization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authorization")
    }
}

impl Authority {
    /// The authorization server of a connector whose forms are filled in; nothing for one that does
    /// not use OAuth.
    pub(crate) fn of(
        manifest: &Arc<Manifest>,
        filled: &Filled,
        registrations: &Registrations,
        outbound: Outbound,
        clock: Clock,
    ) -> Result<Option<Self>> {
        if manifest.auth.oauth().is_none() {
            return Ok(None);
        }
        let registration = registrations.get(&manifest.id);
        if registration.is_none() && manifest.auth.names_registration() {
            return Err(unregistered(&manifest.name));
        }
        let own: Credentials = filled.credentials.clone();
        let mut redaction = Redaction::of(&own);
        let secret = registration.and_then(|registration| registration.client_secret.as_ref());
        redaction
            .add(&secret.iter().map(|text| text.expose_secret().to_owned()).collect::<Vec<_>>());
        let exposed = own.iter().filter(|(name, _)| !is_token_name(name));
        let exposed = exposed.map(|(name, text)| (name.clone(), Value::from(text.expose_secret())));
        let scope = Scope::default()
            .with("settings", Value::Object(filled.settings.clone()))
            .with("credentials", Value::Object(exposed.collect()))
            .with("registration", registration.map_or(Value::Null, Registration::exposed));
        Ok(Some(Self { manifest: manifest.clone(), outbound, clock, scope, redaction }))
    }

    /// How tokens are had.
    #[must_use]
    pub fn grant(&self) -> Grant {
        match self.manifest.auth.flow() {
            Some(Flow::Code(_)) | None => Grant::Code,
            Some(Flow::Client(_)) => Grant::Client,
            Some(Flow::Jwt(_)) => Grant::Assertion,
        }
    }

    /// The manifest's rules for tokens.
    ///
    /// # Errors
    /// Never, as long as the manifest is the one that this was made of.
    pub fn rules(&self) -> Result<&TokenRules> {
        self.manifest.auth.oauth().ok_or_else(|| Error::internal("a connector without OAuth"))
    }

    /// Where a person is sent to allow it (RFC 6749, 4.1.1), with a fresh state and, unless the system
    /// takes none, a fresh proof of possession.
    ///
    /// # Errors
    /// `OPERATION_NOT_SUPPORTED` where nobody is asked; when settings and credentials give no address.
    pub fn authorize(&self, redirect_uri: &str) -> Result<Authorization> {
        let Some(Flow::Code(code)) = self.manifest.auth.flow() else {
            let message = "this connector has no page where a person allows it";
            return Err(Error::new(ErrorCode::OperationNotSupported, message));
        };
        let page = AuthUrl::from_url(self.address(&code.authorize_url)?);
        let redirect = RedirectUrl::new(redirect_uri.to_owned()).map_err(Error::internal)?;
        let client = BasicClient::new(ClientId::new(self.text(&code.client.id)?));
        let client = client.set_auth_uri(page).set_redirect_uri(redirect);
        let mut request = client.authorize_url(|| CsrfToken::new(random_token(STATE_LENGTH)));
        for (name, text) in self.texts(&code.authorize_params)? {
            request = request.add_extra_param(name, text);
        }
        if let Some(asked) = asked_for(&code.scopes, &code.scope_separator) {
            request = request.add_scope(asked);
        }
        let mut verifier = None;
        if code.pkce {
            let (challenge, proof) = PkceCodeChallenge::new_random_sha256();
            request = request.set_pkce_challenge(challenge);
            verifier = Some(SecretString::from(proof.into_secret()));
        }
        let (url, state) = request.url();
        Ok(Authorization { url, state: state.into_secret().into(), verifier })
    }

    /// The client that we are: its id, its secret, how it makes itself known.
    pub(super) fn client(&self, client: &OauthClient) -> Result<Known> {
        let secret = client.secret.as_ref().map(|secret| self.text(secret)).transpose()?;
        let secret = secret.filter(|_| client.style != ClientStyle::None).map(ClientSecret::new);
        let kind = match client.style {
            ClientStyle::Basic => AuthType::BasicAuth,
            ClientStyle::Post | ClientStyle::None => AuthType::RequestBody,
        };
        Ok(Known { id: ClientId::new(self.text(&client.id)?), secret, kind })
    }

    /// A filled-in address: it begins with https://, with this machine's own, or with a setting that is
    /// an address itself.
    pub(super) fn address(&self, template: &Template) -> Result<Url> {
        let text = template.render_address(&self.scope, crate::remote::segment);
        let text = text.map_err(|why| unusable(&why))?;
        Url::parse(&text).map_err(|_| unusable("an address is not one"))
    }

    pub(super) fn text(&self, template: &Template) -> Result<String> {
        let text = template.render_text(&self.scope, |text| Ok(text.to_owned()));
        text.map_err(|why| unusable(&why))
    }

    pub(super) fn texts(&self, table: &Table<Template>) -> Result<Vec<(String, String)>> {
        table.iter().map(|(name, text)| Ok((name.to_owned(), self.text(text)?))).collect()
    }
}

/// The client that we are.
pub(super) struct Known {
    pub id: ClientId,
    pub secret: Option<ClientSecret>,
    pub kind: AuthType,
}

/// Letters and digits of a state: more than 200 bits.
const STATE_LENGTH: usize = 40;

/// The three ways to tokens.
#[derive(Clone, Copy)]
pub(super) enum Flow<'a> {
    Code(&'a Oauth2Code),
    Client(&'a Oauth2Client),
    Jwt(&'a Oauth2Jwt),
}

impl Auth {
    pub(super) fn flow(&self) -> Option<Flow<'_>> {
        match self {
            Self::Oauth2Code(code) => Some(Flow::Code(code)),
            Self::Oauth2Client(client) => Some(Flow::Client(client)),
            Self::Oauth2Jwt(jwt) => Some(Flow::Jwt(jwt)),
            Self::Csrf(csrf) => csrf.over.flow(),
            _ => None,
        }
    }
}

/// What is asked for, as the system wants it written.
pub(super) fn asked_for(scopes: &[String], separator: &str) -> Option<Asked> {
    (!scopes.is_empty()).then(|| Asked::new(scopes.join(separator)))
}

fn unregistered(name: &str) -> Error {
    let message = format!(
        "this deployment is not registered with the vendor of {name}: its operator sets \
         MILLWRIGHT_OAUTH_CLIENTS"
    );
    let field = FieldError::new("connector_id", ErrorCode::ValidationFailed, &message);
    let mut error = Error::new(ErrorCode::ValidationFailed, message);
    error.fields = vec![field];
    error
}

fn unusable(why: &str) -> Error {
    let message = format!("settings and credentials do not lead to an authorization server: {why}");
    Error::new(ErrorCode::ValidationFailed, message)
}

/// A form of texts as JSON, for servers that want it so.
pub(super) fn json_of(form: &[u8]) -> Value {
    let pairs = url::form_urlencoded::parse(form);
    json!(pairs.into_owned().collect::<std::collections::BTreeMap<String, String>>())
}
