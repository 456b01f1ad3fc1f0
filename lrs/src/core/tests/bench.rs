//! A scheduler with a shell of paper: drives, leases and probes that answer at once, or when the test says so, and that
//! complain about every order that a real one could not carry out.

use crate::core::allocation::{Claim, Mode, go_together};
use crate::core::drive::DriveId;
use crate::core::library::{BayFacts, LibraryFacts};
use crate::core::request::{AllocationId, Grant, Priority, Refusal, Request, WriteWant};
use crate::core::scheduler::{Effect, Event, Scheduler};
use dss::model::{
    AdmState, ByteCount, Epoch, Family, FsState, Generation, Health, Location, Medium, MediumFormat, MediumId,
    Presence, Revision,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

pub(super) fn medium(number: u128, dock: Option<&str>) -> Medium {
    Medium {
        id: id(number),
        name: format!("m{number}"),
        family: Family::Dir,
        technology: "dir".into(),
        format: MediumFormat::Respool,
        location: Location {
            path: format!("/media/m{number}"),
            dock: dock.map(str::to_owned),
            library: None,
        },
        tags: BTreeSet::new(),
        groupings: BTreeSet::new(),
        class: None,
        adm_state: AdmState::InService,
        locked: false,
        health: Health::Ok,
        presence: Presence::Attached,
        fs_state: FsState::Used,
        generation: Generation(3),
        capacity: None,
        revision: Revision(0),
        quarantined_until: None,
        standing: dss::model::Standing::Level,
        emptied_by: None,
        doubts: 0,
        created_at: jiff::Timestamp::UNIX_EPOCH,
    }
}

/// A tape of a library.
pub(super) fn tape(number: u128, library: &str) -> Medium {
    let mut tape = medium(number, None);
    tape.family = Family::Tape;
    tape.technology = "LTO-9".into();
    tape.location.path = format!("T{number:05}L9");
    tape.location.library = Some(library.into());
    tape
}

/// A drive of `lib0`.
pub(super) fn bay(name: &str) -> DriveId {
    DriveId::Bay {
        library: "lib0".into(),
        bay: name.into(),
    }
}

/// What a drive does with LTO-9 cartridges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skill {
    Writes,
    Reads,
    /// It takes older ones only.
    None,
}

/// `lib0` with a drive `drv0`, `drv1` ... for each skill.
pub(super) fn lib0(skills: &[Skill]) -> LibraryFacts {
    let words = |able: bool| able.then(|| "LTO-9".to_owned()).into_iter().collect();
    let bays = skills.iter().enumerate().map(|(number, skill)| BayFacts {
        bay: format!("drv{number}"),
        reads: words(*skill != Skill::None),
        writes: words(*skill == Skill::Writes),
        closed: None,
        holds: None,
    });
    LibraryFacts {
        name: "lib0".into(),
        bays: bays.collect(),
    }
}

pub(super) fn id(number: u128) -> MediumId {
    MediumId(uuid::Uuid::from_u128(number))
}

pub(super) fn request(priority: Priority) -> Request {
    Request {
        purpose: String::new(),
        priority,
        reads: Vec::new(),
        writes: Vec::new(),
        exclusive: Vec::new(),
    }
}

pub(super) trait Wanting {
    fn read(self, medium: u128) -> Self;
    fn write(self, candidates: &[u128]) -> Self;
    fn alone(self, medium: u128) -> Self;
}

impl Wanting for Request {
    fn read(mut self, medium: u128) -> Self {
        self.reads.push(id(medium));
        self
    }
    fn write(mut self, candidates: &[u128]) -> Self {
        self.writes.push(WriteWant {
            candidates: candidates.iter().map(|medium| id(*medium)).collect(),
            bytes: ByteCount(100),
            at_least: ByteCount(10),
        });
        self
    }
    fn alone(mut self, medium: u128) -> Self {
        self.exclusive.push(id(medium));
        self
    }
}

/// What the shell of paper answers about one medium; by default all is well.
#[derive(Clone, Debug, Default)]
pub(super) struct Manners {
    pub(super) load: Option<&'static str>,
    pub(super) lease: Option<&'static str>,
    pub(super) free: Option<Result<u64, &'static str>>,
}

