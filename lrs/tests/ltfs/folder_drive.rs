//! A drive whose cartridge is a folder: one file for each record, filemark and attribute. It is as strict as the driver of
//! real ones: after a failure it must be sent to a place before it reads or writes.

use dss::model::ByteCount;
use lrs::ldm::drive::{
    Attribute, AttributeFormat, Cartridge, Drive, DriveError, DriveFault, DriveIdentity, DriveResult, Layout,
    Partition, PartitionRoom, Position, ReadOutcome, Tenure, WriteOutcome,
};
use lrs::ldm::scsi::Sense;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Record,
    Filemark,
    End,
}

impl Kind {
    fn letter(self) -> char {
        match self {
            Self::Record => 'R',
            Self::Filemark => 'F',
            Self::End => 'E',
        }
    }
}

/// The drive.
pub struct FolderDrive {
    identity: DriveIdentity,
    folder: PathBuf,
    blocks: [BTreeMap<u64, Kind>; 2],
    at: Position,
    /// Every command since it was sent to a place, or asked for one, did what it should.
    known: bool,
    tenure: Tenure,
    changed: bool,
    /// The tape is full at this block of partition 1.
    pub full_at: Option<u64>,
    /// The largest record that it takes.
    pub record_max: usize,
    /// Locates and spaces so far.
    pub moves: usize,
}

fn sense(key: u8, asc: u8, ascq: u8) -> DriveFault {
    DriveFault::Sense(Sense {
        key,
        asc,
        ascq,
        ..Sense::default()
    })
}

impl FolderDrive {
    /// Opens a folder as a cartridge.
    pub fn open(folder: &Path) -> Self {
        let mut blocks = [BTreeMap::new(), BTreeMap::new()];
        for entry in fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let parts: Vec<_> = name.split('_').collect();
            let kind = match parts.get(2) {
                Some(&"R") => Kind::Record,
                Some(&"F") => Kind::Filemark,
                Some(&"E") => Kind::End,
                _ => continue,
            };
            let partition: usize = parts[0].parse().unwrap();
            blocks[partition].insert(parts[1].parse().unwrap(), kind);
        }
        Self {
            identity: DriveIdentity {
                vendor: "FOLDER".to_owned(),
                product: "DRIVE".to_owned(),
                revision: "1".to_owned(),
                serial: "1".to_owned(),
            },
            folder: folder.to_owned(),
            blocks,
            at: Position::at(0, 0),
            known: false,
            tenure: Tenure::default(),
            changed: false,
            full_at: None,
            record_max: 1 << 20,
            moves: 0,
        }
    }

    fn error<T>(&mut self, doing: &str, fault: DriveFault) -> DriveResult<T> {
        // Behind a record that is too long the next one follows.
        self.known &= matches!(fault, DriveFault::TooLong { .. });
        Err(DriveError {
            device: "folder".to_owned(),
            doing: format!("{doing} at {}", self.at),
            fault,
        })
    }

    /// Another cartridge may be in it.
    pub fn lose(&mut self) {
        self.known = false;
        self.tenure = self.tenure.next();
    }

    /// Refuses what needs a known position.
    fn known(&mut self, doing: &str) -> DriveResult<()> {
        match self.known {
            true => Ok(()),
            false => self.error(doing, DriveFault::PositionUnknown),
        }
    }

    /// It was sent to a place.
    fn arrive(&mut self, at: Position) -> Position {
        (self.at, self.known) = (at, true);
        at
    }

    fn here(&self) -> &BTreeMap<u64, Kind> {
        &self.blocks[usize::from(self.at.partition.0)]
    }

    fn end(&self, partition: Partition) -> u64 {
        let blocks = &self.blocks[usize::from(partition.0)];
        blocks
            .iter()
            .find(|(_, kind)| **kind == Kind::End)
            .map_or(0, |(block, _)| *block)
    }

    fn path(&self, block: u64, kind: Kind) -> PathBuf {
        self.folder
            .join(format!("{}_{block}_{}", self.at.partition.0, kind.letter()))
    }

    /// The change reference grows once for each time the cartridge is used for writing.
    fn change(&mut self) {
        if !std::mem::replace(&mut self.changed, true) {
            let path = self.folder.join("attr_0_9");
            let old = fs::read(&path).map_or(0, |raw| u32::from_be_bytes(raw[5..9].try_into().unwrap()));
            let mut raw = vec![0, 9, 0, 0, 4];
            raw.extend((old + 1).to_be_bytes());
            fs::write(path, raw).unwrap();
        }
    }

    fn put(&mut self, kind: Kind, bytes: &[u8]) -> WriteOutcome {
        if self.at.partition == Partition(1) && self.full_at.is_some_and(|full| self.at.block >= full) {
            return WriteOutcome::EndOfMedium;
        }
        self.change();
        let partition = usize::from(self.at.partition.0);
        let gone: Vec<_> = self.blocks[partition].split_off(&self.at.block).into_iter().collect();
        for (block, kind) in gone {
            fs::remove_file(self.path(block, kind)).unwrap();
        }
        for (block, kind, bytes) in [(self.at.block, kind, bytes), (self.at.block + 1, Kind::End, &[][..])] {
            fs::write(self.path(block, kind), bytes).unwrap();
            self.blocks[partition].insert(block, kind);
        }
        self.at.block += 1;
        WriteOutcome::Taken
    }
}

