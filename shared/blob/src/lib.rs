//! Bodies too large for a row: an S3 bucket, or a folder on one machine.

mod links;

use std::{fmt, path::Path as FilePath, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use links::Links;
use millwright_core::{
    Error, PublicUrl, Result, WallTime,
    config::{ConfigError, Source, required},
};
use object_store::{
    ObjectStore, ObjectStoreExt, PutPayload, WriteMultipart, aws::AmazonS3Builder,
    local::LocalFileSystem, path::Path, prefix::PrefixStore,
};

const VARIABLE: &str = "MILLWRIGHT_BLOB";
/// From this size on a body is sent in parts of it: the least that S3 takes ("Amazon S3 multipart upload
/// limits").
const PART: usize = 5 * 1024 * 1024;
/// What says how S3 is reached, beside what Lambda itself sets.
const AWS_VARIABLES: [&str; 6] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ALLOW_HTTP",
];

/// Named bodies. A name is a path of parts with slashes between; the first part is the workspace.
/// Clones share one client.
#[derive(Clone)]
pub struct Blob {
    store: Arc<dyn ObjectStore>,
    links: Arc<Links>,
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({})", self.store)
    }
}

impl Blob {
    /// What `MILLWRIGHT_BLOB` names: `file:/path` (made when it is missing) or
    /// `s3://bucket/prefix`, with credentials and region from the usual AWS variables.
    ///
    /// # Errors
    /// When the variable is not set or of another form, or the folder cannot be made.
    pub fn from_source(source: &impl Source) -> Result<Self, ConfigError> {
        let text = required(source, VARIABLE)?;
        let invalid =
            |why: String| ConfigError::Invalid { name: VARIABLE, value: text.clone(), why };
        if let Some(folder) = text.strip_prefix("file:").filter(|path| !path.is_empty()) {
            return Self::folder(FilePath::new(folder)).map_err(|e| invalid(e.to_string()));
        }
        let Some(place) = text.strip_prefix("s3://").filter(|place| !place.is_empty()) else {
            return Err(invalid("it must be file:/path or s3://bucket/prefix".to_owned()));
        };
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let builder =
            AWS_VARIABLES.into_iter().fold(AmazonS3Builder::from_env(), |builder, name| {
                match (source.text(name), name.to_ascii_lowercase().parse()) {
                    (Some(value), Ok(key)) => builder.with_config(key, value),
                    _ => builder,
                }
            });
        let bucket =
            builder.with_bucket_name(bucket).build().map_err(|e| invalid(e.to_string()))?;
        let prefix = Path::from(prefix);
        let links = Links::Bucket { bucket: bucket.clone(), prefix: prefix.clone() };
        Ok(Self { store: Arc::new(PrefixStore::new(bucket, prefix)), links: Arc::new(links) })
    }

