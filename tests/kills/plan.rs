//! Which kills, in which order: decided before anything runs, by the seed alone.

use std::fmt;

/// From so many kills of respoold on, every step must be hit.
pub const MUST_COVER: usize = 200;
/// So often.
pub const HITS: usize = 5;

/// What the environment asks for.
#[derive(Clone, Debug)]
pub struct Orders {
    /// Kills of respoold alone.
    pub respool: usize,
    /// Kills of PostgreSQL alone.
    pub postgres: usize,
    /// Kills of both at once.
    pub both: usize,
    pub seed: u64,
    pub between: Between,
}

/// Between what the repack goes back and forth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// Two directories that play disks.
    Disks,
    /// Two tapes in a library of model drives.
    Tapes,
}

impl Orders {
    /// The smoke unless told otherwise. Panics on what is no number: a run that kills less than asked proves less.
    pub fn from_environment() -> Self {
        let number = |name: &str, or: u64| match std::env::var(name) {
            Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
            Err(_) => or,
        };
        let count = |name, or| usize::try_from(number(name, or)).expect("a count fits");
        Self {
            respool: count("KILLS_RESPOOL", 6),
            postgres: count("KILLS_PG", 3),
            both: count("KILLS_BOTH", 1),
            seed: number("KILLS_SEED", 1),
            between: match std::env::var("KILLS_BETWEEN").as_deref() {
                Err(_) | Ok("disks") => Between::Disks,
                Ok("tapes") => Between::Tapes,
                Ok(other) => panic!("KILLS_BETWEEN={other} is neither disks nor tapes"),
            },
        }
    }

    /// How often each named step must have been hit at the end.
    pub fn must_hit(&self) -> usize {
        if self.respool >= MUST_COVER { HITS } else { 0 }
    }
}

impl fmt::Display for Orders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "KILLS_RESPOOL={} KILLS_PG={} KILLS_BOTH={} KILLS_SEED={} KILLS_BETWEEN={}",
            self.respool,
            self.postgres,
            self.both,
            self.seed,
            match self.between {
                Between::Disks => "disks",
                Between::Tapes => "tapes",
            }
        )
    }
}

/// Where in a commit PostgreSQL is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// Its record is not flushed: after recovery it never happened.
    BeforeFlush,
    /// Its record is flushed, the answer is not sent: after recovery it has happened.
    AfterFlush,
}

/// One kill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kill {
    /// respoold kills itself the n-th time it comes to a step.
    Step { step: String, nth: u64 },
    /// respoold is killed so long after it took requests.
    Random { millis: u64 },
    /// respoold is killed so long after it was begun, mostly before it takes requests.
    Starting { millis: u64 },
    /// PostgreSQL is killed so long after respoold took requests.
    Postgres { millis: u64 },
    /// PostgreSQL is killed in the middle of a commit of respoold.
    InCommit(Commit),
    /// Both are killed at once.
    Both { millis: u64 },
}

/// A stream of numbers from a seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % bound.max(1) as u64) as usize
    }

    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            all.swap(last, self.below(last + 1));
        }
    }
}

/// When in the life of a job a step comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Beginning,
    Copying,
    Ending,
    Restoring,
}

fn phase(step: &str) -> Phase {
    match step.split('.').next().unwrap_or_default() {
        "request" | "expand" | "plan" | "allocate" => Phase::Beginning,
        "record" | "read" | "verify" | "write" | "sync" | "swap" | "put" | "delete" => Phase::Copying,
        "restore" => Phase::Restoring,
        _ => Phase::Ending,
    }
}

/// How often a step is passed before respoold dies there: in the middle of things, where there is a middle.
fn nth(step: &str, dice: &mut Dice) -> u64 {
    let most = match step.split('.').next().unwrap_or_default() {
        "read" | "verify" | "write" => 300,
        "record" | "sync" | "swap" => 8,
        "read_back" => 1_000,
        "put" | "delete" => 3,
        _ => 1,
    };
    1 + dice.below(most) as u64
}

