//! Whether a copy may be given up (I10): what would remain is counted without every medium that cannot be relied on. Pure;
//! each catalogue gathers the places behind its own locks.

use crate::model::{AdmState, CopyNo, ExtentIndex, Health, Medium, MediumId, Presence, Standing};
use std::collections::{BTreeMap, BTreeSet};

/// One place in a layout of a version, and what fills it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Filled {
    pub(crate) copy: CopyNo,
    pub(crate) index: ExtentIndex,
    pub(crate) medium: MediumId,
    /// Whether its bytes were read back and are good, and lie there at the medium's present generation.
    pub(crate) verified: bool,
}

/// Whether copies on a medium count: it stays, it is in reach, nothing is known against it, and no job empties it.
pub(crate) fn is_relied_on(medium: &Medium, is_source: bool) -> bool {
    let stays = match medium.adm_state {
        AdmState::InService | AdmState::ReadOnly => !is_source,
        AdmState::Draining
        | AdmState::AbandonShip
        | AdmState::Quarantined
        | AdmState::Erasing
        | AdmState::Retired
        | AdmState::Dead => false,
    };
    let there = match medium.presence {
        Presence::Attached | Presence::Near | Presence::Shelf => true,
        Presence::Unseen | Presence::Missing => false,
    };
    stays && there && !medium.locked && medium.health == Health::Ok && medium.standing == Standing::Level
}

/// The copies of a version that count without one of them: every place filled by verified bytes on media relied on.
pub(crate) fn remaining(places: &[Filled], without: CopyNo, relied_on: &BTreeSet<MediumId>) -> u64 {
    let mut copies: BTreeMap<CopyNo, bool> = BTreeMap::new();
    for place in places.iter().filter(|place| place.copy != without) {
        *copies.entry(place.copy).or_insert(true) &= place.verified && relied_on.contains(&place.medium);
    }
    copies.into_values().filter(|good| *good).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(copy: i16, index: i32, medium: MediumId, verified: bool) -> Filled {
        Filled {
            copy: CopyNo(copy),
            index: ExtentIndex(index),
            medium,
            verified,
        }
    }

    #[test]
    fn i10_a_copy_counts_only_whole_verified_and_on_media_relied_on() {
        let (good, bad) = (MediumId::fresh(), MediumId::fresh());
        let relied_on = BTreeSet::from([good]);
        let count = |others: &[Filled]| {
            let places = [&[place(0, 0, good, true)], others].concat();
            remaining(&places, CopyNo(0), &relied_on)
        };
        assert_eq!(count(&[]), 0, "the copy itself does not count");
        assert_eq!(count(&[place(1, 0, good, true), place(1, 1, good, true)]), 1);
        assert_eq!(count(&[place(1, 0, good, true), place(1, 1, good, false)]), 0);
        assert_eq!(count(&[place(1, 0, good, true), place(1, 1, bad, true)]), 0);
        assert_eq!(count(&[place(1, 0, good, true), place(2, 0, good, true)]), 2);
    }
}
