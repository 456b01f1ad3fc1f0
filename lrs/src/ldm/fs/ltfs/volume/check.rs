//! Checks a mounted volume: everything that can be wrong with it and that mounting it does not notice. Nothing is
//! written, and nothing stops at the first fault.

use super::find::{generations, read_index};
use super::{
    FileReader, Found, LtfsResult, Memory, Mounted, PartitionView, ReadError, RecordReader, State, Unproven, order,
};
use crate::ldm::drive::{Drive, Partition};
use crate::ldm::fs::ltfs::attributes;
use crate::ldm::fs::ltfs::finding::{Code, Finding};
use crate::ldm::fs::ltfs::index::{self, File, Keep, Node, walk};

/// Whether the files' bytes are read as well.
pub enum Contents<'k> {
    /// Indexes, labels and the cartridge's memory only.
    Unread,
    /// Every file, in the order of the tape.
    Read(&'k mut dyn Known),
}

/// What somebody knows of the files' bytes.
pub trait Known {
    /// A file begins.
    fn begin(&mut self, path: &str, file: &File);
    /// Its next bytes.
    fn bytes(&mut self, bytes: &[u8]);
    /// It ended; the answer is what is wrong with it, if anything is known and is not so.
    fn end(&mut self) -> Option<String>;
}

/// Bytes of a file that are read at once.
const PIECE: usize = 1 << 20;

/// Everything that is wrong with a volume.
///
/// # Errors
/// Only what ends the work itself: the drive lost its position, or does not answer.
pub fn check(drive: &mut dyn Drive, mounted: &Mounted, contents: Contents<'_>) -> LtfsResult<Vec<Finding>> {
    let mut findings = mounted.labels.findings.clone();
    memory(drive, mounted, &mut findings)?;
    for view in [&mounted.index, &mounted.data] {
        end_of(view, &mut findings);
        coherency(drive, mounted, view, &mut findings)?;
    }
    let (all, broken) = generations(drive, mounted)?;
    findings.extend(broken);
    pointers(mounted, &mut findings);
    copies(drive, mounted, &mut findings)?;
    findings.extend(index::findings(&mounted.tree, &bounds(mounted, &all)));
    if let Contents::Read(known) = contents {
        files(drive, mounted, known, &mut findings)?;
    }
    Ok(findings)
}

/// Where data can be, with every index that can be reached taken out.
fn bounds(mounted: &Mounted, all: &[Found]) -> index::Bounds {
    let mut bounds = mounted.bounds();
    for found in all {
        let at = found.head.location;
        bounds.indexes.push((at.partition, at.block, at.block + found.records));
    }
    bounds
}

fn memory(drive: &mut dyn Drive, mounted: &Mounted, findings: &mut Vec<Finding>) -> LtfsResult<()> {
    use attributes::{
        APPLICATION, APPLICATION_VERSION, BARCODE, FORMAT, LOCK, POOL, TEXT_ENCODING, VENDOR, VOLUME_NAME,
    };
    for id in [
        VENDOR,
        APPLICATION,
        APPLICATION_VERSION,
        VOLUME_NAME,
        TEXT_ENCODING,
        BARCODE,
        POOL,
        FORMAT,
        LOCK,
    ] {
        let attribute = drive.attribute(Partition(0), id)?;
        if let Some(fault) = attribute.as_ref().and_then(attributes::fault) {
            findings.push(Finding::new(Code::Attribute, format!("attribute {id:04x}"), fault));
        }
    }
    // What labels and index say against writing is no fault of the memory.
    let unlocked = mounted.tree.head.lock.is_none_or(|lock| lock == index::Lock::Unlocked);
    if mounted.labels.findings.is_empty()
        && unlocked
        && let Err(super::LtfsError::NotWritable(words)) = mounted.may_be_written(drive)
    {
        findings.push(Finding::new(Code::Attribute, "attribute 1623", words));
    }
    Ok(())
}

/// How a partition ends.
fn end_of(view: &PartitionView, findings: &mut Vec<Finding>) {
    let at = format!("partition {}", view.id);
    match &view.last {
        None => findings.push(Finding::new(Code::NoIndex, &at, "no valid index")),
        Some(last) if last.gap => {
            let what = "a record is not full and not the last one";
            findings.push(Finding::new(Code::IndexRecords, last.head.location, what));
        }
        Some(_) => {}
    }
    for unproven in view.unproven.iter().filter(|unproven| unproven.resembles) {
        findings.push(broken(view, unproven));
    }
    if view.is_complete() {
        return;
    }
    if view.tail.is_empty() {
        findings.push(Finding::new(
            Code::Incomplete,
            &at,
            "it does not end in a complete index",
        ));
    }
    for run in &view.tail {
        let what = format!("blocks {} to {} follow the last index", run.first, run.behind - 1);
        findings.push(Finding::new(Code::Tail, &at, what));
    }
}

