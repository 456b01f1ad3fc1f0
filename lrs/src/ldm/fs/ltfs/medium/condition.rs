//! What may be done with a volume as it was found, from its state and its log. Pure.

use super::log::Log;
use super::notes::Newest;
use crate::ldm::fs::ltfs::volume::{Memory, Mounted, State, Unproven, Why};

/// What may be done with a mounted volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Everything.
    Whole,
    /// Everything; before anything is written, its index is committed once more.
    Recover,
    /// It is read, and its index answered; nothing is written.
    ReadOnly(String),
    /// Extents are read as the catalogue names them; nothing else.
    Damaged(String),
    /// An erasure did not come to its end: it is erased again, and nothing else.
    HalfErased,
}

/// Judges a volume. `least_end` is the block behind the last one that the catalogue knows of.
pub(super) fn judge(mounted: &Mounted, log: &Log, notes: &Newest, least_end: u64) -> Condition {
    if let Some(words) = [&mounted.data, &mounted.index]
        .into_iter()
        .find_map(|view| view.lost_end.as_ref())
    {
        return Condition::Damaged(format!("an end of data is lost: {words}"));
    }
    if let Some(damage) = notes.damage.as_ref().or(log.damage.as_ref()) {
        return Condition::Damaged(damage.clone());
    }
    // Whatever was synced lies before a seal or an index. One that turned bad looks like a write that was torn.
    let durable_end = mounted.data.end - log.dead;
    if durable_end < least_end {
        return Condition::Damaged(format!(
            "what was synced ends at block {durable_end}, and the catalogue knows of extents up to block {least_end}"
        ));
    }
    let Some(on_data) = &mounted.data.last else {
        return Condition::Damaged("its data partition has no index that can be proved".to_owned());
    };
    if let Some(words) = damaged_index(mounted, log) {
        return Condition::Damaged(words);
    }
    // An index of the index partition that is newer, or none of the data partition's line, is not ours.
    let on_index = mounted.index.last.as_ref().map(|last| &last.head);
    let astray = on_index
        .is_some_and(|head| head.generation >= on_data.head.generation && head.previous != Some(on_data.head.location));
    if astray {
        return Condition::Damaged("the indexes of both partitions do not belong together".to_owned());
    }
    let written_with = notes.seal.index;
    if mounted.tree.head.generation != written_with {
        return Condition::ReadOnly(format!(
            "other software wrote to it: its last index is of generation {}, and respool's last one was {written_with}",
            mounted.tree.head.generation
        ));
    }
    match mounted.state {
        State::Clean if log.last.is_none() => Condition::Whole,
        // `Incomplete` by what was checked above: the index partition's was being replaced.
        State::Clean | State::DataPartitionNewer | State::Tail | State::Incomplete => Condition::Recover,
        State::IndexPartitionNewer => {
            Condition::ReadOnly("its index partition is newer, which respool does not write".to_owned())
        }
    }
}

/// An index that was whole once and cannot be read now. On the data partition many a run of records only begins as an
/// index does: stored copies of one, and indexes that a crash tore. Neither takes anything away, for whatever was synced
/// before such a run is in the log behind the last index, and what was synced after it names another index (`log` tells).
/// So it counts only where somebody else knows of it, the cartridge's memory or, as `judge` finds, the index partition.
fn damaged_index(mounted: &Mounted, log: &Log) -> Option<String> {
    let (data, index) = (&mounted.data, &mounted.index);
    let sealed = log.last.map(|seal| seal.at);
    let named = match &data.memory {
        Memory::Current(named) | Memory::Stale(named) => Some(named.block),
        Memory::Absent | Memory::Unusable(_) | Memory::OtherVolume(_) => None,
    };
    let mut on_data = data.unproven.iter().filter(|unproven| {
        let is_sealed = sealed.is_some_and(|at| unproven.block <= at);
        !is_sealed && named == Some(unproven.block)
    });
    // The index partition has one construct in one place: only what closed one is followed by another.
    let mut on_index = index.unproven.iter();
    [(data.id, on_data.find(may_be)), (index.id, on_index.find(may_be))]
        .into_iter()
        .find_map(|(id, found)| found.map(|one| format!("the index at {id}:{}: {}", one.block, one.why)))
}

/// Whether a run of records may have been an index: where its first record cannot be read, nobody knows how it began.
fn may_be(run: &&Unproven) -> bool {
    run.resembles || matches!(run.why, Why::Unreadable(_))
}

/// Why it cannot be told whether other software has left files on a damaged medium; None: its last index is known, and
/// is the one that was written with respool's last notes.
pub(super) fn unseen(mounted: &Mounted, written_with: u64) -> Option<String> {
    let views = [&mounted.data, &mounted.index];
    if let Some(view) = views.iter().find(|view| view.last.is_none()) {
        return Some(format!("partition {} has no index that can be read", view.id));
    }
    for view in views {
        // Which of those that cannot be read was an index is not known.
        if let Some(one) = view.unproven.iter().find(may_be) {
            return Some(format!(
                "what may be an index at {}:{} cannot be read",
                view.id, one.block
            ));
        }
        let (Memory::Current(named) | Memory::Stale(named)) = &view.memory else {
            match view.lost_end {
                Some(_) => return Some(format!("where partition {} ends is not known", view.id)),
                None => continue,
            }
        };
        if Some(named.generation) > view.generation() {
            return Some(format!(
                "the cartridge's memory names a later index, of generation {}",
                named.generation
            ));
        }
    }
    (mounted.tree.head.generation != written_with).then(|| "its last index is not one of respool's".to_owned())
}
