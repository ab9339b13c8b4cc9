//! The master key of one machine: a file that only its owner may read.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use millwright_core::{config::ConfigError, sha256_hex};
use zeroize::Zeroizing;

use crate::cipher::{KEY_LENGTH, KeyBytes};

/// The variable that names the vault.
pub(crate) const VARIABLE: &str = "MILLWRIGHT_VAULT";
/// The first word of the file.
const FORM: &str = "millwright-vault-key-v1";
const OWNER_ONLY: u32 = 0o600;

/// Makes a key file at `path`, readable by its owner alone. A file that is there already is never
/// replaced: without it, nothing that was sealed can be opened again. The file appears whole or not
/// at all, even when the machine stops in between.
///
/// # Errors
/// `AlreadyExists` when there is one; else what the file system says.
pub fn create_key_file(path: &Path) -> io::Result<()> {
    let mut key = Zeroizing::new([0; KEY_LENGTH]);
    getrandom::fill(&mut *key).map_err(io::Error::other)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    write_whole(&temporary, &text_of(&key))?;
    // A link, unlike a rename, fails when the name is taken.
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    linked?;
    File::open(folder)?.sync_all()
}

fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(OWNER_ONLY).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn text_of(key: &KeyBytes) -> Zeroizing<String> {
    Zeroizing::new(format!("{FORM} {} {}\n", STANDARD.encode(**key), checksum(key)))
}

fn checksum(key: &KeyBytes) -> String {
    sha256_hex(&**key)[..8].to_owned()
}

/// Reads a key file.
///
/// # Errors
/// When it cannot be read, others may read it, or it is damaged.
pub(crate) fn read_key_file(path: &Path) -> Result<KeyBytes, ConfigError> {
    let unusable = |why: String| ConfigError::Invalid {
        name: VARIABLE,
        value: format!("file:{}", path.display()),
        why,
    };
    let unreadable = |e: io::Error| unusable(format!("the key file cannot be read: {e}"));
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        let why = "others may read the key file; let its owner alone (chmod 600)";
        return Err(unusable(why.to_owned()));
    }
    let text = Zeroizing::new(fs::read(path).map_err(unreadable)?);
    key_of(&text).ok_or_else(|| {
        unusable("the key file is damaged; put back the copy from your backup".to_owned())
    })
}

fn key_of(text: &[u8]) -> Option<KeyBytes> {
    let mut words = std::str::from_utf8(text).ok()?.split_ascii_whitespace();
    let (form, key, sum) = (words.next()?, words.next()?, words.next()?);
    let bytes = Zeroizing::new(STANDARD.decode(key).ok()?);
    let key: KeyBytes = Zeroizing::new(bytes.as_slice().try_into().ok()?);
    let whole = form == FORM && sum == checksum(&key) && words.next().is_none();
    whole.then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_made_once_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.key");
        create_key_file(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, OWNER_ONLY);
        let key = read_key_file(&path).unwrap();
        assert_eq!(create_key_file(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(*read_key_file(&path).unwrap(), *key);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_key_file_is_one_clear_line_that_does_not_show_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.key");
        create_key_file(&path).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        let flipped = whole.replacen(' ', " A", 1);
        for damaged in ["", &whole[..whole.len() / 2], "not a key", &flipped] {
            fs::write(&path, damaged).unwrap();
            let line = read_key_file(&path).unwrap_err().to_string();
            assert!(line.contains("damaged") && line.contains("vault.key"), "{line}");
            assert!(!line.contains('\n') && !line.contains(FORM), "{line}");
        }
    }

    #[test]
    fn a_key_file_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.key");
        create_key_file(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(read_key_file(&path).unwrap_err().to_string().contains("chmod 600"));
        let missing = read_key_file(&folder.path().join("none")).unwrap_err();
        assert!(missing.to_string().contains("cannot be read"));
    }
}
