//! Where extents go. A plan is advice for one round: what is granted and what is found on the way may differ, and the
//! next round plans anew.

use super::berths::{Berth, Drives, Held, Moored};
use super::manifest::{Item, LeftOut, Manifest};
use dss::model::{ByteCount, CopyNo, ExtentId, MediumId, ObjectId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A medium that may take extents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Which.
    pub medium: MediumId,
    /// How much it can take.
    pub free: ByteCount,
    /// Whether it holds extents already: it is filled before an empty one is begun.
    pub begun: bool,
    /// The groupings it carries.
    pub groupings: BTreeSet<String>,
    /// Where it is driven together with others.
    pub berth: Option<Berth>,
}

/// Why an item finds no place. The order is the one in which reasons are told: the last is the most telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lack {
    /// No medium may take it at all.
    NoMedium,
    /// No drive serves what would have to be read and written for it.
    NoDrive,
    /// So many bytes are missing on the roomiest medium that may take it.
    Room(ByteCount),
    /// It can only be staged, and the spool is so many bytes too small for it.
    Spool(ByteCount),
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMedium => LeftOut::NoTarget.fmt(f),
            Self::NoDrive => f.write_str("no drive serves its source and a target for it"),
            Self::Room(bytes) => write!(f, "{bytes} missing on the roomiest target"),
            Self::Spool(bytes) => {
                write!(
                    f,
                    "{bytes} too large for the spool, and its targets share a drive with the source"
                )
            }
        }
    }
}

/// One item with its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// What to move.
    pub item: Item,
    /// Where to.
    pub target: MediumId,
}

/// One round: what is moved, and where to.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// In access order.
    pub steps: Vec<Assigned>,
    /// What finds no place, and why.
    pub unplaced: Vec<(ExtentId, Lack)>,
    /// The room that all of these need.
    pub unplaced_bytes: ByteCount,
    /// What waits for a later round, when other media are in the drives. Never anything unless something is placed.
    pub later: Vec<ExtentId>,
}

/// The bytes that a target must have beside an extent's own, for names, index lines and rounding.
pub const EXTENT_OVERHEAD: ByteCount = ByteCount(8 << 10);

impl Plan {
    /// All bytes to be moved.
    pub fn bytes(&self) -> ByteCount {
        self.steps.iter().map(|step| step.item.bytes).sum()
    }
}

/// What some steps bring to one target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many extents.
    pub extents: u64,
    /// Their bytes.
    pub bytes: ByteCount,
    /// The largest of them: what a grant must have room for.
    pub largest: ByteCount,
}

/// What each target gets.
pub fn per_target(steps: &[Assigned]) -> BTreeMap<MediumId, Sum> {
    let mut sums: BTreeMap<MediumId, Sum> = BTreeMap::new();
    for step in steps {
        let sum = sums.entry(step.target).or_default();
        sum.extents += 1;
        sum.bytes += step.item.bytes;
        sum.largest = sum.largest.max(step.item.bytes);
    }
    sums
}

/// Gives every item of the manifest, in its order, a target: never a medium with another copy of its object (I10), never
/// a source; the medium in use as long as it has room, then one that carries the grouping, then one that is begun, then
/// the roomiest. An extent that fits nowhere is reported; smaller ones behind it still go. What the drives cannot hold
/// together with what comes before goes later.
pub fn assign(manifest: &Manifest, targets: &[Target], moorings: &Moorings) -> Plan {
    let mut free: Vec<ByteCount> = targets.iter().map(|target| target.free).collect();
    let ranks = Ranks::new(manifest, targets);
    let mut last: Option<usize> = None;
    let mut plan = Plan::default();
    let mut apart = Apart::new(manifest);
    let mut held = moorings.held();
    let mut later_bytes = ByteCount::ZERO;
    for item in &manifest.items {
        let need = item.bytes + EXTENT_OVERHEAD;
        let allowed = |index: &usize| {
            let medium = targets[*index].medium;
            !manifest.may_not_go_to(item, medium) && apart.allows(item, medium)
        };
        let fits = |index: &usize| allowed(index) && free[*index] >= need;
        let source = moorings.of_source(manifest, item);
        let in_reach = |index: &usize| held.have_room(source, (targets[*index].medium, targets[*index].berth.as_ref()));
        let chosen = last
            .filter(|index| fits(index) && in_reach(index))
            .or_else(|| ranks.order(item).find(|index| fits(index) && in_reach(index)));
        match chosen {
            Some(index) => {
                free[index] = free[index] - need;
                plan.steps.push(Assigned {
                    item: *item,
                    target: targets[index].medium,
                });
                last = Some(index);
                held.take(source, (targets[index].medium, targets[index].berth.as_ref()));
                apart.place(item, targets[index].medium);
            }
            None if ranks.order(item).any(|index| fits(&index)) => {
                later_bytes += need;
                plan.later.push(item.extent);
            }
            None => {
                let roomiest = (0..targets.len()).filter(allowed).map(|index| free[index]).max();
                plan.unplaced_bytes += need;
                let lack = roomiest.map_or(Lack::NoMedium, |room| Lack::Room(need.saturating_sub(room)));
                plan.unplaced.push((item.extent, lack));
            }
        }
    }
    if plan.steps.is_empty() {
        // The drives are empty, so that there is nothing to wait for.
        let stranded = std::mem::take(&mut plan.later).into_iter();
        plan.unplaced.extend(stranded.map(|extent| (extent, Lack::NoDrive)));
        plan.unplaced_bytes += later_bytes;
    }
    plan
}

