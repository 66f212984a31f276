//! Table `broker_configs`: settings of brokers that were changed while they ran.
//!
//! # Consistency
//! Each write is one transaction; all settings of a broker are replaced at once.
//!
//! # Crash safety
//! Whoever was answered finds its write after a crash.
//!
//! # Cancellation
//! As for every write of the catalog: one that was handed over may be made without its caller.

use std::collections::BTreeMap;

use futures::FutureExt as _;

use crate::model::BrokerId;

use super::catalog::Catalog;
use super::storage_error::StorageError;
use super::topics::hold_changes;

/// Stands for every broker.
const EVERY_BROKER: BrokerId = BrokerId(-1);

/// Values by name.
type Values = BTreeMap<String, String>;

impl Catalog {
    /// What was set for a broker, or for every broker.
    pub async fn broker_configs(&self, broker: Option<BrokerId>) -> Result<Values, StorageError> {
        self.read(broker.unwrap_or(EVERY_BROKER), |session, broker| {
            async move {
                let sql = "SELECT name, value FROM broker_configs WHERE broker_id = $1 ORDER BY name";
                let rows = session.rows(sql, &[(*broker).into()]).await?;
                rows.iter().map(|row| Ok((row.text("name")?, row.text("value")?))).collect()
            }
            .boxed()
        })
        .await
    }

    /// Replaces what was set for a broker, or for every broker.
    pub async fn set_broker_configs(&self, broker: Option<BrokerId>, configs: Values) -> Result<(), StorageError> {
        self.write((broker.unwrap_or(EVERY_BROKER), configs), |session, (broker, configs)| {
            async move {
                hold_changes(session).await?;
                session.execute("DELETE FROM broker_configs WHERE broker_id = $1", &[(*broker).into()]).await?;
                for (name, value) in configs {
                    let sql = "INSERT INTO broker_configs (broker_id, name, value) VALUES ($1, $2, $3)";
                    session.execute(sql, &[(*broker).into(), name.as_str().into(), value.as_str().into()]).await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await
    }
}
