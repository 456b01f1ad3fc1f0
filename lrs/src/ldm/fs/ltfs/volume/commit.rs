//! Makes a tree the volume's newest generation: first on the data partition, then on the index partition, each on the
//! tape before the cartridge's memory names it. After a crash at any place one of both partitions ends in an index whose
//! tree is whole.

use super::append::stand_at_end;
use super::records::{RecordSink, Recorder, SinkFault};
use super::{Found, Labels, LtfsError, LtfsResult, Memory, Mounted, PartitionView, State, memory};
use crate::ldm::drive::{Drive, Position, WriteOutcome};
use crate::ldm::fs::ltfs::index::{self, Entry, Index, Location, Node, walk};
use crate::ldm::fs::ltfs::{LABEL_BLOCKS, PartitionId, Time};
use std::cell::Cell;

/// What a commit is to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Where the data partition must end now: what `Appender::flush` answered, or the mounted volume's end.
    pub expected_end: u64,
    /// Who writes, and why: product - platform - program - reason.
    pub creator: String,
    /// The time of the index.
    pub now: Time,
}

/// What a commit wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The new generation.
    pub generation: u64,
    /// Where its index is on the data partition.
    pub on_data: Location,
    /// And on the index partition.
    pub on_index: Location,
}

/// Writes an index construct at the present position, waits for the tape, and makes sure of the place.
pub(super) fn construct(drive: &mut dyn Drive, labels: &Labels, tree: &Index, files: u64) -> LtfsResult<Found> {
    let at = tree.head.location;
    let partition = labels.number(at.partition).expect("one of the labels' two partitions");
    let full = || LtfsError::Full(at.partition.to_string());
    if drive.write_filemarks(1)? == WriteOutcome::EndOfMedium {
        return Err(full());
    }
    let mut sink = RecordSink::new(drive, labels.label.block_size);
    let outcome = index::write(tree, &mut sink).and_then(|()| sink.finish());
    let (records, bytes) = (sink.records, sink.bytes);
    match sink.fault {
        Some(SinkFault::Full) => return Err(full()),
        Some(SinkFault::Drive(error)) => return Err(error.into()),
        None => outcome.map_err(|error| LtfsError::Refused(format!("the index cannot be written: {error}")))?,
    }
    for outcome in [drive.write_filemarks(1)?, drive.flush()?] {
        if outcome == WriteOutcome::EndOfMedium {
            return Err(full());
        }
    }
    let block = at.block + records + 1;
    let (found, expected) = (drive.position()?, Position { partition, block });
    if found != expected {
        return Err(LtfsError::Moved { found, expected });
    }
    Ok(Found {
        head: tree.head.clone(),
        records,
        bytes,
        files,
        end: block,
        gap: false,
    })
}

/// Files, and the block behind the last one that the tree uses on the index partition.
fn used(tree: &Index, partition: PartitionId, block_size: u32) -> (u64, u64) {
    let (files, end) = (Cell::new(0), Cell::new(0));
    walk(&tree.root, |_, node| {
        if let Node::File(file) = node {
            files.set(files.get() + 1);
            let here = file.extents.iter().filter(|extent| extent.partition == partition);
            let behind = here.filter_map(|extent| extent.end_block(block_size)).max();
            end.set(end.get().max(behind.unwrap_or(0)));
        }
    });
    (files.get(), end.get())
}

/// Where the index partition's construct begins: in place of the last one, and never over data, which lie before it.
fn place(mounted: &Mounted, used: u64) -> LtfsResult<u64> {
    let last = mounted
        .index
        .last
        .as_ref()
        .map_or(LABEL_BLOCKS, |last| last.head.location.block - 1);
    let place = last.max(used).max(LABEL_BLOCKS);
    if place > mounted.index.end {
        let words = format!("the tree has data up to block {used} of the index partition, which ends before");
        return Err(LtfsError::Refused(words));
    }
    Ok(place)
}

/// What must hold of a tree before anything is written for it.
fn presentable(mounted: &Mounted, expected_end: u64) -> LtfsResult<()> {
    let mut bounds = mounted.bounds();
    for (id, end) in &mut bounds.ends {
        if *id == mounted.data.id {
            *end = Some(expected_end);
        }
    }
    // Indexes of the past may be overwritten or superseded; data never lie in the present ones.
    let wrong = index::findings(&mounted.tree, &bounds);
    if let Some(finding) = wrong.first() {
        return Err(LtfsError::Refused(format!("the tree breaks a rule: {finding}")));
    }
    // An index that respool itself cannot read would be the last one on both partitions, and told as a success.
    index::write(&mounted.tree, std::io::sink())
        .map_err(|error| LtfsError::Refused(format!("the index cannot be written: {error}")))
}

