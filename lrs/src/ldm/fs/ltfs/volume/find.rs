//! Finds the last index of a partition. Data may look like an index; only one that says where it really is, and of which
//! volume, is proved. The cartridge's memory is a short cut that the tape must confirm.

use super::labels::of_block;
use super::memory::{self, Memory};
use super::records::{Ended, RecordSource};
use super::{Labels, LtfsError, LtfsResult, Mounted};
use crate::ldm::drive::{Drive, DriveError, Partition, Position};
use crate::ldm::fs::ltfs::finding::{Code, Finding};
use crate::ldm::fs::ltfs::index::{self, Head, Keep, Location, Read};
use crate::ldm::fs::ltfs::xml::XmlError;
use crate::ldm::fs::ltfs::{LABEL_BLOCKS, PartitionId};

/// An index that was proved to be one, without its tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it says.
    pub head: Head,
    /// Its records.
    pub records: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Files and links in it.
    pub files: u64,
    /// The block behind its closing filemark.
    pub end: u64,
    /// A record of it is short and not the last one.
    pub gap: bool,
}

/// A run of records between filemarks: the first, and the block behind the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// First block.
    pub first: u64,
    /// Block behind the last.
    pub behind: u64,
}

/// Why a run of records is not proved to be an index.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// A record of it cannot be read.
    #[error("{_0}")]
    Unreadable(DriveError),
    /// It is no index, or a damaged one.
    #[error("{_0}")]
    Document(XmlError),
    /// It says it is elsewhere.
    #[error("it says it is at {_0}")]
    Elsewhere(Location),
    /// It is of another volume.
    #[error("it is of volume {_0}")]
    OtherVolume(uuid::Uuid),
    /// No filemark follows it.
    #[error("no filemark follows it")]
    NotClosed,
}

/// A run of records that is not proved to be an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unproven {
    /// Its first block.
    pub block: u64,
    /// Why.
    pub why: Why,
    /// It begins as an index does.
    pub resembles: bool,
}

/// What was found at the end of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionView {
    /// Its id.
    pub id: PartitionId,
    /// Its number.
    pub number: Partition,
    /// End of data: the block that is written next. Beyond everything where it is lost.
    pub end: u64,
    /// Why the drive does not find the end of data (3/14/03, 8/14/03: what a power cut while a tape was written leaves).
    /// What lies before it is read as ever; behind it nothing may be written.
    pub lost_end: Option<String>,
    /// Its last index that could be proved.
    pub last: Option<Found>,
    /// Runs of records behind that index, which no index covers.
    pub tail: Vec<Run>,
    /// Which of them were tried as indexes, and why they are none.
    pub unproven: Vec<Unproven>,
    /// What the cartridge's memory says.
    pub memory: Memory,
}

impl PartitionView {
    /// Whether a complete index is the last thing on it.
    pub fn is_complete(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.end == self.end)
    }

    /// Generation of its last index.
    pub fn generation(&self) -> Option<u64> {
        self.last.as_ref().map(|last| last.head.generation)
    }
}

/// Reads what is at a place as an index. `Ok(Err(..))`: it is none, or a damaged one.
pub(in crate::ldm::fs::ltfs) fn read_index(
    drive: &mut dyn Drive,
    labels: &Labels,
    at: Location,
    keep: Keep,
) -> LtfsResult<Result<(Read, Found), Unproven>> {
    let Some(partition) = labels.number(at.partition) else {
        return Err(LtfsError::Refused(format!(
            "the volume has no partition {}",
            at.partition
        )));
    };
    let block = at.block;
    let unproven = |why, resembles| Unproven { block, why, resembles };
    match drive.locate(Position { partition, block }) {
        Ok(()) => {}
        Err(error) if of_block(&error.fault) => return Ok(Err(unproven(Why::Unreadable(error), true))),
        Err(error) => return Err(error.into()),
    }
    let mut source = RecordSource::new(drive, labels.label.block_size);
    let outcome = index::read(&mut source, keep);
    let resembles = source.resembles_index();
    if let Some(error) = source.error {
        if !of_block(&error.fault) {
            return Err(error.into());
        }
        return Ok(Err(unproven(Why::Unreadable(error), resembles)));
    }
    let (records, bytes, gap, ended) = (source.records, source.bytes, source.gap, source.ended);
    let read = match outcome {
        Ok(read) => read,
        Err(error) => return Ok(Err(unproven(Why::Document(error), resembles))),
    };
    let head = &read.index.head;
    let why = if head.location != at {
        Some(Why::Elsewhere(head.location))
    } else if head.volume != labels.label.volume {
        Some(Why::OtherVolume(head.volume))
    } else if ended != Some(Ended::Filemark) {
        Some(Why::NotClosed)
    } else {
        None
    };
    if let Some(why) = why {
        return Ok(Err(unproven(why, resembles)));
    }
    let found = Found {
        head: head.clone(),
        records,
        bytes,
        files: read.files,
        end: block + records + 1,
        gap,
    };
    Ok(Ok((read, found)))
}

