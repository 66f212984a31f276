//! What can go wrong with a bucket. Every error names the operation, the key and a coarse kind that callers act
//! upon; none carries a secret: texts of servers are taken only as code and message, never as whole bodies.

use std::fmt;

/// What was asked of the bucket.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Operation {
    /// A ranged read.
    Read,
    /// A ranged read of what an upload has just written.
    ReadBack,
    /// A whole control file with its version.
    ReadControl,
    /// An object's size.
    Size,
    /// One page of a listing.
    List,
    /// Removing an object.
    Delete,
    /// A conditional write of a control file.
    WriteControl,
    /// Asking for an upload id.
    BeginUpload,
    /// One part.
    WritePart,
    /// Making the object of its parts.
    FinishUpload,
    /// Dropping the parts.
    AbortUpload,
    /// Asking which uploads of an object were begun.
    ListUploads,
    /// Asking for the bucket's own rules.
    Rules,
}

impl Operation {
    /// All of them, in order of declaration.
    pub const ALL: [Self; 13] = [
        Self::Read,
        Self::ReadBack,
        Self::ReadControl,
        Self::Size,
        Self::List,
        Self::Delete,
        Self::WriteControl,
        Self::BeginUpload,
        Self::WritePart,
        Self::FinishUpload,
        Self::AbortUpload,
        Self::ListUploads,
        Self::Rules,
    ];

    /// For metrics and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::ReadBack => "read_back",
            Self::ReadControl => "read_control",
            Self::Size => "size",
            Self::List => "list",
            Self::Delete => "delete",
            Self::WriteControl => "write_control",
            Self::BeginUpload => "begin_upload",
            Self::WritePart => "write_part",
            Self::FinishUpload => "finish_upload",
            Self::AbortUpload => "abort_upload",
            Self::ListUploads => "list_uploads",
            Self::Rules => "rules",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an error means to its caller.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ErrorKind {
    /// No such object, or no such upload.
    NotFound,
    /// The bucket itself is not there.
    NoBucket,
    /// A conditional write met another version.
    Conflict,
    /// The store asks for fewer requests.
    Throttled,
    /// The store cannot be reached, or fails on its side.
    Unavailable,
    /// No answer within the time allowed.
    TimedOut,
    /// Credentials are missing, wrong or not enough.
    Denied,
    /// What came is not what was asked for.
    Corrupt,
    /// The store cannot do this.
    Unsupported,
    /// No room is left.
    Full,
    /// The request makes no sense to the store.
    Invalid,
}

impl ErrorKind {
    /// Whether the same request may succeed a little later.
    pub const fn is_retriable(self) -> bool {
        matches!(self, Self::Throttled | Self::Unavailable | Self::TimedOut)
    }

    /// Whether a request may succeed once the store is better: it is away, busy or full, or its keys are being changed.
    pub const fn may_pass(self) -> bool {
        self.is_retriable() || matches!(self, Self::Full | Self::NoBucket | Self::Denied)
    }

    /// For metrics and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotFound => "not found",
            Self::NoBucket => "no such bucket",
            Self::Conflict => "conflict",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::TimedOut => "timed out",
            Self::Denied => "denied",
            Self::Corrupt => "corrupt",
            Self::Unsupported => "unsupported",
            Self::Full => "full",
            Self::Invalid => "invalid",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a request was not even sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotSent {
    /// The credentials for it could not be had.
    NoCredentials,
    /// Nobody takes the connection; somebody may.
    NoConnection,
    /// Nobody ever will where the endpoint is what it is: no host has its name, or what is there speaks no TLS.
    WrongEndpoint,
}

/// An operation on the bucket failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bucket: {operation} of '{key}': {kind}: {detail}")]
pub struct BucketError {
    kind: ErrorKind,
    operation: Operation,
    key: String,
    detail: String,
    outcome_unknown: bool,
    not_sent: Option<NotSent>,
    of_another: bool,
}

impl BucketError {
    /// An error of `operation` on `key` (a key, a prefix, or empty for the bucket).
    pub fn new(kind: ErrorKind, operation: Operation, key: impl Into<String>, detail: impl Into<String>) -> Self {
        let (key, detail) = (key.into(), detail.into());
        Self { kind, operation, key, detail, outcome_unknown: false, not_sent: None, of_another: false }
    }

    /// What it means.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What was asked.
    pub const fn operation(&self) -> Operation {
        self.operation
    }

    /// Of what.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// In the store's own words.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Whether an earlier try of the same call got no answer and may have taken effect.
    pub const fn is_outcome_unknown(&self) -> bool {
        self.outcome_unknown
    }

    /// Whether the store was not even asked: the credentials for it could not be had.
    pub const fn is_of_credentials(&self) -> bool {
        matches!(self.not_sent, Some(NotSent::NoCredentials))
    }

    /// Why nothing was sent; `None` where something was, or may have been.
    pub const fn not_sent(&self) -> Option<NotSent> {
        self.not_sent
    }

    /// Whether a server answered that gave no store's code: it need not be one.
    pub const fn is_of_another(&self) -> bool {
        self.of_another
    }

    pub(super) fn unsent(mut self, why: Option<NotSent>) -> Self {
        self.not_sent = why;
        self
    }

    pub(super) fn of_another(mut self, of_another: bool) -> Self {
        self.of_another = of_another;
        self
    }

    pub(super) fn after_unknown_outcome(mut self, unknown: bool) -> Self {
        self.outcome_unknown |= unknown;
        self
    }
}

/// A control file was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// Somebody else wrote it: read it again and judge anew.
    #[error("bucket: '{0}' was written by somebody else meanwhile")]
    Conflict(String),
    /// The bucket failed; whether it was written is known only by reading it.
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

/// A bucket cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not a URL, or not of a kind that is known.
    #[error("'{url}' is not a bucket: {why} (file:///folder, memory://, s3://bucket/prefix, gs://…, az://…)")]
    BadUrl {
        /// What was given, without user and password.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A folder that cannot be used.
    #[error("cannot use the folder {path} as a bucket: {why}")]
    Folder {
        /// Which.
        path: String,
        /// The system's answer.
        why: String,
    },
    /// A setting is missing or wrong.
    #[error("bucket {url}: {why}")]
    Setting {
        /// Which bucket.
        url: String,
        /// What is missing and the remedy.
        why: String,
    },
}
