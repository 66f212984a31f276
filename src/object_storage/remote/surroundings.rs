//! Where S3 is and who we are, as every AWS tool finds it out: settings given by hand, then the environment, the
//! profile, and what the machine itself says.

use std::sync::Arc;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_types::service_config::ServiceConfigKey;
use object_store::StaticCredentialProvider;
use object_store::aws::{AwsCredential, AwsCredentialProvider};
use url::Url;

use crate::clock::Clock;

use super::super::options::{S3Keys, S3Options};
use super::credentials::ChainCredentials;

/// Where a server of one's own takes any region.
const ANY_REGION: &str = "us-east-1";

/// What was found.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// Without a bucket; `None` for AWS itself.
    pub(super) endpoint: Option<Url>,
    pub(super) region: String,
    pub(super) credentials: AwsCredentialProvider,
    /// AWS's FIPS hosts.
    pub(super) fips: bool,
    /// AWS's hosts with IPv6.
    pub(super) dual_stack: bool,
}

impl Surroundings {
    /// Looks at the settings first. The error says what is missing and the remedy.
    pub(super) async fn find(options: &S3Options, clock: Arc<dyn Clock>) -> Result<Self, String> {
        if let (Some(endpoint), Some(region), Some(keys)) = (&options.endpoint, &options.region, &options.credentials) {
            return Ok(Self {
                endpoint: Some(endpoint_url(endpoint)?),
                region: region.clone(),
                credentials: given(keys),
                fips: false,
                dual_stack: false,
            });
        }
        let stated = stated_region(options).await;
        let region = stated.clone().unwrap_or_else(|| Region::from_static(ANY_REGION));
        let config = aws_config::defaults(BehaviorVersion::latest()).region(region).load().await;
        let endpoint = options.endpoint.clone().or_else(|| endpoint_of(&config)).filter(|url| !url.trim().is_empty());
        let endpoint = endpoint.as_deref().map(endpoint_url).transpose()?;
        let region = match (stated, &endpoint) {
            (Some(region), _) => region,
            (None, Some(_)) => Region::from_static(ANY_REGION),
            (None, None) => ImdsRegionProvider::builder()
                .build()
                .region()
                .await
                .ok_or("no region is set: set AWS_REGION, or region in the profile")?,
        };
        let credentials: AwsCredentialProvider = match (&options.credentials, config.credentials_provider()) {
            (Some(keys), _) => given(keys),
            (None, Some(chain)) => Arc::new(ChainCredentials::new(chain, clock)),
            (None, None) => return Err("there is no provider of AWS credentials".to_owned()),
        };
        Ok(Self {
            endpoint,
            region: region.to_string(),
            credentials,
            fips: config.use_fips().unwrap_or(false),
            dual_stack: config.use_dual_stack().unwrap_or(false),
        })
    }
}

async fn stated_region(options: &S3Options) -> Option<Region> {
    if let Some(region) = &options.region {
        return Some(Region::new(region.clone()));
    }
    let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new());
    let region = chain.or_else(ProfileFileRegionProvider::new()).region().await?;
    (!region.as_ref().trim().is_empty()).then_some(region)
}

/// `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, and the same in the profile.
fn endpoint_of(config: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id("s3").env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    config.service_config()?.load_config(key.ok()?)
}

fn endpoint_url(text: &str) -> Result<Url, String> {
    let bad = |why: &str| format!("the endpoint '{text}' is not one: {why} (AWS_ENDPOINT_URL=http://host:port)");
    let url = Url::parse(text.trim()).map_err(|error| bad(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("it begins neither with http:// nor with https://"));
    }
    if url.host_str().is_none() || !url.username().is_empty() || url.password().is_some() {
        return Err(bad("it needs a host, and no user or password"));
    }
    Ok(url)
}

fn given(keys: &S3Keys) -> AwsCredentialProvider {
    Arc::new(StaticCredentialProvider::new(AwsCredential {
        key_id: keys.access_key_id.clone(),
        secret_key: keys.secret_access_key.clone(),
        token: keys.session_token.clone(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_without_a_scheme_are_named() {
        for bad in ["localhost:9000", "ftp://h", "http://", "http://u:p@h:1", "9000"] {
            let error = endpoint_url(bad).unwrap_err();
            assert!(error.contains("AWS_ENDPOINT_URL"), "{error}");
        }
        assert_eq!(endpoint_url(" http://127.0.0.1:9000/ ").unwrap().as_str(), "http://127.0.0.1:9000/");
    }
}
