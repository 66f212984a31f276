//! A PostgreSQL server for this test binary alone: in a folder of its own, on a Unix socket, gone with the process.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::LazyLock;

/// A running server.
pub struct Server {
    /// Where its socket lies.
    pub socket_dir: String,
    _shell: Child,
    /// Closed when this process ends, however it ends; then the shell stops the server and removes its folder.
    _alive: ChildStdin,
}

/// The server; `None` where the machine has no PostgreSQL.
pub static SERVER: LazyLock<Option<Server>> = LazyLock::new(|| binaries().map(|folder| start(&folder)));

const SCRIPT: &str = r#"
set -e
cd /
dir=$(TMPDIR=/tmp mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$0/initdb" -D "$dir/data" -A trust -U tidelog --no-sync >/dev/null
"$0/pg_ctl" -D "$dir/data" -l "$dir/log" -w \
    -o "-k $dir -c listen_addresses= -c fsync=off -c max_connections=300" start >/dev/null
echo "$dir"
cat >/dev/null
"$0/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null
"#;

fn binaries() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    found.sort();
    if let Ok(out) = Command::new("pg_config").arg("--bindir").output() {
        found.push(PathBuf::from(String::from_utf8_lossy(&out.stdout).trim()));
    }
    found.into_iter().rev().find(|folder| folder.join("initdb").is_file())
}

fn start(folder: &Path) -> Server {
    // `initdb` refuses root.
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "sh"]);
        command
    } else {
        Command::new("sh")
    };
    let mut shell = command
        .args(["-c", SCRIPT])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell starts");
    let alive = shell.stdin.take().expect("it was piped");
    let mut line = String::new();
    BufReader::new(shell.stdout.take().expect("it was piped")).read_line(&mut line).expect("the shell answers");
    let socket_dir = line.trim().to_owned();
    assert!(!socket_dir.is_empty(), "PostgreSQL did not start");
    Server { socket_dir, _shell: shell, _alive: alive }
}
