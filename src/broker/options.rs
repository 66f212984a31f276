//! What a broker is told at start.

use std::path::PathBuf;

use crate::model::BrokerId;
use crate::model::settings::BrokerSettings;
use crate::object_storage::BucketOptions;

/// Where clients reach this broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// What a broker is told at start.
#[derive(Clone, Debug)]
pub struct BrokerOptions {
    /// Its number.
    pub broker_id: BrokerId,
    /// `--data-dir`.
    pub data_dir: PathBuf,
    /// `--advertise`.
    pub advertised: Endpoint,
    /// `--catalog`.
    pub catalog_url: String,
    /// `--bucket`.
    pub bucket_url: String,
    /// How the bucket is used.
    pub bucket: BucketOptions,
    /// The most files of segments that the system has room for, where that is less than `tidelog.open.files.max`.
    pub open_files_max: Option<usize>,
    /// Everything else, by Kafka's names.
    pub settings: BrokerSettings,
}

impl BrokerOptions {
    /// How many files of sealed segments stay open.
    pub fn open_files(&self) -> usize {
        let set = self.settings.count("tidelog.open.files.max");
        self.open_files_max.map_or(set, |most| most.min(set))
    }

    /// `broker.rack`.
    pub fn rack(&self) -> Option<&str> {
        Some(self.settings.text("broker.rack")).filter(|rack| !rack.is_empty())
    }
}
