//! AWS's chain of credentials, as `object_store` asks for them: kept until shortly before they expire, fetched anew
//! once for all callers, of whom all but the first go on with what is still valid.
//!
//! # Retries
//! A refresh that fails is tried again by the next request after a pause, as long as the old ones are valid; after
//! that its error is the request's, and says whether it may pass. A source that refuses, or none that is set, does not. A
//! machine's metadata that cannot be reached does: the network of a machine that boots may come a moment later.
//!
//! # Cancellation
//! A refresh is a task of its own: a source that takes longer than one try of a request would otherwise be asked anew by
//! every try and never answer. Whoever waits for it is told so before his try is over, and finds it under way, or done,
//! when he tries again. It ends by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use aws_config::imds::client::error::{ImdsError, TokenError};
use aws_config::meta::ProviderChainError;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use parking_lot::Mutex;

use crate::clock::Clock;

use super::super::error::ErrorKind;
use super::failure::{CredentialFailure, cause, chain};

/// Refreshed so long before they expire, so that none expires on its way.
const REFRESH_BEFORE_MS: i64 = 5 * 60 * 1000;
/// Between two tries while the old ones are valid.
const PAUSE_MS: i64 = 10 * 1000;
/// How long a request waits for credentials: less than one try of it may take, so that its error names them.
const WAITED_FOR: Duration = Duration::from_secs(8);
/// How long the chain may take; then it is asked anew.
const CHAIN_DEADLINE: Duration = Duration::from_secs(120);

#[derive(Clone, Debug)]
struct Held {
    credential: Arc<AwsCredential>,
    /// `None`: they do not expire.
    expires_ms: Option<i64>,
    /// No refresh before this moment.
    refresh_at_ms: Option<i64>,
}

type Refreshed = Result<Arc<AwsCredential>, CredentialFailure>;

/// A refresh under way, or one that has ended.
struct Refresh {
    task: tokio::task::AbortHandle,
    outcome: Shared<BoxFuture<'static, Refreshed>>,
}

/// The chain behind a cache.
#[derive(Debug)]
pub(super) struct ChainCredentials {
    cache: Arc<CredentialCache>,
    refresh: Mutex<Option<Refresh>>,
}

impl std::fmt::Debug for Refresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Refresh").field("task", &self.task).finish_non_exhaustive()
    }
}

/// What the chain has given.
#[derive(Debug)]
struct CredentialCache {
    chain: SharedCredentialsProvider,
    clock: Arc<dyn Clock>,
    held: Mutex<Option<Held>>,
    /// That there are none yet is told once.
    told: AtomicBool,
}

impl ChainCredentials {
    pub(super) fn new(chain: SharedCredentialsProvider, clock: Arc<dyn Clock>) -> Self {
        let cache = Arc::new(CredentialCache { chain, clock, held: Mutex::new(None), told: AtomicBool::new(false) });
        Self { cache, refresh: Mutex::new(None) }
    }

    /// The refresh that is under way, or a new one; says whether it is new.
    fn refresh(&self) -> (Shared<BoxFuture<'static, Refreshed>>, bool) {
        let mut refresh = self.refresh.lock();
        if let Some(known) = refresh.as_ref().filter(|known| !known.task.is_finished()) {
            return (known.outcome.clone(), false);
        }
        let cache = Arc::clone(&self.cache);
        let task = tokio::spawn(async move { cache.refresh().await });
        let handle = task.abort_handle();
        let outcome = task.map(|ended| ended.unwrap_or_else(|error| Err(broken_off(&error)))).boxed().shared();
        *refresh = Some(Refresh { task: handle, outcome: outcome.clone() });
        (outcome, true)
    }

    async fn get(&self) -> Refreshed {
        if let Some(credential) = self.cache.fresh() {
            return Ok(credential);
        }
        let (outcome, is_new) = self.refresh();
        if !is_new && let Some(valid) = self.cache.valid() {
            return Ok(valid);
        }
        tokio::select! {
            biased;
            refreshed = outcome => refreshed,
            () = self.cache.clock.sleep(WAITED_FOR) => self.cache.valid().ok_or_else(|| late(WAITED_FOR, "still asked for")),
        }
    }
}

