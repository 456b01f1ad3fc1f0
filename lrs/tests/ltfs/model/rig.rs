//! A library of two model drives, the drivers on it, and a wire that can be cut.

use crate::clock::TestClock;
use lrs::ldm::changer::{Changer, Element, ElementAddress, ElementKind, ScsiChanger};
use lrs::ldm::drive::{Cartridge, Drive, DriveResult, ScsiDrive};
use lrs::ldm::faults::FaultPlan;
use lrs::ldm::scsi::reservation::Key;
use lrs::ldm::scsi::{Completion, Status, Transfer, Transport, TransportError};
use lrs::ldm::virt::{DeviceTransport, LibrarySpec, Rehearsal, Technology, VirtualLibrary};
use nix::errno::Errno;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The cartridge that most tests use.
pub const TAPE: &str = "TAP001L8";

/// A drive as the file system of tapes uses it.
pub type Tape = ScsiDrive<Wire, TestClock>;

/// What happens on the wire at a command.
pub enum Then {
    /// The command goes out.
    GoOn,
    /// Neither this command nor any later one goes out: the host is gone.
    Silence,
}

/// A command that ends with this sense, and moves nothing.
pub fn fails((key, asc, ascq): (u8, u8, u8)) -> Completion {
    let mut sense = vec![0; 18];
    (sense[0], sense[2], sense[7], sense[12], sense[13]) = (0x70, key, 10, asc, ascq);
    Completion {
        status: Status::CheckCondition,
        sense,
        transferred: 0,
    }
}

/// What is to happen before the command of a number.
type Mishap = Box<dyn FnMut() -> Then + Send>;

/// Answers a command in the drive's place, or has it go out.
type Stand = Box<dyn FnMut(&[u8]) -> Option<Completion> + Send>;

#[derive(Default)]
struct State {
    sent: usize,
    at: Option<(usize, Mishap)>,
    silent: bool,
    /// The commands that went out, since they are written down.
    heard: Option<Vec<Vec<u8>>>,
    stand: Option<Stand>,
}

/// A drive's wire, as the test holds it: it counts commands.
#[derive(Clone, Default)]
pub struct Line(Arc<Mutex<State>>);

impl Line {
    /// From now on commands are counted from 0, and before the one of this number something happens.
    pub fn before(&self, number: usize, mishap: impl FnMut() -> Then + Send + 'static) {
        let mut state = self.0.lock().unwrap();
        state.sent = 0;
        state.at = Some((number, Box::new(mishap)));
    }

    /// Forgets what was to happen, and writes down from now on which commands go out.
    pub fn listen(&self) {
        let mut state = self.0.lock().unwrap();
        (state.at, state.heard) = (None, Some(Vec::new()));
    }

    /// The commands that went out since.
    pub fn heard(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap().heard.clone().expect("somebody listens")
    }

    /// From now on commands may be answered in the drive's place.
    pub fn stand_in(&self, stand: impl FnMut(&[u8]) -> Option<Completion> + Send + 'static) {
        self.0.lock().unwrap().stand = Some(Box::new(stand));
    }

    /// Whether what was to happen has not happened.
    pub fn is_waiting(&self) -> bool {
        self.0.lock().unwrap().at.is_some()
    }
}

/// A drive's wire, as the driver has it.
pub struct Wire {
    inner: DeviceTransport,
    line: Line,
}

impl Transport for Wire {
    fn execute(&mut self, cdb: &[u8], transfer: Transfer<'_>, timeout: Duration) -> Result<Completion, TransportError> {
        let mut state = self.line.0.lock().unwrap();
        if let Some((number, mut mishap)) = state.at.take() {
            if number > state.sent {
                state.at = Some((number, mishap));
            } else if matches!(mishap(), Then::Silence) {
                state.silent = true;
            }
        }
        if state.silent {
            return Err(TransportError::Host(Errno::ENODEV));
        }
        state.sent += 1;
        if let Some(heard) = &mut state.heard {
            heard.push(cdb.to_vec());
        }
        if let Some(answer) = state.stand.as_mut().and_then(|stand| stand(cdb)) {
            return Ok(answer);
        }
        drop(state);
        self.inner.execute(cdb, transfer, timeout)
    }

    fn transfer_max(&self) -> usize {
        self.inner.transfer_max()
    }

    fn name(&self) -> &str {
        self.inner.name()
    }
}

/// Where a cartridge is to go.
#[derive(Clone, Copy, Debug)]
pub enum To {
    Drive(usize),
    Slot,
}

