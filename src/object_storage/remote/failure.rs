//! What an error of `object_store` means, in this room's kinds. The one place that knows the stores' codes.

use std::error::Error;

use object_store::client::{HttpError, HttpErrorKind};

use super::super::error::{BucketError, ErrorKind, Operation};
use super::answers::{RANGE_IGNORED, ServerAnswer};

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
    let of_credentials = cause::<ServerAnswer>(error).is_none() && cause::<CredentialFailure>(error).is_some();
    BucketError::new(kind, operation, key, detail).of_credentials(of_credentials)
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
        let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "nobody listens");
        let error = HttpError::new(HttpErrorKind::Connect, refused);
        let error = failure(&error, Operation::Read, "k");
        assert_eq!((error.kind(), error.detail()), (ErrorKind::Unavailable, "nobody listens"));
        let missing = CredentialFailure { kind: ErrorKind::Denied, text: "none found".to_owned() };
        let error = object_store::Error::Generic { store: "S3", source: Box::new(missing) };
        let error = failure(&error, Operation::Read, "k");
        assert_eq!((error.kind(), error.detail()), (ErrorKind::Denied, "none found"));
    }

    #[test]
    fn an_answer_without_sense_leaves_the_outcome_of_a_change_open() {
        let odd = || object_store::Error::Generic { store: "S3", source: "odd".into() };
        assert_eq!(failure(&odd(), Operation::FinishUpload, "k").kind(), ErrorKind::Unavailable);
        assert_eq!(failure(&odd(), Operation::Read, "k").kind(), ErrorKind::Corrupt);
    }
}
