//! Directories as media: added or refused, shown, changed, formatted.

use crate::site::{Said, Site};
use clap::ValueHint;
use std::fs;
use std::os::unix::fs::symlink;

#[test]
fn a_directory_becomes_a_medium_and_is_shown_with_all_its_keys() {
    let site = Site::new();
    fs::create_dir(site.path("a")).unwrap();
    let added = [
        "dir",
        "add",
        "disk-a",
        &site.at("a"),
        "--capacity",
        "1GiB",
        "--tags",
        "blue,offsite",
    ];
    site.run(&added).exits(0);
    let shown = site.run(&["medium", "show", "disk-a"]).exits(0);
    for key in [
        "name",
        "family",
        "technology",
        "library",
        "tags",
        "groupings",
        "adm_state",
        "locked",
        "health",
        "presence",
        "fs_state",
        "generation",
        "capacity_bytes",
        "used_bytes",
        "free_bytes",
        "live_bytes",
        "dead_bytes",
        "held_bytes",
        "unindexed_bytes",
        "quarantined_until",
        "extents",
    ] {
        assert!(shown.json.get(key).is_some(), "{key} is missing");
    }
    assert_eq!(shown.json["tags"], serde_json::json!(["blue", "offsite"]));
    assert_eq!(shown.number("/capacity_bytes"), 1 << 30);
    assert_eq!(
        shown.json["extents"],
        serde_json::json!({"pending": 0, "sync": 0, "orphan": 0})
    );
}

#[test]
fn a_disk_that_is_away_is_trusted_and_not_called_attached() {
    let site = Site::new();
    site.add_dir("disk-a");
    fs::rename(site.path("disk-a"), site.path("away")).unwrap();
    let trusted = site.run(&["medium", "trust", "disk-a"]).exits(0);
    assert_eq!((trusted.text("/health"), trusted.text("/presence")), ("ok", "missing"));
    let said = site.say(&["medium", "trust", "disk-a"]).exits(0).stderr;
    assert!(
        said.contains("is not there") && said.contains(&site.at("disk-a")),
        "{said}"
    );
    fs::rename(site.path("away"), site.path("disk-a")).unwrap();
    let trusted = site.say(&["medium", "trust", "disk-a"]).exits(0);
    assert_eq!(trusted.stderr, "", "there is nothing to say");
    assert!(trusted.stdout.contains("attached"), "{}", trusted.stdout);
    site.put("a", 1000);
}

#[test]
fn a_plan_for_a_disk_that_is_away_says_that_it_must_be_there() {
    let site = Site::new();
    site.add_dir("disk-a");
    site.put("a", 1000);
    site.add_dir("disk-b");
    let words = "disk-a is not there now (missing): it must be before this can be done";
    let plan = ["repack", "disk-a", "--plan"];
    let said = site.say(&plan).exits(0).stdout;
    assert!(!said.contains(words), "{said}");
    fs::rename(site.path("disk-a"), site.path("away")).unwrap();
    let said = site.say(&plan).exits(0).stdout;
    assert!(said.contains(words), "{said}");
}

#[test]
fn what_would_be_lost_is_looked_at_before_a_medium_is_declared_dead() {
    let site = Site::new();
    site.add_dir("disk-a");
    let asked = site.run(&["medium", "dead", "disk-a"]).exits(2);
    let next = asked.text("/error/next");
    let (look, sure) = (
        next.find("medium what-if-lost disk-a"),
        next.find("medium dead disk-a --yes"),
    );
    assert!(look.is_some() && look < sure, "{next}");
    let dead = site.say(&["medium", "dead", "disk-a", "--yes"]).exits(0);
    assert!(
        dead.stderr.contains("medium disk-a is dead: no copy on it counts"),
        "{}",
        dead.stderr
    );
    let help = site.say(&["medium", "trust", "--help"]).exits(0).stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("It reads no data and proves nothing"), "{help}");
}

/// The numbers of the events that were printed.
fn numbers(said: &Said) -> Vec<i64> {
    let events = said.json["events"].as_array().unwrap().iter();
    events.map(|event| event["seq"].as_i64().unwrap()).collect()
}

