//! Every error of the rooms below, as the code that Kafka has for it. The only place that knows both.

use kafka_protocol::ResponseError;

use crate::broker::{
    AlterConfigsError, BadChanges, CreatePartitionsError, CreateTopicError, DeleteRecordsError as DeleteError,
    DeleteTopicError, OpenTopicError,
};
use crate::catalog::StorageError;
use crate::coordinator::group::GroupError;
use crate::log;
use crate::model::ids::BadTopicName;
use crate::record::{RecordsRefused, RefusalKind, ValidationError};
use crate::replication::{
    AppendError, DeleteRecordsError, EpochError, ListOffsetsError, NotCommitted, NotServing, ReadError,
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
            RefusalKind::InvalidProducerEpoch => ResponseError::InvalidProducerEpoch,
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
            Self::NotLeader => ResponseError::NotLeaderOrFollower,
        }
    }
}

impl KafkaError for NotCommitted {
    fn kafka(&self) -> ResponseError {
        match self {
            Self::Offline(_) => ResponseError::KafkaStorageError,
            Self::NotLeader => ResponseError::NotLeaderOrFollower,
        }
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
            Self::DiskFull => ResponseError::KafkaStorageError,
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
    /// Always one that clients come back after: nothing is said to be gone because it could not be read. What lasts has
    /// the code that Kafka gives when its remote storage fails: clients show it to their application, or warn, where they
    /// keep quiet about `KAFKA_STORAGE_ERROR`, and stay where they are.
    fn kafka(&self) -> ResponseError {
        match self {
            Self::Lasting { .. } => ResponseError::UnknownServerError,
            Self::TimedOut => ResponseError::RequestTimedOut,
            Self::Unfinished(_) => ResponseError::NotLeaderOrFollower,
            Self::Bucket(_)
            | Self::Elsewhere(_)
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

impl KafkaError for StorageError {
    fn kafka(&self) -> ResponseError {
        match self {
            Self::Full(_) | Self::Failed(_) => ResponseError::KafkaStorageError,
            // Another broker, or the next start of this one, may answer.
            Self::LockLost | Self::Closed => ResponseError::NotController,
            Self::OutcomeUnknown(_) | Self::TimedOut(_) => ResponseError::RequestTimedOut,
            Self::Unreadable { .. } => ResponseError::UnknownServerError,
        }
    }
}

impl KafkaError for OpenTopicError {
    fn kafka(&self) -> ResponseError {
        match self {
            Self::Log(error) | Self::Partition { source: error, .. } => error.kafka(),
            Self::Lineage(error) => error.kafka(),
        }
    }
}

impl KafkaError for CreateTopicError {
    fn kafka(&self) -> ResponseError {
        match self {
            Self::Exists(_) => ResponseError::TopicAlreadyExists,
            Self::InvalidName(_) | Self::Collides { .. } => ResponseError::InvalidTopicException,
            Self::InvalidPartitions => ResponseError::InvalidPartitions,
            Self::TooManyPartitions => ResponseError::PolicyViolation,
            Self::NoReplicas | Self::TooManyReplicas(_) => ResponseError::InvalidReplicationFactor,
            Self::Assignment(_) => ResponseError::InvalidReplicaAssignment,
            Self::Reserved | Self::AssignedAndCounted(_) => ResponseError::InvalidRequest,
            Self::InvalidConfig(_) => ResponseError::InvalidConfig,
            Self::Catalog(error) => error.kafka(),
            Self::Open(error) => error.kafka(),
        }
    }
}

impl KafkaError for CreatePartitionsError {
    fn kafka(&self) -> ResponseError {
        match self {
            Self::Unknown => ResponseError::UnknownTopicOrPartition,
            Self::Same(_) | Self::NoIncrease { .. } => ResponseError::InvalidPartitions,
            Self::TooManyPartitions => ResponseError::PolicyViolation,
            Self::Assignment(_) => ResponseError::InvalidReplicaAssignment,
            Self::Catalog(error) => error.kafka(),
            Self::Open(error) => error.kafka(),
        }
    }
}

impl KafkaError for DeleteTopicError {
    fn kafka(&self) -> ResponseError {
        match self {
            Self::Unknown => ResponseError::UnknownTopicId,
            Self::Catalog(error) => error.kafka(),
        }
    }
}

impl KafkaError for AlterConfigsError {
    fn kafka(&self) -> ResponseError {
        match self {
            Self::UnknownTopic(_) => ResponseError::UnknownTopicOrPartition,
            Self::InvalidTopicName(error) => error.kafka(),
            Self::DefaultTopic | Self::InvalidBrokerConfig(_) | Self::ReadOnly(_) | Self::Topic { .. } => {
                ResponseError::InvalidRequest
            }
            Self::Changes(BadChanges::Duplicate | BadChanges::Null(_)) => ResponseError::InvalidRequest,
            Self::Changes(BadChanges::NotAList { .. }) | Self::BrokerNotAList { .. } | Self::InvalidConfig(_) => {
                ResponseError::InvalidConfig
            }
            Self::Catalog(error) => error.kafka(),
        }
    }
}

impl KafkaError for DeleteError {
    fn kafka(&self) -> ResponseError {
        match self {
            Self::Internal(_) => ResponseError::InvalidTopicException,
            Self::Compacted => ResponseError::PolicyViolation,
            Self::Partition(error) => error.kafka(),
        }
    }
}
