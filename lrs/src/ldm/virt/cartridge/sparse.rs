//! A cartridge that holds numbers instead of bytes, for planning and simulating tapes that no disk holds. Synthetic records
//! are made from a seed whenever they are read; a record that is written is looked at, and kept as its seed where it is
//! one of those. Any other record is kept whole.

use super::card::Card;
use super::map::{BlockKind, BlockMap};
use super::{Cartridge, CartridgeResult};
use crate::ldm::drive::{Attribute, Position};
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Content of blocks from a first one on.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    /// So many synthetic records, the first of this seed, each next one of the next seed.
    Synthetic { count: u64, seed: u64 },
    /// One record as it was written. Copies of a cartridge share it.
    Whole(Arc<[u8]>),
}

#[derive(Clone, Debug, Default)]
struct Part {
    map: BlockMap,
    durable: u64,
    content: BTreeMap<u64, Content>,
}

/// A cartridge in memory.
#[derive(Clone, Debug)]
pub struct SparseCartridge {
    card: Card,
    parts: Vec<Part>,
    none: BlockMap,
    attributes: BTreeMap<(u8, u16), Attribute>,
}

impl SparseCartridge {
    /// A blank cartridge.
    pub fn new(card: Card) -> Self {
        let parts = card.partitions.iter().map(|_| Part::default()).collect();
        Self {
            card,
            parts,
            none: BlockMap::default(),
            attributes: BTreeMap::new(),
        }
    }

    /// Appends so many synthetic records of so many bytes each, durably; their seeds count up from this one. `ENXIO`: it has
    /// no such partition.
    pub fn append_synthetic(&mut self, partition: u8, count: u64, bytes: u32, seed: u64) -> CartridgeResult<()> {
        let part = self.part_mut(partition)?;
        let first = part.map.end();
        part.map.push(BlockKind::Record(bytes), count);
        part.durable = part.map.end();
        part.put(first, Content::Synthetic { count, seed });
        Ok(())
    }

    fn part(&self, partition: u8) -> Option<&Part> {
        self.parts.get(usize::from(partition))
    }

    fn part_mut(&mut self, partition: u8) -> CartridgeResult<&mut Part> {
        self.parts.get_mut(usize::from(partition)).ok_or(Errno::ENXIO)
    }
}

impl Part {
    /// Adds content, joined to what it continues.
    fn put(&mut self, first: u64, content: Content) {
        if let (
            Content::Synthetic {
                count: more,
                seed: next,
            },
            Some((start, Content::Synthetic { count, seed })),
        ) = (&content, self.content.range_mut(..first).next_back())
            && *start + *count == first
            && seed.wrapping_add(*count) == *next
        {
            *count += *more;
            return;
        }
        self.content.insert(first, content);
    }

    fn cut(&mut self, block: u64) {
        self.map.cut(block);
        self.durable = self.durable.min(block);
        self.content.split_off(&block);
        if let Some((first, Content::Synthetic { count, .. })) = self.content.range_mut(..block).next_back() {
            *count = (*count).min(block - first);
        }
    }
}

impl Cartridge for SparseCartridge {
    fn card(&self) -> &Card {
        &self.card
    }

    fn map(&self, partition: u8) -> &BlockMap {
        self.part(partition).map_or(&self.none, |part| &part.map)
    }

    fn end_known(&self, _partition: u8) -> bool {
        true
    }

    fn durable_end(&self, partition: u8) -> u64 {
        self.part(partition).map_or(0, |part| part.durable)
    }

    fn read(&mut self, at: Position, buffer: &mut [u8]) -> CartridgeResult<()> {
        let part = self.part_mut(at.partition.0)?;
        match part.content.range(..=at.block).next_back() {
            Some((first, Content::Synthetic { count, seed })) if at.block - first < *count => {
                synthesise(seed.wrapping_add(at.block - first), buffer);
            }
            Some((first, Content::Whole(bytes))) if *first == at.block => {
                buffer.copy_from_slice(bytes.get(..buffer.len()).ok_or(Errno::EIO)?);
            }
            _ => return Err(Errno::EIO),
        }
        Ok(())
    }

    fn write(&mut self, at: Position, record: &[u8]) -> CartridgeResult<()> {
        let bytes = u32::try_from(record.len()).map_err(|_| Errno::EINVAL)?;
        let part = self.part_mut(at.partition.0)?;
        part.cut(at.block);
        part.map.push(BlockKind::Record(bytes), 1);
        let content = match seed_of(record) {
            Some(seed) => Content::Synthetic { count: 1, seed },
            None => Content::Whole(record.into()),
        };
        part.put(at.block, content);
        Ok(())
    }

    fn mark(&mut self, at: Position, count: u64) -> CartridgeResult<()> {
        let part = self.part_mut(at.partition.0)?;
        part.cut(at.block);
        part.map.push(BlockKind::Filemark, count);
        Ok(())
    }

