//! What came of many runs.

use super::scenario::Kit;
use super::world::World;
use dss::model::JobState;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

/// So many failures are told.
const TOLD: usize = 20;

/// What came of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub violations: Vec<String>,
    pub faults: BTreeMap<String, u64>,
    pub crashes: BTreeMap<String, u64>,
    pub endings: BTreeMap<String, u64>,
    pub lives: u64,
    pub order: u64,
}

impl Outcome {
    pub fn of(world: &Arc<World>) -> Self {
        let mut endings: BTreeMap<String, u64> = BTreeMap::new();
        for job in world.jobs() {
            let ending = match (job.state, &job.error) {
                (JobState::Failed, Some(error)) => format!("failed: {}", error.code),
                (state, _) => state.to_string(),
            };
            *endings.entry(ending).or_default() += 1;
        }
        let mut inner = world.inner();
        let faults = inner.run.trouble.histogram.iter();
        Self {
            faults: faults.map(|(kind, count)| (format!("{kind:?}"), *count)).collect(),
            crashes: inner
                .run
                .crashes
                .iter()
                .map(|(word, count)| ((*word).to_owned(), *count))
                .collect(),
            violations: std::mem::take(&mut inner.run.violations),
            endings,
            lives: u64::from(inner.run.lives()),
            order: inner.run.now(),
        }
    }
}

/// What came of all of them.
#[derive(Default)]
pub struct Report {
    sum: Outcome,
    pub failures: Vec<((Kit, u64), Vec<String>)>,
}

fn add(to: &mut BTreeMap<String, u64>, from: BTreeMap<String, u64>) {
    for (what, count) in from {
        *to.entry(what).or_default() += count;
    }
}

/// How one seed is run again, with all that happens in it.
pub fn replay((kit, seed): (Kit, u64)) -> String {
    let kit = match kit {
        Kit::Disks => "",
        Kit::Library => " --tape",
    };
    format!("scripts/sim --seed {seed}{kit} --trace")
}

impl Report {
    pub fn add(&mut self, seed: (Kit, u64), outcome: Outcome) {
        add(&mut self.sum.faults, outcome.faults);
        add(&mut self.sum.crashes, outcome.crashes);
        add(&mut self.sum.endings, outcome.endings);
        self.sum.lives += outcome.lives;
        self.sum.order += outcome.order;
        if !outcome.violations.is_empty() {
            self.failures.push((seed, outcome.violations));
        }
    }

    pub fn told(&self, seeds: &[(Kit, u64)], took: Duration) -> String {
        let [first, last] = [seeds.first(), seeds.last()].map(|seed| seed.map_or(0, |(_, seed)| *seed));
        let tapes = seeds.iter().filter(|(kit, _)| *kit == Kit::Library).count();
        let mut text = format!(
            "{} runs, {tapes} of them with a tape library, of seeds {first} to {last} in {:.1} s: {} lives, {} effects, {} failures\n",
            seeds.len(),
            took.as_secs_f64(),
            self.sum.lives,
            self.sum.order,
            self.failures.len()
        );
        for (title, counts) in [
            ("faults", &self.sum.faults),
            ("ends of lives (a kill is not a power cut)", &self.sum.crashes),
            ("jobs", &self.sum.endings),
        ] {
            let _ = writeln!(text, "{title}:");
            for (what, count) in counts {
                let _ = writeln!(text, "  {count:>8} {what}");
            }
        }
        text
    }

    pub fn failed(&self) -> String {
        let mut text = format!("{} seeds fail:\n", self.failures.len());
        for (seed, violations) in self.failures.iter().take(TOLD) {
            let _ = writeln!(text, "seed {} ({}):", seed.1, replay(*seed));
            for what in violations.iter().take(4) {
                let _ = writeln!(text, "  {what}");
            }
        }
        text
    }
}
