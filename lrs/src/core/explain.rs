//! What a request waits for, in words for an operator.

use super::drive::{Drive, DriveId};
use super::lease::LeaseState;
use super::queue::{Stage, Waiting};
use super::request::AllocationId;
use super::scheduler::Scheduler;
use dss::model::MediumId;
use std::collections::BTreeSet;

impl Scheduler {
    /// What a request waits for; None when it does not wait.
    pub fn explain(&self, id: AllocationId) -> Option<String> {
        let waiting = self.queue.get(id)?;
        let reasons = match &waiting.stage {
            Stage::Preparing { placement, .. } => {
                let media = placement
                    .claims
                    .iter()
                    .filter_map(|claim| self.explain_medium(claim.medium));
                media.collect()
            }
            Stage::Queued { .. } => self.explain_queued(waiting),
        };
        if reasons.is_empty() {
            return Some("about to be granted".into());
        }
        Some(reasons.into_iter().collect::<Vec<_>>().join("; "))
    }

    fn explain_medium(&self, id: MediumId) -> Option<String> {
        let state = self.media.get(&id)?;
        let name = &state.row.name;
        match (self.drive(&DriveId::of(&state.row)), &state.lease) {
            (Drive::Loading { .. }, _) => Some(format!("medium {name} is being mounted")),
            (Drive::Unloading { medium }, _) => Some(format!("medium {} is being unmounted", self.name_of(*medium))),
            (_, LeaseState::Asked) => Some(format!("the lease on medium {name} is being taken")),
            (Drive::Empty | Drive::Loaded { .. } | Drive::Failed { .. }, _) => None,
        }
    }

    fn explain_queued(&self, waiting: &Waiting) -> BTreeSet<String> {
        let mut reasons = BTreeSet::new();
        for wanted in self.effective(waiting.claims()) {
            let name = self.name_of(wanted.medium);
            for active in self.active.values() {
                for held in active.claims.iter().filter(|held| !held.goes_with(&wanted)) {
                    reasons.insert(if held.medium == wanted.medium {
                        format!("medium {name}, which {} {}", active.purpose, held.mode.verb())
                    } else {
                        let other = self.name_of(held.medium);
                        format!(
                            "{}, where {} {} medium {other}",
                            held.drive,
                            active.purpose,
                            held.mode.verb()
                        )
                    });
                }
            }
            for other in self.queue.iter().filter(|other| other.id != waiting.id) {
                let stands = other.is_preparing() || other.rank() < waiting.rank();
                if stands && other.claims().iter().any(|claim| !claim.goes_with(&wanted)) {
                    reasons.insert(format!("medium {name}, which {} gets first", other.request.purpose));
                }
            }
        }
        reasons.into_iter().map(|what| format!("waits for {what}")).collect()
    }
}
