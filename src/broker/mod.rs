//! Layer 6: owns the rooms; starts and stops them in named steps; the one table of background tasks.

mod data_dir;
mod registry;
mod topic;

pub use data_dir::{DataDir, DataDirError, Identity};
pub use registry::{Registry, Topics};
pub use topic::{Overrides, Topic};
