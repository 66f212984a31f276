//! The catalog: what is small and must agree. Operations are in the files of their tables; here is what carries them.
//!
//! # Consistency
//! A write is one transaction, on either database; with SQLite many callers share one. A read sees the last commit.
//!
//! # Crash safety
//! Whoever was answered finds its write after a crash; whoever was not may find it or not.
//!
//! # Cancellation
//! A caller that goes away may leave its write done.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::disk::Disk;

use super::cluster::FORMAT_VERSION;
use super::open_error::OpenError;
use super::options::CatalogOptions;
use super::postgres::Postgres;
use super::session::Session;
use super::sqlite::Sqlite;
use super::storage_error::{StorageError, WriteError};
use super::writer::{Work, call};

/// An open catalog. Cheap to share.
#[derive(Debug, Clone)]
pub struct Catalog {
    backend: Arc<Backend>,
    pub(super) clock: Arc<dyn Clock>,
}

#[derive(Debug)]
enum Backend {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Catalog {
    /// Opens `sqlite://PATH` or `postgres://…`: takes its lock and brings its tables to this version's form.
    pub async fn open(
        url: &str,
        options: &CatalogOptions,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let backend = if let Some(path) = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) {
            Backend::Sqlite(Sqlite::open(&PathBuf::from(path), options, disk, Arc::clone(&clock)).await?)
        } else {
            let refused = || OpenError::Url { url: shown(url) };
            let parsed = url::Url::parse(url).map_err(|_| refused())?;
            if !matches!(parsed.scheme(), "postgres" | "postgresql") {
                return Err(refused());
            }
            Backend::Postgres(Postgres::open(&parsed, options, Arc::clone(&clock)).await?)
        };
        let catalog = Self { backend: Arc::new(backend), clock };
        catalog.refuse_newer(url).await?;
        Ok(catalog)
    }

    async fn refuse_newer(&self, url: &str) -> Result<(), OpenError> {
        let shown = shown(url);
        match self.known_cluster().await {
            Ok(Some(row)) if row.format_version > FORMAT_VERSION => {
                self.close().await;
                Err(OpenError::Newer { catalog: shown, theirs: row.format_version, ours: FORMAT_VERSION })
            }
            Ok(_) => Ok(()),
            Err(source) => {
                self.close().await;
                Err(OpenError::Storage { catalog: shown, source })
            }
        }
    }

    /// This broker has started with that number: with PostgreSQL, no write counts any more once another one has.
    pub(super) fn started(&self, start_number: i64) {
        if let Backend::Postgres(postgres) = self.backend.as_ref() {
            postgres.started(start_number);
        }
    }

    /// Shows false once the lock is lost: then nothing may be acknowledged any more.
    pub fn lock_held(&self) -> Option<watch::Receiver<bool>> {
        match self.backend.as_ref() {
            Backend::Sqlite(_) => None,
            Backend::Postgres(postgres) => Some(postgres.lock_held()),
        }
    }

    /// How many transactions have been committed, where one carries many callers' work.
    pub fn commits(&self) -> Option<u64> {
        match self.backend.as_ref() {
            Backend::Sqlite(sqlite) => Some(sqlite.commits.load(std::sync::atomic::Ordering::Relaxed)),
            Backend::Postgres(_) => None,
        }
    }

    /// Commits what is under way and lets go of the lock.
    pub async fn close(&self) {
        match self.backend.as_ref() {
            Backend::Sqlite(sqlite) => sqlite.close().await,
            Backend::Postgres(postgres) => postgres.close().await,
        }
    }

    /// Runs statements in one transaction.
    pub(super) async fn write<A, T, E>(&self, args: A, work: Work<A, T, E>) -> Result<T, E>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        E: WriteError,
    {
        match self.backend.as_ref() {
            Backend::Sqlite(sqlite) => {
                let (job, answer) = call(args, work);
                sqlite.submit(job).await?;
                answer.await.unwrap_or_else(|_| Err(StorageError::Closed.into()))
            }
            Backend::Postgres(postgres) => postgres.write(&args, work).await,
        }
    }

    /// Runs statements that only read.
    pub(super) async fn read<A, T>(&self, args: A, work: Work<A, T, StorageError>) -> Result<T, StorageError>
    where
        A: Send + Sync,
    {
        match self.backend.as_ref() {
            Backend::Sqlite(sqlite) => {
                let mut connection = sqlite.readers.acquire().await?;
                work(&mut Session::Sqlite(&mut connection), &args).await
            }
            Backend::Postgres(postgres) => {
                let mut connection = postgres.deadline.bound(postgres.pool.acquire()).await?;
                work(&mut Session::Postgres(&mut connection, &postgres.deadline), &args).await
            }
        }
    }
}

/// A URL without what may be secret in it: user, password, parameters.
fn shown(url: &str) -> String {
    let place = url.split('@').next_back().unwrap_or_default();
    place.split('?').next().unwrap_or_default().to_owned()
}
