//! Which topics there are, by name and by id: what every request looks up first.
//!
//! # Consistency
//! A reader sees one snapshot with both indexes agreeing. Changes are made one at a time by whoever holds the broker's
//! topic lock, after the catalog has committed them; the registry itself decides nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::model::{TopicId, TopicName};

use super::topic::Topic;

/// All topics at one moment.
#[derive(Debug, Default, Clone)]
pub struct Topics {
    by_name: BTreeMap<TopicName, Arc<Topic>>,
    by_id: HashMap<TopicId, Arc<Topic>>,
}

impl Topics {
    /// The topic of that name. Any text may be asked for.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Topic>> {
        self.by_name.get(name)
    }

    /// The topic of that id.
    pub fn by_id(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.by_name.values()
    }

    /// The first topic whose name is at or behind `name`, and all that follow.
    pub fn from_name(&self, name: &str) -> impl Iterator<Item = &Arc<Topic>> {
        use std::ops::Bound::{Included, Unbounded};
        self.by_name.range::<str, _>((Included(name), Unbounded)).map(|(_, topic)| topic)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// A topic whose name differs from `name` only in `.` and `_`: their metrics would collide.
    pub fn colliding(&self, name: &TopicName) -> Option<&Arc<Topic>> {
        let form = name.collision_form();
        let may_collide = form.contains('_');
        self.iter().filter(|_| may_collide).find(|topic| topic.name != *name && topic.name.collision_form() == form)
    }

    fn put(&mut self, topic: Arc<Topic>) {
        self.by_id.insert(topic.id, Arc::clone(&topic));
        self.by_name.insert(topic.name.clone(), topic);
    }

    fn remove(&mut self, id: TopicId) {
        if let Some(topic) = self.by_id.remove(&id) {
            self.by_name.remove(&topic.name);
        }
    }
}

/// The present snapshot.
#[derive(Debug, Default)]
pub struct Registry {
    topics: ArcSwap<Topics>,
}

impl Registry {
    /// All topics now. One request looks once, so that its answers agree with each other.
    pub fn topics(&self) -> Arc<Topics> {
        self.topics.load_full()
    }

    /// Adds topics or replaces them by newer snapshots of themselves.
    pub fn publish(&self, changed: impl IntoIterator<Item = Arc<Topic>>) {
        let mut topics = Topics::clone(&self.topics.load());
        changed.into_iter().for_each(|topic| topics.put(topic));
        self.topics.store(Arc::new(topics));
    }

    /// Takes a topic out.
    pub fn withdraw(&self, id: TopicId) {
        let mut topics = Topics::clone(&self.topics.load());
        topics.remove(id);
        self.topics.store(Arc::new(topics));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TopicConfig;
    use uuid::Uuid;

    fn topic(name: &str, id: u128) -> Arc<Topic> {
        Arc::new(Topic {
            name: TopicName::parse(name).unwrap(),
            id: TopicId::from_uuid(Uuid::from_u128(id)),
            overrides: Arc::default(),
            config: Arc::new(TopicConfig::default()),
            partitions: Vec::new(),
        })
    }

    #[test]
    fn both_indexes_agree_after_every_change() {
        let registry = Registry::default();
        registry.publish([topic("a", 1), topic("b.c", 2)]);
        let before = registry.topics();
        registry.withdraw(topic("a", 1).id);
        assert!(before.by_name("a").is_some(), "a snapshot does not change");
        let after = registry.topics();
        assert!(after.by_name("a").is_none() && after.by_id(topic("a", 1).id).is_none());
        assert_eq!(after.len(), 1);
        assert!(after.colliding(&TopicName::parse("b_c").unwrap()).is_some());
        assert!(after.colliding(&TopicName::parse("b.c").unwrap()).is_none());
        assert!(after.by_name("no/such name").is_none());
    }
}
