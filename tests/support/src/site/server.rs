//! Behind respoold's back: a site's PostgreSQL, asked by its own client, or with its processes stopped as on a host that
//! is paused.

use super::{Site, is_alive, pid_of};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

impl Site {
    /// Runs SQL in the catalogue, behind respoold's back; rows as lines, columns parted by `|`.
    #[track_caller]
    pub fn sql(&self, statements: &str) -> String {
        let mut psql = self.psql().spawn().expect("psql is installed");
        let mut stdin = psql.stdin.take().expect("stdin is piped");
        stdin.write_all(statements.as_bytes()).expect("psql reads");
        drop(stdin);
        let output = psql.wait_with_output().expect("psql ends");
        let messages = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{statements}\n{messages}");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// psql on the catalogue, reading statements from its stdin.
    pub fn psql(&self) -> Command {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
        match &self.url {
            Some(url) => psql.arg(url),
            None => {
                let mark = fs::read_to_string(self.state().join("pg/postmaster.pid")).expect("the database runs");
                let mut lines = mark.lines().skip(3);
                let (port, host) = (lines.next().expect("a port"), lines.next().expect("a socket"));
                psql.args(["-h", host, "-p", port, "-U", "respool", "-d", "respool"])
            }
        };
        psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.of_user(psql)
    }

    /// The postmaster, by its own word.
    pub fn postmaster(&self) -> Option<Pid> {
        pid_of(&self.state().join("pg/postmaster.pid"))
    }

    /// Stops every process of the server, as a paused machine does, until what is returned ends. It still takes
    /// connections and requests: the kernel does.
    #[track_caller]
    pub fn freeze_server(&self) -> Frozen {
        let postmaster = self.postmaster().filter(|pid| is_alive(*pid));
        let mut frozen = Frozen(vec![postmaster.expect("the database runs")]);
        // The postmaster first: it makes no child that is not seen.
        frozen.stop_from(0);
        frozen.0.extend(children(frozen.0[0]));
        frozen.stop_from(1);
        frozen
    }
}

/// A server that does nothing until this is dropped.
#[derive(Debug)]
#[must_use = "dropping it lets the server go on"]
pub struct Frozen(Vec<Pid>);

impl Frozen {
    fn stop_from(&self, first: usize) {
        for pid in &self.0[first..] {
            // A child may end in this very moment.
            let _ = kill(*pid, Signal::SIGSTOP);
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for pid in &self.0 {
            // Nothing ends while it is stopped, except by a kill from elsewhere.
            let _ = kill(*pid, Signal::SIGCONT);
        }
    }
}

/// The processes that a process started and that have not ended.
pub fn children(of: Pid) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").expect("/proc can be read").flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers
        .filter(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1));
            parent.and_then(|text| text.parse().ok()) == Some(of.as_raw())
        })
        .map(Pid::from_raw)
        .collect()
}
