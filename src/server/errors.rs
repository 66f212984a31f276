//! Every error of the rooms below, as the code that Kafka has for it. The only place that knows both.

use kafka_protocol::ResponseError;

use crate::coordinator::group::GroupError;
use crate::log;
use crate::model::ids::BadTopicName;
use crate::record::{RecordsRefused, RefusalKind, ValidationError};
use crate::replication::{
    AppendError, DeleteRecordsError, EpochError, ListOffsetsError, NotServing, Offline, ReadError,
};
use crate::tiering::{ChangeError, RemoteReadError};

/// An error that Kafka has a code for.
pub trait KafkaError {
    /// The code.
    fn kafka(&self) -> ResponseError;
}

impl KafkaError for BadTopicName {
    fn kafka(&self) -> ResponseError {
        ResponseError::InvalidTopicException
    }
}

impl KafkaError for ValidationError {
    fn kafka(&self) -> ResponseError {
        match self.kind() {
            RefusalKind::Corrupt => ResponseError::CorruptMessage,
            RefusalKind::TooLarge => ResponseError::MessageTooLarge,
            RefusalKind::UnsupportedCodec => ResponseError::UnsupportedCompressionType,
            RefusalKind::InvalidTimestamp => ResponseError::InvalidTimestamp,
            RefusalKind::InvalidRecord | RefusalKind::OldMagic => ResponseError::InvalidRecord,
        }
    }
}

impl KafkaError for RecordsRefused {
    fn kafka(&self) -> ResponseError {
        match self {
            Self::Timestamp => ResponseError::InvalidTimestamp,
            Self::Record => ResponseError::InvalidRecord,
        }
    }
}

impl KafkaError for EpochError {
    fn kafka(&self) -> ResponseError {
        match self {
            Self::Fenced { .. } => ResponseError::FencedLeaderEpoch,
            Self::Unknown { .. } => ResponseError::UnknownLeaderEpoch,
        }
    }
}

impl KafkaError for NotServing {
    fn kafka(&self) -> ResponseError {
        match self {
            Self::Deleted => ResponseError::UnknownTopicOrPartition,
            Self::Offline => ResponseError::KafkaStorageError,
        }
    }
}

impl KafkaError for Offline {
    fn kafka(&self) -> ResponseError {
        ResponseError::KafkaStorageError
    }
}

impl KafkaError for log::LogError {
    fn kafka(&self) -> ResponseError {
        ResponseError::KafkaStorageError
    }
}

impl KafkaError for log::AppendError {
    fn kafka(&self) -> ResponseError {
        match self {
            Self::ProducerFenced { .. } => ResponseError::InvalidProducerEpoch,
            Self::OutOfOrderSequence { .. } => ResponseError::OutOfOrderSequenceNumber,
            Self::StaleEpoch { .. } => ResponseError::NotLeaderOrFollower,
            Self::Log(error) => error.kafka(),
        }
    }
}

impl KafkaError for AppendError {
    fn kafka(&self) -> ResponseError {
        match self {
            Self::NotServing(error) => error.kafka(),
            Self::NotEnoughReplicas { .. } => ResponseError::NotEnoughReplicas,
            Self::NotLeader => ResponseError::NotLeaderOrFollower,
            Self::Log(error) => error.kafka(),
        }
    }
}

impl KafkaError for log::ReadError {
    fn kafka(&self) -> ResponseError {
        match self {
            Self::OutOfRange { .. } => ResponseError::OffsetOutOfRange,
            Self::Log(error) => error.kafka(),
        }
    }
}

impl KafkaError for ReadError {
    fn kafka(&self) -> ResponseError {
        match self {
            Self::NotServing(error) => error.kafka(),
            Self::OutOfRange { .. } => ResponseError::OffsetOutOfRange,
            Self::Log(error) => error.kafka(),
        }
    }
}

impl KafkaError for ListOffsetsError {
    fn kafka(&self) -> ResponseError {
        match self {
            Self::NotServing(error) => error.kafka(),
            Self::Log(error) => error.kafka(),
            Self::Remote(error) => error.kafka(),
            Self::Unfinished => ResponseError::KafkaStorageError,
        }
    }
}

impl KafkaError for RemoteReadError {
    /// Always one that clients come back after: nothing is said to be gone because it could not be read.
    fn kafka(&self) -> ResponseError {
        match self {
            Self::TimedOut => ResponseError::RequestTimedOut,
            Self::Unfinished(_) => ResponseError::NotLeaderOrFollower,
            Self::Bucket(_)
            | Self::Catalog(_)
            | Self::Damaged { .. }
            | Self::Missing { .. }
            | Self::NoObject { .. }
            | Self::BadRow(_) => ResponseError::KafkaStorageError,
        }
    }
}

impl KafkaError for ChangeError {
    fn kafka(&self) -> ResponseError {
        match self {
            Self::Fenced { .. } => ResponseError::NotLeaderOrFollower,
            Self::Catalog(_) | Self::Unfinished(_) => ResponseError::RequestTimedOut,
            Self::Log(error) => error.kafka(),
            Self::BadRow(_) => ResponseError::KafkaStorageError,
        }
    }
}

impl KafkaError for DeleteRecordsError {
    fn kafka(&self) -> ResponseError {
        match self {
            Self::NotServing(error) => error.kafka(),
            Self::OutOfRange { .. } => ResponseError::OffsetOutOfRange,
            Self::Log(error) => error.kafka(),
            Self::Tiers(error) => error.kafka(),
            Self::Unfinished => ResponseError::KafkaStorageError,
        }
    }
}

impl KafkaError for GroupError {
    fn kafka(&self) -> ResponseError {
        match self {
            Self::CoordinatorNotAvailable => ResponseError::CoordinatorNotAvailable,
            Self::CoordinatorLoadInProgress => ResponseError::CoordinatorLoadInProgress,
            Self::InvalidGroupId => ResponseError::InvalidGroupId,
            Self::GroupIdNotFound => ResponseError::GroupIdNotFound,
            Self::NonEmptyGroup => ResponseError::NonEmptyGroup,
            Self::UnknownMemberId => ResponseError::UnknownMemberId,
            Self::IllegalGeneration => ResponseError::IllegalGeneration,
            Self::RebalanceInProgress => ResponseError::RebalanceInProgress,
            Self::InconsistentGroupProtocol => ResponseError::InconsistentGroupProtocol,
            Self::FencedInstanceId => ResponseError::FencedInstanceId,
            Self::MemberIdRequired => ResponseError::MemberIdRequired,
            Self::GroupMaxSizeReached => ResponseError::GroupMaxSizeReached,
            Self::InvalidSessionTimeout => ResponseError::InvalidSessionTimeout,
            Self::OffsetMetadataTooLarge => ResponseError::OffsetMetadataTooLarge,
            Self::GroupSubscribedToTopic => ResponseError::GroupSubscribedToTopic,
        }
    }
}
