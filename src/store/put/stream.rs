//! A large object on its way in: cut into extents as its bytes come, every copy written at the same time. Memory is the
//! ring's, however large the object.

use super::draft::{Draft, Landed, places};
use super::lane::Lane;
use super::record::{Slot, record};
use super::sent::unrepresentable;
use super::targets::Targets;
use super::trouble::Trouble;
use crate::api::Problem;
use crate::host::Host;
use crate::mover::ring::{Buffer, Ring};
use dss::catalogue::CatalogueError;
use dss::model::object::Place;
use dss::model::{Blake3, Digester, ExtentId, Oid, SessionId, Written};
use std::sync::Arc;

/// Why a streamed object does not land.
pub enum Halt {
    /// A target failed.
    Target(usize, Trouble),
    /// The targets may not be used any more: fenced, or their lease went to somebody else.
    Ousted(Problem),
    /// The catalogue or the scheduler failed, or the object is one that its media cannot keep.
    Problem(Problem),
}

impl Halt {
    /// Of a target that did not take an object of this name. One that cannot keep what is said of it takes the next one.
    fn of(number: usize, trouble: Trouble, oid: &Oid) -> Self {
        match trouble {
            Trouble::Media(error) if error.fault.is_of_extent() => Self::Problem(unrepresentable(oid, &error)),
            trouble @ (Trouble::Full | Trouble::Media(_) | Trouble::Drive(_)) => Self::Target(number, trouble),
        }
    }
}

impl From<CatalogueError> for Halt {
    fn from(error: CatalogueError) -> Self {
        match error {
            CatalogueError::Fenced { .. }
            | CatalogueError::Conflict { .. }
            | CatalogueError::LeaseLost { .. }
            | CatalogueError::LeaseHeld { .. } => Self::Ousted(error.into()),
            CatalogueError::NotFound { .. }
            | CatalogueError::Exists { .. }
            | CatalogueError::TapeExists { .. }
            | CatalogueError::Invariant { .. }
            | CatalogueError::InDoubt(_)
            | CatalogueError::Unavailable(_)
            | CatalogueError::Unresolved(_)
            | CatalogueError::Unfit(_)
            | CatalogueError::Corrupt(_) => Self::Problem(error.into()),
        }
    }
}

/// An object that is being written.
pub struct Streaming {
    draft: Draft,
    /// The position of the extent under way.
    index: usize,
    lanes: Vec<Lane>,
    extent: Digester,
    /// Only where the object has more than one extent; else the extent's digest is the whole's.
    whole: Option<blake3::Hasher>,
    received: u64,
    buffer: Option<(Buffer, usize)>,
    done: Vec<(Place, usize, Written)>,
    /// Every row recorded so far.
    recorded: Vec<ExtentId>,
}

/// What a stream writes with.
pub struct Tools<'a> {
    /// Catalogue and checkpoints.
    pub host: &'a Host,
    /// Who owns the rows.
    pub session: SessionId,
    /// Where to.
    pub targets: &'a Targets,
    /// The memory.
    pub ring: &'a mut Ring,
}

impl Streaming {
    /// An object of which nothing is recorded yet.
    pub fn new(draft: Draft) -> Self {
        Self {
            whole: (draft.sizes.len() > 1).then(blake3::Hasher::new),
            draft,
            index: 0,
            lanes: Vec::new(),
            extent: Digester::new(),
            received: 0,
            buffer: None,
            done: Vec::new(),
            recorded: Vec::new(),
        }
    }

    /// The object.
    pub fn draft(&self) -> &Draft {
        &self.draft
    }

    /// How many bytes may still come.
    pub fn missing(&self) -> u64 {
        self.draft.object.bytes.0 - self.received
    }

