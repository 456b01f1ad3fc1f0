//! What a volume holds and how it was left, for an import. One tree is in memory, and the entries are made from it.

use super::choice::{Choice, ForeignState, choose, lost_indexes, may_have_been};
use super::entry::{EntryFault, ForeignEntries, join};
use super::seat::Seat;
use super::tree;
use crate::ldm::fs::ltfs::index::{Bounds, Directory, Entry, File};
use crate::ldm::fs::ltfs::medium::SharedDrive;
use crate::ldm::fs::ltfs::volume::{self, FileReader, Labels, Mounted, PartitionView};
use crate::ldm::{Fault, MediaResult, Op};
use std::borrow::Cow;
use std::collections::BTreeMap;
use uuid::Uuid;

/// So many lines of damage are told one by one: a tree where everything is wrong says nothing more by a million of them.
/// Each entry has its own word all the same.
const MOST_LINES: usize = 1000;

/// So many earlier generations are named where the last one is lost.
const MOST_POINTS: usize = 20;

/// A volume as it was found.
#[derive(Debug)]
pub struct ForeignSurvey {
    /// Which volume, by its labels.
    pub volume: Uuid,
    /// Its serial number, by its VOL1 records.
    pub serial: String,
    /// Its name.
    pub volume_name: String,
    /// The generation of the index that counts.
    pub generation: u64,
    /// The length of a full record in bytes.
    pub block_size: u32,
    /// How it was left.
    pub state: ForeignState,
    /// What is wrong with it: of the volume first, then of single paths, each with its reason.
    pub damage: Vec<String>,
    /// Blocks of the data partition that no index names behind the last index: the first, and the one behind the last.
    /// They are no files, and are never counted as such.
    pub unindexed_tail: Option<(u64, u64)>,
    /// Everything in its tree: a directory before what it holds, names in order.
    pub entries: ForeignEntries,
}

/// Reads what a volume holds. `name` is for messages. Of the tape its labels and indexes are read, and no file: records
/// that are missing, short or spoilt show when files are read. Nothing is written.
///
/// # Errors
/// `Damaged`: no index can be trusted; says what could be gone back to. `Unlabelled` or `Unfit`: it is no such volume. The
/// drive's.
pub fn survey(drive: &SharedDrive, name: &str) -> MediaResult<ForeignSurvey> {
    let seat = Seat::new(drive, name);
    let mounted = seat.work(Op::Mount, volume::mount)?;
    of_mounted(&seat, mounted)
}

/// The same of a volume that was just mounted, whose indexes are not read again.
///
/// # Errors
/// As of `survey`.
pub fn survey_mounted(drive: &SharedDrive, name: &str, mounted: Mounted) -> MediaResult<ForeignSurvey> {
    of_mounted(&Seat::new(drive, name), mounted)
}

fn of_mounted(seat: &Seat, mut mounted: Mounted) -> MediaResult<ForeignSurvey> {
    let state = match choose(&mounted) {
        Choice::Tree(state) => state,
        Choice::NoIndex(why) => {
            let points = seat.work(Op::Mount, |drive| points(drive, &mounted))?;
            let words = format!(
                "the last index of neither partition can be read ({}); {points}",
                why.join("; ")
            );
            return Err(seat.fault(Op::Mount, None, Fault::Damaged(words)));
        }
    };
    tree::arrange(&mut mounted.tree.root);
    let damaged = faults(&mounted.tree.root, &mounted.labels, &mounted.bounds());
    Ok(ForeignSurvey {
        volume: mounted.labels.label.volume,
        serial: mounted.labels.serial.clone(),
        volume_name: mounted.tree.root.meta.name.clone(),
        generation: mounted.tree.head.generation,
        block_size: mounted.labels.label.block_size,
        damage: damage(&mounted, &state, &damaged),
        unindexed_tail: unindexed_tail(&mounted.data, &state),
        state,
        entries: ForeignEntries::of(mounted.tree.root, mounted.labels, damaged),
    })
}