impl CredentialCache {
    /// What need not be refreshed yet.
    fn fresh(&self) -> Option<Arc<AwsCredential>> {
        let held = self.held.lock();
        let held = held.as_ref()?;
        let fresh = held.refresh_at_ms.is_none_or(|at| self.clock.now_ms() < at);
        fresh.then(|| Arc::clone(&held.credential))
    }

    fn valid(&self) -> Option<Arc<AwsCredential>> {
        let held = self.held.lock();
        let held = held.as_ref()?;
        let valid = held.expires_ms.is_none_or(|at| self.clock.now_ms() < at);
        valid.then(|| Arc::clone(&held.credential))
    }

    /// Whoever starts need not wait for the end of all tries to learn what is missing.
    fn tell_of_none(&self, failure: &CredentialFailure) {
        let is_first = self.held.lock().is_none() && !self.told.swap(true, Ordering::Relaxed);
        if is_first && failure.kind.is_retriable() {
            tracing::warn!(error = %failure, "there are no credentials for the bucket yet: they are asked for again");
        }
    }

    async fn refresh(&self) -> Refreshed {
        let provided = tokio::select! {
            biased;
            provided = self.chain.provide_credentials() => provided.map_err(|error| described(&error)),
            () = self.clock.sleep(CHAIN_DEADLINE) => Err(late(CHAIN_DEADLINE, "given up, and asked for anew")),
        };
        match provided {
            Ok(credentials) => {
                let held = held(&credentials, self.clock.now_ms());
                let credential = Arc::clone(&held.credential);
                *self.held.lock() = Some(held);
                Ok(credential)
            }
            Err(failure) => {
                let Some(valid) = self.valid() else {
                    self.tell_of_none(&failure);
                    return Err(failure);
                };
                tracing::warn!(error = %failure, "credentials of the bucket could not be refreshed, the old ones are still valid");
                if let Some(held) = self.held.lock().as_mut() {
                    held.refresh_at_ms = Some(self.clock.now_ms().saturating_add(PAUSE_MS));
                }
                Ok(valid)
            }
        }
    }
}

#[async_trait]
impl CredentialProvider for ChainCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        self.get().await.map_err(|failure| object_store::Error::Generic { store: "S3", source: Box::new(failure) })
    }
}

fn held(credentials: &Credentials, now_ms: i64) -> Held {
    let credential = AwsCredential {
        key_id: credentials.access_key_id().to_owned(),
        secret_key: credentials.secret_access_key().to_owned(),
        token: credentials.session_token().map(str::to_owned),
    };
    let expiry = credentials.expiry().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let expires_ms = expiry.map(|at| i64::try_from(at.as_millis()).unwrap_or(i64::MAX));
    // Some providers give out credentials that live shorter than that: then at half time.
    let refresh_at_ms = expires_ms.map(|at| (at - REFRESH_BEFORE_MS).max(now_ms + (at - now_ms) / 2));
    Held { credential: Arc::new(credential), expires_ms, refresh_at_ms }
}

/// What helps where there are none.
const KEYS: &str = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where a role gives them";

fn late(after: Duration, then: &str) -> CredentialFailure {
    let text = format!(
        "AWS credentials did not come within {} s (they are {then}): look at what gives them, a credential_process, SSO \
         or STS behind a slow proxy, say",
        after.as_secs()
    );
    CredentialFailure { kind: ErrorKind::TimedOut, text }
}

fn broken_off(error: &tokio::task::JoinError) -> CredentialFailure {
    CredentialFailure {
        kind: ErrorKind::Unavailable,
        text: format!("asking for AWS credentials was broken off: {error}"),
    }
}

