//! What each metric means and in which unit: what Prometheus shows beside a name. One line a family; `tests/tidy/metrics.rs`
//! holds that none is missing and none is left over.

/// A family of metrics.
struct Family {
    name: &'static str,
    /// What the number counts or measures.
    unit: &'static str,
    help: &'static str,
}

const fn family(name: &'static str, unit: &'static str, help: &'static str) -> Family {
    Family { name, unit, help }
}

/// All of them, by name.
const FAMILIES: &[Family] = &[
    family("kafka_log_logmanager_offlinelogdirectorycount", "directories", "log directories that failed"),
    family(
        "kafka_server_brokertopicmetrics_buildremotelogauxstateerrors_total",
        "failures",
        "logs that could not begin anew from the bucket",
    ),
    family(
        "kafka_server_brokertopicmetrics_buildremotelogauxstaterequests_total",
        "logs",
        "logs that began anew from the newest object in the bucket",
    ),
    family("kafka_server_brokertopicmetrics_remotecopybytes_total", "bytes", "log that was uploaded"),
    family("kafka_server_brokertopicmetrics_remotecopyerrors_total", "failures", "uploads that failed"),
    family("kafka_server_brokertopicmetrics_remotecopylagbytes", "bytes", "sealed segments that wait for their upload"),
    family(
        "kafka_server_brokertopicmetrics_remotecopylagsegments",
        "segments",
        "sealed segments that wait for their upload",
    ),
    family("kafka_server_brokertopicmetrics_remotecopyrequests_total", "uploads", "uploads that were begun"),
    family(
        "kafka_server_brokertopicmetrics_remotedeleteerrors_total",
        "failures",
        "objects that could not be removed from the bucket",
    ),
    family(
        "kafka_server_brokertopicmetrics_remotedeletelagbytes",
        "bytes",
        "log whose objects wait to be removed from the bucket",
    ),
    family(
        "kafka_server_brokertopicmetrics_remotedeletelagsegments",
        "segments",
        "objects that wait to be removed from the bucket",
    ),
    family(
        "kafka_server_brokertopicmetrics_remotedeleterequests_total",
        "objects",
        "objects that were removed from the bucket",
    ),
    family("kafka_server_brokertopicmetrics_remotefetchbytes_total", "bytes", "records served from the bucket"),
    family("kafka_server_brokertopicmetrics_remotefetcherrors_total", "failures", "reads from the bucket that failed"),
    family(
        "kafka_server_brokertopicmetrics_remotefetchrequests_total",
        "reads",
        "reads from the bucket that were asked for",
    ),
    family("kafka_server_brokertopicmetrics_remotelogmetadatacount", "segments", "remote segments in the bucket"),
    family("kafka_server_brokertopicmetrics_remotelogsizebytes", "bytes", "log that the remote segments stand for"),
    family(
        "kafka_server_delayedremotefetchmetrics_expires_total",
        "fetches",
        "fetches answered before what they wanted of the bucket had come",
    ),
    family("process_cpu_seconds_total", "seconds", "processor time of the process"),
    family("process_open_fds", "files", "open files and sockets of the process"),
    family("process_resident_memory_bytes", "bytes", "memory of the process that is in RAM"),
    family("tidelog_catalog_commit_failures_total", "transactions", "writes to the catalog that failed"),
    family("tidelog_catalog_commits_total", "transactions", "writes to the catalog that were committed"),
    family("tidelog_catalog_lock_held", "0 or 1", "whether this broker holds the catalog's lock"),
    family(
        "tidelog_catalog_reserve_held",
        "0 or 1",
        "whether the room for the catalog's writes on a full disk is set aside",
    ),
    family("tidelog_catalog_writes_total", "changes", "changes of the catalog; several share a commit"),
    family("tidelog_coordinator_committed_offsets_total", "offsets", "offsets that groups committed"),
    family("tidelog_coordinator_expired_offsets_total", "offsets", "committed offsets whose time was over"),
    family("tidelog_coordinator_groups_count", "groups", "groups in memory"),
    family("tidelog_coordinator_load_failures_total", "failures", "groups that could not be read from the catalog"),
    family("tidelog_coordinator_memory_bytes", "bytes", "memory of the groups"),
    family("tidelog_coordinator_store_batches_total", "transactions", "writes of groups to the catalog"),
    family("tidelog_coordinator_store_failures_total", "failures", "writes of groups to the catalog that failed"),
    family("tidelog_coordinator_stored_groups_total", "groups", "changes of groups that were written to the catalog"),
    family("tidelog_net_connections_closed_total", "connections", "connections of Kafka clients that ended, by reason"),
    family("tidelog_net_connections_count", "connections", "connections of Kafka clients"),
    family("tidelog_net_connections_opened_total", "connections", "connections of Kafka clients that were taken"),
    family(
        "tidelog_net_connections_refused_total",
        "connections",
        "connections turned away for being too many, by reason",
    ),
    family("tidelog_net_received_bytes_total", "bytes", "requests of Kafka clients"),
    family("tidelog_net_sent_bytes_total", "bytes", "responses to Kafka clients"),
    family("tidelog_object_storage_bytes_total", "bytes", "sent to and read from the bucket, by operation"),
    family("tidelog_object_storage_latency_seconds", "seconds", "how long requests to the bucket took, by operation"),
    family(
        "tidelog_object_storage_requests_in_flight",
        "requests",
        "requests to the bucket that wait for their answer, by operation",
    ),
    family("tidelog_object_storage_requests_total", "requests", "requests to the bucket, by operation and outcome"),
    family(
        "tidelog_object_storage_retries_total",
        "requests",
        "requests to the bucket that were tried again, by operation and kind of error",
    ),
    family(
        "tidelog_replication_full_log_directories_count",
        "directories",
        "log directories that refuse appends for want of room",
    ),
    family("tidelog_replication_log_directory_free_bytes", "bytes", "free on the disk of the log directory"),
    family(
        "tidelog_replication_nearly_full_log_directories_count",
        "directories",
        "log directories whose disk is nearly full",
    ),
    family("tidelog_replication_offline_log_directories_count", "directories", "log directories that failed"),
    family("tidelog_replication_syncs_total", "syncs", "syncs of logs; all who wait for stable storage share one"),
    family(
        "tidelog_server_failed_partitions_total",
        "partitions",
        "partitions of requests that disk or bucket did not serve, by request",
    ),
    family("tidelog_server_request_seconds", "seconds", "how long requests took, waits included, by request"),
    family(
        "tidelog_server_requests_refused_total",
        "requests",
        "requests that made no sense and closed their connection",
    ),
    family("tidelog_server_requests_total", "requests", "requests of Kafka clients, by request"),
    family("tidelog_tiering_cache_bytes", "bytes", "memory of what was read from the bucket and is kept"),
    family(
        "tidelog_tiering_cache_requests_total",
        "requests",
        "questions to the cache of what was read from the bucket, by outcome",
    ),
    family(
        "tidelog_tiering_damages_count",
        "damages",
        "objects, rows of the catalog that name objects, and gaps between objects that cannot be read though the bucket answers",
    ),
    family("tidelog_tiering_decoded_bytes_total", "bytes", "row groups read from the bucket, decoded"),
    family("tidelog_tiering_fetched_bytes_total", "bytes", "row groups read from the bucket, as they lie there"),
    family(
        "tidelog_tiering_local_only_bytes",
        "bytes",
        "log of tiered topics that the bucket does not have yet, open segments included",
    ),
    family("tidelog_tiering_objects_bytes", "bytes", "live objects in the bucket"),
    family(
        "tidelog_tiering_orphans_kept_count",
        "objects",
        "unfinished objects that are kept because nothing else has their offsets",
    ),
    family(
        "tidelog_tiering_paused_partitions_count",
        "partitions",
        "partitions whose uploads are paused by remote.log.copy.disable",
    ),
    family("tidelog_tiering_row_group_decode_seconds", "seconds", "how long row groups took to decode"),
    family("tidelog_tiering_row_group_fetch_seconds", "seconds", "how long row groups took to come from the bucket"),
    family(
        "tidelog_tiering_stopped_partitions_count",
        "partitions",
        "partitions whose uploads stand still until somebody helps",
    ),
    family(
        "tidelog_tiering_undeletable_objects_count",
        "objects",
        "objects that may go and that the bucket does not let go",
    ),
    family("tidelog_tiering_upload_seconds", "seconds", "how long uploads took, reading and comparing included"),
    family("tidelog_tiering_uploaded_bytes_total", "bytes", "objects that were uploaded"),
    family("tidelog_tiering_uploaded_segments_total", "segments", "segments that were uploaded"),
];

/// The same text, with a line about each family before its type.
pub(super) fn with_help(metrics: &str) -> String {
    let mut out = String::with_capacity(metrics.len() + FAMILIES.len() * 100);
    for line in metrics.lines() {
        let named = line.strip_prefix("# TYPE ").and_then(|rest| rest.split(' ').next());
        let known = named.and_then(|name| FAMILIES.iter().find(|family| family.name == name));
        if let Some(Family { name, unit, help }) = known {
            out.push_str(&format!("# HELP {name} {help} ({unit})\n"));
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_stands_before_the_type() {
        let text = "# TYPE process_open_fds gauge\nprocess_open_fds 3\n\n# TYPE other counter\nother 1\n";
        let helped = with_help(text);
        let first =
            "# HELP process_open_fds open files and sockets of the process (files)\n# TYPE process_open_fds gauge\n";
        assert!(helped.starts_with(first) && helped.ends_with(&text[30..]), "{helped}");
    }

    #[test]
    fn the_table_is_in_order() {
        assert!(FAMILIES.windows(2).all(|pair| pair[0].name < pair[1].name));
    }
}
