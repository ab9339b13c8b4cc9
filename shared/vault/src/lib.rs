//! Secrets at rest, by envelope encryption.
//!
//! Each workspace's secrets are encrypted with data keys of its own (XChaCha20-Poly1305, a random
//! nonce each time). The data key itself lies beside the secret, wrapped by a master key: KMS on
//! AWS, a key file of mode 0600 on one machine. Workspace and context (the id of what the secret
//! belongs to) are bound in as associated data, so a secret copied to another row cannot be opened
//! there; KMS gets the workspace as encryption context besides, which its own log shows.

mod cipher;
mod key_file;
mod sealed;
mod vault;
mod wrapping;

pub use key_file::{add_master_key, create_key_file};
pub use sealed::Sealed;
pub use vault::Vault;