fn described(error: &CredentialsError) -> CredentialFailure {
    let words: Vec<String> = chain(error).skip(1).map(ToString::to_string).collect();
    let words = words.join(": ");
    if let Some(why) = unreached(error) {
        let text = format!("no AWS credentials were found: {KEYS} (this machine's metadata cannot be reached: {why})");
        return CredentialFailure { kind: ErrorKind::Unavailable, text };
    }
    let imds = cause::<ImdsError>(error);
    match error {
        CredentialsError::CredentialsNotLoaded(_) => {
            CredentialFailure { kind: ErrorKind::Denied, text: format!("no AWS credentials were found: {KEYS}") }
        }
        // The last source of the chain: a machine elsewhere than at AWS may have something at that address too.
        _ if imds.is_some() => CredentialFailure {
            kind: if imds.is_some_and(refuses) { ErrorKind::Denied } else { ErrorKind::Unavailable },
            text: format!("no AWS credentials were found: {KEYS} (this machine's metadata gives none: {words})"),
        },
        CredentialsError::InvalidConfiguration(_) => CredentialFailure {
            kind: ErrorKind::Denied,
            text: format!("the AWS configuration cannot be used: {words}"),
        },
        CredentialsError::ProviderTimedOut(_) => CredentialFailure {
            kind: ErrorKind::TimedOut,
            text: format!("AWS credentials did not come in time: {words}; {KEYS}"),
        },
        _ => CredentialFailure {
            kind: ErrorKind::Unavailable,
            text: format!("AWS credentials could not be had: {words}; {KEYS}"),
        },
    }
}

/// Why nobody could be asked, where a source that is always asked, the machine's metadata, counts as one that has none.
fn unreached(error: &CredentialsError) -> Option<&ConnectorError> {
    let tried = cause::<ProviderChainError<CredentialsError>>(error)?;
    tried.attempts().iter().find_map(|attempt| cause::<ConnectorError>(attempt.error()))
}

