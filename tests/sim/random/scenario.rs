//! What one seed is about: which media there are, what is put first, and what clients, operators and bad luck do in each
//! life. All of it is decided before the life begins; only who meets whom is left to the run.

use super::faults::{Kind, Trouble};
use crate::chance::{Chance, mix};
use crate::tape::ROOMY;
use crate::universe::Crash;
use dss::model::{ByteCount, Quarantine, VerifyMode};
use respool::config::Config;
use std::time::Duration;

/// Names that all clients share, so that they meet.
const NAMES: usize = 7;

/// A medium of a run.
#[derive(Clone, Debug)]
pub struct MediumPlan {
    pub name: String,
    pub dock: Option<String>,
    pub capacity: Option<ByteCount>,
    /// All the room of its file system.
    pub room: u64,
}

/// What a run has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kit {
    /// Disks.
    Disks,
    /// Two disks, and a tape library.
    Library,
}

/// A tape of a run, and all that it holds in bytes.
#[derive(Clone, Debug)]
pub struct TapePlan {
    pub name: String,
    pub capacity: u64,
}

/// The library of a run.
#[derive(Clone, Debug, Default)]
pub struct LibraryPlan {
    pub drives: u16,
    pub tapes: Vec<TapePlan>,
}

/// One object on its way in.
#[derive(Clone, Debug)]
pub struct Parcel {
    pub name: String,
    /// Which bytes: never the same twice in a run, but for objects without any.
    pub content: u64,
    pub bytes: usize,
    pub copies: u8,
    pub overwrite: bool,
    pub grouping: Option<String>,
}

/// What an operator wishes of a job.
#[derive(Clone, Copy, Debug)]
pub enum Wish {
    Pause,
    Resume,
    Cancel,
    Restore,
}

/// A repack, as it is asked for.
#[derive(Clone, Debug)]
pub struct Repack {
    pub sources: Vec<String>,
    pub to: Option<String>,
    pub quarantine: Quarantine,
    pub verify: VerifyMode,
    pub drop_deleted: bool,
    pub limit_bytes: Option<ByteCount>,
    pub limit_seconds: Option<u64>,
}

/// One thing that somebody does.
#[derive(Clone, Debug)]
pub enum Act {
    /// One stream; a client that goes away does so before its n-th frame.
    Put(Vec<Parcel>, Option<usize>),
    /// Read, and left in the middle where the client goes away.
    Get(String, bool),
    Delete(String),
    Undelete(String),
    List,
    Repack(Repack),
    Migrate(u64, String),
    Job(Wish, u64),
    Lock(String, bool),
    Trust(String),
    Serve(String),
    AcceptClock,
    Import(String, bool),
    /// Trouble that lasts so long.
    Gone(String, Duration),
    Swapped(String, Duration),
    CutOff(Duration),
    Usurped(String),
    Clock(i64),
}

/// One who acts, one act after the other, each after a pause.
pub type Actor = Vec<(Duration, Act)>;

/// One life.
#[derive(Clone, Debug)]
pub struct LifePlan {
    pub actors: Vec<Actor>,
    pub end: Option<(u64, Crash)>,
    /// How long nobody is there after it.
    pub down: Duration,
}

/// All that a seed decides beforehand.
pub struct Scenario {
    pub chance: Chance,
    pub media: Vec<MediumPlan>,
    pub library: Option<LibraryPlan>,
    pub victim: String,
    pub config: Config,
    contents: u64,
}

impl Scenario {
    pub fn new(mut chance: Chance) -> Self {
        let count = 3 + chance.below(3);
        let tight = chance.below(3) == 0;
        let docks = if chance.below(3) == 0 { 1 + chance.below(2) } else { 0 };
        let media: Vec<MediumPlan> = (0..count)
            .map(|number| MediumPlan {
                name: format!("m{number}"),
                dock: (number < 2 * docks).then(|| format!("dock{}", number % docks.max(1))),
                capacity: (tight && chance.quarters(2)).then(|| ByteCount(60_000 + 1000 * chance.below(150) as u64)),
                room: if tight && chance.quarters(2) {
                    80_000 + 1000 * chance.below(200) as u64
                } else {
                    1 << 30
                },
            })
            .collect();
        let victim = media[chance.below(count)].name.clone();
        let mut config = Config::default();
        config.store.extent_max_bytes = ByteCount(24 << 10);
        config.store.undelete_window = Duration::from_secs([600, 3600, 86_400][chance.below(3)]);
        config.repack.sync_bytes = ByteCount([32 << 10, 64 << 10, 256 << 10][chance.below(3)]);
        config.repack.batch_extents = [1, 3, 100][chance.below(3)];
        config.repack.index_seconds = [1, 600][chance.below(2)];
        config.memory.chunk = ByteCount([4 << 10, 16 << 10][chance.below(2)]);
        config.memory.ring = ByteCount(4 * config.memory.chunk.0);
        Self {
            chance,
            media,
            library: None,
            victim,
            config,
            contents: 0,
        }
    }

