//! A folder as a cartridge in a drive of a certain size that can be made to fail, and media on it for the suite.

use crate::folder_drive::FolderDrive;
use crate::volume::{Deletion, Maker, Measure, Nature, Remnant};
use dss::model::{ByteCount, CatalogueId, Generation, MediumId, Revision};
use lrs::ldm::MediaResult;
use lrs::ldm::drive::{
    Attribute, Cartridge, Drive, DriveError, DriveFault, DriveIdentity, DriveResult, Layout, Partition, PartitionRoom,
    Position, ReadOutcome, Tenure, WriteOutcome,
};
use lrs::ldm::fs::ltfs::medium::{Erasing, Expected, FORMAT, Shape, SharedDrive, format, mount};
use lrs::ldm::fs::{Label, Volume};
use lrs::ldm::scsi::Sense;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What goes wrong.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Early warning from this block of partition 1 on.
    pub warn_from: Option<u64>,
    /// Flushes until one fails.
    pub flushes: Option<usize>,
    /// Records written to partition 0 until one fails.
    pub index_writes: Option<usize>,
    /// Everything fails with this sense.
    pub all: Option<(u8, u8, u8)>,
    /// The end of this partition is not found, with this sense key.
    pub lost_end: Option<(Partition, u8)>,
    /// The movement of this number fails with this sense, and no other one.
    pub glitch: Option<(usize, (u8, u8, u8))>,
}

pub struct Rigged {
    inner: FolderDrive,
    folder: PathBuf,
    capacity: u64,
    at: Partition,
    pub plan: Plan,
}

/// Counts down to the one that fails.
fn is_due(left: &mut Option<usize>) -> bool {
    match left {
        None => false,
        Some(0) => true,
        Some(more) => {
            *more -= 1;
            false
        }
    }
}

impl Rigged {
    pub fn open(folder: &Path, capacity: u64) -> Self {
        Self {
            inner: FolderDrive::open(folder),
            folder: folder.to_owned(),
            capacity,
            at: Partition(0),
            plan: Plan::default(),
        }
    }

    fn sense<T>(&mut self, doing: &str, (key, asc, ascq): (u8, u8, u8)) -> DriveResult<T> {
        let sense = Sense {
            key,
            asc,
            ascq,
            ..Sense::default()
        };
        let fault = match key {
            6 => {
                self.inner.lose();
                DriveFault::PositionLost(sense)
            }
            _ => DriveFault::Sense(sense),
        };
        Err(DriveError {
            device: "rigged".to_owned(),
            doing: doing.to_owned(),
            fault,
        })
    }

    fn works(&mut self, doing: &str) -> DriveResult<()> {
        if doing == "locate"
            && let Some((number, sense)) = self.plan.glitch.take()
        {
            if number == 0 {
                return self.sense(doing, sense);
            }
            self.plan.glitch = Some((number - 1, sense));
        }
        match self.plan.all {
            None => Ok(()),
            Some(sense) => self.sense(doing, sense),
        }
    }

    fn warned(&mut self, outcome: WriteOutcome) -> DriveResult<WriteOutcome> {
        let position = self.inner.position()?;
        let warns = position.partition == Partition(1)
            && self.plan.warn_from.is_some_and(|from| position.block >= from)
            && outcome == WriteOutcome::Taken;
        Ok(if warns { WriteOutcome::EarlyWarning } else { outcome })
    }
}

impl Drive for Rigged {
    fn identity(&self) -> &DriveIdentity {
        self.inner.identity()
    }

    fn record_max(&self) -> usize {
        self.inner.record_max()
    }

    fn take_up(&mut self) -> Tenure {
        self.inner.take_up()
    }

    fn tenure(&self) -> Tenure {
        self.inner.tenure()
    }

    fn guard(&mut self) -> DriveResult<()> {
        self.inner.guard()
    }

    fn load(&mut self) -> DriveResult<Cartridge> {
        self.inner.load()
    }

    fn unload(&mut self) -> DriveResult<()> {
        self.inner.unload()
    }

    fn reserve(&mut self) -> DriveResult<()> {
        self.inner.reserve()
    }

    fn release(&mut self) -> DriveResult<()> {
        self.inner.release()
    }

    fn position(&mut self) -> DriveResult<Position> {
        self.works("position")?;
        self.inner.position()
    }

    fn rewind(&mut self) -> DriveResult<()> {
        self.inner.rewind()
    }

    fn locate(&mut self, to: Position) -> DriveResult<()> {
        self.works("locate")?;
        self.at = to.partition;
        self.inner.locate(to)
    }

    fn locate_end(&mut self, partition: Partition) -> DriveResult<Position> {
        self.works("locate")?;
        self.at = partition;
        match self.plan.lost_end {
            Some((lost, key)) if lost == partition => {
                // It is not known any more where it stands.
                self.inner.locate_end(partition)?;
                self.sense("locate", (key, 0x14, 3))
            }
            _ => self.inner.locate_end(partition),
        }
    }

    fn space_filemarks(&mut self, count: i64) -> DriveResult<Position> {
        self.works("space")?;
        self.inner.space_filemarks(count)
    }

    fn read(&mut self, buffer: &mut [u8]) -> DriveResult<ReadOutcome> {
        self.works("read")?;
        self.inner.read(buffer)
    }

    fn write(&mut self, record: &[u8]) -> DriveResult<WriteOutcome> {
        self.works("write")?;
        if self.at == Partition(0) && is_due(&mut self.plan.index_writes) {
            return self.sense("write", (3, 0x0c, 0));
        }
        let outcome = self.inner.write(record)?;
        self.warned(outcome)
    }

