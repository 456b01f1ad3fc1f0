//! A hall of media of paper: a catalogue in memory, a mounter and a clock that do as the test says.

use dss::catalogue::{Catalogue, CatalogueError, MediumChange, NewFile, NewMedium, NewVolume, VolumeAdopted};
use dss::mem::MemCatalogue;
use dss::model::evidence::{SyncReceipt, WriteReceipt};
use dss::model::{
    Address, AdmState, ByteCount, CatalogueId, Digests, Epoch, ExtentId, Family, FsState, Holder, HolderId, Location,
    Medium, MediumId, Metadata, NoDrill, Oid, Presence, Resource, Revision,
};
use jiff::{SignedDuration, Timestamp};
use lrs::core::{BayFacts, DriveId, LibraryFacts, Priority, Request, WriteWant};
use lrs::ldm::fs::{
    Accepted, Deleted, EraseStep, ExtentTag, IndexEntry, IndexStamp, Label, ReadFrom, ReadHandle, Space, Volume,
    Wanted, WriteHandle,
};
use lrs::ldm::{Fault, MediaError, MediaResult, Op};
use lrs::service::{AgeClock, Berth, Drives, Lrs, Mounter, Settings};
use nix::errno::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub fn request(purpose: &str, priority: Priority) -> Request {
    Request {
        purpose: purpose.into(),
        priority,
        reads: Vec::new(),
        writes: Vec::new(),
        exclusive: Vec::new(),
    }
}

pub fn write(candidates: &[MediumId]) -> WriteWant {
    WriteWant {
        candidates: candidates.to_vec(),
        bytes: ByteCount(1000),
        at_least: ByteCount(10),
    }
}

#[derive(Default)]
struct Manners {
    broken: BTreeMap<String, Fault>,
    roomless: BTreeSet<String>,
    mounts: BTreeMap<String, usize>,
    mounted: BTreeMap<String, usize>,
    /// What is in the drives of the library, mounted or not.
    in_bays: BTreeMap<String, String>,
    /// Drives that do not give a cartridge back.
    stuck: BTreeSet<String>,
    /// Where the data end that are durable on media, where that is not at their beginning.
    durable: BTreeMap<String, u64>,
    /// Each load and each taking out, in order.
    moves: Vec<String>,
}

impl Manners {
    /// Brings a cartridge into a drive, unless it is there.
    fn bring(&mut self, name: &str, drive: &DriveId) -> MediaResult<()> {
        let at = drive.to_string();
        if self.in_bays.get(&at).is_some_and(|there| there == name) {
            return Ok(());
        }
        if let Some((other, _)) = self.in_bays.iter().find(|(_, there)| *there == name) {
            return Err(MediaError {
                op: Op::Load,
                medium: name.to_owned(),
                at: Some(at),
                fault: Fault::Unfit(format!("its cartridge is in {other}")),
            });
        }
        self.moves.push(format!("{name} into {at}"));
        let before = self.in_bays.insert(at, name.to_owned());
        assert_eq!(before, None, "a drive is emptied before it is loaded");
        Ok(())
    }
}

/// Where media are found.
#[derive(Clone, Default)]
struct Room(Arc<Mutex<Manners>>);

