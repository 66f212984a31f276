//! How a catalog is opened.

use std::time::Duration;

/// Settings of a catalog.
#[derive(Clone, Debug)]
pub struct CatalogOptions {
    /// Who opens it: shown to whoever finds it locked.
    pub holder: String,
    /// Room kept for commits on a full disk, in bytes; SQLite only.
    pub reserve_bytes: u64,
    /// How long one statement may take over a network.
    pub statement_timeout: Duration,
    /// Connections for reads, and with PostgreSQL for writes.
    pub connections: u32,
}

impl Default for CatalogOptions {
    fn default() -> Self {
        Self {
            holder: format!("process {}", std::process::id()),
            reserve_bytes: 8 * 1024 * 1024,
            statement_timeout: Duration::from_secs(15),
            connections: 4,
        }
    }
}
