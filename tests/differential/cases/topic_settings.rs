//! Every setting of a topic, at the bounds of what it may be.

use serde_json::json;

use super::setup::topic;
use crate::peer::Peer;

/// Values just inside and just outside.
const VALUES: &[(&str, &[&str])] = &[
    ("cleanup.policy", &["delete", "compact", "compact,delete", "delete,compact", "delete,delete", "", "DELETE", "none"]),
    ("compression.gzip.level", &["-1", "0", "1", "9", "10", "x"]),
    ("compression.lz4.level", &["0", "1", "17", "18"]),
    ("compression.type", &["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd", "none", "GZIP", ""]),
    ("compression.zstd.level", &["-131073", "-131072", "0", "22", "23"]),
    ("delete.retention.ms", &["-1", "0", "9223372036854775807", "9223372036854775808"]),
    ("file.delete.delay.ms", &["-1", "0"]),
    ("flush.messages", &["0", "1"]),
    ("flush.ms", &["-1", "0"]),
    ("follower.replication.throttled.replicas", &["", "*", "0:1", "0:1,1:2", "0", "x:y", "none"]),
    ("index.interval.bytes", &["-1", "0"]),
    ("leader.replication.throttled.replicas", &["", "*", "0:1", "x"]),
    ("local.retention.bytes", &["-3", "-2", "-1", "0", "1"]),
    ("local.retention.ms", &["-3", "-2", "-1", "0", "1"]),
    ("max.compaction.lag.ms", &["0", "1"]),
    ("max.message.bytes", &["-1", "0", "2147483647", "2147483648"]),
    ("message.timestamp.after.max.ms", &["-1", "0"]),
    ("message.timestamp.before.max.ms", &["-1", "0"]),
    ("message.timestamp.type", &["CreateTime", "LogAppendTime", "createtime", ""]),
    ("message.timestamp.difference.max.ms", &["1"]),
    ("message.downconversion.enable", &["true"]),
    ("min.cleanable.dirty.ratio", &["-0.1", "0", "1", "1.1", "NaN", "1e-3"]),
    ("min.compaction.lag.ms", &["-1", "0"]),
    ("min.insync.replicas", &["0", "1", "2"]),
    ("preallocate", &["true", "TRUE", "yes", "", " true "]),
    ("remote.log.copy.disable", &["true", "false", "x"]),
    ("remote.log.delete.on.disable", &["true", "false"]),
    ("remote.storage.enable", &["false", "true", "x"]),
    ("retention.bytes", &["-2", "-1", "0"]),
    ("retention.ms", &["-2", "-1", "0", " 5 ", "1.5", "0x10"]),
    ("segment.bytes", &["1048575", "1048576", "2147483647", "2147483648"]),
    ("segment.index.bytes", &["3", "4", "0"]),
    ("segment.jitter.ms", &["-1", "0"]),
    ("segment.ms", &["0", "1"]),
    ("unclean.leader.election.enable", &["true", "false"]),
];

/// Each value, checked only.
pub fn bounds(peer: &mut Peer) {
    let one = topic(peer, "one", 1, &[]);
    for (name, values) in VALUES {
        for value in *values {
            peer.step(&format!("{name}={value}"));
            let configs = json!([{ "name": name, "configOperation": 0, "value": value }]);
            let resources = json!([{ "resourceType": 2, "resourceName": one.name, "configs": configs }]);
            peer.ask_newest("IncrementalAlterConfigs", &json!({ "resources": resources, "validateOnly": true }));
        }
    }
}
