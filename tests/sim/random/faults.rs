//! What may go wrong (`FAULTS.md` says what may not), and how often in one run. Every run has some kinds of trouble and
//! not others, so that rare meetings of two of them are not drowned by all the rest.

use crate::chance::Chance;
use std::collections::BTreeMap;

/// One kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    ReadError,
    ShortRead,
    FlippedRead,
    WriteError,
    NoSpace,
    FailedSync,
    FailedFolderSync,
    FailedName,
    FailedRoom,
    LostWrite,
    StoredFlip,
    Shortened,
    IndexFlip,
    Unavailable,
    Contention,
    LostAnswer,
    Outage,
    StaleLease,
    ClockBack,
    ClockForward,
    DiskGone,
    OtherDisk,
    ClientGone,
    /// The power of a drive goes and comes back: 6/29, and what was in its buffer is lost.
    DriveReset,
    /// A drive says that its cartridge may be another one (6/28).
    MaybeChanged,
    /// A record cannot be read this time (3/11).
    TapeRead,
    /// A record is not taken (3/0C).
    TapeWrite,
    /// A drive fails to write its buffer out, and says so with the next command.
    LostBuffer,
    /// A drive does not load or let go (4/53).
    StuckInDrive,
    /// The arm is jammed, and did not move (4/15).
    Jam,
    /// The arm moved, and says that it is jammed.
    JamAfterAll,
    /// The door was opened: elements may have changed (6/28/01).
    Door,
}

impl Kind {
    /// In the order in which a run decides on them.
    const ALL: [Self; 23] = [
        Self::ReadError,
        Self::ShortRead,
        Self::FlippedRead,
        Self::WriteError,
        Self::NoSpace,
        Self::FailedSync,
        Self::FailedFolderSync,
        Self::FailedName,
        Self::FailedRoom,
        Self::LostWrite,
        Self::StoredFlip,
        Self::Shortened,
        Self::IndexFlip,
        Self::Unavailable,
        Self::Contention,
        Self::LostAnswer,
        Self::Outage,
        Self::StaleLease,
        Self::ClockBack,
        Self::ClockForward,
        Self::DiskGone,
        Self::OtherDisk,
        Self::ClientGone,
    ];

    /// What only a library knows, in the order in which a run that has one decides on them, after all others.
    const OF_LIBRARIES: [Self; 9] = [
        Self::DriveReset,
        Self::MaybeChanged,
        Self::TapeRead,
        Self::TapeWrite,
        Self::LostBuffer,
        Self::StuckInDrive,
        Self::Jam,
        Self::JamAfterAll,
        Self::Door,
    ];

    /// How many calls pass between two of them, at least about.
    fn rarity(self) -> usize {
        match self {
            Self::ShortRead => 10,
            Self::StoredFlip | Self::Shortened | Self::IndexFlip => 150,
            Self::LostWrite => 3,
            Self::FailedSync | Self::FailedFolderSync | Self::FailedRoom => 8,
            Self::LostAnswer | Self::Unavailable | Self::Contention => 40,
            // Decided where the run is planned.
            Self::Outage
            | Self::StaleLease
            | Self::ClockBack
            | Self::ClockForward
            | Self::DiskGone
            | Self::OtherDisk
            | Self::ClientGone => 1,
            Self::DriveReset | Self::MaybeChanged => 400,
            Self::TapeRead | Self::TapeWrite => 40,
            Self::LostBuffer | Self::StuckInDrive | Self::Jam | Self::JamAfterAll => 8,
            Self::Door => 20,
            Self::ReadError | Self::FlippedRead | Self::WriteError | Self::NoSpace | Self::FailedName => 30,
        }
    }
}

/// What goes wrong in one run.
#[derive(Clone, Debug)]
pub struct Trouble {
    chance: Chance,
    /// One of so many calls, for the kinds of this run.
    rates: BTreeMap<Kind, usize>,
    /// How many may still come.
    left: usize,
    calm: bool,
    /// Nothing but this one, at its n-th opportunity.
    once: Option<(Kind, u64)>,
    pub histogram: BTreeMap<Kind, u64>,
}

impl Trouble {
    pub fn new(mut chance: Chance) -> Self {
        // Some runs are spared all of it: whatever goes wrong there does so by itself, or by a crash.
        let of_eight = chance.below(8);
        let mut rates = BTreeMap::new();
        for kind in Kind::ALL {
            if chance.below(16) < of_eight {
                rates.insert(kind, kind.rarity() * (1 + chance.below(6)));
            }
        }
        if rates.contains_key(&Kind::StaleLease) {
            // The clocks of two hosts agree within the margin (`FAULTS.md`).
            rates.retain(|kind, _| !matches!(kind, Kind::ClockBack | Kind::ClockForward));
        }
        let left = 1 + chance.below(40);
        Self {
            chance,
            rates,
            left,
            calm: true,
            once: None,
            histogram: BTreeMap::new(),
        }
    }

    /// A run with a library decides on what only libraries know.
    pub fn add_library(&mut self) {
        let of_eight = self.chance.below(8);
        for kind in Kind::OF_LIBRARIES {
            if self.chance.below(16) < of_eight {
                self.rates.insert(kind, kind.rarity() * (1 + self.chance.below(6)));
            }
        }
    }

    /// From now on, or not any more.
    pub fn set_calm(&mut self, calm: bool) {
        self.calm = calm;
        if calm {
            self.once = None;
        }
    }

    /// Whether a run has this kind at all.
    pub fn has(&self, kind: Kind) -> bool {
        self.rates.contains_key(&kind)
    }

    /// Strikes once, in this way, after so many opportunities.
    pub fn once(&mut self, kind: Kind, after: u64) {
        self.once = Some((kind, after));
    }

    /// Whether it strikes now.
    pub fn strikes(&mut self, kind: Kind) -> bool {
        if let Some((planned, after)) = &mut self.once
            && *planned == kind
        {
            if *after == 0 {
                self.once = None;
                self.count(kind);
                return true;
            }
            *after -= 1;
        }
        let Some(rate) = self.rates.get(&kind) else {
            return false;
        };
        let yes = !self.calm && self.left > 0 && self.chance.below(*rate) == 0;
        if yes {
            self.left -= 1;
            self.count(kind);
        }
        yes
    }

    /// Notes one that was planned.
    pub fn count(&mut self, kind: Kind) {
        *self.histogram.entry(kind).or_default() += 1;
    }

    /// Where and how it strikes.
    pub fn chance(&mut self) -> &mut Chance {
        &mut self.chance
    }
}
