//! Databases of other versions: an older one is brought up, a newer one is refused and left alone.

use std::path::{Path, PathBuf};

use sqlx::migrate::Migrator;
use tidelog::catalog::{GroupBatch, GroupRow, OpenError};

use crate::home::{Home, Raw};

fn folder(home: &Home) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    folder.join(if home.is_sqlite() { "sqlite" } else { "postgres" })
}

/// The database as the first `steps` migrations leave it.
async fn make_old(home: &Home, steps: usize) -> Raw {
    let old = tempfile::tempdir().unwrap();
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder(home)).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    for file in files.iter().take(steps) {
        std::fs::copy(file, old.path().join(file.file_name().unwrap())).unwrap();
    }
    let migrator = Migrator::new(old.path()).await.unwrap();
    let mut raw = home.raw().await;
    match &mut raw {
        Raw::Sqlite(connection) => migrator.run(connection).await.unwrap(),
        Raw::Postgres(connection) => migrator.run(connection).await.unwrap(),
    }
    raw
}

over_both! {
    async fn an_older_database_is_brought_up_with_what_is_in_it(home: &Home) {
        let mut raw = make_old(home, 1).await;
        raw.execute("INSERT INTO clusters VALUES (1, 'old', 1, 3, 7, 0)").await;
        raw.close().await;
        let catalog = home.open().await;
        let row = catalog.raise_start_number().await.unwrap();
        assert_eq!((row.cluster_id.as_str(), row.incarnation, row.start_number), ("old", 3, 8));
        let saved = vec![GroupRow { group_id: "g".to_owned(), ..GroupRow::default() }];
        catalog.write_groups(GroupBatch { saved, ..GroupBatch::default() }).await.unwrap();
        assert!(catalog.group("g").await.unwrap().is_some());
    }

    async fn a_newer_database_is_refused_and_left_alone(home: &Home) {
        home.open().await.close().await;
        let mut raw = home.raw().await;
        raw.execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             SELECT 9999, 'of the future', success, checksum, 1 FROM _sqlx_migrations WHERE version = 1",
        )
        .await;
        let error = home.try_open().await.unwrap_err();
        assert!(matches!(error, OpenError::Newer { theirs: 9999, .. }), "{error}");
        assert!(error.to_string().contains("start that version"), "{error}");
        raw.execute("DELETE FROM _sqlx_migrations WHERE version = 9999; UPDATE clusters SET format_version = 2").await;
        let error = home.try_open().await.unwrap_err();
        assert!(matches!(error, OpenError::Newer { theirs: 2, ours: 1, .. }), "{error}");
        raw.execute("UPDATE clusters SET format_version = 1").await;
        home.open().await.close().await;
    }

    async fn a_database_whose_past_is_another_is_refused(home: &Home) {
        home.open().await.close().await;
        let mut raw = home.raw().await;
        raw.execute("UPDATE _sqlx_migrations SET checksum = (SELECT checksum FROM _sqlx_migrations WHERE version = 1)").await;
        let error = home.try_open().await.unwrap_err();
        assert!(matches!(error, OpenError::Migration { .. }), "{error}");
    }
}

/// One text for every statement needs one form of every table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_databases_have_the_same_columns() {
    let Some(postgres) = Home::postgres().await else { return };
    let sqlite = Home::sqlite();
    postgres.open().await.close().await;
    sqlite.open().await.close().await;
    let theirs = postgres
        .raw()
        .await
        .text(
            "SELECT string_agg(table_name || '.' || column_name || ' ' || is_nullable, E'\\n' \
             ORDER BY table_name COLLATE \"C\", column_name COLLATE \"C\") FROM information_schema.columns \
             WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'",
        )
        .await;
    let ours = sqlite
        .raw()
        .await
        .text(
            "SELECT group_concat(line, char(10)) FROM (SELECT t.name || '.' || c.name || ' ' || \
             CASE c.\"notnull\" WHEN 1 THEN 'NO' ELSE 'YES' END AS line FROM sqlite_schema t, pragma_table_info(t.name) c \
             WHERE t.type = 'table' AND t.name <> '_sqlx_migrations' ORDER BY t.name, c.name)",
        )
        .await;
    assert_eq!(ours, theirs);
}
