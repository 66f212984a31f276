//! An empty bucket of each kind, and ways to open it.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use tempfile::TempDir;
use tidelog::clock::{Clock, SystemClock};
use tidelog::disk::RealDisk;
use tidelog::object_storage::options::{S3Keys, S3Options};
use tidelog::object_storage::{Bucket, BucketOptions, MemoryStore, OpenError, key};
use ulid::Ulid;

use crate::in_process::Server;

/// What S3 asks of every part but the last.
pub const PART_BYTES: usize = 5 * 1024 * 1024;

/// A bucket for one test.
pub struct Home {
    pub url: String,
    /// What belongs to the kind.
    options: BucketOptions,
    memory: Option<Arc<MemoryStore>>,
    _folder: Option<TempDir>,
    server: Option<Server>,
}

impl Home {
    fn at(url: String) -> Self {
        let mut options = BucketOptions::default();
        options.upload.part_bytes = PART_BYTES;
        options.retry.pause_first = Duration::from_millis(2);
        Self { url, options, memory: None, _folder: None, server: None }
    }

    pub fn memory() -> Self {
        Self { memory: Some(Arc::new(MemoryStore::new())), ..Self::at("memory://".to_owned()) }
    }

    pub fn folder() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("file://{}", folder.path().display());
        Self { _folder: Some(folder), ..Self::at(url) }
    }

    /// An S3 server in this process, over a folder.
    pub async fn in_process() -> Self {
        let server = Server::start().await;
        let mut home = Self::at(format!("s3://{}/some/prefix", server.bucket));
        home.options.s3 = server.options();
        Self { server: Some(server), ..home }
    }

    /// The server that the environment names; `None`, and a word about it, where it names none.
    pub fn server() -> Option<Self> {
        let Ok(url) = std::env::var("TIDELOG_TEST_S3") else {
            eprintln!("skipped: TIDELOG_TEST_S3 names no bucket (localstack/s3 starts a server and says how)");
            return None;
        };
        let url = format!("{}/{}", url.trim_end_matches('/'), Ulid(rand::random()));
        Some(Self::at(url))
    }

    /// How the in-process server is reached.
    pub fn s3(&self) -> &S3Options {
        &self.options.s3
    }

    pub fn in_process_server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    pub fn is_in_process(&self) -> bool {
        self.server.is_some()
    }

    pub fn options(&self) -> BucketOptions {
        self.options.clone()
    }

    pub async fn try_open(&self, options: BucketOptions, clock: Arc<dyn Clock>) -> Result<Bucket, OpenError> {
        match &self.memory {
            Some(store) => Ok(Bucket::from_store(Arc::<MemoryStore>::clone(store), options, clock)),
            None => Bucket::open(&self.url, options, RealDisk::shared(), clock).await,
        }
    }

    pub async fn open_with(&self, change: impl FnOnce(&mut BucketOptions)) -> Bucket {
        let mut options = self.options();
        change(&mut options);
        self.try_open(options, SystemClock::shared()).await.unwrap()
    }

    pub async fn open(&self) -> Bucket {
        self.open_with(|_| {}).await
    }

    /// Removes what the test wrote.
    pub async fn clear(&self) {
        let bucket = self.open().await;
        let listed: Vec<_> = bucket.list(&key::all()).try_collect().await.unwrap();
        let removals = futures::stream::iter(listed.into_iter().map(|object| {
            let bucket = bucket.clone();
            async move { bucket.delete(&object.key).await }
        }));
        removals.buffer_unordered(16).try_collect::<Vec<_>>().await.unwrap();
    }
}

/// Keys that every server of these tests takes.
pub fn keys() -> S3Keys {
    S3Keys { access_key_id: "tidelog".to_owned(), secret_access_key: "tidelog-secret".to_owned(), session_token: None }
}

/// Bytes that look random and are the same every time.
pub fn bytes(length: usize, seed: u64) -> bytes::Bytes {
    use rand::rngs::StdRng;
    use rand::{RngCore as _, SeedableRng as _};
    let mut bytes = vec![0; length];
    StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes.into()
}
