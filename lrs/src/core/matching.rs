//! Who gets which medium in which drive, all at once: an exact matching over three layers, seats, media and drives, each
//! used by at most one. Augmenting paths; sizes are tiny. Pure; called by placement only.
//!
//! A medium is in the same drives whoever wants it, because one request uses it in one way. That makes it a flow with a
//! capacity of one everywhere, which augmenting paths solve exactly, where a choice of triples in general would not be.

use std::collections::{BTreeMap, BTreeSet};

/// What is offered to whom.
pub struct Net<'a, M, D> {
    /// For each seat the media that will do, the preferred first.
    pub seats: &'a [Vec<M>],
    /// For each medium the drives it can be in, the preferred first.
    pub drives: &'a BTreeMap<M, Vec<D>>,
}

/// Not everybody finds a seat, and these drives are why: all that the one left over could be in, and whatever else those
/// who have them now could be in.
#[derive(Debug, PartialEq, Eq)]
pub struct Short<D> {
    /// The drives.
    pub drives: BTreeSet<D>,
}

struct Search<'a, M, D> {
    net: &'a Net<'a, M, D>,
    of_seat: BTreeMap<usize, M>,
    of_medium: BTreeMap<M, (usize, D)>,
    of_drive: BTreeMap<D, M>,
    tried: Tried<M, D>,
}

/// What the present search has been at. It keeps it finite, and what failed once fails again.
struct Tried<M, D> {
    seats: BTreeSet<usize>,
    media: BTreeSet<M>,
    placed: BTreeSet<M>,
    drives: BTreeSet<D>,
}

impl<M, D> Default for Tried<M, D> {
    fn default() -> Self {
        Self {
            seats: BTreeSet::new(),
            media: BTreeSet::new(),
            placed: BTreeSet::new(),
            drives: BTreeSet::new(),
        }
    }
}

/// A medium and a drive for every seat, no medium and no drive twice. Each gets what it prefers as far as that leaves
/// enough for the others; of two that prefer the same, the later one gets it.
pub fn assign<M: Ord + Copy, D: Ord + Clone>(net: &Net<M, D>) -> Result<Vec<(M, D)>, Short<D>> {
    let mut search = Search {
        net,
        of_seat: BTreeMap::new(),
        of_medium: BTreeMap::new(),
        of_drive: BTreeMap::new(),
        tried: Tried::default(),
    };
    for seat in 0..net.seats.len() {
        search.tried = Tried::default();
        if !search.seat(seat) {
            return Err(Short {
                drives: search.tried.drives,
            });
        }
    }
    let found = search.of_seat.values().map(|medium| {
        let (_, drive) = &search.of_medium[medium];
        (*medium, drive.clone())
    });
    Ok(found.collect())
}

