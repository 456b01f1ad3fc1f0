//! What lives on the sources of a job, kept small: a 5,000,000-extent medium is planned in bounded memory.

use dss::catalogue::ManifestRow;
use dss::model::{ByteCount, CopyNo, ExtentId, MediumId, ObjectId, Spot};
use std::collections::{BTreeMap, BTreeSet};

/// A live extent, as far as planning needs it: well below the 300 bytes an extent may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// The extent to move.
    pub extent: ExtentId,
    /// The object version it was written for.
    pub object: ObjectId,
    /// Which of its copies.
    pub copy: CopyNo,
    /// Its size.
    pub bytes: ByteCount,
    /// Its medium, by position in [`Manifest::sources`].
    pub source: u16,
    /// The media that must not become its target, by position in [`Manifest::avoidances`].
    pub avoid: u32,
    /// Its grouping, by position in [`Manifest::groupings`]; 0 is none.
    pub grouping: u32,
    /// Whether only deleted or overwritten versions reference it.
    pub deleted_only: bool,
    /// tape: where it begins, where that is known.
    pub spot: Option<Spot>,
}

/// Why a live extent is not planned to be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// `--drop-deleted`: only deleted or overwritten versions need it.
    Dropped,
    /// It is not among the extents asked for.
    NotAsked,
    /// It was tried in this run and skipped.
    Skipped,
    /// No target may take it, for reasons the plan tells.
    NoTarget,
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Dropped => "only deleted or overwritten versions need it (--drop-deleted)",
            Self::NotAsked => "not asked for",
            Self::Skipped => "skipped earlier in this run",
            Self::NoTarget => "no target may take it",
        })
    }
}

/// Which live extents a job leaves where they are.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// Drop deleted versions.
    pub drop_deleted: bool,
    /// Only these, when not empty.
    pub only: &'a BTreeSet<ExtentId>,
    /// Not these again.
    pub skipped: &'a BTreeSet<ExtentId>,
}

/// Everything live on the sources.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    /// The media to empty.
    pub sources: Vec<MediumId>,
    /// What is to be moved.
    pub items: Vec<Item>,
    /// What is not, and why.
    pub left_out: Vec<(Item, LeftOut)>,
    /// The distinct sets of media that hold another copy.
    pub avoidances: Vec<BTreeSet<MediumId>>,
    /// The distinct groupings; the first stands for none.
    pub groupings: Vec<Option<String>>,
}

/// Builds a manifest page by page.
#[derive(Debug)]
pub struct ManifestBuilder<'a> {
    selection: Selection<'a>,
    manifest: Manifest,
    avoid_index: BTreeMap<BTreeSet<MediumId>, u32>,
    grouping_index: BTreeMap<Option<String>, u32>,
}

impl<'a> ManifestBuilder<'a> {
    /// An empty manifest of these sources.
    pub fn new(sources: &[MediumId], selection: Selection<'a>) -> Self {
        let mut grouping_index = BTreeMap::new();
        grouping_index.insert(None, 0);
        Self {
            selection,
            manifest: Manifest {
                sources: sources.to_vec(),
                groupings: vec![None],
                ..Manifest::default()
            },
            avoid_index: BTreeMap::new(),
            grouping_index,
        }
    }

    /// Takes a row. Rows of media that are no source are a bug of the caller.
    pub fn add(&mut self, row: &ManifestRow) {
        let source = self.manifest.sources.iter().position(|medium| *medium == row.medium);
        let source = u16::try_from(source.expect("a manifest row is of a source")).expect("few sources");
        let item = Item {
            extent: row.extent,
            object: row.object,
            copy: row.copy,
            bytes: row.bytes,
            source,
            avoid: intern(&mut self.avoid_index, &mut self.manifest.avoidances, &row.avoid),
            grouping: intern(&mut self.grouping_index, &mut self.manifest.groupings, &row.grouping),
            deleted_only: row.deleted_only,
            spot: row.spot,
        };
        match self.selection.leaves_out(&item) {
            Some(why) => self.manifest.left_out.push((item, why)),
            None => self.manifest.items.push(item),
        }
    }

    /// The whole.
    pub fn finish(self) -> Manifest {
        self.manifest
    }
}

fn intern<T: Ord + Clone>(index: &mut BTreeMap<T, u32>, all: &mut Vec<T>, value: &T) -> u32 {
    if let Some(position) = index.get(value) {
        return *position;
    }
    let position = u32::try_from(all.len()).expect("fewer than 2^32 distinct values");
    all.push(value.clone());
    index.insert(value.clone(), position);
    position
}

impl Selection<'_> {
    fn leaves_out(&self, item: &Item) -> Option<LeftOut> {
        if !self.only.is_empty() && !self.only.contains(&item.extent) {
            return Some(LeftOut::NotAsked);
        }
        if self.drop_deleted && item.deleted_only {
            return Some(LeftOut::Dropped);
        }
        if self.skipped.contains(&item.extent) {
            return Some(LeftOut::Skipped);
        }
        None
    }
}

impl Manifest {
    /// The bytes to be moved.
    pub fn bytes(&self) -> ByteCount {
        self.items.iter().map(|item| item.bytes).sum()
    }

    /// The items for which something holds, and the others.
    pub fn parted(&self, holds: impl Fn(&Item) -> bool) -> (Self, Self) {
        let with = |items| Self {
            items,
            sources: self.sources.clone(),
            left_out: vec![],
            avoidances: self.avoidances.clone(),
            groupings: self.groupings.clone(),
        };
        let (these, others) = self.items.iter().copied().partition(holds);
        (with(these), with(others))
    }

    /// Where an item lies.
    pub fn source_of(&self, item: &Item) -> MediumId {
        self.sources[usize::from(item.source)]
    }

    /// Whether the object has another copy: where that one goes matters.
    pub fn has_other_copies(&self, item: &Item) -> bool {
        !self.avoidances[item.avoid as usize].is_empty()
    }

    /// The media that may not become an item's target: its sources, and the media of its other copies (I10).
    pub fn may_not_go_to(&self, item: &Item, medium: MediumId) -> bool {
        self.sources.contains(&medium) || self.avoidances[item.avoid as usize].contains(&medium)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_costs_far_less_than_it_may() {
        assert!(size_of::<Item>() <= 80, "{}", size_of::<Item>());
    }
}
