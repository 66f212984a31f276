//! Where S3 is and who we are, as every AWS tool finds it out: settings given by hand, then the environment, the
//! profile, and what the machine itself says.

use std::sync::Arc;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::os_shim_internal::{Env, Fs};
use aws_types::service_config::ServiceConfigKey;
use object_store::StaticCredentialProvider;
use object_store::aws::{AwsCredential, AwsCredentialProvider};
use url::Url;

use crate::clock::Clock;

use super::super::options::{S3Keys, S3Options};
use super::credentials::ChainCredentials;

/// Where a server of one's own takes any region.
const ANY_REGION: &str = "us-east-1";
/// How long the machine's own metadata may take to answer. It is a step away where there is any; elsewhere many networks
/// swallow what is sent to its address, and what was missing is then told after this.
const METADATA_ANSWER: Duration = Duration::from_secs(2);
const METADATA_CONNECT: Duration = Duration::from_secs(1);

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
                .imds_client(metadata(&ProviderConfig::default()))
                .build()
                .region()
                .await
                .ok_or("no region is set: set AWS_REGION, or region in the profile")?,
        };
        let credentials: AwsCredentialProvider = match &options.credentials {
            Some(keys) => given(keys),
            None => {
                refuse_half(&Env::real(), &Fs::real()).await?;
                Arc::new(ChainCredentials::new(chain(&config, &region).await, clock))
            }
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

/// AWS's own chain, but for its patience with a machine that has no metadata.
async fn chain(config: &SdkConfig, region: &Region) -> SharedCredentialsProvider {
    let asking = ProviderConfig::default()
        .with_region(Some(region.clone()))
        .with_use_fips(config.use_fips())
        .with_use_dual_stack(config.use_dual_stack());
    let metadata = metadata(&asking);
    let chain = DefaultCredentialsChain::builder().configure(asking).region(region.clone()).imds_client(metadata);
    SharedCredentialsProvider::new(chain.build().await)
}

/// Asks once: whoever needs credentials asks again.
fn metadata(asking: &ProviderConfig) -> imds::Client {
    let client = imds::Client::builder().configure(asking).max_attempts(1);
    client.connect_timeout(METADATA_CONNECT).read_timeout(METADATA_ANSWER).build()
}

/// Half a pair of keys, or a profile that is in no file: the chain would go on to other sources as if nobody had said
/// anything, and end with other credentials than were meant, or with none and another reason.
async fn refuse_half(env: &Env, fs: &Fs) -> Result<(), String> {
    let set = |name: &str| env.get(name).is_ok_and(|value| !value.trim().is_empty());
    let (id, secret) = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
    // The chain takes this older name too.
    match (set(id), set(secret) || (set(id) && set("SECRET_ACCESS_KEY"))) {
        (true, true) => return Ok(()),
        (true, false) => return Err(format!("{id} is set and {secret} is not: set both, or neither")),
        (false, true) => return Err(format!("{secret} is set and {id} is not: set both, or neither")),
        (false, false) => {}
    }
    let Some(named) = env.get("AWS_PROFILE").ok().filter(|name| !name.trim().is_empty()) else { return Ok(()) };
    match aws_config::profile::load(fs, env, &Default::default(), None).await {
        Ok(profiles) if profiles.get_profile(profiles.selected_profile()).is_none() => Err(format!(
            "there is no profile '{named}' (AWS_PROFILE) in ~/.aws/config or ~/.aws/credentials: `aws configure list-profiles` \
             shows those that there are"
        )),
        Ok(_) => Ok(()),
        Err(error) => Err(format!("the AWS configuration cannot be read: {error}")),
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

    #[tokio::test]
    async fn half_of_what_is_needed_is_an_error_of_its_own() {
        let fs = Fs::from_slice(&[("/home/me/.aws/config", "[profile work]\nregion = eu-west-1\n")]);
        let said = async |set: &[(&str, &str)]| {
            let env = Env::from_slice(&[&[("HOME", "/home/me")], set].concat());
            refuse_half(&env, &fs).await.err().unwrap_or_default()
        };
        let (id, secret) = (("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "s"));
        assert!(said(&[id]).await.starts_with("AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not"));
        assert!(said(&[secret, ("AWS_ACCESS_KEY_ID", " ")]).await.starts_with("AWS_SECRET_ACCESS_KEY is set and"));
        assert!(said(&[("AWS_PROFILE", "wokr")]).await.starts_with("there is no profile 'wokr'"));
        for fine in [
            &[][..],
            &[id, secret],
            &[id, ("SECRET_ACCESS_KEY", "s")],
            &[("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")],
            &[("AWS_PROFILE", "work")],
            &[("AWS_PROFILE", "")],
            &[id, secret, ("AWS_PROFILE", "wokr")],
        ] {
            assert_eq!(said(fine).await, "", "{fine:?}");
        }
    }
}
