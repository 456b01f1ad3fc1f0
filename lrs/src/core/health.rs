//! Who is to blame when media fail in drives: counters for each pair of medium and drive, and what they say together.
//! One medium that fails in two drives is bad itself; several media that fail in one drive, and nowhere else, speak against
//! the drive. A directory without a dock is its own drive: there is only the medium to blame. Pure; called by the
//! scheduler.
//!
//! The counters live as long as respoold; what they led to stands in the catalogue. A failed digest is no business of
//! theirs: whoever finds one calls the medium suspect at once.

use super::drive::DriveId;
use dss::model::{Family, MediumId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Failures older than this say nothing any more: the time within which several media on one drive count together
/// (reference model of health, drive attribution: "2 distinct media fail on one drive within 7 d").
pub const WINDOW: Duration = Duration::from_secs(7 * 24 * 3600);

/// So many failed writes or mounts make a disk suspect (the same model: "at least 1 hard read or write error on disk").
pub const DIR_HARD_ERRORS: u32 = 1;

/// The same for a tape ("at least 3 on tape"), unless a second drive confirms the first one's.
pub const TAPE_HARD_ERRORS: u32 = 3;

/// So many failed syncs: one voids its window and the medium is opened and identified anew; a second one is no accident.
pub const SYNC_ERRORS: u32 = 2;

/// So many extents that cannot be read: fewer may be bad places of a good medium, and each is blamed by itself ("bad
/// extents at least 3").
pub const UNREADABLE_EXTENTS: u32 = 3;

/// So many media that fail in one drive and in no other speak against the drive ("2 different tapes fail = drive").
pub const DRIVE_MEDIA: usize = 2;

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// A write, or a mount of a medium that is there.
    Hard,
    /// A sync.
    Sync,
    /// The reading of one extent.
    Read,
}

/// One failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Of which medium.
    pub medium: MediumId,
    /// What it is.
    pub family: Family,
    /// In which drive.
    pub drive: DriveId,
    /// What failed.
    pub trouble: Trouble,
    /// In words.
    pub why: String,
}

/// The failures of one medium in one drive.
#[derive(Clone, Debug)]
struct Pair {
    family: Family,
    hard: u32,
    sync: u32,
    read: u32,
    last: Duration,
    why: String,
}

impl Pair {
    fn is_bad(&self) -> bool {
        let hard = match self.family {
            Family::Dir => DIR_HARD_ERRORS,
            Family::Tape => TAPE_HARD_ERRORS,
        };
        self.hard >= hard || self.sync >= SYNC_ERRORS || self.read >= UNREADABLE_EXTENTS
    }

    fn words(&self) -> String {
        format!(
            "{} writes or mounts, {} syncs and {} reads failed, the last one: {}",
            self.hard, self.sync, self.read, self.why
        )
    }
}

/// The counters of all pairs with failures.
#[derive(Debug, Default)]
pub struct Records {
    pairs: BTreeMap<(MediumId, DriveId), Pair>,
}

impl Records {
    /// Counts a failure.
    pub fn note(&mut self, failure: Failure, now: Duration) {
        self.pairs.retain(|_, pair| now.saturating_sub(pair.last) <= WINDOW);
        let pair = self
            .pairs
            .entry((failure.medium, failure.drive))
            .or_insert_with(|| Pair {
                family: failure.family,
                hard: 0,
                sync: 0,
                read: 0,
                last: now,
                why: String::new(),
            });
        let counter = match failure.trouble {
            Trouble::Hard => &mut pair.hard,
            Trouble::Sync => &mut pair.sync,
            Trouble::Read => &mut pair.read,
        };
        *counter = counter.saturating_add(1);
        (pair.last, pair.why) = (now, failure.why);
    }

    /// The operator has seen to a medium and trusts it: what it did before says nothing any more, of its drives neither.
    pub fn forget(&mut self, medium: MediumId) {
        self.pairs.retain(|(of, _), _| *of != medium);
    }

    /// How often a medium failed in a drive, so that it is tried in another one first.
    pub fn failed_in(&self, medium: MediumId, drive: &DriveId, now: Duration) -> u32 {
        let here = self.valid(now).find(|((of, at), _)| *of == medium && at == drive);
        here.map_or(0, |(_, pair)| {
            pair.hard.saturating_add(pair.sync).saturating_add(pair.read)
        })
    }

    /// Why a drive is taken out of service, in words; None while it is not.
    pub fn against_drive(&self, drive: &DriveId, now: Duration) -> Option<String> {
        let media = self.failing_only_in(drive, now);
        (media.len() >= DRIVE_MEDIA).then(|| {
            format!(
                "{} media failed in {drive} and in no other drive, so the drive is to blame and out of service",
                media.len()
            )
        })
    }

    /// Why a medium is suspect, in words; None while its failures are few or are its drive's.
    pub fn against_medium(&self, medium: MediumId, now: Duration) -> Option<String> {
        let failed_in: Vec<(&DriveId, &Pair)> = self
            .valid(now)
            .filter(|((of, _), _)| *of == medium)
            .map(|((_, drive), pair)| (drive, pair))
            .collect();
        match failed_in[..] {
            [] => None,
            [(drive, pair)] => {
                let blamed = pair.is_bad() && self.against_drive(drive, now).is_none();
                blamed.then(|| pair.words())
            }
            [(first, _), (second, pair), ..] => Some(format!(
                "it failed in {first} and in {second}, so it is to blame itself; the last failure: {}",
                pair.why
            )),
        }
    }

