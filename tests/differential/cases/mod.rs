//! The cases: one file per API, each case a run of requests against one broker.

use crate::peer::Peer;

mod members;
pub mod setup;

/// A case.
pub struct Case {
    pub name: &'static str,
    pub run: fn(&mut Peer),
}

/// Declares a file and names its functions as cases.
macro_rules! cases {
    ($($file:ident: $($case:ident)+;)+) => {
        $(mod $file;)+
        /// All of them, in the order in which they run.
        pub const ALL: &[Case] = &[$($(
            Case { name: concat!(stringify!($file), "-", stringify!($case)), run: $file::$case },
        )+)+];
    };
}
cases! {
    api_versions: lists software_names;
    frames: lengths headers bodies claims;
    metadata: names ids listed automatic operations;
    create_topics: good names counts assignments configs several validated;
    delete_topics: by_name by_id;
    create_partitions: counts assignments several;
    describe_configs: topics brokers chosen odd_resources;
    alter_configs: topics refused;
    incremental_alter_configs: operations lists refused tiering brokers;
    topic_settings: bounds;
    produce: good acks unknown_places records_missing headers_that_lie records_that_lie codecs;
    produce_rules: timestamps append_time compacted sizes own_codec in_sync several;
    idempotence: sequences epochs unknown_producers;
    fetch: good offsets unknown_places epochs sizes isolation odd_replicas;
    fetch_sessions: life forgetting bad_epochs full_cache;
    list_offsets: specials_empty specials_filled timestamps unknown_places;
    offset_for_leader_epoch: epochs;
    delete_records: bounds;
    describe_cluster: all;
    describe_log_dirs: chosen listed;
    describe_producers: all;
    describe_topic_partitions: named cursors;
    init_producer_id: without_transactions;
    find_coordinator: one_key many_keys;
    join_group: first_member odd_requests second_member static_members protocols;
    sync_group: assignments refused;
    heartbeat: all;
    leave_group: members;
    offset_commit: simple members refused;
    offset_fetch: chosen listed many_groups;
    describe_groups: states;
    delete_groups: states;
    offset_delete: simple members;
    list_groups: filters;
}
