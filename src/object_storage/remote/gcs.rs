//! `gs://`: Google Cloud Storage. Credentials as Google's tools find them: `GOOGLE_APPLICATION_CREDENTIALS`, the
//! user's default credentials, the machine's own.
//!
//! # Consistency
//! Control files change by `x-goog-if-generation-match`; their version is the generation.
//!
//! # Retries
//! None here.
//!
//! # Cancellation
//! Dropping a future drops its request.
//!
//! # Crash safety
//! The store answers when it holds the bytes for good.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::client::{HttpClient, HttpConnector as _, HttpResponse};
use object_store::gcp::{
    GcpCredential, GcpCredentialProvider, GoogleCloudStorage, GoogleCloudStorageBuilder, GoogleConfigKey,
};
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;
use object_store::{HeaderValue, ObjectStoreExt as _, StaticCredentialProvider};
use url::Url;

use super::super::error::OpenError;
use super::super::options::GcsOptions;
use super::super::store::{UnfinishedUploads, Version};
use super::answers::{Connector, ServerAnswer};
use super::failure::{Cause, cause};
use super::place::Place;
use super::s3::{client_options, no_retries};
use super::{Remote, Ways, lifecycle, plain, uploads};

const ENDPOINT: &str = "https://storage.googleapis.com";

/// Opens a bucket; nothing is asked of it yet.
pub(super) fn open(place: Place, options: &GcsOptions) -> Result<Remote, OpenError> {
    let url = format!("gs://{}/{}", place.bucket, place.prefix);
    let url = url.trim_end_matches('/').to_owned();
    let wrong = |why: String| OpenError::Setting { url: url.clone(), why };
    let refused = |error: object_store::Error| wrong(error.to_string());
    let mut configured = GoogleCloudStorageBuilder::from_env();
    if options.without_signatures {
        // The builder's own switch still asks the machine for a token before every write.
        let nobody = GcpCredential { bearer: String::new() };
        configured = configured.with_credentials(Arc::new(StaticCredentialProvider::new(nobody)));
    }
    let endpoint = options.endpoint.clone().or_else(|| configured.get_config_value(&GoogleConfigKey::BaseUrl));
    let endpoint = endpoint.unwrap_or_else(|| ENDPOINT.to_owned());
    let endpoint = Url::parse(&endpoint).map_err(|error| wrong(format!("its endpoint is not a URL: {error}")))?;
    let base = endpoint.as_str().trim_end_matches('/').to_owned();
    let client = || {
        configured
            .clone()
            .with_bucket_name(&place.bucket)
            .with_base_url(&base)
            .with_http_connector(Connector::new(&endpoint))
            .with_client_options(client_options(&endpoint))
            .with_retry(no_retries())
            .build()
            .map_err(refused)
    };
    let store = client()?;
    let ways = GcsWays {
        http: Connector::new(&endpoint).connect(&client_options(&endpoint)).map_err(refused)?,
        credentials: Arc::clone(store.credentials()),
        bucket_url: format!("{base}/{}", place.bucket),
        store: store.clone(),
    };
    Ok(Remote {
        described: if base == ENDPOINT { url.clone() } else { format!("{url} at {base}") },
        reads: Arc::new(client()?),
        uploads: Arc::new(client()?),
        control: Arc::new(store),
        ways: Box::new(ways),
        prefix: place.prefix,
    })
}

#[derive(Debug)]
struct GcsWays {
    store: GoogleCloudStorage,
    http: HttpClient,
    credentials: GcpCredentialProvider,
    bucket_url: String,
}

impl GcsWays {
    async fn get(&self, query: &str) -> Result<HttpResponse, Cause> {
        let mut request = plain::request("GET", &format!("{}?{query}", self.bucket_url))?;
        let bearer = format!("Bearer {}", self.credentials.get_credential().await?.bearer);
        request.headers_mut().insert("authorization", HeaderValue::from_str(&bearer)?);
        Ok(self.http.execute(request).await?)
    }
}

#[async_trait]
impl Ways for GcsWays {
    fn version(&self, _: Option<String>, version: Option<String>) -> Version {
        Version { etag: None, version }
    }

    async fn begin_upload(&self, path: &Path) -> Result<String, Cause> {
        Ok(self.store.create_multipart(path).await?)
    }

    async fn delete(&self, path: &Path) -> Result<(), Cause> {
        Ok(self.store.delete(path).await?)
    }

    async fn uploads_of(&self, path: &Path) -> Result<Vec<String>, Cause> {
        let answer = self.get(&uploads::query(path)).await?;
        uploads::ids(&plain::text(answer).await?, path)
    }

    async fn unfinished_uploads(&self, prefix: &str) -> Result<UnfinishedUploads, Cause> {
        let refused = match self.get("lifecycle").await {
            Ok(response) => {
                let rules = plain::text(response).await?;
                let ended = lifecycle::ends_unfinished(&rules, prefix);
                return Ok(if ended { UnfinishedUploads::EndedByRule } else { UnfinishedUploads::Kept });
            }
            Err(refused) => refused,
        };
        match cause::<ServerAnswer>(&*refused) {
            Some(answer @ ServerAnswer { status: 401 | 403, .. }) => {
                Ok(UnfinishedUploads::Unknown(format!("{answer}; allow storage.buckets.get to have it looked at")))
            }
            Some(answer @ ServerAnswer { status: 400..=499 | 501, .. }) => {
                Ok(UnfinishedUploads::Unknown(answer.to_string()))
            }
            _ => Err(refused),
        }
    }
}
