//! The master key: it makes data keys and unwraps them.

use aws_sdk_kms::{Client, primitives::Blob, types::DataKeySpec};
use millwright_core::{Error, Result, WorkspaceId};
use zeroize::{Zeroize, Zeroizing};

use crate::cipher::{KeyBytes, NONCE_LENGTH, bound_to, decrypt, encrypt, random};

/// The name under which KMS is told the workspace.
const CONTEXT_NAME: &str = "workspace";

/// A data key: as it is used, and as it is stored.
#[derive(Debug)]
pub(crate) struct DataKey {
    pub(crate) plain: KeyBytes,
    pub(crate) wrapped: Vec<u8>,
}

/// Who holds the master key.
#[derive(Clone)]
pub(crate) enum Wrapping {
    /// This process, from a key file.
    Local(KeyBytes),
    /// KMS.
    Kms { client: Client, key_id: String },
}

impl Wrapping {
    /// A new data key for a workspace.
    pub(crate) async fn generate(&self, workspace: &WorkspaceId) -> Result<DataKey> {
        match self {
            Self::Local(master) => {
                let plain: KeyBytes = Zeroizing::new(random()?);
                let (nonce, sealed) = encrypt(master, &local_context(workspace), &*plain)?;
                Ok(DataKey { plain, wrapped: [nonce.as_slice(), &sealed].concat() })
            }
            Self::Kms { client, key_id } => {
                let answer = client
                    .generate_data_key()
                    .key_id(key_id)
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
    pub(crate) async fn unwrap(&self, workspace: &WorkspaceId, wrapped: &[u8]) -> Result<DataKey> {
        let plain = match self {
            Self::Local(master) => {
                let (nonce, sealed) = wrapped
                    .split_first_chunk::<NONCE_LENGTH>()
                    .ok_or_else(|| Error::internal("a wrapped key is too short"))?;
                let bytes = decrypt(master, *nonce, &local_context(workspace), sealed)?;
                key_of(&bytes)?
            }
            Self::Kms { client, key_id } => {
                let answer = client
                    .decrypt()
                    .key_id(key_id)
                    .ciphertext_blob(Blob::new(wrapped))
                    .encryption_context(CONTEXT_NAME, workspace.as_str())
                    .send()
                    .await
                    .map_err(|e| kms_failed(e.into()))?;
                key_from(answer.plaintext)?
            }
        };
        Ok(DataKey { plain, wrapped: wrapped.to_vec() })
    }
}

fn local_context(workspace: &WorkspaceId) -> Vec<u8> {
    bound_to(&["data key", workspace.as_str()])
}

fn key_from(plaintext: Option<Blob>) -> Result<KeyBytes> {
    let mut bytes = plaintext.map(Blob::into_inner).unwrap_or_default();
    let key = key_of(&bytes);
    bytes.zeroize();
    key
}

fn key_of(bytes: &[u8]) -> Result<KeyBytes> {
    let key = bytes.try_into().map_err(|_| Error::internal("a data key has a wrong length"))?;
    Ok(Zeroizing::new(key))
}

fn kms_failed(error: aws_sdk_kms::Error) -> Error {
    Error::internal(Box::new(error))
}