    /// A folder, made when it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn folder(path: &FilePath) -> std::io::Result<Self> {
        std::fs::create_dir_all(path)?;
        let folder = LocalFileSystem::new_with_prefix(path).map_err(std::io::Error::other)?;
        // A body is acknowledged to whoever sent it, so it must survive what the table survives.
        let links = Arc::new(Links::of_folder(path)?);
        Ok(Self { store: Arc::new(folder.with_fsync(true)), links })
    }

    /// Puts a body, whole or not at all, in place of one that was there.
    ///
    /// # Errors
    /// When the name cannot be one, or the store fails.
    pub async fn put(&self, path: &str, body: Bytes) -> Result<()> {
        self.store.put(&location(path)?, body.into()).await.map(drop).map_err(Error::internal)
    }

    /// The same with a body in pieces, which are taken as they can be sent on: no more than some five
    /// megabytes of them are held, however large the body is.
    ///
    /// # Errors
    /// When the name cannot be one, or the store fails.
    pub async fn put_pieces(
        &self,
        path: &str,
        pieces: impl IntoIterator<Item = Bytes, IntoIter: Send>,
    ) -> Result<()> {
        let (place, mut pieces) = (location(path)?, pieces.into_iter());
        let (mut first, mut size) = (Vec::new(), 0);
        while size < PART
            && let Some(piece) = pieces.next()
        {
            size += piece.len();
            first.push(piece);
        }
        if size < PART {
            let body = PutPayload::from_iter(first);
            return self.store.put(&place, body).await.map(drop).map_err(Error::internal);
        }
        let upload = self.store.put_multipart(&place).await.map_err(Error::internal)?;
        let mut parts = WriteMultipart::new_with_chunk_size(upload, PART);
        for piece in first.into_iter().chain(pieces) {
            // A part is sent before the next is filled: memory holds one.
            parts.wait_for_capacity(1).await.map_err(Error::internal)?;
            parts.put(piece);
        }
        // Parts of an upload that comes to no end are for the bucket to remove (`template.yaml`).
        parts.finish().await.map(drop).map_err(Error::internal)
    }

    /// Gets a body as it comes, in pieces of any size, if there is one.
    ///
    /// # Errors
    /// When the store fails; each piece also when it fails then.
    pub async fn pieces(
        &self,
        path: &str,
    ) -> Result<Option<impl Stream<Item = Result<Bytes>> + Unpin + Send + use<>>> {
        match self.store.get(&location(path)?).await {
            Ok(found) => Ok(Some(found.into_stream().map_err(Error::internal))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(Error::internal(error)),
        }
    }

    /// Gets a body, if there is one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn get(&self, path: &str) -> Result<Option<Bytes>> {
        match self.store.get(&location(path)?).await {
            Ok(found) => found.bytes().await.map(Some).map_err(Error::internal),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(Error::internal(error)),
        }
    }

    /// Deletes a body; one that is not there is fine.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete(&self, path: &str) -> Result<()> {
        match self.store.delete(&location(path)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Error::internal(error)),
        }
    }

    /// An address at which anybody can fetch a body until `now + term`: the bucket's own, or, for a
    /// folder, below `public_url`, where [`Self::open_link`] answers. On AWS it also ends with the
    /// credentials of the function that signed it, some hours later.
    ///
    /// # Errors
    /// When the name cannot be one, or it cannot be signed.
    pub async fn link(
        &self,
        path: &str,
        public_url: &PublicUrl,
        now: WallTime,
        term: Duration,
    ) -> Result<String> {
        self.links.sign(&location(path)?, public_url, now + term, term).await
    }

    /// The body that the last part of a folder's link leads to.
    ///
    /// # Errors
    /// `NOT_FOUND` for what was never signed here, has ended, or leads to what is gone.
    pub async fn open_link(&self, token: &str, now: WallTime) -> Result<Bytes> {
        let gone = || Error::not_found("file");
        let path = self.links.open(token, now).ok_or_else(gone)?;
        self.get(&path).await?.ok_or_else(gone)
    }

    /// The names of the folders right below `prefix`, in order.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn folders(&self, prefix: &str) -> Result<Vec<String>> {
        let listed = self.store.list_with_delimiter(Some(&location(prefix)?)).await;
        let listed = listed.map_err(Error::internal)?;
        let names = listed.common_prefixes.iter().filter_map(|path| path.filename());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Deletes every body below `prefix`, which stands for whole parts of a name: `a/b` reaches
    /// `a/b/c` and not `a/bc`.
    ///
    /// # Errors
    /// When the store fails; some of them may be gone.
    pub async fn delete_all(&self, prefix: &str) -> Result<()> {
        let mut found = self.store.list(Some(&location(prefix)?));
        while let Some(object) = found.try_next().await.map_err(Error::internal)? {
            self.delete(object.location.as_ref()).await?;
        }
        Ok(())
    }
}

