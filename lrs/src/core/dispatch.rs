//! From a queued request to its grant: placed as a whole, then each medium leased, mounted and probed, in this order.

use super::allocation::{Active, Board, Claim, Mode};
use super::drive::{Drive, DriveId, DriveStep};
use super::lease::LeaseState;
use super::placement::{Facts, Out, Placement, Verdict, judge};
use super::queue::{Preparing, Stage};
use super::request::{AllocationId, Grant, ReadGrant, WriteGrant};
use super::scheduler::{Effect, Scheduler, refuse};
use dss::model::{ByteCount, MediumId};

/// What one medium of a placement still needs.
enum Need {
    Nothing,
    Time,
    /// It must be mounted again and others use it, or its drive serves nobody any more and another one may: back into the
    /// queue.
    Anew,
    Lost(Out),
}

impl Scheduler {
    /// One round over the queue. True when another is needed: a request fell back into the queue, or one was passed so
    /// often now that it comes first. A fall rules a medium out for that request, or comes from a drive that is not chosen
    /// any more, and each request comes first once, so the rounds end.
    pub(super) fn dispatch(&mut self, effects: &mut Vec<Effect>) -> bool {
        self.note_held_up();
        let mut board = self.board();
        let mut again = false;
        for id in self.queue.order() {
            let waiting = self.queue.get(id).expect("the order lists what is queued");
            let Stage::Queued { wanted } = &waiting.stage else {
                continue;
            };
            let facts = Facts {
                medium: &|id| self.media.get(&id).filter(|state| !state.gone).map(|state| &state.row),
                out: &waiting.out,
                wanted: wanted.as_ref(),
                drives: &|medium, mode| self.choices(medium, mode, &board),
                closed: &|library| self.closed_bays(library),
            };
            let verdict = judge(&waiting.request, &facts, &|claim| {
                board.fits(&self.effective_claim(claim))
            });
            let arrival = waiting.arrival;
            match verdict {
                Verdict::Place(placement) => {
                    let claims = self.effective(&placement.claims);
                    let waited_enough = self.overtake(arrival, &claims);
                    board.add(id, &claims);
                    self.set_stage(
                        id,
                        Stage::Preparing {
                            placement,
                            progress: Preparing::default(),
                        },
                    );
                    again |= self.advance(id, effects);
                    if waited_enough {
                        return true;
                    }
                }
                Verdict::Move(placement) => {
                    self.clear(&placement.claims, effects);
                    self.reserve(id, placement, &mut board);
                }
                Verdict::Wait(placement) => self.reserve(id, placement, &mut board),
                Verdict::Refuse(refusal, cause) => {
                    self.queue.remove(id);
                    effects.push(refuse(id, refusal, cause));
                }
            }
        }
        again
    }

    /// Keeps for a request what it waits for.
    fn reserve(&mut self, id: AllocationId, placement: Placement, board: &mut Board) {
        board.add(id, &self.effective(&placement.claims));
        let wanted = Some(placement);
        self.set_stage(id, Stage::Queued { wanted });
    }

    /// Has tapes that are wanted in other drives taken out of those they are in. Nobody uses them there: their claims would
    /// not have been free.
    fn clear(&mut self, claims: &[Claim], effects: &mut Vec<Effect>) {
        for claim in claims.iter().filter(|claim| claim.drive.library().is_some()) {
            let inside = self.bay_with(claim.medium).cloned();
            if let Some(drive) = inside.filter(|drive| *drive != claim.drive) {
                self.unload(&drive, effects);
            }
        }
    }

    pub(super) fn set_stage(&mut self, id: AllocationId, stage: Stage) {
        self.queue.get_mut(id).expect("the request is queued").stage = stage;
    }

    /// All that is held: granted, or while a grant is prepared.
    pub(super) fn board(&self) -> Board {
        let mut board = Board::default();
        for (id, active) in &self.active {
            board.add(*id, &active.claims);
        }
        for waiting in self.queue.iter().filter(|waiting| waiting.is_preparing()) {
            board.add(waiting.id, waiting.claims());
        }
        board
    }

    /// A claim that needs a new mount needs the medium to itself until then.
    fn effective_claim(&self, claim: &Claim) -> Claim {
        let mut claim = claim.clone();
        if self.needs_mounting_again(&claim) {
            claim.mode = Mode::Exclusive;
        }
        claim
    }

    pub(super) fn effective(&self, claims: &[Claim]) -> Vec<Claim> {
        claims.iter().map(|claim| self.effective_claim(claim)).collect()
    }

    /// A mount that is distrusted, or that is to be written and was made without the lease.
    fn needs_mounting_again(&self, claim: &Claim) -> bool {
        let Some(state) = self.media.get(&claim.medium) else {
            return false;
        };
        let mounted = match self.drive(&claim.drive) {
            Drive::Loading { medium } | Drive::Loaded { medium, .. } => *medium == claim.medium,
            Drive::Empty | Drive::Unloading { .. } | Drive::Failed { .. } => false,
        };
        mounted && (state.stale || (claim.mode != Mode::Read && state.lease.epoch().is_none()))
    }

    pub(super) fn name_of(&self, id: MediumId) -> String {
        self.media
            .get(&id)
            .map_or_else(|| id.to_string(), |state| state.row.name.clone())
    }

    // --- preparing a grant

