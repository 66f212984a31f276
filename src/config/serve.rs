//! The options of a broker, from what was given: each room's own, and the defaults that follow from each other.

use std::path::{Path, PathBuf};

use url::Url;

use crate::broker::{BrokerOptions, Endpoint};
use crate::model::BrokerId;
use crate::model::settings::BrokerSettings;
use crate::object_storage::BucketOptions;
use crate::server::ServerOptions;

use super::concerns::{concerns, refuse, without_meaning};
use super::error::ConfigError;
use super::layers::Merged;
use super::listeners::{self, Protocols, Taken, is_wildcard, shown, without_scheme};
use super::places::{BUCKET, CATALOG, HTTP};

const DATA_DIR: &str = "./tidelog-data";
const LISTEN: &str = "127.0.0.1:9092";
const HTTP_LISTEN: &str = "127.0.0.1:9600";

/// Everything that `tidelog serve` needs.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The broker's.
    pub broker: BrokerOptions,
    /// The Kafka front end's.
    pub server: ServerOptions,
    /// Where health, metrics and admin are served.
    pub http: String,
    /// What a user should know about what was given: once, at start.
    pub warnings: Vec<String>,
    /// Kafka's settings that were given and mean nothing here.
    pub unused: Vec<String>,
}

impl ServeOptions {
    /// From what was given. `hostname` is this machine's name: what clients are told where the broker listens on every
    /// interface and nobody says how it is reached.
    pub fn assemble(merged: &Merged, hostname: impl FnOnce() -> String) -> Result<Self, ConfigError> {
        let settings = merged.broker_settings()?;
        let mut warnings = Vec::new();
        let data_dir = data_dir(merged)?;
        let listen = listener(merged, "listeners", &mut warnings)?;
        let unserved = listen.as_ref().map(|taken| taken.protected.clone()).unwrap_or_default();
        let listen = listen.map(|taken| taken.endpoint);
        let advertised = match listener(merged, "advertised.listeners", &mut warnings)? {
            Some(advertised) => advertised.endpoint,
            None => advertised_by_default(listen.as_ref(), hostname, &mut warnings),
        };
        let server = ServerOptions {
            listen: listen.as_ref().map_or_else(|| LISTEN.to_owned(), shown),
            ..ServerOptions::from(&settings)
        };
        let http = address(merged, HTTP, HTTP_LISTEN)?;
        refuse_shared_port(merged, &server.listen, &http)?;
        let catalog_url =
            merged.get(CATALOG).map_or_else(|| format!("sqlite://{}", data_dir.join("catalog.db").display()), text);
        let bucket_url = match merged.get(BUCKET) {
            Some(value) => text(value),
            None => file_url(&data_dir.join("bucket")).map_err(|reason| merged.unfit("log.dirs", reason))?,
        };
        let broker_id = BrokerId(i32::try_from(settings.number("node.id")).unwrap_or(i32::MAX));
        let bucket = BucketOptions::from_settings(&settings)?;
        let broker = BrokerOptions {
            broker_id,
            data_dir,
            advertised,
            catalog_url,
            bucket_url,
            bucket,
            open_files_max: None,
            settings,
        };
        refuse(merged, &broker.settings)?;
        warnings.splice(..0, concerns(merged, &broker.settings, &unserved));
        Ok(Self { broker, server, http, warnings, unused: without_meaning(merged) })
    }

    /// What there is to say about settings that mean nothing.
    pub fn unused_warning(&self) -> Option<String> {
        let names = || self.unused.join(", ");
        (!self.unused.is_empty())
            .then(|| format!("Kafka settings that mean nothing here and were left out: {}", names()))
    }

    /// The settings in effect.
    pub fn settings(&self) -> &BrokerSettings {
        &self.broker.settings
    }
}

fn text(value: &super::origin::Value) -> String {
    value.text.clone()
}

fn data_dir(merged: &Merged) -> Result<PathBuf, ConfigError> {
    let given = merged.get("log.dirs").map_or(DATA_DIR, |value| value.text.as_str());
    if given.contains(',') {
        let reason = "one data directory is used, not several; name one".to_owned();
        return Err(merged.unfit("log.dirs", reason));
    }
    std::path::absolute(given).map_err(|error| merged.unfit("log.dirs", format!("not a folder's name: {error}")))
}

fn listener(merged: &Merged, name: &'static str, warnings: &mut Vec<String>) -> Result<Option<Taken>, ConfigError> {
    let Some(value) = merged.get(name) else { return Ok(None) };
    let protocols = Protocols {
        map: merged.get_unused("listener.security.protocol.map").unwrap_or_default(),
        controllers: merged.get_unused("controller.listener.names").unwrap_or_default(),
    };
    let taken = listeners::plaintext(&value.text, protocols).map_err(|reason| merged.unfit(name, reason))?;
    if !taken.left.is_empty() {
        let (left, used) = (taken.left.join(", "), shown(&taken.endpoint));
        warnings.push(format!("of {name} only {used} is used; left out: {left}"));
    }
    if name == "advertised.listeners" && is_wildcard(&taken.endpoint.host) {
        let reason = "clients cannot connect to every interface; name the host that they reach".to_owned();
        return Err(merged.unfit(name, reason));
    }
    Ok(Some(taken))
}

fn advertised_by_default(
    listen: Option<&Endpoint>,
    hostname: impl FnOnce() -> String,
    warnings: &mut Vec<String>,
) -> Endpoint {
    let default = || Endpoint { host: "127.0.0.1".to_owned(), port: 9092 };
    let mut advertised = listen.cloned().unwrap_or_else(default);
    if is_wildcard(&advertised.host) {
        advertised.host = hostname();
        let told = shown(&advertised);
        warnings.push(format!("clients are told to connect to {told}; say --advertise HOST:PORT if they cannot"));
    }
    advertised
}

fn address(merged: &Merged, name: &'static str, default: &str) -> Result<String, ConfigError> {
    let given = merged.get(name).map_or(default, |value| value.text.as_str());
    let endpoint = listeners::host_and_port(without_scheme(given)).map_err(|reason| merged.unfit(name, reason))?;
    Ok(shown(&endpoint))
}

/// One port for Kafka and HTTP: whoever comes second would take the first for another broker.
fn refuse_shared_port(merged: &Merged, listen: &str, http: &str) -> Result<(), ConfigError> {
    let (Ok(kafka), Ok(admin)) = (listeners::host_and_port(listen), listeners::host_and_port(http)) else {
        return Ok(());
    };
    let same_host = kafka.host == admin.host || is_wildcard(&kafka.host) || is_wildcard(&admin.host);
    if kafka.port == 0 || kafka.port != admin.port || !same_host {
        return Ok(());
    }
    let name = if merged.get(HTTP).is_some() { HTTP } else { "listeners" };
    let reason = format!("Kafka clients ({listen}, --listen) and HTTP ({http}, --http) need a port each");
    Err(merged.unfit(name, reason))
}

fn file_url(folder: &Path) -> Result<String, String> {
    Url::from_file_path(folder)
        .map(String::from)
        .map_err(|()| format!("{} cannot be written as a URL; give --bucket", folder.display()))
}
