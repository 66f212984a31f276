//! A cluster, from any one of its brokers: who there is, one connection to each, made when it is first needed.
//!
//! # Retries
//! A connection that has ended is made anew at the next request. Requests are not repeated here: whoever asks knows
//! whether that would do something twice.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use kafka_protocol::protocol::{Request, StrBytes};
use parking_lot::Mutex;

use crate::clock::Clock;

use super::connection::ClientConnection;
use super::error::{ClientError, KafkaError};
use super::metadata::ClusterMetadata;
use super::options::ClientOptions;

/// A client of a cluster. Shared by reference.
#[derive(Debug)]
pub struct KafkaClient {
    bootstrap: Vec<String>,
    options: ClientOptions,
    clock: Arc<dyn Clock>,
    brokers: Mutex<BTreeMap<i32, String>>,
    /// By address. Held while one is made, so that nobody makes a second.
    connections: tokio::sync::Mutex<HashMap<String, Arc<ClientConnection>>>,
}

impl KafkaClient {
    /// A client that begins with one of these `host:port` with commas between; the first that answers will do.
    pub async fn connect(bootstrap: &str, options: ClientOptions, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        let bootstrap: Vec<String> =
            bootstrap.split(',').map(str::trim).filter(|address| !address.is_empty()).map(str::to_owned).collect();
        if let Some(bad) = bootstrap.iter().find(|address| !is_address(address)) {
            return Err(ClientError::BadAddress(bad.clone()));
        }
        if bootstrap.is_empty() {
            return Err(ClientError::BadAddress(String::new()));
        }
        let client =
            Self { bootstrap, options, clock, brokers: Mutex::default(), connections: tokio::sync::Mutex::default() };
        client.any().await?;
        Ok(client)
    }

    /// What time it is.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// How long whoever asks may try again.
    pub fn patience(&self) -> Duration {
        self.options.patience
    }

    /// Asks any broker.
    pub(super) async fn ask_any<R: Request>(&self, request: &R, most: i16) -> Result<R::Response, ClientError> {
        let connection = self.any().await?;
        connection.call(request, connection.version::<R>(most)?, Duration::ZERO).await
    }

    /// Asks the controller, or any broker where none is known: it passes on what is not for it to answer.
    pub(super) async fn ask_controller<R: Request>(
        &self,
        request: &R,
        most: i16,
        longer: Duration,
    ) -> Result<R::Response, ClientError> {
        let controller = self.metadata(Some(&[])).await?.controller_id;
        let connection = match self.address_of(controller) {
            Some(address) => self.connection(&address).await?,
            None => self.any().await?,
        };
        connection.call(request, connection.version::<R>(most)?, longer).await
    }

    /// The connection to a broker.
    pub async fn broker(&self, id: i32) -> Result<Arc<ClientConnection>, ClientError> {
        let address = self.address_of(id).ok_or_else(|| ClientError::Unreachable {
            address: format!("broker {id}"),
            reason: "the cluster does not say where it is".to_owned(),
        })?;
        self.connection(&address).await
    }

    /// The cluster, with the topics of these names; all of them for `None`.
    pub async fn metadata(&self, topics: Option<&[&str]>) -> Result<ClusterMetadata, ClientError> {
        let topics = topics.map(|names| {
            let topic = |name: &&str| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
            names.iter().map(topic).collect()
        });
        let request = MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(false);
        let response = self.ask_any(&request, 12).await?;
        KafkaError::check("metadata", response.error_code, None)?;
        let metadata = ClusterMetadata::from(response);
        self.brokers.lock().clone_from(&metadata.brokers);
        Ok(metadata)
    }

    fn address_of(&self, id: i32) -> Option<String> {
        self.brokers.lock().get(&id).cloned()
    }

    async fn any(&self) -> Result<Arc<ClientConnection>, ClientError> {
        let known: Vec<String> = self.brokers.lock().values().cloned().collect();
        let mut failed = None;
        for address in self.bootstrap.iter().chain(&known) {
            match self.connection(address).await {
                Ok(connection) => return Ok(connection),
                // What may pass is what whoever asks should know of: then it is worth to ask again.
                Err(error) => match &failed {
                    None | Some(ClientError::UnknownHost { .. }) => failed = Some(error),
                    Some(_) => {}
                },
            }
        }
        Err(failed.unwrap_or(ClientError::BadAddress(String::new())))
    }

    pub(super) async fn connection(&self, address: &str) -> Result<Arc<ClientConnection>, ClientError> {
        let mut connections = self.connections.lock().await;
        if let Some(connection) = connections.get(address).filter(|connection| !connection.is_closed()) {
            return Ok(Arc::clone(connection));
        }
        let connection = Arc::new(ClientConnection::open(address, &self.options, &self.clock).await?);
        connections.insert(address.to_owned(), Arc::clone(&connection));
        Ok(connection)
    }
}

/// A topic's name as the wire has it.
pub(super) fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

/// A text as the wire has it.
pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn is_address(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && !host.contains(['/', ' ']) && port.parse::<u16>().is_ok())
}
