//! Whether a bucket can do what is needed, asked at start and not in the middle of an upload.
//!
//! Each step is one capability; the first that is missing ends the test with an error that names it and the
//! remedy. Everything is written below one key prefix of its own, and removed.
//!
//! # Consistency
//! Runs beside other users of the bucket: its keys are its own.
//!
//! # Cancellation
//! A test that is dropped leaves what a crash leaves.
//!
//! # Crash safety
//! What a crash leaves lies below `_tidelog/self-test/` and means nothing to anybody.

use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use ulid::Ulid;

use super::bucket::Bucket;
use super::error::{BucketError, ControlError, ErrorKind, NotSent, Operation};
use super::key;
use super::object_key::ObjectKey;
use super::store::{Expect, Part, UnfinishedUploads, Version};

/// How long the first step may take: it tells whether anybody is there at all.
const FIRST_ANSWER: Duration = Duration::from_secs(20);
/// How long it may take where the endpoint cannot be right: no host has its name, or what is there speaks no TLS. Waiting
/// mends neither, but for the name of a container that starts beside this one. A connection that is refused may be: a store
/// that was started at the same time takes so long and longer until it listens, and keeps the whole time.
const WRONG_ENDPOINT: Duration = Duration::from_secs(5);

/// What was found out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SelfTestReport {
    /// What works but should be looked at.
    pub warnings: Vec<String>,
}

/// The bucket cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the bucket {bucket} cannot be used: {lacks}{}{remedy}", if .remedy.is_empty() { "" } else { "; " })]
pub struct SelfTestError {
    /// Which.
    pub bucket: String,
    /// What it lacks, with the store's own words where it had any.
    pub lacks: String,
    /// What to do about it; empty where what it lacks says that too.
    pub remedy: &'static str,
    /// The store's error, where there was one.
    pub source: Option<BucketError>,
}

/// A step that failed, before the bucket's name is put to it.
struct Failed {
    lacks: String,
    remedy: &'static str,
    source: Option<BucketError>,
}

impl Failed {
    /// Whether the write that failed may have left something: not where the store has refused it.
    fn may_have_written(&self) -> bool {
        if self.source.as_ref().is_some_and(BucketError::is_of_another) {
            return false;
        }
        let kind = self.source.as_ref().map(BucketError::kind);
        !matches!(kind, Some(ErrorKind::NoBucket | ErrorKind::Denied | ErrorKind::Unsupported | ErrorKind::Invalid))
    }
}

/// Whether the same may be answered otherwise: not where somebody refuses, and not where all was tried again already.
fn is_odd(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::Corrupt | ErrorKind::Invalid)
}

fn lacks(what: &str, remedy: &'static str) -> Failed {
    Failed { lacks: what.to_owned(), remedy, source: None }
}

/// The remedy that an error's kind suggests; `otherwise` where it suggests none. Which file of this test's own it was is
/// nothing that anybody could look at.
fn failed(step: &str, error: BucketError, otherwise: &'static str) -> Failed {
    if error.is_of_credentials() {
        return Failed { lacks: error.detail().to_owned(), remedy: "", source: Some(error) };
    }
    if error.is_of_another() {
        let lacks = format!("what answers there does not answer as a store does ({})", error.detail());
        return Failed { lacks, remedy: ANOTHER, source: Some(error) };
    }
    let remedy = match error.kind() {
        ErrorKind::NoBucket => "create it, or correct its name in the URL or its region (AWS_REGION)",
        ErrorKind::Denied => {
            "check the credentials, and that they allow to get, put, list and delete objects and to abort uploads"
        }
        ErrorKind::Unavailable | ErrorKind::TimedOut => {
            "check that its endpoint can be reached from here (AWS_ENDPOINT_URL, AWS_REGION, proxies)"
        }
        ErrorKind::Full => "make room",
        _ => otherwise,
    };
    Failed { lacks: format!("{step}: {}: {}", error.kind(), error.detail()), remedy, source: Some(error) }
}

const ANOTHER: &str = "see that its endpoint (AWS_ENDPOINT_URL) is an S3 server's: MinIO's is at port 9000 by default, and its \
                       console or a broker's --http is none";

const CONDITIONAL: &str =
    "use a store with conditional writes (If-None-Match, If-Match): AWS S3, MinIO and SeaweedFS have them";
const MULTIPART: &str = "use a store with multipart uploads; where it only refuses their checksums or encryption, set \
                         tidelog.s3.checksums=false, tidelog.s3.encryption";

impl Bucket {
    /// Tries every capability that is relied upon.
    pub async fn self_test(&self) -> Result<SelfTestReport, SelfTestError> {
        match self.test_once(1).await {
            // One odd answer on the way is no bucket that cannot do it.
            Err(Failed { source, .. }) if source.as_ref().is_some_and(|error| is_odd(error.kind())) => {
                self.test_once(2).await
            }
            tested => tested,
        }
        .map_err(|Failed { lacks, remedy, source }| SelfTestError {
            bucket: self.describe(),
            lacks,
            remedy,
            source,
        })
    }

