//! Who uses which medium how, and what goes together. Called by the scheduler only.

use super::drive::DriveId;
use super::request::{AllocationId, Priority};
use dss::model::{Family, MediumId};
use std::collections::BTreeMap;
use std::time::Duration;

/// How a medium is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Its extents are read.
    Read,
    /// Extents are added.
    Write,
    /// Nobody else uses it.
    Exclusive,
}

impl Mode {
    /// The word for messages: "which job 12 ... it".
    pub fn verb(self) -> &'static str {
        match self {
            Self::Read => "reads",
            Self::Write => "writes",
            Self::Exclusive => "has to itself",
        }
    }

    /// The word for drives that could do it: "no drive of library lib0 ... LTO-9".
    pub fn of_drives(self) -> &'static str {
        match self {
            Self::Read => "reads",
            Self::Write | Self::Exclusive => "writes",
        }
    }
}

/// Whether two uses of one medium can be granted at once. A disk is read while it is written; a tape has one head.
pub fn compatible(family: Family, one: Mode, other: Mode) -> bool {
    match (one, other) {
        (Mode::Read, Mode::Read) => true,
        (Mode::Read, Mode::Write) | (Mode::Write, Mode::Read) => family == Family::Dir,
        (Mode::Write, Mode::Write) | (Mode::Exclusive, _) | (_, Mode::Exclusive) => false,
    }
}

/// One use of one medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which medium.
    pub medium: MediumId,
    /// Of which family.
    pub family: Family,
    /// In which drive.
    pub drive: DriveId,
    /// How.
    pub mode: Mode,
}

impl Claim {
    /// Whether both can be had at once. A medium is in one drive at a time.
    pub fn goes_with(&self, other: &Self) -> bool {
        if self.medium == other.medium {
            self.drive == other.drive && compatible(self.family, self.mode, other.mode)
        } else {
            self.drive != other.drive
        }
    }
}

/// Whether two sets of claims can be had at once.
pub fn go_together(some: &[Claim], others: &[Claim]) -> bool {
    some.iter().all(|one| others.iter().all(|other| one.goes_with(other)))
}

/// A granted allocation.
#[derive(Clone, Debug)]
pub struct Active {
    /// What for.
    pub purpose: String,
    /// How urgent.
    pub priority: Priority,
    /// What it holds.
    pub claims: Vec<Claim>,
    /// Its request's place in the order of arrival.
    pub arrival: u64,
    /// Since when.
    pub since: Duration,
    /// When it was asked to give way, if it was.
    pub yield_asked: Option<Duration>,
}

/// A user's put or get that holds what somebody has waited for so long gives way at its next extent boundary, whoever
/// waits: one that is fed or read slowly may go on for days.
pub const PATIENCE: Duration = Duration::from_secs(60);

impl Active {
    /// Whether it gives way, at its next extent boundary, to a request of this priority that has waited for so long: work
    /// of our own at once to whoever is more urgent, a user's when the other's patience is over. A repack does not give
    /// way to another: both end, and taking turns would cost them mounts.
    pub fn yields_to(&self, priority: Priority, waited: Duration) -> bool {
        match self.priority {
            Priority::Repack | Priority::Background => priority < self.priority,
            Priority::Get | Priority::Put => waited >= PATIENCE,
        }
    }
}

/// Everything held or reserved at one moment, by drive and by medium, so that one question costs the claims of one drive
/// and one medium.
#[derive(Debug, Default)]
pub struct Board {
    by_drive: BTreeMap<DriveId, Vec<(AllocationId, Claim)>>,
    by_medium: BTreeMap<MediumId, Vec<(AllocationId, Claim)>>,
}

impl Board {
    /// Notes claims.
    pub fn add(&mut self, id: AllocationId, claims: &[Claim]) {
        for claim in claims {
            let on_drive = self.by_drive.entry(claim.drive.clone()).or_default();
            on_drive.push((id, claim.clone()));
            let of_medium = self.by_medium.entry(claim.medium).or_default();
            of_medium.push((id, claim.clone()));
        }
    }

    /// Whether a claim can be had beside all that was noted.
    pub fn fits(&self, claim: &Claim) -> bool {
        self.against(claim).next().is_none()
    }

    /// Who stands against a claim.
    pub fn against<'a>(&'a self, claim: &'a Claim) -> impl Iterator<Item = &'a (AllocationId, Claim)> {
        let on_drive = self.by_drive.get(&claim.drive).map_or(&[][..], Vec::as_slice);
        let of_medium = self.by_medium.get(&claim.medium).map_or(&[][..], Vec::as_slice);
        let elsewhere = of_medium.iter().filter(|(_, held)| held.drive != claim.drive);
        on_drive
            .iter()
            .chain(elsewhere)
            .filter(move |(_, held)| !held.goes_with(claim))
    }

    /// The drive in which a medium is claimed already: whoever wants it too wants it there.
    pub fn place_of(&self, medium: MediumId) -> Option<&DriveId> {
        let of_medium = self.by_medium.get(&medium)?;
        of_medium.first().map(|(_, held)| &held.drive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_writer_readers_beside_it_on_disks_only_and_exclusive_alone() {
        use Mode::{Exclusive, Read, Write};
        let table = |family| {
            [
                (Read, Read),
                (Read, Write),
                (Write, Write),
                (Exclusive, Read),
                (Exclusive, Write),
                (Exclusive, Exclusive),
            ]
            .map(|(one, other)| {
                assert_eq!(
                    compatible(family, one, other),
                    compatible(family, other, one),
                    "symmetric"
                );
                compatible(family, one, other)
            })
        };
        assert_eq!(table(Family::Dir), [true, true, false, false, false, false]);
        assert_eq!(table(Family::Tape), [true, false, false, false, false, false]);
    }

    #[test]
    fn a_tape_is_claimed_in_one_drive_only_however_it_is_used() {
        let bay = |name: &str| DriveId::Bay {
            library: "lib0".into(),
            bay: name.into(),
        };
        let read = |medium: u128, name: &str| Claim {
            medium: MediumId(uuid::Uuid::from_u128(medium)),
            family: Family::Tape,
            drive: bay(name),
            mode: Mode::Read,
        };
        let mut board = Board::default();
        board.add(AllocationId(1), &[read(1, "drv0")]);
        assert!(board.fits(&read(1, "drv0")), "readers share it where it is");
        assert!(!board.fits(&read(1, "drv1")), "no tape is in two drives");
        assert!(!board.fits(&read(2, "drv0")), "no drive has two tapes");
        assert!(board.fits(&read(2, "drv1")));
        assert_eq!(board.place_of(read(1, "").medium), Some(&bay("drv0")));
        assert_eq!(board.place_of(read(2, "").medium), None);
    }
}
