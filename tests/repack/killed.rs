//! Every step that a drill can name, once: respoold dies there in the middle of a repack of 300 extents with puts and
//! deletes before, around and after. The next one goes on by itself, and nothing is lost, leaked or begun from zero.

use super::house::{Held, RESPOOL, files_and_rows_agree, fill, filling, job_of, mixed, newest_job};
use super::wire;
use respool_test_support::{Simulates, Site};
use serde_json::Value;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

/// `[repack] sync_bytes`, `[memory] ring` and the largest extent of `mixed`, as the sites here have them.
const ONE_WINDOW: u64 = (64 << 10) + (64 << 10) + 16_385;

const OBJECTS: usize = 270;
const TWICE: usize = 30;

/// Which command comes to a step.
enum Verb {
    Repack,
    Restore,
    Put,
    Delete,
}

/// The verb of a step, and how often the step is passed before respoold dies there: in the middle of things.
fn course(step: &str) -> (Verb, u32) {
    match step {
        "spool.middle" => (Verb::Repack, 137),
        "spool.filled" => (Verb::Repack, 4),
        "put.after_record" | "put.after_sync" | "put.after_commit" => (Verb::Put, 1),
        "delete.before_commit" => (Verb::Delete, 1),
        "restore.before_commit" | "restore.after_commit" => (Verb::Restore, 1),
        "read.middle" | "verify.after" | "write.middle" | "write.after" | "read_back.middle" => (Verb::Repack, 137),
        "record.before_commit"
        | "record.after_commit"
        | "sync.before"
        | "sync.after"
        | "swap.before_commit"
        | "swap.after_commit" => (Verb::Repack, 4),
        _ => (Verb::Repack, 1),
    }
}

/// Where the two media are driven: apart, or in one dock, so that a repack is staged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Docks {
    Apart,
    One,
}

impl Docks {
    fn of(step: &str) -> Self {
        if step.starts_with("spool.") {
            Self::One
        } else {
            Self::Apart
        }
    }
}

/// A site on which one repack after another goes back and forth between two media; a third has second copies.
struct Road {
    site: Site,
    docks: Docks,
    held: Held,
    /// Where everything lies, and where it goes next.
    from: &'static str,
    to: &'static str,
    round: usize,
    /// Bytes that the job had recorded and not swapped when respoold died.
    under_way: u64,
}

impl Road {
    fn new(docks: Docks) -> Self {
        let site = Site::new(RESPOOL);
        match docks {
            Docks::Apart => site.disks(&["a", "b", "c"]),
            Docks::One => {
                site.disks(&["c"]);
                for name in ["a", "b"] {
                    let path = site.disk(name).display().to_string();
                    std::fs::create_dir(&path).unwrap();
                    site.ok(&["dir", "add", name, &path, "--capacity", "1GiB", "--dock", "d"]);
                }
            }
        }
        site.ok(&["medium", "set", "c", "tags=c,second"]);
        for medium in ["a", "b"] {
            site.ok(&["medium", "set", medium, &format!("tags={medium},first,second")]);
        }
        let mut held = fill(&site, "things", &mixed(OBJECTS), &["--tags", "a"]);
        // Nothing goes to b now, so that the two copies are on a and c.
        site.ok(&["medium", "lock", "b"]);
        held.extend(fill(
            &site,
            "twice",
            &mixed(TWICE),
            &["--copies", "2", "--tags", "second"],
        ));
        site.ok(&["medium", "unlock", "b"]);
        Self {
            site,
            docks,
            held,
            from: "a",
            to: "b",
            round: 0,
            under_way: 0,
        }
    }

    fn put(&mut self, oid: String, more: &[&str]) {
        let bytes = filling(self.round as u64, 1_500 + self.round);
        self.site.put(&oid, &bytes, more);
        self.held.insert(oid, bytes);
    }

    fn delete(&mut self, oid: &str) {
        self.site.ok(&["delete", oid]);
        self.held.remove(oid);
    }

    /// Before the repack: an object more, one deleted and one overwritten.
    fn before(&mut self) {
        let (round, from) = (self.round, self.from);
        self.put(format!("before/{round}"), &["--tags", from]);
        self.put(format!("things/{:04}", round * 8 + 2), &["--overwrite", "--tags", from]);
        self.delete(&format!("things/{:04}", round * 8 + 1));
    }

    /// Runs a command during which respoold dies at the step. What it did not live to answer is asked again later.
    fn die(&mut self, step: &str, command: &[&str]) {
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
        let under_way = "SELECT coalesce(sum(bytes), 0) FROM extent WHERE state = 'pending' AND owner_job IS NOT NULL";
        self.under_way = self.site.sql(under_way).parse().unwrap();
        self.site.heal();
    }

    /// Waits for the job that was given when respoold died, or gives it again if it was never accepted.
    fn arrive(&self, repack: &[&str], jobs_before: u64) -> Value {
        match newest_job(&self.site).filter(|job| job["job"].as_u64().unwrap() > jobs_before) {
            Some(job) => self.site.ok(&["job", "wait", &job_of(&job)]),
            None => self.site.ok(repack),
        }
    }

