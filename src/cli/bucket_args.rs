//! Opening the bucket from the command line, to read it beside a running broker.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::clock::SystemClock;
use crate::config::{Layers, file};
use crate::disk::RealDisk;
use crate::object_storage::{Bucket, BucketOptions};

use super::outcome::{Exit, Failure};

/// How long a bucket that does not answer is asked.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which bucket.
#[derive(Clone, Debug, Args)]
pub struct BucketArgs {
    /// The bucket [default: the one that the broker names]
    #[arg(long, value_name = "URL", env = "TIDELOG_BUCKET", hide_env_values = true)]
    pub bucket: Option<String>,
    /// The broker's settings file, where the bucket needs settings of its own
    #[arg(long, value_name = "FILE", env = "TIDELOG_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
}

impl BucketArgs {
    /// Opens it.
    pub async fn open(&self, broker_says: &str) -> Result<Bucket, Failure> {
        let url = self.bucket.as_deref().unwrap_or(broker_says);
        let options = self.options()?;
        let opened = Bucket::open(url, options, Arc::new(RealDisk), SystemClock::shared()).await;
        opened.map_err(|error| Failure::new(Exit::Usage, error))
    }

    fn options(&self) -> Result<BucketOptions, Failure> {
        let mut layers = Layers::default();
        if let Some(path) = &self.config {
            layers.file = file::read(path).map_err(Failure::usage)?;
        }
        let settings = layers.merge().and_then(|merged| merged.broker_settings()).map_err(Failure::usage)?;
        let mut options = BucketOptions::from_settings(&settings).map_err(Failure::usage)?;
        // A person waits for it, and nothing is lost by giving up.
        options.retry.control_deadline = PATIENCE;
        Ok(options)
    }
}
