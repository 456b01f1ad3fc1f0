//! Catalogues that cannot be had or trusted. Nothing is made in their place, and nothing in them changes: their rows are
//! compared when they can be had again.

use super::dumps::live;
use super::starting::runtime;
use super::{Refusals, site, transcript};
use dss::pg::embedded::{Binaries, Durability, EmbeddedCluster, EmbeddedConfig};
use respool_test_support::{Mount, Site, TestCluster, Transcript};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Two commands, one that reads and one that writes, between a disturbance and its end. Either leaves respoold stopped.
fn refuses(seen: &mut Transcript, what: &str, disturb: impl FnOnce(&Site), mend: impl FnOnce(&Site)) {
    let site = site(&["a"]);
    site.put_on("a", "one", b"bytes");
    fs::write(site.root().join("file"), "new").unwrap();
    let mut refusals = Refusals::new(&site, &["a"], "");
    std::mem::swap(&mut refusals.seen, seen);
    let before = refusals.everything();
    refusals.note(what);
    disturb(&site);
    for typed in ["medium list", "put file new"] {
        refusals.disturbed(typed, 3);
    }
    mend(&site);
    site.ok(&["medium", "list"]);
    refusals.nothing_since(&before, what);
    assert_eq!(site.get("one"), b"bytes");
    assert_eq!(refusals.wrong, [""; 0]);
    std::mem::swap(&mut refusals.seen, seen);
}

/// In the private cluster of a site while no respoold runs.
pub(super) fn meanwhile(site: &Site, sql: &str) {
    let config = EmbeddedConfig {
        state_dir: site.state(),
        socket_dir: site.root().join("meanwhile"),
        durability: Durability::Durable,
    };
    let runtime = runtime();
    let cluster = runtime.block_on(EmbeddedCluster::open(&config)).unwrap();
    site.sql(sql);
    runtime.block_on(cluster.stop()).unwrap();
}

/// From the next start on, the catalogue is looked for there.
fn elsewhere(site: &Site, url: &str) {
    site.stop();
    let config = fs::read_to_string(site.config()).unwrap();
    fs::write(site.config(), format!("{config}[catalogue]\nurl = \"{url}\"\n")).unwrap();
}

/// It is looked for where it is.
fn at_home(site: &Site) {
    fs::write(site.config(), respool_test_support::site::QUICK).unwrap();
}

#[test]
fn a_catalogue_that_cannot_be_had_or_trusted_is_an_environment_that_fails() {
    let mut seen = Transcript::new("Catalogues that cannot be reached, used or trusted");
    seen.hide(&format!("knows {}:", dss::pg::known_version()), "knows N:");
    let nobody = "postgres://respool@127.0.0.1:1/respool";
    let what = "Nobody listens where [catalogue] url points to.";
    refuses(&mut seen, what, |site| elsewhere(site, nobody), at_home);
    for (what, sql, undo) in [
        (
            "A newer respool was here: the catalogue has a schema that this one does not know.",
            "INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum, execution_time) \
             SELECT 9999, 'from the future', installed_on, true, checksum, 1 FROM _sqlx_migrations LIMIT 1",
            "DELETE FROM _sqlx_migrations WHERE version = 9999",
        ),
        (
            "The database is read-only.",
            "ALTER DATABASE respool SET default_transaction_read_only = on",
            "SET default_transaction_read_only = off; ALTER DATABASE respool RESET default_transaction_read_only",
        ),
        (
            "Commits are not made durable: the role has synchronous_commit off.",
            "ALTER ROLE respool SET synchronous_commit = off",
            "ALTER ROLE respool RESET synchronous_commit",
        ),
    ] {
        let spoil = |site: &Site| {
            site.sql(sql);
            site.stop();
        };
        refuses(&mut seen, what, spoil, |site| meanwhile(site, undo));
    }
    seen.matches(&transcript("catalogue"));
}

#[test]
fn a_server_with_fsync_off_is_an_environment_that_fails() {
    let runtime = runtime();
    if !runtime.block_on(TestCluster::get()).sentence().contains("fsync off") {
        println!("not run: the tests' server makes its commits durable");
        return;
    }
    let database = runtime.block_on(respool_test_support::fresh_database());
    let mut seen = Transcript::new("A server that makes nothing durable: fsync is off");
    let what = "[catalogue] url names it.";
    refuses(&mut seen, what, |site| elsewhere(site, &database.url()), at_home);
    seen.matches(&transcript("fsync"));
}