impl Mounter for Room {
    fn mount(&self, medium: &Medium, berth: &Berth) -> MediaResult<Box<dyn Volume>> {
        let mut manners = self.0.lock().unwrap();
        let name = medium.name.clone();
        let durable = manners.durable.get(&name).copied().unwrap_or_default();
        assert_eq!(berth.durable_end, durable, "what is durable on {name}");
        match medium.family {
            Family::Dir => assert_eq!(Some(&berth.drive), DriveId::fixed(medium).as_ref()),
            Family::Tape => manners.bring(&name, &berth.drive)?,
        }
        if let Some(fault) = manners.broken.get(&name) {
            return Err(MediaError {
                op: Op::Mount,
                medium: name,
                at: None,
                fault: fault.clone(),
            });
        }
        *manners.mounts.entry(name.clone()).or_default() += 1;
        // What shares a dock is never mounted together, and nothing twice.
        let place = match medium.family {
            Family::Dir => medium.location.dock.clone().unwrap_or_else(|| name.clone()),
            Family::Tape => berth.drive.to_string(),
        };
        let mounted = manners.mounted.entry(place.clone()).or_default();
        *mounted += 1;
        assert_eq!(*mounted, 1, "{place} holds one medium at a time");
        Ok(Box::new(Paper {
            label: Label {
                format: "paper-1".into(),
                medium: medium.id,
                name,
                generation: medium.generation,
                catalogue: CatalogueId(uuid::Uuid::nil()),
                revision: Revision(0),
                created_at: Timestamp::UNIX_EPOCH,
            },
            place,
            room: self.clone(),
        }))
    }

    fn unmount(&self, drive: &DriveId) -> MediaResult<()> {
        let (mut manners, at) = (self.0.lock().unwrap(), drive.to_string());
        let mounted = manners.mounted.get(&at).copied().unwrap_or_default();
        assert_eq!(mounted, 0, "its volume is closed before");
        let Some(name) = manners.in_bays.get(&at).cloned() else {
            return Ok(());
        };
        if manners.stuck.contains(&at) {
            return Err(MediaError {
                op: Op::Unload,
                medium: name,
                at: Some(at),
                fault: Fault::Io(Errno::EIO),
            });
        }
        manners.in_bays.remove(&at);
        manners.moves.push(format!("{name} out of {at}"));
        Ok(())
    }
}

/// The wall clock, until it hangs for a while.
#[derive(Default)]
struct Clock {
    hangs: AtomicBool,
}

impl AgeClock for Clock {
    fn now(&self) -> Timestamp {
        if self.hangs.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_secs(3));
        }
        Timestamp::now()
    }
}

/// A blank tape of `lib0`.
fn tape(name: &str) -> NewMedium {
    NewMedium {
        id: MediumId::fresh(),
        name: name.into(),
        family: Family::Tape,
        technology: "LTO-9".into(),
        location: Location {
            path: name.into(),
            dock: None,
            library: Some("lib0".into()),
        },
        tags: BTreeSet::new(),
        class: None,
        capacity: None,
    }
}

/// Everything around the scheduler.
pub struct Hall {
    catalogue: Arc<MemCatalogue>,
    room: Room,
    clock: Arc<Clock>,
    lrs: Lrs,
}

impl Hall {
    pub async fn new(lease_seconds: u32) -> Self {
        let catalogue = Arc::new(MemCatalogue::new(CatalogueId::fresh(), true, Arc::new(NoDrill)));
        let (room, clock) = (Room::default(), Arc::new(Clock::default()));
        let settings = Settings {
            holder: Holder {
                id: HolderId::fresh(),
                seat: "here".into(),
            },
            lease_seconds,
            margin_seconds: 5,
            drives: Drives::Threads,
        };
        let lrs = Lrs::start(settings, catalogue.clone(), Arc::new(room.clone()), clock.clone());
        Self {
            catalogue,
            room,
            clock,
            lrs,
        }
    }

    pub fn lrs(&self) -> Lrs {
        self.lrs.clone()
    }

    pub async fn add(&self, name: &str, dock: Option<&str>) -> MediumId {
        let id = MediumId::fresh();
        let new = NewMedium {
            id,
            name: name.into(),
            family: Family::Dir,
            technology: "dir".into(),
            location: Location {
                path: format!("/paper/{name}"),
                dock: dock.map(str::to_owned),
                library: None,
            },
            tags: BTreeSet::new(),
            class: None,
            capacity: None,
        };
        self.catalogue.add_medium(new, Timestamp::now()).await.unwrap();
        let formatted = MediumChange {
            fs_state: Some(FsState::Empty),
            ..MediumChange::default()
        };
        self.catalogue
            .change_medium(id, formatted, Timestamp::now())
            .await
            .unwrap();
        id
    }

