//! Small objects on their way in: held in memory until there are enough, then recorded in one transaction and written in
//! one go. A failure of one medium costs them nothing: their bytes can be had again. What a medium cannot keep for what is
//! said of it is refused alone.

use super::draft::{Announced, Draft, Landed, Ticket, places};
use super::record::{Recording, Slot, record};
use super::sent::unrepresentable;
use super::stream::{Halt, Tools};
use super::trouble::Trouble;
use crate::api::Problem;
use crate::mover::{NotTaken, Tried, Whole, taken, write_each};
use bytes::Bytes;
use dss::model::object::Place;
use dss::model::{ByteCount, Digests, ExtentId, Oid, Owner, Recorded, Written};
use lrs::ldm::fs::ExtentTag;
use lrs::ldm::{Fault, MediaError};
use lrs::worker::DriveHandle;
use std::collections::{BTreeMap, BTreeSet};

/// Objects up to this size are gathered; larger ones gain nothing from it.
pub const SMALL: ByteCount = ByteCount(1 << 20);
/// Gathered objects are written when they have so many bytes, if there are not enough for a window before.
const GATHER_BYTES: ByteCount = ByteCount(8 << 20);

/// How many of them are written in one piece of work.
const TOGETHER: usize = 256;

/// An object with all its bytes, before it has a version: many are given theirs at once.
#[derive(Debug)]
pub struct Gathered {
    /// The object; it has exactly one extent.
    pub announced: Announced,
    /// Its bytes.
    pub bytes: Bytes,
    /// What they digest to.
    pub digests: Digests,
}

/// Objects that wait to be written together.
#[derive(Debug, Default)]
pub struct Gathering {
    objects: Vec<Gathered>,
    names: BTreeSet<Oid>,
    bytes: ByteCount,
    extents: usize,
}

impl Gathering {
    /// Takes an object.
    pub fn push(&mut self, one: Gathered) {
        self.names.insert(one.announced.header.oid.clone());
        self.bytes += one.digests.bytes;
        self.extents += one.announced.need().copies;
        self.objects.push(one);
    }

    /// Whether a name is among them.
    pub fn holds(&self, oid: &Oid) -> bool {
        self.names.contains(oid)
    }

    /// Whether they are to be written now: a window takes so many extents more.
    pub fn is_due(&self, extents: usize) -> bool {
        self.bytes >= GATHER_BYTES || self.extents >= extents
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// All of them; none waits any more.
    pub fn take(&mut self) -> Vec<Gathered> {
        std::mem::take(self).objects
    }
}

/// An object with all its bytes, ready to be written.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The object; it has exactly one extent.
    pub draft: Draft,
    /// Its bytes.
    pub bytes: Bytes,
    /// What they digest to.
    pub digests: Digests,
}

/// What became of a batch: what landed, what did not, and why not.
pub struct Batch {
    /// Taken whole by all their media.
    pub landed: Vec<Landed>,
    /// To be written elsewhere.
    pub left: Vec<Loaded>,
    /// Not to be written: some medium cannot keep them.
    pub refused: Vec<(Ticket, Problem)>,
    /// Why.
    pub halt: Option<Halt>,
}

/// One extent to be written on one medium.
struct Errand {
    object: usize,
    place: Place,
    target: usize,
    recorded: Recorded,
    tag: ExtentTag,
}

