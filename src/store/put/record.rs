//! Intent before bytes: names extents on their media and records them *pending*, all in one transaction.

use super::draft::{Draft, Ticket};
use super::stream::Halt;
use super::targets::Targets;
use super::trouble::Trouble;
use crate::host::Host;
use crate::naming::{self, MOST_NAMES, MOST_RECORDS, Named, taken};
use dss::catalogue::CatalogueError;
use dss::model::object::Place;
use dss::model::{ExtentId, NewExtent, Recorded, SessionId, Step};
use lrs::ldm::MediaError;
use lrs::ldm::fs::ExtentTag;
use std::collections::BTreeMap;

/// An extent to be recorded.
#[derive(Clone, Copy)]
pub struct Slot<'a> {
    /// Of which object.
    pub draft: &'a Draft,
    /// Which copy and position.
    pub place: Place,
    /// Its id.
    pub id: ExtentId,
    /// The number of its target.
    pub target: usize,
}

/// What was recorded.
pub struct Recording {
    /// The row of each slot; none for those of an object that some medium cannot keep.
    pub rows: Vec<Option<Recorded>>,
    /// Such objects, and what it is.
    pub misfits: BTreeMap<Ticket, MediaError>,
}

/// Records extents. The media are identified first: a disk that was unmounted gets no row.
pub async fn record(host: &Host, session: SessionId, targets: &Targets, slots: &[Slot<'_>]) -> Result<Recording, Halt> {
    let mut named: Vec<Named> = name(targets, slots, 0..slots.len()).await?.into_values().collect();
    for attempt in 1.. {
        let misfits = misfits(slots, &named);
        let fits = |slot: &Slot<'_>| !misfits.contains_key(&slot.draft.ticket);
        let pairs = slots.iter().zip(&named);
        let extents: Vec<NewExtent> = pairs
            .filter_map(|(slot, name)| {
                let (id, address) = name.as_ref().ok().filter(|_| fits(slot))?;
                let grant = &targets.list[slot.target].grant;
                Some(slot.draft.extent(*id, slot.place, grant, address.clone()))
            })
            .collect();
        if extents.is_empty() {
            let rows = slots.iter().map(|_| None).collect();
            return Ok(Recording { rows, misfits });
        }
        let (count, now) = (extents.len(), host.clock.now());
        match host
            .catalogue
            .record_put(session, extents, &targets.epochs(), now)
            .await
        {
            Ok(recorded) => {
                assert_eq!(recorded.len(), count, "the catalogue records all or nothing, in order");
                host.checkpoints.reach(Step::PutAfterRecord);
                let mut recorded = recorded.into_iter();
                let rows = slots.iter().map(|slot| fits(slot).then(|| recorded.next())?).collect();
                return Ok(Recording { rows, misfits });
            }
            Err(CatalogueError::Exists { what: "address", .. }) if attempt < MOST_RECORDS => {
                named = rename(host, targets, slots, named).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    unreachable!("the last attempt returns")
}

/// The objects of which some extent was given no name, for what is said of them.
fn misfits(slots: &[Slot<'_>], named: &[Named]) -> BTreeMap<Ticket, MediaError> {
    let refused = slots.iter().zip(named);
    refused
        .filter_map(|(slot, named)| Some((slot.draft.ticket, named.as_ref().err()?.clone())))
        .collect()
}

/// Other names for those that only a row has; those that nobody has stay. The medium gives the next one.
async fn rename(host: &Host, targets: &Targets, slots: &[Slot<'_>], mut named: Vec<Named>) -> Result<Vec<Named>, Halt> {
    let ground = |position: usize| {
        let grant = &targets.list[slots[position].target].grant;
        (grant.medium, grant.generation)
    };
    let mut asked: Vec<usize> = (0..named.len()).collect();
    for _ in 0..MOST_NAMES {
        asked = taken(&*host.catalogue, &named, ground, &asked).await?;
        if asked.is_empty() {
            break;
        }
        for (position, name) in name(targets, slots, asked.iter().copied()).await? {
            named[position] = name;
        }
    }
    Ok(named)
}

/// Takes a name for the extent of each of these slots on its medium, but for those that it cannot keep for what is said of
/// them; one trip to each drive's thread.
async fn name(
    targets: &Targets,
    slots: &[Slot<'_>],
    positions: impl IntoIterator<Item = usize>,
) -> Result<BTreeMap<usize, Named>, Halt> {
    let mut wanted: BTreeMap<usize, Vec<(usize, ExtentTag)>> = BTreeMap::new();
    for position in positions {
        let slot = &slots[position];
        let tag = slot.draft.tag(slot.id, slot.place);
        wanted.entry(slot.target).or_default().push((position, tag));
    }
    let mut all = BTreeMap::new();
    for (number, tags) in wanted {
        let drive = &targets.list[number].drive;
        let answer = drive.run(move |volume| naming::reserve(volume, tags)).await;
        all.extend(Trouble::of(answer).map_err(|trouble| Halt::Target(number, trouble))?);
    }
    Ok(all)
}
