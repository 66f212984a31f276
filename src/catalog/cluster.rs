//! Tables `clusters` and `brokers`: whose catalog this is, how often a broker has started on it, and which data
//! directories each broker has had.
//!
//! Invariant: the start number and the incarnation never fall.
//!
//! # Consistency
//! Each write is one transaction; the start number rises in the one that reads it, so that no two starts get the same.
//!
//! # Crash safety
//! Whoever was answered finds its write after a crash.
//!
//! # Cancellation
//! As for every write of the catalog: one that was handed over may be made without its caller.

use futures::FutureExt as _;

use crate::model::BrokerId;

use super::catalog::{Catalog, FORMAT_VERSION};
use super::session::{Row, Session, unreadable};
use super::storage_error::StorageError;

/// Whose catalog it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterRow {
    /// 22 characters.
    pub cluster_id: String,
    /// [`FORMAT_VERSION`] of who made it.
    pub format_version: i64,
    /// Raised when a catalog is rebuilt or restored.
    pub incarnation: i64,
    /// Raised at every start.
    pub start_number: i64,
}

/// A broker that is known.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct BrokerRow {
    /// The ids of its data directories.
    pub directory_ids: Vec<String>,
}

const CLUSTER: &str = "SELECT cluster_id, format_version, incarnation, start_number FROM clusters WHERE singleton = 1";

impl Catalog {
    /// The cluster; a new catalog takes `new_id`.
    pub async fn cluster(&self, new_id: &str) -> Result<ClusterRow, StorageError> {
        self.write((new_id.to_owned(), self.clock.now_ms()), |session, (new_id, now_ms)| {
            async move {
                let insert = "INSERT INTO clusters (singleton, cluster_id, format_version, incarnation, start_number, \
                              created_at_ms) VALUES (1, $1, $2, 1, 0, $3) ON CONFLICT DO NOTHING";
                session.execute(insert, &[new_id.as_str().into(), FORMAT_VERSION.into(), (*now_ms).into()]).await?;
                expect_cluster(session).await
            }
            .boxed()
        })
        .await
    }

    /// The cluster, where the catalog has one.
    pub async fn known_cluster(&self) -> Result<Option<ClusterRow>, StorageError> {
        self.read((), |session, ()| cluster_row(session).boxed()).await
    }

    /// A broker starts. Before it writes anything else: what an earlier one still has under way is refused from now on.
    pub async fn raise_start_number(&self) -> Result<ClusterRow, StorageError> {
        let raised = self
            .write((), |session, ()| {
                async move {
                    session
                        .execute("UPDATE clusters SET start_number = start_number + 1 WHERE singleton = 1", &[])
                        .await?;
                    expect_cluster(session).await
                }
                .boxed()
            })
            .await?;
        self.started(raised.start_number);
        Ok(raised)
    }

    /// What is known of a broker.
    pub async fn broker(&self, broker: BrokerId) -> Result<Option<BrokerRow>, StorageError> {
        self.read(broker, |session, broker| {
            async move {
                let sql = "SELECT directory_ids FROM brokers WHERE broker_id = $1";
                session.row(sql, &[(*broker).into()]).await?.map(|row| broker_row(&row)).transpose()
            }
            .boxed()
        })
        .await
    }

    /// Notes that a broker has exactly this data directory.
    pub async fn register_broker(&self, broker: BrokerId, directory_id: &str) -> Result<(), StorageError> {
        self.write((broker, directory_id.to_owned(), self.clock.now_ms()), |session, (broker, directory, now_ms)| {
            async move {
                let sql = "INSERT INTO brokers (broker_id, directory_ids, registered_at_ms) VALUES ($1, $2, $3) \
                           ON CONFLICT (broker_id) DO UPDATE SET directory_ids = excluded.directory_ids";
                session.execute(sql, &[(*broker).into(), directory.as_str().into(), (*now_ms).into()]).await?;
                Ok(())
            }
            .boxed()
        })
        .await
    }
}

async fn expect_cluster(session: &mut Session<'_>) -> Result<ClusterRow, StorageError> {
    cluster_row(session).await?.ok_or_else(|| unreadable("cluster_id", "the catalog has no cluster"))
}

async fn cluster_row(session: &mut Session<'_>) -> Result<Option<ClusterRow>, StorageError> {
    let Some(row) = session.row(CLUSTER, &[]).await? else { return Ok(None) };
    Ok(Some(ClusterRow {
        cluster_id: row.text("cluster_id")?,
        format_version: row.int("format_version")?,
        incarnation: row.int("incarnation")?,
        start_number: row.int("start_number")?,
    }))
}

fn broker_row(row: &Row) -> Result<BrokerRow, StorageError> {
    Ok(BrokerRow { directory_ids: row.text("directory_ids")?.split_whitespace().map(str::to_owned).collect() })
}
