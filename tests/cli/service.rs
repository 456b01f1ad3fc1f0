//! respoold under a service manager: nobody else starts it, it tells the manager how it is, and its group may talk to it.

use crate::site::Site;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A site whose state folder a service manager keeps.
fn kept_site() -> Site {
    let site = Site::new();
    fs::create_dir(site.path("state")).unwrap();
    // As root, PostgreSQL runs as another user and passes through.
    fs::set_permissions(site.path("state"), fs::Permissions::from_mode(0o711)).unwrap();
    fs::write(site.path("state/service"), "respoold.service\n").unwrap();
    site
}

/// What a service manager hears.
struct Manager {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Manager {
    fn at(site: &Site) -> Self {
        let socket = UnixDatagram::bind(site.path("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let heard = Vec::new();
        Self { socket, heard }
    }

    /// Listens until a line was heard so often.
    #[track_caller]
    fn wait(&mut self, line: &str, times: usize) {
        let begun = Instant::now();
        let count = |heard: &[String]| heard.iter().filter(|found| *found == line).count();
        while count(&self.heard) < times {
            assert!(begun.elapsed() < Duration::from_secs(90), "{line}: {:?}", self.heard);
            let mut buffer = [0; 4096];
            if let Ok(length) = self.socket.recv(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..length]);
                self.heard.extend(text.lines().map(str::to_owned));
            }
        }
    }
}

fn start(site: &Site) -> Child {
    fs::create_dir(site.path("run")).unwrap();
    fs::set_permissions(site.path("run"), fs::Permissions::from_mode(0o751)).unwrap();
    Command::new(env!("CARGO_BIN_EXE_respoold"))
        .env("NOTIFY_SOCKET", site.path("notify"))
        .env("WATCHDOG_USEC", "300000")
        .env("RUNTIME_DIRECTORY", site.path("run"))
        .env("XDG_CONFIG_HOME", site.path("config"))
        .arg("--state")
        .arg(site.path("state"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn under_a_service_manager_nothing_is_started_on_demand() {
    let site = kept_site();
    for command in [&["medium", "list"][..], &["init"]] {
        let said = site.run(command).exits(3);
        assert_eq!(said.text("/error/code"), "respoold_not_running");
        assert!(said.text("/error/next").contains("systemctl start respoold.service"));
    }
    assert!(!site.path("state/pg").exists() && site.pid().is_none());
}

#[test]
fn a_service_tells_its_manager_stays_when_idle_and_stops_in_order() {
    let site = kept_site();
    site.config("[daemon]\nidle_exit = \"1s\"\n");
    let mut manager = Manager::at(&site);
    let mut respoold = start(&site);
    manager.wait("READY=1", 1);
    site.run(&["medium", "list"]).exits(0);
    // A stop would be everybody's, and nobody would start it again.
    let mine = site.file("mine.toml", 0);
    let said = site.run(&["medium", "list", "--config", &mine]).exits(2);
    assert_eq!(said.text("/error/code"), "respoold_differs");
    let (next, theirs) = (said.text("/error/next"), site.at("config/respool/config.toml"));
    assert!(
        next.contains(&theirs) && next.contains("systemctl restart respoold.service"),
        "{next}"
    );
    assert!(!next.contains("respool stop"), "{next}");
    // Longer than it may be idle, were it not a service: a beat comes every 100 ms.
    manager.wait("WATCHDOG=1", 30);
    site.run(&["medium", "list"]).exits(0);

    let sockets = fs::read_to_string(site.path("state/sockets")).unwrap();
    let sockets = std::path::Path::new(sockets.trim_end());
    assert!(sockets.starts_with(site.path("run")));
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(sockets), mode(&sockets.join("respoold.sock"))), (0o750, 0o660));

    site.run(&["stop"]).exits(0);
    manager.wait("STOPPING=1", 1);
    assert!(respoold.wait().unwrap().success(), "an orderly stop is no failure");
    site.run(&["medium", "list"]).exits(3);
    assert!(!site.path("state/pg/postmaster.pid").exists());
}

/// An operator who can neither ask the service nor see whether it runs is not told that none runs.
#[test]
fn a_service_that_cannot_be_asked_is_not_called_stopped() {
    if !nix::unistd::Uid::effective().is_root() {
        println!("not run: only root can be another user");
        return;
    }
    let (owner, operator) = (1, 65_534);
    let site = kept_site();
    let (state, lock) = (site.path("state"), site.path("state/respoold.lock"));
    // The target folder may lie where an operator cannot go.
    fs::copy(env!("CARGO_BIN_EXE_respool"), site.path("respool")).unwrap();
    fs::write(&lock, "17\n").unwrap();
    let set = |path: &std::path::Path, mode: u32| {
        chown(path, Some(owner), Some(operator)).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    set(&state, 0o750);
    let stop = || {
        let mut stop = Command::new(site.path("respool"));
        stop.args(["stop", "--json", "--state"]).arg(&state).current_dir("/");
        stop.env("XDG_CONFIG_HOME", site.path("config"))
            .uid(operator)
            .gid(operator);
        let output = stop.output().unwrap();
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), told)
    };
    set(&lock, 0o600);
    let (code, told) = stop();
    assert_eq!(
        (code, &told["error"]["code"]),
        (Some(3), &"still_running".into()),
        "{told:#}"
    );
    // As a service leaves it.
    set(&lock, 0o640);
    let (code, told) = stop();
    assert_eq!((code, &told["stopped"]), (Some(0), &false.into()), "{told:#}");
    chown(&state, Some(0), Some(0)).unwrap();
}

/// What runs before the package is unpacked, in a place of its own.
fn before_installing(state: &std::path::Path) -> std::process::Output {
    let spec = include_str!("../../packaging/respool.spec");
    let (_, rest) = spec.split_once("\n%pre\n").unwrap();
    let (script, _) = rest.split_once("\n%post\n").unwrap();
    let script = script
        .replace("%{_sysusersdir}", "/usr/lib/sysusers.d")
        .replace("%{state_folder}", state.to_str().unwrap())
        .replace("%%", "%");
    assert!(!script.contains("%{"), "{script}");
    // The user is made by a program that changes this host.
    let script = format!("systemd-sysusers() {{ cat >/dev/null; }}\nset -e\n{script}");
    Command::new("bash").args(["-c", &script]).output().unwrap()
}

#[test]
fn the_package_does_not_lock_root_out_of_a_catalogue_of_his() {
    let site = Site::new();
    let state = site.path("state");
    assert!(before_installing(&state).status.success(), "there is nothing yet");
    fs::create_dir(&state).unwrap();
    assert!(before_installing(&state).status.success(), "an empty folder");
    fs::write(state.join("catalogue"), "id\n").unwrap();
    let refused = before_installing(&state);
    assert!(!refused.status.success());
    let said = String::from_utf8(refused.stderr).unwrap();
    let give = format!("chown -R respool: {}", state.display());
    for word in ["respool stop", &give, "again"] {
        assert!(said.contains(word), "{said}");
    }
}
