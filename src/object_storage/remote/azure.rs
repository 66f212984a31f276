//! `az://`: a container of Azure Blob Storage. The account is `AZURE_STORAGE_ACCOUNT_NAME` (or `AZURE_STORAGE_ACCOUNT`);
//! credentials are `AZURE_STORAGE_ACCOUNT_KEY`, a SAS token, a client's secret, a federated token or the machine's own.
//!
//! # Consistency
//! Control files change by `If-None-Match: *` and `If-Match`; their version is the ETag. An upload has no name: its
//! blocks belong to the key until they are made a blob.
//!
//! # Retries
//! None here.
//!
//! # Cancellation
//! Dropping a future drops its request.
//!
//! # Crash safety
//! The store answers when it holds the bytes for good. Blocks that were never made a blob end by themselves after a
//! week, and nothing ends them sooner.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::HeaderValue;
use object_store::azure::{AzureAuthorizer, AzureConfigKey, AzureCredentialProvider, MicrosoftAzureBuilder};
use object_store::client::{HttpClient, HttpConnector as _};
use object_store::path::Path;
use url::Url;

use super::super::error::OpenError;
use super::super::options::AzureOptions;
use super::super::store::{UnfinishedUploads, Version};
use super::answers::Connector;
use super::failure::Cause;
use super::place::Place;
use super::s3::{client_options, no_retries};
use super::{Remote, Ways, plain};

/// Opens a container; nothing is asked of it yet.
pub(super) fn open(place: Place, options: &AzureOptions) -> Result<Remote, OpenError> {
    let url = format!("az://{}/{}", place.bucket, place.prefix);
    let url = url.trim_end_matches('/').to_owned();
    let wrong = |why: String| OpenError::Setting { url: url.clone(), why };
    let refused = |error: object_store::Error| wrong(error.to_string());
    let mut configured = MicrosoftAzureBuilder::from_env();
    let account = options.account.clone().or_else(|| configured.get_config_value(&AzureConfigKey::AccountName));
    // The name that Azure's own command line uses.
    let account = account.or_else(|| std::env::var("AZURE_STORAGE_ACCOUNT").ok());
    let account = account.ok_or_else(|| wrong("no account is set: set AZURE_STORAGE_ACCOUNT_NAME".to_owned()))?;
    if let Some(key) = options.access_key.clone().or_else(|| std::env::var("AZURE_STORAGE_KEY").ok()) {
        configured = configured.with_access_key(key);
    }
    let endpoint = options.endpoint.clone().or_else(|| configured.get_config_value(&AzureConfigKey::Endpoint));
    let endpoint = endpoint.unwrap_or_else(|| format!("https://{account}.blob.core.windows.net"));
    let endpoint = Url::parse(&endpoint).map_err(|error| wrong(format!("its endpoint is not a URL: {error}")))?;
    let base = endpoint.as_str().trim_end_matches('/').to_owned();
    let client = || {
        configured
            .clone()
            .with_account(&account)
            .with_container_name(&place.bucket)
            .with_endpoint(base.clone())
            .with_http_connector(Connector::new(&endpoint))
            .with_client_options(client_options(&endpoint))
            .with_retry(no_retries())
            .build()
            .map_err(refused)
    };
    let control = client()?;
    let ways = AzureWays {
        http: Connector::new(&endpoint).connect(&client_options(&endpoint)).map_err(refused)?,
        credentials: Arc::clone(control.credentials()),
        container_url: format!("{base}/{}", place.bucket),
        account: account.clone(),
    };
    Ok(Remote {
        described: format!("{url} at {base}"),
        reads: Arc::new(client()?),
        uploads: Arc::new(client()?),
        control: Arc::new(control),
        ways: Box::new(ways),
        prefix: place.prefix,
    })
}

#[derive(Debug)]
struct AzureWays {
    http: HttpClient,
    credentials: AzureCredentialProvider,
    container_url: String,
    account: String,
}

#[async_trait]
impl Ways for AzureWays {
    fn version(&self, etag: Option<String>, _: Option<String>) -> Version {
        Version { etag, version: None }
    }

    async fn begin_upload(&self, _: &Path) -> Result<String, Cause> {
        Ok(String::new())
    }

    async fn delete(&self, path: &Path) -> Result<(), Cause> {
        let mut request = plain::request("DELETE", &format!("{}/{}", self.container_url, plain::encoded(path)))?;
        request.headers_mut().insert("content-length", HeaderValue::from_static("0"));
        let credential = self.credentials.get_credential().await?;
        AzureAuthorizer::new(&credential, &self.account).authorize(&mut request);
        self.http.execute(request).await?;
        Ok(())
    }

    async fn uploads_of(&self, _: &Path) -> Result<Vec<String>, Cause> {
        Ok(Vec::new())
    }

    async fn unfinished_uploads(&self, _: &str) -> Result<UnfinishedUploads, Cause> {
        Ok(UnfinishedUploads::EndByThemselves)
    }
}
