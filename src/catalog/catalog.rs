//! The catalog: what is small and must agree. Operations are in the files of their tables; here is what carries them.
//!
//! # Consistency
//! A write is one transaction, on either database; with SQLite many callers share one. A read sees the last commit.
//!
//! # Crash safety
//! Whoever was answered finds its write after a crash; whoever was not may find it or not.
//!
//! # Cancellation
//! A caller that goes away may leave its write done. While the broker stops everybody goes away after a few seconds.

use std::cmp::Ordering;
use std::path::PathBuf;
use std::sync::Arc;

use futures::FutureExt as _;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::disk::Disk;

use super::open_error::OpenError;
use super::options::CatalogOptions;
use super::postgres::{self, Postgres};
use super::session::Session;
use super::sqlite::{self, Sqlite};
use super::stop_bound::{STOP_WAITS, StopBound};
use super::storage_error::{StorageError, WriteError};
use super::writer::{Work, call};

/// The version of everything that a catalog and a bucket agree on.
pub const FORMAT_VERSION: i64 = 1;

/// An open catalog. Cheap to share.
#[derive(Debug, Clone)]
pub struct Catalog {
    backend: Arc<Backend>,
    stop_bound: Arc<StopBound>,
    pub(super) clock: Arc<dyn Clock>,
    /// The next write is made, and its answer is lost.
    #[cfg(test)]
    lose_answer: Arc<std::sync::atomic::AtomicBool>,
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
        let backend = match place(url)? {
            Place::File(path) => Backend::Sqlite(Sqlite::open(&path, options, disk, Arc::clone(&clock)).await?),
            Place::Server(url) => Backend::Postgres(Postgres::open(&url, options, Arc::clone(&clock)).await?),
        };
        let catalog = Self::of(backend, clock);
        catalog.refuse_newer(url).await?;
        Ok(catalog)
    }

    /// Opens a catalog only to look into it, whether or not a broker has it: it takes no lock and changes nothing, and
    /// whatever would write is refused.
    pub async fn open_to_read(
        url: &str,
        options: &CatalogOptions,
        disk: &dyn Disk,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let backend = match place(url)? {
            Place::File(path) => Backend::Sqlite(Sqlite::open_to_read(&path, options, disk).await?),
            Place::Server(url) => Backend::Postgres(Postgres::open_to_read(&url, options, Arc::clone(&clock)).await?),
        };
        let catalog = Self::of(backend, clock);
        if let Err(error) = catalog.expect_our_form(url).await {
            catalog.close().await;
            return Err(error);
        }
        catalog.refuse_newer(url).await?;
        Ok(catalog)
    }

    fn of(backend: Backend, clock: Arc<dyn Clock>) -> Self {
        Self {
            backend: Arc::new(backend),
            stop_bound: Arc::default(),
            clock,
            #[cfg(test)]
            lose_answer: Arc::default(),
        }
    }

    /// The next write is made, and whoever asked for it does not learn that.
    #[cfg(test)]
    pub(crate) fn lose_next_answer(&self) {
        self.lose_answer.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    /// The tables have this version's form: nobody brings them to it here.
    async fn expect_our_form(&self, url: &str) -> Result<(), OpenError> {
        let migrations = match self.backend.as_ref() {
            Backend::Sqlite(_) => &sqlite::MIGRATIONS,
            Backend::Postgres(_) => &postgres::MIGRATIONS,
        };
        let ours = migrations.iter().map(|migration| migration.version).max().unwrap_or_default();
        let version = self.read((), |session, ()| {
            async move {
                let row = session.row("SELECT max(version) AS version FROM _sqlx_migrations", &[]).await?;
                row.map(|row| row.maybe_int("version")).transpose()
            }
            .boxed()
        });
        let catalog = shown(url);
        let theirs = match version.await {
            Ok(version) => version.flatten().unwrap_or_default(),
            Err(source) => return Err(OpenError::Storage { catalog, source }),
        };
        match theirs.cmp(&ours) {
            Ordering::Less => Err(OpenError::Older { catalog, theirs, ours }),
            Ordering::Equal => Ok(()),
            Ordering::Greater => Err(OpenError::Newer { catalog, theirs, ours }),
        }
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

    /// Shows false once the lock is lost: then nothing may be acknowledged any more. A file's lock lasts as long as the
    /// process.
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

    /// From now on nobody waits longer than a few seconds: the broker stops, and another process may have locked the
    /// database, or its server may be away.
    pub fn begin_stop(&self) {
        self.stop_bound.begin();
    }

    /// Commits what is under way and lets go of the lock.
    pub async fn close(&self) {
        let closing = Box::pin(async {
            match self.backend.as_ref() {
                Backend::Sqlite(sqlite) => sqlite.close().await,
                Backend::Postgres(postgres) => postgres.close().await,
            }
        });
        if self.stop_bound.bound(self.clock.as_ref(), closing).await.is_none() {
            tracing::warn!("the catalog was not closed: a start finds its last commits, as after a crash");
        }
    }

    /// Runs statements in one transaction.
    pub(super) async fn write<A, T, E>(&self, args: A, work: Work<A, T, E>) -> Result<T, E>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
        E: WriteError,
    {
        // Boxed: whoever asks for something would carry all that asking takes.
        let writing = Box::pin(async {
            match self.backend.as_ref() {
                Backend::Sqlite(sqlite) => {
                    let (job, answer) = call(args, work);
                    sqlite.submit(job).await?;
                    answer.await.unwrap_or_else(|_| Err(StorageError::Closed.into()))
                }
                Backend::Postgres(postgres) => postgres.write(&args, work).await,
            }
        });
        let answer = self.stop_bound.bound(self.clock.as_ref(), writing).await.unwrap_or_else(|| {
            Err(StorageError::OutcomeUnknown("it did not answer, and the broker stops".to_owned()).into())
        });
        #[cfg(test)]
        if answer.is_ok() && self.lose_answer.swap(false, std::sync::atomic::Ordering::Relaxed) {
            return Err(StorageError::OutcomeUnknown("the answer was lost".to_owned()).into());
        }
        answer
    }

    /// Runs statements that only read.
    pub(super) async fn read<A, T>(&self, args: A, work: Work<A, T, StorageError>) -> Result<T, StorageError>
    where
        A: Send + Sync,
    {
        let reading = Box::pin(async {
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
        });
        let answer = self.stop_bound.bound(self.clock.as_ref(), reading).await;
        answer.unwrap_or_else(|| Err(StorageError::TimedOut(STOP_WAITS.as_millis())))
    }
}

/// Where a catalog is.
enum Place {
    File(PathBuf),
    Server(url::Url),
}

/// Whether `url` could name a catalog; asks nobody.
pub fn check_url(url: &str) -> Result<(), OpenError> {
    place(url).map(drop)
}

fn place(url: &str) -> Result<Place, OpenError> {
    let refused = || OpenError::Url { url: shown(url) };
    if let Some(path) = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) {
        return if path.is_empty() { Err(refused()) } else { Ok(Place::File(PathBuf::from(path))) };
    }
    let parsed = url::Url::parse(url).map_err(|_| refused())?;
    if matches!(parsed.scheme(), "postgres" | "postgresql") { Ok(Place::Server(parsed)) } else { Err(refused()) }
}

/// A URL without what may be secret in it: user, password, parameters.
fn shown(url: &str) -> String {
    let place = url.split('@').next_back().unwrap_or_default();
    place.split('?').next().unwrap_or_default().to_owned()
}