    async fn test_once(&self, time: u64) -> Result<SelfTestReport, Failed> {
        let now_ms = u64::try_from(self.clock.now_ms()).unwrap_or_default();
        let random = StdRng::seed_from_u64(self.seed ^ now_ms ^ time).random::<u128>();
        let run = Ulid::from_parts(now_ms, random);
        let before = self.counts();
        match self.first_write(run).await {
            Ok(first) => {
                let tested = self.steps(run, first).await;
                if tested.is_err() {
                    self.remove_what_is_left(run).await;
                }
                tested
            }
            Err(failed) => {
                let writes = self.counts().since(&before).of(Operation::WriteControl);
                if writes.requests > writes.not_sent && failed.may_have_written() {
                    self.remove_what_is_left(run).await;
                }
                Err(failed)
            }
        }
    }

    async fn steps(&self, run: Ulid, first: Version) -> Result<SelfTestReport, Failed> {
        self.control_files(run, first).await?;
        let found = self.uploads(run).await?;
        let mut left = self.list(&key::self_test_prefix(run));
        match left.try_next().await {
            Ok(None) => {}
            Ok(Some(object)) => {
                let what = format!("'{}' is still listed after its deletion", object.key);
                return Err(lacks(&what, "use a store whose listings follow at once"));
            }
            Err(error) => return Err(failed("listing", error, "allow listing")),
        }
        let mut warnings = self.warnings().await;
        if let Err(why) = found {
            warnings.push(format!(
                "{}: unfinished uploads cannot be listed ({why}): allow s3:ListBucketMultipartUploads, or let a lifecycle rule \
                 end them, or what a crash leaves in the moment before its upload id is noted stays and is paid for unseen",
                self.describe()
            ));
        }
        Ok(SelfTestReport { warnings })
    }

    /// A conditional create: the first that anybody is asked.
    async fn first_write(&self, run: Ulid) -> Result<Version, Failed> {
        let key = key::self_test(run, "control.json");
        let created = tokio::select! {
            created = self.write_control(&key, Bytes::from_static(b"first"), Expect::Absent) => created,
            after = self.first_patience() => return Err(never_answered(&key, after, self.meter.last_failure())),
        };
        created.map_err(|error| not_written("writing an object", error))
    }

    /// Ends when the first answer is not waited for any more; how long that was.
    async fn first_patience(&self) -> Duration {
        self.clock.sleep(WRONG_ENDPOINT).await;
        if let Some(last) = self.meter.last_failure() {
            if last.not_sent() == Some(NotSent::WrongEndpoint) {
                return WRONG_ENDPOINT;
            }
            tracing::warn!(bucket = self.describe(), error = last.detail(), "the bucket does not answer yet");
        }
        self.clock.sleep(FIRST_ANSWER.saturating_sub(WRONG_ENDPOINT)).await;
        FIRST_ANSWER
    }

    /// Conditional update, ranged read, list, delete.
    async fn control_files(&self, run: Ulid, first: Version) -> Result<(), Failed> {
        let key = key::self_test(run, "control.json");
        self.must_conflict(&key, Expect::Absent, "a conditional create over an object that is there was accepted")
            .await?;
        let second = self.write_control(&key, Bytes::from_static(b"second"), Expect::Version(first.clone())).await;
        let second = second.map_err(|error| not_written("a conditional update", error))?;
        let stale = Expect::Version(first);
        self.must_conflict(&key, stale, "a conditional update of another version was accepted").await?;
        self.must_read(&key, b"second", Some(&second)).await?;
        let listed: Vec<_> = self
            .list(&key::self_test_prefix(run))
            .try_collect()
            .await
            .map_err(|error| failed("listing", error, "allow listing"))?;
        if !matches!(listed.as_slice(), [object] if object.key == key && object.size_bytes == 6) {
            return Err(lacks(
                "an object that was just written is not listed",
                "use a store whose listings follow at once",
            ));
        }
        self.must_delete(&key).await
    }

    async fn must_conflict(&self, key: &ObjectKey, expect: Expect, what: &str) -> Result<(), Failed> {
        match self.write_control(key, Bytes::from_static(b"never"), expect).await {
            Err(ControlError::Conflict(_)) => Ok(()),
            Err(ControlError::Bucket(error)) => Err(failed("a conditional write", error, CONDITIONAL)),
            Ok(_) => Err(lacks(what, CONDITIONAL)),
        }
    }

    async fn must_read(&self, key: &ObjectKey, bytes: &[u8], version: Option<&Version>) -> Result<(), Failed> {
        let middle = self.get_range(key, 1..bytes.len() as u64 - 1).await;
        let middle = middle.map_err(|error| failed("a ranged read", error, "use a store with ranged reads"))?;
        if Some(middle.as_ref()) != bytes.get(1..bytes.len() - 1) {
            return Err(lacks("a ranged read gave other bytes", "use a store with ranged reads"));
        }
        let Some(version) = version else { return Ok(()) };
        let whole = self.read_control(key).await.map_err(|error| failed("reading an object", error, CONDITIONAL))?;
        if whole.as_ref().map(|(whole, version)| (whole.as_ref(), version)) != Some((bytes, version)) {
            return Err(lacks("an object does not read back as it was written", CONDITIONAL));
        }
        Ok(())
    }

