//! Why a catalog could not be opened; each says what helps.

use std::io;

use sqlx::migrate::{MigrateError, Migrator};

use super::storage_error::StorageError;

/// The catalog was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Not a URL of a database that we know.
    #[error("'{url}' is not a catalog: use sqlite://PATH or postgres://USER@HOST/DATABASE")]
    Url {
        /// What was given, without a password.
        url: String,
    },
    /// Somebody else has it.
    #[error(
        "the catalog {catalog} is in use by {holder}: a catalog serves one broker; stop that one, or give this one a --catalog of its own"
    )]
    InUse {
        /// Which.
        catalog: String,
        /// Who.
        holder: String,
    },
    /// The lock file could not be used.
    #[error("the catalog's lock file {path}: {source}")]
    Lock {
        /// Where.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// It was written by a newer version.
    #[error(
        "the catalog {catalog} was written by a newer tidelog (it is at version {theirs}, this program knows {ours}): start that version, nothing was changed"
    )]
    Newer {
        /// Which.
        catalog: String,
        /// Its version.
        theirs: i64,
        /// The newest that this program knows.
        ours: i64,
    },
    /// Nothing is there to be looked into.
    #[error("there is no catalog {catalog}")]
    Missing {
        /// Which.
        catalog: String,
    },
    /// It was left by an older version, and is only looked into.
    #[error(
        "the catalog {catalog} was left by an older tidelog (it is at version {theirs}, this program reads {ours}): start a broker on it once, which brings it there"
    )]
    Older {
        /// Which.
        catalog: String,
        /// Its version.
        theirs: i64,
        /// The one that this program reads.
        ours: i64,
    },
    /// Its tables are not what an earlier version left.
    #[error("the catalog {catalog} cannot be brought to this version's form: {reason}")]
    Migration {
        /// Which.
        catalog: String,
        /// Why.
        reason: String,
    },
    /// The database refused.
    #[error("the catalog {catalog}: {source}; {}", remedy(.source))]
    Storage {
        /// Which.
        catalog: String,
        /// What it said.
        source: StorageError,
    },
}

fn remedy(error: &StorageError) -> &'static str {
    if error.is_damage() {
        return "the file is damaged, or no catalog: give it back from its newest copy, or say where the catalog is \
                (--catalog); a bucket with a history refuses an empty one";
    }
    "--catalog says where it is, and its database must run and be reachable"
}

impl OpenError {
    /// What became of `migrations`.
    pub(super) fn of_migration(catalog: &str, migrations: &Migrator, error: &MigrateError) -> Self {
        let catalog = catalog.to_owned();
        let ours = migrations.iter().map(|migration| migration.version).max().unwrap_or_default();
        match *error {
            MigrateError::VersionMissing(theirs) if theirs > ours => Self::Newer { catalog, theirs, ours },
            _ => Self::Migration { catalog, reason: error.to_string() },
        }
    }
}
