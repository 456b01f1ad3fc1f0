//! How much room a tape has, by the drive's word, less what must be left for the log and the indexes.

use super::volume::LtfsVolume;
use super::writing::Writing;
use crate::ldm::fs::Space;
use crate::ldm::{MediaResult, Op};
use dss::model::ByteCount;

/// Left for indexes whatever their size: records of lines, two constructs, and the drive's own rounding to 10^6 bytes.
const RESERVE: u64 = 4 << 20;

/// Never more than this part of a tape.
const RESERVE_PART: u64 = 64;

/// An index is committed with what was written since: until it has grown to this many times its size it surely fits.
const GROWTH: u64 = 3;

/// What an extent adds to an index at most, besides its metadata: file, extent and attribute, in bytes.
const ENTRY: u64 = 2048;

/// The room as the drive told it last, and what was written since.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    remaining: u64,
    used: u64,
}

impl LtfsVolume {
    pub(super) fn ask_space(&mut self) -> MediaResult<Space> {
        self.present(Op::FreeSpace)?;
        let partition = self.mounted.labels.data;
        let asked = self.deck.ask(Op::FreeSpace, |drive| drive.room(partition));
        let room = self.heed(asked)?;
        // What is only in memory yet is of no record that the drive could have counted.
        let waiting = self.appender.as_ref().map_or(0, |appender| appender.waiting() as u64);
        let remaining = room.remaining.0.saturating_sub(waiting);
        self.estimate = Some(Estimate {
            remaining,
            used: self.used,
        });
        Ok(Space {
            capacity: room.capacity,
            used: ByteCount(self.used),
            free: ByteCount(self.free(remaining, room.capacity.0)),
        })
    }

    fn free(&self, remaining: u64, capacity: u64) -> u64 {
        if self.full {
            return 0;
        }
        let promised: u64 = self.writing.values().map(Writing::promised).sum();
        let last = self.mounted.data.last.as_ref().map_or(0, |last| last.bytes);
        let news = self.window.lines.len() as u64 + self.window.changes.len() as u64 * ENTRY;
        let indexes = last * GROWTH + news * 2 + (RESERVE.min(capacity / RESERVE_PART));
        remaining.saturating_sub(promised).saturating_sub(indexes)
    }

    /// Whether so many bytes surely fit. The drive is asked only when what it said last leaves a doubt.
    pub(super) fn has_room(&mut self, bytes: ByteCount) -> MediaResult<bool> {
        if let Some(estimate) = self.estimate {
            let left = estimate.remaining.saturating_sub(self.used - estimate.used);
            // Half of it: what the log and short records took since is not counted here.
            if self.free(left / 2, u64::MAX) >= bytes.0 {
                return Ok(true);
            }
        }
        Ok(self.ask_space()?.free >= bytes)
    }
}
