//! Asking for tokens: with a code, with a token to renew with, with the client's own credentials, with an
//! assertion.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header::CONTENT_TYPE};
use millwright_core::{Error, ErrorCode, ExposeSecret, Result, SecretString, random_token};
use millwright_outbound::{OverCap, Request, Url};
use oauth2::{
    AuthorizationCode, ErrorResponse, HttpRequest, HttpResponse, PkceCodeVerifier, RedirectUrl,
    RefreshToken, RequestTokenError, TokenUrl, basic::BasicClient,
};
use url::form_urlencoded;

use super::{
    Authority, Tokens,
    authority::{Flow, Known, asked_for, json_of},
    judge::{judge, no_answer},
};
use crate::{
    error::{SystemError, SystemErrorClass},
    manifest::{Oauth2Client, Oauth2Code, Oauth2Jwt, TokenBody, TokenRules},
    table::Table,
    template::Template,
};

/// RFC 7523, 2.1.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// No authorization server's answer is longer.
const ANSWER_MAX: usize = 256 * 1024;
/// How long an exchange may take, whatever the manifest allows its system: below the time for which
/// others wait for whoever renews.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

impl Authority {
    /// The tokens for a code that a person's consent gave (RFC 6749, 4.1.3).
    ///
    /// # Errors
    /// `Reauthorize` when the server refuses it, `Unreachable` when it does not answer, `Malformed`
    /// when it answers with something else.
    pub async fn exchange(
        &self,
        code: &SecretString,
        verifier: Option<SecretString>,
        redirect_uri: &str,
    ) -> std::result::Result<Tokens, SystemError> {
        let request = self.for_code(code, verifier, redirect_uri).map_err(unmade)?;
        let secrets = [code.expose_secret().to_owned()];
        let tokens = self.ask(request, &secrets).await?;
        Ok(Tokens { grant: random_token(12), ..tokens })
    }

    /// New tokens: with the one to renew with, or simply anew where that is how it is done. What the
    /// answer leaves out is what it was in `old`.
    ///
    /// # Errors
    /// As [`Self::exchange`]; `Reauthorize` also when there is nothing to renew with.
    pub async fn renew(&self, old: Option<&Tokens>) -> std::result::Result<Tokens, SystemError> {
        let refresh = old.and_then(|old| old.refresh_token.as_ref());
        let (request, secrets) = match (self.manifest.auth.flow(), refresh) {
            (Some(Flow::Code(code)), Some(token)) => {
                (self.for_refresh(code, token), vec![token.expose_secret().to_owned()])
            }
            (Some(Flow::Client(client)), _) => (self.for_client(client), Vec::new()),
            (Some(Flow::Jwt(jwt)), _) => {
                let assertion = self.assertion(&jwt.assertion)?;
                (self.for_assertion(jwt, &assertion), vec![assertion])
            }
            _ => return Err(nothing_to_renew_with()),
        };
        let tokens = self.ask(request.map_err(unmade)?, &secrets).await?;
        Ok(match old {
            Some(old) => tokens.renewed_from(old),
            None => tokens,
        })
    }

    fn for_code(
        &self,
        secret: &SecretString,
        verifier: Option<SecretString>,
        redirect_uri: &str,
    ) -> Result<Request> {
        let Some(Flow::Code(code)) = self.manifest.auth.flow() else {
            let message = "this connector has no page where a person allows it";
            return Err(Error::new(ErrorCode::OperationNotSupported, message));
        };
        let Known { id, secret: own, kind } = self.client(&code.client)?;
        let mut client = BasicClient::new(id)
            .set_auth_type(kind)
            .set_token_uri(TokenUrl::from_url(self.address(&code.token.url)?))
            .set_redirect_uri(RedirectUrl::new(redirect_uri.to_owned()).map_err(Error::internal)?);
        if let Some(own) = own {
            client = client.set_client_secret(own);
        }
        let given = AuthorizationCode::new(secret.expose_secret().to_owned());
        let mut request = client.exchange_code(given);
        for (name, text) in self.texts(&code.token.params)? {
            request = request.add_extra_param(name, text);
        }
        if let Some(verifier) = verifier {
            let proof = PkceCodeVerifier::new(verifier.expose_secret().to_owned());
            request = request.set_pkce_verifier(proof);
        }
        self.finished(caught(request.request(&catch))?, &code.token)
    }

    fn for_refresh(&self, code: &Oauth2Code, token: &SecretString) -> Result<Request> {
        let rules = &code.token;
        let Known { id, secret, kind } = self.client(&code.client)?;
        let url = self.address(rules.refresh_url.as_ref().unwrap_or(&rules.url))?;
        let mut client =
            BasicClient::new(id).set_auth_type(kind).set_token_uri(TokenUrl::from_url(url));
        if let Some(secret) = secret {
            client = client.set_client_secret(secret);
        }
        let token = RefreshToken::new(token.expose_secret().to_owned());
        let mut request = client.exchange_refresh_token(&token);
        for (name, text) in self.texts(&rules.refresh_params)? {
            request = request.add_extra_param(name, text);
        }
        self.finished(caught(request.request(&catch))?, rules)
    }

