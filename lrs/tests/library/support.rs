//! Libraries in folders, and wires to their devices that do what a test says.

use dss::model::{CatalogueId, Generation, MediumId, Revision};
use lrs::ldm::changer::{ElementAddress, ElementKind};
use lrs::ldm::faults::FaultPlan;
use lrs::ldm::fs::Label;
use lrs::ldm::fs::ltfs::medium::{Erasing, Expected, FORMAT, Shape};
use lrs::ldm::library::{Library, LibraryResult, NewLibrary, Patience, Spec, Terms, Trouble, Wire, Wires};
use lrs::ldm::scsi::reservation::Key;
use lrs::ldm::scsi::{Completion, Status, Transfer, Transport, TransportError};
use lrs::ldm::virt::{Technology, VirtualLibrary};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// First slot, first mail slot and first drive.
pub const SLOT: u16 = 1024;
pub const MAIL: u16 = 16;
pub const DRIVE: u16 = 256;

/// A folder, in memory where the host has such a place.
pub fn room() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

pub fn key() -> Key {
    Key::new(0x5265_7370_6f6f_6c01).unwrap()
}

/// Two drives, six slots, two mail slots, four cartridges.
pub fn new(technology: Technology) -> NewLibrary {
    NewLibrary {
        technology,
        drives: 2,
        slots: 6,
        mail_slots: 2,
        cartridges: 4,
    }
}

/// A library in a folder of its own.
pub struct Rig {
    pub library: Library,
    pub folder: TempDir,
}

impl Rig {
    pub fn new(technology: Technology) -> Self {
        Self::with_faults(technology, "")
    }

    pub fn with_faults(technology: Technology, faults: &str) -> Self {
        Self::of(&new(technology), faults)
    }

    pub fn of(new: &NewLibrary, faults: &str) -> Self {
        let folder = room();
        Library::create(folder.path(), new).unwrap();
        Self {
            library: opened(folder.path(), faults).unwrap(),
            folder,
        }
    }

    /// The process ends, `meanwhile` happens to the folder, and another process opens the library.
    pub fn again(self, faults: &str, meanwhile: impl FnOnce(&Path)) -> Self {
        let Self { library, folder } = self;
        drop(library);
        meanwhile(folder.path());
        Self {
            library: opened(folder.path(), faults).unwrap(),
            folder,
        }
    }

    /// The file of the inventory with one text replaced by another.
    pub fn retold(self, old: &str, with: &str) -> Self {
        self.again("", |folder| {
            let path = folder.join("library.json");
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(old), "{text}");
            std::fs::write(path, text.replace(old, with)).unwrap();
        })
    }

    /// Somebody at the library's panel has the arm move a cartridge.
    pub fn panel(&self, from: u16, to: u16) {
        panel(self.library.model().unwrap(), from, to);
    }
}

/// A library that a process opens.
pub fn opened(folder: &Path, faults: &str) -> LibraryResult<Library> {
    let spec = Spec::Virtual {
        name: "lib0".to_owned(),
        folder: folder.to_owned(),
    };
    let terms = Terms {
        faults: FaultPlan::parse(faults, "faults.toml").unwrap(),
        ..Terms::usual(key())
    };
    Library::open(&spec, &terms)
}

/// One fault of a plan.
pub fn fault(place: &str, op: &str, error: &str, times: u64) -> String {
    format!("[[fault]]\n{place}\nop = '{op}'\nerror = '{error}'\ntimes = {times}\n")
}

pub fn panel(model: &VirtualLibrary, from: u16, to: u16) {
    let mut changer = model.changer_transport();
    let (from, to) = (from.to_be_bytes(), to.to_be_bytes());
    let cdb = [0xa5, 0, 0, 0, from[0], from[1], to[0], to[1], 0, 0, 0, 0];
    for _ in 0..8 {
        let done = changer.execute(&cdb, Transfer::None, Duration::from_secs(60)).unwrap();
        if done.status == Status::Good {
            return;
        }
        assert_eq!(done.sense[2] & 0x0f, 6, "{:x?}", done.sense);
    }
    panic!("the arm does not move");
}

/// What becomes of a command on a wire.
pub enum Then {
    /// It goes to the device.
    GoOn,
    /// The device answers with this sense, and does nothing.
    Check(u8, u8, u8),
    /// The device does it, and answers with this sense all the same.
    DoneAnd(u8, u8, u8),
    /// Nobody answers, and the device has done nothing.
    Silence,
    /// Nobody answers, and the device has done it.
    DoneInSilence,
}

type Hook = Box<dyn FnMut(&[u8]) -> Then + Send>;

#[derive(Default)]
struct Log {
    sent: Vec<Vec<u8>>,
    hook: Option<Hook>,
}

/// A wire, as the test holds it.
#[derive(Clone, Default)]
pub struct Tap(Arc<Mutex<Log>>);

impl Tap {
    /// What becomes of every command from now on.
    pub fn on(&self, hook: impl FnMut(&[u8]) -> Then + Send + 'static) {
        self.0.lock().unwrap().hook = Some(Box::new(hook));
    }

    /// What becomes of the next command of this code; all others go on.
    pub fn once(&self, code: u8, then: Then) {
        let mut then = Some(then);
        self.on(move |cdb| match cdb[0] == code {
            true => then.take().unwrap_or(Then::GoOn),
            false => Then::GoOn,
        });
    }

    /// Nobody answers to any of these any more.
    pub fn cut(&self, codes: &'static [u8]) {
        self.on(|cdb| {
            if codes.contains(&cdb[0]) {
                Then::Silence
            } else {
                Then::GoOn
            }
        });
    }

