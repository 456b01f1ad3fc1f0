//! In which state a volume was left, from what was found at the ends of both partitions.

use super::PartitionView;
use std::fmt;

/// The state of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Both partitions end in the same generation.
    Clean,
    /// Clean as well: the last generation changed no data, and is on the index partition alone.
    IndexPartitionNewer,
    /// The writer stopped between both indexes: the data partition's counts, and must be brought to the index partition
    /// before anything else is written.
    DataPartitionNewer,
    /// Records follow the last index. Nothing names them; whatever is written next goes behind them.
    Tail,
    /// A partition has no index that can be proved, or no end that can be found, or the last one is damaged, or the back pointer leads elsewhere. What
    /// lies behind the last proved index may be data of the other partition's index.
    Incomplete,
}

impl State {
    /// Whether new files may be appended without a recovery.
    pub fn is_clean(self) -> bool {
        match self {
            Self::Clean | Self::IndexPartitionNewer => true,
            Self::DataPartitionNewer | Self::Tail | Self::Incomplete => false,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clean => "clean",
            Self::IndexPartitionNewer => "clean, its last generation on the index partition alone",
            Self::DataPartitionNewer => "not closed: the data partition's index is newer",
            Self::Tail => "not closed: records follow the last index",
            Self::Incomplete => "incomplete: a partition has no index at its end that can be proved",
        })
    }
}

/// Judges what was found.
pub fn judge(index: &PartitionView, data: &PartitionView) -> State {
    let (Some(on_index), Some(on_data)) = (&index.last, &data.last) else {
        return State::Incomplete;
    };
    let damaged =
        |view: &PartitionView| view.lost_end.is_some() || view.unproven.iter().any(|unproven| unproven.resembles);
    if damaged(index) || damaged(data) {
        return State::Incomplete;
    }
    let older = on_index.head.generation < on_data.head.generation;
    let elsewhere = on_index.head.previous != Some(on_data.head.location);
    if !older && elsewhere {
        return State::Incomplete;
    }
    if !data.is_complete() || !index.is_complete() {
        return State::Tail;
    }
    if older {
        State::DataPartitionNewer
    } else if on_index.head.generation == on_data.head.generation {
        State::Clean
    } else {
        State::IndexPartitionNewer
    }
}
