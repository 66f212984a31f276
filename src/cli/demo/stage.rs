//! The stage: a folder of its own, a broker in this process on ports of its own, small segments, quick retention.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::broker::Broker;
use crate::cli::machine::hostname;
use crate::cli::outcome::Failure;
use crate::cli::running::Running;
use crate::clock::{Clock, SystemClock};
use crate::config::places::HTTP;
use crate::config::{Assignment, Layers, Origin, ServeOptions};
use crate::net::client::{ClientOptions, KafkaClient};
use crate::tiering::TierStatus;

/// How long one wait may last: something is wrong on a machine where it does.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// How large the demo is.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// How much to produce, in MiB
    #[arg(long, value_name = "MIB", default_value = "256", value_parser = clap::value_parser!(u32).range(8..=65_536))]
    pub size: u32,
    /// In how many partitions
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(i32).range(1..=64))]
    pub partitions: i32,
    /// Where to play; an empty or new folder [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Keep the folder, to look at the Parquet files
    #[arg(long)]
    pub keep: bool,
    /// What was seen as JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// The stage.
#[derive(Debug)]
pub(super) struct Stage {
    running: Running,
    pub(super) client: Arc<KafkaClient>,
    pub(super) clock: Arc<dyn Clock>,
    folder: Folder,
}

/// A folder that goes with the demo, unless it is kept.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    fn make(args: &DemoArgs) -> Result<Self, Failure> {
        let named = || std::env::temp_dir().join(format!("tidelog-demo-{}", std::process::id()));
        let path = args.dir.clone().unwrap_or_else(named);
        let failed = |error: io::Error| Failure::failed(format!("the folder {}: {error}", path.display()));
        fs::create_dir_all(&path).map_err(failed)?;
        if fs::read_dir(&path).map_err(failed)?.next().is_some() {
            return Err(Failure::usage(format!("the folder {} is not empty; give --dir another", path.display())));
        }
        let path = fs::canonicalize(&path).map_err(failed)?;
        Ok(Self { path, keep: args.keep })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be removed stays in the temporary folder, which the system empties.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

impl Stage {
    /// Starts the broker and a client of it.
    pub(super) async fn set(args: &DemoArgs) -> Result<Self, Failure> {
        let folder = Folder::make(args)?;
        let options = options(&folder.path)?;
        let running = Running::start(&options).await?;
        let clock = SystemClock::shared();
        let client = KafkaClient::connect(&running.address(), ClientOptions::default(), Arc::clone(&clock)).await?;
        Ok(Self { running, client: Arc::new(client), clock, folder })
    }

    /// The broker.
    pub(super) fn broker(&self) -> &Arc<Broker> {
        self.running.broker()
    }

    /// Where clients connect.
    pub(super) fn address(&self) -> String {
        self.running.address()
    }

    /// The folder.
    pub(super) fn path(&self) -> &Path {
        &self.folder.path
    }

    /// Bytes of segments on local disk.
    pub(super) fn local_bytes(&self) -> Result<u64, Failure> {
        bytes_below(&self.folder.path.join("data/topics"), "log").map_err(Failure::failed)
    }

    /// Bytes of Parquet in the bucket, and in how many objects.
    pub(super) fn bucket_bytes(&self) -> Result<(u64, usize), Failure> {
        let folder = self.folder.path.join("bucket/topics");
        let bytes = bytes_below(&folder, "parquet").map_err(Failure::failed)?;
        Ok((bytes, files_below(&folder, "parquet").map_err(Failure::failed)?.len()))
    }

    /// Waits until every partition is as far as `far` says.
    pub(super) async fn until(
        &self,
        what: &str,
        far: impl Fn(&TierStatus) -> bool,
        mut see: impl FnMut(&[TierStatus]),
    ) -> Result<(), Failure> {
        let deadline = self.clock.monotonic() + PATIENCE;
        loop {
            let status = self.broker().tiers().status();
            see(&status);
            if let Some(stopped) = status.iter().find_map(|partition| partition.stopped.as_ref()) {
                return Err(Failure::failed(format!("{what}: {stopped}")));
            }
            if status.iter().all(&far) {
                return Ok(());
            }
            if self.clock.monotonic() >= deadline {
                let last = status.iter().find_map(|partition| partition.last_error.clone());
                let why = last.unwrap_or_else(|| "no error was seen".to_owned());
                return Err(Failure::failed(format!("{what}: not within {} s ({why})", PATIENCE.as_secs())));
            }
            self.clock.sleep(LOOK).await;
        }
    }

    /// Waits until only the segments that are written to are on local disk.
    pub(super) async fn until_few_segments(&self, partitions: usize) -> Result<(), Failure> {
        let deadline = self.clock.monotonic() + PATIENCE;
        loop {
            let segments = files_below(&self.folder.path.join("data/topics"), "log").map_err(Failure::failed)?.len();
            if segments <= partitions {
                return Ok(());
            }
            if self.clock.monotonic() >= deadline {
                let text = format!("{segments} local segments are still there after {} s", PATIENCE.as_secs());
                return Err(Failure::failed(text));
            }
            self.clock.sleep(LOOK).await;
        }
    }

    /// Ends the broker; the folder goes too, unless it is kept.
    pub(super) async fn clear(self) -> Result<(), Failure> {
        self.running.stop().await
    }
}

fn options(folder: &Path) -> Result<ServeOptions, Failure> {
    let text = |path: PathBuf| path.display().to_string();
    let bucket = url::Url::from_file_path(folder.join("bucket"))
        .map_err(|()| Failure::usage(format!("{} cannot be written as a URL", folder.display())))?;
    let set = |name: &str, value: &str| Assignment::new(name, value, Origin::Flag("demo"));
    let flags = vec![
        set("log.dirs", &text(folder.join("data"))),
        set("listeners", "127.0.0.1:0"),
        set(HTTP, "127.0.0.1:0"),
        set("tidelog.bucket", bucket.as_str()),
        set("tidelog.catalog", &format!("sqlite://{}", text(folder.join("catalog.db")))),
        set("log.retention.check.interval.ms", "100"),
        set("remote.log.manager.task.interval.ms", "100"),
    ];
    let merged = Layers { flags, ..Layers::default() }.merge().map_err(Failure::usage)?;
    ServeOptions::assemble(&merged, hostname).map_err(Failure::usage)
}

fn bytes_below(folder: &Path, extension: &str) -> io::Result<u64> {
    let size = |file: &PathBuf| match fs::metadata(file) {
        Ok(metadata) => Ok(metadata.len()),
        // It went meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    };
    files_below(folder, extension)?.iter().map(size).sum()
}

fn files_below(folder: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            // Not made yet, or gone meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if entry.path().extension().is_some_and(|found| found == extension) {
                files.push(entry.path());
            }
        }
    }
    Ok(files)
}
