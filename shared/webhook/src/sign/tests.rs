use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use millwright_core::{Clock, ExposeSecret, SecretString};
use standardwebhooks::Webhook;

use super::*;
use crate::signing_key::new_secret;

const BODY: &str = r#"{"type":"test.ping","data":{"ü":"1.50"}}"#;

fn key(secret: &SecretString) -> SigningKey {
    SigningKey::from_secret(secret).unwrap()
}

fn signed(signer: &Signer) -> HeaderMap {
    signer.headers(&MessageId::new_at(1), Clock::system().wall(), BODY.as_bytes()).unwrap()
}

/// What a library that nobody here wrote says.
fn accepted(secret: &SecretString, body: &str, headers: &HeaderMap) -> bool {
    Webhook::new(secret.expose_secret()).unwrap().verify(body.as_bytes(), headers).is_ok()
}

fn in_an_hour() -> WallTime {
    Clock::system().wall() + std::time::Duration::from_secs(3600)
}

#[test]
fn the_official_library_accepts_what_is_signed_and_nothing_else() {
    let secret = new_secret(Scheme::V1).unwrap();
    let headers = signed(&Signer::new(key(&secret), Vec::new(), false));
    assert!(accepted(&secret, BODY, &headers));
    assert!(!accepted(&secret, "{}", &headers));
    assert!(!accepted(&new_secret(Scheme::V1).unwrap(), BODY, &headers));
    assert!(!headers.contains_key(BODY_SIGNATURE));
}

#[test]
fn every_key_that_is_valid_signs_newest_first() {
    let secrets: Vec<SecretString> = (0..4).map(|_| new_secret(Scheme::V1).unwrap()).collect();
    let ended = Clock::system().wall();
    let former = vec![
        (key(&secrets[1]), in_an_hour()),
        (key(&secrets[2]), ended),
        (key(&secrets[3]), in_an_hour()),
    ];
    let headers = signed(&Signer::new(key(&secrets[0]), former, false));
    let verified: Vec<bool> = secrets.iter().map(|own| accepted(own, BODY, &headers)).collect();
    assert_eq!(verified, [true, true, false, true]);
    let entries = headers[&SIGNATURE].to_str().unwrap();
    assert_eq!(entries.split(' ').count(), 3);
    let timestamp = headers[&TIMESTAMP].to_str().unwrap().parse().unwrap();
    let id = headers[&ID].to_str().unwrap();
    let newest = key(&secrets[0]).signature(id, timestamp, BODY.as_bytes()).unwrap();
    assert!(entries.starts_with(&newest));
}

#[test]
fn a_key_pair_signs_beside_a_shared_secret_that_is_still_valid() {
    let (pair, shared) = (new_secret(Scheme::V1a).unwrap(), new_secret(Scheme::V1).unwrap());
    let public = key(&pair).public_key().unwrap();
    let headers = signed(&Signer::new(key(&pair), vec![(key(&shared), in_an_hour())], false));
    // The library passes over the entry that it does not know.
    assert!(accepted(&shared, BODY, &headers));
    let entries: Vec<&str> = headers[&SIGNATURE].to_str().unwrap().split(' ').collect();
    let signature = STANDARD.decode(entries[0].strip_prefix("v1a,").unwrap()).unwrap();
    let public = STANDARD.decode(public.strip_prefix("whpk_").unwrap()).unwrap();
    let text = |name: &HeaderName| headers[name].to_str().unwrap().to_owned();
    let content = format!("{}.{}.{BODY}", text(&ID), text(&TIMESTAMP));
    let public = UnparsedPublicKey::new(&ED25519, public);
    assert!(public.verify(content.as_bytes(), &signature).is_ok());
    assert!(public.verify(b"something else", &signature).is_err());
}

/// The value was made with `openssl dgst -sha256 -hmac whsec_... -binary | base64`.
#[test]
fn the_signature_of_the_body_alone_is_made_with_the_newest_secrets_text() {
    let secret = SecretString::from("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
    let former = vec![(key(&new_secret(Scheme::V1).unwrap()), in_an_hour())];
    let headers = signed(&Signer::new(key(&secret), former, true));
    assert_eq!(headers[&BODY_SIGNATURE], "YE1PuouARdeaKNFTvPSPga8SwNDE0pdShhofYzB1j+0=");
    let pair = new_secret(Scheme::V1a).unwrap();
    let headers = signed(&Signer::new(key(&pair), Vec::new(), true));
    assert!(!headers.contains_key(BODY_SIGNATURE));
}
