//! What was hit, how often, and what it cost: counted from what the killed processes left.

use super::clients::Counts;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Hits of one step.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hits {
    /// respoold died exactly there.
    pub within: usize,
    /// respoold was killed from outside, and this was the last step that any of its tasks had passed.
    pub after: usize,
}

/// All kills of a run.
#[derive(Debug)]
pub struct Tally {
    pub steps: BTreeMap<String, Hits>,
    pub respool: usize,
    /// Of these, before it took requests.
    pub starting: usize,
    pub postgres: usize,
    pub before_flush: usize,
    pub after_flush: usize,
    pub both: usize,
    /// Most bytes that were recorded and not swapped when respoold was killed.
    pub under_way: u64,
    pub recopied: u64,
    pub jobs: usize,
    pub restored: usize,
    pub audits: usize,
    back: Vec<Duration>,
    begun: Instant,
}

impl Tally {
    pub fn new(steps: &[String]) -> Self {
        Self {
            steps: steps.iter().map(|step| (step.clone(), Hits::default())).collect(),
            respool: 0,
            starting: 0,
            postgres: 0,
            before_flush: 0,
            after_flush: 0,
            both: 0,
            under_way: 0,
            recopied: 0,
            jobs: 0,
            restored: 0,
            audits: 0,
            back: vec![],
            begun: Instant::now(),
        }
    }

    pub fn kills(&self) -> usize {
        self.respool + self.postgres + self.both
    }

    /// From the kill until requests were taken again.
    pub fn was_back_after(&mut self, time: Duration) {
        self.back.push(time);
    }

    /// Steps in which respoold died less often than that.
    pub fn missed(&self, must: usize) -> Vec<String> {
        let missed = self.steps.iter().filter(|(_, hits)| hits.within < must);
        missed.map(|(step, hits)| format!("{step} ({})", hits.within)).collect()
    }

    pub fn print(&self, order: &[String], log: &LostAnswers, clients: &Counts) {
        println!("{:26} {:>12} {:>12}", "step", "killed in it", "killed after");
        for step in order {
            let hits = self.steps[step];
            println!("{step:26} {:>12} {:>12}", hits.within, hits.after);
        }
        println!(
            "killed: respoold {} ({} before it took requests), PostgreSQL {} (in COMMIT: {} before the flush, {} between \
             flush and answer), both at once {}",
            self.respool, self.starting, self.postgres, self.before_flush, self.after_flush, self.both
        );
        println!(
            "answers to commits that were lost: {} asked for, {} had been committed, {} rolled back, {} not known, {} given \
             up or killed while asking",
            log.asked,
            log.committed,
            log.rolled_back,
            log.unknown,
            log.open()
        );
        let of = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        println!(
            "clients: {} puts, {} overwrites, {} deletes, {} gets; {} had no answer, {} were refused",
            of(&clients.puts),
            of(&clients.overwrites),
            of(&clients.deletes),
            of(&clients.gets),
            of(&clients.unanswered),
            of(&clients.refused)
        );
        println!(
            "jobs: {} done, {} restored; {} bytes copied again, at most {} under way at one kill",
            self.jobs, self.restored, self.recopied, self.under_way
        );
        let mut back = self.back.clone();
        back.sort();
        println!(
            "back after a kill: half within {:.1?}, all within {:.1?}; {} audits; {:.0?} in all",
            back.get(back.len() / 2).copied().unwrap_or_default(),
            back.last().copied().unwrap_or_default(),
            self.audits,
            self.begun.elapsed()
        );
    }
}

/// What respoold's log tells of commits whose answer was lost.
#[derive(Clone, Copy, Debug, Default)]
pub struct LostAnswers {
    pub asked: usize,
    pub committed: usize,
    pub rolled_back: usize,
    pub unknown: usize,
}

impl LostAnswers {
    /// Asked for, and not answered yet.
    pub fn open(&self) -> usize {
        self.asked - (self.committed + self.rolled_back + self.unknown).min(self.asked)
    }

    pub fn of(log: &str) -> Self {
        let count = |what: &str| log.lines().filter(|line| line.contains(what)).count();
        let became = |what: &str| {
            let resolved = log
                .lines()
                .filter(|line| line.contains("the lost answer to a commit is resolved"));
            resolved
                .filter(|line| line.contains(&format!("became=\"{what}\"")))
                .count()
        };
        Self {
            asked: count("the answer to a commit was lost; asking what became of it"),
            committed: became("committed"),
            rolled_back: became("rolled back"),
            unknown: became("not known"),
        }
    }
}
