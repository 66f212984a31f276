//! What can go wrong when another broker is asked. Each names the broker and the request.

use std::fmt;
use std::time::Duration;

use kafka_protocol::ResponseError;

/// A broker's own refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaError {
    /// What was refused: a topic, a partition, a group.
    pub subject: String,
    /// Kafka's code.
    pub code: i16,
    /// The broker's words, where it has any.
    pub message: Option<String>,
}

impl KafkaError {
    /// `Ok` for code 0.
    pub(super) fn check(subject: impl fmt::Display, code: i16, message: Option<&str>) -> Result<(), Self> {
        if code == 0 {
            return Ok(());
        }
        let message = message.map(str::trim).filter(|message| !message.is_empty()).map(str::to_owned);
        Err(Self { subject: subject.to_string(), code, message })
    }

    /// Kafka's name for the code, as its documents write it.
    pub fn name(&self) -> String {
        let Some(error) = ResponseError::try_from_code(self.code) else { return "NONE".to_owned() };
        let mut name = String::new();
        for letter in format!("{error:?}").chars().take_while(char::is_ascii_alphanumeric) {
            if letter.is_ascii_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.push(letter.to_ascii_uppercase());
        }
        name
    }

    /// Whether asking again, after looking who leads, may help.
    pub fn is_retriable(&self) -> bool {
        ResponseError::try_from_code(self.code).is_some_and(|error| error.is_retriable())
    }

    /// Whether what was named is not there.
    pub fn is_unknown_topic(&self) -> bool {
        self.code == ResponseError::UnknownTopicOrPartition.code() || self.code == ResponseError::UnknownTopicId.code()
    }

    /// Whether somebody is in a group that nobody may be in.
    pub fn is_group_in_use(&self) -> bool {
        self.code == ResponseError::NonEmptyGroup.code()
    }

    /// Whether it is there already.
    pub fn is_existing_topic(&self) -> bool {
        self.code == ResponseError::TopicAlreadyExists.code()
    }
}

impl fmt::Display for KafkaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, code, message } = self;
        write!(f, "{subject}: {} ({code})", self.name())?;
        match message {
            Some(message) => write!(f, ": {message}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for KafkaError {}

/// A broker could not be asked, or its answer not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// Not an address.
    #[error("'{0}' is not HOST:PORT")]
    BadAddress(String),
    /// Nobody listens there, or nobody answers.
    #[error("no Kafka broker answers at {address}: {reason}")]
    Unreachable {
        /// Where.
        address: String,
        /// Why.
        reason: String,
    },
    /// No host has that name.
    #[error("no Kafka broker answers at {address}: {reason}")]
    UnknownHost {
        /// Where.
        address: String,
        /// In the system's words.
        reason: String,
    },
    /// An answer did not come in time.
    #[error("{address} did not answer {api} within {} s", .after.as_secs_f32())]
    TimedOut {
        /// Who.
        address: String,
        /// What was asked.
        api: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// The connection ended before the answer.
    #[error("{address} closed the connection: {reason}")]
    Closed {
        /// Who.
        address: String,
        /// Why, as far as it is known.
        reason: String,
    },
    /// No version that both speak.
    #[error("{address} does not serve {api} in a version that this client speaks ({ours}); it serves {theirs}")]
    Unsupported {
        /// Who.
        address: String,
        /// What was asked.
        api: &'static str,
        /// What this client speaks.
        ours: String,
        /// What the broker serves.
        theirs: String,
    },
    /// The answer makes no sense.
    #[error("the answer of {address} to {api} cannot be understood: {reason}")]
    Undecodable {
        /// Who.
        address: String,
        /// What was asked.
        api: &'static str,
        /// Why.
        reason: String,
    },
    /// The request has no form in the version.
    #[error("{api} cannot be written in version {version}: {reason}")]
    Unencodable {
        /// What was to be asked.
        api: &'static str,
        /// In which version.
        version: i16,
        /// Why.
        reason: String,
    },
    /// The broker refused.
    #[error(transparent)]
    Refused(#[from] KafkaError),
    /// A partition has no leader now.
    #[error("{topic}-{partition} has no leader at the moment")]
    NoLeader {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
}

impl ClientError {
    /// Whether asking again, after looking who leads, may help.
    pub fn is_retriable(&self) -> bool {
        match self {
            // The name of a broker that starts again may be gone for a while.
            Self::UnknownHost { .. }
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Closed { .. }
            | Self::NoLeader { .. } => true,
            Self::Refused(error) => error.is_retriable(),
            Self::BadAddress(_) | Self::Unsupported { .. } | Self::Undecodable { .. } | Self::Unencodable { .. } => {
                false
            }
        }
    }
}
