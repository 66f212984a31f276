//! What can go wrong below every operation of the catalog: the database itself. Each operation's own error
//! holds this one as a variant, beside its typed refusals.

use std::fmt;
use std::sync::Arc;

use sqlx::postgres::PgDatabaseError;

/// SQLite's primary result codes after which its transaction may be gone: nothing of the batch counts.
const SQLITE_BATCH_ENDS: [i64; 7] = [5, 7, 8, 10, 11, 13, 26];
const SQLITE_FULL: i64 = 13;
/// A malformed file, and one that is no database.
const SQLITE_DAMAGE: [i64; 2] = [11, 26];

/// The database's own error, shared by all whose work it undid.
#[derive(Clone, Debug)]
pub struct Cause(Arc<sqlx::Error>);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>()) {
            // Its own words end with a line of PostgreSQL's source.
            Some(error) => write!(f, "the database answered: {} ({})", error.message(), error.code()),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

/// The catalog could not do or could not answer what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StorageError {
    /// Nothing was written.
    #[error("the disk that holds the catalog is full: {0}")]
    Full(#[source] Cause),
    /// Another may hold the lock by now: nothing may be acknowledged.
    #[error("this process no longer holds the catalog's lock")]
    LockLost,
    /// The commit may have happened. Whoever asked must look before acting on either assumption.
    #[error("the outcome of a commit to the catalog is not known: {0}")]
    OutcomeUnknown(String),
    /// The database did not answer in time.
    #[error("the catalog did not answer within {0} ms")]
    TimedOut(u128),
    /// A stored value is not one that this program writes.
    #[error("the catalog's column '{column}' holds what no tidelog wrote: {reason}")]
    Unreadable {
        /// Where.
        column: &'static str,
        /// Why.
        reason: String,
    },
    /// The catalog was closed.
    #[error("the catalog is closed")]
    Closed,
    /// Anything else the database said.
    #[error("the catalog failed: {0}")]
    Failed(#[source] Cause),
}

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        if matches!(error, sqlx::Error::PoolClosed) {
            return Self::Closed;
        }
        let full = is_full(&error);
        let cause = Cause(Arc::new(error));
        if full { Self::Full(cause) } else { Self::Failed(cause) }
    }
}

/// SQLite's code 13; PostgreSQL's class for it is `53100`.
fn is_full(error: &sqlx::Error) -> bool {
    if matches!(error, sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::StorageFull) {
        return true;
    }
    let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
    code.is_some_and(|code| code == "53100" || sqlite_primary(&code) == Some(SQLITE_FULL))
}

/// SQLite's codes are decimal and extended: the low byte is the primary one. PostgreSQL's have five characters.
fn sqlite_primary(code: &str) -> Option<i64> {
    if code.len() == 5 {
        return None;
    }
    code.parse::<i64>().ok().map(|code| code & 0xff)
}

impl StorageError {
    /// Whether a write that ended so may have been committed all the same, now or later.
    pub fn may_be_committed(&self) -> bool {
        !matches!(self, Self::Full(_) | Self::Closed | Self::LockLost)
    }

    /// Whether a file of SQLite is there and is damaged, or is none.
    pub fn is_damage(&self) -> bool {
        let Self::Failed(cause) = self else { return false };
        let code = cause.0.as_database_error().and_then(|error| error.code());
        code.and_then(|code| sqlite_primary(&code)).is_some_and(|code| SQLITE_DAMAGE.contains(&code))
    }

    /// Whether the whole transaction is void with this statement, and not just the statement.
    pub(super) fn ends_batch(&self) -> bool {
        let Self::Failed(cause) = self else { return matches!(self, Self::Full(_)) };
        match cause.0.as_database_error() {
            Some(error) => {
                let primary = error.code().and_then(|code| sqlite_primary(&code));
                primary.is_some_and(|code| SQLITE_BATCH_ENDS.contains(&code))
            }
            None => true,
        }
    }

    /// Whether a server undid a transaction because it clashed with another: PostgreSQL's deadlocks and serialization
    /// failures.
    pub(super) fn is_clash(&self) -> bool {
        let Self::Failed(cause) = self else { return false };
        let code = cause.0.as_database_error().and_then(|error| error.code());
        matches!(code.as_deref(), Some("40001" | "40P01"))
    }

    /// How a commit that ended in this error ended: known to be void, or not known.
    pub(super) fn of_commit(self) -> Self {
        match self {
            Self::Full(_) | Self::Closed | Self::LockLost => self,
            other => Self::OutcomeUnknown(other.to_string()),
        }
    }
}

/// An operation's error: either a refusal, which undoes that caller's work alone, or the database's failure.
pub(super) trait WriteError: From<StorageError> + Send + 'static {
    /// The failure, where it is one.
    fn storage(&self) -> Option<&StorageError>;
}

impl WriteError for StorageError {
    fn storage(&self) -> Option<&StorageError> {
        Some(self)
    }
}

/// Gives an operation's error its [`WriteError`], by its variant `Storage`.
macro_rules! write_error {
    ($($error:ty),+ $(,)?) => {$(
        impl crate::catalog::storage_error::WriteError for $error {
            fn storage(&self) -> Option<&crate::catalog::storage_error::StorageError> {
                match self {
                    Self::Storage(error) => Some(error),
                    _ => None,
                }
            }
        }
    )+};
}
pub(super) use write_error;