/// A library in a folder of its own.
pub struct Rig {
    pub folder: tempfile::TempDir,
    pub library: Arc<VirtualLibrary>,
}

impl Rig {
    /// Of LTO-8 drives.
    pub fn new() -> Self {
        Self::of(Technology::Lto8)
    }

    /// Two drives and four slots, all empty.
    pub fn of(technology: Technology) -> Self {
        let folder = room();
        let spec = LibrarySpec {
            technology,
            drives: 2,
            slots: 4,
            mail_slots: 1,
        };
        VirtualLibrary::create(folder.path(), &spec).unwrap();
        Self::opened(folder, "")
    }

    /// A copy of another one, as it lies on the disk, with these faults.
    pub fn copy(of: &Path, faults: &str) -> Self {
        let folder = room();
        copy(of, folder.path());
        Self::opened(folder, faults)
    }

    fn opened(folder: tempfile::TempDir, faults: &str) -> Self {
        let library = Arc::new(open(folder.path(), faults));
        Self { folder, library }
    }

    /// The process ends, and another one opens the library.
    pub fn reopened(self) -> Self {
        let Self { folder, library } = self;
        assert_eq!(Arc::strong_count(&library), 1, "nobody of the process before is left");
        drop(library);
        Self::opened(folder, "")
    }

    pub fn changer(&self) -> ScsiChanger<DeviceTransport, TestClock> {
        ScsiChanger::with_clock(self.library.changer_transport(), TestClock::default()).unwrap()
    }

    /// Has the arm carry a cartridge.
    pub fn carry(&self, barcode: &str, to: To) {
        let mut changer = self.changer();
        let elements = changer.elements().unwrap();
        let has = |element: &&Element| element.barcode.as_deref() == Some(barcode);
        let from = elements.iter().find(has).expect("the library has it").address;
        changer.move_medium(from, self.place(&elements, to)).unwrap();
    }

    fn place(&self, elements: &[Element], to: To) -> ElementAddress {
        match to {
            To::Drive(number) => {
                let serial = self.library.drive_serial(number).unwrap();
                ScsiChanger::<DeviceTransport, TestClock>::drive_of(elements, &serial).unwrap()
            }
            To::Slot => {
                let free = |element: &&Element| element.kind == ElementKind::Slot && !element.full;
                elements.iter().find(free).expect("a slot is free").address
            }
        }
    }

    /// Opens a drive, whatever is in it.
    pub fn drive(&self, number: usize) -> Tape {
        self.wired(number).0
    }

    /// The same, and its wire.
    pub fn wired(&self, number: usize) -> (Tape, Line) {
        let line = Line::default();
        let wire = Wire {
            inner: self.library.drive_transport(number).unwrap(),
            line: line.clone(),
        };
        let key = Key::new(0x5265_7370_6f6f_6c01).unwrap();
        (ScsiDrive::with_clock(wire, key, TestClock::default()).unwrap(), line)
    }

    /// Carries a cartridge into a drive and loads it.
    pub fn try_load(&self, barcode: &str, number: usize) -> (Tape, Line, DriveResult<Cartridge>) {
        self.carry(barcode, To::Drive(number));
        let (mut tape, line) = self.wired(number);
        let cartridge = tape.load();
        (tape, line, cartridge)
    }

    /// The same, of one that is taken.
    pub fn load(&self, barcode: &str, number: usize) -> Tape {
        let (tape, _, cartridge) = self.try_load(barcode, number);
        cartridge.unwrap();
        tape
    }

    /// Unloads a cartridge that is in a drive, whoever had used it, and carries it on.
    pub fn out(&self, barcode: &str, number: usize, to: To) {
        let mut tape = self.drive(number);
        tape.load().unwrap();
        tape.unload().unwrap();
        drop(tape);
        self.carry(barcode, to);
    }

    /// The folder of a cartridge.
    pub fn path(&self, barcode: &str) -> std::path::PathBuf {
        self.library.cartridge_path(barcode).unwrap()
    }
}

/// A folder, in memory where the host has such a place: what is durable the model decides, and thousands of real syncs
/// would only take time.
fn room() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

fn open(folder: &Path, faults: &str) -> VirtualLibrary {
    let rehearsal = Rehearsal {
        name: "lib0".to_owned(),
        faults: FaultPlan::parse(faults, "faults.toml").unwrap(),
        ..Rehearsal::default()
    };
    VirtualLibrary::rehearse(folder, &rehearsal).unwrap()
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