/// A page that is torn in a power cut cannot be mended then. The private cluster is never started so; another may be.
#[test]
fn a_server_with_full_page_writes_off_is_an_environment_that_fails() {
    let mut seen = Transcript::new("A server that writes no full pages");
    let mut server = None;
    let what = "[catalogue] url names it; it holds a copy of this catalogue.";
    let disturb = |site: &Site| {
        site.stop();
        let url = server.insert(OwnServer::of_copy(site)).url();
        elsewhere(site, &url);
    };
    refuses(&mut seen, what, disturb, at_home);
    seen.matches(&transcript("full-page-writes"));
}

/// A server that an operator made himself, of a copy of a site's catalogue, with full_page_writes off.
struct OwnServer {
    data: std::path::PathBuf,
    sockets: tempfile::TempDir,
    child: std::process::Child,
}

impl OwnServer {
    fn of_copy(site: &Site) -> Self {
        let (kept, data) = (site.state().join("pg"), site.root().join("own-server"));
        let copied = Command::new("cp").arg("-a").arg(&kept).arg(&data).status();
        assert!(copied.unwrap().success());
        let owner = fs::metadata(&kept).unwrap();
        // A socket's path is short.
        let sockets = tempfile::tempdir_in("/tmp").unwrap();
        std::os::unix::fs::chown(sockets.path(), Some(owner.uid()), Some(owner.gid())).unwrap();
        let mut command = Command::new(Binaries::newest().unwrap().program("postgres"));
        command.arg("-D").arg(&data).arg("-k").arg(sockets.path());
        for setting in [
            "full_page_writes=off",
            "listen_addresses=",
            "port=5432",
            "logging_collector=off",
        ] {
            command.args(["-c", setting]);
        }
        let log = fs::File::create(site.root().join("own-server.log")).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log).current_dir("/");
        if nix::unistd::geteuid().is_root() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        let child = command.spawn().unwrap();
        let server = Self { data, sockets, child };
        site.wait_until("the server answers", || server.is_ready());
        server
    }

    fn is_ready(&self) -> bool {
        let mark = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
        mark.lines().nth(7).is_some_and(|state| state.trim() == "ready")
    }

    fn url(&self) -> String {
        format!(
            "postgres://respool@localhost/respool?host={}",
            self.sockets.path().display()
        )
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).expect("a process id is small"));
        // Fast, not at once: it removes its shared memory.
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT);
        let _ = self.child.wait();
    }
}

#[test]
fn a_catalogue_on_a_full_disk_is_an_environment_that_fails() {
    let site = site(&["a"]);
    site.put_on("a", "one", b"bytes");
    site.stop();
    let (pg, away) = (site.state().join("pg"), site.state().join("pg-away"));
    fs::rename(&pg, &away).unwrap();
    let Some(disk) = Mount::new(&pg, "160m") else { return };
    assert!(copy_into(&away, &pg));
    assert_eq!(site.get("one"), b"bytes");
    let mut refusals = Refusals::new(&site, &["a"], "The disk of the catalogue is full");
    let (before, counted) = (refusals.everything(), live(&site));
    let ballast = disk.path().join("ballast");
    let full = fs::write(&ballast, vec![0; 160 << 20]);
    assert!(full.is_err(), "it is full now");
    // Of so many extents that their rows need room.
    fs::write(site.root().join("file"), vec![7; 16 << 20]).unwrap();
    refusals.disturbed("put file new", 3);
    fs::remove_file(&ballast).unwrap();
    refusals.note("There is room again.");
    refusals.disturbed("object show one", 0);
    refusals.disturbed("check", 0);
    assert_eq!(live(&site), counted);
    // Rows that were begun before the disk was full are given up by the next start, and swept.
    site.stop();
    site.wait_until("what was begun is swept", || site.extents(&[]).len() == 1);
    let (before, after) = (before.untold().unindexed(), refusals.everything().untold().unindexed());
    assert_eq!(before.differs(&after), [""; 0], "after the sweep");
    refusals.matches("catalogue-full");
    site.stop();
}

fn copy_into(from: &Path, to: &Path) -> bool {
    Command::new("cp")
        .arg("-aT")
        .arg(from)
        .arg(to)
        .status()
        .unwrap()
        .success()
}
