//! Intent before bytes: names extents on their media and records them *pending*, all in one transaction.

use super::draft::Draft;
use super::stream::Halt;
use super::targets::Targets;
use super::trouble::Trouble;
use crate::host::Host;
use dss::catalogue::CatalogueError;
use dss::model::object::Place;
use dss::model::{Address, ExtentId, NewExtent, Recorded, SessionId, Step};
use lrs::ldm::MediaResult;
use lrs::ldm::fs::ExtentTag;

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

/// How many names a window is tried under. Each failed attempt in the past costs one.
const MOST_NAMES: u32 = 64;

/// Records extents, in the order given. The media are identified first: a disk that was unmounted gets no row.
pub async fn record(
    host: &Host,
    session: SessionId,
    targets: &Targets,
    slots: &[Slot<'_>],
) -> Result<Vec<Recorded>, Halt> {
    for attempt in 1.. {
        let extents = name(targets, slots).await?;
        let now = host.clock.now();
        match host
            .catalogue
            .record_put(session, extents, &targets.epochs(), now)
            .await
        {
            Ok(recorded) => {
                assert_eq!(
                    recorded.len(),
                    slots.len(),
                    "the catalogue records all or nothing, in order"
                );
                host.checkpoints.reach(Step::PutAfterRecord);
                return Ok(recorded);
            }
            // A name that only a row has: of an attempt that wrote no byte. The medium gives the next one.
            Err(CatalogueError::Exists { what: "address", .. }) if attempt < MOST_NAMES => {}
            Err(error) => return Err(error.into()),
        }
    }
    unreachable!("the last attempt returns")
}

/// Takes a name for every extent on its medium.
async fn name(targets: &Targets, slots: &[Slot<'_>]) -> Result<Vec<NewExtent>, Halt> {
    let mut addresses: Vec<Option<Address>> = vec![None; slots.len()];
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
            .run(move |volume| -> MediaResult<Vec<Address>> {
                volume.identify()?;
                tags.iter().map(|tag| volume.reserve(tag)).collect()
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
            slot.draft.extent(slot.id, slot.place, grant, address)
        })
        .collect();
    Ok(extents)
}