    /// Takes a placed request as far as it goes now. True when it lost a medium and must be judged again.
    pub(super) fn advance(&mut self, id: AllocationId, effects: &mut Vec<Effect>) -> bool {
        let Some(waiting) = self.queue.get(id).filter(|waiting| waiting.is_preparing()) else {
            return false;
        };
        let claims = waiting.claims().to_vec();
        let mut ready = true;
        for claim in &claims {
            match self.need(id, claim, effects) {
                Need::Nothing => {}
                Need::Time => ready = false,
                Need::Anew => {
                    self.set_stage(id, Stage::Queued { wanted: None });
                    return true;
                }
                Need::Lost(out) => {
                    let waiting = self.queue.get_mut(id).expect("the request is queued");
                    waiting.out.insert(claim.medium, out);
                    waiting.stage = Stage::Queued { wanted: None };
                    return true;
                }
            }
        }
        if ready {
            self.grant(id, effects);
        }
        false
    }

    /// What one medium needs next, and the order for it: lease, then mount, then free space. The lease comes before the
    /// mount so that what is mounted is what nobody else writes.
    fn need(&mut self, id: AllocationId, claim: &Claim, effects: &mut Vec<Effect>) -> Need {
        if let Some(out) = self.closed(&claim.drive) {
            return match claim.drive {
                DriveId::Dock(_) | DriveId::Own(_) => Need::Lost(out),
                DriveId::Bay { .. } => Need::Anew,
            };
        }
        match self.drive(&claim.drive).clone() {
            Drive::Failed { why } => Need::Lost(Out::Drive(why)),
            Drive::Loading { .. } | Drive::Unloading { .. } => Need::Time,
            Drive::Loaded { medium, .. } if medium != claim.medium => {
                self.unload(&claim.drive, effects);
                Need::Time
            }
            Drive::Loaded { .. } if self.needs_mounting_again(claim) => {
                if self
                    .board()
                    .against(&exclusively(claim))
                    .any(|(holder, _)| *holder != id)
                {
                    return Need::Anew;
                }
                self.unload(&claim.drive, effects);
                Need::Time
            }
            Drive::Loaded { .. } => self.need_room(id, claim, effects),
            Drive::Empty => self.need_mount(claim, effects),
        }
    }

    fn need_mount(&mut self, claim: &Claim, effects: &mut Vec<Effect>) -> Need {
        assert_eq!(self.bay_with(claim.medium), None, "no tape is in two drives");
        let state = self.media.get_mut(&claim.medium).expect("only known media are placed");
        match (&state.lease, claim.mode) {
            (LeaseState::None, _) => {
                state.lease = LeaseState::Asked;
                effects.push(Effect::TakeLease(claim.medium));
            }
            (LeaseState::Asked, _) => {
                if let Some(why) = self.orders.lease_late(claim.medium, self.now) {
                    return Need::Lost(Out::Silent(why));
                }
            }
            (LeaseState::Refused(why), Mode::Write | Mode::Exclusive) => return Need::Lost(Out::Lease(why.clone())),
            (LeaseState::Refused(_), Mode::Read) | (LeaseState::Held(_), _) => {
                state.stale = false;
                self.libraries.loads(&claim.drive, claim.medium);
                self.step(&claim.drive, DriveStep::Load(claim.medium));
                effects.push(Effect::Load {
                    drive: claim.drive.clone(),
                    medium: claim.medium,
                });
            }
        }
        Need::Time
    }

    fn need_room(&mut self, id: AllocationId, claim: &Claim, effects: &mut Vec<Effect>) -> Need {
        if claim.mode != Mode::Write {
            return Need::Nothing;
        }
        let waiting = self.queue.get_mut(id).expect("the request is queued");
        let Stage::Preparing { progress, .. } = &mut waiting.stage else {
            return Need::Time;
        };
        match progress.probed.get(&claim.medium) {
            Some(Some(_)) => Need::Nothing,
            Some(None) => Need::Time,
            None => {
                progress.probed.insert(claim.medium, None);
                effects.push(Effect::ProbeSpace {
                    id,
                    drive: claim.drive.clone(),
                    medium: claim.medium,
                });
                Need::Time
            }
        }
    }

    fn grant(&mut self, id: AllocationId, effects: &mut Vec<Effect>) {
        let waiting = self.queue.remove(id).expect("the request is queued");
        let Stage::Preparing { placement, progress } = waiting.stage else {
            unreachable!("only a prepared request is granted")
        };
        let write = |medium: &MediumId, bytes| {
            let state = &self.media[medium];
            WriteGrant {
                medium: *medium,
                generation: state.row.generation,
                epoch: state.lease.epoch().expect("a lease is held before a write is granted"),
                bytes,
            }
        };
        let writes = placement
            .writes
            .iter()
            .zip(&waiting.request.writes)
            .map(|(medium, want)| {
                let free = progress
                    .probed
                    .get(medium)
                    .copied()
                    .flatten()
                    .expect("room is known before a write is granted");
                assert!(free >= want.at_least, "a write grant has room for one whole extent");
                write(medium, free.min(want.bytes.max(want.at_least)))
            });
        effects.push(Effect::Grant(Grant {
            id,
            reads: waiting
                .request
                .reads
                .iter()
                .map(|medium| ReadGrant { medium: *medium })
                .collect(),
            writes: writes.collect(),
            exclusive: waiting
                .request
                .exclusive
                .iter()
                .map(|medium| write(medium, ByteCount::ZERO))
                .collect(),
        }));
        let active = Active {
            purpose: waiting.request.purpose,
            priority: waiting.request.priority,
            claims: placement.claims,
            arrival: waiting.arrival,
            since: self.now,
            yield_asked: None,
        };
        self.active.insert(id, active);
    }
}

fn exclusively(claim: &Claim) -> Claim {
    Claim {
        mode: Mode::Exclusive,
        ..claim.clone()
    }
}