    async fn must_delete(&self, key: &ObjectKey) -> Result<(), Failed> {
        self.delete(key).await.map_err(|error| failed("deleting an object", error, "allow deleting"))?;
        match self.size(key).await {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(lacks("an object is still there after its deletion", "allow deleting")),
            Err(error) => Err(failed(
                "asking for a deleted object",
                error,
                "allow listing: without it absence reads as a refusal",
            )),
        }
    }

    /// An upload that is finished, and one that is aborted; whether that one was found by its key.
    async fn uploads(&self, run: Ulid) -> Result<Result<(), String>, Failed> {
        let step = |error| failed("a multipart upload", error, MULTIPART);
        let key = key::self_test(run, "upload.parquet");
        let bytes = Bytes::from_static(b"0123456789");
        let mut upload = self.begin_upload(&key).await.map_err(step)?;
        upload.write(bytes.clone()).await.map_err(step)?;
        upload.finish().await.map_err(step)?;
        self.must_read(&key, &bytes, None).await?;
        self.must_delete(&key).await?;

        let key = key::self_test(run, "aborted.parquet");
        let upload = self.store.begin_upload(&key).await.map_err(step)?;
        let part = Part { number: 0, position: 0, payload: bytes.into() };
        self.store.write_part(&key, &upload, &part).await.map_err(step)?;
        let found = match self.uploads_of(&key).await {
            Ok(ids) if upload.known().is_none_or(|id| ids.iter().any(|one| one == id)) => Ok(()),
            Ok(_) => Err("the list lacks one that was begun".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let aborted = self.store.abort_upload(&key, &upload).await;
        aborted.map_err(|error| failed("aborting an upload", error, "allow aborting uploads"))?;
        match self.size(&key).await.map_err(step)? {
            None => Ok(found),
            Some(_) => Err(lacks("an aborted upload left an object", MULTIPART)),
        }
    }

    async fn warnings(&self) -> Vec<String> {
        let without_rule = "no lifecycle rule ends unfinished uploads (AbortIncompleteMultipartUpload): add one, or what \
                            a lost answer leaves begun twice is stored and paid for unseen";
        match self.store.unfinished_uploads().await {
            Ok(UnfinishedUploads::EndByThemselves | UnfinishedUploads::EndedByRule) => Vec::new(),
            Ok(UnfinishedUploads::Kept) => vec![format!("{}: {without_rule}", self.describe())],
            Ok(UnfinishedUploads::Unknown(why)) => {
                vec![format!(
                    "{}: cannot tell whether a lifecycle rule ends unfinished uploads: {why}",
                    self.describe()
                )]
            }
            Err(error) => {
                vec![format!(
                    "{}: cannot tell whether a lifecycle rule ends unfinished uploads: {error}",
                    self.describe()
                )]
            }
        }
    }

    async fn remove_what_is_left(&self, run: Ulid) {
        for what in ["control.json", "upload.parquet", "aborted.parquet"] {
            // Asked of the store without patience: the bucket has just failed.
            let key = key::self_test(run, what);
            let removed = tokio::select! {
                removed = self.delete(&key) => removed.is_ok(),
                () = self.clock.sleep(Duration::from_secs(1)) => false,
            };
            if !removed {
                tracing::warn!(%key, "a failed self-test of the bucket may have left an object");
                break;
            }
        }
    }
}

/// The first step has taken too long; `last` is what its last try said, if one was over.
fn never_answered(key: &ObjectKey, after: Duration, last: Option<BucketError>) -> Failed {
    let said = last.as_ref().map(|last| format!(": {}", last.detail())).unwrap_or_default();
    let (what, remedy) = match last.as_ref().map(BucketError::not_sent) {
        // Its own words say what is to be set, or looked at.
        Some(Some(NotSent::NoCredentials)) => ("credentials", ""),
        Some(Some(_)) => ("connection", "check the endpoint (AWS_ENDPOINT_URL: http or https, host, port) and proxies"),
        Some(None) => {
            ("answer", "check that its endpoint can be reached from here (AWS_ENDPOINT_URL, AWS_REGION, proxies)")
        }
        None => (
            "answer",
            "check that its endpoint can be reached from here (AWS_ENDPOINT_URL, AWS_REGION, proxies) and that credentials \
             are set",
        ),
    };
    let lacks = format!("no {what} within {} seconds{said}", after.as_secs());
    let source = BucketError::new(ErrorKind::TimedOut, Operation::WriteControl, key.as_str(), lacks.as_str());
    Failed { lacks, remedy, source: Some(source) }
}

fn not_written(step: &str, error: ControlError) -> Failed {
    match error {
        ControlError::Conflict(key) => {
            lacks(&format!("{step}: '{key}' is there without having been written"), CONDITIONAL)
        }
        ControlError::Bucket(error) => failed(step, error, CONDITIONAL),
    }
}
