//! respoold as an operator meets it when things cross: wishes that come while others are still carried out, jobs that
//! nobody works on, disks that are away when their time comes, commands that are interrupted.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use respool_test_support::Simulates;
use respool_test_support::site::{QUICK, Site, wait_until};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Child;
use std::time::{Duration, Instant};

const RESPOOL: &str = env!("CARGO_BIN_EXE_respool");

fn bytes(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8 ^ seed).collect()
}

/// What a command ends with, which must come soon.
fn code_within(mut child: Child, patience: Duration) -> Option<i32> {
    let begun = Instant::now();
    while begun.elapsed() < patience {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    panic!("it did not end within {patience:?}");
}

#[test]
fn a_job_resumed_while_it_still_stops_goes_on() {
    let site = Site::new(RESPOOL);
    site.disks(&["a", "b"]);
    let folder = site.root().join("many");
    fs::create_dir(&folder).unwrap();
    for index in 0..60 {
        fs::write(folder.join(format!("f{index}")), bytes(200_000, index)).unwrap();
    }
    site.ok(&["put", "--recursive", folder.to_str().unwrap(), "o", "--tags", "a"]);
    let job = site.ok(&["repack", "a", "--detach"])["job"].to_string();
    // It copies for a while: pausing takes until its window is swapped, resuming comes at once.
    wait_until("the job moves something", || {
        site.ok(&["job", "show", &job])["extents"]["moved"] != 0
    });
    site.ok(&["job", "pause", &job]);
    let resumed = site.ok(&["job", "resume", &job]);
    assert_eq!(resumed["state"], "quarantined", "{resumed:#}");
    assert_eq!(site.get("o/f7"), bytes(200_000, 7));
}

#[test]
fn nobody_waits_for_ever_for_a_job_that_nobody_works_on() {
    let site = Site::new(RESPOOL);
    site.disks(&["a", "b"]);
    site.put_on("a", "o", &bytes(300_000, 1));
    let job = site.run(&["repack", "a", "--limit-bytes", "100000"]).expect(5)["job"].to_string();
    site.sql(&format!("UPDATE job SET state = 'running' WHERE id = {job}"));
    let waiting = site.command(&["job", "wait", &job]).spawn().unwrap();
    assert_eq!(code_within(waiting, Duration::from_secs(40)), Some(5));
    let resumed = site.run(&["job", "resume", &job]).expect(5);
    assert_eq!(resumed["state"], "paused", "its limit again");
}

#[test]
fn a_disk_away_when_its_quarantine_ends_can_be_formatted_when_it_is_back() {
    let site = Site::new(RESPOOL);
    site.disks(&["a", "b"]);
    site.put_on("a", "o", b"bytes");
    let job = site.ok(&["repack", "a", "--quarantine", "3s"])["job"].to_string();
    site.run(&["medium", "format", "a"]).expect(2);
    site.stop();
    let away = site.root().join("away");
    fs::rename(site.disk("a"), &away).unwrap();
    wait_until("the job finds its source gone", || {
        site.ok(&["job", "show", &job])["state"] == "failed"
    });
    assert_eq!(
        site.medium("a")["adm_state"],
        "read_only",
        "a failed job lets its source go"
    );
    fs::rename(&away, site.disk("a")).unwrap();
    site.ok(&["medium", "trust", "a"]);
    assert_eq!(site.ok(&["medium", "check-erase", "a"])["erasable"], true);
    let formatted = site.ok(&["medium", "format", "a"]);
    assert_eq!(formatted["adm_state"], "in_service");
    assert_eq!(formatted["generation"], 1);
    assert_eq!(site.get("o"), b"bytes");
    site.ok(&["check"]);
}

#[test]
fn what_is_held_for_ever_is_not_called_erasable() {
    let site = Site::new(RESPOOL);
    site.disks(&["a", "b"]);
    site.put_on("a", "o", b"bytes");
    site.ok(&["repack", "a", "--keep-source"]);
    let verdict = site.run(&["medium", "check-erase", "a"]).expect(2);
    assert_eq!(verdict["erasable"], false);
    site.run(&["medium", "format", "a"]).expect(2);
}

#[test]
fn a_put_after_a_purge_has_one_version_in_the_catalogue_and_on_its_medium() {
    let config = QUICK.replace("[store]", "[store]\nundelete_window = \"1s\"");
    let site = Site::with_config(RESPOOL, &config);
    site.disks(&["a"]);
    site.put("o", b"first", &[]);
    site.ok(&["delete", "o"]);
    wait_until("the deleted version is purged", || {
        site.ok(&["object", "list", "--deleted"])["objects"] == serde_json::json!([])
    });
    assert_eq!(site.put("o", b"second", &[])["version"], 2);
    let manifest: String = fs::read_dir(site.disk("a").join(".respool/manifest"))
        .unwrap()
        .map(|segment| fs::read_to_string(segment.unwrap().path()).unwrap())
        .collect();
    let named = |version: u32| {
        manifest
            .matches(&format!("\"oid\":\"o\",\"version\":{version},"))
            .count()
    };
    assert_eq!((named(1), named(2)), (1, 1), "{manifest}");
}

#[test]
fn a_folder_of_which_a_part_was_stored_was_not_refused() {
    let site = Site::new(RESPOOL);
    site.disks(&["a"]);
    let folder = site.root().join("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("old"), "old").unwrap();
    site.ok(&["put", "--recursive", "folder", "f"]);
    site.run(&["put", "--recursive", "folder", "f"]).expect(2);
    fs::write(folder.join("new"), "new").unwrap();
    let put = site.run(&["put", "--recursive", "folder", "f"]).expect(1);
    assert_eq!(put["objects"][0]["oid"], "f/new");
    assert_eq!(put["refused"][0]["oid"], "f/old");
}

#[test]
fn a_dir_add_cut_short_is_finished_by_the_next_one() {
    let site = Site::new(RESPOOL);
    site.disks(&["a", "b"]);
    // Killed between the label and the note of it, and before the label.
    site.sql("UPDATE medium SET fs_state = 'blank'");
    fs::remove_dir_all(site.disk("b")).unwrap();
    fs::create_dir(site.disk("b")).unwrap();
    for (name, place) in [("a", "b"), ("b", "a")] {
        let elsewhere = site.disk(place).display().to_string();
        site.run(&["dir", "add", name, &elsewhere]).expect(2);
    }
    for name in ["a", "b"] {
        let place = site.disk(name).display().to_string();
        assert_eq!(site.ok(&["dir", "add", name, &place])["fs_state"], "empty");
        site.run(&["dir", "add", name, &place]).expect(2);
        site.put_on(name, name, b"bytes");
    }
}

#[test]
fn no_process_is_left_when_stop_returns() {
    let site = Site::new(RESPOOL);
    site.disks(&["a"]);
    for _ in 0..3 {
        site.ok(&["check"]);
        site.ok(&["stop"]);
        let mine = site.state().display().to_string();
        let left = fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let line = fs::read(entry.ok()?.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains(&mine).then_some(line)
        });
        assert_eq!(left.collect::<Vec<_>>(), Vec::<String>::new());
    }
}

#[test]
fn what_is_typed_wrong_is_refused_as_json_too_and_makes_no_catalogue() {
    let site = Site::new(RESPOOL);
    for typed in [
        &["object"][..],
        &["extent", "list", "--state", "orphans"],
        &["job", "show", "x"],
    ] {
        let refused = site.run(typed);
        assert_eq!((refused.code, refused.problem()), (2, "usage"), "{refused:?}");
    }
    assert!(!site.root().join("orphans").exists());
}

#[test]
fn an_interrupted_get_leaves_nothing_beside_its_file() {
    let site = Site::new(RESPOOL);
    site.disks(&["a"]);
    site.put("o", &bytes(300_000, 3), &[]);
    site.stop();
    site.faults("[[fault]]\nmedium = \"a\"\nop = \"read\"\noid = \"o\"\nnth = 3\nerror = \"hang\"\ntimes = 1\n");
    let place = site.root().join("got");
    fs::create_dir(&place).unwrap();
    let get = site.command(&["get", "o", "got/file"]).spawn().unwrap();
    wait_until("the get has begun to write", || {
        fs::read_dir(&place).unwrap().count() == 1
    });
    kill(Pid::from_raw(get.id() as i32), Signal::SIGINT).unwrap();
    assert_eq!(code_within(get, Duration::from_secs(20)), Some(5));
    assert_eq!(fs::read_dir(&place).unwrap().count(), 0);
    // A device that hangs is left only by ending the process.
    site.kill();
}

#[test]
fn nothing_is_sent_to_a_socket_in_a_strangers_folder() {
    let site = Site::new(RESPOOL);
    site.disks(&["a"]);
    site.stop();
    // A folder that anybody may use stands where the last respoold had its socket.
    let trap = site.root().join("trap");
    fs::create_dir(&trap).unwrap();
    fs::set_permissions(&trap, PermissionsExt::from_mode(0o777)).unwrap();
    let listener = std::os::unix::net::UnixListener::bind(trap.join("respoold.sock")).unwrap();
    listener.set_nonblocking(true).unwrap();
    fs::write(site.state().join("sockets"), format!("{}\n", trap.display())).unwrap();
    site.put("o", b"secret", &[]);
    assert!(listener.accept().is_err(), "nobody called");
    assert_eq!(site.get("o"), b"secret");
}

#[test]
fn x05_a_killed_postgresql_is_started_again_and_the_job_goes_on() {
    Simulates::KilledProcess.say();
    let site = Site::new(RESPOOL);
    site.disks(&["a", "b"]);
    for n in 0..40 {
        site.put_on("a", &format!("o/{n}"), &bytes(100_000, n));
    }
    let job = site.ok(&["repack", "a", "--quarantine", "0", "--detach"])["job"].to_string();
    for _ in 0..2 {
        let pid = fs::read_to_string(site.state().join("pg/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().to_owned();
        let killed = std::process::Command::new("kill")
            .args(["-KILL", &pid])
            .status()
            .unwrap();
        assert!(killed.success());
        std::thread::sleep(Duration::from_millis(1500));
    }
    let begun = std::time::Instant::now();
    let waiting = site.command(&["job", "wait", &job]).spawn().unwrap();
    assert_eq!(code_within(waiting, Duration::from_secs(60)), Some(0));
    site.ok(&["check"]);
    for n in 0..40 {
        assert_eq!(site.get(&format!("o/{n}")), bytes(100_000, n));
    }
    println!("back after {:?}", begun.elapsed());
}

#[test]
fn nothing_is_made_in_the_place_of_a_catalogue_that_is_gone() {
    Simulates::KilledProcess.say();
    let site = Site::new(RESPOOL);
    site.disks(&["a"]);
    site.put_on("a", "o", b"bytes");
    let (place, away) = (site.state().join("pg"), site.state().join("pg-elsewhere"));
    let postmaster = fs::read_to_string(place.join("postmaster.pid")).unwrap();
    let postmaster: i32 = postmaster.lines().next().unwrap().parse().unwrap();
    kill(Pid::from_raw(postmaster), Signal::SIGKILL).unwrap();
    fs::rename(&place, &away).unwrap();
    wait_until("it was looked for", || site.log().contains("its folder is gone"));
    assert!(!place.exists(), "an empty catalogue would be in the way of this one");
    fs::rename(&away, &place).unwrap();
    wait_until("the catalogue is back", || site.run(&["object", "list"]).code == 0);
    assert_eq!(site.get("o"), b"bytes");
}