/// A name as the store writes it. Parts such as `..` are refused rather than resolved.
fn location(path: &str) -> Result<Path> {
    Path::parse(path).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn blob() -> (tempfile::TempDir, Blob) {
        let folder = tempfile::tempdir().unwrap();
        let place = format!("file:{}/new/deep", folder.path().display());
        let blob = Blob::from_source(&HashMap::from([(VARIABLE, place.as_str())])).unwrap();
        (folder, blob)
    }

    #[tokio::test]
    async fn a_body_comes_back_as_it_was_and_is_gone_after_delete() {
        let (_folder, blob) = blob();
        assert_eq!(blob.get("ws_1/messages/msg_1").await.unwrap(), None);
        blob.put("ws_1/messages/msg_1", Bytes::from_static(b"one")).await.unwrap();
        blob.put("ws_1/messages/msg_1", Bytes::from_static(b"two")).await.unwrap();
        assert_eq!(blob.get("ws_1/messages/msg_1").await.unwrap().unwrap(), "two");
        blob.delete("ws_1/messages/msg_1").await.unwrap();
        blob.delete("ws_1/messages/msg_1").await.unwrap();
        assert_eq!(blob.get("ws_1/messages/msg_1").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_body_in_pieces_comes_back_whole_however_large_it_is() {
        let (_folder, blob) = blob();
        for size in [0, 1, PART - 1, PART, PART + 1, 3 * PART + 7] {
            let body: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            let pieces: Vec<Bytes> = body.chunks(60_000).map(Bytes::copy_from_slice).collect();
            blob.put_pieces("ws_1/prints", pieces).await.unwrap();
            assert!(blob.get("ws_1/prints").await.unwrap().unwrap() == body, "{size}");
        }
    }

    #[tokio::test]
    async fn deleting_all_below_a_prefix_leaves_what_only_begins_alike() {
        let (_folder, blob) = blob();
        for path in ["ws_1/a/x", "ws_1/a/y/z", "ws_1/ab/x"] {
            blob.put(path, Bytes::from_static(b"body")).await.unwrap();
        }
        assert_eq!(blob.folders("ws_1").await.unwrap(), ["a", "ab"]);
        assert_eq!(blob.folders("ws_1/a").await.unwrap(), ["y"]);
        assert!(blob.folders("ws_2").await.unwrap().is_empty());
        blob.delete_all("ws_1/a").await.unwrap();
        assert_eq!(blob.get("ws_1/a/x").await.unwrap(), None);
        assert_eq!(blob.get("ws_1/a/y/z").await.unwrap(), None);
        assert!(blob.get("ws_1/ab/x").await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_name_that_leaves_the_folder_is_refused() {
        let (_folder, blob) = blob();
        for path in ["../secret", "ws_1/../../secret", "ws_1//x"] {
            assert!(blob.put(path, Bytes::new()).await.is_err(), "{path}");
            assert!(blob.get(path).await.is_err(), "{path}");
        }
    }

    #[tokio::test]
    async fn a_link_of_a_folder_leads_to_one_body_until_its_end() {
        let (folder, blob) = blob();
        blob.put("ws_1/export/a", Bytes::from_static(b"one")).await.unwrap();
        let (url, now) = (PublicUrl::new("http://127.0.0.1:1"), WallTime::from_millis(5_000));
        let term = Duration::from_secs(60);
        let link = blob.link("ws_1/export/a", &url, now, term).await.unwrap();
        let token = link.strip_prefix("http://127.0.0.1:1/files/").unwrap();
        assert_eq!(blob.open_link(token, now).await.unwrap(), "one");
        // Whoever opens the same folder knows the same links.
        let place = format!("file:{}/new/deep", folder.path().display());
        let again = Blob::from_source(&HashMap::from([(VARIABLE, place.as_str())])).unwrap();
        assert_eq!(again.open_link(token, now + term).await.unwrap(), "one");
        let late = blob.open_link(token, now + term + Duration::from_millis(1)).await;
        assert_eq!(late.unwrap_err().code, millwright_core::ErrorCode::NotFound);
        let (what, mac) = token.split_once('.').unwrap();
        let other = blob.link("ws_1/export/b", &url, now, term).await.unwrap();
        let (other_what, other_mac) = other.rsplit('/').next().unwrap().split_once('.').unwrap();
        for forged in [
            format!("{what}.{other_mac}"),
            format!("{other_what}.{mac}"),
            what.to_owned(),
            String::new(),
            ".".to_owned(),
        ] {
            assert!(blob.open_link(&forged, now).await.is_err(), "{forged}");
        }
    }

    #[tokio::test]
    async fn a_link_of_a_bucket_is_its_own_and_signed() {
        let blob = Blob::from_source(&HashMap::from([
            (VARIABLE, "s3://a-bucket/blobs"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "example"),
            ("AWS_REGION", "eu-central-1"),
        ]))
        .unwrap();
        let url = PublicUrl::new("https://api.example.com");
        let now = WallTime::from_millis(5_000);
        let link = blob.link("ws_1/export/a", &url, now, Duration::from_secs(60)).await.unwrap();
        assert!(link.contains("/a-bucket/blobs/ws_1/export/a?"), "{link}");
        assert!(link.contains("X-Amz-Signature=") && link.contains("X-Amz-Expires=60"), "{link}");
        assert!(blob.open_link("x.y", now).await.is_err());
    }

    #[test]
    fn another_kind_of_place_is_refused_by_name() {
        for place in ["", "file:", "s3://", "/tmp/x", "gs://bucket"] {
            let refused = Blob::from_source(&HashMap::from([(VARIABLE, place)])).unwrap_err();
            assert!(refused.to_string().contains(VARIABLE), "{refused}");
        }
    }
}
