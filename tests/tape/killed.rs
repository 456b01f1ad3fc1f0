//! Every step that a drill can name, once, from tape to tape: respoold dies there in the middle of a repack. The next one
//! goes on by itself, nothing is lost, and the tapes are volumes to whoever else reads them.

use super::house::{Held, RESPOOL, all_is_well, fill, filling, independent_check, job_of, loft, mixed, newest_job};
use respool_test_support::{Simulates, Site};
use serde_json::Value;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

const OBJECTS: usize = 40;

/// Which command comes to a step.
enum Verb {
    Repack,
    Restore,
    Put,
    Delete,
}

/// The verb of a step, and how often the step is passed before respoold dies there.
fn course(step: &str) -> (Verb, u32) {
    match step {
        "put.after_record" | "put.after_sync" | "put.after_commit" => (Verb::Put, 1),
        "delete.before_commit" => (Verb::Delete, 1),
        "restore.before_commit" | "restore.after_commit" => (Verb::Restore, 1),
        "spool.middle" | "read.middle" | "verify.after" | "write.middle" | "write.after" | "read_back.middle" => {
            (Verb::Repack, 17)
        }
        "spool.filled"
        | "record.before_commit"
        | "record.after_commit"
        | "sync.before"
        | "sync.after"
        | "swap.before_commit"
        | "swap.after_commit" => (Verb::Repack, 2),
        _ => (Verb::Repack, 1),
    }
}

/// How many drives there are: two, or one so that a repack is staged.
fn drives(step: &str) -> u16 {
    if step.starts_with("spool.") { 1 } else { 2 }
}

/// A site on which one repack after another goes back and forth between two tapes.
struct Road {
    site: Site,
    drives: u16,
    held: Held,
    from: &'static str,
    to: &'static str,
    round: u64,
}

impl Road {
    fn new(drives: u16) -> Self {
        let site = loft(drives, &["a", "b"]);
        let held = fill(&site, "things", &mixed(OBJECTS), &["--tags", "a"]);
        Self {
            site,
            drives,
            held,
            from: "a",
            to: "b",
            round: 0,
        }
    }

    /// Runs a command during which respoold dies at the step.
    fn die(&self, step: &str, command: &[&str]) {
        let pid = self.site.pid().expect("respoold was started for this");
        let outcome = self.site.run(command);
        assert_eq!(outcome.code, 3, "{step} was not reached: {outcome:?}");
        self.site.wait_for_death(pid);
        let log = self.site.log();
        let last = log
            .lines()
            .rev()
            .find(|line| line.contains("the drill ends respoold here"));
        assert!(
            last.is_some_and(|line| line.contains(step)),
            "respoold died elsewhere: {last:?}"
        );
        self.site.heal();
    }

    fn walk(&mut self, step: &str) -> Value {
        let (verb, nth) = course(step);
        let (from, to, round) = (self.from, self.to, self.round);
        self.site.crash_at(step, nth);
        let jobs = newest_job(&self.site).map_or(0, |job| job["job"].as_u64().unwrap());
        let repack = ["repack", from, "--to", to, "--quarantine", "0"];
        let report = match verb {
            Verb::Repack => {
                self.die(step, &repack);
                self.arrive(&repack, jobs)
            }
            Verb::Put => {
                let (oid, bytes) = (format!("cut/{round}"), filling(round, 9_000));
                let file = self.site.root().join("cut");
                std::fs::write(&file, &bytes).unwrap();
                self.die(step, &["put", &file.display().to_string(), &oid, "--tags", from]);
                match step {
                    "put.after_commit" => assert_eq!(self.site.get(&oid), bytes),
                    _ => {
                        let there = self.site.try_get(&oid).unwrap_err();
                        assert_eq!(there.code, 2, "{step}: what was not acknowledged is not there");
                        self.site.put(&oid, &bytes, &["--tags", from]);
                    }
                }
                self.held.insert(oid, bytes);
                self.site.ok(&repack)
            }
            Verb::Delete => {
                self.die(step, &["delete", "things/0004"]);
                self.site.ok(&repack)
            }
            Verb::Restore => {
                let job = job_of(&self.site.ok(&["repack", from, "--to", to, "--quarantine", "7d"]));
                self.die(step, &["job", "restore", &job]);
                let restored = self.site.ok(&["job", "restore", &job]);
                assert_eq!(restored["state"], "restored", "{restored:#}");
                all_is_well(&self.site, &self.held);
                self.site.ok(&repack)
            }
        };
        assert_eq!(report["state"], "done", "{report:#}");
        self.after();
        report
    }

