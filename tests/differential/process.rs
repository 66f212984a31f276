//! A broker as a process that ends with this one, however this one ends.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

/// A running broker.
pub struct Broker {
    /// What reports call it.
    pub name: &'static str,
    /// Where it listens.
    pub port: u16,
    log: PathBuf,
    shell: Child,
    /// Closed when this process ends; then the shell ends the broker.
    _alive: ChildStdin,
    /// All its files.
    _folder: tempfile::TempDir,
}

/// Ends its child when its own input ends, and itself when the child does.
const SCRIPT: &str = r#"
exec 3<&0
"$@" </dev/null &
child=$!
(cat <&3 >/dev/null; kill -9 $child 2>/dev/null) &
exec 3<&-
wait $child
"#;

impl Broker {
    /// Runs a command that listens on `port` and keeps its files in `folder`.
    pub fn run(name: &'static str, port: u16, folder: tempfile::TempDir, command: &[String]) -> Self {
        let log = folder.path().join("output.txt");
        let output = File::create(&log).expect("a file for the broker's words");
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, name])
            .args(command)
            .stdin(Stdio::piped())
            .stdout(output.try_clone().expect("one more handle"))
            .stderr(output)
            .spawn()
            .expect("a shell starts");
        let alive = shell.stdin.take().expect("it was piped");
        Self { name, port, log, shell, _alive: alive, _folder: folder }
    }

    /// Fails, with what the broker said, if it has ended.
    pub fn must_live(&mut self) {
        if let Ok(Some(status)) = self.shell.try_wait() {
            panic!("{} ended ({status}):\n{}", self.name, self.last_words());
        }
    }

    /// The end of what it said.
    pub fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let text = text.unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

/// Runs a command to its end; fails with its words.
pub fn finish(command: &mut Command) {
    let out = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let words = || format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{command:?} failed:\n{}", words());
}

/// A port that nobody listens on, from a range that the system does not hand out by itself.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(21_700);
    loop {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(port < 21_800, "no free port between 21700 and 21799");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Where jars and the like are kept between runs.
pub fn cache() -> PathBuf {
    let home = || Path::new(&std::env::var_os("HOME").expect("HOME is set")).join(".cache");
    std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("tidelog")
}
