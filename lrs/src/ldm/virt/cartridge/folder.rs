//! A cartridge in a folder, exactly as the file backend of the LTFS reference has it: that reads what this wrote, and the
//! other way round.
//!
//! A record is one file, made and written once. The end of data stands where the last flush left it until the next one:
//! whatever ends in between (this process, or the host) leaves a tape that ends there, and the files behind it are void. A
//! write before the end moves the end there first, and then takes the files away.

use super::card::Card;
use super::files::{fill, read_all, replace, unlink};
use super::label::{card_of, keep_card};
use super::map::{BlockKind, BlockMap};
use super::names::{
    Found, Letter, PARTITION_MAX, assemble, attribute_name, block_name, decode_attribute, encode_attribute,
    parse_attribute, parse_block,
};
use super::{Cartridge, CartridgeResult};

use crate::ldm::disk::{Disk, FileId, OsDisk, ROOT, Replace, Role};
use crate::ldm::drive::{Attribute, Position};
use crate::ldm::virt::technology::Technology;
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::path::Path;

/// So many records are open at most until the next flush; then they are written out, as a drive whose buffer is full
/// does. A process may have 1,024 files by default, and several drives.
const OPEN_MAX: usize = 256;

/// How far reading ahead goes, in records.
const AHEAD: u64 = 4;

/// No attribute is longer: 5 bytes of header and what 16 bits count.
const ATTRIBUTE_MAX: u64 = 5 + 65_535;

/// One partition's state.
#[derive(Debug, Default)]
struct Part {
    map: BlockMap,
    /// Where its E is; None: it has none.
    end: Option<u64>,
    /// Names behind the end that an earlier process left.
    void: Vec<String>,
    /// Names at blocks that cannot be read: empty files, and two at one block.
    odd: Vec<(u64, String)>,
}

/// A cartridge in a folder.
#[derive(Debug)]
pub struct FolderCartridge {
    disk: OsDisk,
    card: Card,
    parts: Vec<Part>,
    attributes: BTreeMap<(u8, u16), Attribute>,
    /// Records that are not known to be on the disk: partition, block, file.
    open: Vec<(u8, u64, FileId)>,
    dirty: bool,
    /// Records could not be made durable. The host says so once, and would call the next try a success: everything since the
    /// last flush is void until it is taken away.
    failed: bool,
    next_read: Position,
}

impl FolderCartridge {
    /// Makes a blank cartridge in an empty folder that exists.
    pub fn create(path: &Path, card: Card) -> CartridgeResult<()> {
        let mut disk = OsDisk::open(path)?.readable_by_all();
        let end = disk.create(&block_name(0, 0, Letter::End), &Role::Manifest)?;
        disk.close(end);
        keep_card(&mut disk, &card)
    }

    /// Says what a cartridge in a folder is, whatever the folder said.
    pub fn label(path: &Path, card: &Card) -> CartridgeResult<()> {
        keep_card(&mut OsDisk::open(path)?.readable_by_all(), card)
    }

    /// Opens a folder, whoever made it. `fallback` is taken where nothing in it says what it is.
    pub fn open(path: &Path, barcode: &str, fallback: Technology) -> CartridgeResult<Self> {
        let mut disk = OsDisk::open(path)?.readable_by_all();
        let (mut found, mut attributes) = ([Vec::new(), Vec::new()], BTreeMap::new());
        for entry in std::fs::read_dir(path).map_err(errno)? {
            let entry = entry.map_err(errno)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some((partition, block, letter)) = parse_block(&name) {
                let bytes = entry.metadata().map_err(errno)?.len();
                found[usize::from(partition)].push((block, letter, bytes));
            } else if let Some(place) = parse_attribute(&name) {
                // One that makes no sense is as good as none: a drive says that its memory has no such attribute.
                if let Some(attribute) = decode_attribute(&read_all(&mut disk, &name, ATTRIBUTE_MAX)?) {
                    attributes.insert(place, attribute);
                }
            }
        }
        let used = if found[1].is_empty() { 1 } else { 2 };
        let card = card_of(&mut disk, barcode, fallback, used)?;
        let parts = found
            .into_iter()
            .enumerate()
            .map(|(at, files)| part_of(at as u8, files));
        Ok(Self {
            parts: parts.collect(),
            disk,
            card,
            attributes,
            open: Vec::new(),
            dirty: false,
            failed: false,
            next_read: Position::at(0, 0),
        })
    }

    fn part(&self, partition: u8) -> &Part {
        &self.parts[usize::from(partition.min(PARTITION_MAX))]
    }

    fn part_mut(&mut self, partition: u8) -> &mut Part {
        &mut self.parts[usize::from(partition.min(PARTITION_MAX))]
    }

