//! The catalog's rules, each over SQLite and over PostgreSQL. A PostgreSQL server of its own is started where the
//! machine has one (`initdb`, `pg_ctl`); where it has none, each of its tests says that it is skipped.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "test code: a failure is a panic"
)]

mod home;
mod rows;
mod server;

/// Runs each rule over both databases.
macro_rules! over_both {
    ($($(#[$meta:meta])* async fn $name:ident($home:ident: &Home) $body:block)+) => {$(
        mod $name {
            use super::*;

            $(#[$meta])*
            async fn rule($home: &Home) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                rule(&Home::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if let Some(home) = Home::postgres().await {
                    rule(&home).await;
                }
            }
        }
    )+};
}
mod appends;
mod brokers;
mod clusters;
mod crashes;
mod groups;
mod looks;
mod migrations;
mod races;
mod rewrites;
mod topics;
