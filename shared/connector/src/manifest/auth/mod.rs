//! How requests are made known to be the customer's.

mod csrf;
mod hmac;
mod login;
mod oauth;

use schemars::JsonSchema;
use serde::Deserialize;

pub use csrf::{Csrf, TokenPlace};
pub use hmac::{Algorithm, Encoding, HmacAuth, KeyForm};
pub use login::{Login, LoginStep};
pub use oauth::{
    Assertion, AssertionAlgorithm, ClientStyle, Oauth2Client, Oauth2Code, Oauth2Jwt, OauthClient,
    TokenBody, TokenRules,
};

use crate::{table::Table, template::Template};

/// How requests are made known to be the customer's. Only here, and where inbound hooks are verified,
/// may templates name `{credentials}`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// They are not.
    #[default]
    None,
    /// A key, or several, in headers or in the query.
    ApiKey(Carrier),
    /// HTTP basic authentication (RFC 7617).
    Basic(Basic),
    /// A bearer token that does not change (RFC 6750).
    Bearer(Bearer),
    /// A login whose session is used until it ends.
    Login(Box<Login>),
    /// A signature over each request.
    Hmac(Box<HmacAuth>),
    /// Another kind, and a token against forged requests with each write.
    Csrf(Box<Csrf>),
    /// OAuth 2.0, authorisation code: a person allows it on the system's own page (RFC 6749, 4.1).
    Oauth2Code(Box<Oauth2Code>),
    /// OAuth 2.0, client credentials (RFC 6749, 4.4).
    Oauth2Client(Box<Oauth2Client>),
    /// OAuth 2.0, a signed assertion (RFC 7523).
    Oauth2Jwt(Box<Oauth2Jwt>),
}

impl Auth {
    /// The login in it, if there is one.
    #[must_use]
    pub fn login(&self) -> Option<&Login> {
        match self {
            Self::Login(login) => Some(login),
            Self::Csrf(csrf) => csrf.over.login(),
            _ => None,
        }
    }

    /// The token against forged requests, if there is one.
    #[must_use]
    pub fn csrf(&self) -> Option<&Csrf> {
        match self {
            Self::Csrf(csrf) => Some(csrf),
            _ => None,
        }
    }

    /// The rules of OAuth tokens, if it is of that kind.
    #[must_use]
    pub fn oauth(&self) -> Option<&TokenRules> {
        match self {
            Self::Oauth2Code(code) => Some(&code.token),
            Self::Oauth2Client(client) => Some(&client.token),
            Self::Oauth2Jwt(jwt) => Some(&jwt.token),
            Self::Csrf(csrf) => csrf.over.oauth(),
            _ => None,
        }
    }

    /// Whether the client is the deployment's own registration with the vendor, `{registration}`.
    #[must_use]
    pub fn names_registration(&self) -> bool {
        self.oauth_templates().iter().any(|template| {
            template.placeholders().iter().any(|placeholder| placeholder.root == "registration")
        })
    }

    /// The templates that make requests to an authorization server, but for its addresses.
    fn oauth_templates(&self) -> Vec<&Template> {
        let (client, own): (Option<&OauthClient>, Vec<&Template>) = match self {
            Self::Oauth2Code(code) => {
                (Some(&code.client), code.authorize_params.values().collect())
            }
            Self::Oauth2Client(client) => (Some(&client.client), Vec::new()),
            Self::Oauth2Jwt(jwt) => (jwt.client.as_ref(), jwt.assertion.templates()),
            Self::Csrf(csrf) => return csrf.over.oauth_templates(),
            _ => return Vec::new(),
        };
        let client = client
            .into_iter()
            .flat_map(|client| [Some(&client.id), client.secret.as_ref()].into_iter().flatten());
        let token = self.oauth().into_iter().flat_map(|token| {
            let tables = [&token.params, &token.refresh_params, &token.headers];
            tables.into_iter().flat_map(Table::values)
        });
        own.into_iter().chain(client).chain(token).collect()
    }

    /// Where in a request it puts what makes it the customer's, beside what it computes.
    #[must_use]
    pub fn carriers(&self) -> Vec<(&Table<Template>, &Table<Template>)> {
        match self {
            Self::ApiKey(carrier) => vec![(&carrier.headers, &carrier.query)],
            Self::Login(login) => vec![(&login.headers, &login.query)],
            Self::Hmac(hmac) => {
                vec![(&hmac.before.headers, &hmac.before.query), (&hmac.headers, &hmac.query)]
            }
            Self::Csrf(csrf) => {
                let mut all = csrf.over.carriers();
                all.push((&csrf.headers, &csrf.query));
                all
            }
            Self::Oauth2Code(_) | Self::Oauth2Client(_) | Self::Oauth2Jwt(_) => self
                .oauth()
                .into_iter()
                .map(|token| (&token.send.headers, &token.send.query))
                .collect(),
            Self::None | Self::Basic(_) | Self::Bearer(_) => Vec::new(),
        }
    }

    /// Whether a session is kept, as `{session.name}`, of that name.
    #[must_use]
    pub fn keeps(&self, name: &str) -> bool {
        let steps = self.login().map_or(&[][..], |login| &login.steps);
        steps.iter().any(|step| step.keep.get(name).is_some())
            || self.oauth().is_some_and(|token| token.keep.get(name).is_some())
    }
}

/// What is put into every request.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Carrier {
    /// As headers.
    pub headers: Table<Template>,
    /// As parameters of the query.
    pub query: Table<Template>,
}

/// User name and password of basic authentication.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// The user name.
    pub username: Template,
    /// The password.
    pub password: Template,
}

/// A bearer token.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bearer {
    /// The token.
    pub token: Template,
}
