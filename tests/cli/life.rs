//! respoold's life: made, started on demand, one per state folder, stopped in order, and refused on other terms.

use crate::site::{Site, runs};
use respool_test_support::Simulates;
use std::process::Command;

#[test]
fn init_makes_a_catalogue_once_and_says_so() {
    let site = Site::new();
    let first = site.run(&["init"]).exits(0);
    assert_eq!(first.json["created"], true);
    let again = site.run(&["init"]).exits(0);
    assert_eq!(again.json["created"], false);
    assert_eq!(first.text("/catalogue"), again.text("/catalogue"));
    let other = site.run(&["init", "--testing"]).exits(2);
    assert_eq!(other.text("/error/code"), "other_catalogue");
}

/// Whoever mistypes the state folder hears at once that this is not the archive he has.
#[test]
fn an_archive_that_is_begun_by_the_way_is_told_once_with_its_folder() {
    let site = Site::new();
    let first = site.run(&["medium", "list"]).exits(0);
    let line = format!(
        "note: {} held no archive; a new, empty one was begun there",
        site.at("state")
    );
    assert!(first.stderr.contains(&line), "{}", first.stderr);
    assert_eq!(first.stderr.lines().count(), 1, "{}", first.stderr);
    site.run(&["stop"]).exits(0);
    let again = site.say(&["medium", "list"]).exits(0);
    assert_eq!(again.stderr, "");
    let other = site.at("other");
    let quiet = site.say(&["--state", &other, "-q", "object", "list"]).exits(0);
    assert_eq!(quiet.stderr, "");
    site.run(&["--state", &other, "stop"]).exits(0);
}

#[test]
fn stop_waits_until_respoold_and_its_database_are_gone() {
    let site = Site::new();
    site.run(&["check"]).exits(0);
    let pid = site.pid().unwrap();
    let postmaster = std::fs::read_to_string(site.path("state/pg/postmaster.pid")).unwrap();
    let postmaster: i32 = postmaster.lines().next().unwrap().parse().unwrap();
    site.run(&["stop"]).exits(0);
    assert!(!runs(pid) && !runs(postmaster));
    assert_eq!(site.pid(), None);
    site.run(&["stop"]).exits(0);
    let medium = site.run(&["medium", "list"]).exits(0);
    assert_eq!(medium.json["media"], serde_json::json!([]));
}

#[test]
fn a_second_respoold_is_refused_and_told_who_runs() {
    let site = Site::new();
    site.run(&["init"]).exits(0);
    let second = Command::new(env!("CARGO_BIN_EXE_respoold"))
        .arg("--state")
        .arg(site.path("state"))
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(2));
    let said = String::from_utf8(second.stdout).unwrap();
    assert!(said.contains(&site.pid().unwrap().to_string()), "{said}");
}

#[test]
fn a_killed_respoold_leaves_the_database_to_the_next_one() {
    Simulates::KilledProcess.say();
    let site = Site::new();
    site.add_dir("disk-a");
    site.put("a", 10_000);
    let postmaster = std::fs::read_to_string(site.path("state/pg/postmaster.pid")).unwrap();
    site.kill();
    let next = site.run(&["medium", "list"]).exits(0);
    assert!(next.stderr.contains("had ended without stopping"), "{}", next.stderr);
    assert_eq!(site.run(&["medium", "list"]).exits(0).stderr, "", "it is said once");
    site.holds("a", 10_000);
    let adopted = std::fs::read_to_string(site.path("state/pg/postmaster.pid")).unwrap();
    assert_eq!(postmaster.lines().next(), adopted.lines().next());
    site.run(&["check"]).exits(0);
    let told = || {
        let log = std::fs::read_to_string(site.path("state/respoold.log")).unwrap();
        log.matches("ended without stopping").count()
    };
    assert_eq!(told(), 1, "the log says that it was killed");
    site.run(&["stop"]).exits(0);
    site.run(&["check"]).exits(0);
    assert_eq!(told(), 1, "this one stopped in order");
}

#[test]
fn sigterm_is_an_orderly_stop() {
    let site = Site::new();
    site.run(&["init"]).exits(0);
    let pid = site.pid().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM).unwrap();
    site.wait_gone(pid);
    assert_eq!(site.pid(), None);
}

#[test]
fn an_idle_respoold_leaves_by_itself() {
    let site = Site::new();
    site.config("[daemon]\nidle_exit = \"1s\"\n");
    site.run(&["init"]).exits(0);
    let pid = site.pid().unwrap();
    site.wait_gone(pid);
    site.run(&["check"]).exits(0);
}

