//! A state folder whose catalogue is not where it was: nothing is made in its place, and a backup is the way out.

use super::dumps::files;
use super::{RESPOOL, site};
use respool_test_support::Site;
use respool_test_support::site::Outcome;
use std::fs;
use std::path::PathBuf;

/// A site with an object, its backup, and which catalogue it has; respoold is stopped.
fn backed_up() -> (Site, PathBuf, String) {
    let site = site(&["a"]);
    site.put_on("a", "one", b"bytes");
    let path = backup(&site);
    site.stop();
    let mark = fs::read_to_string(site.state().join("catalogue")).unwrap();
    (site, path, mark.trim().to_owned())
}

fn backup(site: &Site) -> PathBuf {
    let path = site.root().join("one.backup");
    site.ok(&["catalogue", "backup", path.to_str().unwrap()]);
    path
}

/// Reads, writes and checks nothing, names the catalogue that is missing, and touches no medium.
#[track_caller]
fn is_missed(site: &Site, code: &str, id: &str) {
    let before = files(&site.disk("a"));
    fs::write(site.root().join("file"), "new").unwrap();
    for command in [
        &["check"][..],
        &["medium", "list"],
        &["put", "file", "new"],
        &["init", "--testing"],
    ] {
        let said = site.run(command);
        assert_eq!((said.code, said.problem()), (3, code), "{said:?}");
        let message = said.json["error"]["message"].as_str().unwrap();
        assert!(message.contains(id), "{message}");
        let next = said.json["error"]["next"].as_str().unwrap();
        assert!(next.contains("respool catalogue restore"), "{next}");
    }
    assert!(before == files(&site.disk("a")), "a medium was touched");
}

fn restore(site: &Site, path: &std::path::Path, more: &[&str]) -> Outcome {
    site.run(&[&["catalogue", "restore", path.to_str().unwrap()], more].concat())
}

/// The disk of the private cluster is not mounted.
#[test]
fn e16_a_catalogue_whose_disk_is_away_is_not_made_anew() {
    let (site, path, id) = backed_up();
    let (pg, away) = (site.state().join("pg"), site.root().join("away"));
    fs::rename(&pg, &away).unwrap();
    is_missed(&site, "catalogue_missing", &id);
    assert!(!pg.exists(), "no cluster was made where it belongs");
    fs::create_dir(&pg).unwrap();
    is_missed(&site, "catalogue_missing", &id);
    assert_eq!(fs::read_dir(&pg).unwrap().count(), 0, "nor where it is mounted");
    fs::remove_dir(&pg).unwrap();
    fs::rename(&away, &pg).unwrap();
    assert_eq!(site.get("one"), b"bytes");
    site.ok(&["check"]);
    // It never comes back.
    site.stop();
    fs::remove_dir_all(&pg).unwrap();
    restore(&site, &path, &[]).expect(0);
    assert_eq!(site.get("one"), b"bytes");
    site.ok(&["check"]);
}

/// The server is there, and its database holds nothing, or another catalogue.
#[test]
fn e16_an_emptied_database_and_anothers_are_not_taken_for_the_catalogue() {
    let (site, path, id) = backed_up();
    site.ok(&["medium", "list"]);
    site.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    site.stop();
    is_missed(&site, "catalogue_missing", &id);
    assert!(
        !site.state().join("pg/postmaster.pid").exists(),
        "its server was left running"
    );
    restore(&site, &path, &[]).expect(0);
    assert_eq!(site.get("one"), b"bytes");
    site.ok(&["check"]);

    // Another catalogue than the one that belongs here: a mark that somebody brought along.
    site.stop();
    let stranger = Site::another(RESPOOL);
    let foreign = backup(&stranger);
    let mark = site.state().join("catalogue");
    let theirs = fs::read_to_string(stranger.state().join("catalogue")).unwrap();
    fs::write(&mark, &theirs).unwrap();
    is_missed(&site, "another_catalogue", theirs.trim());
    fs::write(&mark, format!("{id}\n")).unwrap();
    site.ok(&["check"]);

    // It is replaced on purpose, and is the one that belongs here from then on.
    let refused = restore(&site, &foreign, &[]);
    assert_eq!((refused.code, refused.problem()), (2, "backup_unfit"), "{refused:?}");
    restore(&site, &foreign, &["--force"]).expect(0);
    assert_eq!(fs::read_to_string(&mark).unwrap(), theirs);
    site.ok(&["medium", "list"]);
    site.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    site.stop();
    let refused = restore(&site, &path, &[]);
    assert_eq!((refused.code, refused.problem()), (2, "backup_unfit"), "{refused:?}");
    restore(&site, &path, &["--force"]).expect(0);
    assert_eq!(site.get("one"), b"bytes");
}