/// All kills, in order.
pub fn kills(orders: &Orders, steps: &[String]) -> Vec<Kill> {
    let mut dice = Dice::new(orders.seed);
    let named = named(orders, steps, &mut dice);
    let mut others = others(orders, named.iter().map(Vec::len).sum(), &mut dice);
    let mut all = vec![];
    let rounds = named.len();
    for (round, steps) in named.into_iter().enumerate() {
        let share = others.len() / (rounds - round);
        let mine: Vec<Vec<Kill>> = others.drain(..share).collect();
        all.extend(one_round(&steps, mine, &mut dice));
    }
    all
}

/// The named steps of each round: all of them as often as two thirds of the kills allow, or half of the kills.
fn named(orders: &Orders, steps: &[String], dice: &mut Dice) -> Vec<Vec<String>> {
    let rounds = orders.respool * 2 / 3 / steps.len().max(1);
    if rounds > 0 {
        return vec![steps.to_vec(); rounds];
    }
    let mut some = steps.to_vec();
    // Those of a restore need a repack of their own: not in a short run.
    some.retain(|step| phase(step) != Phase::Restoring);
    dice.shuffle(&mut some);
    some.truncate(orders.respool / 2);
    vec![some]
}

/// Everything but the named steps. A kill of PostgreSQL stands before one of respoold, which dies at no step then.
fn others(orders: &Orders, named: usize, dice: &mut Dice) -> Vec<Vec<Kill>> {
    let mut groups: Vec<Vec<Kill>> = vec![];
    for _ in named..orders.respool {
        groups.push(vec![if dice.below(6) == 0 {
            Kill::Starting {
                millis: dice.below(120) as u64,
            }
        } else {
            Kill::Random {
                millis: dice.below(1_500) as u64,
            }
        }]);
    }
    for _ in 0..orders.both {
        let millis = dice.below(1_500) as u64;
        groups.push(vec![Kill::Both { millis }]);
    }
    let count = groups.len().max(1);
    for number in 0..orders.postgres {
        let kill = match number % 5 {
            0 => Kill::InCommit(Commit::BeforeFlush),
            1 => Kill::InCommit(Commit::AfterFlush),
            _ => Kill::Postgres {
                millis: dice.below(1_500) as u64,
            },
        };
        match groups.get_mut(number % count) {
            Some(group) => {
                // A life that met a kill of the database takes requests when it is killed itself.
                if let Some(last @ Kill::Starting { .. }) = group.last_mut() {
                    let millis = dice.below(1_500) as u64;
                    *last = Kill::Random { millis };
                }
                group.insert(0, kill);
            }
            None => groups.push(vec![kill]),
        }
    }
    dice.shuffle(&mut groups);
    groups
}

/// In the order in which a job comes to them; most of the rest falls into the copying.
fn one_round(steps: &[String], rest: Vec<Vec<Kill>>, dice: &mut Dice) -> Vec<Kill> {
    let named = |of: Phase, dice: &mut Dice| -> Vec<Vec<Kill>> {
        steps
            .iter()
            .filter(|step| phase(step) == of)
            .map(|step| {
                let nth = nth(step, dice);
                vec![Kill::Step {
                    step: step.clone(),
                    nth,
                }]
            })
            .collect()
    };
    let beginning = named(Phase::Beginning, dice);
    let mut copying = named(Phase::Copying, dice);
    let mut ending = named(Phase::Ending, dice);
    for group in rest {
        match dice.below(5) {
            0 => ending.insert(dice.below(ending.len() + 1), group),
            _ => copying.push(group),
        }
    }
    dice.shuffle(&mut copying);
    let restoring = named(Phase::Restoring, dice);
    [beginning, copying, ending, restoring].concat().concat()
}

/// One life of respoold: kills of the database, and at its end its own.
pub type Life = Vec<Kill>;

pub fn lives(kills: Vec<Kill>) -> Vec<Life> {
    let mut lives: Vec<Life> = vec![vec![]];
    for kill in kills {
        let ends = !matches!(kill, Kill::Postgres { .. } | Kill::InCommit(_));
        lives.last_mut().expect("there is one").push(kill);
        if ends {
            lives.push(vec![]);
        }
    }
    lives.retain(|life| !life.is_empty());
    lives
}

/// The step that a life is to die at, unless something else is to happen in it.
pub fn armed(life: Option<&Life>) -> Option<(&str, u64)> {
    match life.map(Vec::as_slice) {
        Some([Kill::Step { step, nth }]) => Some((step, *nth)),
        _ => None,
    }
}
