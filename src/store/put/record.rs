//! Intent before bytes: names extents on their media and records them *pending*, all in one transaction.

use super::draft::{Draft, Ticket};
use super::stream::Halt;
use super::targets::Targets;
use super::trouble::Trouble;
use crate::host::Host;
use dss::catalogue::CatalogueError;
use dss::model::object::Place;
use dss::model::{Address, ExtentId, NewExtent, Recorded, SessionId, Step};
use lrs::ldm::fs::ExtentTag;
use lrs::ldm::{MediaError, MediaResult};
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

/// How many names a window is tried under. Each failed attempt in the past costs one.
const MOST_NAMES: u32 = 64;

/// Records extents. The media are identified first: a disk that was unmounted gets no row.
pub async fn record(host: &Host, session: SessionId, targets: &Targets, slots: &[Slot<'_>]) -> Result<Recording, Halt> {
    for attempt in 1.. {
        let named = name(targets, slots).await?;
        let misfits = misfits(slots, &named);
        let fits = |slot: &Slot<'_>| !misfits.contains_key(&slot.draft.ticket);
        let pairs = slots.iter().zip(named);
        let extents: Vec<NewExtent> = pairs
            .filter_map(|(slot, one)| one.ok().filter(|_| fits(slot)))
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
            // A name that only a row has: of an attempt that wrote no byte. The medium gives the next one.
            Err(CatalogueError::Exists { what: "address", .. }) if attempt < MOST_NAMES => {}
            Err(error) => return Err(error.into()),
        }
    }
    unreachable!("the last attempt returns")
}

/// The objects of which some extent was given no name, for what is said of them.
fn misfits(slots: &[Slot<'_>], named: &[MediaResult<NewExtent>]) -> BTreeMap<Ticket, MediaError> {
    let refused = slots.iter().zip(named);
    refused
        .filter_map(|(slot, named)| Some((slot.draft.ticket, named.as_ref().err()?.clone())))
        .collect()
}

/// Takes a name for every extent on its medium, but for those that it cannot keep for what is said of them.
async fn name(targets: &Targets, slots: &[Slot<'_>]) -> Result<Vec<MediaResult<NewExtent>>, Halt> {
    let mut addresses: Vec<Option<MediaResult<Address>>> = vec![None; slots.len()];
    for (number, target) in targets.list.iter().enumerate() {
        let own: Vec<usize> = (0..slots.len()).filter(|slot| slots[*slot].target == number).collect();
        if own.is_empty() {
            continue;
        }
        let tags: Vec<ExtentTag> = own
            .iter()
            .map(|slot| slots[*slot].draft.tag(slots[*slot].id, slots[*slot].place))
            .collect();
        let answer = target
            .drive
            .run(move |volume| -> MediaResult<Vec<MediaResult<Address>>> {
                volume.identify()?;
                let name = |tag| match volume.reserve(tag) {
                    Err(error) if !error.fault.is_of_extent() => Err(error),
                    named => Ok(named),
                };
                tags.iter().map(name).collect()
            })
            .await;
        let reserved = Trouble::of(answer).map_err(|trouble| Halt::Target(number, trouble))?;
        for (slot, address) in own.into_iter().zip(reserved) {
            addresses[slot] = Some(address);
        }
    }
    let extents = slots
        .iter()
        .zip(addresses)
        .map(|(slot, address)| {
            let grant = &targets.list[slot.target].grant;
            let address = address.expect("every slot has a target of the list");
            Ok(slot.draft.extent(slot.id, slot.place, grant, address?))
        })
        .collect();
    Ok(extents)
}