/// The generations that could be gone back to, in words.
fn points(drive: &mut dyn crate::ldm::drive::Drive, mounted: &Mounted) -> volume::LtfsResult<String> {
    let (chain, _) = volume::generations(drive, mounted)?;
    if chain.is_empty() {
        return Ok("there is no earlier index either".to_owned());
    }
    let newest = chain.iter().rev().take(MOST_POINTS);
    let words: Vec<String> = newest
        .map(|found| {
            let head = &found.head;
            format!(
                "generation {} of {} at {}",
                head.generation, head.update_time, head.location
            )
        })
        .collect();
    let more = match chain.len().saturating_sub(MOST_POINTS) {
        0 => String::new(),
        more => format!(", and {more} before them"),
    };
    Ok(format!("it could be gone back to {}{more}", words.join(", ")))
}

/// Paths of which something is wrong in an arranged tree, with the reason.
fn faults(root: &Directory, labels: &Labels, bounds: &Bounds) -> BTreeMap<String, EntryFault> {
    let mut found = BTreeMap::new();
    let mut left = vec![(String::new(), root, None)];
    while let Some((way, directory, inherited)) = left.pop() {
        let name = |at: Option<usize>| Some(tree::meta(directory.contents.get(at?)?).name.as_str());
        for (number, entry) in directory.contents.iter().enumerate() {
            let own = &tree::meta(entry).name;
            let path = join(&way, own);
            let of_name = || tree::fault(own, name(number.checked_sub(1)), name(Some(number + 1)));
            let why: Option<String> = inherited.clone().or_else(of_name);
            match entry {
                Entry::Directory(inner) => {
                    let below = why.as_ref().map(|_| format!("no path leads to it alone, as of {path}"));
                    left.push((path.clone(), inner, inherited.clone().or(below)));
                    found.extend(why.map(|why| (path, EntryFault::NoWay(why))));
                }
                Entry::File(file) => {
                    let of_bytes = || of_bytes(file, labels, bounds).map(EntryFault::Bytes);
                    let fault = why.map(EntryFault::NoWay).or_else(of_bytes);
                    found.extend(fault.map(|fault| (path, fault)));
                }
            }
        }
    }
    found
}

/// Why the bytes of a file cannot be where its extents say.
fn of_bytes(file: &File, labels: &Labels, bounds: &Bounds) -> Option<String> {
    if file.symlink.is_some() {
        return None;
    }
    let reader = FileReader::within(labels, bounds, Cow::Borrowed(file));
    reader.err().map(|error| error.to_string())
}

fn damage(mounted: &Mounted, state: &ForeignState, damaged: &BTreeMap<String, EntryFault>) -> Vec<String> {
    let mut lines: Vec<String> = mounted.labels.findings.iter().map(ToString::to_string).collect();
    if let ForeignState::Doubtful(why) = state {
        lines.push(format!("files may be missing: {why}"));
    }
    for view in [&mounted.index, &mounted.data] {
        lines.extend(lost_indexes(view));
        let of_end = view.lost_end.as_ref();
        lines.extend(of_end.map(|why| format!("the end of partition {}: {why}", view.id)));
        let gap = view.last.as_ref().filter(|last| last.gap);
        lines.extend(gap.map(|last| format!("the index at {}: a record of it is short", last.head.location)));
    }
    let paths = damaged.iter().take(MOST_LINES);
    lines.extend(paths.map(|(path, why)| format!("{path}: {why}")));
    if let more @ 1.. = damaged.len().saturating_sub(MOST_LINES) {
        lines.push(format!("and {more} paths more"));
    }
    lines
}

/// Runs of records behind the last index. What the data partition has before a lost index is named by the other partition's
/// where that has the same files; else nobody names it.
fn unindexed_tail(data: &PartitionView, state: &ForeignState) -> Option<(u64, u64)> {
    let lost = data
        .unproven
        .iter()
        .filter(|one| may_have_been(one))
        .map(|one| one.block);
    let lost: Vec<u64> = lost.collect();
    let named_to = match state {
        ForeignState::OneIndex(id) if *id == data.id => lost.iter().max().copied(),
        ForeignState::OneIndex(_)
        | ForeignState::Whole
        | ForeignState::DataPartitionNewer
        | ForeignState::Tail
        | ForeignState::Doubtful(_) => None,
    };
    let unnamed = |first: u64| named_to.is_none_or(|to| first > to) && !lost.contains(&first);
    let runs = data.tail.iter().filter(|run| unnamed(run.first));
    runs.map(|run| (run.first, run.behind))
        .reduce(|all, run| (all.0.min(run.0), all.1.max(run.1)))
}
