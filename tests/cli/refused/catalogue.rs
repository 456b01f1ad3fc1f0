//! Catalogues that cannot be had or trusted. Nothing is made in their place.

use super::{files, site, transcript};
use respool_test_support::{Mount, Site, TestCluster, Transcript};
use std::fs;
use std::process::Command;

/// A site with one object, its respoold stopped after this was done in its catalogue.
fn spoilt(sql: &str) -> Site {
    let site = site(&["a"]);
    site.put_on("a", "one", b"bytes");
    site.sql(sql);
    site.stop();
    site
}

/// Reads, writes and changes nothing in a catalogue that is of no use.
fn refuses(seen: &mut Transcript, site: &Site, wrong: &mut Vec<String>) {
    let before = files(&site.disk("a"));
    fs::write(site.root().join("file"), "new").unwrap();
    for typed in ["medium list", "put file new"] {
        let code = seen.run(site, typed);
        if code != 3 {
            wrong.push(format!("`{typed}` ended with {code}"));
        }
    }
    if before != files(&site.disk("a")) {
        wrong.push("a medium was touched".to_owned());
    }
}

#[test]
fn a_catalogue_that_cannot_be_had_or_trusted_is_an_environment_that_fails() {
    let mut seen = Transcript::new("Catalogues that cannot be reached, used or trusted");
    seen.hide(&format!("knows {}:", dss::pg::known_version()), "knows N:");
    let mut wrong = vec![];
    seen.note("Nobody listens where [catalogue] url points to.");
    let site = spoilt("SELECT 1");
    let config = fs::read_to_string(site.config()).unwrap();
    elsewhere(&site, "postgres://respool@127.0.0.1:1/respool");
    refuses(&mut seen, &site, &mut wrong);
    fs::write(site.config(), config).unwrap();
    assert_eq!(site.get("one"), b"bytes");
    for (what, sql) in [
        (
            "A newer respool was here: the catalogue has a schema that this one does not know.",
            "INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum, execution_time) \
             SELECT 9999, 'from the future', installed_on, true, checksum, 1 FROM _sqlx_migrations LIMIT 1",
        ),
        (
            "The database is read-only.",
            "ALTER DATABASE respool SET default_transaction_read_only = on",
        ),
        (
            "Commits are not made durable: the role has synchronous_commit off.",
            "ALTER ROLE respool SET synchronous_commit = off",
        ),
    ] {
        seen.note(what);
        refuses(&mut seen, &spoilt(sql), &mut wrong);
    }
    seen.matches(&transcript("catalogue"));
    assert_eq!(wrong, [""; 0]);
}

/// From the next start on, the catalogue is looked for there.
fn elsewhere(site: &Site, url: &str) {
    let config = fs::read_to_string(site.config()).unwrap();
    fs::write(site.config(), format!("{config}[catalogue]\nurl = \"{url}\"\n")).unwrap();
}

#[tokio::test]
async fn a_server_with_fsync_off_is_an_environment_that_fails() {
    if !TestCluster::get().await.sentence().contains("fsync off") {
        println!("not run: the tests' server makes its commits durable");
        return;
    }
    let database = respool_test_support::fresh_database().await;
    let site = spoilt("SELECT 1");
    elsewhere(&site, &database.url());
    let mut seen = Transcript::new("A server that makes nothing durable: fsync is off");
    let mut wrong = vec![];
    refuses(&mut seen, &site, &mut wrong);
    seen.matches(&transcript("fsync"));
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn a_catalogue_on_a_full_disk_is_an_environment_that_fails() {
    let site = spoilt("SELECT 1");
    let pg = site.state().join("pg");
    let away = site.state().join("pg-away");
    fs::rename(&pg, &away).unwrap();
    let Some(disk) = Mount::new(&pg, "160m") else { return };
    let copied = Command::new("cp").arg("-aT").arg(&away).arg(&pg).status();
    assert!(copied.unwrap().success());
    assert_eq!(site.get("one"), b"bytes");
    let ballast = disk.path().join("ballast");
    let full = fs::write(&ballast, vec![0; 160 << 20]);
    assert!(full.is_err(), "it is full now");
    // Of so many extents that their rows need room.
    fs::write(site.root().join("file"), vec![7; 16 << 20]).unwrap();
    let mut seen = Transcript::new("The disk of the catalogue is full");
    assert_eq!(seen.run(&site, "put file new"), 3);
    fs::remove_file(&ballast).unwrap();
    seen.note("There is room again.");
    seen.run(&site, "object show one");
    seen.run(&site, "check");
    seen.matches(&transcript("catalogue-full"));
    site.stop();
}