#[derive(Default)]
pub(super) struct Bench {
    pub(super) scheduler: Scheduler,
    pub(super) now: Duration,
    next: u64,
    rows: BTreeMap<MediumId, Medium>,
    pub(super) manners: BTreeMap<MediumId, Manners>,
    /// What was ordered and not answered yet.
    pub(super) open: VecDeque<Effect>,
    pub(super) granted: BTreeMap<AllocationId, (Request, Grant)>,
    pub(super) asked: BTreeMap<AllocationId, Request>,
    pub(super) refused: BTreeMap<AllocationId, Refusal>,
    pub(super) yields: BTreeSet<AllocationId>,
    pub(super) suspects: BTreeSet<MediumId>,
    pub(super) mounted: BTreeMap<DriveId, MediumId>,
    /// In which drive each medium of a grant was when it was granted.
    seats: BTreeMap<(AllocationId, MediumId), DriveId>,
    /// What was last told of `lib0`.
    pub(super) library: Option<LibraryFacts>,
    leased: BTreeMap<MediumId, Epoch>,
    pub(super) orders: Vec<String>,
    pub(super) stopped: bool,
}

impl Bench {
    pub(super) fn with(rows: impl IntoIterator<Item = Medium>) -> Self {
        let mut bench = Self::default();
        for row in rows {
            bench.change(row);
        }
        bench
    }

    /// Tells of `lib0`.
    pub(super) fn tell_library(&mut self, facts: LibraryFacts) {
        self.library = Some(facts.clone());
        self.tell(Event::Library(facts));
    }

    pub(super) fn lock(&mut self, drive: &DriveId, locked: Option<&str>) {
        self.tell(Event::DriveLock {
            drive: drive.clone(),
            locked: locked.map(str::to_owned),
        });
        self.settle();
    }

    pub(super) fn change(&mut self, row: Medium) {
        self.rows.insert(row.id, row.clone());
        self.tell(Event::MediumChanged(row));
    }

    pub(super) fn row(&self, medium: u128) -> Medium {
        self.rows[&id(medium)].clone()
    }

    /// Submits, and lets every order be carried out.
    pub(super) fn ask(&mut self, request: Request) -> AllocationId {
        let id = self.submit(request);
        self.settle();
        id
    }

    pub(super) fn submit(&mut self, mut request: Request) -> AllocationId {
        self.next += 1;
        let id = AllocationId(self.next);
        request.purpose = format!("request {id}");
        self.asked.insert(id, request.clone());
        self.tell(Event::Submit(id, request));
        id
    }

    pub(super) fn release(&mut self, id: AllocationId) {
        self.granted.remove(&id).expect("only what was granted is released");
        self.tell(Event::Release(id));
        self.settle();
    }

    pub(super) fn settle(&mut self) {
        while !self.open.is_empty() {
            self.carry_out(0);
        }
    }

    pub(super) fn is_granted(&self, id: AllocationId) -> bool {
        self.granted.contains_key(&id)
    }

    pub(super) fn waits(&self, id: AllocationId) -> bool {
        self.asked.contains_key(&id)
    }

    pub(super) fn writes(&self, id: AllocationId) -> Vec<MediumId> {
        self.granted[&id].1.writes.iter().map(|write| write.medium).collect()
    }

    pub(super) fn tell(&mut self, event: Event) {
        for effect in self.scheduler.on(event, self.now) {
            self.take(effect);
        }
        self.check();
    }

    fn take(&mut self, effect: Effect) {
        match effect {
            Effect::Grant(grant) => self.check_grant(grant),
            Effect::Refuse { id, refusal, .. } => {
                self.asked.remove(&id).expect("what is refused was asked");
                self.refused.insert(id, refusal);
            }
            Effect::AskYield(id) => {
                assert!(self.yields.insert(id), "asked once");
            }
            Effect::ReleaseLease(medium) => {
                self.leased.remove(&medium).expect("what is given back was held");
                self.orders.push(format!("give back {}", self.rows[&medium].name));
            }
            Effect::Suspect { medium, .. } => {
                self.suspects.insert(medium);
            }
            Effect::DriveOut { drive, why } => {
                self.orders.push(format!("{drive} out"));
                assert!(why.contains("to blame"), "{why}");
            }
            Effect::Stopped => {
                // What never answered is left behind.
                assert!(self.granted.is_empty());
                if self.open.is_empty() {
                    assert!(self.mounted.is_empty() && self.leased.is_empty());
                }
                self.stopped = true;
            }
            order @ (Effect::Load { .. } | Effect::Unload(_) | Effect::ProbeSpace { .. } | Effect::TakeLease(_)) => {
                self.check_order(&order);
                self.open.push_back(order);
            }
        }
    }

