//! Which media a job without a target waits for: those that another job empties and gives back by itself (hop 1).

use super::berths::Drives;
use super::manifest::Manifest;
use super::plan::{Moorings, Plan, Target, Together, assign};
use dss::model::{ExtentId, Job, JobId, JobKind, JobState, MediumId, Quarantine};
use std::collections::{BTreeMap, BTreeSet};

/// A medium that will take extents when the job that empties it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// As it will be: empty.
    pub target: Target,
    /// Who empties it.
    pub job: JobId,
}

/// Whether a job gives its sources back by itself and soon. One with a quarantine holds them for days, a paused one for
/// as long as the operator likes. `own` waits for older jobs only: two jobs never wait for each other.
pub fn gives_back(job: &Job, own: Option<JobId>) -> bool {
    let at_work = match job.state {
        JobState::Queued | JobState::Running | JobState::Verifying | JobState::Reclaiming => true,
        JobState::Paused
        | JobState::Quarantined
        | JobState::Done
        | JobState::DoneWithSkips
        | JobState::Failed
        | JobState::Cancelled
        | JobState::Restored => false,
    };
    at_work
        && job.kind == JobKind::Repack
        && job.spec.quarantine == Quarantine::None
        && own.is_none_or(|own| job.id < own)
}

/// The media that would take everything that a plan leaves without a place, with the jobs that empty them; None when
/// they would not take all of it.
pub fn wait_for(manifest: &Manifest, plan: &Plan, awaited: &[Awaited]) -> Option<BTreeMap<MediumId, JobId>> {
    let stranded: BTreeSet<ExtentId> = plan.unplaced.iter().map(|(extent, _)| *extent).collect();
    if stranded.is_empty() || awaited.is_empty() {
        return None;
    }
    let (rest, _) = manifest.parted(|item| stranded.contains(&item.extent));
    // Their drives come free one after the other; now it matters only that there is room.
    let targets: Vec<Target> = awaited
        .iter()
        .map(|one| Target {
            berth: None,
            ..one.target.clone()
        })
        .collect();
    let moorings = Moorings {
        drives: &Drives::default(),
        sources: &[],
        together: Together::EachAlone,
    };
    let later = assign(&rest, &targets, &moorings);
    if !later.unplaced.is_empty() {
        return None;
    }
    let used: BTreeSet<MediumId> = later.steps.iter().map(|step| step.target).collect();
    let used = awaited.iter().filter(|one| used.contains(&one.target.medium));
    Some(used.map(|one| (one.target.medium, one.job)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repack::manifest::Item;
    use dss::model::{ByteCount, CopyNo, JobControl, JobSpec, ObjectId, Tally, VerifyMode};

    fn assign(manifest: &Manifest, targets: &[Target]) -> Plan {
        let moorings = Moorings {
            drives: &Drives::default(),
            sources: &[],
            together: Together::Both,
        };
        super::assign(manifest, targets, &moorings)
    }

    fn job(id: i64, state: JobState, quarantine: Quarantine) -> Job {
        Job {
            id: JobId(id),
            kind: JobKind::Repack,
            state,
            control: JobControl::Run,
            spec: JobSpec {
                sources: vec![MediumId::fresh()],
                only: BTreeSet::new(),
                to: None,
                to_tags: BTreeSet::new(),
                quarantine,
                verify: VerifyMode::Full,
                drop_deleted: false,
                limit_bytes: None,
                limit_seconds: None,
            },
            tally: Tally::default(),
            skips: vec![],
            substitutions: vec![],
            error: None,
            created_at: "2026-01-01T00:00:00Z".parse().unwrap(),
            finished_at: None,
        }
    }

    #[test]
    fn e02_only_an_older_job_that_erases_by_itself_is_waited_for() {
        let running = job(3, JobState::Running, Quarantine::None);
        assert!(gives_back(&running, None) && gives_back(&running, Some(JobId(4))));
        assert!(!gives_back(&running, Some(JobId(3))) && !gives_back(&running, Some(JobId(2))));
        for other in [
            job(3, JobState::Paused, Quarantine::None),
            job(3, JobState::Failed, Quarantine::None),
            job(3, JobState::Running, Quarantine::Seconds(60)),
            job(3, JobState::Running, Quarantine::Forever),
        ] {
            assert!(!gives_back(&other, Some(JobId(4))), "{:?}", other.state);
        }
    }

    #[test]
    fn e02_a_job_waits_only_where_all_of_the_rest_will_find_room() {
        let item = |bytes| Item {
            extent: ExtentId::fresh(),
            object: ObjectId::fresh(),
            copy: CopyNo(0),
            bytes: ByteCount(bytes),
            source: 0,
            avoid: 0,
            grouping: 0,
            deleted_only: false,
            spot: None,
        };
        let manifest = Manifest {
            sources: vec![MediumId::fresh()],
            items: vec![item(10_000), item(20_000)],
            left_out: vec![],
            avoidances: vec![BTreeSet::new()],
            groupings: vec![None],
        };
        let awaited = |free| Awaited {
            target: Target {
                medium: MediumId::fresh(),
                free: ByteCount(free),
                begun: false,
                groupings: BTreeSet::new(),
                berth: None,
            },
            job: JobId(7),
        };
        let plan = assign(&manifest, &[]);
        let (small, large) = (awaited(30_000), awaited(50_000));
        assert_eq!(wait_for(&manifest, &plan, std::slice::from_ref(&small)), None);
        let found = wait_for(&manifest, &plan, std::slice::from_ref(&large)).unwrap();
        assert_eq!(found, BTreeMap::from([(large.target.medium, JobId(7))]));
        let placed = assign(&manifest, std::slice::from_ref(&large.target));
        assert_eq!(
            wait_for(&manifest, &placed, &[large]),
            None,
            "nothing is left to wait for"
        );
    }
}
