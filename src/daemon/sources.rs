//! What must be known of all media to tell about jobs: what the operator calls them, and which sources stayed *read_only*
//! when their jobs ended, so that nothing new goes there until an operator says so.

use crate::api::Problem;
use crate::api::jobs::{self, JobReport};
use crate::host::Host;
use dss::model::{AdmState, Job, JobKind, MediumId};
use std::collections::{BTreeMap, BTreeSet};

/// All media, as they are for jobs.
pub struct Sources {
    /// What the operator calls them.
    pub names: BTreeMap<MediumId, String>,
    /// Those that are *read_only*, and not for a job that goes on.
    left: BTreeSet<MediumId>,
}

impl Sources {
    /// As they are now.
    pub async fn now(host: &Host) -> Result<Self, Problem> {
        let jobs = host.catalogue.active_jobs().await?;
        let taken: BTreeSet<MediumId> = jobs.into_iter().flat_map(|job| job.spec.sources).collect();
        let (mut names, mut left) = (BTreeMap::new(), BTreeSet::new());
        for medium in host.catalogue.media().await? {
            if medium.adm_state == AdmState::ReadOnly && !taken.contains(&medium.id) {
                left.insert(medium.id);
            }
            names.insert(medium.id, medium.name);
        }
        Ok(Self { names, left })
    }

    /// A job's report. A migration takes its source as it is, and leaves it so.
    pub fn report(&self, job: &Job) -> JobReport {
        let left = job.spec.sources.iter().filter(|source| self.left.contains(*source));
        let read_only = left.filter_map(|source| self.names.get(source)).cloned();
        JobReport {
            left_read_only: match job.kind {
                JobKind::Repack => read_only.collect(),
                JobKind::Migrate => vec![],
            },
            ..jobs::report(job, &self.names)
        }
    }
}
