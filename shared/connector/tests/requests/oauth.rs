//! OAuth 2.0: what is said to an authorization server, and what its answers mean.

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use millwright_connector::{
    Credentials, SystemError, SystemErrorClass,
    oauth::{Authority, Grant, Registration, Registrations, Tokens},
};
use millwright_core::{ExposeSecret, SecretString};
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Map, Value, json};

use super::{
    CREDENTIALS, engine,
    support::http::{Asked, Exchange, Server, lost, on, page},
};

const REDIRECT: &str = "https://mw.example/link/callback";

const CODE: &str = r#"
auth:
  oauth2_code:
    authorize_url: "{settings.url}/authorize"
    authorize_params: { access_type: offline }
    client: { id: "{credentials.username}", secret: "{credentials.password}", style: post }
    scopes: [a, b]
    scope_separator: ","
    token:
      url: "{settings.url}/token"
      refresh_url: "{settings.url}/renew"
      params: { audience: "{credentials.key}" }
      refresh_params: { again: "yes" }
      headers: { X-Version: "2" }
      body: json
      access_token: data.token
      refresh_token: data.renew
      expires: data.until
      expires_form: epoch_seconds
      keep: { instance: "{answer.data.instance}" }
      rotates: true
"#;

const CLIENT: &str = r#"
auth:
  oauth2_client:
    client: { id: "{credentials.username}", secret: "{credentials.password}" }
    scopes: [read, write]
    token: { url: "{settings.url}/token", send: { query: { token: "{oauth.access_token}" } } }
"#;

fn credentials() -> Credentials {
    let of = |(name, text): (&str, &str)| (name.to_owned(), SecretString::from(text));
    CREDENTIALS.into_iter().map(of).collect()
}

fn authority(yaml: &str, url: &str, credentials: &Credentials) -> Authority {
    let settings = Map::from_iter([("url".to_owned(), json!(url))]);
    engine(yaml).authority("made-up", &settings, credentials).unwrap().unwrap()
}

async fn asking(yaml: &str, answer: Exchange) -> (Result<Tokens, SystemError>, Asked) {
    let (server, url) = Server::start([answer]).await;
    let tokens = authority(yaml, &url, &credentials()).renew(None).await;
    (tokens, server.asked().remove(0))
}

#[tokio::test]
async fn every_quirk_of_a_code_grant_is_kept_to() {
    let given = json!({"data": {"token": "t1", "renew": "r1", "until": 4_000_000_000_u64, "instance": "i1"}});
    let renewed = json!({"data": {"token": "t2"}});
    let (server, url) =
        Server::start([on("POST /token", 200, given), on("POST /renew", 200, renewed)]).await;
    let authority = authority(CODE, &url, &credentials());
    assert_eq!(authority.grant(), Grant::Code);
    let begun = authority.authorize(REDIRECT).unwrap();
    let asked: Map<String, Value> = begun
        .url
        .query_pairs()
        .map(|(name, text)| (name.into_owned(), text.into_owned().into()))
        .collect();
    assert_eq!(asked["scope"], "a,b");
    assert_eq!(asked["access_type"], "offline");
    assert_eq!(asked["state"], begun.state.expose_secret());
    assert_eq!(asked["redirect_uri"], REDIRECT);
    assert_eq!(asked["code_challenge_method"], "S256");

    let tokens = authority.exchange(&"c1".into(), begun.verifier.clone(), REDIRECT).await.unwrap();
    assert_eq!(tokens.access_token.expose_secret(), "t1");
    assert_eq!(tokens.expires_at.unwrap().seconds(), 4_000_000_000);
    assert_eq!(tokens.kept["instance"], "i1");
    let again = authority.renew(Some(&tokens)).await.unwrap();
    assert_eq!(again.access_token.expose_secret(), "t2");
    assert_eq!(again.refresh_token.unwrap().expose_secret(), "r1", "it is kept");
    assert_eq!((again.kept["instance"].as_str(), &again.grant), (Some("i1"), &tokens.grant));

    let asked = server.asked();
    assert_eq!(asked[0].headers["content-type"], "application/json");
    assert_eq!(asked[0].headers["x-version"], "2");
    assert_eq!(asked[0].body["code"], "c1");
    assert_eq!(asked[0].body["audience"], "planted-key+1");
    assert_eq!(asked[0].body["code_verifier"], begun.verifier.unwrap().expose_secret());
    assert_eq!(asked[0].body["client_secret"], "planted pass/word");
    assert_eq!(
        asked[1].body,
        json!({"grant_type": "refresh_token", "refresh_token": "r1", "again": "yes",
               "client_id": "planted-user", "client_secret": "planted pass/word"})
    );
}

