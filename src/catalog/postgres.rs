//! PostgreSQL: a pool for statements, one connection of its own for the lock.
//!
//! # Consistency
//! Every write is one transaction. The advisory lock keeps a second broker out; what is left to do is to keep one that has
//! lost the lock without knowing from writing on. Each write therefore reads the start number first and holds it to the
//! commit: a broker that starts waits for what is under way, and whoever is not the last that started commits nothing.
//!
//! # Crash safety
//! The lock ends with its connection. Commits are the server's.
//!
//! The end of that connection is seen as soon as this machine is told of it, which it is whenever the server, or its
//! machine's kernel, ends the session. A network that falls silent is noticed when the next question goes unanswered:
//! [`ASK_EVERY`] and the statement's timeout later. The server keeps such a session, and the lock, until its own keep-alive
//! gives up; it must not do so sooner.
//!
//! # Cancellation
//! A transaction whose caller goes away is undone, unless its commit was sent already.
//!
//! # Retries
//! A transaction that the server undid because it clashed with another is run again, a few times. Nothing else is: a
//! caller that hears of an unknown outcome has to look.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use sqlx::{Acquire as _, ConnectOptions as _, Connection as _, PgConnection, Row as _};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

use super::metrics;
use super::open_error::OpenError;
use super::options::CatalogOptions;
use super::session::{Deadline, Session};
use super::storage_error::{StorageError, WriteError};
use super::writer::{Verdict, Work, verdict};

pub(super) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

/// The advisory lock's number: "tidelog" in ASCII.
const LOCK: i64 = 0x0074_6964_656c_6f67;
/// Times that a transaction is run that clashes with others.
const ATTEMPTS_MAX: u32 = 5;
const LAST_STARTED: &str = "SELECT start_number FROM clusters WHERE singleton = 1 FOR SHARE";
/// Times that a lock which is held is asked for, and the pause between: the session of a broker that has just ended may
/// outlive it for a moment.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE_SECONDS: f64 = 0.1;
/// How often the lock's connection is asked whether it lives.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// An open PostgreSQL catalog.
#[derive(Debug)]
pub(super) struct Postgres {
    pub(super) pool: PgPool,
    pub(super) deadline: Deadline,
    lock: Arc<watch::Sender<bool>>,
    /// Of this broker; 0 before it has one.
    start_number: AtomicI64,
    closing: CancellationToken,
    keeper: parking_lot::Mutex<Option<JoinHandle<()>>>,
}

impl Postgres {
    pub(super) async fn open(
        url: &url::Url,
        options: &CatalogOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let catalog = without_password(url);
        let deadline = Deadline { clock, statement: options.statement_timeout };
        let storage = |source: StorageError| OpenError::Storage { catalog: catalog.clone(), source };
        let connect = connecting(url, options)?;
        // A pool waits for a server that refuses; a connection alone says so at once.
        let plain = deadline.bound(connect.connect()).await.map_err(storage)?;
        deadline.bound(plain.close()).await.map_err(storage)?;
        let mut keeper = Keeper::connect(connect.clone(), &deadline).await.map_err(storage)?;
        let session = keeper.listener.acquire().await.map_err(|error| storage(error.into()))?;
        take_lock(&mut *session, &deadline, &catalog).await?;
        MIGRATIONS.run(&mut *session).await.map_err(|error| OpenError::of_migration(&catalog, &MIGRATIONS, &error))?;
        let pool = pool(connect, options, &deadline).await.map_err(storage)?;
        let lock = Arc::new(watch::Sender::new(true));
        let closing = CancellationToken::new();
        let task = keep_lock(keeper, deadline.clone(), Arc::clone(&lock), closing.clone());
        let keeper = parking_lot::Mutex::new(Some(tokio::spawn(task)));
        Ok(Self { pool, deadline, lock, start_number: AtomicI64::new(0), closing, keeper })
    }