    /// A tape of `lib0`, formatted.
    pub async fn add_tape(&self, name: &str) -> MediumId {
        let new = tape(name);
        let id = new.id;
        self.catalogue.add_medium(new, Timestamp::now()).await.unwrap();
        let formatted = MediumChange {
            fs_state: Some(FsState::Empty),
            presence: Some(Presence::Attached),
            ..MediumChange::default()
        };
        self.catalogue
            .change_medium(id, formatted, Timestamp::now())
            .await
            .unwrap();
        id
    }

    /// A tape of `lib0` with bytes that end at a block, which whoever mounts it must be told.
    pub async fn add_written_tape(&self, name: &str, end: u64) -> MediumId {
        let medium = tape(name);
        let id = medium.id;
        let file = NewFile {
            oid: Oid::new(name).unwrap(),
            metadata: Metadata::default(),
            address: Address(name.into()),
            span: format!("1:{}+0*1=3", end - 1).parse().ok(),
            bytes: ByteCount(3),
            hashes: Vec::new(),
        };
        let files = vec![file];
        let volume = NewVolume { medium, files };
        let adopted = self.catalogue.adopt_volume(&volume, Timestamp::now()).await;
        assert!(matches!(adopted.unwrap(), VolumeAdopted::Added(_)));
        self.room.0.lock().unwrap().durable.insert(name.into(), end);
        id
    }

    /// Tells of `lib0` with two drives that write.
    pub fn tell_library(&self) {
        let words = || BTreeSet::from(["LTO-9".to_owned()]);
        let bays = ["drv0", "drv1"].map(|name| BayFacts {
            bay: name.into(),
            reads: words(),
            writes: words(),
            closed: None,
            holds: None,
        });
        self.lrs.library(LibraryFacts {
            name: "lib0".into(),
            bays: bays.into(),
        });
    }

    /// Has a drive keep its cartridge.
    pub fn stick(&self, drive: &str) {
        self.room.0.lock().unwrap().stuck.insert(drive.into());
    }

    /// What the library did so far.
    pub fn moves(&self) -> Vec<String> {
        self.room.0.lock().unwrap().moves.clone()
    }

    pub async fn set(&self, id: MediumId, adm_state: AdmState) {
        let change = MediumChange {
            adm_state: Some(adm_state),
            ..MediumChange::default()
        };
        self.catalogue
            .change_medium(id, change, Timestamp::now())
            .await
            .unwrap();
    }

    pub async fn row(&self, id: MediumId) -> Medium {
        self.catalogue.medium_by_id(id).await.unwrap()
    }

    pub fn break_mount(&self, name: &str, fault: Option<Fault>) {
        let broken = &mut self.room.0.lock().unwrap().broken;
        match fault {
            Some(fault) => drop(broken.insert(name.into(), fault)),
            None => drop(broken.remove(name)),
        }
    }

    pub fn no_room_known(&self, name: &str) {
        self.room.0.lock().unwrap().roomless.insert(name.into());
    }

    pub fn mounts(&self, name: &str) -> usize {
        self.room.0.lock().unwrap().mounts[name]
    }

    pub fn mounted(&self) -> usize {
        self.room.0.lock().unwrap().mounted.values().sum()
    }

    /// Nothing that needs the time is done for a while.
    pub fn hang_clock(&self) {
        self.clock.hangs.store(true, Ordering::Relaxed);
    }

    /// Another respoold asks for the lease now.
    pub async fn leases_elsewhere(&self, medium: MediumId) -> Result<Epoch, String> {
        self.lease_as_other(medium, Timestamp::now())
            .await
            .map_err(|error| error.to_string())
    }

    /// Another respoold waited long enough for the lease's end.
    pub async fn take_over(&self, medium: MediumId) -> Epoch {
        let later = Timestamp::now() + SignedDuration::from_hours(1);
        self.lease_as_other(medium, later).await.unwrap()
    }

