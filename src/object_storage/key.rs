//! Spells every key in the bucket, and reads them back. No other file knows how a key is put together.
//!
//! ```text
//! _tidelog/cluster.json                                   control: the cluster
//! _tidelog/topics/<topic_id>.json                         control: a topic
//! _tidelog/floors/<topic_id>/<p>.json                     control: where a partition's history begins
//! _tidelog/self-test/<ulid>/<what>                        made and removed by the self-test
//! topics/<topic>/<topic_id>/data/<p>/
//!     <base:020>-<end:020>-<leader_epoch>-<generation>-<ulid>.parquet
//! topics/<topic>/<topic_id>/metadata/<file>               the table over the topic
//! ```
//!
//! Control files lie outside every table's location. The partition's folder is the bare number: `partition=<p>`
//! would give the readers of a directory a second column of that name. `end` is inclusive.
//!
//! Invariant: what is parsed spells back to the very same key, so two texts never mean one object.

use ulid::Ulid;

use crate::model::{LeaderEpoch, Offset, TopicId, TopicName, TopicPartition};

use super::object_key::{KeyPrefix, ObjectKey};

const CONTROL: &str = "_tidelog";
const TOPICS: &str = "topics";

/// All that a data object's key says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DataName {
    /// The topic's name when the object was written; names are not unique over time, ids are.
    pub topic: TopicName,
    /// The partition.
    pub partition: TopicPartition,
    /// The first offset of the range.
    pub base_offset: Offset,
    /// The last offset of the range, inclusive.
    pub end_offset: Offset,
    /// The writer's epoch.
    pub leader_epoch: LeaderEpoch,
    /// 0 for what was first written; rewrites count up.
    pub generation: u32,
    /// Makes every attempt's key its own.
    pub ulid: Ulid,
}

/// A key, understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyForm {
    /// The cluster's control file.
    Cluster,
    /// A topic's control file.
    Topic(TopicId),
    /// A partition's floor.
    Floor(TopicPartition),
    /// A data object.
    Data(DataName),
    /// A file of a table's metadata.
    TableMetadata {
        /// The topic's name in the key.
        topic: TopicName,
        /// The topic.
        topic_id: TopicId,
        /// What follows `metadata/`.
        file: String,
    },
    /// What a self-test left behind.
    SelfTest,
}

/// The cluster's control file.
pub fn cluster() -> ObjectKey {
    ObjectKey::spelled(format!("{CONTROL}/cluster.json"))
}

/// A topic's control file.
pub fn topic(topic_id: TopicId) -> ObjectKey {
    ObjectKey::spelled(format!("{CONTROL}/topics/{topic_id}.json"))
}

/// A partition's floor: log start offset and leader epoch.
pub fn floor(partition: TopicPartition) -> ObjectKey {
    ObjectKey::spelled(format!("{CONTROL}/floors/{}/{}.json", partition.topic_id, partition.partition))
}

/// A data object.
pub fn data(name: &DataName) -> ObjectKey {
    let DataName { topic, partition, base_offset, end_offset, leader_epoch, generation, ulid } = name;
    let folder = data_folder(topic, *partition);
    let (base, end) = (base_offset.get(), end_offset.get());
    ObjectKey::spelled(format!("{folder}{base:020}-{end:020}-{leader_epoch}-{generation}-{ulid}.parquet"))
}

/// A file of the metadata of the table over a topic; `None` where `file` cannot be part of a key.
pub fn table_metadata(topic: &TopicName, topic_id: TopicId, file: &str) -> Option<ObjectKey> {
    ObjectKey::parse(&format!("{TOPICS}/{topic}/{topic_id}/metadata/{file}")).ok()
}

/// A file of one run of the self-test.
pub(super) fn self_test(run: Ulid, what: &str) -> ObjectKey {
    ObjectKey::spelled(format!("{CONTROL}/self-test/{run}/{what}"))
}

/// All that one run of the self-test wrote.
pub(super) fn self_test_prefix(run: Ulid) -> KeyPrefix {
    KeyPrefix::spelled(format!("{CONTROL}/self-test/{run}/"))
}

/// Every key in the bucket.
pub fn all() -> KeyPrefix {
    KeyPrefix::spelled(String::new())
}

/// The control files of all topics.
pub fn topic_files() -> KeyPrefix {
    KeyPrefix::spelled(format!("{CONTROL}/topics/"))
}

/// The floors of all partitions of a topic.
pub fn floors(topic_id: TopicId) -> KeyPrefix {
    KeyPrefix::spelled(format!("{CONTROL}/floors/{topic_id}/"))
}

/// Data and metadata of all topics.
pub fn all_topics() -> KeyPrefix {
    KeyPrefix::spelled(format!("{TOPICS}/"))
}

