//! Where the tape stands, and how it gets elsewhere (SSC-5: LOCATE 6.2, READ POSITION 6.5, REWIND 6.9, SPACE 6.10). Every
//! way writes the buffer out first.

use super::Drive;
use crate::ldm::Op;
use crate::ldm::drive::Position;
use crate::ldm::scsi::Transfer;
use crate::ldm::virt::bytes::{give, number};
use crate::ldm::virt::cartridge::BlockMap;
use crate::ldm::virt::sense::{Answered, Check, Say};
use crate::ldm::virt::timing::seconds;

/// What LOCATE(16) looks for (SSC-5, table 31).
const OBJECT: u8 = 0;
const FILE: u8 = 1;
const END_OF_DATA: u8 = 3;

/// What SPACE counts (SSC-5, table 68).
const BLOCKS: u8 = 0;
const FILEMARKS: u8 = 1;
const TO_END_OF_DATA: u8 = 3;

impl Drive {
    pub(super) fn rewind(&mut self) -> Answered {
        self.settle_buffer()?;
        self.rewind_time();
        self.position = Position::at(0, 0);
        Ok(0)
    }

    pub(super) fn rewind_time(&mut self) {
        let time = self
            .geometry()
            .and_then(|geometry| Some(geometry.rewind(self.place(&geometry, self.position)?)));
        self.clock.spend(seconds(time.unwrap_or(0.0)));
        self.streaming = false;
    }

    pub(super) fn locate_10(&mut self, cdb: &[u8]) -> Answered {
        let partition = if cdb[1] & 2 == 2 { cdb[8] } else { self.partition() };
        self.locate(partition, OBJECT, number(&cdb[3..7]))
    }

    pub(super) fn locate_16(&mut self, cdb: &[u8]) -> Answered {
        let partition = if cdb[1] & 2 == 2 { cdb[3] } else { self.partition() };
        self.locate(partition, cdb[1] >> 3 & 7, number(&cdb[4..12]))
    }

    fn locate(&mut self, partition: u8, what: u8, number: u64) -> Answered {
        let barcode = self.barcode();
        let cartridge = self.cartridge()?;
        if partition >= cartridge.card().partition_count() {
            return Err(Say::BAD_FIELD.into());
        }
        self.settle_buffer()?;
        let block = matches!(what, OBJECT).then_some(number);
        self.faults.strike(Op::Locate, barcode.as_deref(), block)?;
        let cartridge = self.cartridge()?;
        let (map, known) = (cartridge.map(partition), cartridge.end_known(partition));
        let beyond = if known { Say::END_OF_DATA } else { Say::END_NOT_FOUND };
        let found = match what {
            OBJECT if number <= map.end() => Ok(number),
            FILE if number == 0 => Ok(0),
            FILE => map.mark(number - 1).map(|mark| mark + 1).ok_or(beyond),
            END_OF_DATA if known => Ok(map.end()),
            OBJECT | END_OF_DATA => Err(beyond),
            _ => return Err(Say::BAD_FIELD.into()),
        };
        let end = map.end();
        self.travel(Position::at(partition, found.unwrap_or(end)));
        found.map(|_| 0).map_err(Check::from)
    }

    /// SPACE, of either length. The information field tells what is left.
    pub(super) fn space(&mut self, what: u8, count: i64) -> Answered {
        self.settle_buffer()?;
        let barcode = self.barcode();
        self.faults.strike(Op::Locate, barcode.as_deref(), None)?;
        let at = self.position;
        let cartridge = self.cartridge()?;
        let known = cartridge.end_known(at.partition.0);
        let map = cartridge.map(at.partition.0);
        let (block, stop) = match what {
            BLOCKS => over_blocks(map, at.block, count),
            FILEMARKS => over_filemarks(map, at.block, count),
            TO_END_OF_DATA => (map.end(), (!known).then_some((Say::END_OF_DATA, 0))),
            _ => return Err(Say::BAD_FIELD.into()),
        };
        self.travel(Position::at(at.partition.0, block));
        match stop {
            None => Ok(0),
            Some((say, left)) if say == Say::END_OF_DATA && !known => Err(Say::END_NOT_FOUND.about(left).into()),
            Some((say, left)) => Err(say.about(left).into()),
        }
    }

