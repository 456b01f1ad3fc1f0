//! The rules that hold at every instant, held against every call as it is made: what is written has a row, what is
//! removed is an orphan, what is *sync* is durable, what was read back is there, and nobody touches what is not his.

use super::world::{There, World};
use crate::tape;
use dss::catalogue::{Catalogue, CatalogueError, ExtentFilter, Page};
use dss::model::{
    AdmState, Blake3, Extent, ExtentId, ExtentState, FsState, Job, JobId, JobState, Medium, MediumId, MoveState,
    Quarantine, VerifyMode,
};
use futures_util::FutureExt;
use lrs::ldm::disk::Role;
use std::collections::{BTreeMap, BTreeSet};

/// More rows than any run has.
const ALL: u32 = 100_000;

/// What the rules remember.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Extents that were found durable when they became *sync*.
    durable: BTreeSet<ExtentId>,
    /// Moves that were found good when they were read back.
    read_back: BTreeSet<(JobId, ExtentId)>,
    /// Jobs that were looked at when they were done.
    pub done: BTreeSet<JobId>,
    /// When a path was opened last.
    opened: BTreeMap<(String, String), u64>,
    /// When a path was struck last.
    struck: BTreeMap<(String, String), u64>,
    /// Media that another respoold holds.
    pub elsewhere: BTreeSet<String>,
    /// The world is being made: no rule holds yet.
    pub making: bool,
}

/// Whether a file is what a row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bytes {
    Good,
    /// Not, and nobody was told when it happened.
    Struck,
    /// Not, and no fault accounts for it.
    Wrong,
}

/// The catalogue in memory answers at once.
pub fn look<T>(answer: impl Future<Output = T>) -> T {
    answer.now_or_never().expect("the catalogue in memory does not wait")
}

impl World {
    pub fn media(&self) -> Vec<Medium> {
        look(self.catalogue.media()).expect("media are listed")
    }

    pub fn jobs(&self) -> Vec<Job> {
        look(self.catalogue.jobs(ALL)).expect("jobs are listed")
    }

    pub fn extents(&self, medium: Option<MediumId>) -> Vec<Extent> {
        let filter = ExtentFilter {
            medium,
            ..ExtentFilter::default()
        };
        let page = Page {
            after: None,
            limit: ALL,
        };
        look(self.catalogue.extents(&filter, page)).expect("extents are listed")
    }

    /// Whether the device of a medium holds an extent for sure.
    pub fn held(&self, medium: &str, extent: &Extent) -> Bytes {
        let inner = self.inner();
        if !inner.matter.slots.contains_key(medium) {
            let robot = inner.matter.robot.as_ref().expect("a medium that is no disk is a tape");
            // No tape is struck without a word.
            return match tape::has(robot, medium, extent) {
                true => Bytes::Good,
                false => Bytes::Wrong,
            };
        }
        let platter = &inner.matter.slots[medium].platter;
        let Some(held) = platter.durable(&extent.address.0) else {
            return Bytes::Wrong;
        };
        let digests = extent.digests.as_ref();
        let good = digests.is_some_and(|digests| {
            digests.bytes.0 == held.bytes.len() as u64
                && digests.blake3 == Blake3(*blake3::hash(&held.bytes).as_bytes())
        });
        match (good, held.struck) {
            (true, _) => Bytes::Good,
            (false, true) => Bytes::Struck,
            (false, false) => Bytes::Wrong,
        }
    }

    fn rules_hold(&self) -> bool {
        !self.is_dead() && !self.inner().seen.making
    }

    // ------------------------------------------------------------------------------------------------- on a disk

    /// Intent before bytes: what is written has a pending row, at this address.
    pub fn rule_of_writing(&self, medium: &str, path: &str, role: &Role) {
        let Role::Extent(subject) = role else { return };
        if !self.rules_hold() {
            return;
        }
        match look(self.catalogue.extent(subject.extent)) {
            Ok(row) if row.address.0 == path && row.state == ExtentState::Pending => {}
            // Its session or job gave it up, or its epoch was swept, a moment ago: the row is there, and stays until the
            // bytes are gone.
            Ok(row) if row.address.0 == path && row.state == ExtentState::Orphan => {}
            Ok(row) => self.broken(format!(
                "E-04: {path} on {medium} is written while its row is {} at {}",
                row.state, row.address
            )),
            Err(error) => self.broken(format!("E-04: {path} on {medium} is written without a row: {error}")),
        }
    }

    /// Somebody else's disk, and a medium that another respoold holds, are not touched.
    pub fn rule_of_changing(&self, medium: &str, there: There, what: &str) {
        if !self.rules_hold() {
            return;
        }
        if there == There::Another {
            self.broken(format!("X-25: a disk that is not {medium} was {what}"));
        }
        if self.inner().seen.elsewhere.contains(medium) {
            self.broken(format!("I7: {medium} was {what} while another respoold held its lease"));
        }
    }

