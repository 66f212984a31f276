//! SQLite: one file beside the logs, one writer, a few readers.
//!
//! # Consistency
//! WAL with `synchronous=FULL`: a commit is on stable storage before anyone is answered, and readers see the last commit,
//! those of another process too.
//!
//! # Crash safety
//! The lock is the operating system's and goes with the process. After a crash the last commits lie in the `-wal` beside the
//! file; a clean stop leaves the file alone.
//!
//! # Cancellation
//! As for every write of the catalog: one that was handed over may be made without its caller.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::disk::{Disk, LockFile, LockRefused, parent_of, with_suffix};

use super::open_error::OpenError;
use super::options::CatalogOptions;
use super::reserve::Reserve;
use super::storage_error::StorageError;
use super::writer::{Job, QUEUE_JOBS_MAX, Writer};

pub(super) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");

/// An open SQLite catalog.
#[derive(Debug)]
pub(super) struct Sqlite {
    pub(super) readers: SqlitePool,
    pub(super) queue: mpsc::Sender<Box<dyn Job>>,
    pub(super) closing: CancellationToken,
    pub(super) writer: parking_lot::Mutex<Option<JoinHandle<()>>>,
    /// Transactions so far: what a benchmark compares with callers.
    pub(super) commits: Arc<AtomicU64>,
}

impl Sqlite {
    pub(super) async fn open(
        path: &Path,
        options: &CatalogOptions,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let shown = path.display().to_string();
        disk.create_dir_all_durable(parent_of(path)).map_err(|error| lock_error(path, error))?;
        // By whatever name it is opened, one file has one lock.
        let path = &real_path(path).map_err(|error| lock_error(path, error))?;
        let lock = lock(disk.as_ref(), path, options)?;
        let storage = |source: sqlx::Error| OpenError::Storage { catalog: shown.clone(), source: source.into() };
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .disable_statement_logging();
        let mut connection = connect.connect().await.map_err(storage)?;
        MIGRATIONS.run(&mut connection).await.map_err(|error| OpenError::of_migration(&shown, &MIGRATIONS, &error))?;
        // A new file is real once its folder is synced.
        disk.sync_dir(parent_of(path)).map_err(|error| storage(error.into()))?;
        connection.close().await.map_err(storage)?;
        let readers = readers(connect.clone(), options).await.map_err(storage)?;
        let (queue, jobs) = mpsc::channel(QUEUE_JOBS_MAX);
        let closing = CancellationToken::new();
        let commits = Arc::new(AtomicU64::new(0));
        let reserve = Reserve::open(disk, clock, &with_suffix(path, ".reserve"), options.reserve_bytes);
        let writer = Writer {
            options: connect,
            connection: None,
            queue: jobs,
            readers: readers.clone(),
            reserve: Arc::new(reserve),
            commits: Arc::clone(&commits),
            closing: closing.clone(),
            lock: Arc::new(lock),
        };
        let writer = parking_lot::Mutex::new(Some(tokio::spawn(writer.run())));
        Ok(Self { readers, queue, closing, writer, commits })
    }

    /// Opens a catalog to look into it, beside a broker that may have it: no lock, no writer, nothing changed.
    pub(super) async fn open_to_read(
        path: &Path,
        options: &CatalogOptions,
        disk: &dyn Disk,
    ) -> Result<Self, OpenError> {
        let catalog = path.display().to_string();
        match disk.try_exists(path) {
            Ok(true) => {}
            Ok(false) => return Err(OpenError::Missing { catalog }),
            Err(error) => return Err(OpenError::Storage { catalog, source: sqlx::Error::from(error).into() }),
        }
        let connect = SqliteConnectOptions::new().filename(path).disable_statement_logging();
        let readers = readers(connect, options)
            .await
            .map_err(|error: sqlx::Error| OpenError::Storage { catalog, source: error.into() })?;
        // Nobody takes from this queue: every write is refused.
        let (queue, _) = mpsc::channel(1);
        let writer = parking_lot::Mutex::new(None);
        Ok(Self { readers, queue, closing: CancellationToken::new(), writer, commits: Arc::default() })
    }

    pub(super) async fn submit(&self, job: Box<dyn Job>) -> Result<(), StorageError> {
        self.queue.send(job).await.map_err(|_| StorageError::Closed)
    }

    /// Commits what is queued and lets go of the lock.
    pub(super) async fn close(&self) {
        self.closing.cancel();
        let writer = self.writer.lock().take();
        if let Some(writer) = writer
            && writer.await.is_err()
        {
            tracing::error!("the catalog's writer panicked");
        }
        self.readers.close().await;
    }
}

async fn readers(connect: SqliteConnectOptions, options: &CatalogOptions) -> Result<SqlitePool, sqlx::Error> {
    let connect = connect.read_only(true).create_if_missing(false);
    SqlitePoolOptions::new().max_connections(options.connections).connect_with(connect).await
}

fn real_path(path: &Path) -> io::Result<PathBuf> {
    match std::fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = path.file_name().ok_or(error)?;
            Ok(std::fs::canonicalize(parent_of(path))?.join(name))
        }
        found => found,
    }
}

fn lock_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::Lock { path: with_suffix(path, ".lock").display().to_string(), source }
}

fn lock(disk: &dyn Disk, path: &Path, options: &CatalogOptions) -> Result<LockFile, OpenError> {
    LockFile::take(disk, &with_suffix(path, ".lock"), &options.holder).map_err(|refused| match refused {
        LockRefused::Held(holder) => OpenError::InUse { catalog: path.display().to_string(), holder },
        LockRefused::Io(source) => lock_error(path, source),
    })
}