/// Data and metadata of one topic: the location of its table.
pub fn topic_location(topic: &TopicName, topic_id: TopicId) -> KeyPrefix {
    KeyPrefix::spelled(format!("{TOPICS}/{topic}/{topic_id}/"))
}

/// The data objects of one partition, in the order of their base offsets.
pub fn data_prefix(topic: &TopicName, partition: TopicPartition) -> KeyPrefix {
    KeyPrefix::spelled(data_folder(topic, partition))
}

fn data_folder(topic: &TopicName, partition: TopicPartition) -> String {
    format!("{TOPICS}/{topic}/{}/data/{}/", partition.topic_id, partition.partition)
}

/// What a data object's key says; `None` for any other key.
pub fn parse_data(key: &ObjectKey) -> Option<DataName> {
    match parse(key) {
        Some(KeyForm::Data(name)) => Some(name),
        _ => None,
    }
}

/// Understands a key; `None` where it is not one of ours.
pub fn parse(key: &ObjectKey) -> Option<KeyForm> {
    let form = read(key.as_str())?;
    // Numbers and ids can be written in more ways than one; only the way that is spelled here counts.
    let respelled = match &form {
        KeyForm::Cluster => cluster(),
        KeyForm::Topic(topic_id) => topic(*topic_id),
        KeyForm::Floor(partition) => floor(*partition),
        KeyForm::Data(name) => data(name),
        KeyForm::TableMetadata { topic, topic_id, file } => table_metadata(topic, *topic_id, file)?,
        KeyForm::SelfTest => return Some(form),
    };
    (respelled == *key).then_some(form)
}

fn read(text: &str) -> Option<KeyForm> {
    let parts: Vec<&str> = text.split('/').collect();
    match parts.as_slice() {
        [CONTROL, "cluster.json"] => Some(KeyForm::Cluster),
        [CONTROL, "topics", file] => Some(KeyForm::Topic(file.strip_suffix(".json")?.parse().ok()?)),
        [CONTROL, "floors", topic_id, file] => {
            let partition = read_partition(file.strip_suffix(".json")?)?;
            Some(KeyForm::Floor(TopicPartition::new(topic_id.parse().ok()?, partition)))
        }
        [CONTROL, "self-test", ..] => Some(KeyForm::SelfTest),
        [TOPICS, topic, topic_id, "data", partition, file] => {
            let partition = TopicPartition::new(topic_id.parse().ok()?, read_partition(partition)?);
            read_data(TopicName::parse(topic).ok()?, partition, file).map(KeyForm::Data)
        }
        [TOPICS, topic, topic_id, "metadata", file @ ..] if !file.is_empty() => Some(KeyForm::TableMetadata {
            topic: TopicName::parse(topic).ok()?,
            topic_id: topic_id.parse().ok()?,
            file: file.join("/"),
        }),
        _ => None,
    }
}

fn read_partition(text: &str) -> Option<i32> {
    text.parse().ok().filter(|partition| *partition >= 0)
}