    async fn lease_as_other(&self, medium: MediumId, now: Timestamp) -> Result<Epoch, CatalogueError> {
        let other = Holder {
            id: HolderId::fresh(),
            seat: "elsewhere".into(),
        };
        let lease = self
            .catalogue
            .take_lease(&Resource::Medium(medium), &other, 60, 5, now)
            .await?;
        Ok(lease.epoch)
    }
}

/// A volume that has a label and room.
struct Paper {
    label: Label,
    place: String,
    room: Room,
}

impl Drop for Paper {
    fn drop(&mut self) {
        *self.room.0.lock().unwrap().mounted.get_mut(&self.place).unwrap() -= 1;
    }
}

const NEVER: &str = "the scheduler moves no bytes";

impl Volume for Paper {
    fn label(&self) -> &Label {
        &self.label
    }
    fn revision(&self) -> Revision {
        Revision(0)
    }
    fn identify(&mut self) -> MediaResult<()> {
        Ok(())
    }
    fn space(&mut self) -> MediaResult<Space> {
        if self.room.0.lock().unwrap().roomless.contains(&self.label.name) {
            return Err(MediaError {
                op: Op::FreeSpace,
                medium: self.label.name.clone(),
                at: None,
                fault: Fault::Io(Errno::EIO),
            });
        }
        Ok(Space {
            capacity: ByteCount(5000),
            used: ByteCount(0),
            free: ByteCount(5000),
        })
    }
    fn reserve(&mut self, _: &ExtentTag) -> MediaResult<Address> {
        unreachable!("{NEVER}")
    }
    fn give_back(&mut self, _: ExtentId, _: &Address) {}

    fn create(&mut self, _: ExtentTag, _: &Address) -> MediaResult<Option<WriteHandle>> {
        unreachable!("{NEVER}")
    }
    fn write(&mut self, _: WriteHandle, _: &[u8]) -> MediaResult<Accepted> {
        unreachable!("{NEVER}")
    }
    fn finish(&mut self, _: WriteHandle, _: Digests) -> MediaResult<WriteReceipt> {
        unreachable!("{NEVER}")
    }
    fn abandon(&mut self, _: WriteHandle) {
        unreachable!("{NEVER}")
    }
    fn open(&mut self, _: &Wanted, _: ReadFrom) -> MediaResult<ReadHandle> {
        unreachable!("{NEVER}")
    }
    fn read(&mut self, _: ReadHandle, _: &mut [u8]) -> MediaResult<usize> {
        unreachable!("{NEVER}")
    }
    fn seek(&mut self, _: ReadHandle, _: u64) -> MediaResult<()> {
        unreachable!("{NEVER}")
    }
    fn close(&mut self, _: ReadHandle) {
        unreachable!("{NEVER}")
    }
    fn sync(&mut self) -> MediaResult<SyncReceipt> {
        unreachable!("{NEVER}")
    }
    fn commit_index(&mut self, _: IndexStamp) -> MediaResult<()> {
        unreachable!("{NEVER}")
    }
    fn lookup(&mut self, _: ExtentId) -> MediaResult<Option<IndexEntry>> {
        unreachable!("{NEVER}")
    }
    fn index(&mut self) -> MediaResult<Box<dyn Iterator<Item = MediaResult<IndexEntry>> + Send>> {
        unreachable!("{NEVER}")
    }
    fn delete(&mut self, _: &Wanted) -> MediaResult<Deleted> {
        unreachable!("{NEVER}")
    }
    fn isolate(&mut self, _: &Wanted, _: &str) -> MediaResult<()> {
        unreachable!("{NEVER}")
    }
    fn strangers(&mut self) -> MediaResult<Vec<Address>> {
        unreachable!("{NEVER}")
    }
    fn erase(
        &mut self,
        _: Label,
        _: &mut dyn Iterator<Item = Wanted>,
        _: &mut dyn FnMut(EraseStep),
    ) -> MediaResult<Vec<Address>> {
        unreachable!("{NEVER}")
    }
}