/// Gives every entry without a uid one that was never used, and raises the highest.
fn number(tree: &mut Index) {
    let mut highest = tree.head.highest_uid.max(index::ROOT_UID);
    let mut stack = vec![&mut tree.root];
    while let Some(directory) = stack.pop() {
        for entry in &mut directory.contents {
            let uid = match entry {
                Entry::Directory(inner) => &mut inner.meta.uid,
                Entry::File(file) => &mut file.meta.uid,
            };
            if *uid == 0 {
                highest += 1;
                *uid = highest;
            }
            highest = highest.max(*uid);
            if let Entry::Directory(inner) = entry {
                stack.push(inner);
            }
        }
    }
    tree.head.highest_uid = highest;
}

/// Commits the tree of a mounted volume as it is now. Entries of uid 0 are given one. A volume that was not left clean is
/// recovered by this: the index that counts is written once more, behind everything, and nothing is overwritten but the
/// index partition's construct.
///
/// # Errors
/// `NotWritable`, `Refused` (the tree breaks a rule; nothing was written), `Moved`, `Full`, or the drive's. After an error
/// the volume must be mounted again before anything else is written.
pub fn commit(drive: &mut dyn Drive, mounted: &mut Mounted, what: &Commit) -> LtfsResult<Committed> {
    commit_after(drive, mounted, what, &mut |_| Ok(()))
}

/// The same with records directly before the data partition's index: they are written once the tree was found to be one
/// that an index can say, and are on the tape before the index is.
///
/// # Errors
/// As of `commit`, and those of `notes`.
pub fn commit_after(
    drive: &mut dyn Drive,
    mounted: &mut Mounted,
    what: &Commit,
    notes: &mut dyn FnMut(&mut Recorder<'_>) -> LtfsResult<()>,
) -> LtfsResult<Committed> {
    mounted.may_be_written(drive)?;
    number(&mut mounted.tree);
    presentable(mounted, what.expected_end)?;
    let label = &mounted.labels.label;
    let (on_index, on_data) = (label.index, label.data);
    let (files, used) = used(&mounted.tree, on_index, label.block_size);
    let begin = place(mounted, used)?;
    let generation = mounted.next_generation();
    let head = &mut mounted.tree.head;
    head.generation = generation;
    head.creator.clone_from(&what.creator);
    head.update_time = what.now;
    head.previous = mounted.data.last.as_ref().map(|last| last.head.location);

    stand_at_end(drive, mounted.labels.data, what.expected_end)?;
    let mut recorder = Recorder::new(drive, &mounted.labels, what.expected_end);
    notes(&mut recorder)?;
    recorder.cut()?;
    let first = Location {
        partition: on_data,
        block: recorder.block() + 1,
    };
    mounted.tree.head.location = first;
    let found = construct(drive, &mounted.labels, &mounted.tree, files)?;
    let told = memory::tell(drive, &mounted.labels, mounted.labels.data, generation, first.block)?;
    settle(&mut mounted.data, found);

    let second = Location {
        partition: on_index,
        block: begin + 1,
    };
    mounted.tree.head.location = second;
    mounted.tree.head.previous = Some(first);
    let at = Position {
        partition: mounted.labels.index,
        block: begin,
    };
    drive.locate(at)?;
    drive.allow_overwrite(at)?;
    let found = construct(drive, &mounted.labels, &mounted.tree, files)?;
    let now = memory::tell(drive, &mounted.labels, mounted.labels.index, generation, second.block)?;
    // A cartridge that counts a change between both would make the first one stale.
    if now != told {
        memory::tell(drive, &mounted.labels, mounted.labels.data, generation, first.block)?;
    }
    settle(&mut mounted.index, found);
    mounted.state = State::Clean;
    refresh(drive, mounted)?;
    Ok(Committed {
        generation,
        on_data: first,
        on_index: second,
    })
}

/// A partition now ends in that index.
fn settle(view: &mut PartitionView, found: Found) {
    view.end = found.end;
    view.last = Some(found);
    view.tail.clear();
    view.unproven.clear();
}

/// What the cartridge says after all of it.
fn refresh(drive: &mut dyn Drive, mounted: &mut Mounted) -> LtfsResult<()> {
    let (index, data): (Memory, Memory) = (
        memory::read(drive, &mounted.labels, mounted.labels.index)?,
        memory::read(drive, &mounted.labels, mounted.labels.data)?,
    );
    (mounted.index.memory, mounted.data.memory) = (index, data);
    Ok(())
}
