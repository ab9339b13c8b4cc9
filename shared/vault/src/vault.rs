//! Sealing and opening.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aws_config::SdkConfig;
use aws_sdk_kms::Client;
use millwright_core::{
    Clock, Error, ExposeSecret, Result, SecretString, WallTime, WorkspaceId,
    config::{ConfigError, Source, required},
};

use crate::{
    Sealed,
    cipher::{bound_to, decrypt, encrypt},
    key_file::VARIABLE,
    wrapping::{DataKey, KeyFile, Wrapping},
};

/// How long a data key seals, and is used before the master key is asked again: a withdrawn permission takes
/// effect within this time.
const KEY_LIFE: Duration = Duration::from_secs(3600);
/// How many data keys are kept in memory.
const KEYS_MAX: usize = 1000;

/// The vault. Clones share the data keys in memory.
#[derive(Clone)]
pub struct Vault {
    wrapping: Wrapping,
    clock: Clock,
    keys: Arc<Mutex<Keys>>,
}

/// The data keys in memory, wiped as they are dropped.
#[derive(Default)]
struct Keys {
    /// By workspace and wrapped form: to open with.
    known: HashMap<(WorkspaceId, Vec<u8>), (Instant, Arc<DataKey>)>,
    /// By workspace: to seal with.
    current: HashMap<WorkspaceId, Current>,
}

/// A key that seals.
#[derive(Clone)]
struct Current {
    since: Instant,
    /// When it was made, in milliseconds since the epoch.
    made: i64,
    key: Arc<DataKey>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.wrapping {
            Wrapping::Local(_) => "local",
            Wrapping::Kms { .. } => "kms",
        };
        write!(f, "Vault({kind})")
    }
}

impl Vault {
    /// A vault whose master keys are in a file made by [`crate::create_key_file`].
    ///
    /// # Errors
    /// When the file cannot be read, others may read it, or it is damaged.
    pub fn local(path: &Path) -> Result<Self, ConfigError> {
        Ok(Self::new(Wrapping::Local(KeyFile::read(path)?)))
    }

    /// A vault whose master keys are in KMS: the first of them wraps, all of them unwrap.
    #[must_use]
    pub fn kms(client: Client, key_ids: Vec<String>) -> Self {
        Self::new(Wrapping::Kms { client, key_ids })
    }