#[test]
fn the_newest_events_are_shown_in_their_order_a_line_each() {
    let site = Site::new();
    site.add_dir("disk-a");
    site.put("a", 1000);
    site.add_dir("disk-b");
    site.run(&["repack", "disk-a", "--limit-bytes", "1"]);
    for _ in 0..30 {
        site.run(&["medium", "lock", "disk-b"]).exits(0);
        site.run(&["medium", "unlock", "disk-b"]).exits(0);
    }
    let before = numbers(&site.run(&["events", "--after", "0"]).exits(0));
    assert_eq!(
        numbers(&site.run(&["events"]).exits(0))[..3],
        before[..3],
        "scripts begin with the first"
    );
    let newest = site.say(&["events", "--limit", "3"]).exits(0).stdout;
    let newest: Vec<i64> = newest
        .lines()
        .map(|line| line.split(' ').next().unwrap().parse().unwrap())
        .collect();
    let after = numbers(&site.run(&["events", "--after", "0"]).exits(0));
    let end = after.iter().position(|seq| *seq == newest[2]).unwrap();
    assert_eq!(after[end - 2..=end], newest, "three that follow each other");
    assert!(newest[2] >= before[before.len() - 1], "the last ones that there were");
    let from = newest[0].to_string();
    let following = numbers(&site.run(&["events", "--after", &from, "--limit", "1"]).exits(0));
    assert_eq!(following, [newest[1]], "after a number the oldest come first");

    let said = site.say(&["events"]).exits(0);
    assert_eq!(said.stdout.lines().count(), 50);
    assert!(said.stderr.contains(" older ones are not shown"), "{}", said.stderr);
    let all = site.say(&["events", "--after", "0"]).exits(0);
    assert_eq!(all.stderr, "", "none is left away");
    let told = |kind: &str| {
        let line = all.stdout.lines().find(|line| line.contains(kind));
        line.unwrap_or_else(|| panic!("no {kind} in {}", all.stdout)).to_owned()
    };
    let queued = told("  job.queued  ");
    assert!(
        queued.ends_with("Z  job.queued  job 1  kind=repack sources=disk-a"),
        "{queued}"
    );
    let locked = told("locked by the operator");
    let words = "  medium disk-b  locked=true why=\"locked by the operator\"";
    assert!(locked.ends_with(words), "{locked}");
}

#[test]
fn no_file_names_are_offered_where_a_medium_or_a_word_is_wanted() {
    let mut whole = respool::cli::command();
    whole.build();
    let argument = |verb: &str, name: &str| {
        let command = verb.split(' ').fold(&whole, |command, word| {
            command.find_subcommand(word).unwrap_or_else(|| panic!("no {verb}"))
        });
        let mut arguments = command.get_arguments();
        let found = arguments.find(|one| one.get_id() == name);
        found.unwrap_or_else(|| panic!("{verb} has no {name}")).clone()
    };
    for (verb, name) in [
        ("repack", "sources"),
        ("repack", "to"),
        ("repack", "to_tags"),
        ("repack", "quarantine"),
        ("repack", "limit_bytes"),
        ("extent migrate", "to"),
        ("extent list", "medium"),
        ("medium show", "medium"),
        ("medium what-if-lost", "media"),
        ("medium candidates", "why_not"),
        ("medium set", "values"),
        ("job show", "job"),
        ("dir add", "name"),
        ("events", "after"),
    ] {
        assert_eq!(argument(verb, name).get_value_hint(), ValueHint::Other, "{verb} {name}");
    }
    assert_eq!(argument("dir add", "path").get_value_hint(), ValueHint::DirPath);
    let modes = argument("repack", "verify").get_possible_values();
    let modes: Vec<&str> = modes.iter().map(|mode| mode.get_name()).collect();
    assert_eq!(modes, ["full", "sampled", "none"]);
}

