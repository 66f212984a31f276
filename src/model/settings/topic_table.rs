//! Every setting of a topic: name, kind, default, bounds, the broker's settings that stand behind it, and what it means.
//! Names, kinds and defaults are Kafka's; those that Kafka lacks begin with `tidelog.`

use super::kind::{Check, Kind};

/// A setting of a topic.
#[derive(Clone, Copy, Debug)]
pub struct TopicSetting {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// What it is when nobody says otherwise.
    pub default: &'static str,
    /// What a value must be.
    pub check: Check,
    /// The broker's settings that give its default, the first that is set counts; with the factor to this one's unit.
    pub broker: &'static [(&'static str, i64)],
    /// What it means.
    pub doc: &'static str,
}

const HOUR_MS: i64 = 60 * 60 * 1000;
const MINUTE_MS: i64 = 60 * 1000;
const INT_MAX: i64 = i32::MAX as i64;

const fn topic(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    check: Check,
    broker: &'static [(&'static str, i64)],
    doc: &'static str,
) -> TopicSetting {
    TopicSetting { name, kind, default, check, broker, doc }
}

/// All of them, by name.
pub const TOPIC_SETTINGS: &[TopicSetting] = &[
    topic(
        "cleanup.policy",
        Kind::List,
        "delete",
        Check::ListOf(&["compact", "delete"]),
        &[("log.cleanup.policy", 1)],
        "What becomes of old records: delete removes segments past retention, compact is accepted, keeps a topic out of the bucket, and does not compact it yet; both, or neither.",
    ),
    topic(
        "compression.gzip.level",
        Kind::Int,
        "-1",
        Check::BetweenOr(1, 9, -1),
        &[("compression.gzip.level", 1)],
        "The level of gzip where compression.type is gzip; -1 is the codec's own default.",
    ),
    topic(
        "compression.lz4.level",
        Kind::Int,
        "9",
        Check::Between(1, 17),
        &[("compression.lz4.level", 1)],
        "Taken as Kafka takes it; the LZ4 encoder here has one level.",
    ),
    topic(
        "compression.type",
        Kind::String,
        "producer",
        Check::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
        &[("compression.type", 1)],
        "The codec that batches are kept in; producer keeps each as it came.",
    ),
    topic(
        "compression.zstd.level",
        Kind::Int,
        "3",
        Check::Between(-131_072, 22),
        &[("compression.zstd.level", 1)],
        "The level of zstd where compression.type is zstd.",
    ),
    topic(
        "delete.retention.ms",
        Kind::Long,
        "86400000",
        Check::AtLeast(0),
        &[("log.cleaner.delete.retention.ms", 1)],
        "How long tombstones stay in a compacted topic.",
    ),
    topic(
        "file.delete.delay.ms",
        Kind::Long,
        "60000",
        Check::AtLeast(0),
        &[("log.segment.delete.delay.ms", 1)],
        "How long the files of a removed segment stay for those who still read them.",
    ),
    topic(
        "flush.messages",
        Kind::Long,
        "9223372036854775807",
        Check::AtLeast(1),
        &[("log.flush.interval.messages", 1)],
        "Forces a sync after so many batches.",
    ),
    topic(
        "flush.ms",
        Kind::Long,
        "9223372036854775807",
        Check::AtLeast(0),
        &[("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)],
        "Forces a sync after so long.",
    ),
    topic(
        "follower.replication.throttled.replicas",
        Kind::List,
        "",
        Check::ThrottledReplicas,
        &[],
        "Taken, without effect while there is one broker.",
    ),
    topic(
        "index.interval.bytes",
        Kind::Int,
        "4096",
        Check::AtLeast(0),
        &[("log.index.interval.bytes", 1)],
        "Bytes of batches between two index entries.",
    ),
    topic(
        "leader.replication.throttled.replicas",
        Kind::List,
        "",
        Check::ThrottledReplicas,
        &[],
        "Taken, without effect while there is one broker.",
    ),
    topic(
        "local.retention.bytes",
        Kind::Long,
        "-2",
        Check::AtLeast(-2),
        &[("log.local.retention.bytes", 1)],
        "Local bytes above which segments that are in the bucket go; -2 is retention.bytes.",
    ),
    topic(
        "local.retention.ms",
        Kind::Long,
        "-2",
        Check::AtLeast(-2),
        &[("log.local.retention.ms", 1)],
        "Age at which local segments that are in the bucket go; -2 is retention.ms. Where neither the topic nor the broker sets it: a day, or retention.ms if that is less.",
    ),
    topic(
        "max.compaction.lag.ms",
        Kind::Long,
        "9223372036854775807",
        Check::AtLeast(1),
        &[("log.cleaner.max.compaction.lag.ms", 1)],
        "How long a record may wait for compaction.",
    ),
    topic(
        "max.message.bytes",
        Kind::Int,
        "1048588",
        Check::AtLeast(0),
        &[("message.max.bytes", 1)],
        "Most bytes of a batch, as it is kept.",
    ),
    topic(
        "message.timestamp.after.max.ms",
        Kind::Long,
        "3600000",
        Check::AtLeast(0),
        &[("log.message.timestamp.after.max.ms", 1)],
        "How far ahead of the broker's clock a timestamp may be.",
    ),
    topic(
        "message.timestamp.before.max.ms",
        Kind::Long,
        "9223372036854775807",
        Check::AtLeast(0),
        &[("log.message.timestamp.before.max.ms", 1)],
        "How far behind the broker's clock a timestamp may be.",
    ),
    topic(
        "message.timestamp.type",
        Kind::String,
        "CreateTime",
        Check::OneOf(&["CreateTime", "LogAppendTime"]),
        &[("log.message.timestamp.type", 1)],
        "Whose clock a record's timestamp comes from.",
    ),
    topic(
        "min.cleanable.dirty.ratio",
        Kind::Double,
        "0.5",
        Check::Fraction,
        &[("log.cleaner.min.cleanable.ratio", 1)],
        "How much of a compacted log must be uncompacted before it is compacted.",
    ),
    topic(
        "min.compaction.lag.ms",
        Kind::Long,
        "0",
        Check::AtLeast(0),
        &[("log.cleaner.min.compaction.lag.ms", 1)],
        "How long a record stays uncompacted.",
    ),
    topic(
        "min.insync.replicas",
        Kind::Int,
        "1",
        Check::AtLeast(1),
        &[("min.insync.replicas", 1)],
        "Replicas that must have a record before acks=all is answered.",
    ),
    topic(
        "preallocate",
        Kind::Boolean,
        "false",
        Check::Any,
        &[("log.preallocate", 1)],
        "Whether a new segment's room is reserved at once.",
    ),
    topic(
        "remote.log.copy.disable",
        Kind::Boolean,
        "false",
        Check::Any,
        &[],
        "Keeps what is in the bucket and adds nothing (KIP-950).",
    ),
    topic(
        "remote.log.delete.on.disable",
        Kind::Boolean,
        "false",
        Check::Any,
        &[],
        "Whether disabling remote storage deletes what is in the bucket (KIP-950).",
    ),
    topic(
        "remote.storage.enable",
        Kind::Boolean,
        "false",
        Check::Any,
        &[],
        "Whether history is kept in the bucket. Not set: true unless cleanup.policy has compact.",
    ),
    topic(
        "retention.bytes",
        Kind::Long,
        "-1",
        Check::Any,
        &[("log.retention.bytes", 1)],
        "Bytes of a partition, in both tiers, above which its oldest segments go; below 0 is no limit.",
    ),
    topic(
        "retention.ms",
        Kind::Long,
        "604800000",
        Check::AtLeast(-1),
        &[("log.retention.ms", 1), ("log.retention.minutes", MINUTE_MS), ("log.retention.hours", HOUR_MS)],
        "Age, by record timestamps, at which segments go, in both tiers; -1 is no limit.",
    ),
    topic(
        "segment.bytes",
        Kind::Int,
        "1073741824",
        Check::Between(1_048_576, INT_MAX),
        &[("log.segment.bytes", 1)],
        "Bytes at which a segment is rolled.",
    ),
    topic(
        "segment.index.bytes",
        Kind::Int,
        "10485760",
        Check::AtLeast(4),
        &[("log.index.size.max.bytes", 1)],
        "Most bytes of a segment's offset index.",
    ),
    topic(
        "segment.jitter.ms",
        Kind::Long,
        "0",
        Check::AtLeast(0),
        &[("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", HOUR_MS)],
        "How much earlier than segment.ms a segment may be rolled.",
    ),
    topic(
        "segment.ms",
        Kind::Long,
        "604800000",
        Check::AtLeast(1),
        &[("log.roll.ms", 1), ("log.roll.hours", HOUR_MS)],
        "Age, by the broker's clock since its first append, at which a segment is rolled.",
    ),
    topic(
        "tidelog.delete.max.delay.ms",
        Kind::Long,
        "604800000",
        Check::AtLeast(0),
        &[("tidelog.delete.max.delay.ms", 1)],
        "How long a table may delay the deletion of an object.",
    ),
    topic(
        "tidelog.flush.on.ack",
        Kind::Boolean,
        "true",
        Check::Any,
        &[("tidelog.flush.on.ack", 1)],
        "Whether acks=all means stable storage, and only stable records are shown; false is Kafka's page cache.",
    ),
    topic(
        "tidelog.remote.fetch.compression.type",
        Kind::String,
        "none",
        Check::OneOf(&["none", "gzip", "snappy", "lz4", "zstd"]),
        &[("tidelog.remote.fetch.compression.type", 1)],
        "The codec of batches that are rebuilt from the bucket.",
    ),
    topic(
        "tidelog.remote.max.lag.ms",
        Kind::Long,
        "3600000",
        Check::AtLeast(1),
        &[("tidelog.remote.max.lag.ms", 1)],
        "A segment of a tiered topic is rolled when its first batch was appended so long ago.",
    ),
    topic(
        "tidelog.remote.parquet.zstd.level",
        Kind::Int,
        "1",
        Check::Between(1, 22),
        &[("tidelog.remote.parquet.zstd.level", 1)],
        "The level of zstd in Parquet files.",
    ),
    topic(
        "unclean.leader.election.enable",
        Kind::Boolean,
        "false",
        Check::Any,
        &[("unclean.leader.election.enable", 1)],
        "Taken, without effect while there is one broker.",
    ),
];

/// The setting of that name.
pub fn topic_setting(name: &str) -> Option<&'static TopicSetting> {
    TOPIC_SETTINGS.iter().find(|setting| setting.name == name)
}

/// The setting of a topic that the broker's setting of that name stands behind, and the factor to its unit.
pub(super) fn behind_topic(name: &str) -> Option<(&'static TopicSetting, i64)> {
    TOPIC_SETTINGS.iter().find_map(|setting| {
        setting.broker.iter().find(|(broker, _)| *broker == name).map(|(_, factor)| (setting, *factor))
    })
}

impl TopicSetting {
    /// What the broker's setting of that name is when nobody says otherwise. Of several that stand behind one setting
    /// only the last has a default, as in Kafka: the others count before it once they are set.
    pub(super) fn broker_default(&self, name: &str) -> Option<String> {
        let (last, factor) = self.broker.last()?;
        if *last != name {
            return None;
        }
        match self.default.parse::<i64>() {
            Ok(number) if *factor != 1 => number.checked_div(*factor).map(|number| number.to_string()),
            _ => Some(self.default.to_owned()),
        }
    }
}
