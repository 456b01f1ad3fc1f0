//! E-08: quarantine and restore in every order with delete, undelete, overwrite, a move of single extents, a second
//! repack, a purge and the end of the quarantine. A small model says where the first version of every object is, and what
//! a restore must list instead of touching it: what was deleted, overwritten or moved on since the job was given.

use super::house::{RESPOOL, filling, job_of, sound};
use super::wire;
use respool_test_support::Site;
use respool_test_support::site::Outcome;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

/// What happens to an object at one time.
const NOTHING: char = '-';
const DELETE: char = 'd';
const OVERWRITE: char = 'o';
/// A deletion that is taken back; of an object that is deleted already, only the second half.
const UNDELETE: char = 'u';
/// Its first version moves from b to c alone.
const MIGRATE: char = 'm';

/// An object and what the model knows of it. Newer versions go to d, which no job touches.
struct Thing {
    oid: String,
    /// Before the repack, after it, and after whatever else comes.
    course: [char; 3],
    versions: Vec<Vec<u8>>,
    live: bool,
    /// Where its first version is.
    place: &'static str,
    /// Whether the first version was deleted or overwritten after the job was given.
    since: bool,
    /// Deleted or overwritten before: it goes along.
    before: bool,
}

impl Thing {
    fn happens(&mut self, site: &Site, time: usize) {
        let oid = self.oid.clone();
        match self.course[time] {
            NOTHING => {}
            DELETE => {
                site.ok(&["delete", &oid]);
                self.live = false;
                self.first_goes(time);
            }
            UNDELETE => {
                if self.live {
                    site.ok(&["delete", &oid]);
                }
                site.ok(&["undelete", &oid]);
                if !self.live && self.versions.len() == 1 {
                    (self.since, self.before) = (false, false);
                }
                self.live = true;
            }
            OVERWRITE => {
                let bytes = filling(self.versions.len() as u64 * 31 + time as u64, 700 + self.versions.len());
                site.put(&oid, &bytes, &["--overwrite", "--tags", "d"]);
                self.versions.push(bytes);
                self.live = true;
                self.first_goes(time);
            }
            MIGRATE => {
                let rows = site.extents(&["--oid", &oid, "--medium", "b", "--state", "sync"]);
                site.ok(&["extent", "migrate", rows[0]["id"].as_str().unwrap(), "--to", "c"]);
                self.place = "c";
            }
            other => panic!("no such thing as {other}"),
        }
    }

    fn first_goes(&mut self, time: usize) {
        if !(self.since || self.before) {
            (self.before, self.since) = (time == 0, time > 0);
        }
    }
}

/// A site with every course of these, on a.
fn things(courses: [&str; 3]) -> (Site, Vec<Thing>) {
    let site = Site::new(RESPOOL);
    site.disks(&["a", "b", "c", "d"]);
    let folder = tempfile::tempdir_in(site.root()).unwrap();
    let mut all = vec![];
    for first in courses[0].chars() {
        for second in courses[1].chars() {
            for third in courses[2].chars() {
                let course = [first, second, third];
                // What is deleted cannot be deleted again.
                if matches!(
                    course,
                    [DELETE, DELETE, _] | [_, DELETE, DELETE] | [DELETE, NOTHING | MIGRATE, DELETE]
                ) {
                    continue;
                }
                let name: String = course.iter().collect();
                let bytes = filling(all.len() as u64 + 1, 900 + 13 * all.len());
                fs::write(folder.path().join(&name), &bytes).unwrap();
                all.push(Thing {
                    oid: format!("o/{name}"),
                    course,
                    versions: vec![bytes],
                    live: true,
                    place: "a",
                    since: false,
                    before: false,
                });
            }
        }
    }
    let folder = folder.path().display().to_string();
    site.ok(&["put", &folder, "o", "--recursive", "--tags", "a"]);
    (site, all)
}

fn happen(site: &Site, things: &mut [Thing], time: usize) {
    things.iter_mut().for_each(|thing| thing.happens(site, time));
}

