//! What was moved, read again from its medium by the index read from the medium: small extents in groups, large ones
//! each for itself, so that whoever waits for the drive never waits long.

use super::Run;
use crate::api::Problem;
use crate::mover::{ReadFailure, is_small, read_back_small, read_back_unless};
use dss::model::{Extent, ExtentId, JobId, Move, ReadBack, Step};
use lrs::ldm::MediaResult;
use lrs::ldm::fs::IndexEntry;
use lrs::service::Allocation;
use lrs::worker::{DriveGone, DriveHandle};
use std::collections::BTreeMap;

/// How many small extents are looked up in the medium's index at a time, and then read back.
const LOOKED_UP: usize = 64;

/// Why a new extent did not read back.
enum Bad {
    /// Its own fault or its medium's.
    Extent(String),
    /// Its drive: nothing is said about it.
    OutOfReach(Problem),
    /// A stop was asked for, or somebody else wants the drive.
    Stopped,
}

/// What read back, by the job that moved it; what did not; and how many of a page were tried.
pub(super) type Tried = (BTreeMap<JobId, Vec<ReadBack>>, Vec<(Move, String)>, usize);

impl Run<'_> {
    /// Reads extents of one medium, in their order, until a stop or until somebody else wants the drive.
    pub(super) async fn read_extents(
        &mut self,
        allocation: &Allocation,
        due: &[Move],
        extents: &BTreeMap<ExtentId, Extent>,
    ) -> Result<Tried, Problem> {
        let (mut good, mut bad) = (BTreeMap::<JobId, Vec<ReadBack>>::new(), vec![]);
        let mut tried = 0;
        while tried < due.len() {
            // A page begins with at least one extent, so that giving way is never all it does.
            if self.stop_asked().is_some() || tried > 0 && allocation.should_yield() {
                break;
            }
            let next: Vec<&Extent> = due[tried..].iter().map(|one| &extents[&one.new]).collect();
            let small = |extent: &&&Extent| is_small(extent.bytes, &self.ring);
            let results = match next.iter().take(LOOKED_UP).take_while(small).count() {
                0 => vec![self.read_large(allocation, next[0]).await],
                count => self.read_small(allocation, &next[..count]).await,
            };
            for result in results {
                let one = &due[tried];
                match result {
                    Ok(proof) => good.entry(one.job).or_default().push(proof),
                    Err(Bad::Extent(why)) => bad.push((one.clone(), why)),
                    Err(Bad::OutOfReach(problem)) => return Err(problem),
                    Err(Bad::Stopped) => return Ok((good, bad, tried)),
                }
                tried += 1;
            }
        }
        Ok((good, bad, tried))
    }

    async fn read_large(&mut self, allocation: &Allocation, extent: &Extent) -> Result<ReadBack, Bad> {
        self.host.checkpoints.reach(Step::ReadBackMiddle);
        let drive = allocation.volume(extent.medium);
        named(&drive, &[extent]).await.remove(0)?;
        let stop = self.controls.stop.clone();
        let read = read_back_unless(&drive, extent, &mut self.ring, || stop.borrow().is_some()).await;
        read.map_err(Bad::of)
    }

    /// A result for each of them, in their order; the last ones are `Stopped` after a stop, or when somebody else wants
    /// the drive.
    async fn read_small(&mut self, allocation: &Allocation, extents: &[&Extent]) -> Vec<Result<ReadBack, Bad>> {
        let drive = allocation.volume(extents[0].medium);
        let named = named(&drive, extents).await;
        let sound: Vec<&Extent> = extents
            .iter()
            .zip(&named)
            .filter(|(_, named)| named.is_ok())
            .map(|(extent, _)| *extent)
            .collect();
        let (stop, yielding) = (self.controls.stop.clone(), allocation.yielding());
        let stopped = move || stop.borrow().is_some() || yielding();
        let read = read_back_small(&drive, &sound, &mut self.ring, &self.host.checkpoints, stopped).await;
        let mut read = read.into_iter();
        named
            .into_iter()
            .map(|named| named.and_then(|()| read.next().map_or(Err(Bad::Stopped), |read| read.map_err(Bad::of))))
            .collect()
    }
}

impl Bad {
    fn of(failure: ReadFailure) -> Self {
        match failure {
            ReadFailure::GivenUp => Self::Stopped,
            ReadFailure::Drive(gone) => Self::OutOfReach(gone.into()),
            ReadFailure::Media(error) if error.fault.is_of_host() => Self::OutOfReach(error.into()),
            failure => Self::Extent(failure.to_string()),
        }
    }
}

/// Whether the medium's own index says of each extent what the catalogue says.
async fn named(drive: &DriveHandle, extents: &[&Extent]) -> Vec<Result<(), Bad>> {
    let ids: Vec<ExtentId> = extents.iter().map(|extent| extent.id).collect();
    let looked: Result<Vec<MediaResult<Option<IndexEntry>>>, DriveGone> = drive
        .run(move |volume| ids.into_iter().map(|id| volume.lookup(id)).collect())
        .await;
    match looked {
        Ok(entries) => extents
            .iter()
            .zip(entries)
            .map(|(extent, entry)| named_so(extent, entry))
            .collect(),
        Err(gone) => extents
            .iter()
            .map(|_| Err(Bad::OutOfReach(gone.clone().into())))
            .collect(),
    }
}

fn named_so(extent: &Extent, entry: MediaResult<Option<IndexEntry>>) -> Result<(), Bad> {
    match entry {
        Ok(Some(entry)) if Some(&entry.digests) == extent.digests.as_ref() && entry.address == extent.address => Ok(()),
        Ok(Some(_)) => Err(Bad::Extent(
            "the medium's index and the catalogue disagree about it".into(),
        )),
        Ok(None) => Err(Bad::Extent("the medium's index does not name it".into())),
        Err(error) if error.fault.is_of_host() => Err(Bad::OutOfReach(error.into())),
        Err(error) => Err(Bad::Extent(error.to_string())),
    }
}