#[test]
fn a_config_that_is_wrong_is_refused_with_file_and_line() {
    let site = Site::new();
    site.config("[store]\ncopies = 1\nquarantin = \"7d\"\n");
    let said = site.run(&["init"]).exits(2);
    let message = said.text("/error/message");
    assert!(
        message.contains("config.toml line 3") && message.contains("quarantin"),
        "{message}"
    );
    assert!(!site.path("state/pg").exists());
}

/// A slip in its name is told before respoold is started, and begins no archive.
#[test]
fn a_config_that_is_named_and_missing_is_told_before_anything_is_made() {
    let site = Site::new();
    let missing = site.at("nowhere.toml");
    for command in [&["init"][..], &["medium", "list"], &["put", "file", "object"]] {
        let said = site.run(&[command, &["--config", &missing]].concat()).exits(2);
        assert_eq!(said.text("/error/code"), "config_unreadable");
        assert_eq!(said.text("/error/subject"), missing);
        assert!(said.text("/error/message").contains(&missing));
    }
    assert!(!site.path("state").exists(), "nothing was made");
}

#[test]
fn a_command_with_another_config_is_refused_and_told_to_stop_respoold() {
    let site = Site::new();
    site.run(&["init"]).exits(0);
    let other = site.path("other.toml");
    std::fs::write(&other, "").unwrap();
    let said = site
        .run(&["medium", "list", "--config", other.to_str().unwrap()])
        .exits(2);
    assert_eq!(said.text("/error/code"), "respoold_differs");
    assert!(said.text("/error/next").contains("respool stop"));
}

#[test]
fn a_wrong_command_line_is_refused_also_as_json() {
    let site = Site::new();
    let said = site.run(&["medium", "frobnicate"]).exits(2);
    assert_eq!(said.text("/error/code"), "usage");
    let said = site.say(&["repack"]).exits(2);
    assert!(said.stdout.is_empty() && said.stderr.contains("MEDIUM"));
    assert!(!site.path("state").exists(), "nothing was started");
}

#[test]
fn help_manual_and_completions_need_no_respoold() {
    let site = Site::new();
    assert!(site.say(&["--version"]).exits(0).stdout.starts_with("respool "));
    let respoold = Command::new(env!("CARGO_BIN_EXE_respoold")).arg("--version").output();
    assert!(respoold.unwrap().stdout.starts_with(b"respoold "));
    assert!(
        site.say(&["repack", "--help"])
            .exits(0)
            .stdout
            .contains("--keep-source")
    );
    assert!(site.say(&["completion", "bash"]).exits(0).stdout.contains("_respool"));
    assert!(site.say(&["man"]).exits(0).stdout.contains(".TH"));
    assert!(!site.path("state").exists());
}

/// A link to a config on a disk that is not mounted must not start respoold with another config, and thereby with another
/// catalogue.
#[test]
fn a_config_that_is_there_and_cannot_be_read_is_not_passed_over() {
    let site = Site::new();
    std::fs::create_dir_all(site.path("config/respool")).unwrap();
    let config = site.path("config/respool/config.toml");
    std::os::unix::fs::symlink("/nowhere/config.toml", &config).unwrap();
    let said = site.run(&["medium", "list"]).exits(2);
    assert_eq!(said.text("/error/code"), "config_unreadable");
    assert_eq!(said.text("/error/subject"), site.at("config/respool/config.toml"));
    assert!(!site.path("state/pg").exists(), "nothing was made");
    std::fs::remove_file(&config).unwrap();
    std::fs::create_dir(&config).unwrap();
    let said = site.run(&["medium", "list"]).exits(2);
    assert_eq!(said.text("/error/code"), "config_unreadable");
    std::fs::remove_dir(&config).unwrap();
    site.run(&["medium", "list"]).exits(0);
}

/// E-16: the disk of the catalogue is not mounted, and nobody is told that all is well.
#[test]
fn e16_a_known_state_folder_without_its_database_is_not_ok() {
    let site = Site::new();
    let id = site.run(&["init"]).exits(0).text("/catalogue").to_owned();
    site.run(&["stop"]).exits(0);
    std::fs::rename(site.path("state/pg"), site.path("away")).unwrap();
    for command in [&["check"][..], &["init"]] {
        let said = site.run(command).exits(3);
        assert_eq!(
            (said.text("/error/code"), said.text("/error/subject")),
            ("catalogue_missing", &*id)
        );
    }
    assert!(!site.path("state/pg").exists(), "none was made");
    std::fs::rename(site.path("away"), site.path("state/pg")).unwrap();
    assert_eq!(site.run(&["init"]).exits(0).text("/catalogue"), id);
}
