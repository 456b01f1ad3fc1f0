//! What a drive is doing, for an operator.

use super::allocation::Mode;
use super::drive::{Drive, DriveId};
use super::request::AllocationId;
use super::scheduler::Scheduler;
use dss::model::MediumId;
use std::collections::{BTreeMap, BTreeSet};

/// A drive at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriveStatus {
    /// Its name.
    pub drive: String,
    /// empty, loading, loaded, unloading or failed.
    pub state: &'static str,
    /// What is in it, or on its way in or out.
    pub medium: Option<MediumId>,
    /// Who uses what is in it, and how.
    pub used_by: Vec<String>,
    /// Why it serves nobody; None while it does.
    pub out_of_service: Option<String>,
}

impl Scheduler {
    /// All drives: those that ever held something or are locked, and those of every library, in order.
    pub fn drive_list(&self) -> Vec<DriveStatus> {
        let used = self.drives.keys().chain(self.locked.keys()).cloned();
        let all: BTreeSet<DriveId> = used.chain(self.libraries.drives()).collect();
        all.iter().map(|id| self.drive_status(id)).collect()
    }

    /// How many drives of each library serve.
    pub fn serving(&self) -> BTreeMap<String, usize> {
        let mut serving = BTreeMap::new();
        for drive in self.libraries.drives() {
            if let Some(library) = drive.library() {
                let count: &mut usize = serving.entry(library.to_owned()).or_default();
                *count += usize::from(self.closed(&drive).is_none());
            }
        }
        serving
    }

    /// Whether a request that is not granted yet holds what it claims.
    pub fn prepares(&self, id: AllocationId) -> bool {
        self.queue.get(id).is_some_and(super::queue::Waiting::is_preparing)
    }

    /// What a drive is doing.
    pub fn drive_status(&self, id: &DriveId) -> DriveStatus {
        let drive = self.drive(id);
        let claims = self.active.values().flat_map(|active| {
            let here = active.claims.iter().filter(|claim| claim.drive == *id);
            here.map(|claim| (active.purpose.as_str(), claim.mode))
        });
        DriveStatus {
            drive: id.to_string(),
            state: match drive {
                Drive::Empty => "empty",
                Drive::Loading { .. } => "loading",
                Drive::Loaded { .. } => "loaded",
                Drive::Unloading { .. } => "unloading",
                Drive::Failed { .. } => "failed",
            },
            medium: drive.medium(),
            used_by: claims
                .map(|(purpose, mode): (&str, Mode)| format!("{purpose} {} it", mode.verb()))
                .collect(),
            out_of_service: self.closed(id).map(|why| why.to_string()),
        }
    }
}