    /// Opens the extent at the present position on every copy's target.
    pub async fn open(&mut self, tools: &Tools<'_>) -> Result<(), Halt> {
        let slots = places(self.draft.copies(), self.index)
            .enumerate()
            .map(|(copy, place)| Slot {
                draft: &self.draft,
                place,
                id: ExtentId::fresh(),
                target: tools.targets.of(copy, self.index),
            })
            .collect::<Vec<_>>();
        self.recorded.extend(slots.iter().map(|slot| slot.id));
        let recording = record(tools.host, tools.session, tools.targets, &slots).await?;
        let oid = &self.draft.object.oid;
        if let Some(error) = recording.misfits.values().next() {
            return Err(Halt::Problem(unrepresentable(oid, error)));
        }
        let mut begun = Vec::new();
        for (slot, recorded) in slots.iter().zip(recording.rows.into_iter().flatten()) {
            let target = &tools.targets.list[slot.target];
            let tag = slot.draft.tag(slot.id, slot.place);
            match Lane::begin(slot.place, slot.target, target, recorded, tag).await {
                Ok(lane) => begun.push(lane),
                Err(trouble) => {
                    let number = slot.target;
                    for lane in begun {
                        lane.abandon().await;
                    }
                    return Err(Halt::of(number, trouble, oid));
                }
            }
        }
        self.lanes = begun;
        Ok(())
    }

    /// Takes the next bytes, never more than `missing`.
    pub async fn take(&mut self, mut bytes: &[u8], tools: &mut Tools<'_>) -> Result<(), Halt> {
        assert!(
            bytes.len() as u64 <= self.missing(),
            "the session refuses more bytes than were announced"
        );
        while !bytes.is_empty() {
            if self.extent_is_complete() {
                self.close().await?;
                self.index += 1;
                self.open(tools).await?;
            }
            let room = self.draft.sizes[self.index].0 - self.extent.bytes().0;
            let (mut buffer, filled) = match self.buffer.take() {
                Some(part) => part,
                None => (tools.ring.take().await, 0),
            };
            let space = &mut buffer.room()[filled..];
            let take = bytes
                .len()
                .min(space.len())
                .min(usize::try_from(room).unwrap_or(usize::MAX));
            space[..take].copy_from_slice(&bytes[..take]);
            let full = take == space.len();
            self.extent.update(&bytes[..take]);
            if let Some(whole) = &mut self.whole {
                whole.update(&bytes[..take]);
            }
            self.received += take as u64;
            bytes = &bytes[take..];
            buffer.set_filled(filled + take);
            match full || self.extent_is_complete() {
                true => self.send(buffer).await?,
                false => self.buffer = Some((buffer, filled + take)),
            }
        }
        Ok(())
    }

    /// Ends an object of which every byte came. After a failure it is to be abandoned.
    pub async fn land(&mut self) -> Result<Landed, Halt> {
        assert_eq!(self.missing(), 0, "the session ends only complete objects");
        self.close().await?;
        Ok(Landed {
            draft: self.draft.clone(),
            extents: std::mem::take(&mut self.done),
        })
    }

    /// What arrived so far digests to this.
    pub fn blake3(&self) -> Blake3 {
        match &self.whole {
            Some(whole) => Blake3(*whole.finalize().as_bytes()),
            None => self.extent.clone().finish().blake3,
        }
    }

    /// Gives the object up; answers the rows to abandon.
    pub async fn abandon(self) -> Vec<ExtentId> {
        for lane in self.lanes {
            lane.abandon().await;
        }
        self.recorded
    }

    fn extent_is_complete(&self) -> bool {
        self.extent.bytes() == self.draft.sizes[self.index]
    }

    async fn send(&mut self, buffer: Buffer) -> Result<(), Halt> {
        let piece = Arc::new(buffer);
        let mut failed = None;
        for (number, lane) in self.lanes.iter().enumerate() {
            if !lane.push(piece.clone()).await {
                failed = Some(number);
                break;
            }
        }
        let Some(number) = failed else { return Ok(()) };
        let lane = self.lanes.remove(number);
        let target = lane.target;
        Err(Halt::of(target, lane.failure().await, &self.draft.object.oid))
    }

    /// Ends the extent under way on every copy; its rows stay pending until the window is synced.
    async fn close(&mut self) -> Result<(), Halt> {
        assert!(
            self.buffer.is_none(),
            "the last piece of an extent is sent as soon as it is complete"
        );
        let digests = std::mem::take(&mut self.extent).finish();
        let mut halt = None;
        for lane in std::mem::take(&mut self.lanes) {
            let (place, target) = (lane.place, lane.target);
            match (&halt, lane) {
                (None, lane) => match lane.finish(digests.clone()).await {
                    Ok(written) => self.done.push((place, target, written)),
                    Err(trouble) => halt = Some(Halt::of(target, trouble, &self.draft.object.oid)),
                },
                (Some(_), lane) => lane.abandon().await,
            }
        }
        halt.map_or(Ok(()), Err)
    }
}
