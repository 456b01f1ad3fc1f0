//! What respool knows of a tape and its tree does not say: which medium it is, and of every extent its tag and digests. All
//! of it, a snapshot, lies directly before each index that respool writes on the data partition, and is found from there.
//! An index without one is of other software. What is read here is believed only where every part fits the others.

use super::shelf::Shelf;
use super::stretch::Stretch;
use super::tag::{LONGEST_LINE, Record, Seal, Sealed, Spent, Stamped};
use crate::ldm::drive::{Drive, Position, ReadOutcome};
use crate::ldm::fs::Label;
use crate::ldm::fs::ltfs::index::{Head, Keep, Location};
use crate::ldm::fs::ltfs::volume::{Labels, LtfsResult, Mounted, Recorder, of_block, read_index};

/// A seal's record is shorter than this in bytes: a longer one is not even looked at.
pub(super) const SEAL_MAX: usize = 4096;

/// The newest notes that belong to an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Newest {
    pub(super) seal: Seal,
    pub(super) label: Label,
    /// Why there should be newer ones, and are not.
    pub(super) damage: Option<String>,
    /// What lies between their index and the next one, where that one is of other software.
    pub(super) overtaken: Option<Stretch>,
}

/// What notes say beside the extents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) stamped: Option<Stamped>,
}

/// What is at a block of the data partition.
enum Found {
    Record(Vec<u8>),
    /// A filemark, or nothing.
    Nothing,
    Unreadable,
}

fn at(drive: &mut dyn Drive, labels: &Labels, block: u64) -> LtfsResult<Found> {
    let mut buffer = vec![0; labels.label.block_size as usize];
    let partition = labels.data;
    let read = drive
        .locate(Position { partition, block })
        .and_then(|()| drive.read(&mut buffer));
    match read {
        Ok(ReadOutcome::Record(length)) => {
            buffer.truncate(length);
            Ok(Found::Record(buffer))
        }
        Ok(ReadOutcome::Filemark | ReadOutcome::EndOfData) => Ok(Found::Nothing),
        Err(error) if of_block(&error.fault) => Ok(Found::Unreadable),
        Err(error) => Err(error.into()),
    }
}

/// A record that is the seal of a snapshot of this volume, and says that it is where it is.
fn proved(record: &[u8], labels: &Labels, block: u64) -> Option<Seal> {
    if record.len() > SEAL_MAX {
        return None;
    }
    match Record::from_line(record) {
        Some(Record::Seal(seal)) => {
            let ours = seal.of == Sealed::Snapshot && seal.at == block && seal.volume == labels.label.volume;
            (ours && seal.first < block).then_some(seal)
        }
        _ => None,
    }
}

/// How the creator of everything begins that respool writes.
const RESPOOL: &str = "respool ";

/// Who writes, as an index says it: product - platform - program - reason.
pub(super) fn creator(reason: &str) -> String {
    format!("{RESPOOL}{} - Linux - respoold - {reason}", env!("CARGO_PKG_VERSION"))
}

/// Whether an index says that it was written with notes before it. A format's first one has none.
fn has_notes(head: &Head) -> bool {
    head.generation > 1 && head.creator.starts_with(RESPOOL) && head.creator.contains(" - respoold - ")
}

/// Whether respool wrote a volume, or may have.
pub(in crate::ldm::fs::ltfs) fn are_there(drive: &mut dyn Drive, mounted: &Mounted) -> LtfsResult<bool> {
    Ok(!matches!(find(drive, mounted)?, Err(None)))
}

