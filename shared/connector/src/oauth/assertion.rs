//! Assertions that we sign (RFC 7523, 3).

use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use millwright_core::random_token;
use serde_json::Map;

use super::Authority;
use crate::{
    error::{SystemError, SystemErrorClass},
    manifest::{Assertion, AssertionAlgorithm, KeyForm},
};

impl Authority {
    /// A fresh assertion.
    pub(super) fn assertion(&self, rules: &Assertion) -> Result<String, SystemError> {
        let mut claims = Map::new();
        for (name, template) in rules.claims.iter() {
            let value = template.render(&self.scope).map_err(SystemError::malformed)?;
            claims.insert(name.to_owned(), value);
        }
        let now = self.clock.wall().seconds();
        claims.insert("iat".to_owned(), now.into());
        claims.insert("exp".to_owned(), (now + i64::from(rules.life_seconds)).into());
        claims.insert("jti".to_owned(), random_token(24).into());
        let mut header = Header::new(algorithm(rules.algorithm));
        let key_id = rules.key_id.as_ref().map(|id| self.text(id)).transpose();
        header.kid = key_id.map_err(|_| no_key())?.filter(|id| !id.is_empty());
        let key = self.text(&rules.key).map_err(|_| no_key())?;
        let key = private_key(rules, &key).ok_or_else(no_key)?;
        // The library's own words could quote the key.
        encode(&header, &claims, &key).map_err(|_| no_key())
    }
}

fn algorithm(algorithm: AssertionAlgorithm) -> Algorithm {
    match algorithm {
        AssertionAlgorithm::RS256 => Algorithm::RS256,
        AssertionAlgorithm::PS256 => Algorithm::PS256,
        AssertionAlgorithm::ES256 => Algorithm::ES256,
    }
}

fn private_key(rules: &Assertion, text: &str) -> Option<EncodingKey> {
    let pem = match rules.key_form {
        KeyForm::Text => text.as_bytes().to_vec(),
        KeyForm::Base64 => STANDARD.decode(text.trim()).ok()?,
    };
    match rules.algorithm {
        AssertionAlgorithm::RS256 | AssertionAlgorithm::PS256 => EncodingKey::from_rsa_pem(&pem),
        AssertionAlgorithm::ES256 => EncodingKey::from_ec_pem(&pem),
    }
    .ok()
}

fn no_key() -> SystemError {
    let message = "the private key is missing or not of its form";
    SystemError::new(SystemErrorClass::Reauthorize, message)
}
