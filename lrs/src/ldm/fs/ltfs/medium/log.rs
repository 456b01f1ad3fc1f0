//! The log behind an index of the data partition: what was made durable since. Found from the end of what follows the index
//! backwards, read along its chain, and believed only where every part fits the others. Nothing is written.

use super::notes::{Newest, SEAL_MAX};
use super::stretch::{Files, Stretch};
use super::sync::BEGINS;
use super::tag::{Record, Seal, Sealed};
use crate::ldm::drive::{Drive, Partition, Position, ReadOutcome};
use crate::ldm::fs::Label;
use crate::ldm::fs::ltfs::volume::{Labels, LtfsResult, Mounted, of_block};
use std::ops::Range;

/// What was found behind an index.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Every change, in its order.
    pub(super) changes: Vec<Record>,
    /// Bytes of the lines of all of them.
    pub(super) bytes: u64,
    /// The last seal.
    pub(super) last: Option<Seal>,
    /// Why it cannot be relied on; what is answered beside is then nothing to go by.
    pub(super) damage: Option<String>,
    /// Blocks behind the last seal, or behind the index where there is none. Nobody relies on them.
    pub(super) dead: u64,
}

impl Log {
    /// This log, and what was made durable before it.
    fn after(self, earlier: Self) -> Self {
        Self {
            changes: earlier.changes.into_iter().chain(self.changes).collect(),
            bytes: earlier.bytes + self.bytes,
            damage: earlier.damage.or(self.damage),
            ..self
        }
    }
}

/// Which volume a seal must be of, and behind which index.
#[derive(Clone, Copy)]
pub(super) struct Proof<'a> {
    pub(super) labels: &'a Labels,
    pub(super) label: &'a Label,
    pub(super) stretch: Stretch,
}

/// Records that are read at once on the way back, to begin with. Each step reads twice as many: what was not synced when
/// the power went is at most some minutes of writing.
const FIRST_STEP: u64 = 1;

/// Reads the log of a volume: behind its last index and, where that one is of other software, behind respool's last one too.
pub(super) fn read(drive: &mut dyn Drive, mounted: &Mounted, newest: &Newest) -> LtfsResult<Log> {
    let Some(stretch) = Stretch::last(mounted) else {
        return Ok(Log::default());
    };
    if mounted.data.lost_end.is_some() {
        return Ok(damaged(Log::default(), "where it ends cannot be found".to_owned()));
    }
    let proof = Proof {
        labels: &mounted.labels,
        label: &newest.label,
        stretch,
    };
    let log = behind(drive, proof, &Files::default())?;
    let Some(stretch) = newest.overtaken else {
        return Ok(log);
    };
    let proof = Proof { stretch, ..proof };
    if !is_begun(drive, proof)? {
        return Ok(log);
    }
    let files = Files::of(&mounted.tree.root, &mounted.labels);
    let earlier = behind(drive, proof, &files)?;
    Ok(log.after(earlier))
}

