//! PostgreSQL: a pool for statements, one connection of its own for the lock.
//!
//! # Consistency
//! Every write is one transaction. Before it commits, the connection that holds the advisory lock must have answered
//! since it was last doubted: a broker that lost the lock commits nothing.
//!
//! # Crash safety
//! The lock ends with its connection. Commits are the server's.
//!
//! # Retries
//! None here: a caller that hears of an unknown outcome has to look.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, Row as _};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

use super::metrics;
use super::open_error::OpenError;
use super::options::CatalogOptions;
use super::session::Deadline;
use super::storage_error::StorageError;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

/// The advisory lock's number: "tidelog" in ASCII.
const LOCK: i64 = 0x0074_6964_656c_6f67;
/// How often the lock's connection is asked whether it lives.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// An open PostgreSQL catalog.
#[derive(Debug)]
pub(super) struct Postgres {
    pub(super) pool: PgPool,
    pub(super) deadline: Deadline,
    pub(super) lock_held: watch::Receiver<bool>,
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
        let connect: PgConnectOptions = url.as_str().parse().map_err(|_| OpenError::Url { url: catalog.clone() })?;
        let connect = connect.disable_statement_logging().application_name(&options.holder);
        let mut keeper = deadline.bound(connect.connect()).await.map_err(storage)?;
        take_lock(&mut keeper, &deadline, &catalog).await?;
        MIGRATIONS
            .run(&mut keeper)
            .await
            .map_err(|error| OpenError::Migration { catalog: catalog.clone(), reason: error.to_string() })?;
        let pool = deadline
            .bound(PgPoolOptions::new().max_connections(options.connections.max(2)).connect_with(connect))
            .await
            .map_err(storage)?;
        let (held, lock_held) = watch::channel(true);
        let closing = CancellationToken::new();
        let task = keep_lock(keeper, deadline.clone(), held, closing.clone());
        let keeper = parking_lot::Mutex::new(Some(tokio::spawn(task)));
        Ok(Self { pool, deadline, lock_held, closing, keeper })
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
    let ask = sqlx::query("SELECT pg_try_advisory_lock($1) AS taken").bind(LOCK).fetch_one(&mut *connection);
    let row = deadline.bound(ask).await.map_err(storage)?;
    if row.try_get("taken").map_err(|error| storage(error.into()))? {
        return Ok(());
    }
    let holder = "SELECT coalesce(max(a.application_name || ' at ' || coalesce(host(a.client_addr), 'a local socket')), \
                  'another process') AS holder \
                  FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid \
                  WHERE l.locktype = 'advisory' AND l.granted AND ((l.classid::bigint << 32) | l.objid::bigint) = $1";
    let row = deadline.bound(sqlx::query(holder).bind(LOCK).fetch_one(connection)).await.map_err(storage)?;
    let holder = row.try_get("holder").map_err(|error| storage(error.into()))?;
    Err(OpenError::InUse { catalog: catalog.to_owned(), holder })
}

/// Asks the connection again and again; reports its end. A lock that is lost is not taken again: another may have led in
/// between, so the broker has to start anew.
async fn keep_lock(
    mut connection: PgConnection,
    deadline: Deadline,
    held: watch::Sender<bool>,
    closing: CancellationToken,
) {
    metrics::lock_held(true);
    loop {
        tokio::select! {
            () = closing.cancelled() => break,
            () = deadline.clock.sleep(ASK_EVERY) => {}
        }
        let asked = deadline.bound(async { connection.ping().await }).await;
        if let Err(error) = asked {
            tracing::error!(%error, "the connection that holds the catalog's lock is lost");
            metrics::lock_held(false);
            // Nobody may listen any more.
            let _ = held.send(false);
            return;
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "closing the connection that holds the catalog's lock failed");
    }
}