    pub(super) fn read_position(&mut self, cdb: &[u8], transfer: &mut Transfer<'_>) -> Answered {
        let at = self.position;
        let buffered = self.buffered();
        let cartridge = self.cartridge()?;
        let map = cartridge.map(at.partition.0);
        let (size, reserve) = (
            cartridge.card().partition_size(at.partition.0),
            cartridge.card().reserve(at.partition.0),
        );
        let warned = map.bytes_before(at.block) > size - reserve;
        // Beginning of partition, and early warning passed.
        let flags = u8::from(at.block == 0) << 7 | u8::from(warned) << 6;
        let on_tape = at.block - buffered.min(at.block);
        let waiting = map.bytes_before(at.block) - map.bytes_before(on_tape);
        let wide = |number: u64| number.to_be_bytes();
        let answer = match cdb[1] & 0x1f {
            0 | 1 => {
                let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
                // Locations that 32 bits do not hold are not told.
                let lost = u8::from(at.block > u64::from(u32::MAX)) << 2;
                let head = [flags | lost, at.partition.0, 0, 0];
                [
                    head,
                    narrow(at.block),
                    narrow(on_tape),
                    narrow(at.block - on_tape),
                    narrow(waiting),
                ]
                .concat()
            }
            6 => {
                let head = [flags, 0, 0, 0, 0, 0, 0, at.partition.0];
                [head, wide(at.block), wide(map.marks_before(at.block)), wide(0)].concat()
            }
            8 => {
                let count = (at.block - on_tape) as u8;
                let head = [flags, at.partition.0, 0, 0x1c, 0, 0, 0, count];
                [head, wide(at.block), wide(on_tape), wide(waiting)].concat()
            }
            _ => return Err(Say::BAD_FIELD.into()),
        };
        give(transfer, u64::MAX, &answer)
    }
}

/// Where spacing over blocks ends, and why it ends early with how many left: a filemark, an end of data, a beginning.
fn over_blocks(map: &BlockMap, from: u64, count: i64) -> (u64, Option<(Say, i64)>) {
    let steps = count.unsigned_abs();
    if count >= 0 {
        let end = map.end();
        let mark = map.mark(map.marks_before(from)).unwrap_or(u64::MAX);
        let free = mark.min(end).saturating_sub(from);
        match (steps <= free, mark < end) {
            (true, _) => (from + steps, None),
            (false, true) => (mark + 1, Some((Say::FILEMARK, (steps - free).cast_signed()))),
            (false, false) => (end.max(from), Some((Say::END_OF_DATA, (steps - free).cast_signed()))),
        }
    } else {
        let mark = map
            .marks_before(from)
            .checked_sub(1)
            .and_then(|number| map.mark(number));
        let free = from - mark.map_or(0, |mark| mark + 1);
        match (steps <= free, mark) {
            (true, _) => (from - steps, None),
            (false, Some(mark)) => (mark, Some((Say::FILEMARK, (steps - free).cast_signed()))),
            (false, None) => (0, Some((Say::BEGINNING, (steps - free).cast_signed()))),
        }
    }
}

/// The same over filemarks: forwards it ends behind the last of them, backwards before it.
fn over_filemarks(map: &BlockMap, from: u64, count: i64) -> (u64, Option<(Say, i64)>) {
    let (steps, before) = (count.unsigned_abs(), map.marks_before(from));
    if steps == 0 {
        return (from, None);
    }
    if count > 0 {
        let there = map.marks() - before;
        match before.checked_add(steps - 1).and_then(|last| map.mark(last)) {
            Some(mark) => (mark + 1, None),
            None => (map.end(), Some((Say::END_OF_DATA, (steps - there).cast_signed()))),
        }
    } else {
        match before.checked_sub(steps).and_then(|first| map.mark(first)) {
            Some(mark) => (mark, None),
            None => (0, Some((Say::BEGINNING, (steps - before).cast_signed()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldm::virt::cartridge::BlockKind;

    /// R F R R F F, and the end at 6.
    fn map() -> BlockMap {
        let mut map = BlockMap::default();
        map.push(BlockKind::Record(8), 1);
        map.push(BlockKind::Filemark, 1);
        map.push(BlockKind::Record(8), 2);
        map.push(BlockKind::Filemark, 2);
        map
    }

    #[test]
    fn spacing_over_blocks_stops_at_filemarks_and_at_both_ends() {
        let map = map();
        assert_eq!(over_blocks(&map, 2, 2), (4, None));
        assert_eq!(over_blocks(&map, 2, 5), (5, Some((Say::FILEMARK, 3))));
        assert_eq!(over_blocks(&map, 6, 1), (6, Some((Say::END_OF_DATA, 1))));
        assert_eq!(over_blocks(&map, 4, -2), (2, None));
        assert_eq!(over_blocks(&map, 4, -3), (1, Some((Say::FILEMARK, 1))));
        assert_eq!(over_blocks(&map, 1, -4), (0, Some((Say::BEGINNING, 3))));
    }

    #[test]
    fn spacing_over_filemarks_ends_behind_them_or_before_them() {
        let map = map();
        assert_eq!(over_filemarks(&map, 0, 1), (2, None));
        assert_eq!(over_filemarks(&map, 0, 3), (6, None));
        assert_eq!(over_filemarks(&map, 0, 4), (6, Some((Say::END_OF_DATA, 1))));
        assert_eq!(over_filemarks(&map, 6, -2), (4, None));
        assert_eq!(over_filemarks(&map, 6, -4), (0, Some((Say::BEGINNING, 1))));
        assert_eq!(over_filemarks(&map, 3, 0), (3, None));
    }
}