/// A medium that is read, and where it is driven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Which.
    pub medium: MediumId,
    /// Where, together with others.
    pub berth: Option<Berth>,
}

/// Where everything is driven.
#[derive(Clone, Copy, Debug)]
pub struct Moorings<'a> {
    /// How many media can be held at once.
    pub drives: &'a Drives,
    /// What is read for each source of the manifest, by its position there, and where that is driven. What is not listed has
    /// a drive of its own.
    pub sources: &'a [Reading],
    /// Whether what is read and what is written is held at the same time.
    pub together: Together,
}

/// Whether sources and targets are held at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Together {
    /// They are.
    Both,
    /// One after the other.
    EachAlone,
}

/// What is held of sources and targets.
enum HeldBoth<'a> {
    Together(Held<'a>),
    Apart { sources: Held<'a>, targets: Held<'a> },
}

impl<'a> Moorings<'a> {
    fn held(&self) -> HeldBoth<'a> {
        let held = Held::new(self.drives);
        match self.together {
            Together::Both => HeldBoth::Together(held),
            Together::EachAlone => HeldBoth::Apart {
                sources: held.clone(),
                targets: held,
            },
        }
    }

    fn of_source(&self, manifest: &Manifest, item: &Item) -> Moored<'a> {
        let position = usize::from(item.source);
        match self.sources.get(position) {
            Some(reading) => (reading.medium, reading.berth.as_ref()),
            None => (manifest.sources[position], None),
        }
    }
}

impl<'a> HeldBoth<'a> {
    fn have_room(&self, source: Moored<'a>, target: Moored<'a>) -> bool {
        match self {
            Self::Together(held) => held.has_room(&[source, target]),
            Self::Apart { sources, targets } => sources.has_room(&[source]) && targets.has_room(&[target]),
        }
    }

    fn take(&mut self, source: Moored<'a>, target: Moored<'a>) {
        match self {
            Self::Together(held) => [source, target].into_iter().for_each(|one| held.take(one)),
            Self::Apart { sources, targets } => {
                sources.take(source);
                targets.take(target);
            }
        }
    }
}

/// Keeps copies of one object apart that move at the same time, from several sources.
struct Apart<'a> {
    manifest: &'a Manifest,
    placed: BTreeMap<(ObjectId, MediumId), CopyNo>,
}

impl<'a> Apart<'a> {
    fn new(manifest: &'a Manifest) -> Self {
        Self {
            manifest,
            placed: BTreeMap::new(),
        }
    }

    fn matters(&self, item: &Item) -> bool {
        self.manifest.sources.len() > 1 && self.manifest.has_other_copies(item)
    }

    fn allows(&self, item: &Item, medium: MediumId) -> bool {
        let other = self.placed.get(&(item.object, medium));
        !self.matters(item) || other.is_none_or(|copy| *copy == item.copy)
    }

    fn place(&mut self, item: &Item, medium: MediumId) {
        if self.matters(item) {
            self.placed.insert((item.object, medium), item.copy);
        }
    }
}

/// The preference order of targets, once for each grouping.
struct Ranks {
    by_grouping: Vec<Vec<usize>>,
}

impl Ranks {
    fn new(manifest: &Manifest, targets: &[Target]) -> Self {
        let by_grouping = manifest
            .groupings
            .iter()
            .map(|grouping| {
                let mut order: Vec<usize> = (0..targets.len()).collect();
                order.sort_by_key(|index| {
                    let target = &targets[*index];
                    let carries = grouping.as_ref().is_some_and(|name| target.groupings.contains(name));
                    (!carries, !target.begun, std::cmp::Reverse(target.free), target.medium)
                });
                order
            })
            .collect();
        Self { by_grouping }
    }