#[tokio::test]
async fn a_client_makes_itself_known_by_basic_and_its_token_has_a_life() {
    let answer = on("POST /token", 200, json!({"access_token": "t1", "expires_in": "60"}));
    let (tokens, asked) = asking(CLIENT, answer).await;
    let tokens = tokens.unwrap();
    let life = tokens.expires_at.unwrap().since(tokens.obtained_at);
    assert_eq!(life, Duration::from_secs(60));
    assert_eq!(asked.text, "grant_type=client_credentials&scope=read+write");
    // RFC 6749, 2.3.1: encoded as in a form first.
    use base64::{Engine, engine::general_purpose::STANDARD};
    let pair = STANDARD.encode("planted-user:planted+pass%2Fword");
    assert_eq!(asked.headers["authorization"], format!("Basic {pair}").as_str());

    let (tokens, _) = asking(CLIENT, on("POST /token", 200, json!({"access_token": "t1"}))).await;
    let tokens = tokens.unwrap();
    let life = tokens.expires_at.unwrap().since(tokens.obtained_at);
    assert_eq!(life, Duration::from_secs(55 * 60), "where nobody says it");
}

#[tokio::test]
async fn an_answer_means_what_the_standard_and_the_wire_say() {
    use SystemErrorClass::{Malformed, Reauthorize, Unreachable};
    let no = |code: &str| json!({"error": code, "error_description": "no planted pass/word"});
    for (answer, class) in [
        (on("POST /token", 400, no("invalid_grant")), Reauthorize),
        (on("POST /token", 401, no("invalid_client")), Reauthorize),
        (on("POST /token", 200, no("invalid_grant")), Reauthorize),
        (on("POST /token", 403, Value::Null), Reauthorize),
        (on("POST /token", 400, no("temporarily_unavailable")), Unreachable),
        (on("POST /token", 429, no("slow_down")), Unreachable),
        (on("POST /token", 503, Value::Null), Unreachable),
        (lost("POST /token"), Unreachable),
        (page("POST /token", 200, "text/html", "<html>"), Malformed),
        (on("POST /token", 200, json!({"access_token": ""})), Malformed),
        (on("POST /token", 302, Value::Null), Malformed),
    ] {
        let (tokens, _) = asking(CLIENT, answer).await;
        let error = tokens.unwrap_err();
        assert_eq!(error.class, class, "{error}");
        let told = format!("{error} {error:?}");
        assert!(!told.contains("planted pass"), "{told}");
    }
    let answer = on("POST /token", 503, Value::Null).header("retry-after", "7");
    assert_eq!(
        asking(CLIENT, answer).await.0.unwrap_err().retry_after,
        Some(Duration::from_secs(7))
    );
}

#[tokio::test]
async fn a_token_goes_where_the_manifest_puts_it_and_nobody_says_it_back() {
    let refused =
        on("GET /api/me?token=t1-of-the-account", 403, json!({"why": "t1-of-the-account"}));
    let (server, url) = Server::start([refused]).await;
    let mut credentials = credentials();
    let tokens = Tokens {
        access_token: "t1-of-the-account".into(),
        refresh_token: None,
        expires_at: None,
        obtained_at: Default::default(),
        kept: Map::new(),
        grant: "g".to_owned(),
    };
    tokens.put_into(&mut credentials);
    let target = millwright_connector::Target {
        credentials,
        ..super::support::target("made-up", json!({"url": url}), &[])
    };
    let error = engine(CLIENT).open(target).unwrap().probe().await.unwrap_err();
    assert_eq!(error.class, SystemErrorClass::Permission);
    assert!(!format!("{error:?}").contains("t1-of"), "{error:?}");
    server.assert_played();
}