    fn for_client(&self, own: &Oauth2Client) -> Result<Request> {
        let Known { id, secret, kind } = self.client(&own.client)?;
        let url = self.address(&own.token.url)?;
        let mut client =
            BasicClient::new(id).set_auth_type(kind).set_token_uri(TokenUrl::from_url(url));
        if let Some(secret) = secret {
            client = client.set_client_secret(secret);
        }
        let mut request = client.exchange_client_credentials();
        for (name, text) in self.texts(&own.token.params)? {
            request = request.add_extra_param(name, text);
        }
        if let Some(asked) = asked_for(&own.scopes, &own.scope_separator) {
            request = request.add_scope(asked);
        }
        self.finished(caught(request.request(&catch))?, &own.token)
    }

    /// RFC 7523, 2.1, which the crate does not have.
    fn for_assertion(&self, jwt: &Oauth2Jwt, assertion: &str) -> Result<Request> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", JWT_BEARER).append_pair("assertion", assertion);
        if let Some(asked) = asked_for(&jwt.scopes, &jwt.scope_separator) {
            form.append_pair("scope", &asked);
        }
        for (name, text) in self.texts(&jwt.token.params)? {
            form.append_pair(&name, &text);
        }
        let mut headers = HeaderMap::new();
        if let Some(client) = &jwt.client {
            let Known { id, secret, kind } = self.client(client)?;
            match (kind, secret) {
                (oauth2::AuthType::BasicAuth, Some(secret)) => {
                    headers.insert(http::header::AUTHORIZATION, basic(&id, secret.secret())?);
                }
                (_, secret) => {
                    form.append_pair("client_id", &id);
                    if let Some(secret) = secret {
                        form.append_pair("client_secret", secret.secret());
                    }
                }
            }
        }
        let mut request = Request::new(Method::POST, self.address(&jwt.token.url)?);
        request.headers = headers;
        request.body = form.finish().into();
        self.completed(request, &jwt.token)
    }

    fn finished(&self, request: HttpRequest, rules: &TokenRules) -> Result<Request> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(Error::internal)?;
        let mut outgoing = Request::new(parts.method, url);
        outgoing.headers = parts.headers;
        outgoing.body = body.into();
        self.completed(outgoing, rules)
    }

    /// The request with what the manifest adds, in the form that it says, and with our limits.
    fn completed(&self, mut request: Request, rules: &TokenRules) -> Result<Request> {
        let kind = match rules.body {
            TokenBody::Form => "application/x-www-form-urlencoded",
            TokenBody::Json => {
                request.body = json_of(&request.body).to_string().into();
                "application/json"
            }
        };
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        let accepted = HeaderValue::from_static("application/json");
        request.headers.insert(http::header::ACCEPT, accepted);
        self.add_headers(&mut request.headers, &rules.headers)?;
        let limits = &self.manifest.limits;
        request.timeout = limits.timeout().min(PATIENCE);
        request.body_cap = limits.body_cap_bytes.min(ANSWER_MAX);
        request.over_cap = OverCap::Fail;
        Ok(request)
    }

    fn add_headers(&self, headers: &mut HeaderMap, more: &Table<Template>) -> Result<()> {
        for (name, text) in self.texts(more)? {
            let name = HeaderName::try_from(name).map_err(Error::internal)?;
            // The error would show the value.
            let value = HeaderValue::try_from(text)
                .map_err(|_| Error::internal("a header of a token request cannot be sent"))?;
            headers.insert(name, value);
        }
        Ok(())
    }

    async fn ask(
        &self,
        request: Request,
        secrets: &[String],
    ) -> std::result::Result<Tokens, SystemError> {
        let mut redaction = self.redaction.clone();
        redaction.add(secrets);
        let answer = self.outbound.send(request).await.map_err(|error| no_answer(&error))?;
        let rules = self.rules().map_err(unmade)?;
        let own_client = self.manifest.auth.names_registration();
        judge(rules, self.grant(), &answer, self.clock.wall(), &redaction, own_client)
    }
}

/// A request that was put together, given back in place of being sent.
struct Caught(HttpRequest);

impl fmt::Debug for Caught {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Caught")
    }
}

impl fmt::Display for Caught {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("caught")
    }
}

impl std::error::Error for Caught {}

fn catch(request: HttpRequest) -> std::result::Result<HttpResponse, Caught> {
    Err(Caught(request))
}

/// What the crate would have sent: it goes through our own client instead.
fn caught<T, E: ErrorResponse>(
    outcome: std::result::Result<T, RequestTokenError<Caught, E>>,
) -> Result<HttpRequest> {
    match outcome {
        Err(RequestTokenError::Request(Caught(request))) => Ok(request),
        _ => Err(Error::internal("a token request cannot be put together")),
    }
}

/// RFC 6749, 2.3.1: both are encoded as in a form first.
fn basic(id: &str, secret: &str) -> Result<HeaderValue> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret)));
    HeaderValue::try_from(format!("Basic {pair}")).map_err(|_| Error::internal("no header"))
}

fn nothing_to_renew_with() -> SystemError {
    let message = "the access token has ended, and there is nothing to renew it with";
    SystemError::new(SystemErrorClass::Reauthorize, message)
}

fn unmade(error: Error) -> SystemError {
    tracing::warn!(code = error.code.as_str(), "a token request cannot be made");
    SystemError::malformed(format!("the token cannot be asked for: {}", error.message))
}
