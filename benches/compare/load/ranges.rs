//! Reads random ranges of a bucket's objects: what an object store takes for what a cold fetch asks of it.

use std::time::Instant;

use clap::Args;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;
use url::Url;

use super::{Outcome, report};

#[derive(Args)]
pub struct Ranges {
    /// `s3://bucket/prefix` with the settings of AWS tools in the environment, or `file:///folder`.
    bucket: Url,
    /// Objects below it that count.
    #[arg(long, default_value = "topics")]
    prefix: String,
    #[arg(long, default_value_t = 100)]
    tries: usize,
    #[arg(long, default_value_t = 4 << 20)]
    bytes: u64,
    /// Requests under way at once.
    #[arg(long, default_value_t = 1)]
    at_once: usize,
}

pub fn ranges(options: &Ranges) -> Outcome {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(read(options))
}

async fn read(options: &Ranges) -> Outcome {
    let settings = std::env::vars().filter(|(name, _)| name.starts_with("AWS_"));
    let settings = settings.chain([("allow_http".to_owned(), "true".to_owned())]);
    let (store, root) = object_store::parse_url_opts(&options.bucket, settings)?;
    let objects: Vec<(Path, u64)> = store
        .list(Some(&root.join(options.prefix.as_str())))
        .map_ok(|found| (found.location, found.size))
        .try_filter(|(_, size)| std::future::ready(*size >= options.bytes))
        .try_collect()
        .await?;
    if objects.is_empty() {
        return Err(format!("no object of {} bytes and more below {}", options.bytes, options.prefix).into());
    }
    let mut chance = StdRng::seed_from_u64(11);
    let picks: Vec<_> = (0..options.tries)
        .map(|_| {
            let (path, size) = objects.get(chance.random_range(0..objects.len())).expect("a number below the length");
            let start = chance.random_range(0..=size - options.bytes);
            (path.clone(), start..start + options.bytes)
        })
        .collect();
    let begun = Instant::now();
    let read: Vec<(u64, u32)> = stream::iter(picks)
        .map(|(path, range)| {
            let store = &store;
            async move {
                let started = Instant::now();
                let bytes = store.get_range(&path, range).await?;
                let micros = u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX);
                Ok::<_, object_store::Error>((bytes.len() as u64, micros))
            }
        })
        .buffer_unordered(options.at_once.max(1))
        .try_collect()
        .await?;
    let seconds = begun.elapsed().as_secs_f64();
    let bytes = read.iter().map(|(bytes, _)| bytes).sum();
    let mut latencies: Vec<u32> = read.iter().map(|(_, micros)| *micros).collect();
    report(read.len() as u64, bytes, seconds, &mut latencies, json!({"objects": objects.len()}));
    Ok(())
}
