//! Which media are worth emptying, in which order, and why the others are not. Facts in, ranked list with reasons out: a
//! total order, so that the same facts always give the same list. It never looks at single extents: whether each of them
//! finds a place is known when a job is planned, and this only says where that is hopeless.

use super::plan::EXTENT_OVERHEAD;
use dss::model::{
    AdmState, ByteCount, FsState, Health, Holding, JobId, JobState, Medium, MediumId, Presence, Standing,
};
use jiff::{SignedDuration, Timestamp};
use std::cmp::Reverse;

/// Below so many hundredths dead a medium is not worth it: to free one byte, nine would be moved.
pub const WORTH_PERCENT: u64 = 10;

/// What is known of one medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its row.
    pub medium: Medium,
    /// What it holds.
    pub holding: Holding,
    /// What can still be written to it; None: it did not answer.
    pub free: Option<ByteCount>,
    /// The active job that has it as a source.
    pub source_of: Option<(JobId, JobState)>,
    /// The job that may write to no other medium.
    pub target_of: Option<JobId>,
    /// Its live bytes that have another copy on every other medium that takes extents.
    pub stranded: ByteCount,
}

impl Facts {
    /// Whether extents of others may come to it.
    pub fn may_be_target(&self) -> bool {
        self.medium.may_take_extents().is_ok() && self.source_of.is_none()
    }

    /// What goes when it is emptied: orphans, but those that are held until a time.
    fn dead(&self) -> ByteCount {
        self.holding.dead + self.holding.kept
    }

    fn later(&self) -> ByteCount {
        self.holding.deleted + self.holding.held
    }

    fn name(&self) -> &str {
        &self.medium.name
    }
}

/// What the ages are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The age clock.
    pub now: Timestamp,
    /// How long a deleted version stays live.
    pub undelete_window: SignedDuration,
}

/// A medium worth emptying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub medium: MediumId,
    /// Its name.
    pub name: String,
    /// Bytes of extents in any state.
    pub used: ByteCount,
    /// Bytes that a layout needs, deleted versions included.
    pub live: ByteCount,
    /// Bytes that emptying it gives back.
    pub dead: ByteCount,
    /// Bytes that will be dead at a time.
    pub later: ByteCount,
    /// The time by which all of these are; None: there are none.
    pub later_at: Option<Timestamp>,
    /// Since nothing that lives there was written any more, or since it was added.
    pub age: SignedDuration,
    /// What the system thinks of it.
    pub health: Health,
    /// What the operator said of it.
    pub adm_state: AdmState,
    /// Why it is here, in words.
    pub reason: String,
}

impl Candidate {
    /// The part of its bytes that is dead, 0 to 1.
    pub fn dead_share(&self) -> f64 {
        if self.used == ByteCount::ZERO {
            return 0.0;
        }
        self.dead.0 as f64 / self.used.0 as f64
    }
}

/// A medium that is none, with everything that speaks against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Its name.
    pub name: String,
    /// At least one.
    pub against: Vec<Against>,
}

/// Every medium, once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranking {
    /// The best first.
    pub candidates: Vec<Candidate>,
    /// By name.
    pub left: Vec<Left>,
}

/// What speaks against emptying a medium now. In the order in which it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// The operator locked it.
    Locked,
    /// It may hold what the catalogue does not know.
    Standing(Standing),
    /// Its bytes are held for the job that emptied it.
    Quarantined(Option<JobId>, Option<Timestamp>, ByteCount),
    /// It is being erased, is kept out of use, or is lost.
    State(AdmState),
    /// It is taken for gone.
    Failed,
    /// It is not in reach.
    Away(Presence),
    /// A job empties it.
    SourceOf(JobId, JobState),
    /// A job may write to no other medium.
    TargetOf(JobId),
    /// So many extents are being written to it.
    Written(u64),
    /// Old bytes on it may be the last good ones of so many extents.
    LastGood(u64),
    /// There is nothing on it.
    Nothing,
    /// Too little of it is dead, and nothing else speaks for it.
    NotWorth {
        /// Bytes that are dead.
        dead: ByteCount,
        /// Of so many.
        used: ByteCount,
        /// Bytes that will be dead at a time.
        later: ByteCount,
        /// That time.
        later_at: Option<Timestamp>,
        /// The part of them that deleted and overwritten versions hold.
        deleted: ByteCount,
    },
    /// So many bytes of room are missing on other media.
    NoTarget(ByteCount),
}

/// Ranks media. Their names are distinct.
pub fn rank(facts: &[Facts], terms: Terms) -> Ranking {
    let mut ranking = Ranking::default();
    let mut found = vec![];
    for one in facts {
        let against = against(one, facts, terms);
        match against.is_empty() {
            true => found.push(one),
            false => ranking.left.push(Left {
                name: one.name().to_owned(),
                against,
            }),
        }
    }
    // Shares are compared by products: a share as a number would tie where the bytes do not.
    found.sort_by(|a, b| {
        let share = |x: &Facts, y: &Facts| u128::from(x.dead().0) * u128::from(y.holding.used.0);
        let age = |facts: &Facts| Reverse(age(facts, terms));
        (Reverse(urgency(a)), Reverse(a.dead()))
            .cmp(&(Reverse(urgency(b)), Reverse(b.dead())))
            .then_with(|| share(b, a).cmp(&share(a, b)))
            .then_with(|| b.later().cmp(&a.later()))
            .then_with(|| age(a).cmp(&age(b)))
            .then_with(|| a.name().cmp(b.name()))
    });
    ranking.left.sort_by(|a, b| a.name.cmp(&b.name));
    ranking.candidates = found.into_iter().map(|one| candidate(one, terms)).collect();
    ranking
}

