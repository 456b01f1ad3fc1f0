//! The label constructs of both partitions: which volume this is, and which partition is which.

use super::{LtfsError, LtfsResult};
use crate::ldm::drive::{Drive, DriveFault, DriveResult, Partition, Position, ReadOutcome};
use crate::ldm::error::Blame;
use crate::ldm::fs::ltfs::finding::{Code, Finding};
use crate::ldm::fs::ltfs::label::{self, Label, PartitionId};
use crate::ldm::fs::ltfs::vol1::{self, Vol1Fault};
use crate::ldm::fs::ltfs::xml::XmlFault;

/// A record of a label construct is not longer than this, in bytes.
const RECORD_MAX: usize = 1 << 20;

/// What the labels of a volume say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// The volume's serial number, of its VOL1 records.
    pub serial: String,
    /// The label of the data partition, or the other one where that cannot be used.
    pub label: Label,
    /// The number of the index partition.
    pub index: Partition,
    /// The number of the data partition.
    pub data: Partition,
    /// What is wrong with them although they can be used. A volume with any of these is read and not written.
    pub findings: Vec<Finding>,
}

impl Labels {
    /// The partition's number in the drive; None: the volume has no such partition.
    pub fn number(&self, id: PartitionId) -> Option<Partition> {
        if id == self.label.index {
            Some(self.index)
        } else if id == self.label.data {
            Some(self.data)
        } else {
            None
        }
    }
}

/// One partition's construct.
struct One {
    serial: Option<String>,
    label: Option<Label>,
    findings: Vec<Finding>,
    /// Nothing was ever written to it.
    empty: bool,
    /// Its first record is none of LTFS.
    foreign: Option<String>,
    newer: Option<String>,
}

/// What a block of the construct is: a record, or something else, or unreadable.
enum Block {
    Record(Vec<u8>),
    Filemark,
    End,
    Unreadable(String),
}

/// Whether an error is of this block alone; any other ends everything.
pub(in crate::ldm::fs::ltfs) fn of_block(fault: &DriveFault) -> bool {
    match fault {
        DriveFault::Sense(sense) => matches!(sense.blame(), Blame::Extent | Blame::Medium),
        DriveFault::TooLong { .. } => true,
        DriveFault::Deferred(_)
        | DriveFault::Status(_)
        | DriveFault::Transport(_)
        | DriveFault::Nonsense(_)
        | DriveFault::PositionLost(_)
        | DriveFault::PositionUnknown
        | DriveFault::Astray { .. }
        | DriveFault::Reserved(_)
        | DriveFault::StaleInventory(_)
        | DriveFault::Library(_)
        | DriveFault::Unfit(_) => false,
    }
}

fn block(drive: &mut dyn Drive, at: Position) -> DriveResult<Block> {
    let mut buffer = vec![0; RECORD_MAX];
    let outcome = drive.locate(at).and_then(|()| drive.read(&mut buffer));
    match outcome {
        Ok(ReadOutcome::Record(length)) => {
            buffer.truncate(length);
            Ok(Block::Record(buffer))
        }
        Ok(ReadOutcome::Filemark) => Ok(Block::Filemark),
        Ok(ReadOutcome::EndOfData) => Ok(Block::End),
        Err(error) if of_block(&error.fault) => Ok(Block::Unreadable(error.to_string())),
        Err(error) => Err(error),
    }
}

fn one(drive: &mut dyn Drive, number: u8) -> DriveResult<One> {
    let mut found = One {
        serial: None,
        label: None,
        findings: Vec::new(),
        empty: false,
        foreign: None,
        newer: None,
    };
    let at = format!("partition {number}");
    let first = block(drive, Position::at(number, 0))?;
    found.empty = matches!(first, Block::End);
    let vol1 = match &first {
        Block::Record(record) => vol1::decode(record),
        Block::Filemark | Block::End => Err(Vol1Fault::NotVol1),
        Block::Unreadable(words) => {
            found.findings.push(Finding::new(Code::Vol1, &at, words.clone()));
            Err(Vol1Fault::NotVol1)
        }
    };
    match vol1 {
        Ok(serial) => found.serial = Some(serial),
        Err(fault) => {
            found.findings.push(Finding::new(Code::Vol1, &at, fault.to_string()));
            if matches!(fault, Vol1Fault::NotVol1 | Vol1Fault::OtherFormat(_)) {
                found.foreign = Some(fault.to_string());
            }
        }
    }
    if found.empty {
        return Ok(found);
    }
    for place in [1, 3] {
        if !matches!(block(drive, Position::at(number, place))?, Block::Filemark) {
            found
                .findings
                .push(Finding::new(Code::Label, &at, format!("no filemark at block {place}")));
        }
    }
    match block(drive, Position::at(number, 2))? {
        Block::Record(record) => match label::read(&record) {
            Ok(label) => found.label = Some(label),
            Err(error) => {
                found.findings.push(Finding::new(Code::Label, &at, error.to_string()));
                if let XmlFault::Newer(version) = error.fault {
                    found.newer = Some(version);
                }
            }
        },
        Block::Unreadable(words) => found.findings.push(Finding::new(Code::Label, &at, words)),
        Block::Filemark | Block::End => found.findings.push(Finding::new(Code::Label, &at, "no label record")),
    }
    Ok(found)
}

/// Reads the labels of both partitions. One that can be used is enough to read a volume; two that contradict each other
/// are not.
///
/// # Errors
/// `Unformatted`, `NotLtfs`, `Newer`, `LabelDamaged`, `LabelsDisagree`, or the drive's.
pub fn read_labels(drive: &mut dyn Drive) -> LtfsResult<Labels> {
    let zero = one(drive, 0)?;
    if zero.empty {
        return Err(LtfsError::Unformatted);
    }
    let both = match one(drive, 1) {
        Ok(other) => [zero, other],
        // A tape of one partition refuses to go to the second, and is none of LTFS.
        Err(error) if zero.label.is_none() && !error.lost_position() => {
            let words = zero.foreign.unwrap_or_else(|| error.to_string());
            return Err(LtfsError::NotLtfs(words));
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(version) = both.iter().find_map(|one| one.newer.clone()) {
        return Err(LtfsError::Newer(version));
    }
    together(both)
}

fn together([zero, one]: [One; 2]) -> LtfsResult<Labels> {
    let mut findings: Vec<_> = zero.findings.into_iter().chain(one.findings).collect();
    if let (Some(a), Some(b)) = (&zero.serial, &one.serial)
        && a != b
    {
        findings.push(Finding::new(
            Code::Vol1,
            "both partitions",
            format!("serial numbers {a} and {b}"),
        ));
    }
    let (label, index) = match (zero.label, one.label) {
        (Some(a), Some(b)) => {
            if let Some(field) = a.disagreement(&b) {
                return Err(LtfsError::LabelsDisagree(field));
            }
            if a.location == a.index { (b, 0) } else { (a, 1) }
        }
        (Some(a), None) => {
            let index = u8::from(a.location != a.index);
            (a, index)
        }
        (None, Some(b)) => {
            let index = u8::from(b.location == b.index);
            (b, index)
        }
        (None, None) => {
            return Err(match zero.foreign {
                Some(words) => LtfsError::NotLtfs(words),
                None => LtfsError::LabelDamaged(words_of(&findings)),
            });
        }
    };
    Ok(Labels {
        serial: zero.serial.or(one.serial).unwrap_or_default(),
        label,
        index: Partition(index),
        data: Partition(1 - index),
        findings,
    })
}

pub(super) fn words_of(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
