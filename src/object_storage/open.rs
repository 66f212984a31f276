//! From a URL to a store.

use std::path::PathBuf;
use std::sync::Arc;

use url::Url;

use crate::clock::Clock;
use crate::disk::Disk;

use super::error::OpenError;
use super::file::FileStore;
use super::memory::MemoryStore;
use super::options::BucketOptions;
use super::remote;
use super::store::Store;

/// Whether `url` could name a bucket; asks nobody.
pub fn check_url(url: &str) -> Result<(), OpenError> {
    let bad = |why: &str| OpenError::BadUrl { url: without_secrets(url), why: why.to_owned() };
    let (scheme, rest) = url.split_once("://").ok_or_else(|| bad("it has no scheme"))?;
    match scheme {
        "memory" => Ok(()),
        "file" => folder(url, rest).map(drop).ok_or_else(|| bad("it names no folder")),
        _ if remote::is_place(url)? => Ok(()),
        _ => Err(bad("its kind is not known")),
    }
}

/// Opens the store that `url` names.
pub(super) async fn store(
    url: &str,
    options: &BucketOptions,
    disk: Arc<dyn Disk>,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Store>, OpenError> {
    let bad = |why: &str| OpenError::BadUrl { url: without_secrets(url), why: why.to_owned() };
    let (scheme, rest) = url.split_once("://").ok_or_else(|| bad("it has no scheme"))?;
    match scheme {
        "memory" => Ok(Arc::new(MemoryStore::new())),
        "file" => {
            Ok(Arc::new(FileStore::open(folder(url, rest).ok_or_else(|| bad("it names no folder"))?, disk).await?))
        }
        _ => remote::open(url, options, clock).await?.ok_or_else(|| bad("its kind is not known")),
    }
}

/// The folder of a `file://` URL; a relative one is taken from the working directory.
fn folder(url: &str, rest: &str) -> Option<PathBuf> {
    if rest.is_empty() {
        return None;
    }
    if rest.starts_with('/') {
        return Url::parse(url).ok()?.to_file_path().ok();
    }
    std::path::absolute(rest).ok()
}

/// A URL as it may be shown.
pub(super) fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.chars().take(64).collect() };
    let (before_query, _) = rest.split_once('?').unwrap_or((rest, ""));
    let (place, path) = before_query.split_once('/').map_or((before_query, None), |(place, path)| (place, Some(path)));
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    path.map_or_else(|| format!("{scheme}://{place}"), |path| format!("{scheme}://{place}/{path}"))
}
