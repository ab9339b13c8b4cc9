//! The vault over a key file, and over KMS's own wire protocol.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_kms::config::{Credentials, SharedCredentialsProvider};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use millwright_core::{Clock, ExposeSecret, SecretString, WallTime, WorkspaceId};
use millwright_vault::{Sealed, Vault, create_key_file};
use serde_json::{Value, json};
use tempfile::TempDir;

fn local() -> (TempDir, Vault) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.key");
    create_key_file(&path).unwrap();
    let vault = Vault::local(&path).unwrap();
    (folder, vault)
}

fn secret() -> SecretString {
    SecretString::from("hunter2 ünïcode")
}

fn text(sealed: &Sealed) -> String {
    serde_json::to_string(sealed).unwrap()
}

#[tokio::test]
async fn a_secret_comes_back_through_its_text_and_after_a_restart() {
    let (folder, vault) = local();
    let workspace = WorkspaceId::new_at(1);
    let sealed = vault.seal(&workspace, "conn_1", &secret()).await.unwrap();
    let stored = text(&sealed);
    assert!(!stored.contains("hunter2") && !format!("{sealed:?}{vault:?}").contains("hunter2"));
    let read: Sealed = serde_json::from_str(&stored).unwrap();
    let restarted = Vault::local(&folder.path().join("vault.key")).unwrap();
    for vault in [vault, restarted] {
        let opened = vault.open(&workspace, "conn_1", &read).await.unwrap();
        assert_eq!(opened.expose_secret(), secret().expose_secret());
    }
}

#[tokio::test]
async fn a_secret_opens_only_for_its_own_workspace_and_context() {
    let (_folder, vault) = local();
    let (workspace, other) = (WorkspaceId::new_at(1), WorkspaceId::new_at(2));
    let sealed = vault.seal(&workspace, "conn_1", &secret()).await.unwrap();
    assert!(vault.open(&workspace, "conn_2", &sealed).await.is_err());
    assert!(vault.open(&other, "conn_1", &sealed).await.is_err());
    let (_folder, stranger) = local();
    assert!(stranger.open(&workspace, "conn_1", &sealed).await.is_err());
}

#[tokio::test]
async fn the_same_secret_is_sealed_differently_each_time() {
    let (_folder, vault) = local();
    let workspace = WorkspaceId::new_at(1);
    let one = vault.seal(&workspace, "conn_1", &secret()).await.unwrap();
    let two = vault.seal(&workspace, "conn_1", &secret()).await.unwrap();
    assert_ne!(one, two);
}

#[tokio::test]
async fn a_changed_text_does_not_open() {
    let (_folder, vault) = local();
    let workspace = WorkspaceId::new_at(1);
    let whole = text(&vault.seal(&workspace, "conn_1", &secret()).await.unwrap());
    for place in (1..whole.len() - 1).step_by(3) {
        let mut bytes = whole.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        let Ok(sealed) = serde_json::from_str::<Sealed>(&changed) else { continue };
        let error = vault.open(&workspace, "conn_1", &sealed).await;
        assert!(error.is_err(), "changed at {place}");
    }
}

#[test]
fn a_damaged_text_is_told_without_showing_it() {
    for damaged in
        ["", "v1", "v1.a.b.c.d", "v2.AAAA.AAAA.AAAA", "v1.AAAA.AAAA.AAAA", "v1.%.%.%", "v2.x.A.A.A"]
    {
        let error = serde_json::from_value::<Sealed>(json!(damaged)).unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
    }
}

/// A stand-in for KMS: it wraps by writing key and encryption context down in clear, and opens only
/// under the same context.
#[derive(Clone, Default)]
struct FakeKms {
    generated: Arc<AtomicUsize>,
    decrypted: Arc<AtomicUsize>,
}

