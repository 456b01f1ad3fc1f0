//! Makes a medium of a blank tape, and finds one again. A tape that holds anything is never made a medium to make room.

use super::SharedDrive;
use super::condition::Condition;
use super::deck::Deck;
use super::notes::{self, Content, Newest, creator};
use super::shelf::Shelf;
use super::sync::commit_all;
use super::volume::{LtfsVolume, Survey, survey};
use super::{Erasing, Expected, FORMAT, mark};
use crate::ldm::drive::{Drive, DriveFault, Partition};
use crate::ldm::fs::ltfs::attributes;
use crate::ldm::fs::ltfs::label::{Label as VolumeLabel, PartitionId};
use crate::ldm::fs::ltfs::volume::{
    self, Commit, Labels, LtfsError, LtfsResult, Memory, Mounted, Options, State, of_block,
};
use crate::ldm::fs::ltfs::{FORMAT_VERSION, Time, vol1};
use crate::ldm::fs::{EraseStep, Label, Volume, describe, meant};
use crate::ldm::scsi::SenseClass;
use crate::ldm::{Fault, MediaResult, Op};
use dss::model::{Generation, MediumId};

/// How a new volume is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The barcode on the cartridge. The serial number of the volume is made of it.
    pub barcode: String,
    /// Length of a full record in bytes.
    pub block_size: u32,
    /// Whether the drive is to compress.
    pub compression: bool,
}

impl Shape {
    /// Records as other LTFS software makes them, without compression.
    pub fn usual(barcode: &str) -> Self {
        Self {
            barcode: barcode.to_owned(),
            block_size: 512 << 10,
            compression: false,
        }
    }

    fn options(&self, label: &Label) -> Options {
        let serial: String = self.barcode.chars().take(vol1::SERIAL_MAX).collect();
        Options {
            serial: if vol1::is_serial(&serial) {
                serial
            } else {
                String::new()
            },
            barcode: self.barcode.clone(),
            name: label.name.clone(),
            pool: String::new(),
            // Any id that was never used will do.
            volume: MediumId::fresh().0,
            block_size: self.block_size,
            compression: self.compression,
            creator: creator("Format"),
            now: Time::from(label.created_at),
        }
    }
}

/// Formats a tape, and writes a label before its second index. The drive is nobody's while `between` is told of a step.
pub(super) fn lay_out(
    deck: &Deck,
    op: Op,
    label: &Label,
    shape: &Shape,
    between: &mut dyn FnMut(EraseStep),
) -> MediaResult<Mounted> {
    let options = shape.options(label);
    let labels = deck.work(op, |drive| {
        mark::set(drive, label, &shape.barcode)?;
        let labels = volume::lay_out(drive, &options)?;
        // A format may have cleared the cartridge's memory.
        mark::set(drive, label, &shape.barcode)?;
        Ok(labels)
    })?;
    between(EraseStep::Middle);
    let words = mark::words(label);
    deck.work(op, |drive| volume::write_labels(drive, &options, &labels, &words))?;
    between(EraseStep::BeforeLabel);
    deck.work(op, |drive| {
        let mut mounted = volume::write_indexes(drive, &options, &labels)?;
        let what = Commit {
            expected_end: mounted.data.end,
            creator: creator("Format"),
            now: options.now,
        };
        let content = Content {
            label,
            stamped: None,
            shelf: &Shelf::default(),
            used: 0,
        };
        commit_all(drive, &mut mounted, &what, &content)?;
        // The label is there: nothing is being erased any more.
        mark::clear(drive, label)?;
        volume::mount(drive)
    })
}

/// Makes a medium of a blank tape.
///
/// # Errors
/// `Unfit`: the tape holds something, which is told, and nothing was touched.
pub fn format(drive: &SharedDrive, label: &Label, shape: &Shape) -> MediaResult<()> {
    let deck = Deck::new(drive.clone(), &label.name);
    let unfit = |why: String| Err(deck.fault(Op::Mount, None, Fault::Unfit(why)));
    if label.format != FORMAT {
        return unfit(format!("a tape cannot be of format '{}'", label.format));
    }
    if let Some(holds) = deck.work(Op::Mount, |drive| held(drive, label))? {
        return unfit(holds);
    }
    let mounted = lay_out(&deck, Op::Mount, label, shape, &mut |_| {})?;
    match deck.work(Op::Mount, |drive| label_of(drive, &mounted))? {
        Some(found) if found == *label => Ok(()),
        Some(_) | None => Err(deck.damaged(Op::Mount, "the label reads back otherwise than it was written")),
    }
}