/// Records and writes a batch, every copy at the same time.
pub async fn write(batch: Vec<Loaded>, tools: &Tools<'_>) -> Batch {
    let slots: Vec<(usize, Slot<'_>)> = batch
        .iter()
        .enumerate()
        .flat_map(|(object, loaded)| slots(object, &loaded.draft))
        .collect();
    let only: Vec<Slot<'_>> = slots.iter().map(|(_, slot)| *slot).collect();
    let Recording { rows, misfits } = match record(tools.host, tools.session, tools.targets, &only).await {
        Ok(recording) => recording,
        Err(halt) => {
            drop(slots);
            return Batch {
                landed: Vec::new(),
                left: batch,
                refused: Vec::new(),
                halt: Some(halt),
            };
        }
    };
    let errands = slots.iter().zip(rows).filter_map(|((object, slot), row)| {
        Some(Errand {
            object: *object,
            place: slot.place,
            target: slot.target,
            recorded: row?,
            tag: slot.draft.tag(slot.id, slot.place),
        })
    });
    let mut by_target: BTreeMap<usize, Vec<Errand>> = BTreeMap::new();
    for errand in errands {
        by_target.entry(errand.target).or_default().push(errand);
    }
    drop(slots);
    let lanes = by_target.into_values().map(|errands| write_on(errands, &batch, tools));
    let (mut taken, mut halt) = (Vec::new(), None);
    for (lane, trouble) in futures_util::future::join_all(lanes).await {
        taken.extend(lane);
        halt = halt.or(trouble);
    }
    let (batch, given_up) = sort_out(batch, taken, misfits, halt);
    if !given_up.is_empty() {
        super::give_up(tools.host, Owner::Put(tools.session), Some(&given_up)).await;
    }
    batch
}

fn slots(object: usize, draft: &Draft) -> impl Iterator<Item = (usize, Slot<'_>)> {
    places(draft.copies(), 0).enumerate().map(move |(copy, place)| {
        let slot = Slot {
            draft,
            place,
            id: ExtentId::fresh(),
            // A gathered object has one extent a copy, so its copies are the targets.
            target: copy,
        };
        (object, slot)
    })
}

type Taken = (usize, Place, usize, Written);

/// An extent that its medium did not take.
struct Left {
    object: usize,
    extent: ExtentId,
    /// What of it the medium cannot keep; None: it took none at all any more.
    why: Option<MediaError>,
}

/// Writes one medium's part; answers what it took, and why it took no more.
async fn write_on(
    errands: Vec<Errand>,
    batch: &[Loaded],
    tools: &Tools<'_>,
) -> (Vec<Result<Taken, Left>>, Option<Halt>) {
    let number = errands[0].target;
    let work: Vec<Whole<Bytes>> = errands
        .iter()
        .map(|errand| Whole {
            tag: errand.tag.clone(),
            address: errand.recorded.extent().address.clone(),
            bytes: batch[errand.object].bytes.clone(),
            digests: batch[errand.object].digests.clone(),
        })
        .collect();
    let (tried, trouble) = write_all(&tools.targets.list[number].drive, work).await;
    let mut tried = tried.into_iter();
    let lane = errands
        .into_iter()
        .map(|errand| match tried.next().transpose() {
            Ok(Some(receipt)) => {
                let digests = batch[errand.object].digests.clone();
                let written = taken(errand.recorded, digests, receipt);
                let written = written.expect("a volume answers for the extent it was given");
                Ok((errand.object, errand.place, number, written))
            }
            untaken => Err(Left {
                object: errand.object,
                extent: errand.tag.extent,
                why: untaken.err(),
            }),
        })
        .collect();
    (lane, trouble.map(|trouble| Halt::Target(number, trouble)))
}

/// In bounded pieces of work: whoever reads the medium waits no longer than one takes.
async fn write_all(drive: &DriveHandle, mut work: Vec<Whole<Bytes>>) -> (Tried, Option<Trouble>) {
    let mut tried = Vec::with_capacity(work.len());
    while !work.is_empty() {
        let rest = work.split_off(work.len().min(TOGETHER));
        let piece = std::mem::replace(&mut work, rest);
        let written = drive.run(move |volume| write_each(volume, piece, || {})).await;
        let (piece, why) = written.unwrap_or_else(|gone| (vec![], Some(NotTaken::Gone(gone))));
        tried.extend(piece);
        if let Some(why) = why {
            return (tried, Some(trouble(why)));
        }
    }
    (tried, None)
}

/// Why a medium took no more.
fn trouble(why: NotTaken) -> Trouble {
    match why {
        NotTaken::NoRoom => Trouble::Full,
        NotTaken::Failed(error) | NotTaken::Unended(error) if error.fault == Fault::NoSpace => Trouble::Full,
        NotTaken::Failed(error) | NotTaken::Unended(error) => Trouble::Media(error),
        NotTaken::Gone(gone) => Trouble::Drive(gone.to_string()),
    }
}

/// An object landed when every copy of it was taken. Answers as well the rows of the others, which are given up; their
/// bytes are kept, but for those that some medium cannot keep.
fn sort_out(
    batch: Vec<Loaded>,
    taken: Vec<Result<Taken, Left>>,
    mut misfits: BTreeMap<Ticket, MediaError>,
    halt: Option<Halt>,
) -> (Batch, Vec<ExtentId>) {
    let mut given_up: Vec<ExtentId> = Vec::new();
    let mut extents: BTreeMap<usize, Vec<(Place, usize, Written)>> = BTreeMap::new();
    for one in taken {
        match one {
            Ok((object, place, target, written)) => extents.entry(object).or_default().push((place, target, written)),
            Err(Left { object, extent, why }) => {
                given_up.push(extent);
                misfits.extend(why.map(|why| (batch[object].draft.ticket, why)));
            }
        }
    }
    let (mut landed, mut left, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for (object, loaded) in batch.into_iter().enumerate() {
        let extents = extents.remove(&object).unwrap_or_default();
        let (draft, misfit) = (&loaded.draft, misfits.remove(&loaded.draft.ticket));
        if misfit.is_none() && extents.len() == draft.copies() {
            landed.push(Landed {
                draft: loaded.draft,
                extents,
            });
            continue;
        }
        given_up.extend(extents.iter().map(|(_, _, written)| written.extent().id));
        match misfit {
            Some(error) => refused.push((draft.ticket, unrepresentable(&draft.object.oid, &error))),
            None => left.push(loaded),
        }
    }
    let batch = Batch {
        landed,
        left,
        refused,
        halt,
    };
    (batch, given_up)
}
