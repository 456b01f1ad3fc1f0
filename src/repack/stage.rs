//! Whether a round's bytes go straight from what is read to what is written, or by way of the spool because one drive is
//! all there is for both (E-01, X-10); and how much of them at once.

use super::berths::{Berth, Drives};
use super::manifest::Manifest;
use super::plan::{Assigned, Lack, Moorings, Plan, Reading, Target, Together, assign, predicted_seconds};
use dss::model::{ByteCount, ExtentId};
use std::collections::BTreeSet;

/// How the bytes of a round go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Sources and targets are held together, read and written at the same time.
    Direct,
    /// One after the other: a batch is read into the spool, the drive changes its medium, the batch is written.
    Staged,
}

/// What decides the way.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// How many media can be held at once.
    pub drives: &'a Drives,
    /// What is read for each source of the manifest, by its position there.
    pub sources: &'a [Reading],
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

impl Terms<'_> {
    /// Whether a medium can be written while one of those in its place is read.
    pub fn in_reach(&self, berth: Option<&Berth>) -> bool {
        let Some(berth) = berth else { return true };
        let read_there = self.sources.iter().any(|source| source.berth.as_ref() == Some(berth));
        self.drives.of(berth) > usize::from(read_there)
    }

    fn moorings(&self, together: Together) -> Moorings<'_> {
        Moorings {
            drives: self.drives,
            sources: self.sources,
            together,
        }
    }
}

/// Gives every item a target: in another drive as long as one will do, else, one round after all that can go straight, in
/// the drive of what is read. Staged steps fit the spool one by one.
pub fn route(manifest: &Manifest, targets: &[Target], terms: Terms) -> Routed {
    let in_reach = |target: &&Target| terms.in_reach(target.berth.as_ref());
    let (beside, behind): (Vec<&Target>, Vec<&Target>) = targets.iter().partition(in_reach);
    let own = |targets: Vec<&Target>| -> Vec<Target> { targets.into_iter().cloned().collect() };
    let mut direct = assign(manifest, &own(beside), &terms.moorings(Together::Both));
    if behind.is_empty() || direct.unplaced.is_empty() {
        let way = Way::Direct;
        return Routed { plan: direct, way };
    }
    let stranded: BTreeSet<ExtentId> = direct.unplaced.iter().map(|(extent, _)| *extent).collect();
    let (rest, _) = manifest.parted(|item| stranded.contains(&item.extent));
    let (small, large) = rest.parted(|item| item.bytes <= terms.spool);
    let mut staged = assign(&small, &own(behind), &terms.moorings(Together::EachAlone));
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
    /// How often a medium comes into a drive for them: each batch has one to read and one to write.
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
            spot: None,
        };
        Manifest {
            sources: vec![MediumId::fresh()],
            items: sizes.iter().map(item).collect(),
            left_out: vec![],
            avoidances: vec![BTreeSet::new()],
            groupings: vec![None],
        }
    }

    fn reading(berth: Berth) -> Reading {
        Reading {
            medium: MediumId::fresh(),
            berth: Some(berth),
        }
    }

    fn target(free: u64, dock: Option<&str>) -> Target {
        Target {
            medium: MediumId::fresh(),
            free: ByteCount(free),
            begun: false,
            groupings: BTreeSet::new(),
            berth: dock.map(|dock| Berth::Dock(dock.to_owned())),
        }
    }

    fn routed(sizes: &[u64], targets: &[Target], spool: u64) -> Routed {
        let terms = Terms {
            drives: &Drives::default(),
            sources: &[reading(Berth::Dock("d".to_owned()))],
            spool: ByteCount(spool),
        };
        route(&manifest(sizes), targets, terms)
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
    fn x10_tapes_of_a_library_are_staged_when_it_has_one_drive() {
        let library = || Some(Berth::Library("lib0".to_owned()));
        let targets = [Target {
            berth: library(),
            ..target(1 << 20, None)
        }];
        for (count, way) in [(1, Way::Staged), (2, Way::Direct)] {
            let drives = Drives {
                of_libraries: [("lib0".to_owned(), count)].into(),
            };
            let terms = Terms {
                drives: &drives,
                sources: &[reading(Berth::Library("lib0".to_owned()))],
                spool: ByteCount(100),
            };
            let routed = route(&manifest(&[10, 20]), &targets, terms);
            assert_eq!((routed.way, routed.plan.steps.len()), (way, 2), "{count} drives");
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
