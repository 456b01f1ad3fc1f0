//! One mounted volume of other software: what it knows, who it is, and that it is only read.

use super::choice::{Choice, ForeignState, choose};
use super::reading::Reading;
use super::seat::Seat;
use super::{FORMAT, ForeignExpected, tree};
use crate::ldm::drive::{Drive, Partition};
use crate::ldm::fs::ltfs::attributes;
use crate::ldm::fs::ltfs::index::{Node, walk};
use crate::ldm::fs::ltfs::medium::SharedDrive;
use crate::ldm::fs::ltfs::volume::{LtfsResult, Mounted, RecordReader, mount, read_labels};
use crate::ldm::fs::{
    Accepted, Deleted, EraseStep, ExtentTag, IndexEntry, IndexStamp, Label, ReadFrom, ReadHandle, Space, Volume,
    Wanted, WriteHandle,
};
use crate::ldm::{Fault, MediaError, MediaResult, Op};
use dss::model::evidence::{SyncReceipt, WriteReceipt, WriteSerial};
use dss::model::{Address, ByteCount, CatalogueId, Digests, ExtentId, Revision};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The medium's own serial number in the cartridge's memory (SPC-4, table 319).
const SERIAL: u16 = 0x0401;

/// What of the cartridge's memory tells one cartridge from another.
type Identity = [Option<Vec<u8>>; 3];

/// A mounted volume.
pub(super) struct ForeignVolume {
    pub(super) seat: Seat,
    pub(super) label: Label,
    /// With its tree arranged.
    pub(super) mounted: Mounted,
    /// Why files may be there that its tree does not have; None: there are none.
    pub(super) doubt: Option<String>,
    /// Why a path alone does not say whose bytes are meant; None: it does.
    pub(super) ambiguity: Option<String>,
    pub(super) reading: BTreeMap<ReadHandle, Reading>,
    pub(super) records: RecordReader,
    /// What the last erasure found that nobody knows of.
    pub(super) unknown: Vec<Address>,
    /// The cartridge may be another one, or is none of this format any more: nothing is done before it is mounted anew.
    pub(super) lost: bool,
    identity: Identity,
    handles: u64,
}

/// The serial number, the medium by other software's word, and the data partition's coherency, which names the volume.
fn identity(drive: &mut dyn Drive, data: Partition) -> LtfsResult<Identity> {
    let mut value = |partition, id| -> LtfsResult<Option<Vec<u8>>> {
        let attribute = drive.attribute(partition, id)?;
        Ok(attribute.map(|attribute| attribute.value))
    };
    Ok([
        value(Partition(0), SERIAL)?,
        value(Partition(0), attributes::MEDIUM_ID)?,
        value(data, attributes::COHERENCY)?,
    ])
}

/// The label of a medium that has none of its own.
fn label(expected: &ForeignExpected, mounted: &Mounted) -> Label {
    let formatted = &mounted.labels.label.format_time;
    Label {
        format: FORMAT.to_owned(),
        medium: expected.medium,
        name: expected.name.clone(),
        generation: expected.generation,
        catalogue: CatalogueId(Uuid::nil()),
        revision: Revision(0),
        // Beyond what a catalogue's times can say it is of no use to anybody.
        created_at: jiff::Timestamp::new(formatted.seconds(), 0).unwrap_or(jiff::Timestamp::UNIX_EPOCH),
    }
}

/// Why a path alone does not say whose bytes are meant.
fn ambiguity(expected: &ForeignExpected, mounted: &Mounted, doubt: Option<&String>) -> Option<String> {
    let found = mounted.tree.head.generation;
    let other = expected.index_generation.filter(|known| *known != found);
    let other = other.map(|known| format!("its index is of generation {found}, and generation {known} was imported"));
    other.or_else(|| doubt.cloned())
}

fn doubt(choice: Choice) -> Option<String> {
    match choice {
        Choice::NoIndex(why) => Some(why.join("; ")),
        Choice::Tree(ForeignState::Doubtful(why)) => Some(why),
        Choice::Tree(
            ForeignState::Whole | ForeignState::DataPartitionNewer | ForeignState::Tail | ForeignState::OneIndex(_),
        ) => None,
    }
}