#[tokio::test]
async fn an_assertion_is_signed_as_the_manifest_says() {
    let rsa = || KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    signed_as(Algorithm::ES256, &KeyPair::generate().unwrap()).await;
    signed_as(Algorithm::RS256, &rsa()).await;
    signed_as(Algorithm::PS256, &rsa()).await;

    // A key that is none says nothing of itself.
    for algorithm in [Algorithm::ES256, Algorithm::RS256] {
        let (_server, url) = Server::start([]).await;
        let broken = authority(&asserting(algorithm), &url, &credentials());
        let error = broken.renew(None).await.unwrap_err();
        assert_eq!(error.class, SystemErrorClass::Reauthorize);
        assert!(!format!("{error:?}").contains("planted-key"));
    }
}

fn asserting(algorithm: Algorithm) -> String {
    format!(
        r#"
auth:
  oauth2_jwt:
    assertion:
      algorithm: {algorithm:?}
      key: "{{credentials.key}}"
      key_id: "{{credentials.hook}}"
      claims: {{ iss: "{{credentials.username}}", aud: "https://login.example/token" }}
      life_seconds: 120
    scopes: [a]
    token: {{ url: "{{settings.url}}/token" }}
"#
    )
}

/// Two assertions with this key, judged by a library that others wrote.
async fn signed_as(algorithm: Algorithm, pair: &KeyPair) {
    let mut with_key = credentials();
    with_key.insert("key".to_owned(), pair.serialize_pem().into());
    let given = || on("POST /token", 200, json!({"access_token": "t1", "expires_in": 3600}));
    let (server, url) = Server::start([given(), given()]).await;
    let authority = authority(&asserting(algorithm), &url, &with_key);
    assert_eq!(authority.grant(), Grant::Assertion);
    authority.renew(None).await.unwrap();
    authority.renew(None).await.unwrap();
    let public = pair.public_key_pem();
    let public = match algorithm {
        Algorithm::ES256 => DecodingKey::from_ec_pem(public.as_bytes()),
        _ => DecodingKey::from_rsa_pem(public.as_bytes()),
    };
    let public = public.unwrap();
    let mut ids = Vec::new();
    for asked in server.asked() {
        let form: Vec<(String, String)> =
            url::form_urlencoded::parse(asked.text.as_bytes()).into_owned().collect();
        assert_eq!(form[0].1, "urn:ietf:params:oauth:grant-type:jwt-bearer");
        assert_eq!(form[2], ("scope".to_owned(), "a".to_owned()));
        let mut rules = Validation::new(algorithm);
        rules.set_audience(&["https://login.example/token"]);
        let claims = decode::<Value>(&form[1].1, &public, &rules).unwrap().claims;
        assert_eq!(claims["iss"], "planted-user");
        let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert_eq!(life, 120);
        assert_eq!(decode_header(&form[1].1).unwrap().kid.as_deref(), Some("planted-hook"));
        ids.push(claims["jti"].clone());
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn the_deployments_own_registration_goes_to_the_vendor_alone_and_its_refusal_is_ours() {
    let refused = on("POST /token", 401, json!({"error": "invalid_client"}));
    let (server, url) = Server::start([refused]).await;
    let yaml = format!(
        "auth:\n  oauth2_client:\n    client: {{ id: \"{{registration.client_id}}\", secret: \
         \"{{registration.client_secret}}\" }}\n    token: {{ url: \"{url}/token\" }}\n"
    );
    let settings = Map::from_iter([("url".to_owned(), json!(url))]);
    let engine = engine(&yaml);
    let error = engine.authority("made-up", &settings, &credentials()).unwrap_err();
    assert!(error.message.contains("MILLWRIGHT_OAUTH_CLIENTS"), "{}", error.message);

    let own =
        Registration { client_id: "us".to_owned(), client_secret: Some("planted-own".into()) };
    let engine = engine.with_registrations(Registrations::of([("made-up".to_owned(), own)].into()));
    let authority = engine.authority("made-up", &settings, &credentials()).unwrap().unwrap();
    let error = authority.renew(None).await.unwrap_err();
    assert_eq!(error.class, SystemErrorClass::Malformed, "logging in again would not help");
    assert!(error.message.contains("own registration"), "{error}");
    assert!(server.asked()[0].headers["authorization"].to_str().unwrap().starts_with("Basic dXM6"));
}