/// An illegal request: a drive refuses to go to a partition that the cartridge has not.
const ILLEGAL_REQUEST: u8 = 0x5;

/// Why a tape is not blank; None: nothing was ever written to any partition, and the cartridge's memory knows of no medium
/// or volume. A partition that begins empty says nothing of the other one.
fn written(drive: &mut dyn Drive, medium: MediumId) -> LtfsResult<Option<String>> {
    for partition in [Partition(0), Partition(1)] {
        match drive.locate_end(partition) {
            Ok(end) if end.block == 0 => {}
            Ok(end) => return Ok(Some(format!("the data of {partition} end at block {}", end.block))),
            Err(error) => match &error.fault {
                DriveFault::Sense(sense) if sense.class() == SenseClass::EndOfData => {}
                DriveFault::Sense(sense) if sense.key == ILLEGAL_REQUEST && partition != Partition(0) => {}
                fault if of_block(fault) => return Ok(Some(error.to_string())),
                _ => return Err(error.into()),
            },
        }
        if drive.attribute(partition, attributes::COHERENCY)?.is_some() {
            return Ok(Some(format!(
                "the cartridge's memory names an index of LTFS in {partition}"
            )));
        }
    }
    let id = drive.attribute(Partition(0), attributes::MEDIUM_ID)?;
    let another = id.is_some_and(|id| id.value != attributes::medium_id(medium.0).value);
    Ok(another.then(|| "the cartridge's memory says that it is another medium".to_owned()))
}

/// What a tape holds; None: nothing, or what a format of the same medium has left.
fn held(drive: &mut dyn Drive, label: &Label) -> LtfsResult<Option<String>> {
    let Some(written) = written(drive, label.medium)? else {
        return Ok(None);
    };
    Ok(match volume::mount(drive) {
        Ok(mounted) => match label_of(drive, &mounted)? {
            Some(label) => Some(format!("it is a medium already: {}", describe(&label))),
            // A format may have come as far as its first index, which has no label.
            None if mounted.tree.root.contents.is_empty() && mark::is_set(drive, label.medium, label.generation)? => {
                None
            }
            None => Some(format!("it holds an LTFS volume, '{}'", mounted.tree.root.meta.name)),
        },
        // That the drive failed says nothing of the tape.
        Err(LtfsError::Drive(error)) if !of_block(&error.fault) => return Err(error.into()),
        Err(_) if mark::is_set(drive, label.medium, label.generation)? => None,
        Err(error) => Some(format!("it is not blank, as {written}: {error}")),
    })
}

/// The label of a volume; None: it is not one of respool's.
fn label_of(drive: &mut dyn Drive, mounted: &Mounted) -> LtfsResult<Option<Label>> {
    let newest = notes::find(drive, mounted)?.ok();
    Ok(newest.map(|newest| newest.label).filter(|label| label.format == FORMAT))
}

fn labelled(deck: &Deck, mounted: &Mounted) -> MediaResult<Newest> {
    let name = &mounted.tree.root.meta.name;
    let words = match deck.work(Op::Mount, |drive| notes::find(drive, mounted))? {
        Ok(newest) if newest.label.format == FORMAT => return Ok(newest),
        Ok(newest) => format!(
            "the tape is of format '{}', which this program does not know",
            newest.label.format
        ),
        Err(None) => format!("the tape holds an LTFS volume, '{name}', that is not respool's"),
        Err(Some(damage)) => return Err(deck.damaged(Op::Mount, damage)),
    };
    Err(deck.fault(Op::Mount, None, Fault::Unlabelled(words)))
}

/// The label on a tape, whichever medium it names. `medium` is for messages.
pub fn read_label(drive: &SharedDrive, medium: &str) -> MediaResult<Label> {
    let (label, _) = mount_unknown(drive, medium)?;
    label
}

