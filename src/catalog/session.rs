//! One statement text for two databases: a connection of either kind, the values that go in, the rows that come out.
//!
//! Everything that the catalog stores is a 64-bit integer, text or bytes, so that a statement written once with
//! `$1`, `$2`, … means the same in SQLite and PostgreSQL. Only what differs in *kind* (pools, locks, pragmas, DDL)
//! lives in `sqlite.rs`, `postgres.rs` and the migrations.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{PgConnection, Row as _, SqlSafeStr, SqliteConnection};

use super::storage_error::StorageError;
use crate::clock::Clock;
use crate::model::{BrokerId, LeaderEpoch, Offset, TopicId, TopicPartition};

/// How long one statement may take where a network lies between.
#[derive(Clone, Debug)]
pub(super) struct Deadline {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) statement: Duration,
}

impl Deadline {
    /// Waits for `work`, but no longer than that.
    pub(super) async fn bound<T>(&self, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StorageError> {
        tokio::select! {
            biased;
            done = work => Ok(done?),
            () = self.clock.sleep(self.statement) => Err(StorageError::TimedOut(self.statement.as_millis())),
        }
    }
}

/// A connection of either database, for a few statements.
pub(super) enum Session<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection, &'c Deadline),
}

/// What is bound to a `$n`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'v> {
    Int(i64),
    MaybeInt(Option<i64>),
    Text(&'v str),
    Bytes(&'v [u8]),
    MaybeBytes(Option<&'v [u8]>),
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<i32> for Value<'_> {
    fn from(value: i32) -> Self {
        Self::Int(i64::from(value))
    }
}
impl From<Offset> for Value<'_> {
    fn from(value: Offset) -> Self {
        Self::Int(value.get())
    }
}
impl From<Option<i64>> for Value<'_> {
    fn from(value: Option<i64>) -> Self {
        Self::MaybeInt(value)
    }
}
impl From<Option<Offset>> for Value<'_> {
    fn from(value: Option<Offset>) -> Self {
        Self::MaybeInt(value.map(Offset::get))
    }
}
impl From<LeaderEpoch> for Value<'_> {
    fn from(value: LeaderEpoch) -> Self {
        Self::from(value.get())
    }
}
impl From<BrokerId> for Value<'_> {
    fn from(value: BrokerId) -> Self {
        Self::from(value.0)
    }
}
impl<'v> From<&'v str> for Value<'v> {
    fn from(value: &'v str) -> Self {
        Self::Text(value)
    }
}
impl<'v> From<&'v [u8]> for Value<'v> {
    fn from(value: &'v [u8]) -> Self {
        Self::Bytes(value)
    }
}

impl<'v> From<Option<&'v [u8]>> for Value<'v> {
    fn from(value: Option<&'v [u8]>) -> Self {
        Self::MaybeBytes(value)
    }
}

/// Binds in order. A macro, because the two kinds of query share no trait that says so.
macro_rules! bound {
    ($sql:expr, $values:expr) => {{
        let mut query = sqlx::query($sql);
        for value in $values {
            query = match *value {
                Value::Int(value) => query.bind(value),
                Value::MaybeInt(value) => query.bind(value),
                Value::Text(value) => query.bind(value),
                Value::Bytes(value) => query.bind(value),
                Value::MaybeBytes(value) => query.bind(value),
            };
        }
        query
    }};
}

impl Session<'_> {
    /// Runs a statement; how many rows it touched.
    pub(super) async fn execute(&mut self, sql: impl SqlSafeStr, values: &[Value<'_>]) -> Result<u64, StorageError> {
        match self {
            Self::Sqlite(connection) => Ok(bound!(sql, values).execute(&mut **connection).await?.rows_affected()),
            Self::Postgres(connection, deadline) => {
                let done = deadline.bound(bound!(sql, values).execute(&mut **connection)).await?;
                Ok(done.rows_affected())
            }
        }
    }

    /// All rows of a statement.
    pub(super) async fn rows(&mut self, sql: impl SqlSafeStr, values: &[Value<'_>]) -> Result<Vec<Row>, StorageError> {
        match self {
            Self::Sqlite(connection) => {
                let rows = bound!(sql, values).fetch_all(&mut **connection).await?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
            Self::Postgres(connection, deadline) => {
                let rows = deadline.bound(bound!(sql, values).fetch_all(&mut **connection)).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// The one row of a statement, where there is one.
    pub(super) async fn row(
        &mut self,
        sql: impl SqlSafeStr,
        values: &[Value<'_>],
    ) -> Result<Option<Row>, StorageError> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }
}

/// A row of either database. Columns are read by name.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

macro_rules! column {
    ($self:ident, $column:ident) => {
        match $self {
            Self::Sqlite(row) => row.try_get($column),
            Self::Postgres(row) => row.try_get($column),
        }
        .map_err(|error| unreadable($column, error))
    };
}

/// Something is wrong with a stored value.
pub(super) fn unreadable(column: &'static str, reason: impl ToString) -> StorageError {
    StorageError::Unreadable { column, reason: reason.to_string() }
}

impl Row {
    pub(super) fn int(&self, column: &'static str) -> Result<i64, StorageError> {
        column!(self, column)
    }

    pub(super) fn maybe_int(&self, column: &'static str) -> Result<Option<i64>, StorageError> {
        column!(self, column)
    }

    pub(super) fn text(&self, column: &'static str) -> Result<String, StorageError> {
        column!(self, column)
    }

    pub(super) fn maybe_text(&self, column: &'static str) -> Result<Option<String>, StorageError> {
        column!(self, column)
    }

    pub(super) fn bytes(&self, column: &'static str) -> Result<Vec<u8>, StorageError> {
        column!(self, column)
    }

    pub(super) fn maybe_bytes(&self, column: &'static str) -> Result<Option<Vec<u8>>, StorageError> {
        column!(self, column)
    }

    pub(super) fn small(&self, column: &'static str) -> Result<i32, StorageError> {
        i32::try_from(self.int(column)?).map_err(|error| unreadable(column, error))
    }

    pub(super) fn count(&self, column: &'static str) -> Result<u64, StorageError> {
        u64::try_from(self.int(column)?).map_err(|error| unreadable(column, error))
    }

    pub(super) fn offset(&self, column: &'static str) -> Result<Offset, StorageError> {
        self.int(column).map(Offset::new)
    }

    pub(super) fn epoch(&self, column: &'static str) -> Result<LeaderEpoch, StorageError> {
        self.small(column).map(LeaderEpoch::new)
    }

    pub(super) fn topic_id(&self) -> Result<TopicId, StorageError> {
        let bytes = self.bytes("topic_id")?;
        let uuid = uuid::Uuid::from_slice(&bytes).map_err(|error| unreadable("topic_id", error))?;
        Ok(TopicId::from_uuid(uuid))
    }

    pub(super) fn partition(&self) -> Result<TopicPartition, StorageError> {
        Ok(TopicPartition::new(self.topic_id()?, self.small("partition")?))
    }
}
