//! Every setting there is, of topics and of the broker: its kind, its default, its bounds, what it means, and how values
//! from several places become what is in effect. Pure tables and functions; files and flags are `config`'s.

mod broker_table;
mod describe;
mod effective;
mod kind;
mod resolve;
mod topic_table;
mod unused;

#[cfg(test)]
mod tests;

pub use broker_table::{BROKER_SETTINGS, BrokerSetting};
pub use describe::{Resolved, Source, Synonym};
pub use effective::Before;
pub use kind::{Check, InvalidSetting, Kind, items};
pub use resolve::{BrokerSettings, DynamicSettings, Values, appended, subtracted};
pub use topic_table::{TOPIC_SETTINGS, TopicSetting, topic_setting};
pub use unused::{FORMER_BROKER_SETTINGS, UNUSED_BROKER_SETTINGS, UNUSED_PREFIXES};
