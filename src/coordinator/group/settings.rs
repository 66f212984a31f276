//! What all groups of a broker share.

use crate::model::settings::BrokerSettings;

/// The broker's settings for groups, with Kafka's defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    /// `group.min.session.timeout.ms`.
    pub min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`.
    pub max_session_timeout_ms: i32,
    /// `group.initial.rebalance.delay.ms`.
    pub initial_rebalance_delay_ms: i32,
    /// `group.max.size`.
    pub max_size: usize,
    /// `offset.metadata.max.bytes`.
    pub offset_metadata_max_bytes: usize,
    /// `offsets.retention.minutes`, in milliseconds.
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_retention_check_interval_ms: i64,
}

impl GroupSettings {
    /// As the broker is set.
    pub fn of(settings: &BrokerSettings) -> Self {
        let small = |name| i32::try_from(settings.number(name)).unwrap_or(i32::MAX);
        Self {
            min_session_timeout_ms: small("group.min.session.timeout.ms"),
            max_session_timeout_ms: small("group.max.session.timeout.ms"),
            initial_rebalance_delay_ms: small("group.initial.rebalance.delay.ms"),
            max_size: settings.count("group.max.size"),
            offset_metadata_max_bytes: settings.count("offset.metadata.max.bytes"),
            offsets_retention_ms: settings.number("offsets.retention.minutes").saturating_mul(60_000),
            offsets_retention_check_interval_ms: settings.number("offsets.retention.check.interval.ms"),
        }
    }
}

/// How long a member that is new may wait in a join before it has to ask again. A connection that waits is not read,
/// so that a client that is gone is not noticed otherwise; Kafka's (internal) default.
pub(super) const NEW_MEMBER_JOIN_TIMEOUT_MS: i32 = 5 * 60 * 1000;

impl Default for GroupSettings {
    fn default() -> Self {
        Self {
            min_session_timeout_ms: 6_000,
            max_session_timeout_ms: 1_800_000,
            initial_rebalance_delay_ms: 3_000,
            max_size: usize::try_from(i32::MAX).unwrap_or(usize::MAX),
            offset_metadata_max_bytes: 4096,
            offsets_retention_ms: 7 * 24 * 60 * 60 * 1000,
            offsets_retention_check_interval_ms: 600_000,
        }
    }
}
