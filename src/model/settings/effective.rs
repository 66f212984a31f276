//! A topic's settings as one [`TopicConfig`], with the rules that hold between them (KIP-405, KIP-950, and our three
//! defaults that differ from Kafka's).

use std::collections::BTreeMap;

use crate::model::topic_config::{
    CleanupPolicy, Codec, FlushConfig, MessageConfig, RemoteConfig, RetentionConfig, SegmentConfig, TimestampType,
    TopicCompression, TopicConfig,
};

use super::kind::{InvalidSetting, items};
use super::resolve::{BrokerSettings, check_overrides};
use super::topic_table::topic_setting;

/// Our default of `local.retention.ms`, where neither topic nor broker sets it.
pub(super) const LOCAL_RETENTION_MS: i64 = 24 * 60 * 60 * 1000;
/// Kafka's "as the total".
const AS_TOTAL: i64 = -2;

/// What a topic was before a change; a new topic was nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Before<'a> {
    /// What was in effect.
    pub config: Option<&'a TopicConfig>,
    /// Whether it has anything in the bucket: then `remote.storage.enable` counts as set.
    pub has_remote_segments: bool,
}

struct Values<'a> {
    broker: &'a BrokerSettings,
    overrides: &'a BTreeMap<String, String>,
}

impl Values<'_> {
    fn text(&self, name: &'static str) -> String {
        self.broker.topic_text(name, self.overrides)
    }

    fn number(&self, name: &'static str) -> i64 {
        self.text(name).trim().parse().expect("every value was checked; a test parses every default")
    }

    fn switch(&self, name: &'static str) -> bool {
        self.text(name).trim().eq_ignore_ascii_case("true")
    }

    fn is_set(&self, name: &'static str) -> bool {
        topic_setting(name).is_some_and(|setting| self.broker.is_topic_value_set(setting, self.overrides))
    }
}

impl BrokerSettings {
    /// Checks a topic's overrides, each and together; returns what they make.
    pub fn topic_config(
        &self,
        overrides: &BTreeMap<String, String>,
        before: Before<'_>,
    ) -> Result<TopicConfig, InvalidSetting> {
        check_overrides(overrides)?;
        let values = Values { broker: self, overrides };
        let policy = values.text("cleanup.policy");
        let cleanup = CleanupPolicy {
            delete: items(&policy).any(|item| item == "delete"),
            compact: items(&policy).any(|item| item == "compact"),
        };
        let (least_ms, most_ms) = (values.number("min.compaction.lag.ms"), values.number("max.compaction.lag.ms"));
        if least_ms > most_ms {
            return Err(InvalidSetting::Conflict(format!(
                "conflict topic config setting min.compaction.lag.ms ({least_ms}) > max.compaction.lag.ms ({most_ms})"
            )));
        }
        let remote = remote(&values, cleanup, before)?;
        let retention = retention(&values, &remote)?;
        Ok(TopicConfig {
            cleanup,
            segment: segment(&values),
            retention,
            flush: FlushConfig {
                on_ack: values.switch("tidelog.flush.on.ack"),
                messages: values.number("flush.messages").unsigned_abs(),
                ms: values.number("flush.ms").unsigned_abs(),
            },
            message: message(&values),
            remote,
            min_insync_replicas: u32::try_from(values.number("min.insync.replicas")).unwrap_or(u32::MAX),
            producer_id_expiration_ms: self.number("producer.id.expiration.ms"),
        })
    }
}

fn segment(values: &Values<'_>) -> SegmentConfig {
    let small = |name| u32::try_from(values.number(name)).unwrap_or(u32::MAX);
    SegmentConfig {
        bytes: small("segment.bytes"),
        ms: values.number("segment.ms"),
        jitter_ms: values.number("segment.jitter.ms"),
        index_bytes: small("segment.index.bytes"),
        index_interval_bytes: small("index.interval.bytes"),
        preallocate: values.switch("preallocate"),
    }
}

fn message(values: &Values<'_>) -> MessageConfig {
    let level = |name| i32::try_from(values.number(name)).ok();
    let compression = match values.text("compression.type").trim() {
        "uncompressed" => TopicCompression::Fixed(Codec::None, None),
        "gzip" => TopicCompression::Fixed(Codec::Gzip, level("compression.gzip.level").filter(|level| *level >= 0)),
        "snappy" => TopicCompression::Fixed(Codec::Snappy, None),
        "lz4" => TopicCompression::Fixed(Codec::Lz4, None),
        "zstd" => TopicCompression::Fixed(Codec::Zstd, level("compression.zstd.level")),
        _ => TopicCompression::Producer,
    };
    MessageConfig {
        max_bytes: u32::try_from(values.number("max.message.bytes")).unwrap_or(u32::MAX),
        timestamp_type: match values.text("message.timestamp.type").trim() {
            "LogAppendTime" => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        },
        timestamp_before_max_ms: values.number("message.timestamp.before.max.ms"),
        timestamp_after_max_ms: values.number("message.timestamp.after.max.ms"),
        compression,
    }
}

