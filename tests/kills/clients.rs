//! Clients that put, overwrite, delete and read while everything around them is killed. Each has objects of its own;
//! what was acknowledged goes into the ledger as known, what was not as possible.

use super::ledger::{Content, Ledger, State};
use super::plan::Dice;
use super::talk::{Said, Talk};
use respool_test_support::Site;
use respool_test_support::site::Outcome;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, RwLock, RwLockReadGuard};
use std::thread;
use std::time::Duration;

/// Objects of each client beside its share of those that were there at first.
const OWN: usize = 30;
/// Between two operations: the repack is to go on as well.
const PACE: Duration = Duration::from_millis(60);

/// What clients and director share.
pub struct Shared<'a> {
    pub site: &'a Site,
    pub ledger: &'a Ledger,
    /// Held for reading during an operation, for writing where there must be none.
    pub quiet: RwLock<()>,
    /// Whether a respoold runs that may be asked. Clients start none: whose life it is would not be known.
    pub open: AtomicBool,
    pub ended: AtomicBool,
    pub done: Counts,
    failures: Mutex<Vec<String>>,
}

/// How often each operation was acknowledged, and how often nothing was heard of it.
#[derive(Debug, Default)]
pub struct Counts {
    pub puts: AtomicU64,
    pub overwrites: AtomicU64,
    pub deletes: AtomicU64,
    pub gets: AtomicU64,
    pub unanswered: AtomicU64,
    pub refused: AtomicU64,
}

impl<'a> Shared<'a> {
    pub fn new(site: &'a Site, ledger: &'a Ledger) -> Self {
        Self {
            site,
            ledger,
            quiet: RwLock::default(),
            open: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            done: Counts::default(),
            failures: Mutex::default(),
        }
    }

    /// Something is not as it must be.
    pub fn fail(&self, why: String) {
        eprintln!("FAILED: {why}");
        self.failures.lock().unwrap().push(why);
    }

    /// Panics with the first failures, if there are any.
    #[track_caller]
    pub fn require_no_failure(&self) {
        let failures = self.failures.lock().unwrap();
        assert!(
            failures.is_empty(),
            "{} failures: {:#?}",
            failures.len(),
            &failures[..failures.len().min(5)]
        );
    }

    /// A turn, when one may be had; None when all is over.
    fn turn(&self) -> Option<RwLockReadGuard<'_, ()>> {
        loop {
            thread::sleep(PACE);
            if self.ended.load(Ordering::Relaxed) {
                return None;
            }
            if self.open.load(Ordering::Relaxed) {
                return Some(self.quiet.read().unwrap());
            }
        }
    }

    /// Reads an object and compares; false when nothing was to be had.
    pub fn look(&self, talk: &Talk, oid: &str) -> bool {
        let seen = match talk.get(oid) {
            Said::Answer(bytes) => self.ledger.saw(oid, Some(&bytes)),
            Said::NotFound => self.ledger.saw(oid, None),
            Said::Nothing(_) => {
                self.done.unanswered.fetch_add(1, Ordering::Relaxed);
                return false;
            }
            Said::Wrong(exit, why) => Err(format!("{oid}: exit {exit}: {why}")),
        };
        self.done.gets.fetch_add(1, Ordering::Relaxed);
        seen.unwrap_or_else(|why| self.fail(why));
        true
    }
}

/// However it ends, the clients end.
pub struct Ends<'a>(pub &'a Shared<'a>);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Relaxed);
    }
}

/// Reads objects that nobody changes, until the end.
pub fn reader(shared: &Shared<'_>, oids: &[String], seed: u64) {
    let (talk, mut dice) = (Talk::new(shared.site), Dice::new(seed));
    while let Some(_turn) = shared.turn() {
        for _ in 0..5 {
            if shared.open.load(Ordering::Relaxed) {
                shared.look(&talk, &oids[dice.below(oids.len())]);
            }
        }
    }
}

/// Puts, overwrites and deletes its own objects and those given, until the end.
pub fn changer(shared: &Shared<'_>, number: u64, given: &[String], seed: u64) {
    let (talk, mut dice) = (Talk::new(shared.site), Dice::new(seed ^ (number << 32)));
    let mut oids: Vec<String> = (0..OWN).map(|own| format!("client{number}/{own:02}")).collect();
    oids.extend_from_slice(given);
    let mut fresh = number << 40;
    while let Some(_turn) = shared.turn() {
        let oid = &oids[dice.below(oids.len())];
        let Some(state) = shared.ledger.known(oid) else {
            shared.look(&talk, oid);
            continue;
        };
        fresh += 1;
        let content = Content {
            seed: fresh,
            bytes: dice.below(9_000),
        };
        match (state, dice.below(3)) {
            (None, _) => put(shared, oid, (state, content), &shared.done.puts, &[]),
            (Some(_), 0) => delete(shared, oid, state),
            (Some(_), 1) => put(shared, oid, (state, content), &shared.done.overwrites, &["--overwrite"]),
            (Some(_), _) => drop(shared.look(&talk, oid)),
        }
    }
}

fn put(shared: &Shared<'_>, oid: &str, (before, content): (State, Content), count: &AtomicU64, more: &[&str]) {
    // From here on: the answer may be lost in any moment.
    shared.ledger.may_be(oid, Some(content));
    let arguments = [&["--tags", "first"], more].concat();
    let outcome = shared.site.try_put(oid, &content.bytes(), &arguments);
    settle(shared, oid, (before, Some(content)), &outcome, count);
}

fn delete(shared: &Shared<'_>, oid: &str, before: State) {
    shared.ledger.may_be(oid, None);
    let outcome = shared.site.run(&["delete", oid]);
    settle(shared, oid, (before, None), &outcome, &shared.done.deletes);
}

fn settle(shared: &Shared<'_>, oid: &str, (before, wished): (State, State), outcome: &Outcome, count: &AtomicU64) {
    match outcome.code {
        0 => {
            shared.ledger.is(oid, wished);
            count.fetch_add(1, Ordering::Relaxed);
        }
        // Refused: nothing was touched.
        2 => {
            shared.ledger.is(oid, before);
            shared.done.refused.fetch_add(1, Ordering::Relaxed);
        }
        3 => drop(shared.done.unanswered.fetch_add(1, Ordering::Relaxed)),
        _ => shared.fail(format!("{outcome:?}")),
    }
}
