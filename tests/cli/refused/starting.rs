//! What keeps respoold from starting, or a client from talking to it.

use super::{RESPOOL, Refusals, site, transcript};
use respool::api::Problem;
use respool::api::hello::Terms;
use respool::client::{Client, json_body};
use respool::state::StateFolder;
use respool_test_support::{Site, Transcript};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// What the client of the program under test agrees upon with respoold.
fn terms(site: &Site) -> Terms {
    let variables: BTreeMap<_, _> = site.variables().into_iter().collect();
    Terms::new(Some(site.config()), |name| variables.get(name).cloned())
}

fn client(site: &Site, terms: &Terms) -> Result<Client, Problem> {
    let state = StateFolder::resolve(Some(&site.state())).unwrap();
    let running = runtime().block_on(Client::running(&state, terms))?;
    Ok(running.expect("respoold runs: a command came before"))
}

/// For what is asked from here.
pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// What a program is told that sends this, and is refused.
pub(super) fn asked(site: &Site, path: &str, request: &Value) -> String {
    let client = client(site, &terms(site)).unwrap();
    let refused = runtime().block_on(client.send(path, json_body(request)));
    shown(&refused.map(drop).unwrap_err())
}

fn shown(problem: &Problem) -> String {
    format!("{problem}\n  next: {}\n  exit: {}", problem.next, problem.exit)
}

#[test]
fn a_wrong_config_is_named_with_its_file_and_line() {
    let site = site(&["a"]);
    site.put_on("a", "one", b"bytes");
    let right = fs::read_to_string(site.config()).unwrap();
    let mut refusals = Refusals::new(&site, &["a"], "Configs that are wrong");
    let before = refusals.everything();
    site.stop();
    for (what, text) in [
        ("An unknown key.", "[store]\n\ncopies = 1\nquarantin = \"7d\"\n"),
        ("An unknown section.", "[stor]\ncopies = 1\n"),
        ("A value of a wrong type.", "[store]\ncopies = \"one\"\n"),
        ("A value that is no size.", "[memory]\nring = \"lots\"\n"),
        ("A value that is no duration.", "[repack]\nquarantine = \"7\"\n"),
        (
            "A value that cannot work.",
            "[repack]\nsync_bytes = 1\nsync_seconds = 0\n",
        ),
        ("No TOML.", "[store]\ncopies = = 1\n"),
        ("No end of a string.", "[catalogue]\nurl = \"postgres://\n"),
    ] {
        fs::write(site.config(), text).unwrap();
        refusals.note(what);
        assert_eq!(refusals.seen.run(&site, "medium list"), 2, "{what}");
        assert!(site.pid().is_none(), "no respoold runs");
    }
    refusals.note("A config that is not there.");
    fs::remove_file(site.config()).unwrap();
    assert_eq!(refusals.seen.run(&site, "medium list"), 2);
    fs::write(site.config(), right).unwrap();
    site.ok(&["medium", "list"]);
    assert!(before == refusals.everything(), "something was touched");
    refusals.matches("config");
}

#[test]
fn one_state_folder_has_one_respoold_and_its_clients_are_like_it() {
    let site = site(&["a"]);
    site.put_on("a", "one", b"bytes");
    let mut refusals = Refusals::new(
        &site,
        &["a"],
        "A second respoold, and clients that differ from the first",
    );
    let respoold = || {
        let mut second = Command::new(Path::new(RESPOOL).with_file_name("respoold"));
        second.env("RESPOOL_STATE", site.state()).env("RESPOOL_LOG", "off");
        second.arg("--config").arg(site.config()).envs(site.variables());
        second
    };
    refusals.note("respoold runs already. This is what it tells whoever started it.");
    refusals.command("respoold --state SITE/state", respoold(), 2);
    refusals.note("Clients with another config, and with another clock.");
    fs::write(site.root().join("other.toml"), "").unwrap();
    let mut other = site.spoken(&["medium", "list"]);
    other.arg("--config").arg("other.toml");
    // The last one counts.
    refusals.command("respool medium list --config other.toml", plain(other), 2);
    let mut other = site.spoken(&["medium", "list"]);
    other.env("RESPOOL_NOW", "2030-01-01T00:00:00Z");
    refusals.command("RESPOOL_NOW=2030-01-01T00:00:00Z respool medium list", other, 2);
    refusals.matches("respoold");
}