fn remote(values: &Values<'_>, cleanup: CleanupPolicy, before: Before<'_>) -> Result<RemoteConfig, InvalidSetting> {
    let explicit = values.is_set("remote.storage.enable");
    let enabled = match (explicit, before.has_remote_segments) {
        (true, _) => values.switch("remote.storage.enable"),
        (false, true) => before.config.is_none_or(|config| config.remote.enabled),
        (false, false) => !cleanup.compact,
    };
    if enabled && cleanup.compact {
        return Err(InvalidSetting::Conflict(
            "Remote log storage only supports topics with cleanup.policy=delete or cleanup.policy being an empty list."
                .to_owned(),
        ));
    }
    let delete_on_disable = values.switch("remote.log.delete.on.disable");
    let was_enabled = before.config.is_some_and(|config| config.remote.enabled);
    let turned_off = was_enabled && !enabled && (explicit || before.has_remote_segments);
    if turned_off && !delete_on_disable {
        return Err(InvalidSetting::Conflict(
            "It is invalid to disable remote storage without deleting remote data. If you want to keep the remote data \
             and turn to read only, please set `remote.storage.enable=true,remote.log.copy.disable=true`. If you want to \
             disable remote storage and delete all remote data, please set \
             `remote.storage.enable=false,remote.log.delete.on.disable=true`."
                .to_owned(),
        ));
    }
    Ok(RemoteConfig {
        enabled,
        copy_disabled: values.switch("remote.log.copy.disable"),
        delete_on_disable,
        max_lag_ms: values.number("tidelog.remote.max.lag.ms"),
        fetch_compression: match values.text("tidelog.remote.fetch.compression.type").trim() {
            "gzip" => Codec::Gzip,
            "snappy" => Codec::Snappy,
            "lz4" => Codec::Lz4,
            "zstd" => Codec::Zstd,
            _ => Codec::None,
        },
        parquet_zstd_level: i32::try_from(values.number("tidelog.remote.parquet.zstd.level")).unwrap_or(1),
        delete_max_delay_ms: values.number("tidelog.delete.max.delay.ms"),
    })
}

fn retention(values: &Values<'_>, remote: &RemoteConfig) -> Result<RetentionConfig, InvalidSetting> {
    let total_ms = values.number("retention.ms");
    let total_bytes = values.number("retention.bytes");
    let local_ms = values.number("local.retention.ms");
    let local_bytes = values.number("local.retention.bytes");
    if remote.enabled {
        check_local("local.retention.bytes", local_bytes, "retention.bytes", total_bytes)?;
        check_local("local.retention.ms", local_ms, "retention.ms", total_ms)?;
        if remote.copy_disabled {
            check_paused("bytes", local_bytes, total_bytes)?;
            check_paused("ms", local_ms, total_ms)?;
        }
    }
    let limit_ms = |number: i64| (number >= 0).then_some(number);
    let limit_bytes = |number: i64| u64::try_from(number).ok();
    let local_ms = match local_ms {
        AS_TOTAL if values.is_set("local.retention.ms") || remote.copy_disabled => limit_ms(total_ms),
        AS_TOTAL => Some(limit_ms(total_ms).map_or(LOCAL_RETENTION_MS, |total_ms| total_ms.min(LOCAL_RETENTION_MS))),
        other => limit_ms(other),
    };
    let local_bytes = if local_bytes == AS_TOTAL { limit_bytes(total_bytes) } else { limit_bytes(local_bytes) };
    Ok(RetentionConfig {
        total_ms: limit_ms(total_ms),
        total_bytes: limit_bytes(total_bytes),
        local_ms,
        local_bytes,
        file_delete_delay_ms: values.number("file.delete.delay.ms"),
    })
}

/// Local retention may not be longer than the total.
fn check_local(name: &str, local: i64, total_name: &str, total: i64) -> Result<(), InvalidSetting> {
    if total <= -1 || local == AS_TOTAL {
        return Ok(());
    }
    let reason = if local == -1 {
        format!("Value must not be -1 as {total_name} value is set as {total}.")
    } else if local > total {
        format!("Value must not be more than {total_name} property value: {total}")
    } else {
        return Ok(());
    };
    Err(InvalidSetting::value(name, &local.to_string(), reason))
}

fn check_paused(unit: &str, local: i64, total: i64) -> Result<(), InvalidSetting> {
    if local == AS_TOTAL || local == total {
        return Ok(());
    }
    Err(InvalidSetting::Conflict(format!(
        "When `remote.log.copy.disable` is set to true, the `local.retention.{unit}` and `retention.{unit}` must be set to \
         the identical value because there will be no more logs copied to the remote storage."
    )))
}
