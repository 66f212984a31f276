//! An empty database of either kind, the catalog on it, and a way past the catalog.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};
use tempfile::TempDir;
use tidelog::catalog::{Catalog, CatalogOptions, OpenError};
use tidelog::clock::ManualClock;
use tidelog::disk::RealDisk;

use crate::server::SERVER;

/// A database for one test.
pub struct Home {
    pub url: String,
    pub clock: Arc<ManualClock>,
    _folder: TempDir,
}

impl Home {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/catalog.db", folder.path().display());
        Self { url, clock: ManualClock::new(1_000), _folder: folder }
    }

    /// One that another process has made.
    pub fn at(url: String) -> Self {
        Self { url, ..Self::sqlite() }
    }

    /// `None`, and a word about it, where there is no server.
    pub async fn postgres() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let Some(server) = tokio::task::spawn_blocking(|| SERVER.as_ref()).await.unwrap() else {
            eprintln!("skipped: this machine has no PostgreSQL");
            return None;
        };
        let url = |name: &str| format!("postgres://tidelog@localhost/{name}?host={}", server.socket_dir);
        let mut connection = PgConnection::connect(&url("postgres")).await.unwrap();
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let sql = AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0"));
        sqlx::query(sql).execute(&mut connection).await.unwrap();
        Some(Self { url: url(&name), clock: ManualClock::new(1_000), _folder: tempfile::tempdir().unwrap() })
    }

    pub fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite")
    }

    pub async fn try_open(&self) -> Result<Catalog, OpenError> {
        let options = CatalogOptions { holder: "the first broker".to_owned(), ..CatalogOptions::default() };
        let clock = Arc::<ManualClock>::clone(&self.clock);
        Catalog::open(&self.url, &options, RealDisk::shared(), clock).await
    }

    /// Only to look into it.
    pub async fn look(&self) -> Result<Catalog, OpenError> {
        let clock = Arc::<ManualClock>::clone(&self.clock);
        Catalog::open_to_read(&self.url, &CatalogOptions::default(), &RealDisk, clock).await
    }

    /// The catalog, with a cluster in it.
    pub async fn open(&self) -> Catalog {
        let catalog = self.try_open().await.unwrap();
        catalog.cluster("AAAAAAAAAAAAAAAAAAAAAA").await.unwrap();
        catalog
    }

    /// A connection of the test's own.
    pub async fn raw(&self) -> Raw {
        match self.url.strip_prefix("sqlite://") {
            Some(path) => Raw::Sqlite(SqliteConnection::connect(&format!("sqlite://{path}?mode=rwc")).await.unwrap()),
            None => Raw::Postgres(PgConnection::connect(&self.url).await.unwrap()),
        }
    }
}

/// SQL without the catalog.
pub enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Raw {
    pub async fn execute(&mut self, sql: &str) -> u64 {
        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self {
            Self::Sqlite(connection) => query.execute(connection).await.unwrap().rows_affected(),
            Self::Postgres(connection) => query.execute(connection).await.unwrap().rows_affected(),
        }
    }

    /// The same, where the database may refuse.
    pub async fn try_execute(&mut self, sql: &str) -> bool {
        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self {
            Self::Sqlite(connection) => query.execute(connection).await.is_ok(),
            Self::Postgres(connection) => query.execute(connection).await.is_ok(),
        }
    }

    /// The one number that a query gives.
    pub async fn number(&mut self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(connection) => sqlx::query(sql).fetch_one(connection).await.unwrap().get(0),
            Self::Postgres(connection) => sqlx::query(sql).fetch_one(connection).await.unwrap().get(0),
        }
    }

    /// The one text that a query gives.
    pub async fn text(&mut self, sql: &str) -> String {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(connection) => sqlx::query(sql).fetch_one(connection).await.unwrap().get(0),
            Self::Postgres(connection) => sqlx::query(sql).fetch_one(connection).await.unwrap().get(0),
        }
    }

    pub async fn close(self) {
        match self {
            Self::Sqlite(connection) => connection.close().await.unwrap(),
            Self::Postgres(connection) => connection.close().await.unwrap(),
        }
    }
}