/// Everything on one medium goes to another.
fn move_all(things: &mut [Thing], from: &str, to: &'static str) {
    let there = things.iter_mut().filter(|thing| thing.place == from);
    there.for_each(|thing| thing.place = to);
}

/// Restores a job that moved everything between two media, and compares with what the model says.
fn restore(site: &Site, job: &str, things: &mut [Thing], (to, from): (&'static str, &'static str)) {
    let outcome = site.run(&["job", "restore", job]);
    let (mut returned, mut left) = (0, BTreeSet::new());
    for thing in things.iter_mut() {
        if thing.place == from && !thing.since {
            thing.place = to;
            returned += 1;
        } else {
            left.insert(thing.oid.clone());
        }
    }
    let code = if left.is_empty() { 0 } else { 1 };
    let report = outcome.expect(code);
    assert_eq!(report["state"], "restored", "{report:#}");
    let listed = report["not_returned"].as_array().unwrap();
    let listed: BTreeSet<String> = listed
        .iter()
        .map(|one| one["oid"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(listed, left, "what was not touched is what is listed");
    assert_eq!(report["returned"], returned, "{report:#}");
    assert_eq!(site.medium(to)["adm_state"], "read_only");
}

/// Every version of every object has its bytes, the live ones are live, and the first versions are where they should be.
#[track_caller]
fn as_the_model_says(site: &Site, things: &[Thing]) {
    sound(site);
    let rows = site.extents(&["--state", "sync"]);
    for thing in things {
        let oid = &thing.oid;
        let live = thing.live.then(|| thing.versions.last().unwrap());
        match (live, wire::get(site, oid, None)) {
            (Some(bytes), got) => assert!(got.as_ref() == Ok(bytes), "{oid}: {:.200?}", got.err()),
            (None, got) => assert!(got.is_err(), "{oid} is deleted"),
        }
        for (index, bytes) in thing.versions.iter().enumerate() {
            let got = wire::get(site, oid, Some(index as u32 + 1));
            assert!(
                got.as_ref() == Ok(bytes),
                "{oid} version {}: {:.200?}",
                index + 1,
                got.err()
            );
        }
        let first = rows.iter().filter(|row| row["oid"] == **oid && row["version"] == 1);
        let places: Vec<&str> = first.map(|row| row["medium"].as_str().unwrap()).collect();
        assert_eq!(places, [thing.place], "{oid}");
    }
}

fn refused(outcome: Outcome, why: &str) {
    assert_eq!(outcome.problem(), why, "{outcome:?}");
    assert!(!outcome.json["error"]["next"].as_str().unwrap().is_empty());
    outcome.expect(2);
}

fn repack(site: &Site, from: &str, to: &str, hold: &str) -> String {
    let report = site.ok(&["repack", from, "--to", to, "--quarantine", hold]);
    let expected = if hold == "0" { "done" } else { "quarantined" };
    assert_eq!(report["state"], expected, "{report:#}");
    job_of(&report)
}

#[test]
fn e08_a_restore_touches_nothing_that_was_changed_since() {
    let (site, mut things) = things(["-do", "-doum", "-dou"]);
    happen(&site, &mut things, 0);
    let job = repack(&site, "a", "b", "7d");
    move_all(&mut things, "a", "b");
    as_the_model_says(&site, &things);
    happen(&site, &mut things, 1);
    happen(&site, &mut things, 2);
    as_the_model_says(&site, &things);
    restore(&site, &job, &mut things, ("a", "b"));
    as_the_model_says(&site, &things);
    // Twice is once.
    refused(site.run(&["job", "restore", &job]), "not_restorable");
    as_the_model_says(&site, &things);

    // What can be undeleted still can, wherever its bytes are now.
    for thing in things.iter_mut().filter(|thing| !thing.live) {
        site.ok(&["undelete", &thing.oid]);
        thing.live = true;
    }
    // And the way on is open: the next job takes what came back, and this time to the end.
    repack(&site, "a", "b", "0");
    move_all(&mut things, "a", "b");
    assert!(site.files("a").is_empty());
    as_the_model_says(&site, &things);
}

#[test]
fn e08_two_jobs_are_restored_in_either_order() {
    for first_things_first in [true, false] {
        let (site, mut things) = things(["-", "-do", "-u"]);
        let first = repack(&site, "a", "b", "7d");
        move_all(&mut things, "a", "b");
        // What the first job is to be told of happens before the second; it counts for both.
        happen(&site, &mut things, 1);
        let second = repack(&site, "b", "c", "7d");
        move_all(&mut things, "b", "c");
        let gone: Vec<bool> = things.iter().map(|thing| thing.since).collect();
        as_the_model_says(&site, &things);
        if first_things_first {
            // Everything has moved on: nothing is touched.
            restore(&site, &first, &mut things, ("a", "b"));
            as_the_model_says(&site, &things);
        }
        // For the second job they were deleted before it was given: they went along and come back with it.
        things.iter_mut().for_each(|thing| thing.since = false);
        restore(&site, &second, &mut things, ("b", "c"));
        as_the_model_says(&site, &things);
        for (thing, gone) in things.iter_mut().zip(gone) {
            thing.since = gone;
        }
        happen(&site, &mut things, 2);
        if first_things_first {
            refused(site.run(&["job", "restore", &first]), "not_restorable");
        } else {
            // Back on the bytes that the first job wrote: it can be undone as if the second had never been.
            restore(&site, &first, &mut things, ("a", "b"));
        }
        as_the_model_says(&site, &things);
    }
}

#[test]
fn e08_after_its_end_a_quarantine_gives_nothing_back_and_nothing_is_lost() {
    let (mut site, mut things) = things(["-d", "-dou", "-"]);
    happen(&site, &mut things, 0);
    let job = repack(&site, "a", "b", "7d");
    move_all(&mut things, "a", "b");
    happen(&site, &mut things, 1);
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 8);
    site.at(&later.to_string());
    // Not vouched for, the clock ends nothing: it could still be restored.
    assert_eq!(site.ok(&["job", "show", &job])["state"], "quarantined");
    site.ok(&["clock", "accept"]);
    site.wait_until("the source is reclaimed", || {
        site.ok(&["job", "show", &job])["state"] == "done"
    });
    assert!(site.files("a").is_empty());
    refused(site.run(&["job", "restore", &job]), "erased");
    refused(site.run(&["job", "restore", &job]), "erased");
    assert_eq!(site.ok(&["job", "show", &job])["state"], "done");
    assert_eq!(site.medium("a")["adm_state"], "in_service");
    as_the_model_says(&site, &things);
}

#[test]
fn e08_what_was_purged_since_is_listed_and_the_rest_comes_back() {
    let (mut site, mut things) = things(["-d", "-do", "-"]);
    happen(&site, &mut things, 0);
    let report = site.ok(&["repack", "a", "--to", "b", "--keep-source"]);
    move_all(&mut things, "a", "b");
    happen(&site, &mut things, 1);
    as_the_model_says(&site, &things);
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 400);
    site.at(&later.to_string());
    site.ok(&["clock", "accept"]);
    let old = |listed: &Value| {
        let versions = listed["objects"].as_array().unwrap().iter();
        versions.filter(|one| !one["deleted_at"].is_null()).count()
    };
    site.wait_until("what was deleted is purged", || {
        old(&site.ok(&["object", "list", "--deleted"])) == 0
    });
    // A purged version has no place any more: it can only be listed.
    for thing in things.iter_mut().filter(|thing| thing.before || thing.since) {
        thing.since = true;
    }
    restore(&site, &job_of(&report), &mut things, ("a", "b"));
    let (purged, kept): (Vec<Thing>, Vec<Thing>) = things.into_iter().partition(|thing| thing.since);
    as_the_model_says(&site, &kept);
    for thing in purged {
        assert!(
            wire::get(&site, &thing.oid, Some(1)).is_err(),
            "{} is purged",
            thing.oid
        );
        if thing.live {
            assert!(wire::get(&site, &thing.oid, None).as_ref() == Ok(thing.versions.last().unwrap()));
        }
    }
}