    /// Moves the end of data; makes it where there is none.
    fn move_end(&mut self, partition: u8, to: u64) -> CartridgeResult<()> {
        let name = block_name(partition, to, Letter::End);
        match self.part(partition).end {
            Some(end) if end == to => return Ok(()),
            Some(end) => self
                .disk
                .rename(&block_name(partition, end, Letter::End), &name, Replace::Yes)?,
            None => {
                let file = self.disk.create(&name, &Role::Manifest)?;
                self.disk.close(file);
            }
        }
        self.part_mut(partition).end = Some(to);
        self.dirty = true;
        Ok(())
    }

    /// Takes the files of the blocks from here on away, and what was void before. They are void first, so that one that
    /// cannot be taken away now stays so, and nothing is written before it is gone.
    fn discard(&mut self, partition: u8, from: u64) -> CartridgeResult<()> {
        let (disk, open) = (&mut self.disk, &mut self.open);
        open.retain(|(of, block, file)| {
            let stays = *of != partition || *block < from;
            if !stays {
                disk.close(*file);
            }
            stays
        });
        let part = &mut self.parts[usize::from(partition)];
        part.void.extend(
            part.odd
                .extract_if(.., |(block, _)| *block >= from)
                .map(|(_, name)| name),
        );
        for (first, count, kind) in part.map.runs(from) {
            let letter = match kind {
                BlockKind::Record(_) => Letter::Record,
                BlockKind::Filemark => Letter::Filemark,
                BlockKind::Unreadable => continue,
            };
            let blocks = first..first + count;
            part.void
                .extend(blocks.map(|block| block_name(partition, block, letter)));
        }
        part.map.cut(from);
        while let Some(name) = part.void.last() {
            unlink(disk, name)?;
            part.void.pop();
        }
        Ok(())
    }

    /// Makes a block the next one to be written.
    fn begin(&mut self, at: Position) -> CartridgeResult<()> {
        let part = self.part(at.partition.0);
        if at.block < part.map.end() || part.end.is_none() || !part.void.is_empty() {
            self.cut(at)?;
        }
        debug_assert_eq!(self.part(at.partition.0).map.end(), at.block);
        Ok(())
    }

    /// Makes the open records durable.
    fn write_out(&mut self) -> CartridgeResult<()> {
        let files: Vec<FileId> = self.open.iter().map(|(_, _, file)| *file).collect();
        if self.failed {
            return Err(Errno::EIO);
        }
        self.disk.sync_files(&files).inspect_err(|_| self.failed = true)?;
        for (_, _, file) in self.open.drain(..) {
            self.disk.close(file);
        }
        Ok(())
    }

    fn ends_moved(&self) -> bool {
        self.parts
            .iter()
            .any(|part| part.end.is_some_and(|end| end != part.map.end()))
    }

    /// Makes a file of a block. One may be in the way that could not be taken away when its record failed.
    fn make(&mut self, name: &str) -> CartridgeResult<FileId> {
        match self.disk.create(name, &Role::Manifest) {
            Err(Errno::EEXIST) => {
                self.disk.unlink(name, &Role::Manifest)?;
                self.disk.create(name, &Role::Manifest)
            }
            answer => answer,
        }
    }
}

impl Cartridge for FolderCartridge {
    fn card(&self) -> &Card {
        &self.card
    }

    fn map(&self, partition: u8) -> &BlockMap {
        &self.part(partition).map
    }

    fn end_known(&self, partition: u8) -> bool {
        self.part(partition).end.is_some()
    }

    fn durable_end(&self, partition: u8) -> u64 {
        let part = self.part(partition);
        part.end.unwrap_or(part.map.end())
    }

    fn read(&mut self, at: Position, buffer: &mut [u8]) -> CartridgeResult<()> {
        let Position { partition, block } = at;
        let file = self
            .disk
            .open(&block_name(partition.0, block, Letter::Record), &Role::Manifest)?;
        let filled = fill(&mut self.disk, file, buffer);
        self.disk.close(file);
        if at == self.next_read && matches!(self.map(partition.0).kind(block + AHEAD), Some(BlockKind::Record(_))) {
            self.disk
                .read_ahead(&block_name(partition.0, block + AHEAD, Letter::Record));
        }
        self.next_read = Position::at(partition.0, block + 1);
        filled
    }

