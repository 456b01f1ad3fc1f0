//! A host that lends few file handles: more are asked for where there are more, and no medium is blamed for the rest.

use crate::site::Site;
use respool_test_support::Simulates;
use std::fs;
use std::process::Command;

/// Files of one put: more than the handles that respoold may have below.
const FILES: usize = 200;
/// Enough for respoold itself and its connections.
const HANDLES: &str = "100";

/// A site with two media and a folder of small files; only its database runs.
fn crowded() -> Site {
    // Only so that another respoold is started, beside the same database.
    Simulates::KilledProcess.say();
    let site = Site::new();
    for name in ["a", "b"] {
        site.add_dir(name);
    }
    fs::create_dir(site.path("many")).unwrap();
    for index in 0..FILES {
        fs::write(site.path("many").join(index.to_string()), [index as u8; 10]).unwrap();
    }
    site.kill();
    site
}

/// Puts them all, by a respoold that inherits this limit (`-S`: the soft one alone).
fn put_under(site: &Site, kind: &str) -> Command {
    let put = ["put", "--recursive", &site.at("many"), "o", "--copies", "2"];
    under(site, kind, &put)
}

/// A command that starts a respoold with this limit.
fn under(site: &Site, kind: &str, arguments: &[&str]) -> Command {
    let plain = site.command(&[&["--json"], arguments].concat());
    let mut limited = Command::new("sh");
    limited
        .args(["-c", &format!("ulimit {kind}-n {HANDLES} && exec \"$0\" \"$@\"")])
        .arg(plain.get_program())
        .args(plain.get_args())
        .current_dir(plain.get_current_dir().unwrap())
        .stdin(std::process::Stdio::null());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited
}

fn health(site: &Site) -> Vec<String> {
    let media = site.run(&["medium", "list"]).exits(0);
    let media = media.json["media"].as_array().unwrap().clone();
    media
        .iter()
        .map(|medium| medium["health"].as_str().unwrap().to_owned())
        .collect()
}

/// The limit of a login shell is a soft one, and respoold raises it.
#[test]
fn a_soft_limit_of_file_handles_keeps_no_put_of_many_files() {
    let site = crowded();
    let put = put_under(&site, "-S ").output().unwrap();
    assert!(put.status.success(), "{}", String::from_utf8_lossy(&put.stdout));
    assert_eq!(health(&site), ["ok", "ok"]);
    let log = fs::read_to_string(site.path("state/respoold.log")).unwrap();
    assert!(log.contains("file handles"), "{log}");
}

/// Where no more are to be had the put fails, the host is to blame, and the media are as good as before.
#[test]
fn a_host_without_file_handles_is_to_blame_and_no_medium_is() {
    let site = crowded();
    let put = put_under(&site, "").output().unwrap();
    let told = String::from_utf8_lossy(&put.stdout).into_owned();
    assert_eq!(put.status.code(), Some(3), "{told}");
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let problem = &told["refused"][0]["problem"];
    assert_eq!(
        (problem["code"].as_str(), problem["blame"].as_str()),
        (Some("host_exhausted"), Some("us")),
        "{told:#}"
    );
    for word in ["ulimit -n", "LimitNOFILE"] {
        assert!(problem["next"].as_str().unwrap().contains(word), "{told:#}");
    }
    assert_eq!(health(&site), ["ok", "ok"]);
    // With more of them the same put goes through.
    site.kill();
    let again = ["put", "--recursive", &site.at("many"), "again", "--copies", "2"];
    site.run(&again).exits(0);
    assert_eq!(health(&site), ["ok", "ok"]);
}

/// So with a repack: it fails, its target stays trusted, and it goes through where there are handles.
#[test]
fn a_repack_without_file_handles_fails_and_blames_no_medium() {
    let site = crowded();
    let put = ["put", "--recursive", &site.at("many"), "o", "--copies", "2"];
    site.run(&put).exits(0);
    site.add_dir("c");
    site.kill();
    let repack = under(&site, "", &["repack", "a", "--to", "c"]).output().unwrap();
    let told = String::from_utf8_lossy(&repack.stdout).into_owned();
    assert_eq!(repack.status.code(), Some(3), "{told}");
    assert!(told.contains("host_exhausted"), "{told}");
    assert_eq!(health(&site), ["ok", "ok", "ok"]);
    site.kill();
    site.run(&["repack", "a", "--to", "c"]).exits(0);
    site.run(&["check"]).exits(0);
}