/// Another volume than is expected.
fn other_volume(seat: &Seat, expected: &ForeignExpected, found: Uuid) -> MediaError {
    let fault = Fault::WrongMedium {
        expected: format!("{}, which is LTFS volume {}", expected.name, expected.volume),
        found: format!("LTFS volume {found}"),
    };
    seat.fault(Op::Mount, None, fault)
}

impl ForeignVolume {
    /// Mounts what is expected, or says which volume is there.
    pub(super) fn mount(drive: &SharedDrive, expected: ForeignExpected) -> MediaResult<Self> {
        let seat = Seat::new(drive, &expected.name);
        // Nobody writes to this tape, and the drive is to see to that as well.
        seat.ask(Op::Mount, |drive| drive.guard())?;
        let mut mounted = seat.work(Op::Mount, mount).map_err(|error| {
            // Of the wrong volume nothing else matters.
            match seat.work(Op::Mount, read_labels) {
                Ok(labels) if labels.label.volume != expected.volume => {
                    other_volume(&seat, &expected, labels.label.volume)
                }
                Ok(_) | Err(_) => error,
            }
        })?;
        let found = mounted.labels.label.volume;
        if found != expected.volume {
            return Err(other_volume(&seat, &expected, found));
        }
        let data = mounted.labels.data;
        let identity = seat.work(Op::Mount, |drive| identity(drive, data))?;
        let doubt = doubt(choose(&mounted));
        tree::arrange(&mut mounted.tree.root);
        Ok(Self {
            label: label(&expected, &mounted),
            ambiguity: ambiguity(&expected, &mounted, doubt.as_ref()),
            doubt,
            records: RecordReader::new(&mounted.labels),
            mounted,
            reading: BTreeMap::new(),
            unknown: Vec::new(),
            lost: false,
            identity,
            handles: 0,
            seat,
        })
    }

    /// Refuses when another cartridge may be in the drive.
    pub(super) fn present(&self, op: Op) -> MediaResult<()> {
        match self.lost {
            true => Err(self.seat.fault(op, None, Fault::NeedsReopen)),
            false => Ok(()),
        }
    }

    /// Passes an answer on, and remembers when it says that the cartridge may be another one.
    pub(super) fn heed<T>(&mut self, answer: MediaResult<T>) -> MediaResult<T> {
        if let Err(error) = &answer {
            let loses = matches!(&error.fault, Fault::Drive(error) if error.lost_position());
            self.lost |= loses || !self.seat.holds();
        }
        answer
    }

    pub(super) fn next_handle(&mut self) -> u64 {
        self.handles += 1;
        self.handles
    }

    /// Asks the cartridge who it is. No tape is moved.
    fn compare_identity(&mut self) -> MediaResult<()> {
        self.present(Op::Mount)?;
        let data = self.mounted.labels.data;
        let found = self.seat.work(Op::Mount, |drive| {
            drive.position()?;
            identity(drive, data)
        })?;
        if found == self.identity {
            return Ok(());
        }
        self.lost = true;
        let fault = Fault::WrongMedium {
            expected: crate::ldm::fs::describe(&self.label),
            found: "another cartridge, by its memory".to_owned(),
        };
        Err(self.seat.fault(Op::Mount, None, fault))
    }

    fn ask_space(&mut self) -> MediaResult<Space> {
        self.present(Op::FreeSpace)?;
        let data = self.mounted.labels.data;
        let asked = self.seat.ask(Op::FreeSpace, |drive| drive.room(data));
        let room = self.heed(asked)?;
        let taken = room.capacity.0.saturating_sub(room.remaining.0);
        Ok(Space {
            capacity: room.capacity,
            // What was compressed takes less of the tape than it has bytes.
            used: ByteCount(taken.max(self.live_bytes())),
            free: ByteCount(0),
        })
    }

    fn live_bytes(&self) -> u64 {
        let mut sum = 0_u64;
        walk(&self.mounted.tree.root, |_, node| {
            if let Node::File(file) = node {
                let bytes = file.extents.iter().map(|extent| extent.bytes);
                sum = bytes.fold(sum, u64::saturating_add);
            }
        });
        sum
    }

