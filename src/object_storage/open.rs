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
    let bad = |why: String| OpenError::BadUrl { url: without_secrets(url), why };
    let (scheme, rest) = url.split_once("://").ok_or_else(|| bad(no_scheme(url)))?;
    match scheme {
        "memory" => Ok(()),
        "file" => folder(url, rest).map(drop).map_err(bad),
        _ if remote::is_place(url)? => Ok(()),
        _ => Err(bad(unknown_kind(scheme, rest))),
    }
}

/// Opens the store that `url` names.
pub(super) async fn store(
    url: &str,
    options: &BucketOptions,
    disk: Arc<dyn Disk>,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Store>, OpenError> {
    let bad = |why: String| OpenError::BadUrl { url: without_secrets(url), why };
    let (scheme, rest) = url.split_once("://").ok_or_else(|| bad(no_scheme(url)))?;
    match scheme {
        "memory" => Ok(Arc::new(MemoryStore::new())),
        "file" => {
            let folder = folder(url, rest).map_err(bad)?;
            Ok(Arc::new(FileStore::open(folder, disk).await?))
        }
        _ => remote::open(url, options, clock).await?.ok_or_else(|| bad(unknown_kind(scheme, rest))),
    }
}

/// The folder of a `file://` URL. A relative one would be another bucket for whoever starts from another folder.
fn folder(url: &str, rest: &str) -> Result<PathBuf, String> {
    let none = || "it names no folder".to_owned();
    if rest.starts_with('/') {
        return Url::parse(url).ok().and_then(|url| url.to_file_path().ok()).ok_or_else(none);
    }
    match absolute(rest) {
        Some(url) => Err(format!("its folder depends on where you are; write {url}")),
        None => Err(none()),
    }
}

/// The URL of a folder that was given as a path, absolute or from here.
fn absolute(path: &str) -> Option<Url> {
    if path.is_empty() {
        return None;
    }
    Url::from_file_path(std::path::absolute(path).ok()?).ok()
}

fn no_scheme(given: &str) -> String {
    match absolute(given).filter(|_| given.contains('/')) {
        Some(url) => format!("it has no scheme; a folder is written {url}"),
        None => "it has no scheme".to_owned(),
    }
}

/// The address of an S3 server is the commonest guess.
fn unknown_kind(scheme: &str, rest: &str) -> String {
    if !matches!(scheme, "http" | "https") {
        return "its kind is not known".to_owned();
    }
    let shown = without_secrets(&format!("{scheme}://{rest}"));
    let place = shown.split_once("://").map_or("", |(_, place)| place);
    let (server, bucket) = place.split_once('/').unwrap_or((place, ""));
    let bucket = if bucket.is_empty() { "BUCKET/PREFIX" } else { bucket };
    format!("it is a server's address; set AWS_ENDPOINT_URL={scheme}://{server} and write s3://{bucket}")
}

/// A URL as it may be shown.
pub(super) fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.chars().take(64).collect() };
    let (before_query, _) = rest.split_once('?').unwrap_or((rest, ""));
    let (place, path) = before_query.split_once('/').map_or((before_query, None), |(place, path)| (place, Some(path)));
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    path.map_or_else(|| format!("{scheme}://{place}"), |path| format!("{scheme}://{place}/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_spelled_out() {
        let said = |url: &str| check_url(url).unwrap_err().to_string();
        let here = std::path::absolute("rel/x").unwrap();
        assert!(
            said("file://rel/x").contains(&format!("write file://{} (", here.display())),
            "{}",
            said("file://rel/x")
        );
        assert!(said("/tmp/b1").contains("a folder is written file:///tmp/b1 ("), "{}", said("/tmp/b1"));
        let guess = said("http://me:secret@127.0.0.1:9000/tidelog/log");
        assert!(guess.contains("set AWS_ENDPOINT_URL=http://127.0.0.1:9000 and write s3://tidelog/log ("), "{guess}");
        assert!(!guess.contains("secret"), "{guess}");
        assert!(said("http://127.0.0.1:9000").contains("write s3://BUCKET/PREFIX"));
        assert!(said("file://").contains("it names no folder") && said("ftp://x").contains("its kind is not known"));
        assert_eq!(check_url("file:///tmp/b1"), Ok(()));
    }
}
