//! What may be done with a volume as it was found, from its state and its log. Pure.

use super::log::Log;
use super::tag::Stamped;
use crate::ldm::fs::ltfs::volume::{Mounted, State};

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
pub(super) fn judge(mounted: &Mounted, log: &Log, stamped: Option<&Stamped>, least_end: u64) -> Condition {
    if let Some(words) = [&mounted.data, &mounted.index]
        .into_iter()
        .find_map(|view| view.lost_end.as_ref())
    {
        return Condition::Damaged(format!("an end of data is lost: {words}"));
    }
    if let Some(damage) = &log.damage {
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
    let resembling = [&mounted.data, &mounted.index]
        .into_iter()
        .flat_map(|view| view.unproven.iter().map(move |unproven| (view.id, unproven)))
        .find(|(_, unproven)| unproven.resembles);
    if let Some((id, unproven)) = resembling {
        return Condition::Damaged(format!("the index at {id}:{}: {}", unproven.block, unproven.why));
    }
    // An index of the index partition that is newer, or none of the data partition's line, is not ours.
    let on_index = mounted.index.last.as_ref().map(|last| &last.head);
    let astray = on_index
        .is_some_and(|head| head.generation >= on_data.head.generation && head.previous != Some(on_data.head.location));
    if astray {
        return Condition::Damaged("the indexes of both partitions do not belong together".to_owned());
    }
    let written_with = stamped.map_or(FIRST, |stamped| stamped.index);
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

/// Generation of a format's index, which has no stamp.
const FIRST: u64 = 1;
