//! The schema is what its page, its words and its generated picture say.

use crate::support;
use dss::model::{
    AdmState, ExtentState, Family, FsState, HashAlgorithm, Health, JobControl, JobKind, JobState, LibraryKind,
    MediumFormat, MoveState, NoDrill, Presence, Standing,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

#[tokio::test]
async fn the_database_has_the_words_of_the_model() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let rows: Vec<(String, Vec<String>)> = sqlx::query_as(
        "SELECT t.typname::text, array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
           FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid GROUP BY t.typname",
    )
    .fetch_all(&mut fresh.raw().await)
    .await
    .unwrap();
    macro_rules! lists {
        ($($list:ident),+) => {
            [$(($list::SQL_TYPE.to_owned(), $list::ALL.iter().map(|word| word.to_string()).collect())),+]
        };
    }
    // The other lists never reach a column: verify_mode is part of a job's spec, drill steps are no state.
    let expected: [(String, Vec<String>); 14] = lists![
        Family,
        AdmState,
        Health,
        Presence,
        FsState,
        ExtentState,
        JobKind,
        JobState,
        JobControl,
        MoveState,
        Standing,
        LibraryKind,
        MediumFormat,
        HashAlgorithm
    ];
    assert_eq!(
        rows.into_iter().collect::<BTreeMap<_, _>>(),
        expected.into_iter().collect::<BTreeMap<_, _>>()
    );
}

/// `schema/current.sql` is what the migrations make. RESPOOL_BLESS=1 writes it anew.
#[tokio::test]
async fn migrations_make_the_current_schema() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schema/current.sql");
    let major: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int / 10000")
        .fetch_one(&mut fresh.raw().await)
        .await
        .unwrap();
    let beside = format!("/usr/lib/postgresql/{major}/bin/pg_dump");
    let program = if Path::new(&beside).exists() {
        beside
    } else {
        "pg_dump".to_owned()
    };
    let dump = Command::new(program)
        .args([
            "--schema-only",
            "--no-owner",
            "--no-privileges",
            "--exclude-table=_sqlx_migrations",
            "--dbname",
        ])
        .arg(fresh.database.conninfo())
        .output()
        .expect("pg_dump is installed with the server");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let made = normalised(&String::from_utf8(dump.stdout).expect("UTF-8"));
    if std::env::var_os("RESPOOL_BLESS").is_some() {
        std::fs::write(&path, &made).expect("the picture is written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        made == kept,
        "schema/current.sql is not what the migrations make: run this test with RESPOOL_BLESS=1"
    );
}

/// Without what differs between servers and says nothing: comments, settings, empty lines, and what a newer server notes
/// at its columns for itself, which an older pg_dump does not know to leave out.
fn normalised(dump: &str) -> String {
    let mut text = String::from("-- Generated from schema/migrations by the test that compares it. Do not edit.\n");
    let mut in_function = false;
    for line in dump.lines() {
        let noise = line.is_empty()
            || line.starts_with("--")
            || line.starts_with("SET ")
            || line.starts_with('\\')
            || line.contains(" SET (pg_attver=")
            || line.starts_with("SELECT pg_catalog.set_config");
        if in_function || !noise {
            text.push_str(line);
            text.push('\n');
        }
        in_function ^= line.matches("$$").count() % 2 == 1;
    }
    text
}