    fn write_filemarks(&mut self, count: u32) -> DriveResult<WriteOutcome> {
        self.works("filemarks")?;
        self.inner.write_filemarks(count)
    }

    fn flush(&mut self) -> DriveResult<WriteOutcome> {
        self.works("flush")?;
        if is_due(&mut self.plan.flushes) {
            return self.sense("flush", (3, 0x0c, 0));
        }
        let outcome = self.inner.flush()?;
        self.warned(outcome)
    }

    fn allow_overwrite(&mut self, at: Position) -> DriveResult<()> {
        self.inner.allow_overwrite(at)
    }

    fn format(&mut self, layout: Layout) -> DriveResult<()> {
        self.works("format")?;
        self.inner.format(layout)
    }

    fn attribute(&mut self, partition: Partition, id: u16) -> DriveResult<Option<Attribute>> {
        self.inner.attribute(partition, id)
    }

    fn set_attribute(&mut self, partition: Partition, attribute: &Attribute) -> DriveResult<()> {
        self.inner.set_attribute(partition, attribute)
    }

    fn room(&mut self, partition: Partition) -> DriveResult<PartitionRoom> {
        self.works("room")?;
        let begin = format!("{}_", partition.0);
        let used: u64 = std::fs::read_dir(&self.folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| {
                let name = entry.file_name().into_string().unwrap();
                name.starts_with(&begin) && name.ends_with("_R")
            })
            .map(|entry| entry.metadata().unwrap().len())
            .sum();
        Ok(PartitionRoom {
            capacity: ByteCount(self.capacity),
            remaining: ByteCount(self.capacity.saturating_sub(used)),
        })
    }
}

/// A cartridge and what a catalogue would know of the medium on it.
pub struct Reel {
    room: tempfile::TempDir,
    made: u32,
    folder: PathBuf,
    pub capacity: u64,
    pub label: Label,
    pub block_size: u32,
    pub erasing: Erasing,
    pub least_end: u64,
    /// The drive it was mounted in last.
    pub drive: Option<Arc<Mutex<Rigged>>>,
}

pub fn label() -> Label {
    Label {
        format: FORMAT.to_owned(),
        medium: MediumId::fresh(),
        name: "TAP001L8".to_owned(),
        generation: Generation(0),
        catalogue: CatalogueId::fresh(),
        revision: Revision(3),
        created_at: "2026-01-02T03:04:05Z".parse().unwrap(),
    }
}

pub fn expected(label: &Label) -> Expected {
    Expected {
        medium: label.medium,
        name: label.name.clone(),
        generations: vec![label.generation, Generation(label.generation.0 + 1)],
        erasing: Erasing::No,
        least_end: 0,
        catalogue: None,
        clock: Arc::new(|| "2026-11-20T10:21:26.5Z".parse().unwrap()),
    }
}

impl Reel {
    /// Nothing is made yet.
    pub fn new() -> Self {
        let room = tempfile::tempdir().unwrap();
        Self {
            folder: room.path().to_owned(),
            room,
            made: 0,
            capacity: 64 << 20,
            label: label(),
            block_size: 16 << 10,
            erasing: Erasing::No,
            least_end: 0,
            drive: None,
        }
    }

    /// A formatted medium.
    pub fn formatted() -> Self {
        let mut reel = Self::new();
        reel.fresh(ByteCount(64 << 20));
        reel
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The cartridge in another drive, as after a restart.
    pub fn load(&mut self) -> SharedDrive {
        let drive = Arc::new(Mutex::new(Rigged::open(&self.folder, self.capacity)));
        self.drive = Some(drive.clone());
        drive
    }

    pub fn plan(&self, change: impl FnOnce(&mut Plan)) {
        change(&mut self.drive.as_ref().unwrap().lock().unwrap().plan);
    }

    pub fn try_mount(&mut self) -> MediaResult<Box<dyn Volume>> {
        let drive = self.load();
        let expected = Expected {
            erasing: self.erasing,
            least_end: self.least_end,
            ..expected(&self.label)
        };
        mount(&drive, expected)
    }

    pub fn mounted(&mut self) -> Box<dyn Volume> {
        self.try_mount().unwrap()
    }

    /// The block behind the last one of the data partition.
    pub fn end(&self) -> u64 {
        let names = std::fs::read_dir(&self.folder).unwrap();
        let end = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .find_map(|name| {
                name.strip_prefix("1_")?
                    .strip_suffix("_E")
                    .map(|end| end.parse().unwrap())
            });
        end.expect("a tape has an end of data")
    }

    /// The file of a record of the data partition.
    pub fn record(&self, block: u64) -> PathBuf {
        self.folder.join(format!("1_{block}_R"))
    }
}

impl Maker for Reel {
    fn nature(&self) -> Nature {
        Nature {
            deletion: Deletion::Keeps,
            remnant: Remnant::Nothing,
            measure: Measure::Exact,
        }
    }

    fn fresh(&mut self, capacity: ByteCount) -> Label {
        self.made += 1;
        self.folder = self.room.path().join(self.made.to_string());
        std::fs::create_dir(&self.folder).unwrap();
        // Both partitions are blank, with an end of data and nothing before it.
        for partition in 0..2 {
            std::fs::write(self.folder.join(format!("{partition}_0_E")), []).unwrap();
        }
        self.capacity = capacity.0;
        let drive = self.load();
        let shape = Shape {
            block_size: self.block_size,
            ..Shape::usual("TAP001L8")
        };
        format(&drive, &self.label, &shape).unwrap();
        self.label.clone()
    }

    fn mount(&mut self) -> MediaResult<Box<dyn Volume>> {
        self.try_mount()
    }
}
