//! Objects: put, got, listed, deleted, undeleted; and what is refused.

use crate::site::{Site, contents};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

fn ready() -> Site {
    let site = Site::new();
    site.add_dir("disk-a");
    site
}

#[test]
fn what_was_put_comes_back_with_its_attributes() {
    let site = ready();
    let file = site.file("f", 3_000_001);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let attributes = xattr::set(&file, "user.colour", b"blue").is_ok();
    let put = site
        .run(&["put", &file, "reports/2019.tar", "--meta", "owner=me"])
        .exits(0);
    assert_eq!(put.text("/oid"), "reports/2019.tar");
    assert_eq!(put.text("/metadata/user/owner"), "me");
    assert_eq!(put.text("/extents/0/state"), "sync");
    let out = site.at("out");
    site.run(&["get", "reports/2019.tar", &out]).exits(0);
    assert!(fs::read(&out).unwrap() == contents("f", 3_000_001));
    let (before, after) = (fs::metadata(&file).unwrap(), fs::metadata(&out).unwrap());
    assert_eq!(after.mode() & 0o7777, 0o640);
    assert_eq!(
        (before.mtime(), before.mtime_nsec()),
        (after.mtime(), after.mtime_nsec())
    );
    if attributes {
        assert_eq!(xattr::get(&out, "user.colour").unwrap().as_deref(), Some(&b"blue"[..]));
    }
}

#[test]
fn an_existing_object_needs_overwrite_and_its_old_version_stays() {
    let site = ready();
    site.put("a", 100);
    let file = site.file("second", 200);
    let refused = site.run(&["put", &file, "a"]).exits(2);
    assert_eq!(refused.text("/error/code"), "exists");
    let put = site.run(&["put", &file, "a", "--overwrite"]).exits(0);
    assert_eq!(put.number("/version"), 2);
    site.run(&["get", "a", &site.at("old"), "--version", "1"]).exits(0);
    assert_eq!(fs::read(site.path("old")).unwrap(), contents("in-a", 100));
    let all = site.run(&["object", "list", "--deleted"]).exits(0);
    assert_eq!(all.json["objects"].as_array().unwrap().len(), 2);
}

#[test]
fn a_deleted_object_can_be_had_back() {
    let site = ready();
    site.put("a", 100);
    site.run(&["delete", "a"]).exits(0);
    site.put("a/longer", 100);
    let deleted = site.run(&["object", "list", "--deleted"]).exits(0);
    let when = deleted.text("/objects/0/deleted_at").to_owned();
    let out = site.at("out");
    for typed in [&["get", "a", &out][..], &["delete", "a"], &["object", "show", "a"]] {
        let refused = site.run(typed).exits(2);
        assert_eq!(refused.text("/error/code"), "not_found");
        let message = refused.text("/error/message");
        assert!(message.contains(&format!("deleted at {when}")), "{message}");
        assert!(refused.text("/error/next").contains("respool undelete a"), "{typed:?}");
    }
    let absent = site.run(&["get", "nothing", &out]).exits(2);
    assert!(!absent.text("/error/next").contains("undelete"), "it never was there");
    site.run(&["undelete", "a"]).exits(0);
    site.holds("a", 100);
}

/// What became of a version that is not live is told: an overwritten one is not to be undeleted, and there is a way to it.
#[test]
fn an_overwritten_version_is_told_from_a_deleted_one() {
    let site = ready();
    site.put("a", 100);
    let file = site.file("second", 200);
    site.run(&["put", &file, "a", "--overwrite"]).exits(0);
    site.put("b", 100);
    site.run(&["delete", "b"]).exits(0);
    let listed = site.run(&["object", "list", "--deleted"]).exits(0);
    let by = |row: usize| listed.json["objects"][row]["overwritten_by"].as_i64();
    assert_eq!([by(0), by(1), by(2)], [Some(2), None, None]);
    let told = site.say(&["object", "list", "--deleted"]).exits(0).stdout;
    let rows: Vec<&str> = told.lines().collect();
    assert!(rows[0].ends_with("a@1  overwritten by 2"), "{told}");
    assert!(rows[1].ends_with("a@2") && rows[2].ends_with("b@1  deleted"), "{told}");
    let shown = site.run(&["object", "show", "a", "--version", "1"]).exits(0);
    assert_eq!(shown.number("/overwritten_by"), 2);
    let told = site.say(&["object", "show", "a", "--version", "1"]).exits(0).stdout;
    assert!(told.contains(", by version 2"), "{told}");
    let refused = site.run(&["undelete", "a"]).exits(2);
    assert_eq!(refused.text("/error/code"), "conflict");
    let (message, at) = (refused.text("/error/message"), shown.text("/deleted_at"));
    assert!(message.contains("'a' exists, as version 2"), "{message}");
    let old = format!("its version 1 was overwritten at {at} by version 2");
    assert!(message.contains(&old), "{message}");
    let next = refused.text("/error/next");
    assert!(next.contains("respool get a FILE --version 1"), "{next}");
    site.run(&["undelete", "b"]).exits(0);
    let refused = site.run(&["undelete", "b"]).exits(2);
    assert!(
        refused.text("/error/message").contains("no older version"),
        "{}",
        refused.stdout
    );
}

