//! Opening a data folder.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use millwright_vault::{Vault, create_key_file};

use super::{ClockKeeper, DataError};

/// The version of the layout that this program writes.
const FORMAT: u32 = 1;
/// The master keys' file.
pub const VAULT_KEY: &str = "vault.key";
const OWNER_ONLY: u32 = 0o600;
const OWNER_ONLY_FOLDER: u32 = 0o700;

/// A data folder that no other process uses as long as this value lives.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    /// Held, and never read again.
    _lock: File,
}

impl DataFolder {
    /// Opens a folder, made when it is missing. A folder that cannot be used is left as it is.
    ///
    /// # Errors
    /// One line that says what to do.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        check_format(path)?;
        make_folder(path)?;
        let path = path.canonicalize().map_err(DataError::io(path))?;
        let lock = lock(&path)?;
        // Again: the folder may have been another's until now.
        check_format(&path)?;
        let folder = Self { path, _lock: lock };
        if !folder.file("format").exists() {
            // It may have been made by somebody with other habits.
            let owner_only = Permissions::from_mode(OWNER_ONLY_FOLDER);
            fs::set_permissions(&folder.path, owner_only).map_err(DataError::io(&folder.path))?;
        }
        folder.prepare_key()?;
        make_folder(&folder.blobs())?;
        write_whole(&folder.file("format"), format!("{FORMAT}\n").as_bytes())?;
        Ok(folder)
    }

    /// Opens a folder that has data. Any other is left as it is, or as it is not.
    ///
    /// # Errors
    /// One line that says what to do.
    pub fn open_existing(path: &Path) -> Result<Self, DataError> {
        if !path.join("format").exists() {
            return Err(DataError::Missing { folder: path.to_owned() });
        }
        Self::open(path)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tables' file.
    #[must_use]
    pub fn tables(&self) -> PathBuf {
        self.file("dynamo.sqlite")
    }

    /// The queues' file.
    #[must_use]
    pub fn queues(&self) -> PathBuf {
        self.file("queue.sqlite")
    }

    /// The folder of large bodies.
    #[must_use]
    pub fn blobs(&self) -> PathBuf {
        self.file("blobs")
    }

    /// The master key's file.
    #[must_use]
    pub fn vault_key(&self) -> PathBuf {
        self.file(VAULT_KEY)
    }

    /// The schedule clock, going on from where it stood, `speed` times as fast as the wall clock.
    ///
    /// # Errors
    /// When its file is damaged or cannot be written.
    pub fn clock(&self, speed: f64) -> Result<ClockKeeper, DataError> {
        ClockKeeper::open(self.file("clock"), speed)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A key is made for an empty folder only: a folder with data and no key has lost its key, and a new
    /// one would not open anything.
    fn prepare_key(&self) -> Result<(), DataError> {
        let key = self.vault_key();
        if !key.exists() {
            if self.tables().exists() {
                let why = "is missing, and the stored credentials cannot be read without it; put \
                           back the copy from your backup";
                return Err(DataError::damaged(&key, why));
            }
            create_key_file(&key).map_err(DataError::io(&key))?;
        }
        Vault::local(&key).map(drop).map_err(|error| match error {
            millwright_core::config::ConfigError::Invalid { why, .. } => {
                DataError::damaged(&key, why)
            }
            other => DataError::damaged(&key, other.to_string()),
        })
    }
}

/// Refuses what a newer program or somebody else wrote. What does not exist or is empty is fine.
fn check_format(folder: &Path) -> Result<(), DataError> {
    let file = folder.join("format");
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return check_ours(folder),
        Err(error) => return Err(DataError::Io { file, error }),
    };
    let why = "is damaged; put back the copy from your backup";
    let found: u32 = text.trim().parse().map_err(|_| DataError::damaged(&file, why))?;
    if found > FORMAT {
        return Err(DataError::Newer { folder: folder.to_owned(), found, known: FORMAT });
    }
    Ok(())
}