    /// Opens a catalog to look into it, beside a broker that may have it: no lock, nothing changed.
    pub(super) async fn open_to_read(
        url: &url::Url,
        options: &CatalogOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let deadline = Deadline { clock, statement: options.statement_timeout };
        let connect = connecting(url, options)?.options([("default_transaction_read_only", "on")]);
        let pool = pool(connect, options, &deadline)
            .await
            .map_err(|source| OpenError::Storage { catalog: without_password(url), source })?;
        // Without the lock every write is refused.
        let lock = Arc::new(watch::Sender::new(false));
        let keeper = parking_lot::Mutex::new(None);
        Ok(Self { pool, deadline, lock, start_number: AtomicI64::new(0), closing: CancellationToken::new(), keeper })
    }

    pub(super) fn started(&self, start_number: i64) {
        self.start_number.store(start_number, Ordering::Relaxed);
    }

    pub(super) fn lock_held(&self) -> watch::Receiver<bool> {
        self.lock.subscribe()
    }

    /// Runs statements in one transaction.
    pub(super) async fn write<A, T, E: WriteError>(&self, args: &A, work: Work<A, T, E>) -> Result<T, E> {
        let mut attempts = 1;
        loop {
            let outcome = self.attempt(args, work).await;
            match &outcome {
                Err(error) if attempts < ATTEMPTS_MAX && error.storage().is_some_and(StorageError::is_clash) => {
                    attempts += 1;
                }
                _ => return outcome,
            }
        }
    }

    async fn attempt<A, T, E: WriteError>(&self, args: &A, work: Work<A, T, E>) -> Result<T, E> {
        if !*self.lock.borrow() {
            return Err(StorageError::LockLost.into());
        }
        let deadline = &self.deadline;
        let mut transaction = deadline.bound(self.pool.begin()).await?;
        let mut session = Session::Postgres(&mut transaction, deadline);
        self.check_start_number(&mut session).await?;
        let outcome = work(&mut session, args).await;
        match verdict(&outcome) {
            Verdict::Keep => {
                let committed = deadline.bound(transaction.commit()).await.map_err(StorageError::of_commit);
                match &committed {
                    Ok(()) => metrics::committed(1),
                    Err(_) => metrics::commit_failed(),
                }
                committed?;
            }
            Verdict::Undo | Verdict::Void(_) => {
                if let Err(error) = deadline.bound(transaction.rollback()).await {
                    // The server undoes it with the connection.
                    tracing::warn!(%error, "rolling a transaction of the catalog back failed");
                }
            }
        }
        outcome
    }

    async fn check_start_number(&self, session: &mut Session<'_>) -> Result<(), StorageError> {
        let ours = self.start_number.load(Ordering::Relaxed);
        if ours == 0 {
            return Ok(());
        }
        match session.row(LAST_STARTED, &[]).await? {
            Some(row) if row.int("start_number")? == ours => Ok(()),
            _ => {
                tracing::error!("another broker has started on this catalog");
                self.lock.send_replace(false);
                Err(StorageError::LockLost)
            }
        }
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
        self.closing.cancel();
        let keeper = self.keeper.lock().take();
        if let Some(keeper) = keeper
            && keeper.await.is_err()
        {
            tracing::error!("the task that keeps the catalog's lock panicked");
        }
    }
}

fn connecting(url: &url::Url, options: &CatalogOptions) -> Result<PgConnectOptions, OpenError> {
    let connect: PgConnectOptions = url.as_str().parse().map_err(|_| OpenError::Url { url: without_password(url) })?;
    Ok(connect.disable_statement_logging().application_name(&options.holder))
}

async fn pool(
    connect: PgConnectOptions,
    options: &CatalogOptions,
    deadline: &Deadline,
) -> Result<PgPool, StorageError> {
    let pool = PgPoolOptions::new().max_connections(options.connections.max(2));
    deadline.bound(pool.connect_with(connect)).await
}

fn without_password(url: &url::Url) -> String {
    let mut shown = url.clone();
    if shown.password().is_some() && shown.set_password(Some("***")).is_err() {
        return format!("{}://…", url.scheme());
    }
    // Parameters may hold secrets too.
    shown.set_query(None);
    shown.to_string()
}