    fn order(&self, item: &Item) -> impl Iterator<Item = usize> + '_ {
        self.by_grouping[item.grouping as usize].iter().copied()
    }
}

/// What a disk is taken to read and write in a second where nothing was measured yet: a USB 3 hard disk's outer tracks.
pub const ASSUMED_DIR_BYTES_PER_SECOND: f64 = 150.0e6;
/// What opening, creating and naming one extent on a disk is taken to cost, in seconds.
pub const ASSUMED_DIR_SECONDS_PER_EXTENT: f64 = 0.002;

/// Seconds to read one way while the other way overlaps; modelled, not measured.
pub fn predicted_seconds(bytes: ByteCount, extents: u64) -> f64 {
    bytes.0 as f64 / ASSUMED_DIR_BYTES_PER_SECOND + extents as f64 * ASSUMED_DIR_SECONDS_PER_EXTENT
}

#[cfg(test)]
mod tests {
    use super::*;
    use dss::model::ExtentId;

    /// With no drives but those that docks are.
    fn assign(manifest: &Manifest, targets: &[Target]) -> Plan {
        moored(manifest, targets, &[], 0)
    }

    fn moored(manifest: &Manifest, targets: &[Target], berths: &[Option<Berth>], drives: usize) -> Plan {
        let reading = |(medium, berth): (&MediumId, &Option<Berth>)| Reading {
            medium: *medium,
            berth: berth.clone(),
        };
        let sources: Vec<Reading> = manifest.sources.iter().zip(berths).map(reading).collect();
        let drives = Drives {
            of_libraries: BTreeMap::from([("lib0".to_owned(), drives)]),
        };
        let moorings = Moorings {
            drives: &drives,
            sources: &sources,
            together: Together::Both,
        };
        super::assign(manifest, targets, &moorings)
    }

    fn item(bytes: u64, avoid: u32, grouping: u32) -> Item {
        Item {
            extent: ExtentId::fresh(),
            object: ObjectId::fresh(),
            copy: CopyNo(0),
            bytes: ByteCount(bytes),
            source: 0,
            avoid,
            grouping,
            deleted_only: false,
            spot: None,
        }
    }

    fn target(free: u64, begun: bool) -> Target {
        Target {
            medium: MediumId::fresh(),
            free: ByteCount(free),
            begun,
            groupings: BTreeSet::new(),
            berth: None,
        }
    }

    fn manifest(items: Vec<Item>, avoid: BTreeSet<MediumId>) -> Manifest {
        Manifest {
            sources: vec![MediumId::fresh()],
            items,
            left_out: vec![],
            avoidances: vec![BTreeSet::new(), avoid],
            groupings: vec![None, Some("g".into())],
        }
    }

    #[test]
    fn a_begun_medium_is_filled_before_an_empty_one() {
        let targets = [target(1 << 30, false), target(1 << 20, true)];
        let plan = assign(&manifest(vec![item(100, 0, 0)], BTreeSet::new()), &targets);
        assert_eq!(plan.steps[0].target, targets[1].medium);
    }

    #[test]
    fn i10_an_extent_never_goes_where_another_copy_is() {
        let targets = [target(1 << 30, true), target(1 << 30, false)];
        let plan = assign(
            &manifest(vec![item(100, 1, 0)], BTreeSet::from([targets[0].medium])),
            &targets,
        );
        assert_eq!(plan.steps[0].target, targets[1].medium);
        let nowhere = assign(
            &manifest(vec![item(100, 1, 0)], BTreeSet::from([targets[0].medium])),
            &targets[..1],
        );
        assert_eq!(nowhere.unplaced[0].1, Lack::NoMedium);
    }

    #[test]
    fn x29_two_copies_that_move_at_once_go_to_different_media() {
        let (first, second) = (MediumId::fresh(), MediumId::fresh());
        let object = ObjectId::fresh();
        let copy = |copy, source, avoid| Item {
            object,
            copy: CopyNo(copy),
            source,
            ..item(10, avoid, 0)
        };
        let manifest = Manifest {
            sources: vec![first, second],
            items: vec![copy(0, 0, 1), copy(1, 1, 2)],
            left_out: vec![],
            avoidances: vec![BTreeSet::new(), BTreeSet::from([second]), BTreeSet::from([first])],
            groupings: vec![None],
        };
        let targets = [target(1 << 30, true), target(1 << 20, true)];
        let plan = assign(&manifest, &targets);
        assert_ne!(plan.steps[0].target, plan.steps[1].target);
        assert_eq!(assign(&manifest, &targets[..1]).unplaced.len(), 1);
    }