/// A look tells it before anybody needs the disk, and changes nothing.
#[test]
fn a_disk_that_was_pulled_is_shown_as_missing() {
    let site = Site::new();
    site.add_dir("disk-a");
    let shown = || {
        let list = site
            .run(&["medium", "list"])
            .exits(0)
            .text("/media/0/presence")
            .to_owned();
        let show = site
            .run(&["medium", "show", "disk-a"])
            .exits(0)
            .text("/presence")
            .to_owned();
        assert_eq!(list, show);
        show
    };
    assert_eq!(shown(), "attached");
    fs::rename(site.path("disk-a"), site.path("away")).unwrap();
    assert_eq!(shown(), "missing");
    fs::rename(site.path("away"), site.path("disk-a")).unwrap();
    assert_eq!(shown(), "attached", "the catalogue was told nothing");
    site.put("a", 1000);
}

#[test]
fn what_cannot_be_a_medium_is_refused_and_not_touched() {
    let site = Site::new();
    site.add_dir("disk-a");
    fs::create_dir(site.path("full")).unwrap();
    fs::write(site.path("full/precious"), "1").unwrap();
    fs::create_dir(site.path("empty")).unwrap();
    symlink(site.path("empty"), site.path("link")).unwrap();
    site.file("file", 1);
    fs::create_dir(site.path("disk-a/inside")).unwrap();
    for (name, place) in [
        ("b", "full"),
        ("b", "link"),
        ("b", "file"),
        ("b", "missing"),
        ("b", "disk-a"),
        ("b", "disk-a/inside"),
        ("disk-a", "empty"),
        ("a/b", "empty"),
        ("", "empty"),
    ] {
        let said = site.run(&["dir", "add", name, &site.at(place)]).exits(2);
        assert!(said.json["error"]["message"].is_string(), "{name} {place}");
    }
    assert_eq!(fs::read_dir(site.path("full")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(site.path("empty")).unwrap().count(), 0);
    let list = site.run(&["medium", "list"]).exits(0);
    assert_eq!(list.json["media"].as_array().unwrap().len(), 1);
}

#[test]
fn a_medium_is_set_locked_and_unlocked() {
    let site = Site::new();
    site.add_dir("disk-a");
    let set = site
        .run(&[
            "medium",
            "set",
            "disk-a",
            "tags=x,y",
            "adm_state=read_only",
            "capacity=5MiB",
        ])
        .exits(0);
    assert_eq!(set.json["tags"], serde_json::json!(["x", "y"]));
    assert_eq!(set.text("/adm_state"), "read_only");
    assert_eq!(set.number("/capacity_bytes"), 5 << 20);
    site.run(&["medium", "set", "disk-a", "adm_state=erasing"]).exits(2);
    site.run(&["medium", "set", "disk-a", "colour=red"]).exits(2);
    assert_eq!(site.run(&["medium", "lock", "disk-a"]).exits(0).json["locked"], true);
    assert_eq!(site.run(&["medium", "unlock", "disk-a"]).exits(0).json["locked"], false);
    site.run(&["medium", "show", "nobody"]).exits(2);
}

#[test]
fn a_capacity_that_is_raised_counts_at_once_on_a_disk_in_use() {
    let site = Site::new();
    fs::create_dir(site.path("disk-a")).unwrap();
    site.run(&["dir", "add", "disk-a", &site.at("disk-a"), "--capacity", "100KiB"])
        .exits(0);
    site.put("a", 60_000);
    let file = site.file("in-b", 60_000);
    site.run(&["put", &file, "b"]).exits(2);
    site.run(&["medium", "set", "disk-a", "capacity=1GiB"]).exits(0);
    site.put("b", 60_000);
    site.holds("a", 60_000);
    site.holds("b", 60_000);
}

#[test]
fn only_a_medium_with_nothing_live_is_formatted() {
    let site = Site::new();
    site.add_dir("disk-a");
    site.put("a", 1000);
    let verdict = site.run(&["medium", "check-erase", "disk-a"]).exits(2);
    assert_eq!(verdict.json["erasable"], false);
    site.run(&["medium", "format", "disk-a"]).exits(2);
    site.holds("a", 1000);
    site.add_dir("disk-b");
    let before = site.run(&["medium", "show", "disk-b"]).exits(0).number("/generation");
    let after = site.run(&["medium", "format", "disk-b"]).exits(0).number("/generation");
    assert_eq!(after, before + 1);
    site.run(&["check"]).exits(0);
}

#[test]
fn a_medium_alone_makes_its_objects_known_to_an_empty_catalogue() {
    let site = Site::new();
    site.add_dir("disk-a");
    site.put("a/b", 1000);
    site.run(&["stop"]).exits(0);
    let other = Site::new();
    other.run(&["medium", "import", &site.at("disk-a")]);
    let list = other.run(&["object", "list"]).exits(0);
    assert_eq!(list.json["objects"], serde_json::json!([]));
    let report = other.run(&["medium", "import", &site.at("disk-a"), "--adopt"]).exits(0);
    assert_eq!(report.number("/objects_adopted"), 1);
    other.holds("a/b", 1000);
    other.run(&["check"]).exits(0);
}

#[test]
fn an_import_says_what_it_left_without_a_use() {
    let site = Site::new();
    site.add_dir("disk-a");
    site.put("a/b", 1000);
    site.run(&["stop"]).exits(0);
    let objects = site.path("disk-a").join("objects");
    let file = walk(&objects);
    std::fs::remove_file(file).unwrap();
    let other = Site::new();
    let report = other.run(&["medium", "import", &site.at("disk-a"), "--adopt"]);
    assert_ne!(report.code, 0);
    assert_eq!(report.json["unadopted_names"], serde_json::json!(["a/b"]));
    assert!(report.text("/next").contains("--adopt"));
    assert_eq!(report.text("/adm_state"), "read_only");
}

/// The one file below a folder.
fn walk(folder: &std::path::Path) -> std::path::PathBuf {
    let entry = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    if entry.is_dir() { walk(&entry) } else { entry }
}

#[test]
fn what_would_be_lost_with_media_is_told_and_nothing_is_changed() {
    let site = Site::new();
    site.add_dir("disk-a");
    site.put("alone", 1000);
    site.put("deleted", 300);
    site.run(&["delete", "deleted"]).exits(0);
    site.add_dir("disk-b");
    let twice = site.file("twice", 50);
    site.run(&["put", &twice, "twice", "--copies", "2"]).exits(0);
    let told = site.run(&["medium", "what-if-lost", "disk-a"]).exits(0);
    assert_eq!(told.json["lost"], serde_json::json!({ "objects": 2, "bytes": 1300 }));
    assert_eq!(told.json["fewer"], serde_json::json!({ "objects": 1, "bytes": 50 }));
    let listed = told.json["objects"].as_array().unwrap();
    let names: Vec<&str> = listed.iter().map(|one| one["oid"].as_str().unwrap()).collect();
    assert_eq!(
        (names, told.number("/not_listed")),
        (vec!["alone", "deleted", "twice"], 0)
    );
    assert_eq!(
        (
            told.number("/objects/2/copies_now"),
            told.number("/objects/2/copies_left")
        ),
        (2, 1)
    );
    let both = site.run(&["medium", "what-if-lost", "disk-a", "disk-b"]).exits(0);
    assert_eq!(both.number("/lost/objects"), 3);
    let words = site.say(&["medium", "what-if-lost", "disk-a"]).exits(0).stdout;
    assert!(
        words.starts_with("without disk-a: 2 objects (1.3 KiB) would be lost, 1 (50 B)"),
        "{words}"
    );
    assert!(
        words.contains("\nlost: deleted version 1 (300 B, deleted)\n1 of 2 copies: twice"),
        "{words}"
    );
    site.run(&["medium", "what-if-lost", "disk-a", "nobody"]).exits(2);
    site.run(&["medium", "what-if-lost"]).exits(2);
    assert_eq!(site.run(&["medium", "show", "disk-a"]).exits(0).text("/health"), "ok");
    site.holds("alone", 1000);
}
