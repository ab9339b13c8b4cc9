//! Which client asks, and whether it is.

use base64::{Engine, engine::general_purpose::STANDARD};
use millwright_core::{ExposeSecret, SecretString};
use millwright_store::Store;

use super::{Form, OauthCode, OauthError};
use crate::application::{Application, address_of_client, living};

/// What a client proves itself with (RFC 6749, 2.3.1).
#[derive(Debug)]
pub struct ClientProof {
    client_id: String,
    secret: Option<SecretString>,
}

impl ClientProof {
    /// From the credentials of the scheme `Basic`, or from the body: not from both.
    ///
    /// # Errors
    /// `invalid_request` for both; `invalid_client` for none or an unreadable header.
    pub fn read(authorization: Option<&str>, form: &Form) -> Result<Self, OauthError> {
        let (id, secret) = (form.get("client_id"), form.get("client_secret"));
        let Some(authorization) = authorization else {
            let missing = OauthError::refused(OauthCode::InvalidClient, "name the client");
            let client_id = id.ok_or(missing)?.to_owned();
            return Ok(Self { client_id, secret: secret.map(SecretString::from) });
        };
        let own = basic(authorization).ok_or(OauthError::refused(
            OauthCode::InvalidClient,
            "the header Authorization must be Basic with client id and secret",
        ))?;
        if secret.is_some() || id.is_some_and(|id| id != own.client_id) {
            let description = "prove who you are once: in the header or in the body";
            return Err(OauthError::refused(OauthCode::InvalidRequest, description));
        }
        Ok(own)
    }
}

/// RFC 7617, with each half form-encoded before (RFC 6749, 2.3.1).
fn basic(header: &str) -> Option<ClientProof> {
    let (scheme, text) = header.split_once(' ')?;
    let bytes =
        STANDARD.decode(text.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let text = SecretString::from(String::from_utf8(bytes).ok()?);
    let (id, secret) = text.expose_secret().split_once(':')?;
    let secret = SecretString::from(decoded(secret)?);
    let secret = Some(secret).filter(|secret| !secret.expose_secret().is_empty());
    Some(ClientProof { client_id: decoded(id)?, secret })
}

fn decoded(text: &str) -> Option<String> {
    let pair = format!("x={text}");
    let mut pairs = url::form_urlencoded::parse(pair.as_bytes());
    let (_, value) = pairs.next()?;
    // A bare & would end the value.
    pairs.next().is_none().then(|| value.into_owned())
}

/// The application that asks. A public one names itself only, and what it sends as a secret is refused.
///
/// # Errors
/// `invalid_client`; when the table fails.
pub async fn authenticate_client(
    store: &Store,
    proof: &ClientProof,
) -> Result<Application, OauthError> {
    let refused = || {
        let description = "the client is not known, or did not prove who it is";
        OauthError::refused(OauthCode::InvalidClient, description)
    };
    let key = address_of_client(&proof.client_id).ok_or_else(refused)?;
    let application = living(store, &key).await?.ok_or_else(refused)?;
    let proven = match &proof.secret {
        Some(secret) => application.has_secret(secret.expose_secret(), store.clock().wall()),
        None => application.public,
    };
    if proven { Ok(application) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: Option<&str>, body: &str) -> Result<(String, Option<String>), OauthCode> {
        let form = Form::read(body.as_bytes()).unwrap();
        let proof = ClientProof::read(header, &form).map_err(|error| error.code())?;
        let secret = proof.secret.map(|secret| secret.expose_secret().to_owned());
        Ok((proof.client_id, secret))
    }

    fn basic(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn a_client_proves_itself_in_the_header_or_in_the_body() {
        let both = Ok(("id".to_owned(), Some("secret".to_owned())));
        assert_eq!(read(Some(&basic("id:secret")), ""), both);
        assert_eq!(read(Some(&basic("id:secret")), "client_id=id"), both);
        assert_eq!(read(None, "client_id=id&client_secret=secret"), both);
        assert_eq!(read(None, "client_id=id"), Ok(("id".to_owned(), None)));
        assert_eq!(read(Some(&basic("id:")), ""), Ok(("id".to_owned(), None)));
        let encoded = read(Some(&basic("i%64:s%26c+t")), "");
        assert_eq!(encoded, Ok(("id".to_owned(), Some("s&c t".to_owned()))));
    }

    #[test]
    fn two_proofs_or_none_are_refused() {
        let header = basic("id:secret");
        for body in ["client_secret=secret", "client_id=other"] {
            assert_eq!(read(Some(&header), body), Err(OauthCode::InvalidRequest), "{body}");
        }
        assert_eq!(read(None, ""), Err(OauthCode::InvalidClient));
        for header in ["Bearer x", "Basic", "Basic ?", &basic("nothing")] {
            assert_eq!(read(Some(header), ""), Err(OauthCode::InvalidClient), "{header}");
        }
    }

    #[test]
    fn a_proof_does_not_print_its_secret() {
        let form = Form::read(b"client_id=a&client_secret=planted").unwrap();
        assert!(!format!("{:?}", ClientProof::read(None, &form).unwrap()).contains("planted"));
    }
}