    fn write(&mut self, at: Position, record: &[u8]) -> CartridgeResult<()> {
        let bytes = u32::try_from(record.len()).map_err(|_| Errno::EINVAL)?;
        self.begin(at)?;
        if self.open.len() >= OPEN_MAX {
            self.write_out()?;
        }
        let name = block_name(at.partition.0, at.block, Letter::Record);
        let file = self.make(&name)?;
        let written = self.disk.write_at(file, 0, record);
        if let Err(error) = written.and_then(|()| self.disk.write_back(file)) {
            self.disk.close(file);
            // What is left of it lies behind the end, and the next record there takes its place.
            let _ = self.disk.unlink(&name, &Role::Manifest);
            return Err(error);
        }
        self.open.push((at.partition.0, at.block, file));
        self.part_mut(at.partition.0).map.push(BlockKind::Record(bytes), 1);
        Ok(())
    }

    fn mark(&mut self, at: Position, count: u64) -> CartridgeResult<()> {
        self.begin(at)?;
        for block in at.block..at.block + count {
            let file = self.make(&block_name(at.partition.0, block, Letter::Filemark))?;
            self.disk.close(file);
            self.part_mut(at.partition.0).map.push(BlockKind::Filemark, 1);
        }
        Ok(())
    }

    fn cut(&mut self, at: Position) -> CartridgeResult<()> {
        let partition = at.partition.0;
        if self.part(partition).end.is_none_or(|end| end > at.block) {
            self.move_end(partition, at.block)?;
        }
        self.discard(partition, at.block)
    }

    fn flush(&mut self) -> CartridgeResult<()> {
        if !self.dirty && !self.failed && self.open.is_empty() && !self.ends_moved() {
            return Ok(());
        }
        self.write_out()?;
        self.disk.sync_dir(ROOT)?;
        if self.ends_moved() {
            for partition in 0..=PARTITION_MAX {
                if self.part(partition).end.is_some() {
                    self.move_end(partition, self.part(partition).map.end())?;
                }
            }
            self.disk.sync_dir(ROOT)?;
        }
        self.dirty = false;
        Ok(())
    }

    fn power_cut(&mut self) {
        for partition in 0..=PARTITION_MAX {
            let durable = self.durable_end(partition);
            // What cannot be taken away lies behind the end: it is void anyhow.
            let _ = self.discard(partition, durable);
        }
        self.failed = false;
    }

    fn attribute(&self, partition: u8, id: u16) -> Option<&Attribute> {
        self.attributes.get(&(partition, id))
    }

    fn attribute_ids(&self, partition: u8) -> Vec<u16> {
        let of_it = self.attributes.range((partition, 0)..=(partition, u16::MAX));
        of_it.map(|((_, id), _)| *id).collect()
    }

    fn set_attribute(&mut self, partition: u8, attribute: &Attribute) -> CartridgeResult<()> {
        let name = attribute_name(partition, attribute.id);
        if attribute.value.is_empty() {
            unlink(&mut self.disk, &name)?;
            self.attributes.remove(&(partition, attribute.id));
            return self.disk.sync_dir(ROOT);
        }
        replace(&mut self.disk, &name, &encode_attribute(attribute))?;
        self.attributes.insert((partition, attribute.id), attribute.clone());
        Ok(())
    }

    fn lay_out(&mut self, card: Card) -> CartridgeResult<()> {
        for partition in 0..=PARTITION_MAX {
            let (end, exists) = (self.part(partition).end, partition < card.partition_count());
            if exists || end.is_some() || self.part(partition).map.end() > 0 {
                self.cut(Position::at(partition, 0))?;
            }
            if !exists && self.part(partition).end.is_some() {
                unlink(&mut self.disk, &block_name(partition, 0, Letter::End))?;
                self.part_mut(partition).end = None;
            }
        }
        for id in self.attribute_ids(1).into_iter().filter(|_| card.partition_count() < 2) {
            unlink(&mut self.disk, &attribute_name(1, id))?;
            self.attributes.remove(&(1, id));
        }
        keep_card(&mut self.disk, &card)?;
        self.card = card;
        Ok(())
    }
}

fn part_of(partition: u8, files: Vec<Found>) -> Part {
    let names: Vec<(u64, Letter)> = files.iter().map(|file| (file.0, file.1)).collect();
    let (map, end) = assemble(files);
    let behind = |(block, letter): &(u64, Letter)| {
        end.is_some_and(|end| *block > end || *block == end && *letter != Letter::End)
    };
    let name = |(block, letter): &(u64, Letter)| block_name(partition, *block, *letter);
    let odd = names
        .iter()
        .filter(|(block, _)| map.kind(*block) == Some(BlockKind::Unreadable));
    Part {
        void: names.iter().filter(|name| behind(name)).map(name).collect(),
        odd: odd.map(|file| (file.0, name(file))).collect(),
        map,
        end,
    }
}

fn errno(error: std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

#[cfg(test)]
mod tests;
