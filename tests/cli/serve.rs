//! `tidelog serve`: readiness, signals, what a start refuses.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use rustix::process::Signal;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::home::{Ended, Home, stopping_signals};
use crate::scene::Scene;
use crate::server::SERVER;

#[test]
fn a_broker_tells_where_everything_is_and_ends_with_0_when_asked() {
    for signal in stopping_signals() {
        let home = Home::new();
        let serving = home.serve(&[]);
        let data = home.path().canonicalize().unwrap().join("tidelog-data");
        for line in [
            format!("data     {}", data.display()),
            format!("bucket   file://{}/bucket", data.display()),
            format!("catalog  sqlite://{}/catalog.db", data.display()),
        ] {
            assert!(serving.told.contains(&line), "no {line:?} in {}", serving.told);
        }
        assert!(serving.get("/readyz").starts_with("HTTP/1.1 200"));
        assert!(serving.get("/healthz").starts_with("HTTP/1.1 200"));
        let mut connected = TcpStream::connect(&serving.kafka).unwrap();
        // ApiVersions, version 0, correlation id 7, no client id.
        connected.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 255, 255]).unwrap();
        let mut head = [0; 8];
        connected.read_exact(&mut head).unwrap();
        assert_eq!(head[4..], [0, 0, 0, 7]);
        assert!(serving.get("/metrics").contains("tidelog_net_connections_opened_total"));
        serving.signal(signal);
        serving.ended().expect(0, "broker stopped");
        drop(connected);
    }
}

#[test]
fn the_catalogs_file_alone_is_enough_after_a_clean_stop() {
    let home = Home::new();
    let serving = home.serve(&[]);
    home.run(&["topics", "create", "orders", "-b", &serving.kafka]).expect(0, "made");
    serving.signal(Signal::TERM);
    serving.ended().expect(0, "broker stopped");
    let data = home.path().join("tidelog-data");
    for entry in std::fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        let is_beside =
            path.file_name().unwrap().to_str().unwrap().starts_with("catalog.db") && !path.ends_with("catalog.db");
        assert!(!path.ends_with("catalog.db-wal"));
        if is_beside {
            std::fs::remove_file(path).unwrap();
        }
    }
    let serving = home.serve(&[]);
    home.run(&["topics", "list", "-b", &serving.kafka]).expect(0, "orders");
}

#[test]
fn json_lines_are_for_programs() {
    let home = Home::new();
    home.write("server.properties", "num.network.threads=3\nprocess.roles=broker\n");
    // A listener that is taken ends the start, after the warning.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let arguments = ["serve", "--log-format", "json", "--config", "server.properties", "--http", "127.0.0.1:0"];
    let ended = home.run(&[arguments.as_slice(), &["--listen", &listen]].concat());
    ended.expect(1, &listen);
    assert!(ended.err.contains("--listen"), "{}", ended.err);
    let warnings = ended.err.lines().filter(|line| line.starts_with('{') && line.contains("mean nothing here")).count();
    assert_eq!(warnings, 1, "{}", ended.err);
    assert!(ended.err.contains("num.network.threads, process.roles"), "{}", ended.err);
}

#[test]
fn a_data_directory_serves_one_broker() {
    let home = Home::new();
    let serving = home.serve(&[]);
    let second = home.run(&["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    second.expect(1, "in use by process");
    assert!(second.err.contains("--data-dir"), "{}", second.err);
    serving.signal(Signal::TERM);
    serving.ended().expect(0, "broker stopped");
}

#[test]
fn http_that_cannot_listen_is_told_with_the_remedy() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let http = taken.local_addr().unwrap().to_string();
    let ended = home.run(&["serve", "--listen", "127.0.0.1:0", "--http", &http]);
    ended.expect(1, &http);
    assert!(ended.err.contains("--http"), "{}", ended.err);
    for http in ["192.0.2.1:9600", "nohost.invalid:9600"] {
        let ended = home.run(&["serve", "--listen", "127.0.0.1:0", "--http", http]);
        ended.expect(2, http);
        assert!(ended.err.contains("--http"), "{}", ended.err);
    }
}

#[test]
fn an_address_that_cannot_be_had_is_told_before_anything_is_made() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (listen, code, said) in [
        (taken.as_str(), 1, "is another broker running there? Give --listen"),
        ("192.0.2.1:9092", 2, "this machine has no such address. Give --listen"),
        ("nohost.invalid:9092", 2, "no host of that name is known here. Give --listen"),
    ] {
        let _held = TcpListener::bind(&taken);
        home.run(&["serve", "--listen", listen, "--http", "127.0.0.1:0"]).expect(code, said);
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "nothing was made");
    }
}