    fn walk(&mut self, step: &str) -> Value {
        let (verb, nth) = course(step);
        let (from, to) = (self.from, self.to);
        self.before();
        self.site.crash_at(step, nth);
        self.site.ok(&["job", "list"]);
        let jobs = newest_job(&self.site).map_or(0, |job| job["job"].as_u64().unwrap());
        let repack = ["repack", from, "--to", to, "--quarantine", "0"];
        let report = match verb {
            Verb::Repack => {
                self.die(step, &repack);
                self.during();
                self.arrive(&repack, jobs)
            }
            Verb::Put | Verb::Delete => {
                let detached = [&repack[..], &["--detach"]].concat();
                self.site.ok(&detached);
                self.die_beside_a_repack(step, &verb);
                self.during();
                self.arrive(&repack, jobs)
            }
            Verb::Restore => {
                let held = ["repack", from, "--to", to, "--quarantine", "7d"];
                let job = job_of(&self.site.ok(&held));
                self.die(step, &["job", "restore", &job]);
                let restored = self.site.ok(&["job", "restore", &job]);
                assert_eq!(restored["state"], "restored", "{restored:#}");
                self.compare();
                self.during();
                self.site.ok(&repack)
            }
        };
        assert_eq!(report["state"], "done", "{report:#}");
        let again = report["bytes_recopied"].as_u64().unwrap();
        assert!(again <= ONE_WINDOW, "{again} bytes were copied again: {report:#}");
        assert_eq!(again, self.under_way, "what was under way is what is told: {report:#}");
        let in_a_window = ["record.after", "read.m", "verify", "write", "sync", "swap.before"];
        assert!(
            again > 0 || !in_a_window.iter().any(|hop| step.starts_with(hop)),
            "{step}: died in no window"
        );
        let count = |what: &str| report["extents"][what].as_u64().unwrap();
        assert!(count("live") >= 290, "{report:#}");
        assert_eq!(count("moved") + count("released"), count("live"), "{report:#}");
        assert_eq!(
            (count("skipped"), count("failed"), count("remaining")),
            (0, 0, 0),
            "{report:#}"
        );
        self.after();
        report
    }

    /// The client was not answered: what it asked for has happened whole, or not at all.
    fn die_beside_a_repack(&mut self, step: &str, verb: &Verb) {
        let round = self.round;
        if let Verb::Delete = verb {
            // In its transaction: not at all.
            return self.die(step, &["delete", &format!("before/{round}")]);
        }
        let (oid, bytes) = (format!("cut/{round}"), filling(round as u64, 9_000));
        let file = self.site.root().join("cut");
        std::fs::write(&file, &bytes).unwrap();
        self.die(step, &["put", &file.display().to_string(), &oid, "--tags", self.to]);
        let there = self.site.try_get(&oid);
        match step {
            "put.after_commit" => assert_eq!(there.unwrap(), bytes),
            _ => {
                assert_eq!(
                    there.unwrap_err().code,
                    2,
                    "{step}: what was not acknowledged is not there"
                );
                self.site.put(&oid, &bytes, &["--tags", self.to]);
            }
        }
        self.held.insert(oid, bytes);
    }

    /// While the job goes on after the restart.
    fn during(&mut self) {
        let (round, to) = (self.round, self.to);
        self.put(format!("during/{round}"), &["--tags", to]);
        self.delete(&format!("things/{:04}", round * 8 + 3));
    }

    /// The source is empty and usable, the deleted can be had back, everything is as it was put.
    fn after(&mut self) {
        let (round, from) = (self.round, self.from);
        let source = self.site.medium(from);
        assert_eq!(
            (&source["adm_state"], &source["fs_state"]),
            (&"in_service".into(), &"empty".into()),
            "{source:#}"
        );
        assert!(self.site.files(from).is_empty());
        let deleted = format!("things/{:04}", round * 8 + 3);
        self.site.ok(&["undelete", &deleted]);
        self.held.insert(
            deleted.clone(),
            filling(round as u64 * 8 + 3 + 7 * 6, mixed(OBJECTS)[round * 8 + 3]),
        );
        self.put(format!("after/{round}"), &["--tags", self.to]);
        self.compare();
        std::mem::swap(&mut self.from, &mut self.to);
        self.round += 1;
    }

    fn compare(&self) {
        let report = self.site.ok(&["check"]);
        assert_eq!(report["findings"].as_array().map(Vec::len), Some(0), "{report:#}");
        assert!(
            self.site.extents(&["--state", "pending"]).is_empty(),
            "a pending row leaked"
        );
        files_and_rows_agree(&self.site);
        let got = wire::get_all(&self.site, self.held.keys());
        for (oid, bytes) in &self.held {
            assert!(
                got[oid].as_ref() == Ok(bytes),
                "{oid}: {:.200?}",
                got[oid].as_ref().err()
            );
        }
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
        let (begun, docks) = (Instant::now(), Docks::of(&step));
        let walked = catch_unwind(AssertUnwindSafe(|| {
            let mut on = road
                .take()
                .filter(|road: &Road| road.docks == docks && road.round * 8 + 10 < OBJECTS)
                .unwrap_or_else(|| Road::new(docks));
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
fn x11_x12_killed_at_every_step_it_goes_on_and_loses_nothing() {
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
            Err(why) => println!("{:26} {:7.1} FAILED {:.300}", line.step, line.seconds, why),
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