async fn kms(State(fake): State<FakeKms>, headers: HeaderMap, body: Bytes) -> Response {
    let asked: Value = serde_json::from_slice(&body).unwrap();
    match headers["x-amz-target"].to_str().unwrap() {
        "TrentService.GenerateDataKey" => {
            let number = fake.generated.fetch_add(1, Ordering::SeqCst);
            let key = STANDARD.encode([u8::try_from(number).unwrap() + 1; 32]);
            let by = &asked["KeyId"];
            let wrapped = json!({ "key": key, "by": by, "context": asked["EncryptionContext"] });
            let wrapped = STANDARD.encode(wrapped.to_string());
            json!({ "Plaintext": key, "CiphertextBlob": wrapped }).to_string().into_response()
        }
        "TrentService.Decrypt" => {
            fake.decrypted.fetch_add(1, Ordering::SeqCst);
            let wrapped = STANDARD.decode(asked["CiphertextBlob"].as_str().unwrap()).unwrap();
            let wrapped: Value = serde_json::from_slice(&wrapped).unwrap();
            let refused = if wrapped["by"] != asked["KeyId"] {
                Some("IncorrectKeyException")
            } else {
                let other = wrapped["context"] != asked["EncryptionContext"];
                other.then_some("InvalidCiphertextException")
            };
            if let Some(refused) = refused {
                let refused = json!({ "__type": refused }).to_string();
                return (StatusCode::BAD_REQUEST, refused).into_response();
            }
            json!({ "Plaintext": wrapped["key"] }).to_string().into_response()
        }
        other => panic!("{other}"),
    }
}

async fn aws(fake: FakeKms) -> SdkConfig {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().route("/", post(kms)).with_state(fake);
    tokio::spawn(async move { axum::serve(listener, app).await });
    let credentials = Credentials::new("id", "secret", None, None, "test");
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url(url)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .load()
        .await
}

fn from_kms(aws: &SdkConfig) -> Vault {
    from_keys(aws, "kms:alias/millwright")
}

fn from_keys(aws: &SdkConfig, keys: &str) -> Vault {
    Vault::from_source(&HashMap::from([("MILLWRIGHT_VAULT", keys)]), aws).unwrap()
}

#[tokio::test]
async fn over_kms_a_data_key_serves_many_secrets_and_another_process_unwraps_it_once() {
    let fake = FakeKms::default();
    let aws = aws(fake.clone()).await;
    let (workspace, writer) = (WorkspaceId::new_at(1), from_kms(&aws));
    let mut sealed = Vec::new();
    for context in ["conn_1", "conn_2", "conn_3"] {
        sealed.push((context, writer.seal(&workspace, context, &secret()).await.unwrap()));
    }
    let reader = from_kms(&aws);
    for (context, sealed) in &sealed {
        let opened = reader.open(&workspace, context, sealed).await.unwrap();
        assert_eq!(opened.expose_secret(), secret().expose_secret());
        writer.open(&workspace, context, sealed).await.unwrap();
    }
    assert_eq!(fake.generated.load(Ordering::SeqCst), 1);
    assert_eq!(fake.decrypted.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn kms_is_told_the_workspace_and_refuses_another() {
    let aws = aws(FakeKms::default()).await;
    let vault = from_kms(&aws);
    let sealed = vault.seal(&WorkspaceId::new_at(1), "conn_1", &secret()).await.unwrap();
    let error = vault.open(&WorkspaceId::new_at(2), "conn_1", &sealed).await.unwrap_err();
    assert!(error.to_string().contains("InvalidCiphertext"), "{error}");
    assert!(!error.message.contains("Ciphertext"), "a caller learns nothing: {}", error.message);
}

#[tokio::test]
async fn a_vault_of_another_form_is_refused_by_name() {
    let aws = aws(FakeKms::default()).await;
    for place in ["", "file:", "kms:", "kms:a,", "/etc/key", "vault:x"] {
        let source = HashMap::from([("MILLWRIGHT_VAULT", place)]);
        let line = Vault::from_source(&source, &aws).unwrap_err().to_string();
        assert!(line.contains("MILLWRIGHT_VAULT"), "{line}");
    }
}

/// A key file, and a secret that was sealed over it in the older form, made with libsodium.
const OLD_KEY_FILE: &str =
    "millwright-vault-key-v1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= 630dcd29";
const OLD_SEALED: &str = "v1.\
     AAECAwQFBgcICQoLDA0ODxAREhMUFRYXvuMtXLT3q4kbbQzl53-Gx3t2GpbJ4yvcRyMFjQGQy2a5du5rHegXVoUPvj5OdNqe.\
     GBkaGxwdHh8gISIjJCUmJygpKissLS4v.\
     SAQCt731S4zrBG7PHs-Cj3fkJqN7lzJGhQw9aIVI";

#[tokio::test]
async fn what_was_sealed_before_data_keys_had_an_age_still_opens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.key");
    create_key_file(&path).unwrap();
    std::fs::write(&path, OLD_KEY_FILE).unwrap();
    let vault = Vault::local(&path).unwrap();
    let workspace = "ws_01kzabcdefghjkmnpqrstvwxyz".parse::<WorkspaceId>().unwrap();
    let sealed: Sealed = serde_json::from_value(json!(OLD_SEALED)).unwrap();
    let opened = vault.open(&workspace, "conn_1", &sealed).await.unwrap();
    assert_eq!(opened.expose_secret(), "hunter2 of old");
    assert!(vault.open(&workspace, "conn_2", &sealed).await.is_err());
    let young = vault.reseal(&workspace, "conn_1", &sealed, now()).await.unwrap().unwrap();
    let opened = vault.open(&workspace, "conn_1", &young).await.unwrap();
    assert_eq!(opened.expose_secret(), "hunter2 of old");
}

fn now() -> WallTime {
    Clock::system().wall()
}

/// A time that is certainly after whatever was made before, and has come when this returns.
fn later() -> WallTime {
    std::thread::sleep(std::time::Duration::from_millis(3));
    now()
}

fn wrapped_key(sealed: &Sealed) -> String {
    text(sealed).split('.').nth(2).unwrap().to_owned()
}

#[tokio::test]
async fn a_new_master_key_takes_over_in_a_vault_that_is_in_use() {
    let (folder, vault) = local();
    let path = folder.path().join("vault.key");
    let (workspace, reader) = (WorkspaceId::new_at(1), Vault::local(&path).unwrap());
    let old = vault.seal(&workspace, "conn_1", &secret()).await.unwrap();
    millwright_vault::add_master_key(&path).unwrap();
    let since = later();
    let young = vault.reseal(&workspace, "conn_1", &old, since).await.unwrap().unwrap();
    assert_ne!(wrapped_key(&old), wrapped_key(&young));
    assert_eq!(vault.reseal(&workspace, "conn_1", &young, since).await.unwrap(), None, "twice");
    // One that had been open all the time finds the new key by itself, and reads what is not yet sealed anew.
    for sealed in [&young, &old] {
        let opened = reader.open(&workspace, "conn_1", sealed).await.unwrap();
        assert_eq!(opened.expose_secret(), secret().expose_secret());
    }
    // Without the former key only what was sealed anew opens.
    let lines = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, lines.lines().next().unwrap()).unwrap();
    let later = Vault::local(&path).unwrap();
    later.open(&workspace, "conn_1", &young).await.unwrap();
    assert!(later.open(&workspace, "conn_1", &old).await.is_err());
}