/// Somebody who takes connections and never answers, as a network does that swallows what is sent to the address of a
/// machine's metadata.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

#[test]
fn credentials_that_are_missing_are_named_and_not_the_endpoint() {
    let home = Home::new();
    let (_metadata, unanswered) = silent();
    let (_s3, s3) = silent();
    // Another kind of machine may have a server of its own at that address.
    let (listener, refusing) = silent();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let head = BufReader::new(stream.try_clone().unwrap()).lines();
            head.map_while(Result::ok).find(String::is_empty);
            // It may have gone.
            let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let start_beside = |metadata: &str, set: &[(&str, &str)]| {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--bucket", "s3://tidelog/x"];
        let mut command = home.command(&arguments);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
            command.env_remove(name);
        }
        command.env("HOME", home.path()).env("AWS_ENDPOINT_URL", &s3);
        command.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata).envs(set.iter().copied());
        Ended::of(&command.output().unwrap())
    };
    // What is not there yet may come: it is named at once, and waited for. A refusal ends the start.
    for (metadata, exit) in [(&unanswered, 4), (&refusing, 1)] {
        let missing = start_beside(metadata, &[]);
        missing.expect(exit, "no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
        assert!(!missing.err.contains("AWS_ENDPOINT_URL"), "{missing:?}");
        assert_eq!(missing.err.contains("no credentials within 20 seconds"), exit == 4, "{missing:?}");
    }
    let start = |set: &[(&str, &str)]| start_beside(&unanswered, set);
    start(&[("AWS_ACCESS_KEY_ID", "a")]).expect(2, "AWS_SECRET_ACCESS_KEY is not: set both");
    start(&[("AWS_SECRET_ACCESS_KEY", "s")]).expect(2, "AWS_ACCESS_KEY_ID is not: set both");
    start(&[("AWS_PROFILE", "nope")]).expect(2, "there is no profile 'nope'");
}

#[test]
fn an_endpoint_that_is_none_of_a_stores_is_named() {
    let home = Home::new();
    let (listener, another) = silent();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut head = [0; 3];
            let _ = stream.read(&mut head);
            // Whoever wants TLS says so first, and gets what a server without it says to that.
            let _ = match &head {
                b"PUT" => {
                    stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nConnection: close\r\n\r\nnone\n")
                }
                _ => stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            };
        }
    });
    let start = |endpoint: &str| {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--bucket", "s3://tidelog/x"];
        let mut command = home.command(&arguments);
        command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "s");
        let ended = Ended::of(&command.output().unwrap());
        assert!(!ended.err.contains("may have left") && !ended.err.contains("control.json"), "{ended:?}");
        ended
    };
    let answered = start(&another);
    answered.expect(1, "cannot be used: what answers there does not answer as a store does (404)");
    answered.expect(1, "AWS_ENDPOINT_URL");
    // Neither a name nor TLS comes by waiting.
    let tls = start(&another.replace("http://", "https://"));
    tls.expect(4, "no connection within 5 seconds: ");
    tls.expect(4, "InvalidContentType; check the endpoint (AWS_ENDPOINT_URL: http or https, host, port)");
    start("http://nohost.invalid:9000").expect(4, "no connection within 5 seconds: ");
}

