//! Carries out the kills: starts respoold, keeps it busy, kills it or the database, notes where, and has everything
//! looked at now and then. A life of respoold begins with what its fault file says, so the file for the next life is
//! written while this one runs: whoever starts it, it is the next.

use super::audit::{audit, nothing_is_left};
use super::clients::{Ends, Shared, changer, reader};
use super::house::RESPOOL;
use super::ledger::Ledger;
use super::plan::{Commit, Kill, Life, Orders, armed, kills, lives};
use super::postgres;
use super::stage::{AGAIN, CONFIG, prepare, step_names};
use super::talk::{Said, Talk};
use super::tally::{LostAnswers, Tally};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use respool_test_support::Site;
use respool_test_support::site::{is_alive, wait_until};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// All is looked at after so many kills.
const AUDIT_EVERY: usize = 60;
/// A named step comes within a whole repack, with clients and kills beside it.
const STEP_LIMIT: Duration = Duration::from_secs(180);
const GLANCE: Duration = Duration::from_millis(10);
/// How long a lost answer is waited for.
const ANSWERS: Duration = Duration::from_secs(10);
/// How often is looked whether a job is at work.
const LOOK: Duration = Duration::from_millis(300);

/// Kills all that the orders ask for. Panics when anything is not as it must be.
pub fn run(orders: &Orders) {
    let site = Site::with_config(RESPOOL, CONFIG);
    let ledger = Ledger::default();
    let (kept, given) = prepare(&site, &ledger, orders.between);
    let steps = step_names(&site);
    site.stop();
    let shared = Shared::new(&site, &ledger);
    let seed = orders.seed;
    thread::scope(|scope| {
        let end = Ends(&shared);
        scope.spawn(|| reader(&shared, &kept, seed));
        for (number, given) in given.iter().enumerate() {
            let shared = &shared;
            scope.spawn(move || changer(shared, number as u64 + 1, given, seed));
        }
        let mut director = Director::new(&shared, &steps);
        director.carry_out(kills(orders, &steps));
        director.finish(orders, &steps);
        drop(end);
    });
}

struct Director<'a> {
    shared: &'a Shared<'a>,
    site: &'a Site,
    talk: Talk,
    tally: Tally,
    /// The newest job, and how many kills each has met.
    job: u64,
    met: BTreeMap<u64, u64>,
    /// Whether the newest job's source is to stay quarantined.
    held: bool,
    /// Where the log of this life of respoold begins.
    read: usize,
}

impl<'a> Director<'a> {
    fn new(shared: &'a Shared<'a>, steps: &[String]) -> Self {
        Self {
            shared,
            site: shared.site,
            talk: Talk::new(shared.site),
            tally: Tally::new(steps),
            job: 0,
            met: BTreeMap::new(),
            held: false,
            read: shared.site.log().len(),
        }
    }

    fn carry_out(&mut self, kills: Vec<Kill>) {
        let lives = lives(kills);
        let mut audited = 0;
        self.write_plan(lives.first());
        for (number, life) in lives.iter().enumerate() {
            if let [Kill::Starting { millis }] = life.as_slice() {
                self.kill_starting(*millis, lives.get(number + 1));
                continue;
            }
            let dies_by_itself = armed(Some(life)).is_some();
            let pid = self.begin(dies_by_itself);
            self.write_plan(lives.get(number + 1));
            if !dies_by_itself && self.tally.kills() >= audited + AUDIT_EVERY {
                audited = self.tally.kills();
                self.audit();
            }
            for kill in life {
                self.carry_out_one(kill, pid);
                self.shared.require_no_failure();
            }
        }
        self.write_plan(None);
    }

