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
use millwright_core::{ExposeSecret, SecretString, WorkspaceId};
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
    for damaged in ["", "v1", "v1.a.b.c.d", "v2.AAAA.AAAA.AAAA", "v1.AAAA.AAAA.AAAA", "v1.%.%.%"] {
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
    assert_eq!(asked["KeyId"], "alias/millwright");
    match headers["x-amz-target"].to_str().unwrap() {
        "TrentService.GenerateDataKey" => {
            let number = fake.generated.fetch_add(1, Ordering::SeqCst);
            let key = STANDARD.encode([u8::try_from(number).unwrap() + 1; 32]);
            let wrapped = json!({ "key": key, "context": asked["EncryptionContext"] });
            let wrapped = STANDARD.encode(wrapped.to_string());
            json!({ "Plaintext": key, "CiphertextBlob": wrapped }).to_string().into_response()
        }
        "TrentService.Decrypt" => {
            fake.decrypted.fetch_add(1, Ordering::SeqCst);
            let wrapped = STANDARD.decode(asked["CiphertextBlob"].as_str().unwrap()).unwrap();
            let wrapped: Value = serde_json::from_slice(&wrapped).unwrap();
            if wrapped["context"] != asked["EncryptionContext"] {
                let refused = json!({ "__type": "InvalidCiphertextException" }).to_string();
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
    let source = HashMap::from([("MILLWRIGHT_VAULT", "kms:alias/millwright")]);
    Vault::from_source(&source, aws).unwrap()
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
    for place in ["", "file:", "kms:", "/etc/key", "vault:x"] {
        let source = HashMap::from([("MILLWRIGHT_VAULT", place)]);
        let line = Vault::from_source(&source, &aws).unwrap_err().to_string();
        assert!(line.contains("MILLWRIGHT_VAULT"), "{line}");
    }
}
