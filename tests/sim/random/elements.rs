//! What a run may do to its world: where disks are, whether the catalogue is in reach, what the clocks say, which ids are
//! given.

use super::world::{There, World};
use crate::chance::mix;
use jiff::Timestamp;
use lrs::service::AgeClock;
use std::time::Duration;
use tokio::time::Instant;
use uuid::{Builder, Uuid};

/// When every run begins, in milliseconds since 1970.
const BEGINNING: i64 = 1_700_000_000_000;

impl World {
    pub fn put_there(&self, medium: &str, there: There) {
        let mut inner = self.inner();
        if let Some(slot) = inner.matter.slots.get_mut(medium)
            && slot.there != there
        {
            slot.there = there;
            slot.visits += 1;
        }
    }

    pub fn cut_off(&self, span: Duration) {
        self.inner().present.outage = Some(Instant::now() + span);
    }

    pub fn is_cut_off(&self) -> bool {
        self.inner().present.outage.is_some_and(|until| Instant::now() < until)
    }

    /// The age clock is set.
    pub fn set_clock(&self, by: i64) {
        self.inner().matter.age += by;
    }

    pub fn fresh_id(&self) -> Uuid {
        let mut inner = self.inner();
        inner.matter.ids += 1;
        let number = inner.matter.ids;
        drop(inner);
        let mut random = [0; 10];
        random[..8].copy_from_slice(&mix(self.seed, 1_000_000 + number).to_be_bytes());
        Builder::from_unix_timestamp_millis((BEGINNING as u64) + number, &random).into_uuid()
    }
}

impl AgeClock for World {
    fn now(&self) -> Timestamp {
        let inner = self.inner();
        let passed = inner
            .present
            .begun
            .map_or(0, |begun| begun.elapsed().as_millis() as i64);
        Timestamp::from_millisecond(BEGINNING + inner.matter.age + passed).expect("a time near ours")
    }
}
