//! What a group refuses, each in Kafka's meaning; the wire's numbers are known above.

/// Why a request about a group was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum GroupError {
    /// The coordinator is stopping, its store failed, or the group is just being deleted: ask again.
    #[error("the coordinator is not available")]
    CoordinatorNotAvailable,
    /// Groups are still being read from the store.
    #[error("the coordinator is loading its groups")]
    CoordinatorLoadInProgress,
    /// The group's name is one that the request may not carry.
    #[error("the group id is invalid")]
    InvalidGroupId,
    /// There is no such group.
    #[error("the group does not exist")]
    GroupIdNotFound,
    /// The group has members.
    #[error("the group is not empty")]
    NonEmptyGroup,
    /// The member is not of the group.
    #[error("the group does not know this member")]
    UnknownMemberId,
    /// The member's generation is not the group's.
    #[error("the generation is not the current one")]
    IllegalGeneration,
    /// The group is between two generations.
    #[error("the group is rebalancing")]
    RebalanceInProgress,
    /// The member's protocols do not go with those of the others.
    #[error("the protocols of the member and the group have nothing in common")]
    InconsistentGroupProtocol,
    /// Another member took over the instance id.
    #[error("a newer member has this group instance id")]
    FencedInstanceId,
    /// The member has to join again with the id that it was just given (KIP-394).
    #[error("the member has to join again with its member id")]
    MemberIdRequired,
    /// The group is full.
    #[error("the group has as many members as are allowed")]
    GroupMaxSizeReached,
    /// The session timeout is outside the broker's bounds.
    #[error("the session timeout is outside the allowed range")]
    InvalidSessionTimeout,
    /// A commit's metadata is too long.
    #[error("the metadata of the committed offset is too large")]
    OffsetMetadataTooLarge,
    /// Members of the group are subscribed to the topic.
    #[error("the group is subscribed to the topic")]
    GroupSubscribedToTopic,
}