    /// Whatever would write.
    fn refuse<T>(&self, op: Op) -> MediaResult<T> {
        let words = "it holds an LTFS volume made elsewhere: respool only reads it";
        Err(self.seat.fault(op, None, Fault::Unfit(words.to_owned())))
    }
}

impl Volume for ForeignVolume {
    fn label(&self) -> &Label {
        &self.label
    }

    /// No catalogue ever wrote to it.
    fn revision(&self) -> Revision {
        self.label.revision
    }

    fn identify(&mut self) -> MediaResult<()> {
        let answer = self.compare_identity();
        self.heed(answer)
    }

    fn space(&mut self) -> MediaResult<Space> {
        self.ask_space()
    }

    fn reserve(&mut self, _tag: &ExtentTag) -> MediaResult<Address> {
        self.refuse(Op::Write)
    }

    /// None was given.
    fn give_back(&mut self, _extent: ExtentId, _address: &Address) {}

    fn create(&mut self, _tag: ExtentTag, _address: &Address) -> MediaResult<Option<WriteHandle>> {
        self.refuse(Op::Write)
    }

    fn write(&mut self, _handle: WriteHandle, _bytes: &[u8]) -> MediaResult<Accepted> {
        self.refuse(Op::Write)
    }

    fn finish(&mut self, _handle: WriteHandle, _digests: Digests) -> MediaResult<WriteReceipt> {
        self.refuse(Op::Write)
    }

    /// Nothing can have been begun.
    fn abandon(&mut self, _handle: WriteHandle) {}

    fn open(&mut self, wanted: &Wanted, _from: ReadFrom) -> MediaResult<ReadHandle> {
        self.open_file(wanted)
    }

    fn read(&mut self, handle: ReadHandle, buffer: &mut [u8]) -> MediaResult<usize> {
        self.read_file(handle, buffer)
    }

    fn seek(&mut self, handle: ReadHandle, offset: u64) -> MediaResult<()> {
        self.seek_file(handle, offset)
    }

    fn close(&mut self, handle: ReadHandle) {
        self.reading.remove(&handle);
    }

    /// Nothing is ever pending: it is durable as soon as it is still the same cartridge.
    fn sync(&mut self) -> MediaResult<SyncReceipt> {
        self.identify()?;
        let nothing = WriteSerial { mount: 0, count: 0 };
        Ok(SyncReceipt::durable(self.label.medium, self.label.generation, nothing))
    }

    fn commit_index(&mut self, _stamp: IndexStamp) -> MediaResult<()> {
        self.refuse(Op::Sync)
    }

    /// As [`Self::index`].
    fn lookup(&mut self, _extent: ExtentId) -> MediaResult<Option<IndexEntry>> {
        self.present(Op::Read)?;
        Ok(None)
    }

    /// No file of a volume says which extent it is, whatever lies on it: [`super::survey`] answers what does.
    fn index(&mut self) -> MediaResult<Box<dyn Iterator<Item = MediaResult<IndexEntry>> + Send>> {
        self.present(Op::Read)?;
        Ok(Box::new(std::iter::empty()))
    }

    fn delete(&mut self, _wanted: &Wanted) -> MediaResult<Deleted> {
        self.refuse(Op::Delete)
    }

    fn isolate(&mut self, _wanted: &Wanted, _reason: &str) -> MediaResult<()> {
        self.refuse(Op::Delete)
    }

    /// The volume's own index names all its files; which of them the catalogue does not know shows at an erasure. Those
    /// that stopped the last one.
    fn strangers(&mut self) -> MediaResult<Vec<Address>> {
        self.present(Op::Read)?;
        Ok(self.unknown.clone())
    }

    /// Makes it a medium of respool's format, empty. Refused, and nothing is touched, where it has files that `orphans`
    /// does not name, symbolic links included. It must be mounted anew afterwards, as what it is then.
    fn erase(
        &mut self,
        label: Label,
        orphans: &mut dyn Iterator<Item = Wanted>,
        between: &mut dyn FnMut(EraseStep),
    ) -> MediaResult<Vec<Address>> {
        self.erase_all(label, orphans, between)
    }
}