    fn carry_out_one(&mut self, kill: &Kill, pid: Pid) {
        match kill {
            Kill::Step { step, .. } => self.die_at(step, pid),
            Kill::Random { millis } => {
                self.work_towards("any");
                thread::sleep(Duration::from_millis(*millis));
                self.kill_respoold(pid);
            }
            Kill::Starting { millis } => unreachable!("a start that is killed after {millis} ms is a life of its own"),
            Kill::Postgres { millis } => {
                self.work_towards("any");
                thread::sleep(Duration::from_millis(*millis));
                self.kill_postgres(pid, None);
            }
            Kill::InCommit(commit) => {
                self.work_towards("any");
                self.kill_postgres(pid, Some(*commit));
            }
            Kill::Both { millis } => {
                self.work_towards("any");
                thread::sleep(Duration::from_millis(*millis));
                self.shared.open.store(false, Ordering::Relaxed);
                assert!(postgres::kill_all(self.site, &[pid]), "PostgreSQL runs");
                self.tally.both += 1;
                self.died(None);
            }
        }
    }

    /// What the next life of respoold begins with.
    fn write_plan(&self, life: Option<&Life>) {
        let mut text = format!("trace = {:?}\n", self.trace());
        if let Some((step, nth)) = armed(life) {
            text.push_str(&format!("[[fault]]\ncrash = \"{step}\"\nnth = {nth}\n"));
        }
        std::fs::write(self.site.root().join("faults.toml"), text).expect("the site can be written");
    }

    fn trace(&self) -> std::path::PathBuf {
        self.site.root().join("steps")
    }

    /// Starts respoold and lets the clients in.
    fn begin(&mut self, dies_by_itself: bool) -> Pid {
        let begun = Instant::now();
        let outcome = self.site.run(&["job", "list"]);
        // One that is to die by itself may do so before it takes requests.
        assert!(outcome.code == 0 || dies_by_itself && outcome.code == 3, "{outcome:?}");
        self.tally.was_back_after(begun.elapsed());
        self.shared.open.store(true, Ordering::Relaxed);
        self.site.pid().expect("it told its number")
    }

    /// Kills it while it starts. The client may start another at once, whose plan is there before.
    fn kill_starting(&mut self, millis: u64, next: Option<&Life>) {
        let lock = self.site.state().join("respoold.lock");
        let pid = || -> Option<Pid> {
            let text = std::fs::read_to_string(&lock).ok()?;
            text.trim().parse().ok().map(Pid::from_raw).filter(|pid| is_alive(*pid))
        };
        let command = self.site.start(&["job", "list"]);
        let end = Instant::now() + Duration::from_secs(30);
        let pid = loop {
            if let Some(pid) = pid() {
                break pid;
            }
            assert!(Instant::now() < end, "respoold does not start");
            thread::sleep(Duration::from_millis(1));
        };
        thread::sleep(Duration::from_millis(millis));
        let announced = self.site.pid() == Some(pid);
        self.write_plan(next);
        let _ = kill(pid, Signal::SIGKILL);
        wait_until("it is gone", || !is_alive(pid));
        let outcome = command.wait();
        assert!([0, 3].contains(&outcome.code), "{outcome:?}");
        self.tally.respool += 1;
        self.tally.starting += usize::from(!announced);
        self.died(None);
    }

    fn kill_respoold(&mut self, pid: Pid) {
        self.shared.open.store(false, Ordering::Relaxed);
        kill(pid, Signal::SIGKILL).expect("it runs");
        wait_until("it is gone", || !is_alive(pid));
        self.tally.respool += 1;
        self.died(None);
    }

