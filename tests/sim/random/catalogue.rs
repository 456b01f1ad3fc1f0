//! The way to the catalogue: it takes its time, is away at times, and its answers are lost at times. What was committed
//! stays committed. Every transaction is held against the rules.

use super::faults::Kind;
use super::world::{Dead, World};
use crate::catalogue::Ear;
use crate::chance::Chance;
use async_trait::async_trait;
use dss::catalogue::{CatalogueError, Result};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Calls that change nothing.
const LOOKS: [&str; 28] = [
    "identity",
    "findings",
    "events",
    "media",
    "medium",
    "medium_by_id",
    "usage",
    "used",
    "versions",
    "object",
    "object_by_id",
    "objects_by_id",
    "list_objects",
    "fallbacks",
    "doubtful",
    "headers",
    "references",
    "extent",
    "extents_by_id",
    "unindexed",
    "extents",
    "manifest",
    "removable",
    "job",
    "jobs",
    "active_jobs",
    "jobs_of_sources",
    "moves",
];

/// A call takes fewer milliseconds than this.
const SLOWEST: usize = 6;
/// The most of an answer that a trace shows.
const SHOWN: usize = 400;

pub struct Line {
    world: Arc<World>,
    pace: Mutex<Chance>,
}

impl Line {
    pub fn new(world: &Arc<World>, chance: Chance) -> Self {
        Self {
            world: Arc::clone(world),
            pace: Mutex::new(chance),
        }
    }

    async fn pause(&self) {
        let millis = self.pace.lock().unwrap_or_else(PoisonError::into_inner).below(SLOWEST);
        if millis > 0 {
            tokio::time::sleep(Duration::from_millis(millis as u64)).await;
        }
    }

    /// What lies on the struck medium may turn bad while nobody looks.
    fn rot(&self) {
        let world = &self.world;
        for kind in [Kind::StoredFlip, Kind::Shortened, Kind::IndexFlip] {
            if !world.strikes(kind) {
                continue;
            }
            let folder = match kind {
                Kind::IndexFlip => ".respool/manifest",
                _ => "objects",
            };
            let mut inner = world.inner();
            let mut chance = inner.run.trouble.chance().clone();
            let slot = inner.matter.slots.get_mut(&world.victim).expect("a medium of this run");
            let names = slot.platter.names(folder);
            let struck = (!names.is_empty()).then(|| {
                let path = format!("{folder}/{}", names[chance.below(names.len())]);
                let done = match kind {
                    Kind::Shortened => slot.platter.shorten(&path, &mut chance),
                    _ => slot.platter.flip(&path, &mut chance),
                };
                (path, done.unwrap_or(false))
            });
            *inner.run.trouble.chance() = chance;
            drop(inner);
            if let Some((path, true)) = struck {
                world.struck(&world.victim, &path);
                world.say(|| format!("{}: {path} is struck ({kind:?})", world.victim));
            }
        }
    }
}

async fn never() -> ! {
    std::future::pending().await
}

#[async_trait]
impl Ear for Line {
    async fn before(&self, call: &'static str) -> Result<()> {
        self.pause().await;
        if let Err(Dead) = self.world.effect(|| format!("catalogue: {call}")) {
            never().await;
        }
        self.rot();
        let refused = if self.world.is_cut_off() {
            Some("cut off")
        } else if self.world.strikes(Kind::Unavailable) {
            Some("connection refused")
        } else if self.world.strikes(Kind::Contention) {
            Some("too many others change the same rows: deadlock detected")
        } else {
            None
        };
        match refused {
            Some(why) => {
                self.world.say(|| format!("catalogue: {call} is not done: {why}"));
                Err(CatalogueError::Unavailable(why.to_owned()))
            }
            None => Ok(()),
        }
    }

    async fn after(&self, call: &'static str, answer: &(dyn Debug + Sync)) -> Result<()> {
        let changes = !LOOKS.contains(&call);
        if changes {
            self.world.say(|| {
                let mut answer = format!("catalogue: {call} answers {answer:?}");
                answer.truncate((0..=SHOWN).rev().find(|at| answer.is_char_boundary(*at)).unwrap_or(0));
                answer
            });
            self.world.rules_of_the_catalogue(call);
            if let Err(Dead) = self.world.effect(|| format!("the answer to {call}")) {
                never().await;
            }
        }
        self.pause().await;
        if self.world.is_dead() {
            never().await;
        }
        if changes && self.world.strikes(Kind::LostAnswer) || self.world.is_cut_off() {
            self.world.say(|| format!("catalogue: the answer to {call} is lost"));
            let why = "the connection was lost".to_owned();
            return Err(match changes {
                true => CatalogueError::Unresolved(why),
                false => CatalogueError::Unavailable(why),
            });
        }
        Ok(())
    }
}