#[test]
fn metrics_are_named_alike() {
    let home = Home::new();
    let serving = home.serve(&[]);
    home.run(&["topics", "list", "-b", &serving.kafka]).expect(0, "");
    let answer = serving.get("/metrics");
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    assert!(body.contains("\ntidelog_tiering_local_only_bytes 0\n"), "there from the first look on: {body}");
    let took = "tidelog_server_request_seconds_bucket{api=\"Metadata\",le=\"+Inf\"} ";
    assert!(body.contains(took), "{body}");
    let names: Vec<&str> = body.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert!(names.contains(&"process_resident_memory_bytes"), "{names:?}");
    assert!(names.iter().any(|name| name.starts_with("tidelog_object_storage_")), "{names:?}");
    let mut before = "";
    for line in body.lines() {
        if let Some(name) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split(' ').next()) {
            assert!(before.starts_with(&format!("# HELP {name} ")), "{line}");
        }
        before = line;
    }
    for name in names {
        let ours = name.strip_prefix("tidelog_").and_then(|rest| rest.split('_').next());
        let rooms = ["net", "server", "broker", "log", "replication", "tiering", "object", "catalog", "coordinator"];
        let is_ours = ours.is_some_and(|room| rooms.contains(&room));
        let is_known = ["kafka_server_brokertopicmetrics_", "process_"].iter().any(|root| name.starts_with(root));
        assert!(is_ours || is_known, "{name}");
    }
}

#[test]
fn a_second_signal_that_comes_with_the_first_is_the_same_wish() {
    let home = Home::new();
    let mut serving = home.serve(&[]);
    // Half a request: the broker waits for the rest of it when it is asked to stop.
    let mut unfinished = TcpStream::connect(&serving.kafka).unwrap();
    unfinished.write_all(&[0, 0, 1, 0, 0, 18]).unwrap();
    serving.get("/healthz");
    serving.signal(Signal::TERM);
    serving.until_log("stopping: letting clients go");
    // HTTP is there until the end: whoever balances load sees that no more clients are wanted.
    let mut answer = serving.get("/readyz");
    while !answer.ends_with("stopping\n") {
        assert!(answer.ends_with("ready\n"), "{answer}");
        answer = serving.get("/readyz");
    }
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    // One that comes with the first is the same wish, and takes nobody's flush away.
    serving.signal(Signal::TERM);
    serving.until_log("stopping already");
    serving.ended().expect(0, "broker stopped");
}

#[test]
fn what_a_bucket_or_a_catalog_lacks_is_told_with_the_remedy() {
    let home = Home::new();
    let start = |arguments: &[&str]| {
        home.run(&[&["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"], arguments].concat())
    };
    start(&["--bucket", "ftp://somewhere"]).expect(2, "s3://bucket/prefix");
    let here = home.path().canonicalize().unwrap();
    start(&["--bucket", "file://rel/x"]).expect(2, &format!("write file://{}/rel/x (", here.display()));
    start(&["--bucket", "/tmp/b1"]).expect(2, "a folder is written file:///tmp/b1");
    start(&["--bucket", "http://127.0.0.1:1/b"]).expect(2, "set AWS_ENDPOINT_URL=http://127.0.0.1:1 and write s3://b");
    home.write("afile", "no folder");
    start(&["--data-dir", "afile"])
        .expect(1, "give --data-dir (log.dirs in a settings file) a folder that can be made");
    let one = ["serve", "--listen", "127.0.0.1:9092", "--http", "127.0.0.1:9092"];
    home.run(&one).expect(2, "need a port each");
    start(&["--catalog", "mysql://somewhere"]).expect(2, "sqlite://PATH");
    start(&["--catalog", "postgres://nobody@127.0.0.1:1/x"]).expect(4, "127.0.0.1:1");
    for no_file in ["sqlite:", "sqlite://"] {
        start(&["--catalog", no_file]).expect(2, "sqlite://PATH");
    }
    home.write("garbage.db", &"no database at all ".repeat(500));
    start(&["--catalog", "sqlite://garbage.db"]).expect(1, "is damaged, or no catalog");
    home.run(&["segments", "list", "--catalog", "sqlite://garbage.db"]).expect(5, "is damaged, or no catalog");
}