    /// Only what the catalogue names as orphan is removed, and not before what replaced it was read.
    pub fn rule_of_removal(&self, medium: &str, path: &str, role: &Role) {
        let Role::Extent(subject) = role else { return };
        if !self.rules_hold() {
            return;
        }
        let row = match look(self.catalogue.extent(subject.extent)) {
            Ok(row) => row,
            Err(error) => {
                return self.broken(format!("I11: {path} on {medium} is removed and has no row: {error}"));
            }
        };
        if row.state != ExtentState::Orphan {
            self.broken(format!("I11: {path} on {medium} is removed while it is {}", row.state));
        }
        if row.address.0 != path {
            self.broken(format!(
                "I11: {path} on {medium} is removed for {}, which lies at {}",
                row.id, row.address
            ));
        }
        for job in self.jobs() {
            if job.spec.verify != VerifyMode::Full {
                continue;
            }
            let page = Page {
                after: None,
                limit: ALL,
            };
            let moves = look(self.catalogue.moves(job.id, &[MoveState::Swapped], page)).expect("moves are listed");
            for one in moves.iter().filter(|one| one.old == row.id) {
                let needed = look(self.catalogue.references(&[one.new])).expect("references are listed");
                if !needed.is_empty() {
                    self.broken(format!(
                        "old bytes outlive read-back: {path} on {medium} is removed, and job {} has not read back {}",
                        job.id, one.new
                    ));
                }
            }
        }
    }

    pub fn opened(&self, medium: &str, path: &str) {
        let mut inner = self.inner();
        let order = inner.run.now();
        inner.seen.opened.insert((medium.to_owned(), path.to_owned()), order);
    }

    pub fn struck(&self, medium: &str, path: &str) {
        let mut inner = self.inner();
        let order = inner.run.now();
        inner.seen.struck.insert((medium.to_owned(), path.to_owned()), order);
    }

    // --------------------------------------------------------------------------------------------- in the catalogue

    /// After a transaction that was committed.
    pub fn rules_of_the_catalogue(&self, call: &str) {
        if !self.rules_hold() {
            return;
        }
        for finding in self.catalogue.violations() {
            self.broken(format!("after {call}: {finding:?}"));
        }
        match call {
            "commit_put" | "swap_batch" => self.what_is_sync_is_durable(),
            "mark_read_back" => self.what_was_read_back_is_there(),
            "advance_job" => self.what_is_done_is_done(),
            _ => {}
        }
    }

    fn names(&self) -> BTreeMap<MediumId, String> {
        self.media()
            .into_iter()
            .map(|medium| (medium.id, medium.name))
            .collect()
    }

    fn what_is_sync_is_durable(&self) {
        let names = self.names();
        for extent in self.extents(None) {
            if extent.state != ExtentState::Sync || !self.inner().seen.durable.insert(extent.id) {
                continue;
            }
            let name = &names[&extent.medium];
            if self.held(name, &extent) == Bytes::Wrong {
                self.broken(format!(
                    "I1: {} at {} on {name} became sync and is not durable",
                    extent.id, extent.address
                ));
            }
        }
    }

    fn what_was_read_back_is_there(&self) {
        let names = self.names();
        for job in self.jobs() {
            let page = Page {
                after: None,
                limit: ALL,
            };
            for one in look(self.catalogue.moves(job.id, &[MoveState::ReadBack], page)).expect("moves are listed") {
                if !self.inner().seen.read_back.insert((job.id, one.new)) {
                    continue;
                }
                let extent = match look(self.catalogue.extent(one.new)) {
                    Ok(extent) => extent,
                    Err(CatalogueError::NotFound { .. }) => continue,
                    Err(error) => panic!("{error}"),
                };
                let name = &names[&extent.medium];
                if self.held(name, &extent) != Bytes::Good && !self.was_struck_since_it_was_opened(name, &extent) {
                    self.broken(format!(
                        "X-26: {} at {} on {name} was read back and is not there",
                        extent.id, extent.address
                    ));
                }
            }
        }
    }

    fn was_struck_since_it_was_opened(&self, medium: &str, extent: &Extent) -> bool {
        let inner = self.inner();
        let place = (medium.to_owned(), extent.address.0.clone());
        inner.seen.struck.get(&place) > inner.seen.opened.get(&place)
    }

    /// A job that says it is done left nothing out.
    fn what_is_done_is_done(&self) {
        for job in self.jobs() {
            if job.state != JobState::Done || !self.inner().seen.done.insert(job.id) {
                continue;
            }
            if !job.skips.is_empty() {
                self.broken(format!("I9: job {} is done, and skipped {:?}", job.id, job.skips));
            }
            if let Some(error) = &job.error {
                self.broken(format!("I9: job {} is done, and failed: {}", job.id, error.message));
            }
            if !job.spec.only.is_empty() || job.spec.quarantine != Quarantine::None {
                continue;
            }
            for source in &job.spec.sources {
                let medium = look(self.catalogue.medium_by_id(*source)).expect("a source has a row");
                let empty = self
                    .extents(Some(*source))
                    .iter()
                    .all(|of| of.generation == medium.generation);
                if medium.adm_state == AdmState::Erasing || medium.fs_state == FsState::Blank || !empty {
                    self.broken(format!("job {} is done, and {} is not erased", job.id, medium.name));
                }
            }
        }
    }
}
