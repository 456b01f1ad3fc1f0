//! Makes a tape an empty volume. Everything that was on it is lost; whether that may be, others have decided.

use super::commit::construct;
use super::{Labels, LtfsError, LtfsResult, Mounted, memory, mount};
use crate::ldm::drive::{Drive, Layout, Partition, Position, WriteOutcome};
use crate::ldm::fs::ltfs::attributes::{self, Told};
use crate::ldm::fs::ltfs::index::{Directory, Head, Index, Location, Lock, Meta, ROOT_UID, Times};
use crate::ldm::fs::ltfs::label::{self, Label, PartitionId};
use crate::ldm::fs::ltfs::{BLOCK_MAX, BLOCK_MIN, FORMAT_VERSION, LABEL_BLOCKS, Time, name, vol1};
use uuid::Uuid;

/// What a new volume is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Up to six capital letters and digits.
    pub serial: String,
    /// The barcode on the cartridge.
    pub barcode: String,
    /// The volume's name; may be empty.
    pub name: String,
    /// The pool it belongs to; may be empty.
    pub pool: String,
    /// The volume, never used before.
    pub volume: Uuid,
    /// Length of a full record in bytes, at least 4096 and at most what the drive takes.
    pub block_size: u32,
    /// Whether the drive is to compress.
    pub compression: bool,
    /// Who formats: product - platform - program - reason.
    pub creator: String,
    /// When.
    pub now: Time,
}

fn refusal(drive: &dyn Drive, options: &Options) -> Option<String> {
    if !vol1::is_serial(&options.serial) {
        return Some(format!(
            "{:?} is no serial number: six capital letters or digits at most",
            options.serial
        ));
    }
    if !(BLOCK_MIN..=BLOCK_MAX).contains(&options.block_size) || options.block_size as usize > drive.record_max() {
        let most = drive.record_max();
        return Some(format!(
            "records of {} bytes: from {BLOCK_MIN} to {most} can be",
            options.block_size
        ));
    }
    if options.name.is_empty() {
        return None;
    }
    name::check(&options.name).err().map(|fault| fault.to_string())
}

/// Formats the tape in a drive, writes labels and first indexes, and mounts what it wrote.
///
/// # Errors
/// `Refused` before anything is touched; the drive's; or what mounting finds wrong afterwards.
pub fn format(drive: &mut dyn Drive, options: &Options) -> LtfsResult<Mounted> {
    let labels = lay_out(drive, options)?;
    write_labels(drive, options, &labels, &options.name)?;
    write_indexes(drive, options, &labels)
}

/// The first of a format's three steps: nothing of what was on the tape is left, and nothing is written. Answers the
/// labels that it is to have.
///
/// # Errors
/// As of `format`.
pub fn lay_out(drive: &mut dyn Drive, options: &Options) -> LtfsResult<Labels> {
    if let Some(words) = refusal(drive, options) {
        return Err(LtfsError::Refused(words));
    }
    drive.format(Layout::IndexAndData)?;
    Ok(Labels {
        serial: options.serial.clone(),
        label: new_label(options, PartitionId::B),
        index: Partition(0),
        data: Partition(1),
        findings: Vec::new(),
    })
}

/// The second: labels and no index. `name_in_memory` is what the cartridge's memory is told for the volume's name, which
/// may say until the end of the format that it has not ended.
///
/// # Errors
/// As of `format`.
pub fn write_labels(drive: &mut dyn Drive, options: &Options, labels: &Labels, name_in_memory: &str) -> LtfsResult<()> {
    write_label(drive, options, labels.index, PartitionId::A)?;
    write_label(drive, options, labels.data, PartitionId::B)?;
    let told = Told {
        name: name_in_memory,
        barcode: &options.barcode,
        pool: &options.pool,
    };
    for attribute in attributes::of_volume(told) {
        drive.set_attribute(Partition(0), &attribute)?;
    }
    Ok(())
}