impl<M: Ord + Copy, D: Ord + Clone> Search<'_, M, D> {
    /// Finds a medium for a seat, moving others where they have another choice.
    fn seat(&mut self, seat: usize) -> bool {
        if !self.tried.seats.insert(seat) {
            return false;
        }
        let net = self.net;
        net.seats[seat].iter().any(|medium| self.take(seat, *medium))
    }

    fn take(&mut self, seat: usize, medium: M) -> bool {
        if self.of_seat.get(&seat) == Some(&medium) || !self.tried.media.insert(medium) {
            return false;
        }
        let holder = self.of_medium.get(&medium).map(|(holder, _)| *holder);
        let drive = match holder {
            // Whoever has it moves on, and leaves it in its drive, which may be another one by then.
            Some(holder) => self.seat(holder).then(|| self.of_medium[&medium].1.clone()),
            None => self.place(medium),
        };
        match drive {
            Some(drive) => {
                self.note(seat, medium, drive);
                true
            }
            None => false,
        }
    }

    /// A drive for a medium, after others were moved.
    fn place(&mut self, medium: M) -> Option<D> {
        if !self.tried.placed.insert(medium) {
            return None;
        }
        let net = self.net;
        for drive in net.drives.get(&medium).into_iter().flatten() {
            if self.of_drive.get(drive) == Some(&medium) || !self.tried.drives.insert(drive.clone()) {
                continue;
            }
            let Some(other) = self.of_drive.get(drive).copied() else {
                return Some(drive.clone());
            };
            let (holder, _) = self.of_medium[&other];
            if let Some(elsewhere) = self.place(other) {
                // On the way it may have changed seats.
                let (holder, _) = self.of_medium[&other];
                self.note(holder, other, elsewhere);
                return Some(drive.clone());
            }
            // The medium there leaves its seat to another one.
            if self.tried.media.insert(other) && self.seat(holder) {
                self.of_medium.remove(&other);
                return Some(drive.clone());
            }
        }
        None
    }

    fn note(&mut self, seat: usize, medium: M, drive: D) {
        self.of_drive.insert(drive.clone(), medium);
        self.of_medium.insert(medium, (seat, drive));
        self.of_seat.insert(seat, medium);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(seats: &[Vec<u8>], drives: &[(u8, Vec<u8>)]) -> Result<Vec<(u8, u8)>, Short<u8>> {
        let drives = drives.iter().cloned().collect();
        assign(&Net { seats, drives: &drives })
    }

    #[test]
    fn each_gets_what_it_prefers_and_the_later_one_of_two() {
        let drives = [(1, vec![10, 11]), (2, vec![10, 11]), (3, vec![11])];
        assert_eq!(found(&[vec![1, 2]], &drives), Ok(vec![(1, 10)]));
        assert_eq!(found(&[vec![1], vec![2, 3]], &drives), Ok(vec![(1, 11), (2, 10)]));
    }

    #[test]
    fn a_medium_moves_to_another_drive_when_its_first_is_the_only_one_of_another() {
        let drives = [(1, vec![10, 11]), (2, vec![10])];
        assert_eq!(found(&[vec![1], vec![2]], &drives), Ok(vec![(1, 11), (2, 10)]));
    }

    #[test]
    fn a_seat_takes_another_medium_when_its_first_is_in_the_only_drive_of_another() {
        let drives = [(1, vec![10]), (2, vec![11]), (3, vec![10])];
        assert_eq!(found(&[vec![1, 2], vec![3]], &drives), Ok(vec![(2, 11), (3, 10)]));
    }

    #[test]
    fn who_finds_no_seat_is_told_the_drives_that_are_too_few() {
        let drives = [(1, vec![10]), (2, vec![10]), (3, vec![11])];
        let short = found(&[vec![3], vec![1], vec![2]], &drives).unwrap_err();
        assert_eq!(short.drives, BTreeSet::from([10]));
    }

    /// Whether there is any way at all, by trying all.
    fn possible(seats: &[Vec<u8>], drives: &BTreeMap<u8, Vec<u8>>, used: &mut Vec<(u8, u8)>) -> bool {
        let Some(seat) = seats.get(used.len()) else {
            return true;
        };
        for medium in seat {
            for drive in drives.get(medium).into_iter().flatten() {
                if used.iter().any(|(of, at)| of == medium || at == drive) {
                    continue;
                }
                used.push((*medium, *drive));
                let all = possible(seats, drives, used);
                used.pop();
                if all {
                    return true;
                }
            }
        }
        false
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Exact: there is an answer whenever there is one at all, and it keeps every rule.
        #[test]
        fn everybody_is_seated_exactly_when_that_is_possible(
            seats in prop::collection::vec(prop::collection::vec(0..6_u8, 1..4), 0..5),
            drives in prop::collection::vec(prop::collection::vec(0..4_u8, 0..4), 6),
        ) {
            let drives: BTreeMap<u8, Vec<u8>> = (0..6).zip(drives).collect();
            let answer = assign(&Net { seats: &seats, drives: &drives });
            prop_assert_eq!(answer.is_ok(), possible(&seats, &drives, &mut Vec::new()));
            if let Ok(answer) = answer {
                prop_assert_eq!(answer.len(), seats.len());
                let media: BTreeSet<u8> = answer.iter().map(|(medium, _)| *medium).collect();
                let used: BTreeSet<u8> = answer.iter().map(|(_, drive)| *drive).collect();
                prop_assert!(media.len() == seats.len() && used.len() == seats.len(), "nothing twice: {answer:?}");
                for (seat, (medium, drive)) in seats.iter().zip(&answer) {
                    prop_assert!(seat.contains(medium) && drives[medium].contains(drive));
                }
            }
        }
    }
}
