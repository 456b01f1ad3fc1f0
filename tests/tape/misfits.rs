//! What other software said of an entry and no index may say: it costs that entry alone, wherever it is to go.

use super::house::{barcode, cartridge, independent_check, skipped};
use super::import::{Fixture, fixture, folder_sums, room, room_with};
use respool_test_support::Site;
use respool_test_support::site::QUICK;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// The begin of every index.
const INDEX: &str = "<ltfsindex ";

/// Two attributes of one name. Software that reads the last one, or the first, takes no notice.
const TWICE: &str = "<extendedattributes><xattr><key>colour</key><value>red</value></xattr>\
                     <xattr><key>colour</key><value>blue</value></xattr></extendedattributes>";

/// By their names: a small file, one of several records, one without a path above it, and a directory with nothing in it.
const BAD: [(&str, &str); 4] = [
    ("deep.txt", "docs/a/b/c/d/e/deep.txt"),
    ("multi-block.bin", "data/multi-block.bin"),
    ("one-byte", "one-byte"),
    ("empty-dir", "empty-dir"),
];

fn bad() -> Vec<String> {
    let mut all: Vec<String> = BAD.iter().map(|(_, path)| (*path).to_owned()).collect();
    all.sort();
    all
}

/// The volume as its software would have written it: every index that names such an entry says two things of it.
fn said_twice(fixture: &Fixture) {
    let mut changed = 0;
    for entry in std::fs::read_dir(&fixture.cartridge).unwrap() {
        let path = entry.unwrap().path();
        let Ok(mut text) = std::fs::read_to_string(&path) else {
            continue;
        };
        if !text.contains(INDEX) {
            continue;
        }
        for (name, _) in BAD {
            let name = format!("<name>{name}</name>");
            changed += text.matches(&name).count();
            text = text.replace(&name, &format!("{name}{TWICE}"));
        }
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(changed, 2 * BAD.len(), "both partitions have an index with all of them");
}

/// The job left these where they were, each with what a tape cannot say of it.
fn is_told(report: &Value) {
    assert_eq!(report["state"], "done_with_skips", "{report:#}");
    assert_eq!(skipped(report), bad(), "{report:#}");
    for skip in report["skipped"].as_array().unwrap() {
        let reason = skip["reason"].as_str().unwrap();
        assert!(
            reason.contains("no index of a tape can say") && reason.contains("\"colour\" occurs twice"),
            "{reason}"
        );
    }
    assert_eq!(report["extents"]["failed"], 0, "{report:#}");
    assert_eq!(report["read_back"]["failed"], 0, "{report:#}");
}

fn states(site: &Site, medium: &str) -> [Value; 3] {
    let shown = site.medium(medium);
    ["health", "adm_state", "format"].map(|key| shown[key].clone())
}

/// X-01, E-11: with two drives and by way of the spool. The new tape is as good as before and takes all the others, the
/// source is not erased, and every byte can still be had.
#[test]
fn x01_e11_an_entry_of_which_two_things_are_said_is_skipped_alone_and_the_new_tape_stays_good() {
    for drives in [1, 2] {
        let Some(fixture) = fixture("simple") else { return };
        said_twice(&fixture);
        // With one drive, the largest of them goes through the spool as a whole.
        let site = room_with(&QUICK.replace("128 KiB", "8 MiB"), drives, 1);
        fixture.insert(&site, "FXT001L9");
        let report = site
            .run(&[
                "tape",
                "compact",
                "FXT001L9",
                "--onto",
                &barcode(0),
                "--quarantine",
                "0s",
            ])
            .expect(1);
        is_told(&report);
        assert_eq!(
            report["extents"]["moved"],
            fixture.entries().len() - BAD.len(),
            "{report:#}"
        );
        assert_eq!(
            states(&site, &barcode(0)),
            [json!("ok"), json!("in_service"), json!("respool")]
        );
        assert_eq!(
            states(&site, "FXT001L9"),
            [json!("ok"), json!("read_only"), json!("ltfs")]
        );
        assert_eq!(fixture.unlike_alone(&site), BTreeSet::new());
        assert_eq!(site.ok(&["check"])["ok"], true);
        // It takes what comes next.
        site.put("next", b"next", &[]);
        let sums = folder_sums(Path::new(&cartridge(&site, "FXT001L9")));
        independent_check(&site, &[&barcode(0)], &[]);
        assert_eq!(sums, folder_sums(&fixture.cartridge), "the source is as it was");
    }
}

/// X-01, E-11: a directory keeps what no tape can say, and so the source can be emptied after all. What then goes from
/// the directory to a tape stays behind there.
#[test]
fn x01_e11_what_no_tape_can_say_goes_to_a_directory_and_from_there_to_no_tape() {
    let Some(fixture) = fixture("simple") else { return };
    said_twice(&fixture);
    let site = room(1, 1);
    fixture.insert(&site, "FXT001L9");
    site.ok(&["tape", "import", "FXT001L9"]);
    site.ok(&["tape", "add", &barcode(0), "--name", "new"]);
    let folder = site.root().join("disk");
    std::fs::create_dir(&folder).unwrap();
    site.ok(&["dir", "add", "disk", &folder.display().to_string()]);
    let moved = site.ok(&["repack", "FXT001L9", "--to", "disk", "--quarantine", "0s"]);
    assert_eq!(moved["state"], "done", "{moved:#}");
    assert_eq!(fixture.unlike_alone(&site), BTreeSet::new());
    let report = site
        .run(&["repack", "disk", "--to", "new", "--quarantine", "0s"])
        .expect(1);
    is_told(&report);
    assert_eq!(
        states(&site, "new"),
        [json!("ok"), json!("in_service"), json!("respool")]
    );
    assert_eq!(states(&site, "disk")[..2], [json!("ok"), json!("read_only")]);
    assert_eq!(fixture.unlike_alone(&site), BTreeSet::new());
    assert_eq!(site.ok(&["check"])["ok"], true);
    independent_check(&site, &["new"], &[]);
}