#[tokio::test]
async fn what_is_sealed_anew_stays_bound_to_its_place() {
    let (_folder, vault) = local();
    let (workspace, other) = (WorkspaceId::new_at(1), WorkspaceId::new_at(2));
    let old = vault.seal(&workspace, "conn_1", &secret()).await.unwrap();
    let since = later();
    assert!(vault.reseal(&workspace, "conn_2", &old, since).await.is_err());
    assert!(vault.reseal(&other, "conn_1", &old, since).await.is_err());
    let young = vault.reseal(&workspace, "conn_1", &old, since).await.unwrap().unwrap();
    assert!(vault.open(&workspace, "conn_2", &young).await.is_err());
    assert!(vault.open(&other, "conn_1", &young).await.is_err());
}

#[tokio::test]
async fn over_kms_a_new_key_wraps_and_the_former_one_unwraps_as_long_as_it_is_named() {
    let aws = aws(FakeKms::default()).await;
    let workspace = WorkspaceId::new_at(1);
    let old = from_keys(&aws, "kms:one").seal(&workspace, "conn_1", &secret()).await.unwrap();
    let both = from_keys(&aws, "kms:two,one");
    let opened = both.open(&workspace, "conn_1", &old).await.unwrap();
    assert_eq!(opened.expose_secret(), secret().expose_secret());
    let young = both.reseal(&workspace, "conn_1", &old, later()).await.unwrap().unwrap();
    let alone = from_keys(&aws, "kms:two");
    alone.open(&workspace, "conn_1", &young).await.unwrap();
    let error = alone.open(&workspace, "conn_1", &old).await.unwrap_err();
    assert!(error.to_string().contains("IncorrectKey"), "{error}");
}
