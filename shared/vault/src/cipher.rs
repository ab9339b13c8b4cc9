//! Authenticated encryption with one key.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use millwright_core::{Error, Result};
use zeroize::Zeroizing;

/// The length of a nonce, in bytes.
pub(crate) const NONCE_LENGTH: usize = 24;
/// The length of a key, in bytes.
pub(crate) const KEY_LENGTH: usize = 32;

/// A key. It is wiped when it is dropped.
pub(crate) type KeyBytes = Zeroizing<[u8; KEY_LENGTH]>;
/// A nonce. Drawn by chance from 192 bits, none comes twice under a key.
pub(crate) type Nonce = [u8; NONCE_LENGTH];

/// Bytes from the operating system's random source.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| Error::internal(e.to_string()))?;
    Ok(bytes)
}

/// What a ciphertext is bound to: the parts, each preceded by its length so that no two lists are
/// the same bytes.
pub(crate) fn bound_to(parts: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

/// Encrypts under a fresh nonce.
pub(crate) fn encrypt(key: &KeyBytes, aad: &[u8], msg: &[u8]) -> Result<(Nonce, Vec<u8>)> {
    let nonce: Nonce = random()?;
    let sealed = XChaCha20Poly1305::new((&**key).into())
        .encrypt(&XNonce::from(nonce), Payload { msg, aad })
        .map_err(|_| Error::internal("a secret cannot be encrypted"))?;
    Ok((nonce, sealed))
}

/// Decrypts, or fails when key, nonce, ciphertext and associated data do not belong together.
pub(crate) fn decrypt(
    key: &KeyBytes,
    nonce: Nonce,
    aad: &[u8],
    msg: &[u8],
) -> Result<Zeroizing<Vec<u8>>> {
    XChaCha20Poly1305::new((&**key).into())
        .decrypt(&XNonce::from(nonce), Payload { msg, aad })
        .map(Zeroizing::new)
        .map_err(|_| Error::internal("a sealed secret does not open: it was changed or moved"))
}
