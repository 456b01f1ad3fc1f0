//! Which drive a medium is in, which it may be claimed in, and which drives serve nobody. A directory has one drive and
//! keeps it; a tape may be in any drive of its library that takes it, and is in one at a time.

use super::allocation::{Board, Claim, Mode};
use super::drive::{Drive, DriveId};
use super::library::Fit;
use super::placement::{Choices, Out};
use super::request::AllocationId;
use super::scheduler::Scheduler;
use dss::model::{Medium, MediumId};

impl Scheduler {
    /// What a drive is doing.
    pub(super) fn drive(&self, id: &DriveId) -> &Drive {
        self.drives.get(id).unwrap_or(&Drive::Empty)
    }

    /// The drive of a medium: of a directory the one it has, of a tape the one it is in, or on its way in or out of.
    pub fn drive_of(&self, medium: &Medium) -> Option<DriveId> {
        DriveId::fixed(medium).or_else(|| self.bay_with(medium.id).cloned())
    }

    /// The drive of a library that a tape is in, or on its way in or out of.
    pub(super) fn bay_with(&self, tape: MediumId) -> Option<&DriveId> {
        let bays = self.drives.iter().filter(|(id, _)| id.library().is_some());
        let mut with = bays.filter(|(_, drive)| drive.medium() == Some(tape));
        with.next().map(|(id, _)| id)
    }

    /// What an allocation holds, and in which drives.
    pub fn held(&self, id: AllocationId) -> &[Claim] {
        self.active.get(&id).map_or(&[], |active| &active.claims)
    }

    /// Why a drive serves nobody now.
    pub(super) fn closed(&self, id: &DriveId) -> Option<Out> {
        if let Drive::Failed { why } = self.drive(id) {
            return Some(Out::Drive(why.clone()));
        }
        let aside = self.aside(id).map(Out::Drive);
        aside.or_else(|| self.orders.silent(id, self.now).map(Out::Silent))
    }

    /// Why a drive that works is to be emptied and left alone: it is to blame, the operator locked it, or its library says
    /// so. Who uses it is asked to give way.
    pub(super) fn aside(&self, id: &DriveId) -> Option<String> {
        let blamed = self.health.against_drive(id, self.now);
        let locked = || self.locked.get(id).map(|why| format!("the operator locked it: {why}"));
        blamed.or_else(locked).or_else(|| self.libraries.closed(id))
    }

    /// In which drives a medium can be used so, or why in none. `board` is what others hold or have reserved.
    pub(super) fn choices(&self, medium: &Medium, mode: Mode, board: &Board) -> Result<Choices, Out> {
        match DriveId::fixed(medium) {
            Some(drive) => match self.closed(&drive) {
                Some(out) => Err(out),
                None => Ok(Choices::only(drive)),
            },
            None => self.bays_for(medium, mode, board),
        }
    }

    fn bays_for(&self, tape: &Medium, mode: Mode, board: &Board) -> Result<Choices, Out> {
        let Some(library) = &tape.location.library else {
            return Err(Out::Nowhere("it is in no library".into()));
        };
        let Some(bays) = self.libraries.bays(library) else {
            return Err(Out::Nowhere(format!("library {library} is not known to this respoold")));
        };
        let inside = self.bay_with(tape.id);
        // Where it is under way to and does not answer, nobody knows where it is.
        if let Some(why) = inside.and_then(|drive| self.orders.silent(drive, self.now)) {
            return Err(Out::Silent(why));
        }
        let mut takes: Vec<_> = bays.filter(|(_, facts)| facts.takes(&tape.technology, mode)).collect();
        if takes.is_empty() {
            let verb = mode.of_drives();
            let technology = &tape.technology;
            return Err(Out::Nowhere(format!(
                "no drive of library {library} {verb} {technology}"
            )));
        }
        takes.sort_by_cached_key(|(id, facts)| {
            let failed = self.health.failed_in(tape.id, id, self.now);
            (Fit::of(self.drive(id), facts, tape.id), failed, id.clone())
        });
        let drives: Vec<DriveId> = takes.into_iter().map(|(id, _)| id).collect();
        let ever: Vec<DriveId> = drives.iter().filter(|id| self.closed(id).is_none()).cloned().collect();
        if ever.is_empty() {
            return Err(self.all_closed(library, &drives));
        }
        let pinned = inside.or_else(|| board.place_of(tape.id));
        let now = ever.iter().filter(|id| pinned.is_none_or(|pinned| pinned == *id));
        Ok(Choices {
            now: now.cloned().collect(),
            ever,
        })
    }

    /// Why a tape has no drive although there are some that take it. Those that only do not answer may yet.
    fn all_closed(&self, library: &str, drives: &[DriveId]) -> Out {
        let closed: Vec<(&DriveId, Out)> = drives.iter().filter_map(|id| Some((id, self.closed(id)?))).collect();
        let words: Vec<String> = closed.iter().map(|(id, out)| in_words(id, out)).collect();
        let why = format!("no drive of library {library} can take it now: {}", words.join("; "));
        match closed.iter().any(|(_, out)| matches!(out, Out::Silent(_))) {
            true => Out::Silent(why),
            false => Out::Nowhere(why),
        }
    }

    /// The drives of a library that serve nobody, each with the reason.
    pub(super) fn closed_bays(&self, library: &str) -> Vec<String> {
        let bays = self.libraries.bays(library).into_iter().flatten();
        bays.filter_map(|(id, _)| Some(in_words(&id, &self.closed(&id)?)))
            .collect()
    }
}

fn in_words(drive: &DriveId, out: &Out) -> String {
    match out {
        Out::Drive(why) | Out::Silent(why) => format!("{drive} ({why})"),
        Out::Room(_) | Out::Probe(_) | Out::Load(_) | Out::Lease(_) | Out::Nowhere(_) => format!("{drive} ({out})"),
    }
}
