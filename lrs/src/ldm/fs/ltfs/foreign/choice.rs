//! Which tree of a volume counts, and what may be missing in it, from what was found at the ends of both partitions. Pure.
//!
//! Mounting takes the newest index that can be proved. Here it is said whether a later one may have been there: an older
//! tree looks whole by itself, and whoever imports it would miss files without a word.

use crate::ldm::fs::ltfs::PartitionId;
use crate::ldm::fs::ltfs::volume::{Memory, Mounted, PartitionView, Unproven, Why};
use std::fmt;

/// In which state such a volume was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForeignState {
    /// It was left clean.
    Whole,
    /// Its writer stopped between both indexes: the data partition's is newer, and has everything.
    DataPartitionNewer,
    /// Records follow the last index, which names none of them.
    Tail,
    /// The last index of this partition cannot be read. The other partition's has everything that it had.
    OneIndex(PartitionId),
    /// A later index may have been there: files may be missing in this tree, for this reason.
    Doubtful(String),
}

impl fmt::Display for ForeignState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("whole"),
            Self::DataPartitionNewer => {
                f.write_str("its writer stopped before the index partition was brought up to date; nothing is missing")
            }
            Self::Tail => {
                f.write_str("its writer stopped in the middle: records follow the last index, which no index names")
            }
            Self::OneIndex(id) => {
                write!(
                    f,
                    "the last index of partition {id} cannot be read; the other partition's has the same files"
                )
            }
            Self::Doubtful(why) => write!(f, "files may be missing: {why}"),
        }
    }
}

/// What is to be said of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The tree that was mounted counts.
    Tree(ForeignState),
    /// The last indexes of both partitions are lost, for these reasons.
    NoIndex(Vec<String>),
}

/// Whether a run of records may have been an index. One that is whole, and says that it is elsewhere or of another volume,
/// is a file's data: a stored copy.
pub(super) fn may_have_been(unproven: &Unproven) -> bool {
    match unproven.why {
        Why::Unreadable(_) => true,
        Why::Document(_) | Why::NotClosed => unproven.resembles,
        Why::Elsewhere(_) | Why::OtherVolume(_) => false,
    }
}

/// Runs of records that may have been later indexes than the one that was proved, in words.
pub(super) fn lost_indexes(view: &PartitionView) -> Vec<String> {
    let lost = view.unproven.iter().filter(|unproven| may_have_been(unproven));
    lost.map(|unproven| format!("the index at {}:{}: {}", view.id, unproven.block, unproven.why))
        .collect()
}

/// The generation that the cartridge's memory has of a partition. One that is out of date is true of an earlier time.
fn remembered(view: &PartitionView) -> Option<u64> {
    match &view.memory {
        Memory::Current(named) | Memory::Stale(named) => Some(named.generation),
        Memory::Absent | Memory::Unusable(_) | Memory::OtherVolume(_) => None,
    }
}

/// Judges a volume that was mounted.
pub(super) fn choose(mounted: &Mounted) -> Choice {
    let why = |view: &PartitionView| {
        let words = lost_indexes(view);
        match (&view.last, words.is_empty()) {
            (None, true) => vec![format!("partition {} has no index that can be proved", view.id)],
            (None | Some(_), _) => words,
        }
    };
    let (index, data) = (why(&mounted.index), why(&mounted.data));
    if !index.is_empty() && !data.is_empty() {
        return Choice::NoIndex(index.into_iter().chain(data).collect());
    }
    if let Some(why) = doubt(mounted) {
        return Choice::Tree(ForeignState::Doubtful(why));
    }
    Choice::Tree(if !index.is_empty() {
        ForeignState::OneIndex(mounted.index.id)
    } else if !data.is_empty() {
        ForeignState::OneIndex(mounted.data.id)
    } else {
        left(mounted)
    })
}

/// How a volume was left whose last indexes both can be read. Of what looks like an index and is a file's data, nothing
/// follows: that is why `State` is not asked here.
fn left(mounted: &Mounted) -> ForeignState {
    let (index, data) = (&mounted.index, &mounted.data);
    let (Some(on_index), Some(on_data)) = (&index.last, &data.last) else {
        unreachable!("a partition without an index has lost it")
    };
    let older = on_index.head.generation < on_data.head.generation;
    if !older && on_index.head.previous != Some(on_data.head.location) {
        let place = on_data.head.location;
        return ForeignState::Doubtful(format!(
            "the index at {} is not of the line of the one at {place}, which is the last of its partition",
            on_index.head.location
        ));
    }
    if !index.is_complete() || !data.is_complete() {
        ForeignState::Tail
    } else if older {
        ForeignState::DataPartitionNewer
    } else {
        ForeignState::Whole
    }
}

/// Why a later index than the one that counts may have been there; None: there was none.
fn doubt(mounted: &Mounted) -> Option<String> {
    let (generation, views) = (mounted.tree.head.generation, [&mounted.index, &mounted.data]);
    let newer = |view: &&PartitionView| remembered(view).is_some_and(|named| named > generation);
    if let Some(view) = views.into_iter().find(newer) {
        return Some(format!(
            "the cartridge's memory knows of generation {} on partition {}, and generation {generation} is the newest that \
             can be read",
            remembered(view).unwrap_or_default(),
            view.id
        ));
    }
    if let Some(words) = views.into_iter().find_map(|view| view.lost_end.as_ref()) {
        return Some(format!("an end of data is not found: {words}"));
    }
    later_on_data(mounted).or_else(|| later_on_index(mounted))
}

/// Whether the index partition's index is that of the data partition's lost one, or a newer one.
fn later_on_data(mounted: &Mounted) -> Option<String> {
    let (index, data) = (&mounted.index, &mounted.data);
    let last = data
        .unproven
        .iter()
        .filter(|one| may_have_been(one))
        .map(|one| one.block)
        .max()?;
    let previous = index.last.as_ref().and_then(|found| found.head.previous);
    let covers = previous.is_some_and(|at| at.partition == data.id && at.block >= last);
    (!covers).then(|| {
        format!(
            "what is at {}:{last} may have been a later index than generation {}",
            data.id, mounted.tree.head.generation
        )
    })
}

/// Whether the index partition's lost index was none of a later generation. The tape does not say; its memory may.
fn later_on_index(mounted: &Mounted) -> Option<String> {
    let index = &mounted.index;
    let is_lost = index.last.is_none() || index.unproven.iter().any(may_have_been);
    (is_lost && remembered(index).is_none()).then(|| {
        format!(
            "the last index of partition {} cannot be read, and nothing tells that it was not a later one",
            index.id
        )
    })
}