    fn check_order(&mut self, order: &Effect) {
        let name = |medium: &MediumId| self.rows[medium].name.clone();
        let said = match order {
            Effect::Load { drive, medium } => {
                assert!(
                    !self.mounted.contains_key(drive),
                    "a drive is emptied before it is loaded"
                );
                let elsewhere = self.mounted.values().any(|other| other == medium);
                let under_way = self
                    .open
                    .iter()
                    .any(|order| matches!(order, Effect::Load { medium: other, .. } if other == medium));
                assert!(!elsewhere && !under_way, "no medium is in two drives");
                self.check_skill(drive, Mode::Read);
                match drive {
                    DriveId::Bay { bay, .. } => format!("load {} in {bay}", name(medium)),
                    DriveId::Dock(_) | DriveId::Own(_) => format!("load {}", name(medium)),
                }
            }
            Effect::Unload(drive) => {
                let medium = self.mounted.get(drive).expect("only what is mounted is unmounted");
                let used = self.claims().any(|(_, claim)| claim.medium == *medium);
                assert!(!used, "nobody's medium is unmounted");
                format!("unload {}", name(medium))
            }
            Effect::TakeLease(medium) => format!("lease {}", name(medium)),
            Effect::ProbeSpace { medium, .. } => format!("probe {}", name(medium)),
            other => unreachable!("{other:?} is no order"),
        };
        self.orders.push(said);
    }

    /// Carries out one open order, as its medium's manners have it.
    pub(super) fn carry_out(&mut self, which: usize) {
        let Some(order) = self.open.remove(which) else { return };
        let manners = |medium: &MediumId| self.manners.get(medium).cloned().unwrap_or_default();
        let event = match order {
            Effect::Load { drive, medium } => match manners(&medium).load {
                Some(why) => Event::LoadFailed {
                    drive,
                    medium,
                    why: why.into(),
                },
                None => {
                    self.mounted.insert(drive.clone(), medium);
                    Event::Loaded { drive, medium }
                }
            },
            Effect::Unload(drive) => {
                self.mounted.remove(&drive);
                Event::Unloaded(drive)
            }
            Effect::ProbeSpace { id, drive, medium } => Event::SpaceProbed {
                id,
                drive,
                medium,
                free: manners(&medium)
                    .free
                    .unwrap_or(Ok(1000))
                    .map(ByteCount)
                    .map_err(str::to_owned),
            },
            Effect::TakeLease(medium) => match manners(&medium).lease {
                Some(why) => Event::LeaseFailed(medium, why.into()),
                None => {
                    self.leased.insert(medium, Epoch(7));
                    Event::LeaseTaken(medium, Epoch(7))
                }
            },
            other => unreachable!("{other:?} is no order"),
        };
        self.tell(event);
    }

    /// A drive's thread panics: what is mounted there is gone, and whoever used it finds that out and releases.
    pub(super) fn break_drive(&mut self, drive: DriveId) {
        self.mounted.remove(&drive);
        self.open.retain(|order| match order {
            Effect::Load { drive: of, .. } | Effect::ProbeSpace { drive: of, .. } | Effect::Unload(of) => *of != drive,
            _ => true,
        });
        let users: BTreeSet<AllocationId> = self
            .claims()
            .filter(|(_, claim)| claim.drive == drive)
            .map(|(id, _)| id)
            .collect();
        let why = "a panic".to_owned();
        for id in &users {
            self.granted.remove(id);
        }
        self.tell(Event::DriveFailed { drive, why });
        for id in users {
            self.tell(Event::Release(id));
        }
    }

    pub(super) fn lose_lease(&mut self, medium: u128) {
        self.leased.remove(&id(medium));
        self.tell(Event::LeaseLost(id(medium)));
    }

    pub(super) fn lose_lease_if_held(&mut self, medium: u128) {
        if self.leased.contains_key(&id(medium)) {
            self.lose_lease(medium);
        }
    }

    pub(super) fn claim(&self, medium: MediumId, mode: Mode) -> Claim {
        let row = &self.rows[&medium];
        let drive = DriveId::fixed(row).expect("a tape has no drive of its own");
        self.claim_in(medium, drive, mode)
    }

    pub(super) fn claim_in(&self, medium: MediumId, drive: DriveId, mode: Mode) -> Claim {
        Claim {
            medium,
            family: self.rows[&medium].family,
            drive,
            mode,
        }
    }

    /// The drive that a medium of a grant is in.
    pub(super) fn seat(&self, id: AllocationId, medium: MediumId) -> DriveId {
        self.seats[&(id, medium)].clone()
    }

