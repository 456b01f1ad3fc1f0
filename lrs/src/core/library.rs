//! The drives of tape libraries: which of them takes which tape, and which is best for one that is in none. Knows what
//! was told of libraries and decides from that and from what the drives are doing; called by the scheduler only.

use super::allocation::Mode;
use super::drive::{Drive, DriveId};
use dss::model::MediumId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A library as whoever runs it tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryFacts {
    /// Its name.
    pub name: String,
    /// Its drives.
    pub bays: Vec<BayFacts>,
}

/// One drive of a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BayFacts {
    /// Its name.
    pub bay: String,
    /// The technologies, in the words of `Medium::technology`, of the cartridges that it reads.
    pub reads: BTreeSet<String>,
    /// The same of those that it writes.
    pub writes: BTreeSet<String>,
    /// Why it serves nobody; None: it does.
    pub closed: Option<String>,
    /// The medium that lies in it though nothing is mounted, if that is known.
    pub holds: Option<MediumId>,
}

impl BayFacts {
    /// Whether it takes a cartridge for this use. Who writes, reads back; who erases or labels, writes.
    pub fn takes(&self, technology: &str, mode: Mode) -> bool {
        match mode {
            Mode::Read => self.reads.contains(technology) || self.writes.contains(technology),
            Mode::Write | Mode::Exclusive => self.writes.contains(technology),
        }
    }
}

/// All libraries that were told of.
#[derive(Debug, Default)]
pub struct Libraries {
    known: BTreeMap<String, BTreeMap<String, BayFacts>>,
}

impl Libraries {
    /// Takes in what is true of a library from now on.
    pub fn learn(&mut self, facts: LibraryFacts) {
        let bays = facts.bays.into_iter().map(|bay| (bay.bay.clone(), bay));
        self.known.insert(facts.name, bays.collect());
    }

    /// The drives of a library, by name; None: nobody told of it.
    pub fn bays(&self, library: &str) -> Option<impl Iterator<Item = (DriveId, &BayFacts)>> {
        let bays = self.known.get(library)?;
        Some(bays.values().map(|facts| (drive_in(library, &facts.bay), facts)))
    }

    /// Every drive of every library, in order.
    pub fn drives(&self) -> impl Iterator<Item = DriveId> {
        let all = self.known.iter();
        all.flat_map(|(library, bays)| bays.keys().map(|bay| drive_in(library, bay)))
    }

    /// Why its library says that a drive serves nobody.
    pub fn closed(&self, drive: &DriveId) -> Option<String> {
        let DriveId::Bay { library, bay } = drive else {
            return None;
        };
        match self.known.get(library).and_then(|bays| bays.get(bay)) {
            Some(facts) => facts.closed.clone(),
            None => Some(format!("library {library} has it no more")),
        }
    }

    /// Whether a drive takes a cartridge for this use. What is no library's takes what it is there for.
    pub fn takes(&self, drive: &DriveId, technology: &str, mode: Mode) -> bool {
        match drive {
            DriveId::Dock(_) | DriveId::Own(_) => true,
            DriveId::Bay { library, bay } => {
                let facts = self.known.get(library).and_then(|bays| bays.get(bay));
                facts.is_some_and(|facts| facts.takes(technology, mode))
            }
        }
    }

    /// A drive is told to load a medium: what lay anywhere before is no news any more.
    pub fn loads(&mut self, drive: &DriveId, medium: MediumId) {
        for (library, bays) in &mut self.known {
            for facts in bays.values_mut() {
                if facts.holds == Some(medium) || drive_in(library, &facts.bay) == *drive {
                    facts.holds = None;
                }
            }
        }
    }
}

fn drive_in(library: &str, bay: &str) -> DriveId {
    DriveId::Bay {
        library: library.to_owned(),
        bay: bay.to_owned(),
    }
}

/// How good a drive is for a tape that is in none: the lowest is the best. The tape lies in it; nothing does; something
/// has been idle in it, the longer the better; it is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// The tape lies in it already.
    Holds,
    /// It is empty.
    Empty,
    /// What is in it is used by nobody since then.
    Idle(Duration),
    /// It is at work.
    Busy,
}