/// Whether respool has written in a stretch, or may have: what others wrote there may be very long, and is not read.
fn is_begun(drive: &mut dyn Drive, proof: Proof<'_>) -> LtfsResult<bool> {
    let (partition, block) = (proof.labels.data, proof.stretch.first);
    let mut buffer = vec![0; proof.labels.label.block_size as usize];
    let read = drive
        .locate(Position { partition, block })
        .and_then(|()| drive.read(&mut buffer));
    match read {
        Ok(ReadOutcome::Record(length)) => Ok(&buffer[..length] == BEGINS),
        Ok(ReadOutcome::Filemark | ReadOutcome::EndOfData) => Ok(false),
        Err(error) if of_block(&error.fault) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Reads the log in a stretch. What these files are made of holds no part of its end.
fn behind(drive: &mut dyn Drive, proof: Proof<'_>, files: &Files) -> LtfsResult<Log> {
    let Stretch { first, end, .. } = proof.stretch;
    let mut log = Log {
        dead: end - first,
        ..Log::default()
    };
    let Some(last) = last_seal(drive, proof, files, &mut log)? else {
        return Ok(log);
    };
    log.dead = end - last.at - 1;
    log.last = Some(last);
    let mut windows = Vec::new();
    let mut next = Some(last);
    while let Some(seal) = next {
        match window(drive, proof, &seal)? {
            Ok(lines) => {
                log.bytes += seal.bytes;
                windows.push(lines);
            }
            Err(words) => return Ok(damaged(log, words)),
        }
        next = match (seal.after, seal.number) {
            (None, 1) => None,
            (Some(block), number) if first <= block && block < seal.first && number > 1 => {
                match seal_at(drive, proof, block)? {
                    Some(before) if before.number == number - 1 && before.index == seal.index => Some(before),
                    Some(_) | None => {
                        let words = format!("seal {} should be at block {block}, and is not", number - 1);
                        return Ok(damaged(log, words));
                    }
                }
            }
            _ => {
                return Ok(damaged(
                    log,
                    format!("the seal at block {} does not fit before it", seal.at),
                ));
            }
        };
    }
    windows.reverse();
    log.changes = windows.into_iter().flatten().collect();
    Ok(log)
}

/// Whether these seals and what they seal, just written, are read as they were written.
pub(super) fn confirm(drive: &mut dyn Drive, proof: Proof<'_>, seals: &[Seal]) -> LtfsResult<Result<(), String>> {
    for seal in seals {
        if let Err(words) = window(drive, proof, seal)? {
            return Ok(Err(format!("the log reads otherwise than it was written: {words}")));
        }
        if seal_at(drive, proof, seal.at)? != Some(*seal) {
            let words = format!(
                "the log reads otherwise than it was written: the seal at block {}",
                seal.at
            );
            return Ok(Err(words));
        }
    }
    Ok(Ok(()))
}

fn damaged(log: Log, words: String) -> Log {
    let damage = Some(format!("the log behind its index: {words}"));
    Log { damage, ..log }
}

/// The last seal of a stretch.
fn last_seal(drive: &mut dyn Drive, proof: Proof<'_>, files: &Files, log: &mut Log) -> LtfsResult<Option<Seal>> {
    let base = proof.stretch.first;
    let (mut upper, mut step) = (proof.stretch.end, FIRST_STEP);
    let mut unreadable = None;
    while upper > base {
        let from = base.max(upper.saturating_sub(step));
        let found = scan(drive, proof, files, from..upper)?;
        // What cannot be read behind a seal may have been a later one.
        unreadable = unreadable.or(found.unreadable);
        if found.last.is_some() || from == base {
            log.damage =
                unreadable.map(|block| format!("block {block} cannot be read, and may have been a part of its log"));
            return Ok(found.last);
        }
        (upper, step) = (from, step * 2);
    }
    Ok(None)
}

#[derive(Default)]
struct Scanned {
    last: Option<Seal>,
    /// A block behind the last seal that cannot be read.
    unreadable: Option<u64>,
}

fn scan(drive: &mut dyn Drive, proof: Proof<'_>, files: &Files, blocks: Range<u64>) -> LtfsResult<Scanned> {
    let partition = proof.labels.data;
    let mut buffer = vec![0; proof.labels.label.block_size as usize];
    let mut found = Scanned::default();
    let mut stands = false;
    for block in blocks {
        if files.hold(block) {
            stands = false;
            continue;
        }
        if !stands {
            drive.locate(Position { partition, block })?;
        }
        match drive.read(&mut buffer) {
            Ok(ReadOutcome::Record(length)) => {
                stands = true;
                match proved(&buffer[..length], proof, block) {
                    Some(seal) if seal.index == proof.stretch.index => {
                        found = Scanned {
                            last: Some(seal),
                            unreadable: None,
                        };
                    }
                    // It follows an index that was not found: that one is as good as unread.
                    Some(_) => found.unreadable = Some(block),
                    None => {}
                }
            }
            // An index that was begun and not ended has one before it.
            Ok(ReadOutcome::Filemark) => stands = true,
            Ok(ReadOutcome::EndOfData) => {
                stands = false;
                found.unreadable = Some(block);
            }
            Err(error) if of_block(&error.fault) => {
                stands = false;
                found.unreadable = Some(block);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// A record that is a seal of this volume, and says that it is where it is.
fn proved(record: &[u8], proof: Proof<'_>, block: u64) -> Option<Seal> {
    if record.len() > SEAL_MAX {
        return None;
    }
    let Some(Record::Seal(seal)) = Record::from_line(record) else {
        return None;
    };
    // A snapshot without its index is of a commit that did not come to its end, and says nothing that the log does not.
    let ours = seal.of == Sealed::Window
        && seal.at == block
        && seal.volume == proof.labels.label.volume
        && seal.medium == proof.label.medium
        && seal.generation == proof.label.generation
        && (proof.stretch.first..=block).contains(&seal.first);
    ours.then_some(seal)
}

/// The records of a run as bytes; None: one of them is none, or cannot be read.
fn bytes(drive: &mut dyn Drive, partition: Partition, blocks: Range<u64>, most: usize) -> LtfsResult<Option<Vec<u8>>> {
    let mut all = Vec::new();
    let mut buffer = vec![0; most];
    let block = blocks.start;
    if !blocks.is_empty() {
        drive.locate(Position { partition, block })?;
    }
    for _ in blocks {
        match drive.read(&mut buffer) {
            Ok(ReadOutcome::Record(length)) => all.extend_from_slice(&buffer[..length]),
            Ok(ReadOutcome::Filemark | ReadOutcome::EndOfData) => return Ok(None),
            Err(error) if of_block(&error.fault) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Some(all))
}

fn seal_at(drive: &mut dyn Drive, proof: Proof<'_>, block: u64) -> LtfsResult<Option<Seal>> {
    let labels = proof.labels;
    let read = bytes(drive, labels.data, block..block + 1, labels.label.block_size as usize)?;
    Ok(read.and_then(|record| proved(&record, proof, block)))
}

/// The lines that a seal seals.
fn window(drive: &mut dyn Drive, proof: Proof<'_>, seal: &Seal) -> LtfsResult<Result<Vec<Record>, String>> {
    let labels = proof.labels;
    let Some(text) = bytes(
        drive,
        labels.data,
        seal.first..seal.at,
        labels.label.block_size as usize,
    )?
    else {
        return Ok(Err(format!("a block from {} on cannot be read", seal.first)));
    };
    if (text.len() as u64, crc32fast::hash(&text)) != (seal.bytes, seal.crc32) {
        return Ok(Err(format!(
            "the lines from block {} on are not those that were sealed",
            seal.first
        )));
    }
    let lines: Option<Vec<Record>> = text
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| Record::from_line(line.strip_suffix(b"\n")?))
        .collect();
    Ok(match lines {
        Some(lines) if lines.len() as u64 == seal.lines => Ok(lines),
        Some(_) | None => Err(format!("a line from block {} on is damaged", seal.first)),
    })
}