/// What lies before an index.
enum Before {
    Notes(Box<(Seal, Label)>),
    /// There may have been notes.
    Lost(&'static str),
    Nothing,
}

/// Finds the newest snapshot, from the last index on along the pointers to those before. `Ok(Err(..))`: no index has one;
/// and why, if some should have. A volume that respool did not label has none, and none of its indexes is read.
pub(super) fn find(drive: &mut dyn Drive, mounted: &Mounted) -> LtfsResult<Result<Newest, Option<String>>> {
    let labels = &mounted.labels;
    if !labels.label.creator.starts_with(RESPOOL) {
        return Ok(Err(None));
    }
    let mut damage = None;
    let mut newer = None;
    let mut next = match &mounted.data.last {
        Some(last) => Some((last.head.location, Some(last.head.clone()))),
        None => mounted.tree.head.previous.map(|location| (location, None)),
    };
    while let Some((location, head)) = next {
        let generation = head.as_ref().map(|head| head.generation);
        let lost = match before(drive, labels, location, generation)? {
            Before::Notes(found) => {
                let (seal, label) = *found;
                let overtaken = match newer {
                    Some(newer) => overtaken(drive, labels, location, newer, &mut damage)?,
                    None => None,
                };
                return Ok(Ok(Newest {
                    seal,
                    label,
                    damage,
                    overtaken,
                }));
            }
            Before::Lost(why) => Some(why),
            Before::Nothing => None,
        };
        let head = match head {
            Some(head) => Some(head),
            // Where it cannot be read, nobody knows what came before it.
            None => read_index(drive, labels, location, Keep::Head)?
                .ok()
                .map(|(read, _)| read.index.head),
        };
        let missing = head.as_ref().filter(|head| has_notes(head)).map(|_| "are not there");
        if let Some(why) = lost.or(missing) {
            damage.get_or_insert_with(|| format!("the notes before the index at {location} {why}"));
        }
        let previous = head.and_then(|head| head.previous);
        let previous = previous.filter(|to| to.partition == labels.label.data && to.block < location.block);
        newer = Some(location);
        next = previous.map(|location| (location, None));
    }
    Ok(Err(damage))
}

/// What lies between an index and the next one. Where the index cannot be read any more, nobody knows where that begins.
fn overtaken(
    drive: &mut dyn Drive,
    labels: &Labels,
    index: Location,
    next: Location,
    damage: &mut Option<String>,
) -> LtfsResult<Option<Stretch>> {
    // A filemark opens the next one.
    let end = next.block.saturating_sub(1);
    let read = read_index(drive, labels, index, Keep::Head)?;
    let stretch = read.ok().map(|(_, found)| Stretch {
        index: found.head.generation,
        first: found.end,
        end,
    });
    if stretch.is_none() {
        damage.get_or_insert_with(|| {
            format!("the index at {index} cannot be read, nor is it known what was synced after it")
        });
    }
    Ok(stretch.filter(|stretch| stretch.first < stretch.end))
}

/// The notes before the filemark that opens the index at a place.
fn before(drive: &mut dyn Drive, labels: &Labels, index: Location, generation: Option<u64>) -> LtfsResult<Before> {
    let Some(block) = index.block.checked_sub(2) else {
        return Ok(Before::Nothing);
    };
    let record = match at(drive, labels, block)? {
        Found::Record(record) => record,
        Found::Nothing => return Ok(Before::Nothing),
        Found::Unreadable => return Ok(Before::Lost("cannot be read")),
    };
    let seal = proved(&record, labels, block);
    match seal.filter(|seal| generation.is_none_or(|generation| generation == seal.index)) {
        None => Ok(Before::Nothing),
        Some(seal) => Ok(match label(drive, labels, &seal)? {
            Some(label) => Before::Notes(Box::new((seal, label))),
            None => Before::Lost("do not begin with a label"),
        }),
    }
}

/// The label, with which a snapshot begins.
fn label(drive: &mut dyn Drive, labels: &Labels, seal: &Seal) -> LtfsResult<Option<Label>> {
    let mut text = Vec::new();
    for block in seal.first..seal.at {
        let Found::Record(record) = at(drive, labels, block)? else {
            return Ok(None);
        };
        text.extend_from_slice(&record);
        if let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            return Ok(match Record::from_line(&text[..end]) {
                Some(Record::Label(label)) => {
                    let is_same = (label.medium, label.generation) == (seal.medium, seal.generation);
                    is_same.then_some(label)
                }
                _ => None,
            });
        }
        if text.len() > LONGEST_LINE {
            break;
        }
    }
    Ok(None)
}