impl Drive for FolderDrive {
    fn identity(&self) -> &DriveIdentity {
        &self.identity
    }

    fn record_max(&self) -> usize {
        self.record_max
    }

    fn take_up(&mut self) -> Tenure {
        self.lose();
        self.tenure
    }

    fn tenure(&self) -> Tenure {
        self.tenure
    }

    fn guard(&mut self) -> DriveResult<()> {
        Ok(())
    }

    fn load(&mut self) -> DriveResult<Cartridge> {
        self.known = true;
        Ok(Cartridge {
            density: 0x5a,
            medium_type: 0x68,
            write_protected: false,
            worm: false,
            serial: None,
            barcode: None,
            partitions: 2,
        })
    }

    fn unload(&mut self) -> DriveResult<()> {
        self.known = false;
        Ok(())
    }

    fn reserve(&mut self) -> DriveResult<()> {
        Ok(())
    }

    fn release(&mut self) -> DriveResult<()> {
        Ok(())
    }

    fn position(&mut self) -> DriveResult<Position> {
        Ok(self.at)
    }

    fn rewind(&mut self) -> DriveResult<()> {
        self.arrive(Position::at(0, 0));
        Ok(())
    }

    fn locate(&mut self, to: Position) -> DriveResult<()> {
        self.moves += 1;
        if to.partition.0 > 1 || to.block > self.end(to.partition) {
            return self.error("locate", sense(8, 0, 5));
        }
        self.arrive(to);
        Ok(())
    }

    fn locate_end(&mut self, partition: Partition) -> DriveResult<Position> {
        self.moves += 1;
        Ok(self.arrive(Position {
            partition,
            block: self.end(partition),
        }))
    }

    fn space_filemarks(&mut self, count: i64) -> DriveResult<Position> {
        assert_eq!(count, -1, "all that is asked of this drive");
        self.known("space")?;
        self.moves += 1;
        let mark = self
            .here()
            .range(..self.at.block)
            .rev()
            .find(|(_, kind)| **kind == Kind::Filemark);
        match mark.map(|(block, _)| *block) {
            Some(block) => self.at.block = block,
            None => return self.error("space", sense(0, 0, 4)),
        }
        Ok(self.at)
    }

