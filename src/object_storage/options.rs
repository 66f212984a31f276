//! The room's settings. The edge fills them in; the defaults are good for a bucket in the same region.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::settings::{BrokerSettings, InvalidSetting};

use super::faulty::FaultPlan;

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct BucketOptions {
    /// For `s3://`.
    pub s3: S3Options,
    /// For `gs://`.
    pub gcs: GcsOptions,
    /// For `az://`.
    pub azure: AzureOptions,
    /// How long and how often to try.
    pub retry: RetryOptions,
    /// How many requests at once.
    pub budget: BudgetOptions,
    /// How an object is cut into parts.
    pub upload: UploadOptions,
    /// For jitter and for the names of self-test objects; random in production.
    pub seed: u64,
    /// Faults to meet, in tests.
    pub faults: Option<Arc<FaultPlan>>,
}

impl BucketOptions {
    /// What the broker's settings say; the rest stays as it is by default.
    pub fn from_settings(settings: &BrokerSettings) -> Result<Self, InvalidSetting> {
        Ok(Self { s3: S3Options::from_settings(settings)?, ..Self::default() })
    }
}

/// Settings of `s3://`; what is `None` comes from the environment and profile, as for every AWS tool.
#[derive(Clone, Debug, Default)]
pub struct S3Options {
    /// `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`.
    pub endpoint: Option<String>,
    /// `AWS_REGION`, `AWS_DEFAULT_REGION`.
    pub region: Option<String>,
    /// Keys given by hand instead of the chain.
    pub credentials: Option<S3Keys>,
    /// The bucket's name in the path instead of the host; by default where an endpoint is set.
    pub path_style: Option<bool>,
    /// Encryption by the store.
    pub encryption: Option<S3Encryption>,
    /// The storage class of data objects; control files always take the bucket's own.
    pub storage_class: Option<String>,
    /// Whether parts go without a SHA-256 of their own, for a store that refuses them.
    pub without_checksums: bool,
}

impl S3Options {
    fn from_settings(settings: &BrokerSettings) -> Result<Self, InvalidSetting> {
        let given = |name| Some(settings.text(name).trim().to_owned()).filter(|text: &String| !text.is_empty());
        let key_id = given("tidelog.s3.encryption.kms.key.id");
        let encryption = match (settings.text("tidelog.s3.encryption").trim(), key_id) {
            ("aws:kms", key_id) => Some(S3Encryption::Kms { key_id }),
            (_, Some(_)) => {
                let why = "tidelog.s3.encryption.kms.key.id needs tidelog.s3.encryption=aws:kms";
                return Err(InvalidSetting::Conflict(why.to_owned()));
            }
            ("AES256", None) => Some(S3Encryption::S3),
            (_, None) => None,
        };
        Ok(Self {
            path_style: given("tidelog.s3.path.style").map(|text| text == "true"),
            encryption,
            storage_class: given("tidelog.s3.storage.class"),
            without_checksums: !settings.switch("tidelog.s3.checksums"),
            ..Self::default()
        })
    }
}

/// A pair of keys.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Keys {
    /// The public half.
    pub access_key_id: String,
    /// The secret half.
    pub secret_access_key: String,
    /// Of temporary keys.
    pub session_token: Option<String>,
}

impl fmt::Debug for S3Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Keys").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// Encryption at rest, by the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum S3Encryption {
    /// SSE-S3.
    S3,
    /// SSE-KMS, with a key's id or the bucket's default one.
    Kms {
        /// The key.
        key_id: Option<String>,
    },
}

/// Settings of `gs://`; credentials come from where Google's tools look for them.
#[derive(Clone, Debug, Default)]
pub struct GcsOptions {
    /// `GOOGLE_BASE_URL`; Google's own by default.
    pub endpoint: Option<String>,
    /// For an emulator that knows nobody.
    pub without_signatures: bool,
}

/// Settings of `az://`; what is `None` comes from the environment.
#[derive(Clone, Default)]
pub struct AzureOptions {
    /// `AZURE_STORAGE_ENDPOINT`; the account's own by default.
    pub endpoint: Option<String>,
    /// `AZURE_STORAGE_ACCOUNT_NAME`.
    pub account: Option<String>,
    /// `AZURE_STORAGE_ACCOUNT_KEY`.
    pub access_key: Option<String>,
}

impl fmt::Debug for AzureOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureOptions")
            .field("endpoint", &self.endpoint)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// Deadlines and pauses.
