//! Media, as `medium list` and `medium show` print them.

use super::units::minute;
use dss::model::medium::{ExtentCounts, Usage};
use dss::model::{
    AdmState, ByteCount, Family, FsState, Generation, Health, Job, JobId, Medium, MediumFormat, MediumId, Presence,
    Revision, Standing,
};
use jiff::Timestamp;
use lrs::ldm::fs::Space;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One medium.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MediumView {
    /// What the operator calls it.
    pub name: String,
    /// Its identity, also on its label.
    pub id: MediumId,
    /// Tape or directory.
    pub family: Family,
    /// E.g. `LTO-9`; `dir` for directories.
    pub technology: String,
    /// How it is laid out: by respool, or by other software, as an LTFS volume whose files are only read.
    pub format: MediumFormat,
    /// The library that holds it.
    pub library: Option<String>,
    /// tape: the barcode on the cartridge.
    pub barcode: Option<String>,
    /// dir: its path; a virtual cartridge: the folder of its records.
    pub path: Option<String>,
    /// dir: its dock.
    pub dock: Option<String>,
    /// The operator's words.
    pub tags: BTreeSet<String>,
    /// The groupings it carries.
    pub groupings: BTreeSet<String>,
    /// The operator's class.
    pub class: Option<String>,
    /// What it may be used for.
    pub adm_state: AdmState,
    /// Nobody touches a locked medium.
    pub locked: bool,
    /// What the system thinks of it.
    pub health: Health,
    /// Where it was last found.
    pub presence: Presence,
    /// What is on it.
    pub fs_state: FsState,
    /// How often it was erased.
    pub generation: Generation,
    /// The highest catalogue revision written to it.
    pub revision: Revision,
    /// What it holds when empty; None: unlimited but by its file system, which did not answer.
    pub capacity_bytes: Option<ByteCount>,
    /// Bytes of extents in any state.
    pub used_bytes: ByteCount,
    /// What can still be written; None: it did not answer.
    pub free_bytes: Option<ByteCount>,
    /// Bytes referenced by a layout, deleted versions inside their undelete window included.
    pub live_bytes: ByteCount,
    /// Of those, the bytes that only deleted or overwritten versions reference.
    pub deleted_bytes: ByteCount,
    /// Orphan bytes that may go now.
    pub dead_bytes: ByteCount,
    /// Orphan bytes that are held.
    pub held_bytes: ByteCount,
    /// Bytes that the medium's own index does not name yet.
    pub unindexed_bytes: ByteCount,
    /// Whether it has seen more than the catalogue knows: level, ahead, or unseen since a restore.
    pub standing: Standing,
    /// When its quarantine ends; None while quarantined: never.
    pub quarantined_until: Option<Timestamp>,
    /// The job that emptied it.
    pub emptied_by: Option<JobId>,
    /// Numbers of extents.
    pub extents: ExtentCounts,
    /// When it was added.
    pub created_at: Timestamp,
    /// What its drive is doing.
    pub drive: Option<DriveView>,
}

/// A drive, as the scheduler has it now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DriveView {
    /// Its name.
    pub name: String,
    /// empty, loading, loaded, unloading or failed.
    pub state: String,
    /// The name of what is in it.
    pub medium: Option<String>,
    /// Who uses what is in it, and how.
    pub used_by: Vec<String>,
    /// Why it serves nobody; None while it does.
    pub out_of_service: Option<String>,
}

/// What `medium list` prints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MediaList {
    /// All of them, by name.
    pub media: Vec<MediumView>,
}

/// What `medium check-erase` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckErase {
    /// Its name.
    pub medium: String,
    /// Whether `medium format` would erase it now.
    pub erasable: bool,
    /// What speaks against it.
    pub reasons: Vec<String>,
    /// Extents that a layout references.
    pub live: u64,
    /// Extents that somebody is writing.
    pub pending: u64,
    /// Extents that would go.
    pub orphan: u64,
    /// Bytes that are held for a restore, and would go.
    pub held_bytes: ByteCount,
    /// The job that works on it.
    pub job: Option<JobId>,
}

/// Composes a medium's view. Without an answer of the medium itself, room is what its configured capacity leaves.
pub fn view(medium: Medium, usage: &Usage, space: Option<Space>) -> MediumView {
    let capacity = space.map(|space| space.capacity).or(medium.capacity);
    let free = space
        .map(|space| space.free)
        .or(medium.capacity.map(|capacity| capacity.saturating_sub(usage.used)));
    MediumView {
        name: medium.name,
        id: medium.id,
        family: medium.family,
        technology: medium.technology,
        format: medium.format,
        library: medium.location.library,
        barcode: match medium.family {
            Family::Tape => Some(medium.location.path.clone()),
            Family::Dir => None,
        },
        path: match medium.family {
            Family::Tape => None,
            Family::Dir => Some(medium.location.path),
        },
        dock: medium.location.dock,
        tags: medium.tags,
        groupings: medium.groupings,
        class: medium.class,
        adm_state: medium.adm_state,
        locked: medium.locked,
        health: medium.health,
        presence: medium.presence,
        fs_state: medium.fs_state,
        generation: medium.generation,
        revision: medium.revision,
        capacity_bytes: capacity,
        used_bytes: usage.used,
        free_bytes: free,
        live_bytes: usage.live,
        deleted_bytes: usage.deleted,
        dead_bytes: usage.dead,
        held_bytes: usage.held,
        unindexed_bytes: usage.unindexed,
        standing: medium.standing,
        quarantined_until: medium.quarantined_until,
        emptied_by: medium.emptied_by,
        extents: usage.extents,
        created_at: medium.created_at,
        drive: None,
    }
}

