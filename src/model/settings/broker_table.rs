//! Every setting of the broker that means something here, beside those that give topics their defaults
//! (`topic_table`).

use super::kind::{Check, Kind};

/// A setting of the broker.
#[derive(Clone, Copy, Debug)]
pub struct BrokerSetting {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// What it is when nobody says otherwise; empty where that follows from something else.
    pub default: &'static str,
    /// What a value must be.
    pub check: Check,
    /// What it means.
    pub doc: &'static str,
    /// Whether it may be changed while the broker runs.
    pub dynamic: bool,
}

const fn broker(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    check: Check,
    doc: &'static str,
) -> BrokerSetting {
    BrokerSetting { name, kind, default, check, doc, dynamic: false }
}

impl BrokerSetting {
    /// The same, but changeable while the broker runs.
    const fn dynamic(self) -> Self {
        Self { dynamic: true, ..self }
    }
}

/// All of them, by name.
pub const BROKER_SETTINGS: &[BrokerSetting] = &[
    broker(
        "advertised.listeners",
        Kind::List,
        "",
        Check::Any,
        "HOST:PORT that clients are told; --advertise. Only the PLAINTEXT listener of a list is taken.",
    ),
    broker(
        "auto.create.topics.enable",
        Kind::Boolean,
        "true",
        Check::Any,
        "Whether a Metadata request may make a topic.",
    ),
    broker("broker.id", Kind::Int, "-1", Check::AtLeast(-1), "This broker's number; node.id counts first."),
    broker("broker.rack", Kind::String, "", Check::Any, "The rack that Metadata names for this broker."),
    broker("connections.max.idle.ms", Kind::Long, "600000", Check::Any, "How long a connection may be silent."),
    broker(
        "default.replication.factor",
        Kind::Int,
        "1",
        Check::AtLeast(1),
        "The replication factor where a client leaves it to the broker; one broker can only do 1.",
    ),
    broker("delete.topic.enable", Kind::Boolean, "true", Check::Any, "Whether topics can be deleted."),
    broker("fetch.max.bytes", Kind::Int, "57671680", Check::AtLeast(1024), "Most bytes of a fetch response."),
    broker(
        "group.initial.rebalance.delay.ms",
        Kind::Int,
        "3000",
        Check::AtLeast(0),
        "How long a new group waits for more members.",
    ),
    broker(
        "group.max.session.timeout.ms",
        Kind::Int,
        "1800000",
        Check::AtLeast(1),
        "Longest session timeout of a classic member.",
    ),
    broker("group.max.size", Kind::Int, "2147483647", Check::AtLeast(1), "Most members of a classic group."),
    broker(
        "group.min.session.timeout.ms",
        Kind::Int,
        "6000",
        Check::AtLeast(1),
        "Shortest session timeout of a classic member.",
    ),
    broker(
        "listeners",
        Kind::List,
        "",
        Check::Any,
        "HOST:PORT to listen on; --listen. Only the PLAINTEXT listener of a list is taken.",
    ),
    broker("log.dir", Kind::List, "", Check::Any, "The data directory, where neither --data-dir nor log.dirs says it."),
    broker("log.dirs", Kind::List, "", Check::Any, "The data directory, where --data-dir does not say it; one only."),
    broker(
        "log.flush.offset.checkpoint.interval.ms",
        Kind::Int,
        "60000",
        Check::AtLeast(0),
        "How often recovery points are written at most; here at least every 5 s or 64 MiB.",
    ),
    broker("log.retention.check.interval.ms", Kind::Long, "300000", Check::AtLeast(1), "How often retention looks."),
    broker("max.connections", Kind::Int, "2147483647", Check::AtLeast(0), "Most connections."),
    broker("max.connections.per.ip", Kind::Int, "2147483647", Check::AtLeast(0), "Most connections from one address."),
    broker(
        "max.incremental.fetch.session.cache.slots",
        Kind::Int,
        "1000",
        Check::AtLeast(0),
        "Fetch sessions that are kept.",
    ),
    broker("node.id", Kind::Int, "1", Check::AtLeast(0), "This broker's number."),
    broker("num.partitions", Kind::Int, "1", Check::AtLeast(1), "Partitions of a topic where nobody says how many."),
    broker("num.recovery.threads.per.data.dir", Kind::Int, "2", Check::AtLeast(1), "Threads that open logs at start.")
        .dynamic(),
    broker(
        "offset.metadata.max.bytes",
        Kind::Int,
        "4096",
        Check::AtLeast(0),
        "Most bytes of the text beside a committed offset.",
    ),
    broker(
        "offsets.commit.timeout.ms",
        Kind::Int,
        "5000",
        Check::AtLeast(1),
        "How long a commit may take before the committer is told to ask again.",
    ),
    broker(
        "offsets.retention.check.interval.ms",
        Kind::Long,
        "600000",
        Check::AtLeast(1),
        "How often expired offsets are looked for.",
    ),
    broker(
        "offsets.retention.minutes",
        Kind::Int,
        "10080",
        Check::AtLeast(1),
        "How long the offsets of an empty group are kept.",
    ),
    broker(
        "producer.id.expiration.ms",
        Kind::Int,
        "86400000",
        Check::AtLeast(1),
        "How long an idle producer is remembered.",
    )
    .dynamic(),
    broker(
        "queued.max.request.bytes",
        Kind::Long,
        "-1",
        Check::AtLeast(-1),
        "Memory for requests that were read and not answered; -1 is 256 MiB.",
    ),
    broker("remote.fetch.max.wait.ms", Kind::Int, "500", Check::AtLeast(1), "How long a fetch waits for the bucket."),
    broker(
        "remote.list.offsets.request.timeout.ms",
        Kind::Long,
        "30000",
        Check::AtLeast(1),
        "How long ListOffsets waits for the bucket.",
    ),
    broker(
        "remote.log.manager.copier.thread.pool.size",
        Kind::Int,
        "2",
        Check::AtLeast(1),
        "Partitions that are uploaded side by side (Kafka: 10).",
    ),
    broker(
        "remote.log.manager.copy.max.bytes.per.second",
        Kind::Long,
        "9223372036854775807",
        Check::AtLeast(1),
        "Bytes per second that uploads may read.",
    ),
    broker("remote.log.manager.task.interval.ms", Kind::Long, "30000", Check::AtLeast(1), "How often tiering looks."),
    broker(
        "remote.log.reader.threads",
        Kind::Int,
        "4",
        Check::AtLeast(1),
        "Cold reads that are decoded side by side (Kafka: 10).",
    ),
    broker("remote.log.storage.system.enable", Kind::Boolean, "true", Check::Any, "Always true: there is a bucket."),
    broker("socket.request.max.bytes", Kind::Int, "104857600", Check::AtLeast(1), "Most bytes of a request."),
    broker(
        "tidelog.accept.data.loss",
        Kind::Boolean,
        "false",
        Check::Any,
        "Starts on an empty or foreign data directory though the catalog knows another one, and on logs that have lost files: what was not in the bucket is given up.",
    ),
    broker(
        "tidelog.log.dir.reserve.bytes",
        Kind::Long,
        "67108864",
        Check::AtLeast(0),
        "Appends are refused while the log directory's disk has less than this free: retention and tiering, which make room, need some.",
    ),
    broker("tidelog.open.files.max", Kind::Int, "4096", Check::AtLeast(16), "Files of sealed segments that stay open."),
    broker(
        "tidelog.orphan.grace.ms",
        Kind::Long,
        "900000",
        Check::AtLeast(0),
        "Age at which what a failed upload left is swept.",
    ),
    broker(
        "tidelog.remote.cache.bytes",
        Kind::Long,
        "268435456",
        Check::AtLeast(0),
        "Memory for footers and row groups read from the bucket.",
    ),
    broker(
        "tidelog.s3.checksums",
        Kind::Boolean,
        "true",
        Check::Any,
        "Whether each part goes to S3 with a SHA-256 that the store checks; false for a store that refuses them.",
    ),
    broker(
        "tidelog.s3.encryption",
        Kind::String,
        "",
        Check::OneOf(&["", "AES256", "aws:kms"]),
        "Encryption by S3: AES256 with its own keys, aws:kms with a managed one; empty is the bucket's default.",
    ),
    broker(
        "tidelog.s3.encryption.kms.key.id",
        Kind::String,
        "",
        Check::Any,
        "The managed key of tidelog.s3.encryption=aws:kms; empty is the account's own.",
    ),
    broker(
        "tidelog.s3.path.style",
        Kind::String,
        "",
        Check::OneOf(&["", "true", "false"]),
        "Whether the bucket's name goes into the path; empty: where an endpoint is set that is not AWS's.",
    ),
    broker(
        "tidelog.s3.storage.class",
        Kind::String,
        "",
        Check::Any,
        "The S3 storage class of data objects; empty is the bucket's own.",
    ),
    broker("tidelog.sync.threads", Kind::Int, "4", Check::AtLeast(1), "Threads that sync logs."),
    broker("transaction.max.timeout.ms", Kind::Int, "900000", Check::AtLeast(1), "Longest timeout of a transaction."),
];

/// The setting of that name.
pub fn broker_setting(name: &str) -> Option<&'static BrokerSetting> {
    BROKER_SETTINGS.iter().find(|setting| setting.name == name)
}
