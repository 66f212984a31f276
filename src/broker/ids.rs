//! Ids that are made by chance. Where the bytes come from is passed in.

use uuid::Builder;

use crate::model::TopicId;

/// Sixteen random bytes.
pub type RandomBytes = fn() -> [u8; 16];

/// An id that nobody has: a random UUID, and as Kafka's never one whose text begins with a dash, which tools would take
/// for an option, nor one of the first hundred, which are reserved.
pub fn new_id(random: RandomBytes) -> TopicId {
    loop {
        let uuid = Builder::from_random_bytes(random()).into_uuid();
        let id = TopicId::from_uuid(uuid);
        if uuid.as_u128() >= 100 && !id.to_string().starts_with('-') {
            return id;
        }
    }
}