    /// The vault that `MILLWRIGHT_VAULT` names: `file:/path`, or `kms:` and the id, ARN or alias of
    /// a key, which is reached as `aws` says; after commas, former keys that only unwrap.
    ///
    /// # Errors
    /// When the variable is not set or of another form, or the key file is not usable.
    pub fn from_source(source: &impl Source, aws: &SdkConfig) -> Result<Self, ConfigError> {
        let text = required(source, VARIABLE)?;
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Self::local(&PathBuf::from(path)),
            Some(("kms", keys)) if keys.split(',').all(|key| !key.is_empty()) => {
                Ok(Self::kms(Client::new(aws), keys.split(',').map(str::to_owned).collect()))
            }
            _ => Err(ConfigError::Invalid {
                name: VARIABLE,
                value: text,
                why: "it must be file:/path or kms:KEY[,FORMER KEY...]".to_owned(),
            }),
        }
    }

    fn new(wrapping: Wrapping) -> Self {
        Self { wrapping, keys: Arc::default(), clock: Clock::system() }
    }

    /// Seals a secret for one context of a workspace: the id of what it belongs to.
    ///
    /// # Errors
    /// When the master key cannot be used.
    pub async fn seal(
        &self,
        workspace: &WorkspaceId,
        context: &str,
        secret: &SecretString,
    ) -> Result<Sealed> {
        let current = self.sealing_key(workspace, i64::MIN).await?;
        self.seal_with(&current, workspace, context, secret)
    }

    /// The same secret sealed under a younger data key, unless its own was made at `since` or later:
    /// then there is nothing to do. The new key is wrapped by the present master key.
    ///
    /// # Errors
    /// As [`Self::open`] and [`Self::seal`].
    pub async fn reseal(
        &self,
        workspace: &WorkspaceId,
        context: &str,
        sealed: &Sealed,
        since: WallTime,
    ) -> Result<Option<Sealed>> {
        if sealed.key_made.is_some_and(|made| made >= since.millis()) {
            return Ok(None);
        }
        let secret = self.open(workspace, context, sealed).await?;
        let current = self.sealing_key(workspace, since.millis()).await?;
        self.seal_with(&current, workspace, context, &secret).map(Some)
    }

    fn seal_with(
        &self,
        current: &Current,
        workspace: &WorkspaceId,
        context: &str,
        secret: &SecretString,
    ) -> Result<Sealed> {
        let key_made = Some(current.made);
        let aad = bound(workspace, context, key_made);
        let bytes = secret.expose_secret().as_bytes();
        let (nonce, ciphertext) = encrypt(&current.key.plain, &aad, bytes)?;
        Ok(Sealed { key_made, wrapped_key: current.key.wrapped.clone(), nonce, ciphertext })
    }

    /// Opens a secret that was sealed for the same workspace and context.
    ///
    /// # Errors
    /// When it was sealed for another, was changed, or the master key cannot be used.
    pub async fn open(
        &self,
        workspace: &WorkspaceId,
        context: &str,
        sealed: &Sealed,
    ) -> Result<SecretString> {
        let key = self.opening_key(workspace, &sealed.wrapped_key).await?;
        let aad = bound(workspace, context, sealed.key_made);
        let plain = decrypt(&key.plain, sealed.nonce, &aad, &sealed.ciphertext)?;
        let text = std::str::from_utf8(&plain).map_err(|e| Error::internal(e.to_string()))?;
        Ok(SecretString::from(text))
    }

    /// The key that seals; a new one when it is used up or was made before `since` (in milliseconds).
    async fn sealing_key(&self, workspace: &WorkspaceId, since: i64) -> Result<Current> {
        let present = self.with_keys(|keys| keys.current.get(workspace).cloned());
        if let Some(current) = present
            && current.since.elapsed() < KEY_LIFE
            && current.made >= since
        {
            return Ok(current);
        }
        // Before it is made: it is never older than it says.
        let made = self.clock.wall().millis();
        let key = Arc::new(self.wrapping.generate(workspace).await?);
        let current = Current { since: Instant::now(), made, key };
        self.with_keys(|keys| {
            keys.remember(workspace, &current.key);
            keys.current.insert(workspace.clone(), current.clone());
        });
        Ok(current)
    }

    async fn opening_key(&self, workspace: &WorkspaceId, wrapped: &[u8]) -> Result<Arc<DataKey>> {
        let name = (workspace.clone(), wrapped.to_vec());
        if let Some(key) = self.with_keys(|keys| fresh(keys.known.get(&name))) {
            return Ok(key);
        }
        let key = Arc::new(self.wrapping.unwrap(workspace, wrapped).await?);
        self.with_keys(|keys| keys.remember(workspace, &key));
        Ok(key)
    }

    fn with_keys<R>(&self, act: impl FnOnce(&mut Keys) -> R) -> R {
        // The maps are whole even if a thread panicked while it held them: every step is one call.
        act(&mut self.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Keys {
    fn remember(&mut self, workspace: &WorkspaceId, key: &Arc<DataKey>) {
        if self.known.len() >= KEYS_MAX {
            self.known.clear();
            self.current.clear();
        }
        let name = (workspace.clone(), key.wrapped.clone());
        self.known.insert(name, (Instant::now(), Arc::clone(key)));
    }
}

fn fresh(entry: Option<&(Instant, Arc<DataKey>)>) -> Option<Arc<DataKey>> {
    entry.filter(|(since, _)| since.elapsed() < KEY_LIFE).map(|(_, key)| Arc::clone(key))
}

/// What a ciphertext is bound to: workspace, context and, but for the older form, the age of its key.
fn bound(workspace: &WorkspaceId, context: &str, key_made: Option<i64>) -> Vec<u8> {
    match key_made {
        None => bound_to(&["secret", workspace.as_str(), context]),
        Some(made) => bound_to(&["secret", workspace.as_str(), context, &made.to_string()]),
    }
}
