//! The one reviewed list of what differs from Apache Kafka 4.3.1 on purpose, each row with its reason.

use tidelog::model::settings::UNUSED_BROKER_SETTINGS;

use super::differences::Has::{Anything, Exactly, Nothing, Words};
use super::differences::{Row, row};

const EVERYWHERE: &[&str] = &["*"];
/// Where ApiVersions is answered without an error.
const API_VERSIONS: &[&str] = &["api_versions-lists: a client that names itself", "api_versions-software_names: *"];
/// Where all settings of the broker are described.
const BROKER: &[&str] = &["describe_configs-brokers: the broker", "describe_configs-chosen: no key of the broker"];

/// The default of `log.local.retention.ms`.
const DAY: &str = r#""86400000""#;

// Reasons of several rows.
const ELIGIBLE: &str = "Kafka writes this default into its metadata for the sake of eligible leader replicas";
const KEPT_FOR_A_DAY: &str = "what is in the bucket stays on the local disk for a day";
const TIERED: &str = "history is kept in the bucket unless a topic says otherwise";
const LACKED: &str = "a setting that Kafka lacks";
const NOT_THE_SERVER: &str = "the request is what is wrong, not the server";
const NEW_GROUPS: &str = "the new group types, their settings and clients' telemetry come with an issue of their own";

