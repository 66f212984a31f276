//! `s3://`: AWS S3 and every server that speaks as it does.
//!
//! # Consistency
//! Control files change by `If-None-Match: *` and `If-Match`; their version is the ETag. Parts carry a SHA-256 that
//! the store checks, unless the settings say otherwise.
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
use std::time::Duration;

use async_trait::async_trait;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, AwsAuthorizer, AwsCredentialProvider, Checksum};
use object_store::client::{HttpClient, HttpConnector as _, HttpResponse};
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, HeaderMap, HeaderValue, RetryConfig};
use url::Url;

use crate::clock::Clock;

use super::super::error::OpenError;
use super::super::options::{S3Encryption, S3Options};
use super::super::store::{UnfinishedUploads, Version};
use super::answers::{Connector, ServerAnswer};
use super::failure::{Cause, cause};
use super::place::Place;
use super::surroundings::Surroundings;
use super::{Remote, Ways, lifecycle, plain, uploads};

/// How long a connection may take to stand.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an unused connection is kept: shorter than servers do.
const IDLE: Duration = Duration::from_secs(20);

/// Opens a bucket; nothing is asked of it yet.
pub(super) async fn open(place: Place, options: &S3Options, clock: Arc<dyn Clock>) -> Result<Remote, OpenError> {
    let url = format!("s3://{}/{}", place.bucket, place.prefix);
    let wrong = |why: String| OpenError::Setting { url: url.clone(), why };
    let found = Surroundings::find(options, clock).await.map_err(wrong)?;
    let path_style = options.path_style.unwrap_or_else(|| fits_only_a_path(&found, &place.bucket));
    let endpoint = bucket_endpoint(&found, &place.bucket, path_style).map_err(wrong)?;
    let building = Building { place: &place, options, found: &found, endpoint: &endpoint, path_style };
    let refused = |error: object_store::Error| wrong(error.to_string());
    // `object_store` takes a storage class only where it hides the upload's id; a client that sends it with every
    // request, and is asked for nothing else, does both.
    let begin = building.client(options.storage_class.as_deref()).map_err(refused)?;
    let ways = S3Ways {
        begin,
        http: Connector::new(&endpoint).connect(&client_options(&endpoint)).map_err(refused)?,
        credentials: Arc::clone(&found.credentials),
        region: found.region.clone(),
        endpoint: endpoint.as_str().trim_end_matches('/').to_owned(),
    };
    Ok(Remote {
        described: found.endpoint.as_ref().map_or_else(
            || url.trim_end_matches('/').to_owned(),
            |endpoint| format!("{} at {}", url.trim_end_matches('/'), endpoint.as_str().trim_end_matches('/')),
        ),
        reads: Arc::new(building.client(None).map_err(refused)?),
        uploads: Arc::new(building.client(None).map_err(refused)?),
        control: Arc::new(building.client(None).map_err(refused)?),
        ways: Box::new(ways),
        prefix: place.prefix,
    })
}

/// Whether the bucket's name goes into the path: on servers of one's own, and where it cannot be part of a host that
/// has a certificate.
fn fits_only_a_path(found: &Surroundings, bucket: &str) -> bool {
    let aws = |host: &str| host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
    let own_server = found.endpoint.as_ref().is_some_and(|url| !url.host_str().is_some_and(aws));
    own_server || bucket.contains(['.', '_']) || bucket.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// The URL that a bucket's keys follow.
fn bucket_endpoint(found: &Surroundings, bucket: &str, path_style: bool) -> Result<Url, String> {
    let mut url = match &found.endpoint {
        Some(endpoint) => endpoint.clone(),
        None => {
            let Surroundings { region, fips, dual_stack, .. } = found;
            let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
            let service = if *fips { "s3-fips" } else { "s3" };
            let stack = if *dual_stack { ".dualstack" } else { "" };
            let text = format!("https://{service}{stack}.{region}.{suffix}");
            Url::parse(&text).map_err(|error| format!("the region '{region}' is not one: {error}"))?
        }
    };
    if path_style {
        let path = format!("{}/{bucket}", url.path().trim_end_matches('/'));
        url.set_path(&path);
    } else {
        let host = format!("{bucket}.{}", url.host_str().unwrap_or_default());
        url.set_host(Some(&host)).map_err(|error| {
            format!("the bucket's name cannot stand before the host ({error}): set tidelog.s3.path.style=true")
        })?;
    }
    Ok(url)
}

pub(super) fn client_options(endpoint: &Url) -> ClientOptions {
    ClientOptions::new()
        .with_allow_http(endpoint.scheme() == "http")
        // The budget around this store ends what takes too long.
        .with_timeout_disabled()
        .with_connect_timeout(CONNECT)
        .with_pool_idle_timeout(IDLE)
        .with_user_agent(HeaderValue::from_static(concat!("tidelog/", env!("CARGO_PKG_VERSION"))))
}

/// The retry layer around this store tries again, nobody below it.
pub(super) fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, retry_timeout: Duration::ZERO, backoff: BackoffConfig::default() }
}

