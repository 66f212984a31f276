//! The files of the checkout, as text.

use std::path::{Path, PathBuf};
use std::process::Command;

/// One file.
pub struct Source {
    /// From the root of the checkout.
    pub path: String,
    /// All of it.
    pub text: String,
}

impl Source {
    /// Lines that are neither blank nor a comment, up to the inline tests.
    pub fn code_lines(&self) -> usize {
        let inline_tests = self.text.find("\n#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        let code = self.text.get(..inline_tests).unwrap_or_default();
        code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
    }
}

/// The root of the checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files whose path is wanted: those that git tracks and new ones that it does not ignore.
pub fn sources(wanted: impl Fn(&str) -> bool) -> Vec<Source> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git is needed to list the files");
    assert!(listed.status.success(), "git ls-files failed: {}", String::from_utf8_lossy(&listed.stderr));
    String::from_utf8_lossy(&listed.stdout)
        .lines()
        .filter(|path| wanted(path))
        .filter_map(|path| {
            let full: PathBuf = root().join(path);
            // A file that was removed but is still in git's index has no text.
            let text = std::fs::read_to_string(full).ok()?;
            Some(Source { path: path.to_owned(), text })
        })
        .collect()
}