/// Whether the machine's metadata has answered, and will say the same again.
fn refuses(error: &ImdsError) -> bool {
    let of_token = || cause::<SdkError<TokenError, HttpResponse>>(error).and_then(SdkError::raw_response);
    let response = match error {
        ImdsError::ErrorResponse(context) => Some(context.response()),
        _ => of_token(),
    };
    let status = response.map(|response| response.status().as_u16());
    status.is_some_and(|status| (400..500).contains(&status) && !matches!(status, 408 | 429))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::time::Duration;

    use aws_credential_types::provider::future;

    use super::*;
    use crate::clock::ManualClock;

    /// An access key's id and how long it lives, or an error.
    type Answer = Result<(&'static str, Option<i64>), &'static str>;

    /// Answers in turn.
    #[derive(Debug, Clone)]
    struct Scripted(Arc<Mutex<VecDeque<Answer>>>, Arc<ManualClock>);

    impl ProvideCredentials for Scripted {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let answer = self.0.lock().pop_front().expect("asked too often");
            future::ProvideCredentials::ready(match answer {
                Ok((id, lives_ms)) => {
                    let until = lives_ms.map(|lives| self.1.now_ms() + lives);
                    let until = until.map(|at| UNIX_EPOCH + Duration::from_millis(u64::try_from(at).unwrap()));
                    Ok(Credentials::new(id, "secret", Some("token".to_owned()), until, "test"))
                }
                Err("none") => Err(CredentialsError::not_loaded_no_source()),
                Err(why) => Err(CredentialsError::provider_error(why)),
            })
        }
    }

    fn chain(script: Vec<Answer>) -> (ChainCredentials, Arc<ManualClock>) {
        let clock = ManualClock::new(1_700_000_000_000);
        let scripted = Scripted(Arc::new(Mutex::new(script.into())), Arc::clone(&clock));
        let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        (ChainCredentials::new(SharedCredentialsProvider::new(scripted), shared), clock)
    }

    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR_MS: i64 = 60 * 60 * 1000;

    async fn id(chain: &ChainCredentials) -> Result<String, CredentialFailure> {
        chain.get().await.map(|credential| credential.key_id.clone())
    }

    #[tokio::test]
    async fn credentials_are_kept_until_shortly_before_they_expire() {
        let (chain, clock) = chain(vec![Ok(("a", Some(HOUR_MS))), Ok(("b", None))]);
        let first = chain.get_credential().await.unwrap();
        assert_eq!((first.secret_key.as_str(), first.token.as_deref()), ("secret", Some("token")));
        clock.advance(MINUTE * 54);
        assert_eq!(id(&chain).await.unwrap(), "a");
        clock.advance(MINUTE * 2);
        assert_eq!(id(&chain).await.unwrap(), "b");
        clock.advance(MINUTE * 100_000);
        assert_eq!(id(&chain).await.unwrap(), "b", "these do not expire");
    }

    #[tokio::test]
    async fn a_failed_refresh_counts_only_when_the_old_ones_have_expired() {
        let (chain, clock) =
            chain(vec![Ok(("a", Some(HOUR_MS))), Err("503"), Err("503"), Err("none"), Ok(("b", None))]);
        assert_eq!(id(&chain).await.unwrap(), "a");
        clock.advance(MINUTE * 56);
        assert_eq!(id(&chain).await.unwrap(), "a");
        assert_eq!(id(&chain).await.unwrap(), "a", "not asked again at once");
        clock.advance(MINUTE * 5);
        let failed = id(&chain).await.unwrap_err();
        assert_eq!(failed.kind, ErrorKind::Unavailable);
        assert!(failed.text.contains("503"), "{failed}");
        let failed = id(&chain).await.unwrap_err();
        assert_eq!(failed.kind, ErrorKind::Denied);
        assert!(failed.text.contains("AWS_ACCESS_KEY_ID"), "{failed}");
        assert_eq!(id(&chain).await.unwrap(), "b");
    }

    #[tokio::test]
    async fn where_there_never_were_any_a_source_that_fails_may_pass_and_none_does_not() {
        let (chain, _) = chain(vec![Err("503"), Err("none"), Ok(("a", None))]);
        let failed = id(&chain).await.unwrap_err();
        assert_eq!(failed.kind, ErrorKind::Unavailable);
        assert!(failed.text.contains("503"), "{failed}");
        assert_eq!(id(&chain).await.unwrap_err().kind, ErrorKind::Denied);
        assert_eq!(id(&chain).await.unwrap(), "a");
    }

    #[tokio::test]
    async fn short_lived_ones_are_refreshed_at_half_time() {
        let (chain, clock) = chain(vec![Ok(("a", Some(120_000))), Ok(("b", Some(120_000)))]);
        assert_eq!(id(&chain).await.unwrap(), "a");
        clock.advance(Duration::from_secs(59));
        assert_eq!(id(&chain).await.unwrap(), "a");
        clock.advance(Duration::from_secs(2));
        assert_eq!(id(&chain).await.unwrap(), "b");
    }

    /// Takes its time.
    #[derive(Debug)]
    struct Slow {
        takes: Duration,
        asked: Arc<Mutex<u32>>,
        clock: Arc<ManualClock>,
    }

    impl ProvideCredentials for Slow {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            *self.asked.lock() += 1;
            future::ProvideCredentials::new(async move {
                self.clock.sleep(self.takes).await;
                Ok(Credentials::new("slow", "secret", None, None, "test"))
            })
        }
    }

    #[tokio::test]
    async fn a_source_slower_than_one_try_is_asked_once_and_named_meanwhile() {
        let (clock, asked) = (ManualClock::new(1_700_000_000_000), Arc::new(Mutex::new(0)));
        let slow = Slow { takes: Duration::from_secs(11), asked: Arc::clone(&asked), clock: Arc::clone(&clock) };
        let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let chain = ChainCredentials::new(SharedCredentialsProvider::new(slow), shared);
        let mut dropped = Box::pin(id(&chain));
        let mut told = Box::pin(id(&chain));
        assert!(futures::poll!(&mut dropped).is_pending() && futures::poll!(&mut told).is_pending());
        while *asked.lock() == 0 {
            tokio::task::yield_now().await;
        }
        drop(dropped);
        clock.advance(Duration::from_secs(9));
        let error = told.await.unwrap_err();
        assert!(error.kind == ErrorKind::TimedOut && error.text.contains("AWS credentials"), "{error}");
        let mut again = Box::pin(id(&chain));
        assert!(futures::poll!(&mut again).is_pending());
        clock.advance(Duration::from_secs(3));
        assert_eq!(again.await.unwrap(), "slow");
        assert_eq!(*asked.lock(), 1, "the tries that were over have not ended it");
    }
}