    /// The same with a library beside two of its disks. Some tapes are so small that they fill up.
    pub fn of(kit: Kit, seed: u64) -> Self {
        let mut scenario = Self::new(Chance::new(mix(seed, 1)));
        if kit == Kit::Library {
            let mut chance = Chance::new(mix(seed, 3));
            scenario.media.truncate(2);
            scenario.victim = scenario.media[chance.below(2)].name.clone();
            let small = chance.below(3) == 0;
            let tapes = (0..2 + chance.below(2)).map(|number| TapePlan {
                name: format!("t{number}"),
                capacity: match small {
                    true => 1_800_000 + 100_000 * chance.below(20) as u64,
                    false => ROOMY,
                },
            });
            let tapes = tapes.collect();
            let drives = 1 + u16::from(chance.below(4) > 0);
            scenario.library = Some(LibraryPlan { drives, tapes });
        }
        scenario
    }

    /// Any medium of the run.
    fn medium(&mut self) -> String {
        let tapes = self.library.as_ref().map_or(0, |library| library.tapes.len());
        let number = self.chance.below(self.media.len() + tapes);
        match (self.media.get(number), &self.library) {
            (None, Some(library)) => library.tapes[number - self.media.len()].name.clone(),
            (Some(medium), _) => medium.name.clone(),
            (None, None) => unreachable!("it has no tapes"),
        }
    }

    /// Any disk of the run.
    fn disk(&mut self) -> String {
        let number = self.chance.below(self.media.len());
        self.media[number].name.clone()
    }

    fn name(&mut self) -> String {
        format!("o{}", self.chance.below(NAMES))
    }

    fn parcel(&mut self, name: String) -> Parcel {
        self.contents += 1;
        let sizes = [0, 1, 700, 4096, 9_000, 20_000, 30_000, 60_000];
        let bytes = sizes[self.chance.below(sizes.len())];
        Parcel {
            name,
            content: self.contents,
            bytes,
            copies: 1 + u8::from(self.chance.quarters(2)),
            overwrite: self.chance.quarters(2),
            grouping: self.chance.quarters(1).then(|| "family".to_owned()),
        }
    }

    /// What is there before anything goes wrong.
    pub fn beginning(&mut self) -> Vec<Parcel> {
        let count = 3 + self.chance.below(NAMES - 2);
        (0..count).map(|number| self.parcel(format!("o{number}"))).collect()
    }

    /// How many lives there are before the last one, in which nothing goes wrong.
    pub fn lives(&mut self) -> usize {
        1 + self.chance.below(4)
    }

    pub fn life(&mut self, trouble: &mut Trouble) -> LifePlan {
        let clients = 1 + self.chance.below(3);
        let mut actors: Vec<Actor> = (0..clients).map(|_| self.client(trouble)).collect();
        actors.push(self.operator());
        if self.chance.quarters(2) {
            actors.push(self.operator());
        }
        actors.push(self.bad_luck(trouble));
        let end = self.chance.quarters(3).then(|| {
            let at = [30, 200, 800, 3000][self.chance.below(4)];
            let crash = match self.chance.below(3) {
                0 => Crash::Kill,
                1 => Crash::Worst,
                _ => Crash::Power(self.chance.next()),
            };
            (1 + self.chance.below(at) as u64, crash)
        });
        let down = [0, 1, 30, 200, 4000][self.chance.below(5)];
        LifePlan {
            actors,
            end,
            down: Duration::from_secs(down),
        }
    }

    fn pause(&mut self) -> Duration {
        let most = [1, 30, 300, 3_000, 20_000][self.chance.below(5)];
        Duration::from_millis(self.chance.below(most) as u64)
    }