/// The third: the first indexes. Answers what is mounted then.
///
/// # Errors
/// As of `format`.
pub fn write_indexes(drive: &mut dyn Drive, options: &Options, labels: &Labels) -> LtfsResult<Mounted> {
    let place = |partition| Location {
        partition,
        block: LABEL_BLOCKS + 1,
    };
    let (on_data, on_index) = (place(PartitionId::B), place(PartitionId::A));
    first_index(drive, labels, &first_tree(options, on_data, None))?;
    let told = memory::tell(drive, labels, labels.data, 1, on_data.block)?;
    first_index(drive, labels, &first_tree(options, on_index, Some(on_data)))?;
    let now = memory::tell(drive, labels, labels.index, 1, on_index.block)?;
    if now != told {
        memory::tell(drive, labels, labels.data, 1, on_data.block)?;
    }
    let mounted = mount(drive)?;
    if mounted.labels != *labels || !mounted.state.is_clean() {
        return Err(LtfsError::LabelDamaged(
            "what was written does not read back".to_owned(),
        ));
    }
    Ok(mounted)
}

fn new_label(options: &Options, location: PartitionId) -> Label {
    Label {
        version: FORMAT_VERSION.to_owned(),
        creator: options.creator.clone(),
        format_time: options.now,
        volume: options.volume,
        location,
        index: PartitionId::A,
        data: PartitionId::B,
        block_size: options.block_size,
        compression: options.compression,
    }
}

fn taken(outcome: WriteOutcome, id: PartitionId) -> LtfsResult<()> {
    match outcome {
        WriteOutcome::Taken | WriteOutcome::EarlyWarning => Ok(()),
        WriteOutcome::EndOfMedium => Err(LtfsError::Full(id.to_string())),
    }
}

fn write_label(drive: &mut dyn Drive, options: &Options, partition: Partition, id: PartitionId) -> LtfsResult<()> {
    let vol1 = vol1::encode(&options.serial).ok_or_else(|| LtfsError::Refused("no serial number".to_owned()))?;
    let label = label::write(&new_label(options, id))
        .map_err(|error| LtfsError::Refused(format!("the label cannot be written: {error}")))?;
    let at = Position { partition, block: 0 };
    drive.locate(at)?;
    drive.allow_overwrite(at)?;
    taken(drive.write(&vol1)?, id)?;
    taken(drive.write_filemarks(1)?, id)?;
    taken(drive.write(&label)?, id)?;
    taken(drive.write_filemarks(1)?, id)?;
    taken(drive.flush()?, id)
}

fn first_tree(options: &Options, location: Location, previous: Option<Location>) -> Index {
    Index {
        head: Head {
            attributes: Vec::new(),
            creator: options.creator.clone(),
            comment: None,
            volume: options.volume,
            generation: 1,
            update_time: options.now,
            location,
            previous,
            allow_policy_update: true,
            policy: None,
            highest_uid: ROOT_UID,
            lock: Some(Lock::Unlocked),
            unknown: Vec::new(),
        },
        root: Directory {
            meta: Meta {
                name: options.name.clone(),
                times: Times::all(options.now),
                uid: ROOT_UID,
                ..Meta::default()
            },
            contents: Vec::new(),
        },
    }
}

/// The tree of a volume that was never written.
pub(in crate::ldm::fs::ltfs) fn empty_tree(options: &Options) -> Index {
    let location = Location {
        partition: PartitionId::B,
        block: LABEL_BLOCKS + 1,
    };
    first_tree(options, location, None)
}

fn first_index(drive: &mut dyn Drive, labels: &Labels, tree: &Index) -> LtfsResult<()> {
    let partition = labels.number(tree.head.location.partition).expect("one of both");
    let at = Position {
        partition,
        block: LABEL_BLOCKS,
    };
    drive.locate(at)?;
    drive.allow_overwrite(at)?;
    construct(drive, labels, tree, 0).map(drop)
}