    #[test]
    fn e02_an_extent_is_never_split_and_the_next_target_goes_on() {
        let targets = [target(100_000, true), target(1 << 30, false)];
        let plan = assign(
            &manifest(vec![item(60_000, 0, 0), item(60_000, 0, 0)], BTreeSet::new()),
            &targets,
        );
        assert_eq!(per_target(&plan.steps).len(), 2);
        assert!(plan.unplaced.is_empty());
    }

    #[test]
    fn e02_what_fits_nowhere_is_reported_with_the_bytes_missing_and_the_rest_goes() {
        let plan = assign(
            &manifest(vec![item(1 << 30, 0, 0), item(10, 0, 0)], BTreeSet::new()),
            &[target(1 << 20, true)],
        );
        assert_eq!(plan.steps.len(), 1);
        assert_eq!(
            plan.unplaced[0].1,
            Lack::Room(ByteCount((1 << 30) + EXTENT_OVERHEAD.0 - (1 << 20)))
        );
    }

    #[test]
    fn e02_of_one_dock_one_disk_is_written_in_a_round() {
        let mut targets = [target(100_000, true), target(1 << 20, false)];
        targets
            .iter_mut()
            .for_each(|target| target.berth = Some(Berth::Dock("d".into())));
        let items = vec![item(60_000, 0, 0), item(60_000, 0, 0), item(10, 0, 0)];
        let plan = assign(&manifest(items, BTreeSet::new()), &targets);
        assert_eq!(
            (plan.steps.len(), per_target(&plan.steps).len(), plan.later.len()),
            (2, 1, 1)
        );
        assert!(plan.unplaced.is_empty());
    }

    /// Two drives: one source and one target in a round, whatever there is of both. Three drives: two sources as well.
    #[test]
    fn e01_a_round_holds_no_more_tapes_than_their_library_has_drives() {
        let library = || Some(Berth::Library("lib0".into()));
        let mut targets = [target(1 << 30, true), target(1 << 20, false)];
        targets.iter_mut().for_each(|target| target.berth = library());
        let of = |source| Item {
            source,
            ..item(10, 0, 0)
        };
        let manifest = Manifest {
            sources: vec![MediumId::fresh(), MediumId::fresh()],
            ..manifest(vec![of(0), of(0), of(1)], BTreeSet::new())
        };
        let sources = [library(), library()];
        for (drives, steps) in [(2, 2), (3, 3)] {
            let plan = moored(&manifest, &targets, &sources, drives);
            assert_eq!(
                (plan.steps.len(), plan.later.len()),
                (steps, 3 - steps),
                "{drives} drives"
            );
            assert!(plan.unplaced.is_empty());
        }
        let plan = moored(&manifest, &targets, &[None, library()], 2);
        assert_eq!(plan.steps.len(), 3, "a source elsewhere takes no drive of it");
    }

    /// with no drive that serves there is nothing to wait for.
    #[test]
    fn x10_without_any_drive_that_serves_a_plan_says_so() {
        let mut targets = [target(1 << 30, true)];
        targets[0].berth = Some(Berth::Library("lib0".into()));
        let manifest = manifest(vec![item(10, 0, 0), item(20, 0, 0)], BTreeSet::new());
        let plan = moored(&manifest, &targets, &[], 0);
        assert!(plan.steps.is_empty() && plan.later.is_empty());
        assert!(
            plan.unplaced.iter().all(|(_, lack)| *lack == Lack::NoDrive),
            "{:?}",
            plan.unplaced
        );
        assert_eq!(plan.unplaced_bytes, ByteCount(30 + 2 * EXTENT_OVERHEAD.0));
    }

    #[test]
    fn x14_a_grouping_goes_where_it_already_is() {
        let mut targets = [target(1 << 30, true), target(1 << 20, false)];
        targets[1].groupings.insert("g".into());
        let plan = assign(&manifest(vec![item(10, 0, 1)], BTreeSet::new()), &targets);
        assert_eq!(plan.steps[0].target, targets[1].medium);
    }

    #[test]
    fn x02_zero_length_extents_are_planned_like_any_other() {
        let plan = assign(
            &manifest(vec![item(0, 0, 0)], BTreeSet::new()),
            &[target(1 << 20, true)],
        );
        assert_eq!(plan.steps.len(), 1);
    }
}
