//! The tiers of one partition, over a bucket in memory, a catalog in a folder and a log on disk.

mod stage;

mod crashes;
mod whole_path;