/// How much a medium wants to be got off, whatever is dead on it. A failing one may be gone tomorrow.
fn urgency(facts: &Facts) -> u8 {
    match (facts.medium.health, facts.medium.adm_state) {
        (Health::Failing, _) => 4,
        (_, AdmState::AbandonShip) => 3,
        (Health::Suspect, _) => 2,
        (_, AdmState::Draining) => 1,
        (
            Health::Ok | Health::Failed,
            AdmState::InService
            | AdmState::ReadOnly
            | AdmState::Quarantined
            | AdmState::Erasing
            | AdmState::Retired
            | AdmState::Dead,
        ) => 0,
    }
}

fn age(facts: &Facts, terms: Terms) -> SignedDuration {
    let since = facts.holding.written_at.unwrap_or(facts.medium.created_at);
    terms.now.duration_since(since).max(SignedDuration::ZERO)
}

fn later_at(facts: &Facts, terms: Terms) -> Option<Timestamp> {
    let end = |at: Timestamp| at.checked_add(terms.undelete_window).unwrap_or(Timestamp::MAX);
    facts.holding.deleted_at.map(end).max(facts.holding.held_until)
}

fn is_worth(dead: ByteCount, used: ByteCount) -> bool {
    dead > ByteCount::ZERO && u128::from(dead.0) * 100 >= u128::from(used.0) * u128::from(WORTH_PERCENT)
}

fn against(facts: &Facts, all: &[Facts], terms: Terms) -> Vec<Against> {
    let (medium, holding) = (&facts.medium, &facts.holding);
    let mut found = vec![];
    let mut note = |applies: bool, why: Against| found.extend(applies.then_some(why));
    note(medium.locked, Against::Locked);
    note(medium.standing != Standing::Level, Against::Standing(medium.standing));
    match medium.adm_state {
        AdmState::InService | AdmState::ReadOnly | AdmState::Draining | AdmState::AbandonShip => {}
        AdmState::Quarantined => {
            let (job, until) = (medium.emptied_by, medium.quarantined_until);
            note(true, Against::Quarantined(job, until, holding.used));
        }
        AdmState::Erasing | AdmState::Retired | AdmState::Dead => note(true, Against::State(medium.adm_state)),
    }
    note(medium.health == Health::Failed, Against::Failed);
    note(!medium.in_reach(), Against::Away(medium.presence));
    if let Some((job, state)) = facts.source_of {
        // A quarantine tells of its job by itself.
        note(medium.adm_state != AdmState::Quarantined, Against::SourceOf(job, state));
    }
    if let Some(job) = facts.target_of {
        note(true, Against::TargetOf(job));
    }
    note(holding.pending > 0, Against::Written(holding.pending));
    note(holding.last_good > 0, Against::LastGood(holding.last_good));
    if holding.used == ByteCount::ZERO && holding.live_extents == 0 {
        note(true, Against::Nothing);
        return found;
    }
    let worth = urgency(facts) > 0 || is_worth(facts.dead(), holding.used);
    let too_little = Against::NotWorth {
        dead: facts.dead(),
        used: holding.used,
        later: facts.later(),
        later_at: later_at(facts, terms),
        deleted: facts.holding.deleted,
    };
    // What is being emptied or erased is not judged by what is left on it.
    note(!worth && is_at_rest(medium), too_little);
    let missing = missing(facts, all);
    note(
        missing > ByteCount::ZERO && is_at_rest(medium),
        Against::NoTarget(missing),
    );
    found
}

fn is_at_rest(medium: &Medium) -> bool {
    medium.fs_state != FsState::Blank && !matches!(medium.adm_state, AdmState::Quarantined | AdmState::Erasing)
}

/// The room that other media lack for what lives on one. Too little rather than too much: a job's plan knows better.
fn missing(facts: &Facts, all: &[Facts]) -> ByteCount {
    let holding = &facts.holding;
    if holding.live_extents == 0 {
        return ByteCount::ZERO;
    }
    let overhead = |extents: u64| ByteCount(EXTENT_OVERHEAD.0.saturating_mul(extents));
    let others = all
        .iter()
        .filter(|other| other.medium.id != facts.medium.id && other.may_be_target());
    let free: Vec<ByteCount> = others.filter_map(|other| other.free).collect();
    let Some(roomiest) = free.iter().max() else {
        return holding.live + overhead(holding.live_extents);
    };
    let room: ByteCount = free.iter().copied().sum();
    let wanted = holding.live.saturating_sub(facts.stranded) + overhead(holding.live_extents);
    let short = wanted.saturating_sub(room);
    let too_large = (holding.largest + overhead(1)).saturating_sub(*roomiest);
    facts.stranded + short.max(too_large)
}

fn candidate(facts: &Facts, terms: Terms) -> Candidate {
    Candidate {
        medium: facts.medium.id,
        name: facts.medium.name.clone(),
        used: facts.holding.used,
        live: facts.holding.live,
        dead: facts.dead(),
        later: facts.later(),
        later_at: later_at(facts, terms),
        age: age(facts, terms),
        health: facts.medium.health,
        adm_state: facts.medium.adm_state,
        reason: super::reasons::of_candidate(facts, terms, later_at(facts, terms)),
    }
}

#[cfg(test)]
#[path = "candidates/tests.rs"]
mod tests;