    /// Waits for the job that was given when respoold died, or gives it again if it was never accepted.
    fn arrive(&self, repack: &[&str], jobs_before: u64) -> Value {
        match newest_job(&self.site).filter(|job| job["job"].as_u64().unwrap() > jobs_before) {
            Some(job) => self.site.ok(&["job", "wait", &job_of(&job)]),
            None => self.site.ok(repack),
        }
    }

    /// The source is empty and usable, everything is as it was put, and both tapes are volumes.
    fn after(&mut self) {
        let source = self.site.medium(self.from);
        assert_eq!(
            (&source["adm_state"], &source["fs_state"]),
            (&"in_service".into(), &"empty".into()),
            "{source:#}"
        );
        all_is_well(&self.site, &self.held);
        independent_check(&self.site, &["a", "b"], &[]);
        std::mem::swap(&mut self.from, &mut self.to);
        self.round += 1;
    }
}

/// One line of the table at the end.
struct Line {
    step: String,
    seconds: f64,
    outcome: Result<Value, String>,
}

fn steps() -> Vec<String> {
    let site = Site::new(RESPOOL);
    let listed = site.ok(&["drill", "steps"]);
    let steps = listed["steps"].as_array().expect("a list of steps");
    let name = |step: &Value| {
        step.as_str()
            .or(step["name"].as_str())
            .expect("a step has a name")
            .to_owned()
    };
    steps.iter().map(name).collect()
}

fn work(queue: &Mutex<VecDeque<String>>, table: &Mutex<Vec<Line>>) {
    let mut road = None;
    loop {
        let Some(step) = queue.lock().unwrap().pop_front() else {
            return;
        };
        let (begun, drives) = (Instant::now(), drives(&step));
        let walked = catch_unwind(AssertUnwindSafe(|| {
            let mut on = road
                .take()
                .filter(|road: &Road| road.drives == drives)
                .unwrap_or_else(|| Road::new(drives));
            let report = on.walk(&step);
            (on, report)
        }));
        let outcome = match walked {
            Ok((on, report)) => {
                road = Some(on);
                Ok(report)
            }
            // The next step begins on another site.
            Err(panic) => Err(panic
                .downcast_ref::<String>()
                .cloned()
                .unwrap_or_else(|| "a panic".into())),
        };
        let seconds = begun.elapsed().as_secs_f64();
        table.lock().unwrap().push(Line { step, seconds, outcome });
    }
}

#[test]
fn x11_x12_killed_at_every_step_a_repack_of_tapes_goes_on_and_loses_nothing() {
    Simulates::KilledProcess.say();
    let mut steps = steps();
    assert!(steps.len() >= 30, "{steps:?}");
    if let Ok(only) = std::env::var("RESPOOL_TEST_STEP") {
        steps.retain(|step| step.contains(&only));
    }
    let (queue, table) = (Mutex::new(VecDeque::from(steps.clone())), Mutex::new(vec![]));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| work(&queue, &table));
        }
    });
    let table = table.into_inner().unwrap();
    println!("{:26} {:>7} {:>6} {:>10}", "died at", "seconds", "moved", "recopied");
    for line in &table {
        match &line.outcome {
            Ok(report) => println!(
                "{:26} {:7.1} {:>6} {:>10}",
                line.step, line.seconds, report["extents"]["moved"], report["bytes_recopied"]
            ),
            Err(why) => println!("{:26} {:7.1} FAILED {:.600}", line.step, line.seconds, why),
        }
    }
    let failed: Vec<&str> = table
        .iter()
        .filter(|line| line.outcome.is_err())
        .map(|line| line.step.as_str())
        .collect();
    assert_eq!(failed, Vec::<&str>::new());
    assert_eq!(table.len(), steps.len());
}

/// whoever is killed leaves tapes in the drives. The next one puts them away for those that are wanted.
#[test]
fn x20_tapes_that_were_left_in_the_drives_make_way_for_others() {
    let site = loft(2, &["a", "b", "c"]);
    let mut held = fill(&site, "on-a", &mixed(6), &["--tags", "a"]);
    held.extend(fill(&site, "on-c", &mixed(6), &["--tags", "c"]));
    held.extend(fill(&site, "on-b", &mixed(6), &["--tags", "b"]));
    site.kill();
    let drives = site.ok(&["drive", "list"]);
    let full = drives["drives"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|drive| drive["barcode"].is_string());
    assert_eq!(full.count(), 2, "{drives:#}");
    all_is_well(&site, &held);
}