#[test]
fn several_objects_are_deleted_together_or_not_at_all() {
    let site = ready();
    for oid in ["a", "b", "c"] {
        site.put(oid, 100);
    }
    let refused = site.run(&["delete", "a", "nothing", "b", "nobody"]).exits(2);
    assert_eq!(refused.text("/error/code"), "not_found");
    let message = refused.text("/error/message");
    assert!(
        message.starts_with("2 of 4 objects cannot be deleted, and none was: "),
        "{message}"
    );
    assert!(
        message.contains("'nothing'") && message.contains("'nobody'"),
        "{message}"
    );
    let listed = site.run(&["object", "list"]).exits(0);
    assert_eq!(
        listed.json["objects"].as_array().unwrap().len(),
        3,
        "nothing was deleted"
    );
    let deleted = site.run(&["delete", "a", "b", "a"]).exits(0);
    let deleted = deleted.json["objects"].as_array().unwrap().clone();
    let names: Vec<&str> = deleted.iter().map(|object| object["oid"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(deleted.iter().all(|object| object["deleted_at"].is_string()));
    // One alone is told as it always was.
    assert_eq!(site.run(&["delete", "c"]).exits(0).text("/oid"), "c");
    for oid in ["a", "b"] {
        site.run(&["undelete", oid]).exits(0);
    }
    let told = site.say(&["delete", "a", "b"]).exits(0).stdout;
    assert_eq!(told, "a version 1: deleted\nb version 1: deleted\n");
}

#[test]
fn get_never_replaces_a_file_unasked_and_leaves_no_part_behind() {
    let site = ready();
    site.put("a", 100);
    let out = site.file("out", 7);
    site.run(&["get", "a", &out]).exits(2);
    assert_eq!(fs::read(&out).unwrap().len(), 7);
    site.run(&["get", "a", &out, "--overwrite"]).exits(0);
    site.run(&["get", "a", &site.at("no/such/folder")]).exits(2);
    fs::create_dir(site.path("folder")).unwrap();
    site.run(&["get", "a", &site.at("folder"), "--overwrite"]).exits(2);
    site.run(&["get", "nothing", &site.at("folder/f")]).exits(2);
    assert_eq!(fs::read_dir(site.path("folder")).unwrap().count(), 0);
}

#[test]
fn what_is_no_file_or_no_name_is_refused() {
    let site = ready();
    nix::unistd::mkfifo(&site.path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::create_dir(site.path("folder")).unwrap();
    let file = site.file("f", 10);
    symlink(&file, site.path("link")).unwrap();
    for place in ["fifo", "folder", "link", "missing"] {
        site.run(&["put", &site.at(place), "x"]).exits(2);
    }
    for oid in ["/abs", "a/../b", "./a", "a//b", "", "a\nb", &"x".repeat(1024)] {
        site.run(&["put", &file, oid]).exits(2);
    }
    let mut command = site.command(&["put", &file]);
    command.arg(std::ffi::OsStr::from_bytes(b"bad-\xff"));
    assert_eq!(command.output().unwrap().status.code(), Some(2));
    site.run(&["put", &site.at("link"), "x", "--follow"]).exits(0);
    let list = site.run(&["object", "list"]).exits(0);
    assert_eq!(list.json["objects"].as_array().unwrap().len(), 1);
}

#[test]
fn empty_and_many_small_objects_go_in_one_stream() {
    let site = ready();
    fs::create_dir_all(site.path("tree/sub")).unwrap();
    for index in 0..40 {
        site.file(&format!("tree/sub/{index}"), index * 13);
    }
    symlink("nowhere", site.path("tree/link")).unwrap();
    let put = site.run(&["put", &site.at("tree"), "t", "--recursive"]).exits(0);
    assert_eq!(put.json["objects"].as_array().unwrap().len(), 40);
    assert_eq!(put.json["skipped"].as_array().unwrap().len(), 1);
    let again = site.run(&["put", &site.at("tree"), "t", "--recursive"]).exits(2);
    assert_eq!(again.json["refused"].as_array().unwrap().len(), 40);
    site.run(&["get", "t/sub/0", &site.at("empty")]).exits(0);
    assert_eq!(fs::metadata(site.path("empty")).unwrap().len(), 0);
    site.run(&["get", "t/sub/39", &site.at("last")]).exits(0);
    assert_eq!(fs::read(site.path("last")).unwrap(), contents("tree/sub/39", 39 * 13));
    let listed = site.run(&["object", "list", "--prefix", "t/sub/1"]).exits(0);
    assert_eq!(listed.json["objects"].as_array().unwrap().len(), 11);
}

/// Whatever a name holds, a terminal is only ever told to show it; JSON has it as it is.
#[test]
fn a_name_that_would_do_something_to_a_terminal_is_written_out_for_people() {
    let site = ready();
    let (name, shown) = (
        "in\u{202e}gpj.\u{2066}\u{1b}[2J\u{9b}x\u{200f}\t",
        r"in\u{202e}gpj.\u{2066}\u{1b}[2J\u{9b}x\u{200f}\t",
    );
    let file = site.file("f", 1000);
    let put = site.run(&["put", &file, name, "--meta", "a=b"]).exits(0);
    assert_eq!(put.text("/oid"), name);
    let listed = site.run(&["object", "list"]).exits(0);
    assert_eq!(listed.text("/objects/0/oid"), name);
    let missing = format!("{name}?");
    let out = site.at("out");
    site.add_dir("disk-b");
    // What is wrong with the command line itself is told without any sequence that begins with an escape.
    let stripped = shown.replace(r"\u{1b}[2J", "");
    for (typed, code) in [
        (&["object", "list"][..], 0),
        (&["object", "show", name], 0),
        (&["extent", "list"], 0),
        (&["repack", "disk-a", "--plan"], 0),
        (&["get", name, &out], 0),
        (&["get", &missing, &out, "--overwrite"], 2),
        (&["put", &file, name], 2),
        (&["events"], 0),
        (&["object", "show", name, "--version", name], 2),
    ] {
        let said = site.say(typed).exits(code);
        let all = format!("{}{}", said.stdout, said.stderr);
        let told = if typed.contains(&"--version") { &stripped } else { shown };
        assert!(all.contains(told), "{typed:?}: {all}");
        let raw = all
            .chars()
            .filter(|c| *c != '\n' && name.contains(*c) && !c.is_ascii_graphic());
        assert_eq!(raw.collect::<String>(), "", "{typed:?}: {all:?}");
    }
}

#[test]
fn a_folder_of_which_a_part_is_stored_is_gone_on_with() {
    let site = ready();
    fs::create_dir_all(site.path("tree/sub")).unwrap();
    for name in ["1", "sub/2", "sub/3"] {
        site.file(&format!("tree/{name}"), 1000);
    }
    let tree = site.at("tree");
    site.run(&["put", &tree, "t", "--recursive"]).exits(0);
    site.file("tree/sub/4", 500);
    // What exists is left, whatever lies in the file; what was deleted does not exist.
    site.file("tree/1", 7);
    site.run(&["delete", "t/sub/3"]).exits(0);
    let words = ["put", &tree, "t", "--recursive", "--skip-existing"];
    let put = site.run(&words).exits(0);
    assert_eq!(put.json["existing"], serde_json::json!(["t/1", "t/sub/2"]));
    let stored: Vec<&str> = put.json["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|object| object["oid"].as_str().unwrap())
        .collect();
    assert_eq!(stored, ["t/sub/3", "t/sub/4"]);
    assert_eq!(
        site.run(&["object", "show", "t/1"]).exits(0).number("/bytes"),
        1000,
        "it was left"
    );
    let again = site.say(&words).exits(0).stdout;
    let told = "0 objects stored, 0 B\n4 objects existed already and were left as they are\n";
    assert_eq!(again, told);
    let plain = site.run(&["put", &tree, "t", "--recursive"]).exits(2);
    assert_eq!(plain.json["existing"], serde_json::json!([]));
    assert_eq!(plain.json["refused"].as_array().unwrap().len(), 4);
    let both = [&words[..], &["--overwrite"]].concat();
    site.say(&both).exits(2);
    let file = site.at("tree/1");
    site.say(&["put", &file, "t/1", "--skip-existing"]).exits(2);
}

#[test]
fn an_object_larger_than_an_extent_is_cut_and_put_together_again() {
    let site = Site::new();
    site.config("[store]\nextent_max_bytes = \"1MiB\"\n");
    site.add_dir("disk-a");
    let put = site.put("big", (5 << 20) + 17);
    assert_eq!(put.json["extents"].as_array().unwrap().len(), 6);
    site.holds("big", (5 << 20) + 17);
}

#[test]
fn e02_an_object_spans_media_only_when_it_may_be_split() {
    let site = Site::new();
    site.config("[store]\nextent_max_bytes = \"1MiB\"\n");
    for disk in ["disk-a", "disk-b"] {
        fs::create_dir(site.path(disk)).unwrap();
        site.run(&["dir", "add", disk, &site.at(disk), "--capacity", "4MiB"])
            .exits(0);
    }
    let file = site.file("in-big", 5 << 20);
    let refused = site.run(&["put", &file, "big"]).exits(2);
    let next = refused.text("/error/next");
    assert!(next.contains("--split"), "{next}");
    let put = site.run(&["put", &file, "big", "--split"]).exits(0);
    let media: BTreeSet<&str> = put.json["extents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|extent| extent["medium"].as_str().unwrap())
        .collect();
    assert_eq!(media.len(), 2, "{media:?}");
    site.holds("big", 5 << 20);
    site.run(&["check"]).exits(0);
}

/// X-17: bytes that are wrong in one place are read in another, and whoever asked hears of it.
#[test]
fn x17_a_get_says_what_it_could_not_read() {
    let site = ready();
    site.add_dir("disk-b");
    let file = site.file("in-x", 5000);
    let put = site.run(&["put", &file, "x", "--copies", "2"]).exits(0);
    let got = site.run(&["get", "x", &site.at("out"), "--overwrite"]).exits(0);
    assert_eq!(got.json["failed_reads"].as_array().unwrap().len(), 0);
    let (medium, address) = (put.text("/extents/0/medium"), put.text("/extents/0/address"));
    let path = Path::new(&site.at(medium)).join(address);
    let mut bytes = fs::read(&path).unwrap();
    bytes[4000] ^= 1;
    fs::write(&path, bytes).unwrap();
    let got = site.run(&["get", "x", &site.at("out"), "--overwrite"]).exits(0);
    assert_eq!(fs::read(site.path("out")).unwrap(), contents("in-x", 5000));
    assert_eq!(got.text("/failed_reads/0/medium"), medium);
    assert_eq!(got.text("/failed_reads/0/extent"), put.text("/extents/0/id"));
    for word in ["not read", "chunk 0", "read elsewhere", "respool medium show"] {
        assert!(got.stderr.contains(word), "{}", got.stderr);
    }
    assert_eq!(
        site.run(&["medium", "show", medium]).exits(0).text("/health"),
        "suspect"
    );
}

#[test]
fn two_copies_never_share_a_medium() {
    let site = ready();
    let file = site.file("f", 1000);
    site.run(&["put", &file, "x", "--copies", "2"]).exits(2);
    site.add_dir("disk-b");
    let put = site.run(&["put", &file, "x", "--copies", "2"]).exits(0);
    let media: Vec<&str> = put.json["extents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|extent| extent["medium"].as_str().unwrap())
        .collect();
    assert_eq!(media.len(), 2);
    assert_ne!(media[0], media[1]);
}

#[test]
fn the_file_of_an_object_carries_its_name() {
    let site = ready();
    let put = site.put("plain", 10);
    let address = put.text("/extents/0/address").to_owned();
    assert!(Path::new(&site.at("disk-a")).join(address).is_file());
}