struct Building<'a> {
    place: &'a Place,
    options: &'a S3Options,
    found: &'a Surroundings,
    endpoint: &'a Url,
    path_style: bool,
}

impl Building<'_> {
    /// A client with connections of its own.
    fn client(&self, storage_class: Option<&str>) -> object_store::Result<AmazonS3> {
        let mut client = client_options(self.endpoint);
        if let Some(class) = storage_class {
            let mut headers = HeaderMap::new();
            let class = HeaderValue::from_str(class)
                .map_err(|error| object_store::Error::Generic { store: "S3", source: Box::new(error) })?;
            headers.insert("x-amz-storage-class", class);
            client = client.with_default_headers(headers);
        }
        let given = self.endpoint.as_str().trim_end_matches('/');
        // With paths the builder puts the bucket behind it again.
        let behind = format!("/{}", self.place.bucket);
        let given = given.strip_suffix(&behind).filter(|_| self.path_style).unwrap_or(given);
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&self.place.bucket)
            .with_region(&self.found.region)
            .with_endpoint(given)
            .with_virtual_hosted_style_request(!self.path_style)
            .with_credentials(Arc::clone(&self.found.credentials))
            .with_http_connector(Connector::new(self.endpoint))
            .with_client_options(client)
            .with_retry(no_retries());
        if !self.options.without_checksums {
            builder = builder.with_checksum_algorithm(Checksum::SHA256);
        }
        let encryption: AmazonS3ConfigKey = "aws_server_side_encryption".parse()?;
        builder = match &self.options.encryption {
            None => builder,
            Some(S3Encryption::S3) => builder.with_config(encryption, "AES256"),
            Some(S3Encryption::Kms { key_id: None }) => builder.with_config(encryption, "aws:kms"),
            Some(S3Encryption::Kms { key_id: Some(key_id) }) => builder.with_sse_kms_encryption(key_id),
        };
        builder.build()
    }
}

#[derive(Debug)]
struct S3Ways {
    begin: AmazonS3,
    http: HttpClient,
    credentials: AwsCredentialProvider,
    region: String,
    /// With the bucket, without a `/` at its end.
    endpoint: String,
}

impl S3Ways {
    async fn send(&self, method: &str, url: &str) -> Result<HttpResponse, Cause> {
        let mut request = plain::request(method, url)?;
        let credential = self.credentials.get_credential().await?;
        AwsAuthorizer::new(&credential, "s3", &self.region).authorize(&mut request, None);
        Ok(self.http.execute(request).await?)
    }
}

#[async_trait]
impl Ways for S3Ways {
    fn version(&self, etag: Option<String>, _: Option<String>) -> Version {
        Version { etag, version: None }
    }

    async fn begin_upload(&self, path: &Path) -> Result<String, Cause> {
        Ok(self.begin.create_multipart(path).await?)
    }

    async fn delete(&self, path: &Path) -> Result<(), Cause> {
        self.send("DELETE", &format!("{}/{}", self.endpoint, plain::encoded(path))).await.map(|_| ())
    }