    /// The media whose failures in a shared drive stand alone.
    fn failing_only_in(&self, drive: &DriveId, now: Duration) -> BTreeSet<MediumId> {
        if matches!(drive, DriveId::Own(_)) {
            return BTreeSet::new();
        }
        let failed_elsewhere: BTreeSet<MediumId> = self
            .valid(now)
            .filter(|((_, other), _)| other != drive)
            .map(|((medium, _), _)| *medium)
            .collect();
        let here = self.valid(now).filter(|((_, other), _)| other == drive);
        here.map(|((medium, _), _)| *medium)
            .filter(|medium| !failed_elsewhere.contains(medium))
            .collect()
    }

    fn valid(&self, now: Duration) -> impl Iterator<Item = (&(MediumId, DriveId), &Pair)> {
        let recent = move |pair: &Pair| now.saturating_sub(pair.last) <= WINDOW;
        self.pairs.iter().filter(move |(_, pair)| recent(pair))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn medium(number: u128) -> MediumId {
        MediumId(uuid::Uuid::from_u128(number))
    }

    fn dock(name: &str) -> DriveId {
        DriveId::Dock(name.into())
    }

    fn fails(records: &mut Records, number: u128, drive: DriveId, trouble: Trouble) {
        let failure = Failure {
            medium: medium(number),
            family: Family::Dir,
            drive,
            trouble,
            why: "EIO".into(),
        };
        records.note(failure, Duration::ZERO);
    }

    #[test]
    fn a_disk_is_suspect_after_one_failed_write_two_syncs_or_three_extents() {
        for (trouble, times) in [
            (Trouble::Hard, DIR_HARD_ERRORS),
            (Trouble::Sync, SYNC_ERRORS),
            (Trouble::Read, UNREADABLE_EXTENTS),
        ] {
            let mut records = Records::default();
            for _ in 0..times {
                assert_eq!(records.against_medium(medium(1), Duration::ZERO), None);
                fails(&mut records, 1, dock("left"), trouble);
            }
            assert!(records.against_medium(medium(1), Duration::ZERO).is_some());
            assert_eq!(records.against_drive(&dock("left"), Duration::ZERO), None);
        }
    }

    #[test]
    fn several_media_in_one_drive_speak_against_the_drive_and_not_against_them() {
        let mut records = Records::default();
        fails(&mut records, 1, dock("left"), Trouble::Hard);
        assert_eq!(
            records.against_drive(&dock("left"), Duration::ZERO),
            None,
            "one is not several"
        );
        fails(&mut records, 2, dock("left"), Trouble::Hard);
        let why = records.against_drive(&dock("left"), Duration::ZERO).unwrap();
        assert_eq!(
            why,
            "2 media failed in dock left and in no other drive, so the drive is to blame and out of service"
        );
        assert_eq!(records.against_medium(medium(1), Duration::ZERO), None);
        assert_eq!(records.against_medium(medium(2), Duration::ZERO), None);
        assert_eq!(records.against_drive(&dock("right"), Duration::ZERO), None);
    }

    #[test]
    fn a_medium_that_fails_in_two_drives_is_bad_itself_and_clears_the_drives() {
        let mut records = Records::default();
        fails(&mut records, 1, dock("left"), Trouble::Read);
        fails(&mut records, 2, dock("left"), Trouble::Read);
        assert!(records.against_drive(&dock("left"), Duration::ZERO).is_some());
        fails(&mut records, 1, dock("right"), Trouble::Read);
        let why = records.against_medium(medium(1), Duration::ZERO).unwrap();
        assert!(why.contains("dock left and in dock right"), "{why}");
        assert_eq!(records.against_drive(&dock("left"), Duration::ZERO), None);
        assert_eq!(records.against_drive(&dock("right"), Duration::ZERO), None);
    }

    #[test]
    fn a_directory_is_its_own_drive_and_only_the_medium_is_to_blame() {
        let mut records = Records::default();
        for number in 1..5 {
            fails(&mut records, number, DriveId::Own(medium(number)), Trouble::Hard);
            assert!(records.against_medium(medium(number), Duration::ZERO).is_some());
            assert_eq!(
                records.against_drive(&DriveId::Own(medium(number)), Duration::ZERO),
                None
            );
        }
    }

    #[test]
    fn a_tape_needs_three_failures_or_a_second_drive() {
        let tape = |drive: &str| Failure {
            medium: medium(1),
            family: Family::Tape,
            drive: dock(drive),
            trouble: Trouble::Hard,
            why: "3/11/00".into(),
        };
        let mut records = Records::default();
        for _ in 1..TAPE_HARD_ERRORS {
            records.note(tape("left"), Duration::ZERO);
        }
        assert_eq!(records.against_medium(medium(1), Duration::ZERO), None);
        records.note(tape("right"), Duration::ZERO);
        assert!(records.against_medium(medium(1), Duration::ZERO).is_some());
    }

    #[test]
    fn old_failures_and_those_of_a_trusted_medium_say_nothing() {
        let mut records = Records::default();
        fails(&mut records, 1, dock("left"), Trouble::Hard);
        fails(&mut records, 2, dock("left"), Trouble::Hard);
        let later = WINDOW + Duration::from_secs(1);
        assert_eq!(records.against_drive(&dock("left"), later), None);
        assert_eq!(records.against_medium(medium(1), later), None);
        records.forget(medium(1));
        assert_eq!(records.against_drive(&dock("left"), Duration::ZERO), None);
        assert!(records.against_medium(medium(2), Duration::ZERO).is_some());
    }
}
