//! The master keys: they make data keys and unwrap them.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use aws_sdk_kms::{Client, primitives::Blob, types::DataKeySpec};
use millwright_core::{Error, WorkspaceId, config::ConfigError};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    cipher::{KeyBytes, NONCE_LENGTH, bound_to, decrypt, encrypt, random},
    key_file::read_key_file,
};

/// The name under which KMS is told the workspace.
const CONTEXT_NAME: &str = "workspace";

/// A data key: as it is used, and as it is stored.
#[derive(Debug)]
pub(crate) struct DataKey {
    pub(crate) plain: KeyBytes,
    pub(crate) wrapped: Vec<u8>,
}

/// Who holds the master keys: the first wraps, all of them unwrap.
#[derive(Clone)]
pub(crate) enum Wrapping {
    /// This process, from a key file.
    Local(KeyFile),
    /// KMS: the first of these keys, or the one that has wrapped.
    Kms { client: Client, key_ids: Vec<String> },
}

/// The master keys of a file, read again when it may have got a new one.
#[derive(Clone)]
pub(crate) struct KeyFile {
    path: PathBuf,
    keys: Arc<Mutex<Vec<KeyBytes>>>,
}

impl KeyFile {
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let keys = read_key_file(path)?;
        Ok(Self { path: path.to_owned(), keys: Arc::new(Mutex::new(keys)) })
    }

    /// The keys as they were last read.
    fn known(&self) -> Vec<KeyBytes> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keys as they stand in the file now; as they were, when it cannot be read.
    fn now(&self) -> Vec<KeyBytes> {
        match read_key_file(&self.path) {
            Ok(keys) => self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&keys),
            Err(error) => tracing::error!(%error, "the key file cannot be read again"),
        }
        self.known()
    }
}

impl Wrapping {
    /// A new data key for a workspace.
    pub(crate) async fn generate(
        &self,
        workspace: &WorkspaceId,
    ) -> millwright_core::Result<DataKey> {
        match self {
            Self::Local(file) => {
                let keys = file.now();
                let master = keys.first().ok_or_else(|| Error::internal("no master key"))?;
                let plain: KeyBytes = Zeroizing::new(random()?);
                let (nonce, sealed) = encrypt(master, &local_context(workspace), &*plain)?;
                Ok(DataKey { plain, wrapped: [nonce.as_slice(), &sealed].concat() })
            }
            Self::Kms { client, key_ids } => {
                let answer = client
                    .generate_data_key()
                    .set_key_id(key_ids.first().cloned())
                    .key_spec(DataKeySpec::Aes256)
                    .encryption_context(CONTEXT_NAME, workspace.as_str())
                    .send()
                    .await
                    .map_err(|e| kms_failed(e.into()))?;
                let wrapped = answer.ciphertext_blob.map(Blob::into_inner).unwrap_or_default();
                Ok(DataKey { plain: key_from(answer.plaintext)?, wrapped })
            }
        }
    }

    /// The data key that `wrapped` holds, if it is that workspace's.
    pub(crate) async fn unwrap(
        &self,
        workspace: &WorkspaceId,
        wrapped: &[u8],
    ) -> millwright_core::Result<DataKey> {
        let plain = match self {
            Self::Local(file) => {
                let found = unwrap_with(&file.known(), workspace, wrapped);
                // It may have been wrapped by a key that the file has got since.
                found.or_else(|_| unwrap_with(&file.now(), workspace, wrapped))?
            }
            Self::Kms { client, key_ids } => {
                unwrap_by_kms(client, key_ids, workspace, wrapped).await?
            }
        };
        Ok(DataKey { plain, wrapped: wrapped.to_vec() })
    }
}

/// With the one of these keys that fits: no other opens it.
fn unwrap_with(
    keys: &[KeyBytes],
    workspace: &WorkspaceId,
    wrapped: &[u8],
) -> millwright_core::Result<KeyBytes> {
    let (nonce, sealed) = wrapped
        .split_first_chunk::<NONCE_LENGTH>()
        .ok_or_else(|| Error::internal("a wrapped key is too short"))?;
    let mut outcome = Err(Error::internal("no master key"));
    for master in keys {
        outcome = decrypt(master, *nonce, &local_context(workspace), sealed);
        if outcome.is_ok() {
            break;
        }
    }
    key_of(&outcome?)
}

/// Only by keys that are named: what somebody else's key has wrapped is not taken.
async fn unwrap_by_kms(
    client: &Client,
    key_ids: &[String],
    workspace: &WorkspaceId,
    wrapped: &[u8],
) -> millwright_core::Result<KeyBytes> {
    let mut outcome = Err(Error::internal("no master key"));
    for key_id in key_ids {
        let answer = client
            .decrypt()
            .key_id(key_id)
            .ciphertext_blob(Blob::new(wrapped))
            .encryption_context(CONTEXT_NAME, workspace.as_str())
            .send()
            .await;
        match answer.map_err(aws_sdk_kms::Error::from) {
            Ok(answer) => return key_from(answer.plaintext),
            Err(other @ aws_sdk_kms::Error::IncorrectKeyException(_)) => {
                outcome = Err(kms_failed(other));
            }
            Err(error) => return Err(kms_failed(error)),
        }
    }
    outcome
}

fn local_context(workspace: &WorkspaceId) -> Vec<u8> {
    bound_to(&["data key", workspace.as_str()])
}

fn key_from(plaintext: Option<Blob>) -> millwright_core::Result<KeyBytes> {
    let mut bytes = plaintext.map(Blob::into_inner).unwrap_or_default();
    let key = key_of(&bytes);
    bytes.zeroize();
    key
}

fn key_of(bytes: &[u8]) -> millwright_core::Result<KeyBytes> {
    let key = bytes.try_into().map_err(|_| Error::internal("a data key has a wrong length"))?;
    Ok(Zeroizing::new(key))
}

fn kms_failed(error: aws_sdk_kms::Error) -> Error {
    Error::internal(Box::new(error))
}
