//! The settings that say where things lie: known to nobody but the edge, because a URL may hold a password and no client
//! needs to be told. Each has a flag of its own too.

/// A setting that says where something lies.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its name in a settings file.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
}

/// `--http`.
pub const HTTP: &str = "tidelog.http";
/// `--bucket`.
pub const BUCKET: &str = "tidelog.bucket";
/// `--catalog`.
pub const CATALOG: &str = "tidelog.catalog";

/// All of them.
pub const PLACES: &[Place] = &[
    Place { name: BUCKET, doc: "URL of the bucket: file:///folder, s3://name/prefix, gs://…, az://…; --bucket." },
    Place { name: CATALOG, doc: "URL of the catalog: sqlite://PATH or postgres://USER@HOST/DATABASE; --catalog." },
    Place { name: HTTP, doc: "HOST:PORT of health, metrics and admin; --http." },
];

/// Whether it is one of them.
pub fn is_place(name: &str) -> bool {
    PLACES.iter().any(|place| place.name == name)
}

/// A URL as it may be shown: without a password, and without parameters, which may hold one.
pub fn without_password(url: &str) -> String {
    let (url, parameters) = url.split_once('?').map_or((url, ""), |(url, _)| (url, "?…"));
    let Some((scheme, rest)) = url.split_once("://") else { return format!("{url}{parameters}") };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = match authority.rsplit_once('@') {
        Some((user, host)) => format!("{}@{host}", user.split(':').next().unwrap_or_default()),
        None => authority.to_owned(),
    };
    format!("{scheme}://{authority}{path}{parameters}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(without_password("postgres://me:secret@db:5432/x?password=y"), "postgres://me@db:5432/x?…");
        assert_eq!(without_password("sqlite:///a/b@c/d.db"), "sqlite:///a/b@c/d.db");
        assert_eq!(without_password("s3://bucket/prefix"), "s3://bucket/prefix");
    }
}