/// The list.
pub const ON_PURPOSE: &[Row] = &[
    // What is served.
    row(
        "ApiVersions",
        API_VERSIONS,
        &[
            ("apiKeys[?]", Anything, Nothing),
            ("finalizedFeatures[transaction.version]", Anything, Nothing),
            ("supportedFeatures[transaction.version]", Anything, Nothing),
        ],
        "transactions come with an issue of their own",
    )
    .named(&["24", "25", "26", "27", "28", "65", "66"]),
    row(
        "ApiVersions",
        API_VERSIONS,
        &[("apiKeys[?]", Anything, Nothing)],
        "authentication, access control and quotas come with issues of their own",
    )
    .named(&["17", "29", "30", "31", "36", "38", "39", "40", "41", "48", "49", "50", "51"]),
    row(
        "ApiVersions",
        API_VERSIONS,
        &[
            ("apiKeys[?]", Anything, Nothing),
            ("finalizedFeatures[group.version]", Anything, Nothing),
            ("supportedFeatures[group.version]", Anything, Nothing),
            ("finalizedFeatures[share.version]", Anything, Nothing),
            ("supportedFeatures[share.version]", Anything, Nothing),
            ("finalizedFeatures[streams.version]", Anything, Nothing),
            ("supportedFeatures[streams.version]", Anything, Nothing),
        ],
        NEW_GROUPS,
    )
    .named(&["68", "69", "74", "76", "77", "78", "79", "83", "84", "85", "86", "87", "88", "89", "90", "91", "92"]),
    row(
        "ApiVersions",
        API_VERSIONS,
        &[
            ("apiKeys[?]", Anything, Nothing),
            ("finalizedFeatures[eligible.leader.replicas.version]", Anything, Nothing),
            ("supportedFeatures[eligible.leader.replicas.version]", Anything, Nothing),
            ("finalizedFeatures[metadata.version]", Anything, Nothing),
            ("supportedFeatures[metadata.version]", Anything, Nothing),
            ("supportedFeatures[kraft.version]", Anything, Nothing),
            ("finalizedFeaturesEpoch", Exactly(r#""<epoch>""#), Exactly("-1")),
        ],
        "a cluster of one has nothing to move, elect or vote, and no log of its metadata",
    )
    .named(&["34", "43", "45", "46", "55", "57", "64", "80", "81"]),
    row(
        "ApiVersions",
        API_VERSIONS,
        &[
            ("apiKeys[2].maxVersion", Exactly("11"), Exactly("10")),
            ("apiKeys[8].maxVersion", Exactly("10"), Exactly("9")),
            ("apiKeys[9].maxVersion", Exactly("10"), Exactly("9")),
            ("apiKeys[35].maxVersion", Exactly("5"), Exactly("4")),
        ],
        "the newest version that the wire crate knows",
    ),
    // Defaults that differ, and settings that Kafka lacks.
    row(
        "DescribeConfigs",
        EVERYWHERE,
        &[("results[2 *].configs[remote.storage.enable].value", Exactly(r#""false""#), Exactly(r#""true""#))],
        TIERED,
    ),
    row(
        "DescribeConfigs",
        EVERYWHERE,
        &[
            ("results[2 *].configs[local.retention.ms].value", Exactly(r#""-2""#), Exactly(DAY)),
            ("results[*].configs[*].synonyms[log.local.retention.ms].value", Exactly(r#""-2""#), Exactly(DAY)),
            ("results[4 *].configs[log.local.retention.ms].value", Exactly(r#""-2""#), Exactly(DAY)),
        ],
        KEPT_FOR_A_DAY,
    ),
    row(
        "DescribeConfigs",
        &["alter_configs-topics: *", "incremental_alter_configs-operations: *"],
        &[("results[2 *].configs[local.retention.ms].value", Exactly(r#""-2""#), Words)],
        "the local day is no longer than retention.ms",
    ),
    row(
        "DescribeConfigs",
        EVERYWHERE,
        &[
            ("results[2 *].configs[tidelog.*]", Nothing, Anything),
            ("results[4 *].configs[tidelog.*]", Nothing, Anything),
        ],
        LACKED,
    ),
    row(
        "DescribeConfigs",
        EVERYWHERE,
        &[
            ("results[*].configs[?].configSource", Exactly("3"), Exactly("5")),
            ("results[*].configs[?].synonyms[?].source", Exactly("3"), Exactly("5")),
            ("results[*].configs[?].synonyms[?#2]", Anything, Nothing),
            ("results[4 ].configs[?]", Anything, Nothing),
        ],
        ELIGIBLE,
    )
    .named(&["min.insync.replicas"]),
    row(
        "CreateTopics",
        EVERYWHERE,
        &[("topics[*].configs[remote.storage.enable].value", Exactly(r#""false""#), Exactly(r#""true""#))],
        TIERED,
    ),
    row(
        "CreateTopics",
        EVERYWHERE,
        &[("topics[*].configs[local.retention.ms].value", Exactly(r#""-2""#), Exactly(DAY))],
        KEPT_FOR_A_DAY,
    ),
    row(
        "CreateTopics",
        &["create_topics-configs: good", "create_topics-configs: twice"],
        &[("topics[*].configs[local.retention.ms].value", Exactly(r#""-2""#), Words)],
        "the local day is no longer than retention.ms",
    ),
    row("CreateTopics", EVERYWHERE, &[("topics[*].configs[tidelog.*]", Nothing, Anything)], LACKED),
    row(
        "CreateTopics",
        EVERYWHERE,
        &[("topics[*].configs[min.insync.replicas].configSource", Exactly("3"), Exactly("5"))],
        ELIGIBLE,
    ),
    row(
        "DescribeConfigs",
        &[
            "describe_configs-brokers: the broker",
            "describe_configs-chosen: no key of the broker",
            "describe_configs-chosen: of the broker",
        ],
        &[("results[4 1].configs[?]", Anything, Nothing)],
        "a setting of the broker that has no meaning here",
    )
    .named(UNUSED_BROKER_SETTINGS),
    row(
        "DescribeConfigs",
        BROKER,
        &[
            ("results[4 1].configs[rlmm.config.*]", Anything, Nothing),
            ("results[4 1].configs[rsm.config.*]", Anything, Nothing),
        ],
        "settings of plug-ins that only this Kafka has",
    ),
    row(
        "DescribeConfigs",
        BROKER,
        &[
            ("results[4 1].configs[node.id].configSource", Exactly("4"), Exactly("5")),
            ("results[4 1].configs[node.id].synonyms[node.id].source", Exactly("4"), Exactly("5")),
            ("results[4 1].configs[broker.id].configSource", Exactly("4"), Exactly("5")),
            ("results[4 1].configs[broker.id].synonyms[broker.id].source", Exactly("4"), Exactly("5")),
            ("results[4 1].configs[broker.id].synonyms[broker.id].value", Exactly(r#""1""#), Exactly(r#""-1""#)),
            ("results[4 1].configs[broker.id].synonyms[broker.id#2]", Anything, Nothing),
        ],
        "the only broker is told no number, it has one",
    ),
    row(
        "DescribeConfigs",
        BROKER,
        &[
            ("results[4 1].configs[listeners].value", Words, Words),
            ("results[4 1].configs[listeners].synonyms[listeners].value", Words, Words),
            ("results[4 1].configs[listeners].synonyms[listeners#2]", Anything, Nothing),
            ("results[4 1].configs[advertised.listeners].configSource", Exactly("4"), Exactly("5")),
            ("results[4 1].configs[advertised.listeners].synonyms[advertised.listeners]", Anything, Nothing),
            ("results[4 1].configs[log.dir].value", Exactly(r#""/tmp/kafka-logs""#), Exactly("null")),
            ("results[4 1].configs[log.dir].synonyms[log.dir]", Anything, Nothing),
            ("results[4 1].configs[log.dirs].value", Words, Words),
            ("results[4 1].configs[log.dirs].synonyms[log.dirs].value", Words, Words),
        ],
        "each has folders and addresses of its own, and Tidelog is told them by flags",
    ),
    row(
        "DescribeConfigs",
        BROKER,
        &[("results[4 1].configs[?].readOnly", Exactly("false"), Exactly("true"))],
        "a setting that is read once, at the start, and says so",
    )
    .named(&[
        "listeners",
        "max.connections",
        "max.connections.per.ip",
        "remote.fetch.max.wait.ms",
        "remote.list.offsets.request.timeout.ms",
        "remote.log.manager.copier.thread.pool.size",
        "remote.log.manager.copy.max.bytes.per.second",
        "remote.log.reader.threads",
    ]),
    row(
        "DescribeConfigs",
        BROKER,
        &[
            ("results[4 1].configs[?].value", Exactly(r#""10""#), Words),
            ("results[4 1].configs[?].synonyms[?].value", Exactly(r#""10""#), Words),
        ],
        "writing and reading Parquet takes a core where Kafka copies a file",
    )
    .named(&["remote.log.manager.copier.thread.pool.size", "remote.log.reader.threads"]),
    row(
        "DescribeConfigs",
        BROKER,
        &[(
            "results[4 1].configs[remote.log.storage.system.enable].synonyms[remote.log.storage.system.enable#2].value",
            Exactly(r#""false""#),
            Exactly(r#""true""#),
        )],
        "there is always a bucket",
    ),
    row(
        "DescribeConfigs",
        &["describe_configs-odd_resources: groups"],
        &[
            ("results[*].errorCode", Exactly("0"), Exactly("42")),
            ("results[*].errorMessage", Exactly(r#""""#), Words),
            ("results[16 g].configs[*]", Anything, Nothing),
            ("results[32 g].configs[*]", Anything, Nothing),
        ],
        NEW_GROUPS,
    ),
    // Where Kafka does not know what went wrong, or does not say.
    row(
        "CreatePartitions",
        &["create_partitions-counts: more than one request may make"],
        &[("*.errorCode", Exactly("-1"), Exactly("44")), ("*.errorMessage", Exactly("null"), Words)],
        "a bound is named, not an unknown error",
    ),
    row(
        "DescribeTopicPartitions",
        &["describe_topic_partitions-named: ''"],
        &[
            ("topics[].errorCode", Exactly("-1"), Exactly("17")),
            ("topics[].topicAuthorizedOperations", Exactly("-2147483648"), Exactly("3576")),
        ],
        "the name is what is wrong, not the server",
    ),
    row(
        "Fetch",
        &["fetch-isolation: level 2", "fetch-isolation: level -1"],
        &[
            ("errorCode", Exactly("-1"), Exactly("42")),
            ("responses[*].partitions[0].errorCode", Exactly("-1"), Exactly("42")),
        ],
        NOT_THE_SERVER,
    ),
    row(
        "Fetch",
        &["fetch-sizes: -1 in all, -1 of each", "fetch-sizes: 10000 in all, -1 of each"],
        &[("responses[*].partitions[*].errorCode", Exactly("-1"), Exactly("42"))],
        NOT_THE_SERVER,
    ),
    row(
        "ListOffsets",
        &["list_offsets-specials_empty: level 2", "list_offsets-specials_empty: level -1"],
        &[("topics[*].partitions[0].errorCode", Exactly("-1"), Exactly("42"))],
        NOT_THE_SERVER,
    ),
    row(
        "IncrementalAlterConfigs",
        &["incremental_alter_configs-refused: operation 4", "incremental_alter_configs-refused: operation -1"],
        &[
            ("responses[*].errorCode", Exactly("-1"), Exactly("42")),
            ("responses[*].errorMessage", Exactly("null"), Words),
        ],
        NOT_THE_SERVER,
    ),
    row(
        "Metadata",
        &["metadata-ids: no id and no name", "metadata-names: null"],
        &[("errorCode", Exactly("-1"), Exactly("0")), ("topics[].errorCode", Exactly("-1"), Exactly("42"))],
        NOT_THE_SERVER,
    )
    .versions(12, 13),
    row(
        "Metadata",
        &["metadata-ids: *", "metadata-names: null"],
        &[("the connection", Exactly("is closed"), Exactly("answers"))],
        "a version that has no ids and no nulls is told so, not hung up on",
    )
    .versions(0, 9),
    row(
        "Produce",
        &["produce-headers_that_lie: codec *"],
        &[("responses[*].partitionResponses[0].errorCode", Exactly("-1"), Exactly("76"))],
        "a codec that nobody knows is what is wrong, not the server",
    ),
    row(
        "Produce",
        &[
            "produce-headers_that_lie: length 2147483647",
            "produce-records_that_lie: records that are none",
            "produce-records_that_lie: offsets *, gzip",
        ],
        &[("responses[*].partitionResponses[0].errorCode", Exactly("-1"), Exactly("87"))],
        "the batch is what is wrong, not the server",
    ),
    row(
        "Produce",
        &["produce-records_missing: null"],
        &[("the connection", Exactly("is silent"), Exactly("answers"))],
        "Kafka forgets to answer",
    ),
    row(
        "AlterConfigs",
        &["alter_configs-refused: one resource twice"],
        &[("the connection", Exactly("is silent"), Exactly("answers"))],
        "Kafka forgets to answer",
    ),
    // What Tidelog does not take, so that what it takes is kept as it was sent.
    row(
        "Produce",
        &["produce-headers_that_lie: a transaction that nobody has begun"],
        &[
            ("responses[*].partitionResponses[0].errorCode", Anything, Exactly("53")),
            ("responses[*].partitionResponses[0].errorMessage", Words, Exactly("null")),
        ],
        "transactions come with an issue of their own; until then they are refused for good",
    ),
    row(
        "Produce",
        &["produce-headers_that_lie: log append time"],
        &[
            ("responses[*].partitionResponses[0].errorCode", Exactly("0"), Exactly("32")),
            ("responses[*].partitionResponses[0].baseOffset", Anything, Exactly("-1")),
            ("responses[*].partitionResponses[0].errorMessage", Exactly("null"), Words),
            ("responses[*].partitionResponses[0].recordErrors[*]", Nothing, Anything),
        ],
        "only a broker may say that records have the time of their append; Kafka would change their timestamps in silence",
    ),
    row(
        "Produce",
        &["produce_rules-append_time: that claims it already"],
        &[("responses[*].partitionResponses[0].recordErrors[0].batchIndexErrorMessage", Words, Words)],
        "the text names the record's offset and does not print the record",
    ),
    row(
        "Produce",
        &["produce-records_missing: one and a half", "produce-records_missing: a byte more"],
        &[
            ("responses[*].partitionResponses[0].errorCode", Exactly("0"), Exactly("87")),
            ("responses[*].partitionResponses[0].baseOffset", Anything, Exactly("-1")),
            ("responses[*].partitionResponses[0].logStartOffset", Exactly("0"), Exactly("-1")),
        ],
        "what is cut is refused; Kafka would drop it and say that all is well",
    ),
    row(
        "Produce",
        &[
            "produce-records_that_lie: offsets with a gap, plain",
            "produce-records_that_lie: offsets that go back, plain",
            "produce-records_that_lie: offsets below zero, plain",
        ],
        &[
            ("responses[*].partitionResponses[0].errorCode", Exactly("0"), Exactly("87")),
            ("responses[*].partitionResponses[0].baseOffset", Anything, Exactly("-1")),
        ],
        "offsets are dense; Kafka checks that only of packed batches",
    ),
    row(
        "Produce",
        &["produce-records_that_lie: a header name that is no text, *"],
        &[
            ("responses[*].partitionResponses[0].errorCode", Exactly("0"), Exactly("87")),
            ("responses[*].partitionResponses[0].baseOffset", Anything, Exactly("-1")),
            ("responses[*].partitionResponses[0].errorMessage", Exactly("null"), Words),
            ("responses[*].partitionResponses[0].recordErrors[0]", Nothing, Anything),
        ],
        "names of headers are texts in Parquet, and texts are UTF-8",
    ),
    row(
        "IncrementalAlterConfigs",
        &["topic_settings-bounds: min.cleanable.dirty.ratio=NaN"],
        &[
            ("responses[*].errorCode", Exactly("0"), Exactly("40")),
            ("responses[*].errorMessage", Exactly("null"), Words),
        ],
        "NaN is no ratio",
    ),
    row(
        "IncrementalAlterConfigs",
        &["incremental_alter_configs-brokers: unknown"],
        &[
            ("responses[*].errorCode", Exactly("0"), Exactly("42")),
            ("responses[*].errorMessage", Exactly("null"), Words),
        ],
        "a name that neither knows is an error, in requests as in files",
    ),
    row(
        "IncrementalAlterConfigs",
        &["topic_settings-bounds: local.retention.ms=-1", "topic_settings-bounds: remote.storage.enable=false"],
        &[
            ("responses[*].errorCode", Exactly("0"), Exactly("40")),
            ("responses[*].errorMessage", Exactly("null"), Words),
        ],
        "the topic is tiered, by default, so Kafka's own rules for tiered topics hold",
    ),
    row(
        "IncrementalAlterConfigs",
        &["incremental_alter_configs-tiering: unset without leave"],
        &[
            ("responses[*].errorCode", Exactly("40"), Exactly("0")),
            ("responses[*].errorMessage", Words, Exactly("null")),
        ],
        "a topic that does not say whether it is tiered is, so nothing is disabled",
    ),
    // What is done in another way.
    row(
        "Metadata",
        &["metadata-automatic: allowed", "metadata-automatic: allowed, twice in one request"],
        &[
            ("topics[*].errorCode", Exactly("3"), Exactly("0")),
            ("topics[*].partitions[0]", Nothing, Anything),
            ("topics[*].topicId", Exactly(r#""00000000000000000000000000000000""#), Words),
        ],
        "a topic that is made is answered at once; Kafka has clients come back for it",
    ),
    row(
        "CreateTopics",
        &["create_topics-names: internal names"],
        &[
            ("topics[__consumer_offsets].configs[*]", Nothing, Anything),
            ("topics[__consumer_offsets].errorCode", Exactly("36"), Exactly("0")),
            ("topics[__consumer_offsets].errorMessage", Words, Exactly("null")),
            ("topics[__consumer_offsets].numPartitions", Exactly("-1"), Exactly("1")),
            ("topics[__consumer_offsets].replicationFactor", Exactly("-1"), Exactly("1")),
            ("topics[__consumer_offsets].topicId", Exactly(r#""00000000000000000000000000000000""#), Words),
        ],
        "offsets of groups are kept in the catalog, so no topic has that name",
    ),
    row(
        "Fetch",
        &["produce_rules-own_codec: zstd: read back"],
        &[
            ("responses[*].partitions[0].records.batches[1].crc", Anything, Anything),
            ("responses[*].partitions[0].records.batches[1].length", Anything, Anything),
            ("responses[*].partitions[0].records.batches[1].records", Anything, Anything),
        ],
        "another compressor packs the same records into other bytes; what they unfold to is compared",
    ),
];