    fn client(&mut self, trouble: &mut Trouble) -> Actor {
        let count = 2 + self.chance.below(9);
        let leaves = trouble.has(Kind::ClientGone);
        (0..count)
            .map(|_| {
                let pause = self.pause();
                let gone = leaves && self.chance.quarters(1);
                let act = match self.chance.below(12) {
                    0..=3 => {
                        let parcels = (0..1 + self.chance.below(3))
                            .map(|_| {
                                let name = self.name();
                                self.parcel(name)
                            })
                            .collect();
                        Act::Put(parcels, gone.then(|| self.chance.below(12)))
                    }
                    4..=7 => Act::Get(self.name(), gone),
                    8 | 9 => Act::Delete(self.name()),
                    10 => Act::Undelete(self.name()),
                    _ => Act::List,
                };
                (pause, act)
            })
            .collect()
    }

    fn operator(&mut self) -> Actor {
        let count = 2 + self.chance.below(8);
        (0..count)
            .map(|_| {
                let pause = self.pause();
                let act = match self.chance.below(22) {
                    0..=6 | 20 | 21 => Act::Repack(self.repack()),
                    7 => Act::Migrate(self.chance.next(), self.medium()),
                    8 | 9 => Act::Job(Wish::Pause, self.chance.next()),
                    10 | 11 => Act::Job(Wish::Resume, self.chance.next()),
                    12 => Act::Job(Wish::Cancel, self.chance.next()),
                    13 | 14 => Act::Job(Wish::Restore, self.chance.next()),
                    15 => Act::Lock(self.medium(), self.chance.quarters(2)),
                    16 => Act::Trust(self.medium()),
                    17 => Act::Serve(self.medium()),
                    18 => Act::Import(self.disk(), self.chance.quarters(2)),
                    _ => Act::AcceptClock,
                };
                (pause, act)
            })
            .collect()
    }

    fn repack(&mut self) -> Repack {
        let mut sources = vec![self.medium()];
        if self.chance.quarters(1) {
            sources.push(self.medium());
        }
        let quarantine = match self.chance.below(5) {
            0..=2 => Quarantine::None,
            3 => Quarantine::Seconds([5, 60, 600][self.chance.below(3)]),
            _ => Quarantine::Forever,
        };
        Repack {
            sources,
            to: self.chance.quarters(1).then(|| self.medium()),
            quarantine,
            verify: [
                VerifyMode::Full,
                VerifyMode::Full,
                VerifyMode::Sampled,
                VerifyMode::None,
            ][self.chance.below(4)],
            drop_deleted: self.chance.quarters(1),
            limit_bytes: self
                .chance
                .quarters(1)
                .then(|| ByteCount(1 + self.chance.below(60_000) as u64)),
            limit_seconds: (self.chance.below(8) == 0).then(|| 1 + self.chance.below(20) as u64),
        }
    }

    /// Trouble that does not come of itself at a call.
    fn bad_luck(&mut self, trouble: &mut Trouble) -> Actor {
        let mut acts = Vec::new();
        let seconds = |chance: &mut Chance, most: usize| Duration::from_secs(1 + chance.below(most) as u64);
        for kind in [
            Kind::DiskGone,
            Kind::OtherDisk,
            Kind::Outage,
            Kind::StaleLease,
            Kind::ClockBack,
            Kind::ClockForward,
        ] {
            if !trouble.has(kind) || !self.chance.quarters(2) {
                continue;
            }
            let pause = self.pause();
            let medium = match kind {
                Kind::DiskGone | Kind::OtherDisk => self.disk(),
                _ => self.medium(),
            };
            let act = match kind {
                Kind::DiskGone => Act::Gone(medium, seconds(&mut self.chance, 60)),
                Kind::OtherDisk => Act::Swapped(medium, seconds(&mut self.chance, 60)),
                Kind::Outage => Act::CutOff(seconds(&mut self.chance, 90)),
                Kind::StaleLease => Act::Usurped(medium),
                Kind::ClockBack => Act::Clock(-[60_000, 5_000_000, 90_000_000][self.chance.below(3)]),
                Kind::ClockForward => Act::Clock([60_000, 50_000_000, 200_000_000][self.chance.below(3)]),
                other => unreachable!("{other:?} is not planned"),
            };
            trouble.count(kind);
            acts.push((pause, act));
        }
        acts
    }
}
