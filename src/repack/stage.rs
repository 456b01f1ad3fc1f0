//! Whether a round's bytes go straight from what is read to what is written, or by way of the spool because both are
//! disks of one dock (E-01, X-10); and how much of them at once.

use super::manifest::Manifest;
use super::plan::{Assigned, Lack, Plan, Target, assign, predicted_seconds};
use dss::model::{ByteCount, ExtentId};
use std::collections::BTreeSet;

/// How the bytes of a round go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Sources and targets are held together, read and written at the same time.
    Direct,
    /// One after the other: a batch is read into the spool, the dock changes its disk, the batch is written.
    Staged,
}

/// What decides the way.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The docks of the media to be read.
    pub docks: &'a BTreeSet<String>,
    /// The most bytes of one batch.
    pub spool: ByteCount,
}

/// A plan and the way of its steps.
#[derive(Clone, Debug)]
pub struct Routed {
    /// What goes where.
    pub plan: Plan,
    /// How its steps go.
    pub way: Way,
}

/// Gives every item a target: in another dock as long as one will do, else, one round after all that can go straight, in
/// the dock of what is read. Staged steps fit the spool one by one.
pub fn route(manifest: &Manifest, targets: &[Target], terms: Terms) -> Routed {
    let in_reach = |target: &&Target| target.dock.as_ref().is_none_or(|dock| !terms.docks.contains(dock));
    let (beside, behind): (Vec<&Target>, Vec<&Target>) = targets.iter().partition(in_reach);
    let own = |targets: Vec<&Target>| -> Vec<Target> { targets.into_iter().cloned().collect() };
    let mut direct = assign(manifest, &own(beside));
    if behind.is_empty() || direct.unplaced.is_empty() {
        let way = Way::Direct;
        return Routed { plan: direct, way };
    }
    let stranded: BTreeSet<ExtentId> = direct.unplaced.iter().map(|(extent, _)| *extent).collect();
    let (rest, _) = manifest.parted(|item| stranded.contains(&item.extent));
    let (small, large) = rest.parted(|item| item.bytes <= terms.spool);
    let mut staged = assign(&small, &own(behind));
    for item in &large.items {
        let short = item.bytes.saturating_sub(terms.spool);
        staged.unplaced.push((item.extent, Lack::Spool(short)));
        staged.unplaced_bytes += item.bytes;
    }
    if direct.steps.is_empty() {
        let way = Way::Staged;
        return Routed { plan: staged, way };
    }
    let later = staged.steps.iter().map(|step| step.item.extent);
    direct.later.extend(later.chain(staged.later));
    (direct.unplaced, direct.unplaced_bytes) = (staged.unplaced, staged.unplaced_bytes);
    let way = Way::Direct;
    Routed { plan: direct, way }
}

/// Where the batch that begins there ends: as many steps as the spool takes, at least one if any is left.
pub fn batch_end(steps: &[Assigned], from: usize, spool: ByteCount) -> usize {
    let mut bytes = ByteCount::ZERO;
    let mut end = from;
    while end < steps.len() {
        bytes += steps[end].item.bytes;
        if end > from && bytes > spool {
            break;
        }
        end += 1;
    }
    end
}

/// What staging costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Staging {
    /// The most bytes of one batch.
    pub spool: ByteCount,
    /// How many batches.
    pub rounds: u64,
    /// How often a disk comes into a dock for them: each batch has one to read and one to write.
    pub mounts: u64,
}

/// What changing the disk of a dock is taken to cost, in seconds.
pub const ASSUMED_SECONDS_PER_MOUNT: f64 = 5.0;

impl Staging {
    /// Of these steps.
    pub fn of(steps: &[Assigned], spool: ByteCount) -> Self {
        let (mut rounds, mut from) = (0, 0);
        while from < steps.len() {
            from = batch_end(steps, from, spool);
            rounds += 1;
        }
        Self {
            spool,
            rounds,
            mounts: 2 * rounds,
        }
    }