#[derive(Clone, Debug)]
pub struct RetryOptions {
    /// For a read of data, all tries together.
    pub read_deadline: Duration,
    /// For a part, or for finishing an upload.
    pub upload_deadline: Duration,
    /// For everything small.
    pub control_deadline: Duration,
    /// The bound of the first pause.
    pub pause_first: Duration,
    /// The bound of all pauses.
    pub pause_max: Duration,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            read_deadline: Duration::from_secs(60),
            upload_deadline: Duration::from_secs(300),
            control_deadline: Duration::from_secs(60),
            pause_first: Duration::from_millis(100),
            pause_max: Duration::from_secs(10),
        }
    }
}

/// Requests at once, and how long each may hold its place.
#[derive(Clone, Debug)]
pub struct BudgetOptions {
    /// Ranged reads.
    pub reads_max: usize,
    /// Parts.
    pub uploads_max: usize,
    /// Everything small.
    pub control_max: usize,
    /// The fixed share of one try; what it moves is allowed for on top.
    pub attempt: Duration,
    /// The same for finishing an upload.
    pub finish_attempt: Duration,
}

impl Default for BudgetOptions {
    fn default() -> Self {
        Self {
            reads_max: 64,
            uploads_max: 16,
            control_max: 32,
            attempt: Duration::from_secs(10),
            finish_attempt: Duration::from_secs(120),
        }
    }
}

/// Parts of an upload.
#[derive(Clone, Debug)]
pub struct UploadOptions {
    /// The size of every part but the last. S3 takes 5 MiB and more, and 10,000 of them.
    pub part_bytes: usize,
    /// Parts under way at once, for one upload: its memory is bounded by one more than this.
    pub parts_in_flight: usize,
}

impl Default for UploadOptions {
    fn default() -> Self {
        Self { part_bytes: 8 * 1024 * 1024, parts_in_flight: 4 }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn s3(set: &[(&str, &str)]) -> Result<S3Options, String> {
        let set: BTreeMap<_, _> = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let settings = BrokerSettings::new(set).map_err(|error| error.to_string())?;
        BucketOptions::from_settings(&settings).map(|options| options.s3).map_err(|error| error.to_string())
    }

    #[test]
    fn settings_say_what_awss_own_environment_has_no_word_for() {
        let default = s3(&[]).unwrap();
        assert_eq!((default.encryption, default.storage_class, default.path_style), (None, None, None));
        assert!(!default.without_checksums);
        let kms = ("tidelog.s3.encryption", "aws:kms");
        let key = ("tidelog.s3.encryption.kms.key.id", "k");
        assert_eq!(s3(&[("tidelog.s3.encryption", "AES256")]).unwrap().encryption, Some(S3Encryption::S3));
        assert_eq!(s3(&[kms]).unwrap().encryption, Some(S3Encryption::Kms { key_id: None }));
        let key_id = Some("k".to_owned());
        assert_eq!(s3(&[kms, key]).unwrap().encryption, Some(S3Encryption::Kms { key_id }));
        let others = s3(&[
            ("tidelog.s3.path.style", "false"),
            ("tidelog.s3.storage.class", "STANDARD_IA"),
            ("tidelog.s3.checksums", "false"),
        ]);
        let others = others.unwrap();
        assert_eq!((others.path_style, others.without_checksums), (Some(false), true));
        assert_eq!(others.storage_class.as_deref(), Some("STANDARD_IA"));

        for (wrong, word) in [
            (vec![key], "needs tidelog.s3.encryption=aws:kms"),
            (vec![("tidelog.s3.encryption", "AES256"), key], "needs tidelog.s3.encryption=aws:kms"),
            (vec![("tidelog.s3.encryption", "rot13")], "String must be one of"),
            (vec![("tidelog.s3.path.style", "maybe")], "String must be one of"),
        ] {
            let said = s3(&wrong).unwrap_err();
            assert!(said.contains(word), "{said}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let keys = S3Keys {
            access_key_id: "public".to_owned(),
            secret_access_key: "hidden".to_owned(),
            session_token: Some("hidden".to_owned()),
        };
        let azure = AzureOptions { access_key: Some("hidden".to_owned()), ..AzureOptions::default() };
        let s3 = S3Options { credentials: Some(keys), ..S3Options::default() };
        let shown = format!("{:?}", BucketOptions { s3, azure, ..BucketOptions::default() });
        assert!(shown.contains("public") && !shown.contains("hidden"), "{shown}");
    }
}