    fn read(&mut self, buffer: &mut [u8]) -> DriveResult<ReadOutcome> {
        self.known("read")?;
        match self.here().get(&self.at.block) {
            Some(Kind::End) => Ok(ReadOutcome::EndOfData),
            Some(Kind::Filemark) => {
                self.at.block += 1;
                Ok(ReadOutcome::Filemark)
            }
            Some(Kind::Record) => {
                let bytes = fs::read(self.path(self.at.block, Kind::Record)).unwrap();
                let (found, most) = (bytes.len() as u64, buffer.len() as u64);
                if found > most {
                    buffer.fill(0);
                    self.at.block += 1;
                    return self.error("read", DriveFault::TooLong { found, most });
                }
                buffer[..bytes.len()].copy_from_slice(&bytes);
                self.at.block += 1;
                Ok(ReadOutcome::Record(bytes.len()))
            }
            None => {
                buffer.fill(0);
                self.error("read", sense(3, 0x11, 0))
            }
        }
    }

    fn write(&mut self, record: &[u8]) -> DriveResult<WriteOutcome> {
        assert!(!record.is_empty(), "a record of no bytes is none");
        assert!(record.len() <= self.record_max, "it takes no such record");
        self.known("write")?;
        Ok(self.put(Kind::Record, record))
    }

    fn write_filemarks(&mut self, count: u32) -> DriveResult<WriteOutcome> {
        self.known("write filemarks")?;
        let mut outcome = WriteOutcome::Taken;
        for _ in 0..count {
            outcome = self.put(Kind::Filemark, &[]);
        }
        Ok(outcome)
    }

    fn flush(&mut self) -> DriveResult<WriteOutcome> {
        self.known("flush")?;
        Ok(WriteOutcome::Taken)
    }

    fn allow_overwrite(&mut self, at: Position) -> DriveResult<()> {
        self.known("allow overwriting")?;
        assert_eq!(at, self.at);
        Ok(())
    }

    fn format(&mut self, layout: Layout) -> DriveResult<()> {
        assert_eq!(layout, Layout::IndexAndData);
        for entry in fs::read_dir(&self.folder).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap() != "attr_0_9" {
                fs::remove_file(path).unwrap();
            }
        }
        for partition in 0..2 {
            self.at = Position::at(partition, 0);
            fs::write(self.path(0, Kind::End), []).unwrap();
            self.blocks[usize::from(partition)] = BTreeMap::from([(0, Kind::End)]);
        }
        self.arrive(Position::at(0, 0));
        self.change();
        Ok(())
    }

    fn attribute(&mut self, partition: Partition, id: u16) -> DriveResult<Option<Attribute>> {
        let Ok(raw) = fs::read(self.folder.join(format!("attr_{}_{id:x}", partition.0))) else {
            return Ok(None);
        };
        let format = match raw[2] & 3 {
            0 => AttributeFormat::Binary,
            1 => AttributeFormat::Ascii,
            _ => AttributeFormat::Text,
        };
        let value = raw[5..].to_vec();
        Ok(Some(Attribute { id, format, value }))
    }

    fn set_attribute(&mut self, partition: Partition, attribute: &Attribute) -> DriveResult<()> {
        let path = self.folder.join(format!("attr_{}_{:x}", partition.0, attribute.id));
        if attribute.value.is_empty() {
            let _ = fs::remove_file(path);
            return Ok(());
        }
        let mut raw = attribute.id.to_be_bytes().to_vec();
        raw.push(match attribute.format {
            AttributeFormat::Binary => 0,
            AttributeFormat::Ascii => 1,
            AttributeFormat::Text => 2,
        });
        raw.extend(u16::try_from(attribute.value.len()).unwrap().to_be_bytes());
        raw.extend(&attribute.value);
        fs::write(path, raw).unwrap();
        Ok(())
    }

    fn room(&mut self, _partition: Partition) -> DriveResult<PartitionRoom> {
        let capacity = ByteCount(1 << 30);
        Ok(PartitionRoom {
            capacity,
            remaining: capacity,
        })
    }
}