/// How a medium comes out of its quarantine: by itself, or back to its old bytes. `jobs` are all that have not ended.
pub fn out_of_quarantine(medium: &Medium, jobs: &[Job]) -> String {
    let keeper = jobs.iter().find(|job| job.spec.sources.contains(&medium.id));
    let together = keeper.is_some_and(|job| job.spec.sources.len() > 1);
    let holder = keeper.map(|job| job.id);
    let back = match holder.or(medium.emptied_by) {
        Some(job) => format!("`respool job restore {job}` goes back to its old bytes"),
        None => "`respool job restore` of the job that emptied it goes back to its old bytes".to_owned(),
    };
    match (holder, medium.quarantined_until) {
        (Some(job), Some(until)) => format!(
            "job {job} erases it after {}, and it takes extents again; until then {back}",
            minute(until)
        ),
        (None, Some(until)) => format!(
            "{back}; `respool medium format {}` erases it after {}",
            medium.name,
            minute(until)
        ),
        (Some(job), None) if together => format!(
            "its old bytes are kept until an operator decides: `respool repack` of all sources of job {job} with \
             `--quarantine 0` erases them together, {back}"
        ),
        (Some(_), None) => format!(
            "its old bytes are kept until an operator decides: `respool repack {} --quarantine 0` erases it, {back}",
            medium.name
        ),
        (None, None) => format!(
            "its old bytes are kept until an operator decides: {back}, and `respool repack {} --quarantine 0` then \
             moves them again and erases it",
            medium.name
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dss::model::{JobControl, JobKind, JobSpec, JobState, Location, Quarantine, Tally, VerifyMode};

    fn quarantined(until: Option<Timestamp>) -> Medium {
        Medium {
            id: MediumId::fresh(),
            name: "a".to_owned(),
            family: Family::Dir,
            technology: "dir".to_owned(),
            format: MediumFormat::Respool,
            location: Location {
                path: "/a".to_owned(),
                dock: None,
                library: None,
            },
            tags: BTreeSet::new(),
            groupings: BTreeSet::new(),
            class: None,
            adm_state: AdmState::Quarantined,
            locked: false,
            health: Health::Ok,
            presence: Presence::Attached,
            fs_state: FsState::Used,
            generation: Generation(0),
            capacity: None,
            revision: Revision(1),
            standing: Standing::Level,
            quarantined_until: until,
            emptied_by: Some(JobId(3)),
            doubts: 0,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn job_of(medium: &Medium) -> Job {
        Job {
            id: JobId(3),
            kind: JobKind::Repack,
            state: JobState::Quarantined,
            control: JobControl::Run,
            spec: JobSpec {
                sources: vec![medium.id],
                only: BTreeSet::new(),
                to: None,
                to_tags: BTreeSet::new(),
                quarantine: Quarantine::Forever,
                verify: VerifyMode::Full,
                drop_deleted: false,
                limit_bytes: None,
                limit_seconds: None,
            },
            tally: Tally::default(),
            skips: vec![],
            substitutions: vec![],
            error: None,
            created_at: Timestamp::UNIX_EPOCH,
            finished_at: None,
        }
    }

    #[test]
    fn the_way_out_of_a_quarantine_names_the_way_back_and_its_end() {
        let until = "2030-01-31T12:30:05Z".parse().ok();
        let held = quarantined(until);
        let told = out_of_quarantine(&held, &[job_of(&held)]);
        assert!(told.contains("job 3 erases it after 2030-01-31 12:30 UTC"), "{told}");
        assert!(told.contains("`respool job restore 3`"), "{told}");
        // Nobody erases it any more but an operator.
        let told = out_of_quarantine(&held, &[]);
        assert!(
            told.contains("`respool medium format a` erases it after 2030-01-31 12:30 UTC"),
            "{told}"
        );
        let kept = quarantined(None);
        let told = out_of_quarantine(&kept, &[job_of(&kept)]);
        assert!(
            told.contains("`respool repack a --quarantine 0` erases it, `respool job restore 3`"),
            "{told}"
        );
        let mut both = job_of(&kept);
        both.spec.sources.push(MediumId::fresh());
        let told = out_of_quarantine(&kept, &[both]);
        assert!(
            told.contains("of all sources of job 3 with"),
            "one alone is refused: {told}"
        );
    }
}