#[test]
fn a_drill_needs_its_declaration_and_its_catalogue() {
    let site = site(&["a"]);
    site.put_on("a", "one", b"bytes");
    let mut refusals = Refusals::new(&site, &["a"], "Drills where none are allowed");
    let before = refusals.everything();
    site.stop();
    let command = |args: &[&str], unset: &[&str], set: &[(&str, &str)]| {
        let mut command = site.spoken(args);
        for name in unset {
            command.env_remove(name);
        }
        command.envs(set.iter().copied());
        command
    };
    let testing = "RESPOOL_TESTING";
    let faults = "RESPOOL_FAULTS";
    let mut seen = Transcript::new("");
    std::mem::swap(&mut seen, &mut refusals.seen);
    seen.hide_place(&site);
    let mut refused = |what: &str, command: Command| {
        assert_eq!(seen.command(what, command), 2, "{what}");
        assert!(site.pid().is_none(), "no respoold runs");
    };
    refused(
        "RESPOOL_FAULTS=faults.toml respool medium list",
        command(&["medium", "list"], &[testing], &[]),
    );
    let now = ("RESPOOL_NOW", "2030-01-01T00:00:00Z");
    refused(
        "RESPOOL_NOW=2030-01-01T00:00:00Z respool medium list",
        command(&["medium", "list"], &[testing, faults], &[now]),
    );
    let now = ("RESPOOL_NOW", "tomorrow");
    refused(
        "RESPOOL_TESTING=1 RESPOOL_NOW=tomorrow respool medium list",
        command(&["medium", "list"], &[faults], &[now]),
    );
    fs::write(site.root().join("dance.toml"), "[[fault]]\nop = \"dance\"\n").unwrap();
    let dance = (faults, "dance.toml");
    refused(
        "RESPOOL_TESTING=1 RESPOOL_FAULTS=dance.toml respool medium list",
        command(&["medium", "list"], &[], &[dance]),
    );
    let missing = (faults, "missing.toml");
    refused(
        "RESPOOL_TESTING=1 RESPOOL_FAULTS=missing.toml respool medium list",
        command(&["medium", "list"], &[], &[missing]),
    );
    refused("RESPOOL_TESTING=1 respool init", command(&["init"], &[faults], &[]));
    let normal = site.root().join("normal");
    let at = ("RESPOOL_STATE", normal.to_str().unwrap());
    seen.note("A state folder without a catalogue, and with one that is not for drills.");
    let list = ["medium", "list"];
    let drill = || command(&list, &[faults], &[at]);
    let words = "RESPOOL_STATE=normal RESPOOL_TESTING=1 respool medium list";
    assert_eq!(seen.command(words, drill()), 2);
    let usual = |args: &[&str]| command(args, &[testing, faults], &[at]).output().unwrap();
    assert!(usual(&["init"]).status.success() && usual(&["stop"]).status.success());
    assert_eq!(seen.command(words, drill()), 2);
    assert!(usual(&["stop"]).status.success());
    site.ok(&["medium", "list"]);
    assert!(before == refusals.everything(), "something was touched");
    seen.matches(&transcript("drills"));
}

#[test]
fn a_state_folder_that_cannot_be_written_is_an_environment_that_fails() {
    let site = Site::ordinary(RESPOOL);
    site.disks(&["a"]);
    let locked = site.folder("locked");
    fs::set_permissions(&locked, Permissions::from_mode(0o555)).unwrap();
    fs::write(site.root().join("file"), "").unwrap();
    let mut refusals = Refusals::new(&site, &["a"], "State folders that cannot be written");
    refusals.note("Who runs respool is not root; the folder locked is read-only for everybody.");
    for state in ["locked", "locked/state", "file", "file/state"] {
        let mut list = site.spoken(&["medium", "list"]);
        list.arg("--state").arg(state);
        refusals.command(&format!("respool medium list --state {state}"), list, 3);
    }
    assert_eq!(fs::read_dir(&locked).unwrap().count(), 0);
    refusals.note("A state folder that becomes read-only while no respoold runs.");
    let before = refusals.everything();
    site.stop();
    fs::set_permissions(site.state(), Permissions::from_mode(0o555)).unwrap();
    refusals.disturbed("medium list", 3);
    refusals.disturbed("put file new", 3);
    fs::set_permissions(site.state(), Permissions::from_mode(0o700)).unwrap();
    refusals.disturbed("medium list", 0);
    refusals.nothing_since(&before, "the state folder was read-only");
    refusals.matches("state");
}

/// Of two `--config`, only the later one.
fn plain(command: Command) -> Command {
    let mut again = Command::new(command.get_program());
    let args: Vec<_> = command.get_args().skip(2).collect();
    again.args(args).current_dir(command.get_current_dir().unwrap());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => again.env(name, value),
            None => again.env_remove(name),
        };
    }
    again
}
