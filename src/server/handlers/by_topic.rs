//! Codes by topic and partition, in the order in which Kafka answers: what was refused at the door comes first.

use std::collections::HashMap;

use kafka_protocol::messages::TopicName;

/// Codes of partitions, by topic.
#[derive(Debug, Default)]
pub struct CodesByTopic {
    topics: Vec<(TopicName, Vec<(i32, i16)>)>,
    places: HashMap<TopicName, usize>,
}

impl CodesByTopic {
    /// One more.
    pub fn add(&mut self, topic: &TopicName, partition: i32, code: i16) {
        let place = *self.places.entry(topic.clone()).or_insert_with(|| {
            self.topics.push((topic.clone(), Vec::new()));
            self.topics.len() - 1
        });
        if let Some((_, partitions)) = self.topics.get_mut(place) {
            partitions.push((partition, code));
        }
    }

    /// All of them.
    pub fn into_topics(self) -> Vec<(TopicName, Vec<(i32, i16)>)> {
        self.topics
    }
}
