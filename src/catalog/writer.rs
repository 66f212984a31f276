//! The one writer of a SQLite catalog: many callers' work, one transaction, one sync.
//!
//! Whatever waits in the queue when a transaction begins goes into it, each caller inside a savepoint of its own,
//! so that a refusal undoes one caller and nobody else. All are answered after the commit, and none before.
//!
//! # Consistency
//! Jobs run one behind the other; each sees what earlier ones of its batch did. When the commit fails, every caller
//! of the batch gets the failure, refused ones too: a refusal may rest on work that was undone.
//!
//! # Crash safety
//! With `synchronous=FULL` a commit is on stable storage before anyone is answered. A crash before it leaves nothing
//! of the batch.
//!
//! # Retries
//! A batch that finds the disk full is run once more in the room of the reserve; jobs are functions of their
//! arguments and may run twice.
//!
//! # Cancellation
//! A caller that goes away does not take its job out of the queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::BoxFuture;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::disk::LockFile;

use super::metrics;
use super::reserve::Reserve;
use super::session::Session;
use super::storage_error::{StorageError, WriteError};

/// Callers that may wait; more wait for a place in the queue.
pub(super) const QUEUE_JOBS_MAX: usize = 1024;
/// Callers that share one commit: bounds how long the first of them waits.
const BATCH_JOBS_MAX: usize = 512;

/// The statements of one operation, over borrowed arguments, so that they can run again.
pub(super) type Work<A, T, E> = for<'a, 's> fn(&'a mut Session<'s>, &'a A) -> BoxFuture<'a, Result<T, E>>;

/// How a job ended inside the transaction.
pub(super) enum Verdict {
    /// Commit it.
    Keep,
    /// Undo it alone.
    Undo,
    /// The transaction is void.
    Void(StorageError),
}

/// One caller's work.
pub(super) trait Job: Send {
    fn run<'a>(&'a mut self, session: &'a mut Session<'_>) -> BoxFuture<'a, Verdict>;
    fn answer(self: Box<Self>, committed: Result<(), StorageError>);
}

/// An operation with the caller that waits for it.
struct Call<A, T, E> {
    args: A,
    work: Work<A, T, E>,
    outcome: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

/// What an operation's end means for the transaction that it ran in.
pub(super) fn verdict<T, E: WriteError>(outcome: &Result<T, E>) -> Verdict {
    match outcome {
        Ok(_) => Verdict::Keep,
        Err(error) => match error.storage() {
            Some(storage) if storage.ends_batch() => Verdict::Void(storage.clone()),
            _ => Verdict::Undo,
        },
    }
}

impl<A, T, E> Job for Call<A, T, E>
where
    A: Send + Sync,
    T: Send,
    E: WriteError,
{
    fn run<'a>(&'a mut self, session: &'a mut Session<'_>) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            let outcome = (self.work)(session, &self.args).await;
            let verdict = verdict(&outcome);
            self.outcome = Some(outcome);
            verdict
        })
    }

    fn answer(self: Box<Self>, committed: Result<(), StorageError>) {
        let answer = match (committed, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(StorageError::Closed.into()),
            (Err(error), _) => Err(error.into()),
        };
        // The caller may have gone: what was committed stays.
        let _ = self.reply.send(answer);
    }
}

/// Wraps an operation for the queue.
pub(super) fn call<A, T, E>(args: A, work: Work<A, T, E>) -> (Box<dyn Job>, oneshot::Receiver<Result<T, E>>)
where
    A: Send + Sync + 'static,
    T: Send + 'static,
    E: WriteError,
{
    let (reply, answer) = oneshot::channel();
    (Box::new(Call { args, work, outcome: None, reply }), answer)
}

/// The task's state.
pub(super) struct Writer {
    pub(super) options: SqliteConnectOptions,
    /// `None` after a failure: the next batch opens a new one.
    pub(super) connection: Option<SqliteConnection>,
    pub(super) queue: mpsc::Receiver<Box<dyn Job>>,
    /// Closed before the last commit is folded into the file.
    pub(super) readers: SqlitePool,
    pub(super) reserve: Arc<Reserve>,
    pub(super) commits: Arc<AtomicU64>,
    pub(super) closing: CancellationToken,
    /// Held until the last commit is done.
    pub(super) lock: Arc<LockFile>,
}

impl Writer {
    /// Works until the catalog is closed or dropped, and the queue is empty.
    pub(super) async fn run(mut self) {
        loop {
            let first = tokio::select! {
                job = self.queue.recv() => job,
                () = self.closing.cancelled(), if !self.queue.is_closed() => {
                    self.queue.close();
                    continue;
                }
            };
            let Some(first) = first else { break };
            let mut batch = vec![first];
            while batch.len() < BATCH_JOBS_MAX {
                let Ok(job) = self.queue.try_recv() else { break };
                batch.push(job);
            }
            let committed = self.commit(&mut batch).await;
            for job in batch {
                job.answer(committed.clone());
            }
        }
        self.readers.close().await;
        if let Err(error) = self.fold_in().await {
            tracing::warn!(%error, "closing the catalog failed: its file alone, without the -wal beside it, is not all of it");
        }
        drop(self.lock);
    }

    /// Writes all commits into the file itself: what is copied after a clean stop is one file. Nobody else has it open.
    async fn fold_in(&mut self) -> Result<(), StorageError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        let folded = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await;
        connection.close().await?;
        folded?;
        Ok(())
    }

    async fn commit(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), StorageError> {
        let mut committed = self.attempt(batch).await;
        if let Err(error) = &committed
            && self.reserve.give_way(error)
        {
            committed = self.attempt(batch).await;
        }
        match &committed {
            Ok(()) => {
                self.commits.fetch_add(1, Ordering::Relaxed);
                metrics::committed(batch.len());
                self.reserve.take_again();
            }
            Err(error) => {
                metrics::commit_failed();
                tracing::error!(%error, callers = batch.len(), "a commit to the catalog failed");
            }
        }
        committed
    }

    async fn attempt(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), StorageError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        let done = transact(&mut connection, batch).await;
        if done.is_ok() {
            self.connection = Some(connection);
        } else {
            // Closing rolls back whatever is open; a new connection knows of no failed transaction.
            if let Err(error) = connection.close_hard().await {
                tracing::warn!(%error, "closing a failed connection to the catalog failed");
            }
        }
        done
    }
}

async fn transact(connection: &mut SqliteConnection, batch: &mut [Box<dyn Job>]) -> Result<(), StorageError> {
    let mut session = Session::Sqlite(connection);
    // Immediate: the write lock is taken before the first read, so that nothing read can be stale at the write.
    session.execute("BEGIN IMMEDIATE", &[]).await?;
    for job in batch {
        session.execute("SAVEPOINT caller", &[]).await?;
        match job.run(&mut session).await {
            Verdict::Keep => {}
            Verdict::Undo => {
                session.execute("ROLLBACK TO caller", &[]).await?;
            }
            Verdict::Void(error) => return Err(error),
        }
        session.execute("RELEASE caller", &[]).await?;
    }
    session.execute("COMMIT", &[]).await.map_err(StorageError::of_commit)?;
    Ok(())
}
