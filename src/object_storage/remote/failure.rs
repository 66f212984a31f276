//! What an error of `object_store` means, in this room's kinds. The one place that knows the stores' codes.

use std::error::Error;
use std::io;

use object_store::client::{HttpError, HttpErrorKind};

use super::super::error::{BucketError, ErrorKind, NotSent, Operation};
use super::answers::{RANGE_IGNORED, ServerAnswer};
use crate::model::host_name;

/// Any error on the way to a bucket.
pub(super) type Cause = Box<dyn Error + Send + Sync + 'static>;

/// Credentials could not be had.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct CredentialFailure {
    /// Whether it may pass.
    pub(super) kind: ErrorKind,
    /// What happened and the remedy.
    pub(super) text: String,
}

/// The error as callers see it.
pub(super) fn failure(error: &(dyn Error + 'static), operation: Operation, key: &str) -> BucketError {
    let (kind, detail) = meaning(error, operation);
    let answer = cause::<ServerAnswer>(error);
    let of_another = answer.is_some_and(|answer| answer.of_bucket && answer.code.is_empty() && answer.status < 500);
    let not_sent = if answer.is_some() { None } else { not_sent(error) };
    BucketError::new(kind, operation, key, detail).unsent(not_sent).of_another(of_another)
}

/// Why nobody was asked, where that is known.
fn not_sent(error: &(dyn Error + 'static)) -> Option<NotSent> {
    if cause::<CredentialFailure>(error).is_some() {
        return Some(NotSent::NoCredentials);
    }
    let http = cause::<HttpError>(error).filter(|http| http.kind() == HttpErrorKind::Connect)?;
    let is_wrong = chain(http).any(|error| is_no_tls(error) || host_name::is_unknown(&error.to_string()));
    Some(if is_wrong { NotSent::WrongEndpoint } else { NotSent::NoConnection })
}

/// What TLS says of the other side's first bytes, or of who it claims to be, comes as data that is none. An error of input
/// and output may hold another, which is not among its causes.
fn is_no_tls(error: &(dyn Error + 'static)) -> bool {
    let Some(error) = error.downcast_ref::<io::Error>() else { return false };
    error.kind() == io::ErrorKind::InvalidData || error.get_ref().is_some_and(|inner| is_no_tls(inner))
}

/// The first cause of that type.
pub(super) fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(error).find_map(|error| error.downcast_ref::<T>())
}

/// An error and its causes.
pub(super) fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn meaning(error: &(dyn Error + 'static), operation: Operation) -> (ErrorKind, String) {
    if let Some(answer) = cause::<ServerAnswer>(error) {
        return (kind_of(answer, operation), answer.to_string());
    }
    if let Some(failure) = cause::<CredentialFailure>(error) {
        return (failure.kind, failure.text.clone());
    }
    if let Some(http) = cause::<HttpError>(error) {
        let kind = if http.kind() == HttpErrorKind::Timeout { ErrorKind::TimedOut } else { ErrorKind::Unavailable };
        // The first of the chain repeats what the others say.
        let words: Vec<String> = chain(http).skip(1).map(ToString::to_string).collect();
        return (kind, words.join(": "));
    }
    let innermost = chain(error).last().unwrap_or(error).to_string();
    let kind = match error.downcast_ref::<object_store::Error>() {
        Some(object_store::Error::NotSupported { .. } | object_store::Error::NotImplemented { .. }) => {
            ErrorKind::Unsupported
        }
        Some(object_store::Error::InvalidPath { .. }) => ErrorKind::Invalid,
        // An answer that makes no sense. What was asked for may have been done.
        _ if changes(operation) => ErrorKind::Unavailable,
        _ => ErrorKind::Corrupt,
    };
    (kind, innermost)
}

fn changes(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Delete
            | Operation::WriteControl
            | Operation::BeginUpload
            | Operation::WritePart
            | Operation::FinishUpload
            | Operation::AbortUpload
    )
}

/// By the store's code where it is a known one, else by the status.
fn kind_of(answer: &ServerAnswer, operation: Operation) -> ErrorKind {
    if !answer.of_bucket {
        // Whatever it is, it says nothing about the bucket or what lies in it.
        let passes = answer.status >= 500 || matches!(answer.status, 408 | 429);
        return if passes { ErrorKind::Unavailable } else { ErrorKind::Denied };
    }
    match answer.code.as_str() {
        "NoSuchBucket"
        | "ContainerNotFound"
        | "ContainerBeingDeleted"
        | "PermanentRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException"
        | "InvalidBucketName" => ErrorKind::NoBucket,
        // Azure forgets the parts of an upload when it was finished.
        "NoSuchKey" | "NoSuchUpload" | "NoSuchVersion" | "BlobNotFound" | "InvalidBlockList" => ErrorKind::NotFound,
        // The last two: somebody else writes the same file at this moment. Nothing was done, the next try will tell.
        "SlowDown"
        | "SlowDownRead"
        | "SlowDownWrite"
        | "ServerBusy"
        | "TooManyRequests"
        | "RequestLimitExceeded"
        | "Throttling"
        | "ThrottlingException"
        | "ConditionalRequestConflict"
        | "OperationAborted" => ErrorKind::Throttled,
        // The last ones: bytes that did not arrive whole. Sent again, they may.
        "InternalError"
        | "ServiceUnavailable"
        | "OperationTimedOut"
        | "RequestTimeout"
        | "IncompleteBody"
        | "BadDigest"
        | "Md5Mismatch"
        | "XAmzContentSHA256Mismatch"
        | "XAmzContentChecksumMismatch" => ErrorKind::Unavailable,
        "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" | "InvalidAccessKeyId" => ErrorKind::Denied,
        "InvalidRange" => ErrorKind::Corrupt,
        "XMinioStorageFull" | "QuotaExceeded" | "XMinioAdminBucketQuotaExceeded" => ErrorKind::Full,
        "NotImplemented" | "MethodNotAllowed" | RANGE_IGNORED => ErrorKind::Unsupported,
        _ => kind_of_status(answer.status, operation),
    }
}

fn kind_of_status(status: u16, operation: Operation) -> ErrorKind {
    match status {
        301 | 302 | 307 | 308 => ErrorKind::NoBucket,
        304 | 412 => ErrorKind::Conflict,
        401 | 403 => ErrorKind::Denied,
        404 => ErrorKind::NotFound,
        405 | 501 => ErrorKind::Unsupported,
        408 => ErrorKind::TimedOut,
        409 if operation == Operation::WriteControl => ErrorKind::Conflict,
        416 => ErrorKind::Corrupt,
        429 => ErrorKind::Throttled,
        507 => ErrorKind::Full,
        400..=499 if status != 409 => ErrorKind::Invalid,
        _ => ErrorKind::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, code: &str) -> ServerAnswer {
        ServerAnswer {
            status,
            code: code.to_owned(),
            message: "words".to_owned(),
            region: String::new(),
            server: String::new(),
            of_bucket: true,
        }
    }

    /// As `object_store` wraps it.
    fn wrapped(source: impl Error + Send + Sync + 'static) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: Box::new(HttpError::new(HttpErrorKind::Unknown, source)) }
    }

    #[test]
    fn every_answer_has_its_kind() {
        for (status, code, operation, kind) in [
            (404, "NoSuchKey", Operation::Read, ErrorKind::NotFound),
            (404, "", Operation::Size, ErrorKind::NotFound),
            (404, "NoSuchBucket", Operation::Read, ErrorKind::NoBucket),
            (404, "NoSuchUpload", Operation::FinishUpload, ErrorKind::NotFound),
            (400, "InvalidBlockList", Operation::FinishUpload, ErrorKind::NotFound),
            (301, "PermanentRedirect", Operation::List, ErrorKind::NoBucket),
            (400, "AuthorizationHeaderMalformed", Operation::List, ErrorKind::NoBucket),
            (412, "PreconditionFailed", Operation::WriteControl, ErrorKind::Conflict),
            (409, "BlobAlreadyExists", Operation::WriteControl, ErrorKind::Conflict),
            (409, "ConditionalRequestConflict", Operation::WriteControl, ErrorKind::Throttled),
            (409, "OperationAborted", Operation::WriteControl, ErrorKind::Throttled),
            (409, "Whatever", Operation::Delete, ErrorKind::Unavailable),
            (503, "SlowDown", Operation::Read, ErrorKind::Throttled),
            (503, "ServiceUnavailable", Operation::Read, ErrorKind::Unavailable),
            (503, "", Operation::Read, ErrorKind::Unavailable),
            (500, "InternalError", Operation::Read, ErrorKind::Unavailable),
            (200, "InternalError", Operation::FinishUpload, ErrorKind::Unavailable),
            (429, "", Operation::Read, ErrorKind::Throttled),
            (408, "", Operation::Read, ErrorKind::TimedOut),
            (400, "RequestTimeout", Operation::WritePart, ErrorKind::Unavailable),
            (400, "BadDigest", Operation::WritePart, ErrorKind::Unavailable),
            (400, "EntityTooSmall", Operation::FinishUpload, ErrorKind::Invalid),
            (400, "ExpiredToken", Operation::Read, ErrorKind::Denied),
            (403, "SignatureDoesNotMatch", Operation::Read, ErrorKind::Denied),
            (401, "", Operation::Read, ErrorKind::Denied),
            (416, "InvalidRange", Operation::Read, ErrorKind::Corrupt),
            (501, "NotImplemented", Operation::WriteControl, ErrorKind::Unsupported),
            (507, "XMinioStorageFull", Operation::WritePart, ErrorKind::Full),
            (200, RANGE_IGNORED, Operation::Read, ErrorKind::Unsupported),
        ] {
            let error = failure(&wrapped(answer(status, code)), operation, "k");
            assert_eq!(error.kind(), kind, "{status} {code}");
            assert!(error.detail().contains("words"), "{error}");
        }
    }

    /// A 404 of a metadata server must never read as an object that is gone.
    #[test]
    fn a_server_of_credentials_says_nothing_about_objects() {
        for (status, kind) in [(404, ErrorKind::Denied), (400, ErrorKind::Denied), (503, ErrorKind::Unavailable)] {
            let mut said = answer(status, "");
            said.of_bucket = false;
            let error = failure(&wrapped(said), Operation::Size, "k");
            assert_eq!(error.kind(), kind);
            assert!(error.detail().contains("credentials"), "{error}");
        }
    }

    #[test]
    fn errors_on_the_way_keep_their_innermost_words() {
        let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "nobody listens");
        let error = HttpError::new(HttpErrorKind::Connect, refused);
        let error = failure(&error, Operation::Read, "k");
        assert_eq!((error.kind(), error.detail()), (ErrorKind::Unavailable, "nobody listens"));
        let missing = CredentialFailure { kind: ErrorKind::Denied, text: "none found".to_owned() };
        let error = object_store::Error::Generic { store: "S3", source: Box::new(missing) };
        let error = failure(&error, Operation::Read, "k");
        assert_eq!((error.kind(), error.detail()), (ErrorKind::Denied, "none found"));
    }

    #[test]
    fn what_was_never_sent_is_known_and_whether_it_may_be_later() {
        let of =
            |source: io::Error| failure(&HttpError::new(HttpErrorKind::Connect, source), Operation::WriteControl, "k");
        let refused = of(io::ErrorKind::ConnectionRefused.into());
        assert_eq!(refused.not_sent(), Some(NotSent::NoConnection));
        let no_host = io::Error::other("failed to lookup address information: Name or service not known");
        assert_eq!(of(no_host).not_sent(), Some(NotSent::WrongEndpoint));
        let resolver_away =
            io::Error::other("failed to lookup address information: Temporary failure in name resolution");
        assert_eq!(of(resolver_away).not_sent(), Some(NotSent::NoConnection));
        let no_tls = io::Error::new(io::ErrorKind::InvalidData, "received corrupt message of type InvalidContentType");
        assert_eq!(of(io::Error::other(no_tls)).not_sent(), Some(NotSent::WrongEndpoint));
        let cut = HttpError::new(HttpErrorKind::Interrupted, io::Error::from(io::ErrorKind::ConnectionReset));
        assert_eq!(failure(&cut, Operation::WriteControl, "k").not_sent(), None, "it may have been done");
    }

    #[test]
    fn whoever_gives_no_code_need_not_be_a_store() {
        let another =
            |status, code| failure(&wrapped(answer(status, code)), Operation::WriteControl, "k").is_of_another();
        assert!(another(404, "") && another(405, ""));
        assert!(!another(404, "NoSuchBucket"), "a store says why");
        assert!(!another(503, ""), "something on the way to it may say that");
    }

    #[test]
    fn an_answer_without_sense_leaves_the_outcome_of_a_change_open() {
        let odd = || object_store::Error::Generic { store: "S3", source: "odd".into() };
        assert_eq!(failure(&odd(), Operation::FinishUpload, "k").kind(), ErrorKind::Unavailable);
        assert_eq!(failure(&odd(), Operation::Read, "k").kind(), ErrorKind::Corrupt);
    }
}
