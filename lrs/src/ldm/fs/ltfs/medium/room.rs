//! How much room a tape has, by the drive's word, less what must be left for the log and for the indexes: what is begun can
//! be ended, and committed on both partitions. An index partition is small, and full long before the tape of a medium with
//! very many small extents is.

use super::need::Need;
use super::volume::LtfsVolume;
use super::writing::Writing;
use crate::ldm::drive::PartitionRoom;
use crate::ldm::fs::Space;
use crate::ldm::fs::ltfs::volume::{Appender, PartitionView};
use crate::ldm::{MediaResult, Op};
use dss::model::ByteCount;

/// Left on each partition whatever else is: filemarks, short records, extents in more pieces than was thought, and the
/// drive's own rounding to 10^6 bytes.
const RESERVE: u64 = 4 << 20;

/// Never more than this part of a partition.
const RESERVE_PART: u64 = 64;

/// So often the next index must fit on the data partition: one that a crash tears is written once more behind itself.
const INDEXES: u64 = 2;

/// The head of an index, and that of its notes, in bytes.
const HEAD: u64 = 8 << 10;

/// The room as the drive told it last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    data: Part,
    index: Part,
    /// The data partition's end when it told.
    end: u64,
}

/// Of one partition, in bytes.
#[derive(Clone, Copy, Debug)]
struct Part {
    capacity: u64,
    remaining: u64,
}

impl Part {
    fn reserve(self) -> u64 {
        RESERVE.min(self.capacity / RESERVE_PART)
    }
}

/// What is to come on a tape, in bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Ahead {
    /// Of extents that were begun.
    promised: u64,
    /// Of the log.
    log: u64,
    /// Of the next index.
    index: u64,
    /// Of the notes before it.
    notes: u64,
    /// Of the index partition's construct, which the next one replaces.
    replaced: u64,
}

/// How many bytes of further extents surely fit: none where the next index does not.
fn free(data: Part, index: Part, ahead: Ahead) -> u64 {
    if index.remaining + ahead.replaced < ahead.index + index.reserve() {
        return 0;
    }
    let kept = ahead.promised + ahead.log + (ahead.index + ahead.notes) * INDEXES + data.reserve();
    data.remaining.saturating_sub(kept)
}

impl LtfsVolume {
    pub(super) fn ask_space(&mut self) -> MediaResult<Space> {
        let (capacity, estimate) = self.ask_estimate()?;
        Ok(Space {
            capacity,
            used: ByteCount(self.used),
            free: ByteCount(self.free(estimate, Need::USUAL)),
        })
    }

    fn ask_estimate(&mut self) -> MediaResult<(ByteCount, Estimate)> {
        self.present(Op::FreeSpace)?;
        let (on_data, on_index) = (self.mounted.labels.data, self.mounted.labels.index);
        let asked = self
            .deck
            .ask(Op::FreeSpace, |drive| Ok((drive.room(on_data)?, drive.room(on_index)?)));
        let (data, index) = self.heed(asked)?;
        // What is in the drive's buffer, or in memory here, it may not have counted.
        let ahead = self.appender.as_ref().map_or(0, |appender| appender.unsettled());
        let part = |room: PartitionRoom, ahead| Part {
            capacity: room.capacity.0,
            remaining: room.remaining.0.saturating_sub(ahead),
        };
        let estimate = Estimate {
            data: part(data, ahead),
            index: part(index, 0),
            end: self.end(),
        };
        self.estimate = Some(estimate);
        Ok((data.capacity, estimate))
    }

    /// What is free by an estimate, when one more extent is written that needs so much.
    fn free(&self, estimate: Estimate, more: Need) -> u64 {
        if self.full {
            return 0;
        }
        let open = || self.writing.values().map(Writing::need);
        let last = |view: &PartitionView| view.last.as_ref().map_or(0, |last| last.bytes);
        let next = last(&self.mounted.data).max(last(&self.mounted.index)) + HEAD;
        let news = self.unindexed + self.window.growth + open().map(|need| need.index).sum::<u64>() + more.index;
        let log = self.window.lines.len() as u64 + open().map(|need| need.line).sum::<u64>() + more.line;
        let ahead = Ahead {
            promised: self.writing.values().map(Writing::promised).sum(),
            log,
            index: next + news,
            notes: self.noted + self.window.noted + log + HEAD,
            replaced: last(&self.mounted.index),
        };
        // Every block since is taken for a full one, and one more is in memory.
        let since = match self.end() - estimate.end {
            0 => 0,
            blocks => (blocks + 1) * u64::from(self.mounted.labels.label.block_size),
        };
        let data = Part {
            remaining: estimate.data.remaining.saturating_sub(since),
            ..estimate.data
        };
        free(data, estimate.index, ahead)
    }

    /// Whether an extent surely fits. The drive is asked only when what it said last leaves a doubt, and its buffer is
    /// written out only when that could end it.
    pub(super) fn has_room(&mut self, bytes: ByteCount, need: Need) -> MediaResult<bool> {
        let fits = |volume: &Self, estimate| volume.free(estimate, need) >= bytes.0;
        if self.estimate.is_some_and(|estimate| fits(self, estimate)) {
            return Ok(true);
        }
        let (_, estimate) = self.ask_estimate()?;
        let ahead = self.appender.as_ref().is_some_and(Appender::is_ahead);
        if self.full || !ahead || fits(self, estimate) {
            return Ok(fits(self, estimate));
        }
        self.set_aside(Op::FreeSpace)?;
        let (_, estimate) = self.ask_estimate()?;
        Ok(fits(self, estimate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_free_where_an_index_would_not_fit() {
        let part = |remaining| Part {
            capacity: 640 << 10,
            remaining,
        };
        let reserve = part(0).reserve();
        assert_eq!(reserve, 10 << 10);
        let ahead = Ahead {
            promised: 1,
            log: 20,
            index: 300,
            notes: 40,
            replaced: 50,
        };
        assert_eq!(free(part(reserve + 1101), part(reserve + 250), ahead), 1101 - 701);
        assert_eq!(
            free(part(reserve + 1101), part(reserve + 249), ahead),
            0,
            "the index partition"
        );
        assert_eq!(
            free(part(reserve + 700), part(reserve + 250), ahead),
            0,
            "the data partition"
        );
    }
}
