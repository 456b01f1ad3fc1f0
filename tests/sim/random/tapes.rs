//! The tape library of a run: what every command to it may meet, how it is opened, and what lies on its tapes.

use super::faults::Kind;
use super::life::Life;
use super::scenario::LibraryPlan;
use super::world::{Dead, World};
use crate::robot::{Hears, LIBRARY, Robot, Then, words};
use crate::tape::{self, Elsewhere};
use dss::catalogue::Catalogue;
use dss::model::{AdmState, Blake3, ExtentId, ExtentState, Family, Medium};
use lrs::ldm::virt::Say;
use respool::api::Problem;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Operation codes.
const READ: u8 = 0x08;
const WRITE: u8 = 0x0a;
const MARKS: u8 = 0x10;
const LOAD: u8 = 0x1b;
const FORMAT: u8 = 0x04;
const MOVE: u8 = 0xa5;
const STATUS: u8 = 0xb8;
/// Questions that no attention answers.
const UNHEARD: [u8; 3] = [0x03, 0x12, 0xa0];

/// A command to a drive or to the arm may be the last one, and may fail.
impl Hears for World {
    fn before(&self, device: &str, cdb: &[u8]) -> Then {
        if let Err(Dead) = self.effect(|| format!("{device}: {}", words(cdb))) {
            return Then::Gone;
        }
        let then = match device.strip_prefix("drv").map(str::parse::<usize>) {
            Some(number) => self.to_drive(number.expect("drives are numbered"), cdb),
            None => self.to_arm(cdb),
        };
        if then != Then::GoOn {
            self.say(|| format!("{device}: {then:?}"));
        }
        then
    }
}

impl World {
    fn to_arm(&self, cdb: &[u8]) -> Then {
        match cdb[0] {
            MOVE if self.strikes(Kind::Jam) => Then::Says(4, 0x15, 1),
            MOVE if self.strikes(Kind::JamAfterAll) => Then::DoesAndSays(4, 0x15, 1),
            MOVE | STATUS if self.strikes(Kind::Door) => Then::Says(6, 0x28, 1),
            _ => Then::GoOn,
        }
    }

    fn to_drive(&self, number: usize, cdb: &[u8]) -> Then {
        if UNHEARD.contains(&cdb[0]) {
            return Then::GoOn;
        }
        let robot = self.robot().expect("a drive is in a library");
        self.rule_of_tape(&robot, number, cdb);
        if self.strikes(Kind::DriveReset) {
            self.say(|| format!("drv{number}: its power goes, and comes back"));
            robot.model().drive_power_cut(number);
            return Then::GoOn;
        }
        if self.strikes(Kind::MaybeChanged) {
            return Then::Says(6, 0x28, 0);
        }
        match cdb[0] {
            READ if self.strikes(Kind::TapeRead) => return Then::Says(3, 0x11, 0),
            WRITE if self.strikes(Kind::TapeWrite) => return Then::Says(3, 0x0c, 0),
            LOAD if self.strikes(Kind::StuckInDrive) => return Then::Says(4, 0x53, 0),
            MARKS if self.strikes(Kind::LostBuffer) => {
                self.say(|| format!("drv{number}: it fails to write its buffer out"));
                robot.model().lose_buffer(number, Say::new(3, 0x0c, 0));
            }
            _ => {}
        }
        Then::GoOn
    }

    /// A tape that another respoold holds is not written to (I7).
    fn rule_of_tape(&self, robot: &Robot, number: usize, cdb: &[u8]) {
        let writes = matches!(cdb[0], WRITE | FORMAT) || cdb[0] == MARKS && cdb[2..5] != [0; 3];
        let Some(code) = robot.model().barcode_in(number).filter(|_| writes) else {
            return;
        };
        let of_tape = |name: &&String| tape::barcode(name) == code;
        let held = self.inner().seen.elsewhere.iter().find(of_tape).cloned();
        if let Some(name) = held {
            self.broken(format!(
                "I7: {name} was written to while another respoold held its lease"
            ));
        }
    }

