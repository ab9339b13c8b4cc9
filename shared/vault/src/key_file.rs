//! The master keys of one machine: a file that only its owner may read. Its first line is the key that
//! wraps; those below it are former ones, which still unwrap.

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
    write_whole(&temporary, text_of(&key).as_bytes())?;
    // A link, unlike a rename, fails when the name is taken.
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    linked?;
    File::open(folder)?.sync_all()
}

/// Puts a new master key before those of a key file. What they sealed stays readable; a vault that is in
/// use finds the new one by itself. The file is replaced whole or not at all.
///
/// # Errors
/// When the file cannot be read, is damaged or cannot be replaced.
pub fn add_master_key(path: &Path) -> io::Result<()> {
    // A damaged file is told by its own words, and not made worse.
    read_key_file(path).map_err(io::Error::other)?;
    let mut key = Zeroizing::new([0; KEY_LENGTH]);
    getrandom::fill(&mut *key).map_err(io::Error::other)?;
    let former = Zeroizing::new(fs::read(path)?);
    let whole = Zeroizing::new([text_of(&key).as_bytes(), &former].concat());
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    write_whole(&temporary, &whole)?;
    fs::rename(&temporary, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn write_whole(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(OWNER_ONLY).open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

fn text_of(key: &KeyBytes) -> Zeroizing<String> {
    Zeroizing::new(format!("{FORM} {} {}\n", STANDARD.encode(**key), checksum(key)))
}

fn checksum(key: &KeyBytes) -> String {
    sha256_hex(&**key)[..8].to_owned()
}

/// Reads a key file: its keys, the one that wraps first.
///
/// # Errors
/// When it cannot be read, others may read it, or it is damaged.
pub(crate) fn read_key_file(path: &Path) -> Result<Vec<KeyBytes>, ConfigError> {
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
    keys_of(&text).ok_or_else(|| {
        unusable("the key file is damaged; put back the copy from your backup".to_owned())
    })
}

fn keys_of(text: &[u8]) -> Option<Vec<KeyBytes>> {
    let lines = std::str::from_utf8(text).ok()?.lines();
    let keys: Vec<KeyBytes> = lines.map(key_of).collect::<Option<_>>()?;
    (!keys.is_empty()).then_some(keys)
}

fn key_of(line: &str) -> Option<KeyBytes> {
    let mut words = line.split_ascii_whitespace();
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
        assert_eq!(read_key_file(&path).unwrap(), key);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_new_master_key_comes_first_and_the_former_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.key");
        create_key_file(&path).unwrap();
        let first = read_key_file(&path).unwrap();
        add_master_key(&path).unwrap();
        add_master_key(&path).unwrap();
        let keys = read_key_file(&path).unwrap();
        assert_eq!((keys.len(), &keys[2]), (3, &first[0]));
        assert!(keys[0] != keys[1] && keys[1] != keys[2]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, OWNER_ONLY);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        fs::write(&path, "nonsense").unwrap();
        assert!(add_master_key(&path).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "nonsense");
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