    async fn uploads_of(&self, path: &Path) -> Result<Vec<String>, Cause> {
        let answer = self.send("GET", &format!("{}?{}", self.endpoint, uploads::query(path))).await?;
        uploads::ids(&plain::text(answer).await?, path)
    }

    async fn unfinished_uploads(&self, prefix: &str) -> Result<UnfinishedUploads, Cause> {
        // MinIO ends them by itself, a day old unless its operator says otherwise, and takes no such rule.
        let by_itself = |server: &str| server.eq_ignore_ascii_case("MinIO");
        let without_rule = |server: &str| {
            if by_itself(server) { UnfinishedUploads::EndByThemselves } else { UnfinishedUploads::Kept }
        };
        let refused = match self.send("GET", &format!("{}?lifecycle", self.endpoint)).await {
            Ok(response) => {
                let server = response.headers().get("server").and_then(|value| value.to_str().ok());
                let server = server.unwrap_or_default().to_owned();
                let rules = plain::text(response).await?;
                let ended = lifecycle::ends_unfinished(&rules, prefix);
                return Ok(if ended { UnfinishedUploads::EndedByRule } else { without_rule(&server) });
            }
            Err(refused) => refused,
        };
        let Some(answer) = cause::<ServerAnswer>(&*refused) else { return Err(refused) };
        match answer {
            ServerAnswer { code, server, .. } if code == "NoSuchLifecycleConfiguration" => Ok(without_rule(server)),
            ServerAnswer { status: 401 | 403, .. } => Ok(UnfinishedUploads::Unknown(format!(
                "{answer}; allow s3:GetLifecycleConfiguration to have it looked at"
            ))),
            ServerAnswer { status: 400..=499 | 501, .. } => Ok(UnfinishedUploads::Unknown(answer.to_string())),
            _ => Err(refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use object_store::StaticCredentialProvider;
    use object_store::aws::AwsCredential;

    use super::*;

    fn found(endpoint: Option<&str>, region: &str) -> Surroundings {
        let nobody = AwsCredential { key_id: String::new(), secret_key: String::new(), token: None };
        Surroundings {
            endpoint: endpoint.map(|url| Url::parse(url).unwrap()),
            region: region.to_owned(),
            credentials: Arc::new(StaticCredentialProvider::new(nobody)),
            fips: false,
            dual_stack: false,
        }
    }

    #[test]
    fn the_endpoint_decides_where_the_bucket_stands() {
        for (endpoint, region, bucket, expected) in [
            (None, "eu-west-1", "logs", "https://logs.s3.eu-west-1.amazonaws.com/"),
            (None, "cn-north-1", "logs", "https://logs.s3.cn-north-1.amazonaws.com.cn/"),
            (None, "eu-west-1", "my.logs", "https://s3.eu-west-1.amazonaws.com/my.logs"),
            (Some("http://127.0.0.1:9000"), "us-east-1", "logs", "http://127.0.0.1:9000/logs"),
            (Some("https://store.example/s3/"), "us-east-1", "logs", "https://store.example/s3/logs"),
            (
                Some("https://bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com"),
                "eu-west-1",
                "logs",
                "https://logs.bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com/",
            ),
        ] {
            let found = found(endpoint, region);
            let url = bucket_endpoint(&found, bucket, fits_only_a_path(&found, bucket)).unwrap();
            assert_eq!(url.as_str(), expected);
        }
        let mut fips = found(None, "us-gov-west-1");
        (fips.fips, fips.dual_stack) = (true, true);
        let url = bucket_endpoint(&fips, "logs", false).unwrap();
        assert_eq!(url.as_str(), "https://logs.s3-fips.dualstack.us-gov-west-1.amazonaws.com/");
        let refused = bucket_endpoint(&found(Some("http://127.0.0.1:1"), "x"), "logs", false).unwrap_err();
        assert!(refused.contains("path.style"), "an address takes no bucket before it: {refused}");
    }
}
