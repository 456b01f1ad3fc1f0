//! What a request waits for, in words for an operator: who holds it, since when, and what happens next.

use super::allocation::{Active, Claim, PATIENCE};
use super::drive::Drive;
use super::lease::LeaseState;
use super::queue::{OVERTAKEN_MAX, Stage, Waiting};
use super::request::AllocationId;
use super::scheduler::Scheduler;
use super::stall::{Order, in_words};
use std::time::Duration;

/// Who holds what a request waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeldBy {
    /// What it is for.
    pub purpose: String,
    /// Since when, on the clock of the events.
    pub since: Duration,
    /// When it was asked to give way, if it was.
    pub yield_asked: Option<Duration>,
}

/// One thing that a request waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// In words.
    pub text: String,
    /// Who holds it; None: a device or the catalogue is at work, or somebody else is served first.
    pub held_by: Option<HeldBy>,
    /// What happens next.
    pub next: String,
}

/// Why a request is not granted yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// All that it waits for, in no order that matters.
    pub reasons: Vec<Reason>,
}

impl Explanation {
    /// In one line.
    pub fn text(&self) -> String {
        let texts: Vec<&str> = self.reasons.iter().map(|reason| reason.text.as_str()).collect();
        texts.join("; ")
    }
}

fn plainly(text: String, next: impl Into<String>) -> Reason {
    Reason {
        text,
        held_by: None,
        next: next.into(),
    }
}

impl Scheduler {
    /// What a request waits for; None when it does not wait.
    pub fn explain(&self, id: AllocationId) -> Option<Explanation> {
        let waiting = self.queue.get(id)?;
        let mut reasons: Vec<Reason> = match &waiting.stage {
            Stage::Preparing { placement, .. } => {
                let media = placement.claims.iter();
                media.filter_map(|claim| self.explain_medium(id, claim)).collect()
            }
            Stage::Queued { .. } => self.explain_queued(waiting),
        };
        reasons.sort();
        reasons.dedup();
        if reasons.is_empty() {
            reasons.push(plainly("about to be granted".into(), "it is granted"));
        }
        Some(Explanation { reasons })
    }

    fn explain_medium(&self, id: AllocationId, claim: &Claim) -> Option<Reason> {
        let state = self.media.get(&claim.medium)?;
        let (name, drive) = (&state.row.name, claim.drive.clone());
        let (text, order) = match (self.drive(&drive), &state.lease) {
            (Drive::Loading { .. }, _) => (format!("medium {name} is being mounted"), Order::Load(drive)),
            (Drive::Unloading { medium }, _) => (
                format!("medium {} is being unmounted", self.name_of(*medium)),
                Order::Unload(drive),
            ),
            (_, LeaseState::Asked) => (
                format!("the lease on medium {name} is being taken"),
                Order::Lease(claim.medium),
            ),
            (Drive::Empty | Drive::Loaded { .. } | Drive::Failed { .. }, _) => {
                let probe = Order::Probe(drive, claim.medium, id);
                self.orders.span(&probe)?;
                (format!("medium {name} is asked for its free space"), probe)
            }
        };
        let next = match self.orders.span(&order) {
            Some((since, end)) => format!(
                "it is granted when that is done; without an answer {} from now it goes on without this medium",
                in_words(end.saturating_sub(self.now.max(since)))
            ),
            None => "it is granted when that is done".to_owned(),
        };
        Some(plainly(text, next))
    }

    fn explain_queued(&self, waiting: &Waiting) -> Vec<Reason> {
        let mut reasons = Vec::new();
        for wanted in self.effective(waiting.claims()) {
            reasons.extend(self.explain_move(&wanted));
            for active in self.active.values() {
                let held = active.claims.iter().filter(|held| !held.goes_with(&wanted));
                reasons.extend(held.map(|held| self.explain_holder(waiting, &wanted, active, held)));
            }
            for other in self.queue.iter().filter(|other| other.id != waiting.id) {
                let stands = other.is_preparing() || other.rank() < waiting.rank();
                if stands && other.claims().iter().any(|claim| !claim.goes_with(&wanted)) {
                    reasons.push(self.explain_other(&wanted, other));
                }
            }
        }
        reasons
    }

    /// A tape that is wanted in another drive than it is in.
    fn explain_move(&self, wanted: &Claim) -> Option<Reason> {
        wanted.drive.library()?;
        let inside = self.bay_with(wanted.medium).filter(|drive| **drive != wanted.drive)?;
        let name = self.name_of(wanted.medium);
        Some(plainly(
            format!("medium {name} is in {inside} and is needed in {}", wanted.drive),
            "it is taken out when nobody uses it there",
        ))
    }

    fn explain_holder(&self, waiting: &Waiting, wanted: &Claim, active: &Active, held: &Claim) -> Reason {
        let (name, purpose) = (self.name_of(wanted.medium), &active.purpose);
        let text = if held.medium == wanted.medium {
            format!("waits for medium {name}, which {purpose} {}", held.mode.verb())
        } else {
            let other = self.name_of(held.medium);
            let verb = held.mode.verb();
            format!("waits for {}, where {purpose} {verb} medium {other}", held.drive)
        };
        let next = match active.yield_asked {
            Some(asked) => format!(
                "{purpose} was asked {} ago to give way, and does at its next extent boundary",
                in_words(self.now.saturating_sub(asked))
            ),
            None if active.yields_to(waiting.request.priority, PATIENCE) => {
                format!("{purpose} is asked to give way after {}", in_words(PATIENCE))
            }
            None => format!("it is granted when {purpose} ends or gives way"),
        };
        Reason {
            text,
            held_by: Some(HeldBy {
                purpose: purpose.clone(),
                since: active.since,
                yield_asked: active.yield_asked,
            }),
            next,
        }
    }

    fn explain_other(&self, wanted: &Claim, other: &Waiting) -> Reason {
        let (name, purpose) = (self.name_of(wanted.medium), &other.request.purpose);
        plainly(
            format!("waits for medium {name}, which {purpose} gets first"),
            format!("{purpose} is served; later requests are served first at most {OVERTAKEN_MAX} times"),
        )
    }
}