    /// A drive of `lib0` is only given what it takes.
    fn check_skill(&self, drive: &DriveId, mode: Mode) {
        if let DriveId::Bay { bay, .. } = drive {
            let facts = self
                .library
                .as_ref()
                .expect("nothing is loaded in what was not told of");
            let of_bay = facts.bays.iter().find(|of| of.bay == *bay);
            assert!(
                of_bay.is_some_and(|of| of.takes("LTO-9", mode) && of.closed.is_none()),
                "{drive} does not serve this: {facts:?}"
            );
        }
    }

    pub(super) fn claims(&self) -> impl Iterator<Item = (AllocationId, Claim)> + '_ {
        self.granted.iter().flat_map(|(id, (_, grant))| {
            let alone: BTreeSet<MediumId> = grant.exclusive.iter().map(|of| of.medium).collect();
            let reads = grant
                .reads
                .iter()
                .filter(|of| !alone.contains(&of.medium))
                .map(|of| (of.medium, Mode::Read));
            let reads: BTreeSet<_> = reads.collect();
            let writes = grant.writes.iter().map(|of| (of.medium, Mode::Write));
            let all: Vec<_> = reads
                .into_iter()
                .chain(writes)
                .chain(alone.iter().map(|of| (*of, Mode::Exclusive)))
                .collect();
            all.into_iter()
                .map(|(medium, mode)| (*id, self.claim_in(medium, self.seat(*id, medium), mode)))
        })
    }

    fn check_grant(&mut self, grant: Grant) {
        let request = self.asked.remove(&grant.id).expect("what is granted was asked");
        assert_eq!(
            grant.reads.iter().map(|of| of.medium).collect::<Vec<_>>(),
            request.reads
        );
        assert_eq!(
            grant.exclusive.iter().map(|of| of.medium).collect::<Vec<_>>(),
            request.exclusive
        );
        assert_eq!(grant.writes.len(), request.writes.len());
        for (write, want) in grant.writes.iter().zip(&request.writes) {
            assert!(want.candidates.contains(&write.medium), "a write goes to a candidate");
            assert!(write.bytes >= want.at_least, "room for one whole extent");
            assert!(
                !request.reads.contains(&write.medium),
                "no medium is read and written by one request"
            );
            assert!(self.rows[&write.medium].may_take_extents().is_ok());
        }
        for write in grant.writes.iter().chain(&grant.exclusive) {
            assert_eq!(
                Some(&write.epoch),
                self.leased.get(&write.medium),
                "a lease is held before a grant"
            );
            assert_eq!(write.generation, self.rows[&write.medium].generation);
        }
        self.seat_all(&request, &grant);
        self.granted.insert(grant.id, (request, grant));
    }

    /// Notes in which drives a grant's media are, and compares that with what the scheduler says.
    fn seat_all(&mut self, request: &Request, grant: &Grant) {
        let writes = grant.writes.iter().chain(&grant.exclusive).map(|of| of.medium);
        let used: BTreeSet<MediumId> = request.reads.iter().copied().chain(writes).collect();
        let held = self.scheduler.held(grant.id).to_vec();
        assert_eq!(held.len(), used.len(), "what is held is what was asked");
        for claim in held {
            assert!(used.contains(&claim.medium));
            let mut with = self.mounted.iter().filter(|(_, medium)| **medium == claim.medium);
            assert_eq!(with.next().map(|(drive, _)| drive), Some(&claim.drive));
            assert_eq!(with.next(), None, "no medium is in two drives");
            self.check_skill(&claim.drive, claim.mode);
            self.seats.insert((grant.id, claim.medium), claim.drive);
        }
    }

    /// No double grant; what was granted is mounted; what waits holds nothing, or while it is prepared all it needs.
    fn check(&self) {
        for waiting in self.scheduler.waiting() {
            assert!(!self.granted.contains_key(&waiting.id), "a request is granted once");
            let request = &waiting.request;
            let fixed: BTreeSet<MediumId> = request.reads.iter().chain(&request.exclusive).copied().collect();
            let held = waiting.claims().len();
            assert!(
                held == 0 || held == fixed.len() + request.writes.len(),
                "a placement is whole: {waiting:?}"
            );
        }
        let claims: Vec<(AllocationId, Claim)> = self.claims().collect();
        for (id, claim) in &claims {
            assert_eq!(
                self.mounted.get(&claim.drive),
                Some(&claim.medium),
                "what is granted is mounted"
            );
            let others: Vec<Claim> = claims
                .iter()
                .filter(|(of, _)| of != id)
                .map(|(_, claim)| claim.clone())
                .collect();
            assert!(
                go_together(std::slice::from_ref(claim), &others),
                "granted twice: {claims:?}"
            );
        }
    }
}
