//! What is asked of the provider of identities (OpenID Connect Discovery 1.0; Core 1.0, 3.1.3).

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderValue, Method, StatusCode, header};
use millwright_core::{Error, ErrorCode, ExposeSecret, Result, SecretString};
use millwright_outbound::{Outbound, Request};
use serde::{Deserialize, de::DeserializeOwned};
use url::{Host, Url, form_urlencoded};

use super::SignIn;

/// The most bytes of an answer of the provider's.
const ANSWER_MAX: usize = 1 << 20;

/// Where the provider is asked.
#[derive(Debug, Deserialize)]
pub(super) struct Provider {
    issuer: String,
    pub(super) authorization_endpoint: Url,
    token_endpoint: Url,
}

/// What the provider gives for a code.
#[derive(Deserialize)]
struct Given {
    id_token: String,
}

/// Finds the provider.
///
/// # Errors
/// `UPSTREAM_ERROR` when it does not answer, or answers for somebody else.
pub(super) async fn discover(outbound: &Outbound, sign_in: &SignIn) -> Result<Provider> {
    let url = format!("{}/.well-known/openid-configuration", sign_in.issuer.trim_end_matches('/'));
    let url = Url::parse(&url).map_err(Error::internal)?;
    let provider: Provider = asked(outbound, Request::new(Method::GET, url)).await?;
    let safe = is_safe(&provider.authorization_endpoint) && is_safe(&provider.token_endpoint);
    if provider.issuer == sign_in.issuer && safe {
        return Ok(provider);
    }
    Err(failed("the provider names another issuer, or an endpoint without TLS"))
}

/// Whether what comes from an address comes from whom it names: over TLS, or on this machine.
pub(super) fn is_safe(url: &Url) -> bool {
    let own = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && own)
}

/// Exchanges a code for an ID token.
///
/// # Errors
/// `AUTHENTICATION_FAILED` when the provider refuses the code; `UPSTREAM_ERROR` when it does not answer.
pub(super) async fn exchange(
    outbound: &Outbound,
    sign_in: &SignIn,
    provider: &Provider,
    code: &str,
    verifier: &str,
    redirect_uri: &str,
) -> Result<SecretString> {
    let mut request = Request::new(Method::POST, provider.token_endpoint.clone());
    if let Some(secret) = &sign_in.client_secret {
        request.headers.insert(header::AUTHORIZATION, basic(&sign_in.client_id, secret)?);
    }
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers.insert(header::CONTENT_TYPE, kind);
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("code_verifier", verifier),
        ("redirect_uri", redirect_uri),
        ("client_id", &sign_in.client_id),
    ];
    request.body = encoded(&pairs).into();
    let given: Given = asked(outbound, request).await?;
    Ok(SecretString::from(given.id_token))
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// RFC 6749, 2.3.1: each half is form-encoded before.
fn basic(client_id: &str, secret: &SecretString) -> Result<HeaderValue> {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(client_id), encoded(secret.expose_secret()));
    let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)))
        .map_err(Error::internal)?;
    value.set_sensitive(true);
    Ok(value)
}

async fn asked<T: DeserializeOwned>(outbound: &Outbound, mut request: Request) -> Result<T> {
    request.body_cap = ANSWER_MAX;
    let json = HeaderValue::from_static("application/json");
    request.headers.insert(header::ACCEPT, json);
    let answer = outbound.send(request).await;
    let answer = answer.map_err(|error| {
        tracing::warn!(%error, "the provider of identities does not answer");
        failed("the provider of identities does not answer")
    })?;
    match answer.status {
        StatusCode::OK => serde_json::from_slice(&answer.body)
            .map_err(|_| failed("the provider of identities answered with something else")),
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => {
            let message = "the provider of identities refused the sign-in";
            Err(Error::new(ErrorCode::AuthenticationFailed, message))
        }
        _ => Err(failed("the provider of identities failed")),
    }
}

fn failed(why: &str) -> Error {
    Error::new(ErrorCode::UpstreamError, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_asked_over_tls_or_on_this_machine() {
        for (url, safe) in [
            ("https://id.example/token", true),
            ("http://id.example/token", false),
            ("http://127.0.0.1:3000/token", true),
            ("http://localhost/token", true),
            ("ftp://127.0.0.1/", false),
        ] {
            assert_eq!(is_safe(&Url::parse(url).unwrap()), safe, "{url}");
        }
    }
}