fn broken(view: &PartitionView, unproven: &Unproven) -> Finding {
    let code = match unproven.why {
        super::Why::Elsewhere(_) => Code::IndexSelf,
        super::Why::OtherVolume(_) => Code::IndexUuid,
        super::Why::Unreadable(_) | super::Why::Document(_) | super::Why::NotClosed => Code::IndexXml,
    };
    Finding::new(
        code,
        format!("{}:{}", view.id, unproven.block),
        unproven.why.to_string(),
    )
}

/// Whether the cartridge's memory names what is there. A stale one is legal, and says nothing.
fn coherency(
    drive: &mut dyn Drive,
    mounted: &Mounted,
    view: &PartitionView,
    findings: &mut Vec<Finding>,
) -> LtfsResult<()> {
    let mut fault = |what: String| {
        let at = format!("attribute 080c of partition {}", view.id);
        findings.push(Finding::new(Code::Coherency, at, what));
    };
    match &view.memory {
        Memory::Absent | Memory::Stale(_) => {}
        Memory::Unusable(why) => fault(why.to_string()),
        Memory::OtherVolume(coherency) => fault(format!("it is of volume {}", coherency.volume)),
        Memory::Current(named) => {
            let place = index::Location {
                partition: view.id,
                block: named.block,
            };
            let there = read_index(drive, &mounted.labels, place, Keep::Head)?;
            match there {
                Ok((_, found)) if found.head.generation == named.generation => {
                    if view.last.as_ref().is_some_and(|last| last.head.location != place) {
                        fault(format!(
                            "it names generation {}, and a later index exists",
                            named.generation
                        ));
                    }
                }
                Ok(_) | Err(_) => fault(format!(
                    "it names generation {} at {place}: not there",
                    named.generation
                )),
            }
        }
    }
    Ok(())
}

/// Whether both partitions fit together.
fn pointers(mounted: &Mounted, findings: &mut Vec<Finding>) {
    if let (Some(on_index), Some(on_data)) = (&mounted.index.last, &mounted.data.last) {
        let (head, last) = (&on_index.head, on_data.head.location);
        let dangling = match head.previous {
            None => Some("it has no pointer to the data partition".to_owned()),
            Some(to) if to.partition != mounted.data.id => Some(format!("it points to {to}")),
            Some(to) if to != last && head.generation >= on_data.head.generation => Some(format!(
                "it points to {to}, and the last valid index of the data partition is at {last}"
            )),
            Some(_) => None,
        };
        if let Some(what) = dangling {
            findings.push(Finding::new(Code::BackPointer, head.location, what));
        }
    }
    if mounted.state == State::DataPartitionNewer {
        findings.push(Finding::new(
            Code::Unclean,
            "volume",
            "the index partition's index is an older one",
        ));
    }
}

/// Two copies of one generation say the same.
fn copies(drive: &mut dyn Drive, mounted: &Mounted, findings: &mut Vec<Finding>) -> LtfsResult<()> {
    let (Some(on_index), Some(on_data)) = (&mounted.index.last, &mounted.data.last) else {
        return Ok(());
    };
    if on_index.head.generation != on_data.head.generation {
        return Ok(());
    }
    // The tree that counts is one of both; the other one is read for this alone.
    let other = if mounted.chosen() == on_index.head.location {
        on_data
    } else {
        on_index
    };
    let Ok((read, _)) = read_index(drive, &mounted.labels, other.head.location, Keep::Tree)? else {
        return Ok(());
    };
    let same = read.index.root == mounted.tree.root && read.index.head.same_generation(&mounted.tree.head);
    if !same {
        let what = format!("generation {} differs between the partitions", other.head.generation);
        findings.push(Finding::new(Code::IndexDiffer, other.head.location, what));
    }
    Ok(())
}

/// Reads every file.
fn files(
    drive: &mut dyn Drive,
    mounted: &Mounted,
    known: &mut dyn Known,
    findings: &mut Vec<Finding>,
) -> LtfsResult<()> {
    let mut all = Vec::new();
    walk(&mounted.tree.root, |path, node| {
        if let Node::File(file) = node
            && file.symlink.is_none()
        {
            all.push((path.to_owned(), file));
        }
    });
    all.sort_by_cached_key(|(_, file)| order(&mounted.labels, file));
    let mut records = RecordReader::new(&mounted.labels);
    let mut buffer = vec![0; PIECE];
    for (path, file) in all {
        known.begin(&path, file);
        match one_file(drive, mounted, file, &mut records, &mut buffer, known) {
            Ok(()) => findings.extend(known.end().map(|what| Finding::new(Code::Content, &path, what))),
            Err(error) if error.lost_position() => {
                if let ReadError::Drive(error) = error {
                    return Err(error.into());
                }
            }
            Err(error) => findings.push(Finding::new(Code::Unreadable, &path, error.to_string())),
        }
    }
    Ok(())
}

fn one_file(
    drive: &mut dyn Drive,
    mounted: &Mounted,
    file: &File,
    records: &mut RecordReader,
    buffer: &mut [u8],
    known: &mut dyn Known,
) -> Result<(), ReadError> {
    let mut reader = FileReader::new(mounted, file)?;
    loop {
        let length = reader.read(drive, records, buffer)?;
        if length == 0 {
            return Ok(());
        }
        known.bytes(&buffer[..length]);
    }
}