async fn take_lock(connection: &mut PgConnection, deadline: &Deadline, catalog: &str) -> Result<(), OpenError> {
    let storage = |source| OpenError::Storage { catalog: catalog.to_owned(), source };
    for attempt in 1..=LOCK_TRIES {
        let ask = sqlx::query("SELECT pg_try_advisory_lock($1) AS taken").bind(LOCK).fetch_one(&mut *connection);
        let row = deadline.bound(ask).await.map_err(storage)?;
        if row.try_get("taken").map_err(|error| storage(error.into()))? {
            return Ok(());
        }
        if attempt < LOCK_TRIES {
            // The server's pause, since it is the server's session that is waited for.
            let pause = sqlx::query("SELECT pg_sleep($1)").bind(LOCK_PAUSE_SECONDS).execute(&mut *connection);
            deadline.bound(pause).await.map_err(storage)?;
        }
    }
    let holder = "SELECT coalesce(max(a.application_name || ' at ' || coalesce(host(a.client_addr), 'a local socket')), \
                  'another process') AS holder \
                  FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid \
                  WHERE l.locktype = 'advisory' AND l.granted AND ((l.classid::bigint << 32) | l.objid::bigint) = $1";
    let row = deadline.bound(sqlx::query(holder).bind(LOCK).fetch_one(connection)).await.map_err(storage)?;
    let holder = row.try_get("holder").map_err(|error| storage(error.into()))?;
    Err(OpenError::InUse { catalog: catalog.to_owned(), holder })
}

/// The connection that holds the lock. It is listened to, on no channel, so that its end is seen when it comes; and it is
/// never made anew: a connection of the same pool would not hold the lock.
struct Keeper {
    pool: PgPool,
    listener: PgListener,
}

impl Keeper {
    async fn connect(connect: PgConnectOptions, deadline: &Deadline) -> Result<Self, StorageError> {
        let alone = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        let pool = deadline.bound(alone.connect_with(connect)).await?;
        let mut listener = deadline.bound(PgListener::connect_with(&pool)).await?;
        listener.eager_reconnect(false);
        Ok(Self { pool, listener })
    }

    /// Ends when the connection does.
    async fn ended(&mut self) -> String {
        loop {
            match self.listener.try_recv().await {
                Ok(Some(_)) => {}
                Ok(None) => return "the server has ended it".to_owned(),
                Err(error) => return error.to_string(),
            }
        }
    }

    /// Asks whether the server is there, and this session still holds the lock.
    async fn ask(&mut self, deadline: &Deadline) -> Result<(), String> {
        let holds = "SELECT count(*) AS held FROM pg_locks WHERE locktype = 'advisory' AND granted \
                     AND pid = pg_backend_pid() AND ((classid::bigint << 32) | objid::bigint) = $1";
        let asked = deadline.bound(sqlx::query(holds).bind(LOCK).fetch_one(&mut self.listener)).await;
        let row = asked.map_err(|error| error.to_string())?;
        match row.try_get::<i64, _>("held") {
            Ok(1..) => Ok(()),
            Ok(_) => Err("another session answers".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn close(self) {
        drop(self.listener);
        self.pool.close().await;
    }
}

/// Listens to the connection, asks it again and again, and reports its end. A lock that is lost is not taken again: another
/// may have led in between, so the broker has to start anew.
async fn keep_lock(mut keeper: Keeper, deadline: Deadline, held: Arc<watch::Sender<bool>>, closing: CancellationToken) {
    metrics::lock_held(true);
    let lost = loop {
        tokio::select! {
            () = closing.cancelled() => break None,
            why = keeper.ended() => break Some(why),
            () = deadline.clock.sleep(ASK_EVERY) => {}
        }
        if let Err(why) = keeper.ask(&deadline).await {
            break Some(why);
        }
    };
    if let Some(why) = lost {
        tracing::error!(why, "the connection that holds the catalog's lock is lost");
        metrics::lock_held(false);
        held.send_replace(false);
    }
    // A connection that is half gone may not take its leave either.
    let closed = deadline.bound(async {
        keeper.close().await;
        Ok(())
    });
    if let Err(error) = closed.await {
        tracing::warn!(%error, "closing the connection that held the catalog's lock failed");
    }
}