    /// The tape library itself, if there is one.
    pub fn robot(&self) -> Option<Robot> {
        self.inner().matter.robot.as_ref().map(Robot::itself)
    }

    fn tapes(&self) -> Vec<Medium> {
        let mut media = self.media();
        media.retain(|medium| medium.family == Family::Tape);
        media
    }

    fn durable_end(&self, medium: &Medium) -> u64 {
        super::rules::look(self.catalogue.durable_end(medium.id)).expect("a tape has a row")
    }
}

impl Life {
    /// Opens the library, if there is one and it is not open.
    pub async fn open_library(&self) -> Result<(), Problem> {
        let Some(robot) = self.world.robot() else { return Ok(()) };
        if self.libraries.get(LIBRARY).is_ok() {
            return Ok(());
        }
        let hears: Arc<dyn Hears> = self.world.clone();
        tape::open(&self.host, &self.libraries, &robot, &hears).await
    }
}

/// A library with its tapes, all of them media.
pub async fn make(life: &Life, plan: &LibraryPlan) {
    let world = &life.world;
    {
        let mut inner = world.inner();
        inner.matter.robot = Some(Robot::new(plan.drives));
        inner.run.trouble.add_library();
    }
    let now = life.host.clock.now();
    life.host
        .catalogue
        .add_library(tape::library_row(), now)
        .await
        .expect("a new library");
    life.open_library().await.expect("a calm library is opened");
    let library = life.libraries.get(LIBRARY).expect("it was opened");
    let robot = world.robot().expect("it was made");
    for one in &plan.tapes {
        let added = tape::add(&life.host, &library, &robot, (&one.name, one.capacity)).await;
        added.expect("a blank tape becomes a medium");
    }
}

/// Extents that a tape names and that have no row (E-04). A tape that is being erased names nothing that counts.
pub fn strangers(world: &World) -> Vec<String> {
    let Some(robot) = world.robot() else { return Vec::new() };
    let (elsewhere, mut strangers) = (Elsewhere::of(&robot), Vec::new());
    for medium in world
        .tapes()
        .iter()
        .filter(|medium| medium.adm_state != AdmState::Erasing)
    {
        let rows: BTreeSet<ExtentId> = world.extents(Some(medium.id)).iter().map(|row| row.id).collect();
        match elsewhere.named(medium, world.durable_end(medium)) {
            Ok(named) => {
                let unknown = named.into_keys().filter(|id| !rows.contains(id));
                strangers.extend(unknown.map(|id| format!("E-04: {} names {id}, which has no row", medium.name)));
            }
            Err(words) => strangers.push(format!("{}: {words}", medium.name)),
        }
    }
    strangers
}

/// Every tape names by itself what the catalogue says is *sync* on it, has its bytes, and is a sound volume.
pub fn are_sound(world: &World) {
    let Some(robot) = world.robot() else { return };
    let elsewhere = Elsewhere::of(&robot);
    for medium in world
        .tapes()
        .iter()
        .filter(|medium| medium.adm_state != AdmState::Erasing)
    {
        let found = match elsewhere.all(medium, world.durable_end(medium)) {
            Ok(found) => found,
            Err(words) => {
                world.broken(format!("{} is not sound in the end: {words}", medium.name));
                continue;
            }
        };
        let rows = world.extents(Some(medium.id));
        let sync = rows.iter().filter(|row| row.state == ExtentState::Sync);
        let wanted: BTreeMap<ExtentId, Blake3> = sync
            .map(|row| (row.id, row.digests.as_ref().expect("a sync extent has digests").blake3))
            .collect();
        for (id, digest) in &wanted {
            if found.named.get(id) != Some(digest) {
                world.broken(format!(
                    "I5: {id} is sync on {}, and the tape has {:?}",
                    medium.name,
                    found.named.get(id)
                ));
            }
        }
        if !found.findings.is_empty() {
            world.broken(format!(
                "the volume on {} is not sound: {:?}",
                medium.name, found.findings
            ));
        }
    }
}