/// Reads a snapshot, one line after the other, into a shelf on which nothing is yet. `Ok(Err(..))`: it is damaged.
pub(super) fn read(
    drive: &mut dyn Drive,
    labels: &Labels,
    newest: &Newest,
    shelf: &mut Shelf,
) -> LtfsResult<Result<Read, String>> {
    let (seal, partition) = (&newest.seal, labels.data);
    let mut lines = Lines::default();
    let mut buffer = vec![0; labels.label.block_size as usize];
    let begin = drive.locate(Position {
        partition,
        block: seal.first,
    });
    if let Err(error) = begin {
        return if of_block(&error.fault) {
            Ok(Err(error.to_string()))
        } else {
            Err(error.into())
        };
    }
    for block in seal.first..seal.at {
        match drive.read(&mut buffer) {
            Ok(ReadOutcome::Record(length)) => {
                if let Err(words) = lines.take(&buffer[..length], newest, shelf, labels) {
                    return Ok(Err(words));
                }
            }
            Ok(ReadOutcome::Filemark | ReadOutcome::EndOfData) => {
                return Ok(Err(format!("block {block} is no record")));
            }
            Err(error) if of_block(&error.fault) => return Ok(Err(format!("block {block} cannot be read"))),
            Err(error) => return Err(error.into()),
        }
    }
    let sealed = (seal.lines, seal.bytes, seal.crc32);
    let found = (lines.count, lines.bytes, lines.crc.finalize());
    Ok(match lines.rest.is_empty() && found == sealed {
        true => Ok(lines.read),
        false => Err("its lines are not those that were sealed".to_owned()),
    })
}

/// Lines in records that end anywhere.
#[derive(Default)]
struct Lines {
    rest: Vec<u8>,
    count: u64,
    bytes: u64,
    crc: crc32fast::Hasher,
    read: Read,
}

impl Lines {
    fn take(&mut self, record: &[u8], newest: &Newest, shelf: &mut Shelf, labels: &Labels) -> Result<(), String> {
        self.crc.update(record);
        self.bytes += record.len() as u64;
        for piece in record.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(piece);
            if self.rest.len() > LONGEST_LINE + 1 {
                return Err("a line is too long".to_owned());
            }
            if self.rest.pop_if(|last| *last == b'\n').is_some() {
                let line = std::mem::take(&mut self.rest);
                self.line(&line, newest, shelf, labels)?;
                self.count += 1;
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], newest: &Newest, shelf: &mut Shelf, labels: &Labels) -> Result<(), String> {
        let number = self.count;
        let record = Record::from_line(line).ok_or_else(|| format!("line {number} is damaged"))?;
        match (&record, number) {
            (Record::Label(label), 0) if *label == newest.label => Ok(()),
            (Record::Stamped(stamped), 1) => {
                self.read.stamped = Some(*stamped);
                Ok(())
            }
            (_, 0) => Err("it does not begin with the label".to_owned()),
            (_, _) => shelf.recall(&record, line, labels).map(drop),
        }
    }
}

/// What a snapshot is to say.
pub(super) struct Content<'a> {
    pub(super) label: &'a Label,
    pub(super) stamped: Option<Stamped>,
    pub(super) shelf: &'a Shelf,
    /// As in [`Seal`].
    pub(super) used: u64,
}

/// Writes a snapshot, which an index of this generation follows. Answers its seal.
pub(super) fn write(out: &mut Recorder<'_>, labels: &Labels, index: u64, content: &Content<'_>) -> LtfsResult<Seal> {
    let mut seal = Seal {
        of: Sealed::Snapshot,
        volume: labels.label.volume,
        medium: content.label.medium,
        generation: content.label.generation,
        index,
        number: 0,
        at: 0,
        after: None,
        first: out.block(),
        lines: 0,
        bytes: 0,
        crc32: 0,
        used: content.used,
    };
    let mut crc = crc32fast::Hasher::new();
    let shelf = content.shelf;
    let head = [
        Some(Record::Label(content.label.clone())),
        content.stamped.map(Record::Stamped),
    ];
    let spent = shelf.paths.spent();
    let all = head
        .iter()
        .flatten()
        .map(Record::to_line)
        .chain(shelf.isolated_lines())
        .chain(shelf.lines())
        .chain(Spent::lines(&spent).map(|record| record.to_line()));
    for mut line in all {
        line.push(b'\n');
        crc.update(&line);
        seal.lines += 1;
        seal.bytes += line.len() as u64;
        out.put(&line)?;
    }
    out.cut()?;
    seal.crc32 = crc.finalize();
    seal.at = out.block();
    out.put(&Record::Seal(seal).to_line())?;
    out.cut()?;
    Ok(seal)
}
