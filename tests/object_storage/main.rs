//! What a bucket must do, each rule over every kind: in memory, a folder, an S3 server in this process, and a real
//! one where `TIDELOG_TEST_S3` names a bucket (`s3://name/prefix`, with AWS's own environment for the rest). Where it
//! does not, each of its tests says that it is skipped. Google's and Azure's dialects are held request by request
//! against a server that only replays.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "test code: a failure is a panic"
)]

mod home;
mod in_process;
mod line;
mod minio;
mod stub;

/// Runs each rule over every kind of bucket.
macro_rules! over_all {
    ($($(#[$meta:meta])* async fn $name:ident($home:ident: &Home) $body:block)+) => {$(
        mod $name {
            use super::*;

            $(#[$meta])*
            async fn rule($home: &Home) $body

            #[tokio::test]
            async fn memory() {
                rule(&Home::memory()).await;
            }

            #[tokio::test]
            async fn folder() {
                rule(&Home::folder()).await;
            }

            #[tokio::test]
            async fn s3_in_process() {
                rule(&Home::in_process().await).await;
            }

            #[tokio::test]
            async fn s3_server() {
                if let Some(home) = Home::server() {
                    rule(&home).await;
                    home.clear().await;
                }
            }
        }
    )+};
}

mod azure;
mod control;
mod gcs;
mod lines;
mod outages;
mod races;
mod reads;
mod refusals;
mod requests;
mod uploads;