/// A folder without a format may only hold what a first start that was cut short leaves behind.
fn check_ours(folder: &Path) -> Result<(), DataError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(DataError::Io { file: folder.to_owned(), error }),
    };
    for entry in entries {
        let name = entry.map_err(DataError::io(folder))?.file_name();
        let name = name.to_string_lossy();
        let ours = ["lock", "vault.", "blobs", "format"].iter().any(|ours| name.starts_with(ours));
        if !ours {
            return Err(DataError::Foreign { folder: folder.to_owned() });
        }
    }
    Ok(())
}

fn make_folder(path: &Path) -> Result<(), DataError> {
    let made = DirBuilder::new().recursive(true).mode(OWNER_ONLY_FOLDER).create(path);
    made.map_err(DataError::io(path))
}

fn lock(folder: &Path) -> Result<File, DataError> {
    let path = folder.join("lock");
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(OWNER_ONLY);
    let mut file = options.open(&path).map_err(DataError::io(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // Only to say more; the lock itself has said enough.
            let _ = file.read_to_string(&mut text);
            let process = text.trim().parse().ok();
            return Err(DataError::InUse { folder: folder.to_owned(), process });
        }
        Err(TryLockError::Error(error)) => return Err(DataError::Io { file: path, error }),
    }
    let written = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
    written.map_err(DataError::io(&path))?;
    Ok(file)
}

/// Replaces a file, whole or not at all.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let temporary = path.with_extension("new");
    let write = || {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(OWNER_ONLY);
        let mut file = options.open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(DataError::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_folder_and_its_key_are_their_owners_alone() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("deep/data");
        let folder = DataFolder::open(&path).unwrap();
        assert_eq!(mode(folder.path()), 0o700);
        assert_eq!(mode(&folder.vault_key()), 0o600);
        assert_eq!(mode(&folder.blobs()), 0o700);
        drop(folder);
        DataFolder::open(&path).unwrap();
    }

    #[test]
    fn a_folder_is_used_by_one_process_which_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let _folder = DataFolder::open(&path).unwrap();
        let line = DataFolder::open(&path).unwrap_err().to_string();
        assert!(line.contains(&format!("process {}", std::process::id())), "{line}");
        assert!(!line.contains('\n'));
    }

    #[test]
    fn a_newer_folder_is_refused_and_left_as_it_is() {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join("format"), "2\n").unwrap();
        let line = DataFolder::open(parent.path()).unwrap_err().to_string();
        assert!(line.contains("newer") && line.contains("format 2"), "{line}");
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    }

    #[test]
    fn somebody_elses_folder_is_refused_and_left_as_it_is() {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join("thesis.txt"), "").unwrap();
        let error = DataFolder::open(parent.path()).unwrap_err();
        assert!(matches!(error, DataError::Foreign { .. }));
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_without_data_can_be_refused_and_is_left_as_it_is() {
        let parent = tempfile::tempdir().unwrap();
        for path in [parent.path().to_owned(), parent.path().join("none")] {
            let line = DataFolder::open_existing(&path).unwrap_err().to_string();
            assert!(line.starts_with(&format!("no millwright data in {}", path.display())));
        }
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
        DataFolder::open(parent.path()).unwrap();
        DataFolder::open_existing(parent.path()).unwrap();
    }

    #[test]
    fn a_first_start_that_was_cut_short_is_gone_on_with() {
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(parent.path()).unwrap();
        fs::remove_file(folder.file("format")).unwrap();
        drop(folder);
        DataFolder::open(parent.path()).unwrap();
    }

    #[test]
    fn a_damaged_or_missing_key_is_one_line_that_names_its_file() {
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(parent.path()).unwrap();
        let (key, tables) = (folder.vault_key(), folder.tables());
        drop(folder);
        fs::write(&key, "nonsense").unwrap();
        let line = DataFolder::open(parent.path()).unwrap_err().to_string();
        assert!(line.contains("vault.key") && line.contains("damaged"), "{line}");
        fs::remove_file(&key).unwrap();
        fs::write(&tables, "").unwrap();
        let line = DataFolder::open(parent.path()).unwrap_err().to_string();
        assert!(line.contains("vault.key") && line.contains("missing"), "{line}");
        assert!(!key.exists());
    }
}
