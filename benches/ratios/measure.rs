//! Time, processor and device, by the kernel's word.

use nix::sys::resource::{UsageWho, getrusage};
use nix::unistd::{Pid, SysconfVar, sysconf};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The middle of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => figures[count / 2],
        count => (figures[count / 2 - 1] + figures[count / 2]) / 2.0,
    }
}

/// Runs something and says how long it took, in seconds.
pub fn timed(work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    begun.elapsed().as_secs_f64()
}

/// Two ways to do the same, by turns, the first one first in every other pair. Each begins with cold caches and answers how
/// many seconds it took: what it does before and after is its own affair.
pub fn pairs(count: u32, mut ours: impl FnMut(u32) -> f64, mut theirs: impl FnMut(u32) -> f64) -> Vec<(f64, f64)> {
    let mut mine = |number| {
        cold();
        ours(number)
    };
    let mut other = |number| {
        cold();
        theirs(number)
    };
    (0..count)
        .map(|number| match number % 2 {
            0 => {
                let first = mine(number);
                (first, other(number))
            }
            _ => {
                let first = other(number);
                (mine(number), first)
            }
        })
        .collect()
}

const CACHES: &str = "/proc/sys/vm/drop_caches";

/// Everything on the disks, nothing of it in memory, where the kernel lets us.
pub fn cold() {
    nix::unistd::sync();
    // An ordinary user cannot: then `surroundings` says so.
    let _ = fs::write(CACHES, "3");
}

/// What the figures depend on.
pub fn surroundings() -> String {
    let caches = match fs::OpenOptions::new().write(true).open(CACHES) {
        Ok(_) => "caches were cold",
        Err(_) => "caches were NOT cold, which needs root",
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kind = Command::new("stat").args(["-f", "-c", "%T", "/tmp"]).output();
    let kind = kind.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    );
    format!("{cores} cores, {kind} below /tmp, {caches}")
}

/// What a command must do for a figure to mean anything.
fn must(command: &mut Command) {
    let status = command.status().expect("it can be run");
    assert!(status.success(), "{command:?} ended with {status}");
}

/// How many seconds it takes to copy a folder and to make the copy durable, as one does by hand. The copy is removed.
pub fn copy(from: &Path, to: &Path) -> f64 {
    let seconds = timed(|| {
        must(Command::new("cp").arg("-r").arg(from).arg(to));
        must(Command::new("sync").arg("-f").arg(to));
    });
    fs::remove_dir_all(to).expect("it is ours");
    seconds
}

/// Processor time of a process, of all below it that live, and of those below it that it waited for.
pub fn processor(roots: &[Pid]) -> Duration {
    let mut parents: BTreeMap<i32, i32> = BTreeMap::new();
    let mut spent: BTreeMap<i32, u64> = BTreeMap::new();
    for entry in fs::read_dir("/proc").expect("there is a kernel").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        // It may end in this very moment.
        let Ok(text) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        let Some((_, rest)) = text.rsplit_once(") ") else {
            continue;
        };
        // proc_pid_stat(5): after the name, the state, the parent, and from the 12th on utime, stime, cutime, cstime.
        let fields: Vec<u64> = rest
            .split_whitespace()
            .skip(1)
            .map(|field| field.parse().unwrap_or(0))
            .collect();
        parents.insert(pid, i32::try_from(fields[0]).unwrap_or(0));
        spent.insert(pid, fields[10..14].iter().sum());
    }
    let belongs = |mut pid: i32| loop {
        if roots.iter().any(|root| root.as_raw() == pid) {
            return true;
        }
        match parents.get(&pid) {
            Some(parent) if *parent > 1 => pid = *parent,
            _ => return false,
        }
    };
    let ticks: u64 = spent
        .iter()
        .filter(|(pid, _)| belongs(**pid))
        .map(|(_, ticks)| ticks)
        .sum();
    let second = sysconf(SysconfVar::CLK_TCK)
        .ok()
        .flatten()
        .map_or(100, |ticks| ticks.unsigned_abs());
    Duration::from_secs_f64(ticks as f64 / second as f64)
}

/// Processor time of the commands that this process waited for.
pub fn processor_of_commands() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("one may ask");
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Duration::from_secs_f64(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// Bytes that a process had read from devices: proc_pid_io(5). None where the kernel does not say.
pub fn read_from_devices(pid: Pid) -> Option<u64> {
    number_of(&format!("/proc/{pid}/io"), "read_bytes:")
}

/// The most memory a process ever had, in bytes.
pub fn peak_memory(pid: Pid) -> Option<u64> {
    number_of(&format!("/proc/{pid}/status"), "VmHWM:").map(|kilobytes| kilobytes * 1_024)
}

/// The memory that a process has now, in bytes.
pub fn resident_memory(pid: Pid) -> Option<u64> {
    number_of(&format!("/proc/{pid}/status"), "VmRSS:").map(|kilobytes| kilobytes * 1_024)
}

fn number_of(file: &str, key: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