    /// Modelled seconds: every byte is read, then written, and nothing overlaps.
    pub fn predicted_seconds(&self, bytes: ByteCount, extents: u64) -> f64 {
        2.0 * predicted_seconds(bytes, extents) + self.mounts as f64 * ASSUMED_SECONDS_PER_MOUNT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repack::manifest::Item;
    use dss::model::{CopyNo, MediumId, ObjectId};

    fn manifest(sizes: &[u64]) -> Manifest {
        let item = |bytes: &u64| Item {
            extent: ExtentId::fresh(),
            object: ObjectId::fresh(),
            copy: CopyNo(0),
            bytes: ByteCount(*bytes),
            source: 0,
            avoid: 0,
            grouping: 0,
            deleted_only: false,
        };
        Manifest {
            sources: vec![MediumId::fresh()],
            items: sizes.iter().map(item).collect(),
            left_out: vec![],
            avoidances: vec![BTreeSet::new()],
            groupings: vec![None],
        }
    }

    fn target(free: u64, dock: Option<&str>) -> Target {
        Target {
            medium: MediumId::fresh(),
            free: ByteCount(free),
            begun: false,
            groupings: BTreeSet::new(),
            dock: dock.map(str::to_owned),
        }
    }

    fn routed(sizes: &[u64], targets: &[Target], spool: u64) -> Routed {
        let docks = BTreeSet::from(["d".to_owned()]);
        let spool = ByteCount(spool);
        route(&manifest(sizes), targets, Terms { docks: &docks, spool })
    }

    #[test]
    fn x10_with_one_dock_everything_is_staged() {
        let routed = routed(&[10, 0, 30], &[target(1 << 20, Some("d"))], 100);
        assert_eq!((routed.way, routed.plan.steps.len()), (Way::Staged, 3));
        assert!(routed.plan.unplaced.is_empty());
    }

    #[test]
    fn x10_with_a_second_dock_nothing_is_staged() {
        for dock in [None, Some("e")] {
            let targets = [target(1 << 30, Some("d")), target(1 << 20, dock)];
            let routed = routed(&[10, 20], &targets, 100);
            assert_eq!((routed.way, routed.plan.later.len()), (Way::Direct, 0));
            assert!(routed.plan.steps.iter().all(|step| step.target == targets[1].medium));
        }
    }

    #[test]
    fn x10_what_goes_straight_goes_first_and_the_rest_is_staged_later() {
        let targets = [target(1 << 30, Some("d")), target(20_000, None)];
        let routed = routed(&[10_000, 50_000], &targets, 100_000);
        assert_eq!(
            (routed.way, routed.plan.steps.len(), routed.plan.later.len()),
            (Way::Direct, 1, 1)
        );
        assert_eq!(routed.plan.steps[0].target, targets[1].medium);
        assert!(routed.plan.unplaced.is_empty());
    }

    #[test]
    fn x10_an_extent_larger_than_the_spool_is_listed_with_the_bytes_missing() {
        let routed = routed(&[10, 150], &[target(1 << 20, Some("d"))], 100);
        assert_eq!((routed.way, routed.plan.steps.len()), (Way::Staged, 1));
        assert_eq!(routed.plan.unplaced[0].1, Lack::Spool(ByteCount(50)));
        assert_eq!(routed.plan.unplaced_bytes, ByteCount(150));
    }

    #[test]
    fn x10_batches_are_as_large_as_the_spool_and_counted() {
        let steps = routed(&[60, 60, 40, 0, 90], &[target(1 << 20, Some("d"))], 100)
            .plan
            .steps;
        let staging = Staging::of(&steps, ByteCount(100));
        assert_eq!((staging.rounds, staging.mounts), (3, 6));
        assert_eq!(batch_end(&steps, 1, ByteCount(100)), 4);
        assert_eq!(batch_end(&steps, 5, ByteCount(100)), 5);
        let both_ways = staging.predicted_seconds(ByteCount(250), 5);
        assert!(both_ways >= 2.0 * predicted_seconds(ByteCount(250), 5) + 6.0);
    }
}
