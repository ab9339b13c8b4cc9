//! A sealed secret as text.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::cipher::Nonce;

/// The form of the text that is written. An older one stays readable.
const VERSION: &str = "v2";
/// The older form, which does not say when its data key was made.
const VERSION_1: &str = "v1";

/// A secret that only the vault can open. It is written as one line of text that holds the version,
/// when the data key was made, the wrapped data key, the nonce and the ciphertext.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sealed {
    /// When the data key was made, in milliseconds since the epoch; nothing in the older form. It is bound
    /// to the ciphertext.
    pub(crate) key_made: Option<i64>,
    pub(crate) wrapped_key: Vec<u8>,
    pub(crate) nonce: Nonce,
    pub(crate) ciphertext: Vec<u8>,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed")
    }
}

impl From<Sealed> for String {
    fn from(sealed: Sealed) -> Self {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let key = text(&sealed.wrapped_key);
        let version = match sealed.key_made {
            Some(made) => format!("{VERSION}.{made}"),
            None => VERSION_1.to_owned(),
        };
        format!("{version}.{key}.{}.{}", text(&sealed.nonce), text(&sealed.ciphertext))
    }
}

impl TryFrom<String> for Sealed {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const DAMAGED: &str = "a sealed secret is damaged";
        let parts: Vec<&str> = text.split('.').collect();
        let (key_made, wrapped_key, nonce, ciphertext) = match parts[..] {
            [VERSION, made, key, nonce, text] => {
                (Some(made.parse().map_err(|_| DAMAGED)?), key, nonce, text)
            }
            [VERSION_1, key, nonce, text] => (None, key, nonce, text),
            _ => return Err(DAMAGED),
        };
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| DAMAGED);
        Ok(Self {
            key_made,
            wrapped_key: bytes(wrapped_key)?,
            nonce: bytes(nonce)?.try_into().map_err(|_| DAMAGED)?,
            ciphertext: bytes(ciphertext)?,
        })
    }
}
