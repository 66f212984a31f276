//! The tiers of one partition, over a bucket in memory, a catalog in a folder and a log on disk.

mod stage;

mod crashes;
mod damage;
mod doubts;
mod elsewhere;
mod huge;
mod lives;
mod lookups;
mod starts;
mod transactions;
mod whole_path;
