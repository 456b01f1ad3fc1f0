//! The plan of a very large medium: rows alone, no files.

use crate::figure::{Figure, Target};
use crate::house::{FIRST, add_medium, rows_like_the_first, site};
use crate::measure::peak_memory;
use nix::unistd::Pid;
use respool_test_support::Site;
use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

const SECONDS: f64 = 60.0;
/// Memory beside what each extent takes and the ring as configured. (A spool would come on top; nothing is staged here.)
const BASE: u64 = 128 << 20;
/// For each extent of the medium that is planned.
const EACH: u64 = 300;
const BYTES: usize = 4_096;
/// Rows are added by so many.
const STEP: u64 = 500_000;

pub fn run(extents: u64) -> Vec<Figure> {
    eprintln!("plan: {extents} extents");
    let site = site();
    let room = extents * (BYTES as u64 + (16 << 10)) + (1 << 30);
    add_medium(&site, "a", room);
    site.put(FIRST, &[7; BYTES], &[]);
    add_medium(&site, "b", room);
    add_rows(&site, extents - 1);
    // The peak is this respoold's, which has done nothing else.
    site.stop();
    site.ok(&["job", "list"]);
    let (seconds, steps, client) = plan(&site);
    assert_eq!(steps, extents, "the plan moves them all");
    let respoold = peak_memory(site.pid().expect("respoold runs")).map_or(f64::NAN, |bytes| bytes as f64);
    let config = respool::config::Config::default();
    let most = BASE + config.memory.ring.0 + EACH * extents;
    let mib = |bytes: f64| bytes / f64::from(1 << 20);
    let memory = |name: &str, bytes: f64| Figure {
        name: format!("memory of {name}, plan of {extents} extents"),
        value: mib(bytes),
        unit: "MiB",
        target: Target::AtMost(mib(most as f64).round()),
        detail: "the most it ever had (VmHWM)".to_owned(),
    };
    vec![
        Figure {
            name: format!("plan of {extents} extents, --json"),
            value: seconds,
            unit: "s",
            target: Target::AtMost(SECONDS),
            detail: format!("{steps} steps"),
        },
        memory("respoold", respoold),
        memory("the client", client),
    ]
}

/// Seconds, steps, and the most memory that the client had.
fn plan(site: &Site) -> (f64, u64, f64) {
    let begun = Instant::now();
    let mut command = site.command(&["repack", "a", "--to", "b", "--plan"]);
    let mut child = command.stderr(Stdio::inherit()).spawn().expect("respool can be run");
    let mut output = child.stdout.take().expect("it is piped");
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id is small"));
    let watch = std::thread::spawn(move || {
        let mut most = 0;
        // Until it is gone: a process that ended and was not waited for has no memory.
        while let Some(peak) = peak_memory(pid) {
            most = most.max(peak);
            std::thread::sleep(Duration::from_millis(10));
        }
        most
    });
    let (mut steps, mut kept, mut block) = (0, vec![], vec![0; 1 << 20]);
    loop {
        let read = output.read(&mut block).expect("a pipe can be read");
        if read == 0 {
            break;
        }
        kept.extend_from_slice(&block[..read]);
        steps += count_steps(&mut kept);
    }
    let status = child.wait().expect("it ends");
    assert!(status.success(), "the plan ended with {status}");
    let client = watch.join().expect("it counts").max(1);
    (begun.elapsed().as_secs_f64(), steps, client as f64)
}

const STEP_KEY: &[u8] = b"\"extent\"";

/// Counts the steps of what came, and keeps only what may be the beginning of one more.
fn count_steps(kept: &mut Vec<u8>) -> u64 {
    let found = kept
        .windows(STEP_KEY.len())
        .filter(|window| *window == STEP_KEY)
        .count();
    kept.drain(..kept.len().saturating_sub(STEP_KEY.len() - 1));
    found as u64
}

/// Objects of one extent each, whole and sound in the catalogue.
fn add_rows(site: &Site, count: u64) {
    let mut first = 1;
    while first <= count {
        let last = count.min(first + STEP - 1);
        site.sql(&rows_like_the_first(first, last));
        first = last + 1;
    }
    site.sql("VACUUM ANALYZE");
}
