//! Addresses at which a body can be fetched without a key, for a while.

use std::{
    fs, io, io::Write, os::unix::fs::OpenOptionsExt, path::Path as FilePath, time::Duration,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use millwright_core::{Error, PublicUrl, Result, WallTime};
use object_store::{aws::AmazonS3, path::Path, signer::Signer};
use sha2::Sha256;

/// The file in a folder that holds what its links are signed with.
const KEY_FILE: &str = ".links.key";
const KEY_BYTES: usize = 32;

/// Who signs.
pub(crate) enum Links {
    /// The bucket's own signatures.
    Bucket { bucket: AmazonS3, prefix: Path },
    /// A key that lies in the folder, and that every process on it knows.
    Folder([u8; KEY_BYTES]),
}

impl Links {
    /// Those of a folder. Its key is made once, readable for its owner alone.
    pub fn of_folder(folder: &FilePath) -> io::Result<Self> {
        let place = folder.join(KEY_FILE);
        if !place.exists() {
            make_key(folder, &place)?;
        }
        let key = fs::read(&place)?.try_into();
        key.map(Self::Folder).map_err(|_| io::Error::other("the key of links is damaged"))
    }

    /// The address of a body, good until `end`.
    pub async fn sign(
        &self,
        path: &Path,
        public_url: &PublicUrl,
        end: WallTime,
        term: Duration,
    ) -> Result<String> {
        match self {
            Self::Bucket { bucket, prefix } => {
                let whole: Path = prefix.parts().chain(path.parts()).collect();
                let signed = bucket.signed_url(http::Method::GET, &whole, term).await;
                signed.map(String::from).map_err(Error::internal)
            }
            Self::Folder(key) => {
                let what = format!("{}:{path}", end.millis());
                let mac = mac_of(key, &what)?.finalize().into_bytes();
                let token = format!("{}.{}", BASE64.encode(&what), BASE64.encode(mac));
                Ok(public_url.at(&format!("/files/{token}")))
            }
        }
    }

    /// The name of the body that a folder's link leads to, if it was signed here and holds still.
    pub fn open(&self, token: &str, now: WallTime) -> Option<String> {
        let Self::Folder(key) = self else { return None };
        let (what, mac) = token.split_once('.')?;
        let what = String::from_utf8(BASE64.decode(what).ok()?).ok()?;
        let mac = BASE64.decode(mac).ok()?;
        mac_of(key, &what).ok()?.verify_slice(&mac).ok()?;
        let (end, path) = what.split_once(':')?;
        (now.millis() <= end.parse().ok()?).then(|| path.to_owned())
    }
}

fn mac_of(key: &[u8], what: &str) -> Result<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(Error::internal)?;
    mac.update(what.as_bytes());
    Ok(mac)
}

/// Makes the key in one step, so that nobody reads half of it; whoever is first has made it.
fn make_key(folder: &FilePath, place: &FilePath) -> io::Result<()> {
    let mut key = [0_u8; KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let mut name = [0_u8; 8];
    getrandom::fill(&mut name).map_err(io::Error::other)?;
    let draft = folder.join(format!("{KEY_FILE}.{}", u64::from_be_bytes(name)));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(&key)?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, place);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