    fn kill_postgres(&mut self, pid: Pid, commit: Option<Commit>) {
        let begun = Instant::now();
        let killed = match commit {
            None => postgres::kill_all(self.site, &[]),
            Some(commit) => postgres::kill_in_commit(self.site, commit),
        };
        assert!(killed, "PostgreSQL was not killed: {commit:?}");
        self.tally.postgres += 1;
        match commit {
            None => {}
            Some(Commit::BeforeFlush) => self.tally.before_flush += 1,
            Some(Commit::AfterFlush) => self.tally.after_flush += 1,
        }
        self.note_meeting();
        wait_until("PostgreSQL runs again", || postgres::is_ready(self.site));
        wait_until("respoold answers again", || matches!(self.talk.jobs(), Said::Answer(_)));
        self.tally.was_back_after(begun.elapsed());
        // Before respoold is killed as well: what became of a commit is asked as soon as the database is back. Whoever
        // waits for no answer any more, such as the renewal of a lease, does not ask to the end.
        let end = Instant::now() + ANSWERS;
        while LostAnswers::of(self.site.log().get(self.read..).unwrap_or_default()).open() > 0 && Instant::now() < end {
            thread::sleep(GLANCE);
        }
        assert!(is_alive(pid), "respoold outlives its database");
    }

    /// Waits until respoold dies at a step, giving it what it needs to come there.
    fn die_at(&mut self, step: &str, pid: Pid) {
        let end = Instant::now() + STEP_LIMIT;
        let mut looked = None;
        while is_alive(pid) {
            if Instant::now() >= end {
                println!("{step} was not come to within {STEP_LIMIT:?}; killed where it is");
                return self.kill_respoold(pid);
            }
            if looked.is_none_or(|at: Instant| at.elapsed() > LOOK) {
                looked = Some(Instant::now());
                self.work_towards(step);
            }
            thread::sleep(GLANCE);
        }
        self.shared.open.store(false, Ordering::Relaxed);
        self.tally.respool += 1;
        self.died(Some(step));
    }

    /// Does what an operator does next, if there is anything to do.
    fn work_towards(&mut self, step: &str) {
        let Said::Answer(jobs) = self.talk.jobs() else { return };
        let newest = jobs.first();
        let state = newest.map_or("none", |job| job["state"].as_str().expect("a state"));
        if let Some(job) = newest {
            self.job = job["job"].as_u64().expect("a number");
        }
        match state {
            "queued" | "running" | "verifying" | "reclaiming" => {}
            // Only for a moment, unless it was asked to stay so.
            "quarantined" if !self.held => {}
            "quarantined" => {
                let outcome = self.site.run(&["job", "restore", &self.job.to_string()]);
                // Restored, but for what was deleted or overwritten since; or cut short.
                assert!([0, 1, 3].contains(&outcome.code), "{outcome:?}");
            }
            "done" | "restored" | "none" => self.give_a_job(step),
            _ => panic!("job {} is {state}: {newest:#?}", self.job),
        }
    }

    /// From the fuller of the two to the other.
    fn give_a_job(&mut self, step: &str) {
        let fuller = "SELECT m.name FROM medium m LEFT JOIN extent e ON e.medium = m.id AND e.state = 'sync'
                       WHERE m.name IN ('a', 'b') GROUP BY m.name ORDER BY count(e.id) DESC LIMIT 1";
        let (from, to) = match self.site.sql(fuller).as_str() {
            "a" => ("a", "b"),
            _ => ("b", "a"),
        };
        self.held = step.starts_with("restore.");
        let quarantine = if self.held { "7d" } else { "0" };
        let arguments = ["repack", from, "--to", to, "--quarantine", quarantine, "--detach"];
        let outcome = self.site.run(&arguments);
        assert!([0, 3].contains(&outcome.code), "{outcome:?}");
    }

