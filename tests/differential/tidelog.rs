//! Tidelog, as built with this suite: a folder as bucket, SQLite as catalog.

use super::process::{Broker, free_port};

const SETTINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential/kafka/both.properties");

/// Starts a broker; it may not answer yet.
pub fn start() -> Broker {
    let home = tempfile::tempdir().expect("a folder for Tidelog");
    let (port, http) = (free_port(), free_port());
    let data = home.path().join("data").display().to_string();
    let command = [
        env!("CARGO_BIN_EXE_tidelog"),
        "serve",
        "--data-dir",
        &data,
        "--listen",
        &format!("127.0.0.1:{port}"),
        "--http",
        &format!("127.0.0.1:{http}"),
        "--config",
        SETTINGS,
    ]
    .map(str::to_owned);
    Broker::run("Tidelog", port, home, &command)
}
