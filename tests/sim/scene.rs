//! What a simulation crashes: a piece of work, what is there before it, what is asked again after a crash, and what
//! must hold when all is at rest.

use crate::life::{Left, Life, oid};
use crate::universe::Universe;
use async_trait::async_trait;
use dss::model::Version;
use respool::config::Config;
use std::sync::Arc;

/// Told of lives that nothing disturbs, but that end when they are ended.
#[async_trait(?Send)]
pub trait Scene: Sync {
    fn name(&self) -> &'static str;

    /// What its respoolds are configured to do.
    fn configure(&self, _config: &mut Config) {}

    /// What is on the shelf before the first life.
    fn set(&self, _universe: &Arc<Universe>) {}

    /// What happened before. Nothing ends a life here.
    async fn before(&self, life: &Life);

    /// The work, which a crash ends at any instant.
    async fn act(&self, life: &Life);

    /// What somebody who got no answer asks for again.
    async fn again(&self, _life: &Life) {}

    /// What the media may hold at rest beside what is live.
    fn left(&self) -> Left {
        Left::Nothing
    }

    /// What must be so at rest, beside what must always be.
    async fn holds(&self, _life: &Life) {}
}

/// Every name that any scene puts.
pub const NAMES: [&str; 8] = ["empty", "one", "deleted", "back", "pages", "split", "shared", "foreign"];

/// Different for every name, so that bytes of one object are never taken for another's.
pub fn bytes_of(name: &str) -> Vec<u8> {
    let size = match name {
        "empty" => 0,
        "one" => 1,
        "deleted" => 700,
        "back" => 5_000,
        // It is the same extent.
        "pages" | "shared" => return pattern(b'p', 9_000),
        "split" => 60_000,
        "late" => 4_096,
        "foreign" => 30_000,
        other => unreachable!("no object {other}"),
    };
    pattern(name.as_bytes()[0], size)
}

fn pattern(first: u8, size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 + at / 251) as u8 ^ first).collect()
}

pub fn objects(names: &[&'static str]) -> Vec<(&'static str, Vec<u8>)> {
    names.iter().map(|name| (*name, bytes_of(name))).collect()
}

/// What was told is so: what was acknowledged is there with its bytes, what was not is there whole or not at all.
pub async fn what_was_told_is_so(life: &Life) {
    let told = life.universe.told();
    for name in NAMES {
        let found = match life.get(name, None).await {
            Err(problem) if problem.exit == 2 && told.undeleted.contains(name) => {
                panic!("the undeletion of {name} was acknowledged and is lost: {problem}")
            }
            // The end of its window may have come.
            Err(problem) if problem.exit == 2 && told.ending.contains(name) => continue,
            // What is deleted can be had back as long as its window is open.
            Err(problem) if problem.exit == 2 && told.deleting.contains(name) => {
                respool::store::delete::undelete(&life.host, &oid(name))
                    .await
                    .unwrap_or_else(|problem| panic!("{name} cannot be had back: {problem}"));
                life.get(name, Some(Version(1))).await
            }
            Ok(_) if told.deleted.contains(name) && !told.undeleting.contains(name) => {
                panic!("the deletion of {name} was acknowledged and is lost")
            }
            found => found,
        };
        match found {
            Ok(found) => assert!(found == bytes_of(name), "{name} came back with other bytes"),
            Err(problem) if problem.exit == 2 => {
                let kept = !told.stored.contains(name);
                assert!(kept, "{name} was acknowledged and is lost: {problem}");
            }
            Err(problem) => panic!("{name}: {problem}"),
        }
    }
}