/// Mounts whatever volume is on a tape. Answers its label with it: it may have none of respool's.
pub fn mount_unknown(drive: &SharedDrive, medium: &str) -> MediaResult<(MediaResult<Label>, Mounted)> {
    let deck = Deck::new(drive.clone(), medium);
    let mounted = deck.work(Op::Mount, volume::mount)?;
    Ok((labelled(&deck, &mounted).map(|newest| newest.label), mounted))
}

/// Mounts the medium that is expected, or says which one is there. Nothing is written.
pub fn mount(drive: &SharedDrive, expected: Expected) -> MediaResult<Box<dyn Volume>> {
    let deck = Deck::new(drive.clone(), &expected.name);
    deck.ask(Op::Mount, |drive| drive.guard())?;
    // An erasure leaves nothing, or a volume without files: files of another one were there before, or came since.
    let mut holds_files = false;
    let found = deck.work(Op::Mount, volume::mount).and_then(|mounted| {
        holds_files = !mounted.tree.root.contents.is_empty();
        Ok((labelled(&deck, &mounted)?, mounted))
    });
    let (newest, mounted) = match found {
        Ok(found) => found,
        Err(error) => {
            let unlabelled = matches!(error.fault, Fault::Unlabelled(_) | Fault::Damaged(_));
            let may_be = unlabelled && !holds_files && expected.erasing == Erasing::Begun;
            if !may_be
                || !deck.work(Op::Mount, |drive| {
                    mark::is_set(drive, expected.medium, newest(&expected))
                })?
            {
                return Err(error);
            }
            let (label, survey) = half_erased(&expected);
            return Ok(Box::new(LtfsVolume::new(deck, expected.clock, label, survey)?));
        }
    };
    let label = newest.label.clone();
    if let Err(fault) = meant(&label, expected.medium, &expected.name, &expected.generations) {
        return Err(deck.fault(Op::Mount, None, fault));
    }
    let mut survey = deck.work(Op::Mount, |drive| survey(drive, mounted, newest, expected.least_end))?;
    let ours = expected.catalogue.is_none_or(|ours| ours == label.catalogue);
    if !ours && matches!(survey.condition, Condition::Whole | Condition::Recover) {
        survey.condition = Condition::ReadOnly(format!(
            "it belongs to another archive (catalogue {}), which may write to it as well: it is only read here until it was \
             emptied and erased",
            label.catalogue
        ));
    }
    Ok(Box::new(LtfsVolume::new(deck, expected.clock, label, survey)?))
}

/// The generation that an erasure of the medium would make.
fn newest(expected: &Expected) -> Generation {
    expected.generations.iter().max().copied().unwrap_or(Generation(0))
}

/// A tape whose erasure did not come to its end: nothing of it counts, and its label would be the last that is expected.
fn half_erased(expected: &Expected) -> (Label, Survey) {
    let now = (expected.clock)();
    let label = Label {
        format: FORMAT.to_owned(),
        medium: expected.medium,
        name: expected.name.clone(),
        generation: newest(expected),
        catalogue: dss::model::CatalogueId(uuid::Uuid::nil()),
        revision: dss::model::Revision(0),
        created_at: now,
    };
    let nothing = |id, number| volume::PartitionView {
        id,
        number,
        end: 0,
        lost_end: None,
        last: None,
        tail: Vec::new(),
        unproven: Vec::new(),
        memory: Memory::Absent,
    };
    let shape = Shape::usual("");
    let options = shape.options(&label);
    let labels = Labels {
        serial: String::new(),
        label: VolumeLabel {
            version: FORMAT_VERSION.to_owned(),
            creator: String::new(),
            format_time: options.now,
            volume: options.volume,
            location: PartitionId::B,
            index: PartitionId::A,
            data: PartitionId::B,
            block_size: shape.block_size,
            compression: shape.compression,
        },
        index: Partition(0),
        data: Partition(1),
        findings: Vec::new(),
    };
    let mounted = Mounted {
        tree: volume::empty_tree(&options),
        state: State::Incomplete,
        index: nothing(PartitionId::A, Partition(0)),
        data: nothing(PartitionId::B, Partition(1)),
        labels,
    };
    let survey = Survey {
        mounted,
        shelf: Shelf::default(),
        stamped: None,
        last: None,
        used: 0,
        unindexed: 0,
        noted: 0,
        written_with: 0,
        condition: Condition::HalfErased,
    };
    (label, survey)
}