    /// Notes where respoold was when it died: the step it was to die at, or the last one passed.
    fn died(&mut self, at: Option<&str>) {
        let last = std::fs::read_to_string(self.trace()).unwrap_or_default();
        let log = self.site.log();
        let said = log.get(self.read..).unwrap_or_default();
        let within: Vec<&str> = said
            .lines()
            .filter_map(|line| line.split_once("the drill ends respoold here step="))
            .map(|(_, step)| step.trim())
            .collect();
        self.read = log.len();
        match (within.as_slice(), at) {
            ([], Some(step)) => panic!("respoold died by itself, and not at {step}:\n{said:.2000}"),
            ([], None) => {
                if let Some(hits) = self.tally.steps.get_mut(last.trim()) {
                    hits.after += 1;
                }
            }
            (steps, _) => {
                for step in steps {
                    self.tally.steps.get_mut(*step).expect("a known step").within += 1;
                }
            }
        }
        self.note_meeting();
        if postgres::is_ready(self.site) {
            let under_way =
                "SELECT coalesce(sum(bytes), 0) FROM extent WHERE state = 'pending' AND owner_job IS NOT NULL";
            let bytes: u64 = self.site.sql(under_way).parse().expect("a number");
            assert!(bytes <= AGAIN, "{bytes} bytes were under way when respoold was killed");
            self.tally.under_way = self.tally.under_way.max(bytes);
        }
    }

    /// The job at work met a kill, and so did the one just being given.
    fn note_meeting(&mut self) {
        for job in [self.job, self.job + 1] {
            *self.met.entry(job).or_default() += 1;
        }
    }

    /// Everything is looked at; nobody works meanwhile.
    fn audit(&mut self) {
        let begun = Instant::now();
        let shared = self.shared;
        let _quiet = shared.quiet.write().unwrap();
        self.rest();
        audit(shared, &self.talk);
        self.check_jobs();
        self.tally.audits += 1;
        let (kills, live) = (self.tally.kills(), shared.ledger.live().len());
        println!(
            "after {kills} kills: {live} objects as they were put ({:.1?})",
            begun.elapsed()
        );
    }

    /// Until the newest job has come to its end.
    fn rest(&mut self) {
        wait_until("the newest job has ended", || match self.talk.jobs() {
            Said::Answer(jobs) => match jobs.first() {
                Some(job) if job["state"] == "quarantined" => {
                    if self.held {
                        self.site.run(&["job", "restore", &job["job"].to_string()]);
                    }
                    false
                }
                Some(job) => {
                    !["queued", "running", "verifying", "reclaiming"].contains(&job["state"].as_str().expect("a state"))
                }
                None => true,
            },
            _ => false,
        });
    }

    /// Every job came to its end, and copied again no more than its kills explain.
    fn check_jobs(&mut self) {
        let Said::Answer(jobs) = self.talk.jobs() else {
            panic!("no list of jobs");
        };
        (self.tally.jobs, self.tally.restored, self.tally.recopied) = (0, 0, 0);
        for job in &jobs {
            match job["state"].as_str().expect("a state") {
                "done" => self.tally.jobs += 1,
                "restored" => self.tally.restored += 1,
                _ => panic!("this job did not end well: {job:#}"),
            }
            let met = self
                .met
                .get(&job["job"].as_u64().expect("a number"))
                .copied()
                .unwrap_or_default();
            let again = job["bytes_recopied"].as_u64().expect("a number");
            assert!(
                again <= met * AGAIN,
                "{again} bytes copied again in {met} kills: {job:#}"
            );
            self.tally.recopied += again;
        }
    }

    fn finish(mut self, orders: &Orders, steps: &[String]) {
        self.begin(false);
        self.audit();
        self.shared.ended.store(true, Ordering::Relaxed);
        if orders.must_hit() > 0 {
            nothing_is_left(self.site, orders.between);
            self.site.ok(&["check"]);
        }
        let lost = LostAnswers::of(&self.site.log());
        self.tally.print(steps, &lost, &self.shared.done);
        let asked = (orders.respool, orders.postgres, orders.both);
        assert_eq!(
            (self.tally.respool, self.tally.postgres, self.tally.both),
            asked,
            "every kill was one"
        );
        // Such a commit is durable, its answer was never sent, and respoold lived on to ask.
        assert!(lost.committed > 0 || self.tally.after_flush == 0, "{lost:?}");
        let missed = self.tally.missed(orders.must_hit());
        assert!(missed.is_empty(), "hit too seldom: {missed:?}");
    }
}