/// Looks at the end of a partition. The index is answered as far as it was to be kept.
pub(super) fn look(
    drive: &mut dyn Drive,
    labels: &Labels,
    id: PartitionId,
    keep: Keep,
) -> LtfsResult<(PartitionView, Option<Read>)> {
    let number = labels.number(id).expect("one of the labels' two partitions");
    let memory = memory::read(drive, labels, number)?;
    let (end, lost_end) = match drive.locate_end(number) {
        Ok(end) => (end.block, None),
        Err(error) if of_block(&error.fault) => (u64::MAX, Some(error.to_string())),
        Err(error) => return Err(error.into()),
    };
    let mut view = PartitionView {
        id,
        number,
        end,
        lost_end,
        last: None,
        tail: Vec::new(),
        unproven: Vec::new(),
        memory,
    };
    if let Memory::Current(named) = &view.memory {
        let (partition, generation, block) = (id, named.generation, named.block);
        // Something may follow the index that it names: then the way back from the end is the only sure one.
        if let Ok((read, found)) = read_index(drive, labels, Location { partition, block }, keep)?
            && found.head.generation == generation
            && found.end == end
        {
            view.last = Some(found);
            return Ok((view, Some(read)));
        }
    }
    if view.lost_end.is_some() {
        let read = named(drive, labels, keep, &mut view)?;
        return Ok((view, read));
    }
    let read = back(drive, labels, keep, &mut view)?;
    view.tail.reverse();
    view.unproven.reverse();
    Ok((view, read))
}

/// The index that the cartridge's memory names, where the way back from the end is not to be had. It may not be the last one.
fn named(drive: &mut dyn Drive, labels: &Labels, keep: Keep, view: &mut PartitionView) -> LtfsResult<Option<Read>> {
    let (Memory::Current(named) | Memory::Stale(named)) = &view.memory else {
        return Ok(None);
    };
    let at = Location {
        partition: view.id,
        block: named.block,
    };
    match read_index(drive, labels, at, keep)? {
        Ok((read, found)) => {
            view.last = Some(found);
            Ok(Some(read))
        }
        Err(unproven) => {
            view.unproven.push(unproven);
            Ok(None)
        }
    }
}

/// From the end of data back over filemarks, to the first run of records that is an index.
fn back(drive: &mut dyn Drive, labels: &Labels, keep: Keep, view: &mut PartitionView) -> LtfsResult<Option<Read>> {
    let mut upper = view.end;
    // What follows the last filemark is closed by none, and so no index.
    let mut closed = false;
    while upper > LABEL_BLOCKS {
        drive.locate(Position {
            partition: view.number,
            block: upper,
        })?;
        let mark = drive.space_filemarks(-1)?.block;
        let run = Run {
            first: mark + 1,
            behind: upper,
        };
        // The label's own filemark opens no index: its construct has one of its own.
        let may_be = closed && mark >= LABEL_BLOCKS && run.first < run.behind;
        if may_be {
            let at = Location {
                partition: view.id,
                block: run.first,
            };
            match read_index(drive, labels, at, keep)? {
                Ok((read, found)) => {
                    view.last = Some(found);
                    return Ok(Some(read));
                }
                Err(unproven) => view.unproven.push(unproven),
            }
        }
        if run.first < run.behind && run.first >= LABEL_BLOCKS {
            view.tail.push(run);
        }
        (upper, closed) = (mark, true);
    }
    Ok(None)
}

/// All generations that can still be reached, oldest first: along the back pointers of the data partition, and the index
/// partition's last. What breaks the chain is a finding.
pub fn generations(drive: &mut dyn Drive, mounted: &Mounted) -> LtfsResult<(Vec<Found>, Vec<Finding>)> {
    let labels = &mounted.labels;
    let mut chain: Vec<Found> = mounted.data.last.iter().cloned().collect();
    let mut findings = Vec::new();
    while let Some(newer) = chain.last() {
        let Some(previous) = newer.head.previous else { break };
        let at = newer.head.location;
        let pointer = |what: String| Finding::new(Code::BackPointer, at, what);
        if previous.partition != labels.label.data || previous.block >= at.block {
            findings.push(pointer(format!("it points to {previous}, which is not before it")));
            break;
        }
        match read_index(drive, labels, previous, Keep::Head)? {
            Ok((_, found)) if found.head.generation < newer.head.generation => chain.push(found),
            Ok((_, found)) => {
                let what = format!("generation {} at {previous} is not older", found.head.generation);
                findings.push(pointer(what));
                break;
            }
            Err(unproven) => {
                findings.push(pointer(format!("nothing valid at {previous}: {}", unproven.why)));
                break;
            }
        }
    }
    chain.reverse();
    chain.extend(mounted.index.last.iter().cloned());
    Ok((chain, findings))
}