    fn cut(&mut self, at: Position) -> CartridgeResult<()> {
        self.part_mut(at.partition.0)?.cut(at.block);
        Ok(())
    }

    fn flush(&mut self) -> CartridgeResult<()> {
        for part in &mut self.parts {
            part.durable = part.map.end();
        }
        Ok(())
    }

    fn come_down(&mut self, blocks: u64) {
        for part in &mut self.parts {
            part.durable = part.map.end().min(part.durable + blocks);
        }
    }

    fn copy(&self) -> Option<Box<dyn Cartridge>> {
        Some(Box::new(self.clone()))
    }

    fn power_cut(&mut self) {
        for part in &mut self.parts {
            part.cut(part.durable);
        }
    }

    fn attribute(&self, partition: u8, id: u16) -> Option<&Attribute> {
        self.attributes.get(&(partition, id))
    }

    fn attribute_ids(&self, partition: u8) -> Vec<u16> {
        let of_it = self.attributes.range((partition, 0)..=(partition, u16::MAX));
        of_it.map(|((_, id), _)| *id).collect()
    }

    fn set_attribute(&mut self, partition: u8, attribute: &Attribute) -> CartridgeResult<()> {
        match attribute.value.is_empty() {
            true => self.attributes.remove(&(partition, attribute.id)),
            false => self.attributes.insert((partition, attribute.id), attribute.clone()),
        };
        Ok(())
    }

    fn lay_out(&mut self, card: Card) -> CartridgeResult<()> {
        let attributes = std::mem::take(&mut self.attributes);
        *self = Self::new(card);
        let count = self.card.partition_count();
        self.attributes = attributes.into_iter().filter(|((of, _), _)| *of < count).collect();
        Ok(())
    }
}

/// Fills a record of this seed, from its beginning: the seed, then numbers that follow from it (SplitMix64; Steele, Lea
/// and Flood 2014).
pub(super) fn synthesise(seed: u64, buffer: &mut [u8]) {
    let mut state = seed;
    let mut pieces = buffer.chunks_mut(8);
    if let Some(first) = pieces.next() {
        first.copy_from_slice(&seed.to_be_bytes()[..first.len()]);
    }
    for piece in pieces {
        piece.copy_from_slice(&next(&mut state).to_be_bytes()[..piece.len()]);
    }
}

/// The seed of a record, if it is a synthetic one.
fn seed_of(record: &[u8]) -> Option<u64> {
    let (head, rest) = record.split_first_chunk()?;
    let seed = u64::from_be_bytes(*head);
    let mut state = seed;
    let same = rest
        .chunks(8)
        .all(|piece| *piece == next(&mut state).to_be_bytes()[..piece.len()]);
    (same && !rest.is_empty()).then_some(seed)
}

fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldm::virt::technology::Technology;

    #[test]
    fn a_full_tape_is_a_few_numbers_and_its_copy_too() {
        let card = Card::blank("BIG001L9", Technology::Lto9);
        let mut source = SparseCartridge::new(card.clone());
        let records = card.capacity >> 20;
        source.append_synthetic(0, records, 1 << 20, 7).unwrap();
        assert_eq!(source.map(0).bytes(), records << 20);
        let mut copy = SparseCartridge::new(card);
        let mut record = vec![0; 1 << 20];
        for block in 0..4 {
            source.read(Position::at(0, 1000 + block), &mut record).unwrap();
            copy.write(Position::at(0, block), &record).unwrap();
        }
        assert_eq!(copy.parts[0].content.len(), 1);
        let mut again = vec![0; 1 << 20];
        copy.read(Position::at(0, 3), &mut again).unwrap();
        assert_eq!(record, again);
    }

    #[test]
    fn what_was_not_flushed_is_gone_after_a_power_cut() {
        let mut tape = SparseCartridge::new(Card::blank("A", Technology::Lto9));
        tape.write(Position::at(0, 0), b"kept").unwrap();
        tape.flush().unwrap();
        tape.write(Position::at(0, 1), b"lost").unwrap();
        tape.power_cut();
        assert_eq!(tape.map(0).end(), 1);
        let mut record = [0; 4];
        tape.read(Position::at(0, 0), &mut record).unwrap();
        assert_eq!(&record, b"kept");
    }

    #[test]
    fn a_part_of_the_buffer_may_have_come_down_and_only_its_beginning() {
        let mut tape = SparseCartridge::new(Card::blank("A", Technology::Lto9));
        for block in 0..4 {
            tape.write(Position::at(0, block), b"record").unwrap();
        }
        let mut copy = tape.copy().unwrap();
        copy.come_down(3);
        copy.power_cut();
        assert_eq!((copy.map(0).end(), tape.map(0).end()), (3, 4), "a copy is another tape");
        tape.come_down(9);
        tape.power_cut();
        assert_eq!(tape.map(0).end(), 4);
    }
}