fn read_data(topic: TopicName, partition: TopicPartition, file: &str) -> Option<DataName> {
    let fields: Vec<&str> = file.strip_suffix(".parquet")?.split('-').collect();
    let [base, end, leader_epoch, generation, ulid] = fields.as_slice() else { return None };
    let (base, end): (i64, i64) = (base.parse().ok()?, end.parse().ok()?);
    if base > end {
        return None;
    }
    Some(DataName {
        topic,
        partition,
        base_offset: Offset::new(base),
        end_offset: Offset::new(end),
        leader_epoch: LeaderEpoch::new(leader_epoch.parse().ok()?),
        generation: generation.parse().ok()?,
        ulid: Ulid::from_string(ulid).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::model::limits::TOPIC_NAME_BYTES_MAX;

    fn names() -> impl Strategy<Value = TopicName> {
        "[a-zA-Z0-9._-]{1,249}".prop_filter_map("dots", |text| TopicName::parse(&text).ok())
    }

    prop_compose! {
        fn data_names()(
            topic in names(), id: u128, partition in 0..i32::MAX, range in (0..=i64::MAX, 0..=i64::MAX),
            leader_epoch in 0..i32::MAX, generation: u32, ulid: u128,
        ) -> DataName {
            DataName {
                topic,
                partition: TopicPartition::new(TopicId::from_uuid(Uuid::from_u128(id)), partition),
                base_offset: Offset::new(range.0.min(range.1)),
                end_offset: Offset::new(range.0.max(range.1)),
                leader_epoch: LeaderEpoch::new(leader_epoch),
                generation,
                ulid: Ulid(ulid),
            }
        }
    }

    proptest! {
        #[test]
        fn every_form_reads_back_as_it_was_spelled(name in data_names(), file in "[a-z0-9.-]{1,40}(/[a-z]{1,5})?") {
            let (topic_id, partition) = (name.partition.topic_id, name.partition);
            prop_assert_eq!(parse(&data(&name)), Some(KeyForm::Data(name.clone())));
            prop_assert_eq!(parse_data(&data(&name)), Some(name.clone()));
            prop_assert_eq!(parse(&topic(topic_id)), Some(KeyForm::Topic(topic_id)));
            prop_assert_eq!(parse(&floor(partition)), Some(KeyForm::Floor(partition)));
            prop_assert!(data_prefix(&name.topic, partition).holds(&data(&name)));
            prop_assert!(topic_location(&name.topic, topic_id).holds(&data(&name)));
            prop_assert!(!topic_location(&name.topic, topic_id).holds(&topic(topic_id)));
            prop_assert!(ObjectKey::parse(data(&name).as_str()).is_ok());
            if let Some(key) = table_metadata(&name.topic, topic_id, &file) {
                prop_assert_eq!(parse(&key), Some(KeyForm::TableMetadata { topic: name.topic, topic_id, file }));
            }
        }

        #[test]
        fn keys_of_one_partition_sort_by_base_offset(a in data_names(), base in 0..=i64::MAX) {
            let mut b = a.clone();
            b.base_offset = Offset::new(base);
            b.end_offset = Offset::MAX;
            prop_assume!(a.base_offset != b.base_offset);
            prop_assert_eq!(data(&a).as_str() < data(&b).as_str(), a.base_offset < b.base_offset);
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "(_tidelog|topics)?(/?(data|metadata|floors|[a-zA-Z0-9.-]{0,26})){0,6}") {
            if let Ok(key) = ObjectKey::parse(&text) {
                parse(&key);
            }
        }
    }

    fn example() -> DataName {
        DataName {
            topic: TopicName::parse("orders.v1").unwrap(),
            partition: TopicPartition::new(TopicId::from_uuid(Uuid::from_u128(1)), 7),
            base_offset: Offset::new(1_000),
            end_offset: Offset::new(1_999),
            leader_epoch: LeaderEpoch::new(3),
            generation: 0,
            ulid: Ulid(5),
        }
    }

    /// Data lies in buckets under these names: a change here orphans it.
    #[test]
    fn the_spelling_is_fixed() {
        let name = example();
        assert_eq!(
            data(&name).as_str(),
            "topics/orders.v1/AAAAAAAAAAAAAAAAAAAAAQ/data/7/00000000000000001000-00000000000000001999-3-0-00000000000000000000000005.parquet"
        );
        assert_eq!(floor(name.partition).as_str(), "_tidelog/floors/AAAAAAAAAAAAAAAAAAAAAQ/7.json");
        assert_eq!(topic(name.partition.topic_id).as_str(), "_tidelog/topics/AAAAAAAAAAAAAAAAAAAAAQ.json");
        assert_eq!(cluster().as_str(), "_tidelog/cluster.json");
        assert_eq!(parse(&cluster()), Some(KeyForm::Cluster));
    }

    #[test]
    fn a_second_spelling_of_the_same_thing_is_not_ours() {
        let good = data(&example()).to_string();
        for (from, to) in [
            ("/data/7/", "/data/07/"),
            ("/data/7/", "/data/+7/"),
            ("/data/7/", "/data/-7/"),
            ("00000000000000001000-", "1000-"),
            ("00000000000000001000-", "00000000000000002000-"),
            ("-3-0-", "-03-0-"),
            ("00000000000000000000000005", "0000000000000000000000005"),
            (".parquet", ".parquet.tmp"),
        ] {
            let other = ObjectKey::parse(&good.replacen(from, to, 1)).unwrap();
            assert_ne!(other.as_str(), good);
            assert_eq!(parse(&other), None, "{other}");
        }
        let lower = good.replace("000005.parquet", "00000a.parquet");
        assert_eq!(parse(&ObjectKey::parse(&lower).unwrap()), None, "a ulid in lower case");
    }

    #[test]
    fn the_longest_topic_name_makes_a_key_that_every_store_takes() {
        let mut name = example();
        name.topic = TopicName::parse(&"t".repeat(TOPIC_NAME_BYTES_MAX)).unwrap();
        name.partition.partition = i32::MAX;
        (name.base_offset, name.end_offset) = (Offset::MAX, Offset::MAX);
        (name.leader_epoch, name.generation) = (LeaderEpoch::new(i32::MAX), u32::MAX);
        let key = data(&name);
        assert_eq!(parse_data(&key), Some(name));
        assert!(key.as_str().len() < 512, "{} bytes leave no room for a prefix", key.as_str().len());
    }
}