    /// How many commands were sent.
    pub fn total(&self) -> usize {
        self.0.lock().unwrap().sent.len()
    }

    /// How many commands of a code were sent.
    pub fn count(&self, code: u8) -> usize {
        let log = self.0.lock().unwrap();
        log.sent.iter().filter(|cdb| cdb[0] == code).count()
    }
}

struct Tapped {
    inner: Wire,
    tap: Tap,
}

fn check(key: u8, asc: u8, ascq: u8) -> Completion {
    let mut sense = vec![0; 18];
    (sense[0], sense[2], sense[7], sense[12], sense[13]) = (0x70, key, 10, asc, ascq);
    Completion {
        status: Status::CheckCondition,
        sense,
        transferred: 0,
    }
}

impl Transport for Tapped {
    fn execute(&mut self, cdb: &[u8], transfer: Transfer<'_>, timeout: Duration) -> Result<Completion, TransportError> {
        let then = {
            let mut tap = self.tap.0.lock().unwrap();
            tap.sent.push(cdb.to_vec());
            tap.hook.as_mut().map_or(Then::GoOn, |hook| hook(cdb))
        };
        match then {
            Then::GoOn => self.inner.execute(cdb, transfer, timeout),
            Then::Check(key, asc, ascq) => Ok(check(key, asc, ascq)),
            Then::DoneAnd(key, asc, ascq) => {
                self.inner.execute(cdb, transfer, timeout)?;
                Ok(check(key, asc, ascq))
            }
            Then::Silence => Err(TransportError::TimedOut(timeout)),
            Then::DoneInSilence => {
                self.inner.execute(cdb, transfer, timeout)?;
                Err(TransportError::TimedOut(timeout))
            }
        }
    }

    fn transfer_max(&self) -> usize {
        self.inner.transfer_max()
    }

    fn name(&self) -> &str {
        self.inner.name()
    }
}

/// A library whose wires the test holds.
pub struct Wired {
    pub library: Library,
    pub changer: Tap,
    pub drives: [Tap; 2],
    pub model: Arc<VirtualLibrary>,
    pub folder: TempDir,
}

impl Wired {
    pub fn new(technology: Technology) -> Self {
        let folder = room();
        Library::create(folder.path(), &new(technology)).unwrap();
        let model = Arc::new(VirtualLibrary::open(folder.path()).unwrap());
        let (changer, drives) = (Tap::default(), [Tap::default(), Tap::default()]);
        let wires = wires(&model, &changer, &drives, &[1, 0]);
        Self {
            library: Library::over("lib0", wires, key(), Patience::counted()).unwrap(),
            changer,
            drives,
            model,
            folder,
        }
    }

    /// The process ends, and the devices' power with it; another process opens the library.
    pub fn ended(self) -> Rig {
        let Self {
            library, model, folder, ..
        } = self;
        drop(library);
        assert_eq!(Arc::strong_count(&model), 1, "nobody of the process before is left");
        drop(model);
        Rig {
            library: opened(folder.path(), "").unwrap(),
            folder,
        }
    }
}

pub fn tapped(inner: Wire, tap: &Tap) -> Wire {
    Box::new(Tapped {
        inner,
        tap: tap.clone(),
    })
}

/// Wires to a model's changer and to its drives, in this order.
pub fn wires(model: &VirtualLibrary, changer: &Tap, drives: &[Tap; 2], order: &[usize]) -> Wires {
    let drive = |number: &usize| {
        let inner = model.drive_transport(*number).unwrap();
        tapped(Box::new(inner), &drives[*number])
    };
    Wires {
        changer: tapped(Box::new(model.changer_transport()), changer),
        drives: order.iter().map(drive).collect(),
        passed: Vec::new(),
    }
}

/// The element that has a cartridge.
pub fn place(library: &Library, barcode: &str) -> ElementAddress {
    library.inventory().unwrap().find(barcode).unwrap().address
}

/// Every cartridge is somewhere, once.
pub fn all_there(library: &Library, barcodes: &[String]) {
    let inventory = library.inventory().unwrap();
    for barcode in barcodes {
        inventory.find(barcode).unwrap();
    }
    let full = inventory.elements().iter().filter(|element| element.full).count();
    assert_eq!(full, barcodes.len());
    assert!(inventory.of(ElementKind::Transport).all(|arm| !arm.full));
}

pub fn trouble<T>(answer: LibraryResult<T>) -> Trouble {
    match answer {
        Ok(_) => panic!("it succeeded"),
        Err(error) => error.trouble,
    }
}

/// A medium's label.
pub fn label(name: &str) -> Label {
    Label {
        format: FORMAT.to_owned(),
        medium: MediumId::fresh(),
        name: name.to_owned(),
        generation: Generation(0),
        catalogue: CatalogueId::fresh(),
        revision: Revision(3),
        created_at: "2026-01-02T03:04:05Z".parse().unwrap(),
    }
}

pub fn expected(label: &Label) -> Expected {
    Expected {
        medium: label.medium,
        name: label.name.clone(),
        generations: vec![label.generation],
        erasing: Erasing::No,
        least_end: 0,
        catalogue: None,
        clock: Arc::new(|| "2026-11-20T10:21:26.5Z".parse().unwrap()),
    }
}

/// Makes a medium of a blank cartridge, in drv0.
pub fn formatted(library: &Library, barcode: &str) -> Label {
    let label = label(barcode);
    let shape = Shape {
        block_size: 64 << 10,
        ..Shape::usual(barcode)
    };
    library.format("drv0", barcode, &label, &shape).unwrap();
    label
}
