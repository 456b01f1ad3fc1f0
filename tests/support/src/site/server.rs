//! The processes of a site's private PostgreSQL, for tests that do to them what happens to a host.

use super::{Site, is_alive, pid_of};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;

impl Site {
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