#[test]
fn a_log_directory_that_is_offline_is_not_ready() {
    let mut scene = Scene::new(&[]);
    scene.run(&["topics", "create", "orders", "--partitions", "1"]).expect(0, "orders");
    assert!(scene.serving.get("/readyz").starts_with("HTTP/1.1 200"));
    std::fs::remove_dir_all(scene.home.path().join("tidelog-data/topics")).unwrap();
    scene.with_input(&["produce", "orders", "--timeout", "2s"], "a line\n").expect(
        1,
        "KAFKA_STORAGE_ERROR (56): the broker cannot write: its disk may be full, or failing, and its log says which; at least \
         0 records were acknowledged before",
    );
    scene.serving.until_log("log directory is offline");
    let answer = scene.serving.get("/readyz");
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("failed: the log directory is offline"), "{answer}");
    scene.serving.signal(Signal::TERM);
    scene.serving.ended().expect(0, "broker stopped");
}

const END_THE_LOCK: &str = "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                            WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database()";

#[test]
fn what_postgresql_answers_is_told_without_a_line_of_its_source() {
    let Some(server) = SERVER.as_ref() else { return eprintln!("skipped: this machine has no PostgreSQL") };
    let home = Home::new();
    let url = format!("postgres://tidelog@localhost/nodb?host={}", server.socket_dir);
    let ended = home.run(&["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--catalog", &url]);
    ended.expect(4, "database \"nodb\" does not exist (3D000); --catalog says where it is");
    assert!(!ended.err.contains("at line"), "{ended:?}");
}

#[test]
fn a_broker_that_lost_the_catalogs_lock_ends_and_says_why() {
    let Some(server) = SERVER.as_ref() else { return eprintln!("skipped: this machine has no PostgreSQL") };
    let url = |name: &str| format!("postgres://tidelog@localhost/{name}?host={}", server.socket_dir);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let execute = |name: &str, sql: &str| {
        let (url, sql) = (url(name), sql.to_owned());
        runtime.block_on(async {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        });
    };
    execute("postgres", "CREATE DATABASE deposed TEMPLATE template0");
    let home = Home::new();
    let mut serving = home.serve(&["--catalog", &url("deposed")]);
    // Half a request keeps it for a while from letting clients go.
    let mut unfinished = TcpStream::connect(&serving.kafka).unwrap();
    unfinished.write_all(&[0, 0, 1, 0, 0, 18]).unwrap();
    assert!(serving.get("/readyz").starts_with("HTTP/1.1 200"));
    execute("deposed", END_THE_LOCK);
    serving.until_log("nothing is acknowledged any more");
    assert!(serving.get("/readyz").starts_with("HTTP/1.1 503"));
    serving.ended().expect(6, "the catalog's lock is lost");
    // A new start leads anew.
    let serving = home.serve(&["--catalog", &url("deposed")]);
    assert!(serving.get("/readyz").starts_with("HTTP/1.1 200"));
    serving.signal(Signal::TERM);
    serving.ended().expect(0, "broker stopped");
}

#[test]
fn a_small_limit_of_open_files_costs_speed_and_not_the_log_directory() {
    let home = Home::new();
    let serving = home.serve_with_files(200, &[]);
    let scene = Scene { home, serving };
    // Three files a partition, and twice as many as the limit allows.
    scene.run(&["topics", "create", "orders", "--partitions", "130"]).expect(0, "made topic 'orders'");
    let lines: String = (0..2_000).map(|n| format!("key-{n}:value-{n}\n")).collect();
    for _ in 0..2 {
        scene.with_input(&["produce", "orders", "-k", ":"], &lines).expect(0, "2,000 records");
    }
    let read = scene.run(&["consume", "orders", "--to-end"]);
    assert_eq!((read.code, read.out.lines().count()), (Some(0), 4_000), "{}", read.err);
    assert!(scene.serving.get("/readyz").starts_with("HTTP/1.1 200"));
    scene.serving.signal(Signal::TERM);
    let ended = scene.serving.ended();
    ended.expect(0, "broker stopped");
    assert!(ended.err.contains("tidelog.open.files.max=4096"), "{}", ended.err);
    assert!(!ended.err.contains("offline"), "{}", ended.err);
}