impl Fit {
    /// How good a drive is, from what it does and what lies in it.
    pub fn of(drive: &Drive, facts: &BayFacts, medium: MediumId) -> Self {
        match drive {
            Drive::Empty if facts.holds == Some(medium) => Self::Holds,
            Drive::Empty if facts.holds.is_none() => Self::Empty,
            // Another one was left in it before anybody here looked.
            Drive::Empty => Self::Idle(Duration::ZERO),
            Drive::Loaded {
                idle_since: Some(since),
                ..
            } => Self::Idle(*since),
            Drive::Loaded { idle_since: None, .. }
            | Drive::Loading { .. }
            | Drive::Unloading { .. }
            | Drive::Failed { .. } => Self::Busy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bay(reads: &[&str], writes: &[&str]) -> BayFacts {
        let words = |of: &[&str]| of.iter().map(|word| (*word).to_owned()).collect();
        BayFacts {
            bay: "drv0".into(),
            reads: words(reads),
            writes: words(writes),
            closed: None,
            holds: None,
        }
    }

    #[test]
    fn a_drive_writes_what_it_writes_and_reads_that_too() {
        let facts = bay(&["LTO-8"], &["LTO-9"]);
        let table = ["LTO-8", "LTO-9", "LTO-7"]
            .map(|technology| [Mode::Read, Mode::Write, Mode::Exclusive].map(|mode| facts.takes(technology, mode)));
        assert_eq!(table, [[true, false, false], [true, true, true], [false, false, false]]);
    }

    #[test]
    fn the_drive_that_holds_it_is_best_then_an_empty_one_then_the_longest_idle() {
        let (wanted, other) = (MediumId::fresh(), MediumId::fresh());
        let holding = |holds| BayFacts { holds, ..bay(&[], &[]) };
        let idle = |seconds| Drive::Loaded {
            medium: other,
            idle_since: Some(Duration::from_secs(seconds)),
        };
        let used = Drive::Loaded {
            medium: other,
            idle_since: None,
        };
        let fits = [
            Fit::of(&Drive::Empty, &holding(Some(wanted)), wanted),
            Fit::of(&Drive::Empty, &holding(None), wanted),
            Fit::of(&Drive::Empty, &holding(Some(other)), wanted),
            Fit::of(&idle(5), &holding(None), wanted),
            Fit::of(&idle(9), &holding(None), wanted),
            Fit::of(&used, &holding(None), wanted),
        ];
        assert!(fits.is_sorted() && fits[0] < fits[5], "{fits:?}");
        let distinct: BTreeSet<Fit> = fits.into_iter().collect();
        assert_eq!(distinct.len(), fits.len());
    }

    #[test]
    fn what_a_library_tells_replaces_what_was_known_of_it() {
        let mut libraries = Libraries::default();
        let facts = |bays: &[&str]| LibraryFacts {
            name: "lib0".into(),
            bays: bays
                .iter()
                .map(|name| BayFacts {
                    bay: (*name).to_owned(),
                    ..bay(&[], &["LTO-9"])
                })
                .collect(),
        };
        assert!(libraries.bays("lib0").is_none());
        libraries.learn(facts(&["drv0", "drv1"]));
        assert_eq!(libraries.closed(&drive_in("lib0", "drv1")), None);
        libraries.learn(facts(&["drv0"]));
        assert_eq!(
            libraries.closed(&drive_in("lib0", "drv1")).unwrap(),
            "library lib0 has it no more"
        );
        assert_eq!(libraries.bays("lib0").unwrap().count(), 1);
        assert_eq!(libraries.closed(&DriveId::Dock("left".into())), None);
    }

    #[test]
    fn what_lay_in_a_drive_is_forgotten_when_it_is_loaded() {
        let mut libraries = Libraries::default();
        let (one, two) = (MediumId::fresh(), MediumId::fresh());
        let holding = |name: &str, holds| BayFacts {
            bay: name.into(),
            holds: Some(holds),
            ..bay(&[], &[])
        };
        libraries.learn(LibraryFacts {
            name: "lib0".into(),
            bays: vec![holding("drv0", one), holding("drv1", two)],
        });
        libraries.loads(&drive_in("lib0", "drv0"), two);
        let holds: Vec<_> = libraries.bays("lib0").unwrap().map(|(_, facts)| facts.holds).collect();
        assert_eq!(holds, [None, None], "one was moved away, the other one moved");
    }
}
