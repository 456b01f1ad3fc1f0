//! How the bays of a library are. Only questions, between two commands of whoever works with a drive.

use super::Library;
use super::bay::{Bay, Use, Way, locked};
use super::error::LibraryResult;
use super::loaded::Loaded;
use crate::ldm::changer::ElementAddress;
use crate::ldm::drive::scsi::Health;
use crate::ldm::drive::{DriveError, DriveIdentity, Generation};
use crate::ldm::scsi::log::Alert;

/// A bay, as it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BayView {
    /// What it is called: drv0 and so on, in order of the elements' addresses.
    pub name: String,
    /// Its element.
    pub element: ElementAddress,
    /// The serial number of its drive, by the changer's word.
    pub serial: Option<String>,
    /// Who its drive is by its own word; None: it cannot be reached.
    pub identity: Option<DriveIdentity>,
    /// The generation of its drive, where its product name tells.
    pub generation: Option<Generation>,
    /// What it is used for.
    pub state: BayState,
}

/// What a bay is used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BayState {
    /// No drive of this host is in it, or it did not answer; why, in words.
    Unreachable(String),
    /// Nothing. A cartridge may lie in it, which the inventory names.
    Free,
    /// Something is under way; what, in words.
    Busy(&'static str),
    /// A cartridge is in it and was made sure of.
    Loaded(Loaded),
    /// A volume is mounted from it.
    Mounted {
        /// The cartridge.
        loaded: Loaded,
        /// The medium's name.
        medium: String,
    },
}

/// How a drive is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriveStatus {
    /// Which library.
    pub library: String,
    /// Which bay, and what it is used for.
    pub bay: BayView,
    /// The barcode of what is in it, by the changer's word when somebody looked last.
    pub barcode: Option<String>,
    /// What the drive had to tell since its cartridge came, by number. Each says in words what, and how much it matters.
    pub alerts: Vec<Alert>,
    /// What it counts.
    pub health: Health,
    /// Whether what is in it is write-protected; None: nothing was made sure of.
    pub write_protected: Option<bool>,
    /// Whether it asks for cleaning, when the work at hand is done.
    pub wants_cleaning: bool,
    /// Why some of this is missing.
    pub trouble: Option<String>,
}

impl Library {
    /// Every bay. Waits for nobody.
    pub fn bays(&self) -> Vec<BayView> {
        self.bays.iter().map(view).collect()
    }

    /// How the drive in a bay is. A volume that is mounted in it is not disturbed: the questions are asked between two of
    /// its commands, and wait for the one that is under way.
    ///
    /// # Errors
    /// `NoSuchBay`. What the drive does not answer is told beside the rest.
    pub fn drive_status(&self, bay: &str) -> LibraryResult<DriveStatus> {
        self.told(|library| {
            let bay = library.bay(bay)?;
            let asked = bay.way.as_ref().ok().map(|way| ask(bay, way));
            let (health, wants, trouble) = match asked {
                None => (Health::default(), false, None),
                Some(Ok((health, wants))) => (health, wants, None),
                Some(Err(error)) => (Health::default(), false, Some(error.to_string())),
            };
            let alerts: Vec<Alert> = locked(&bay.alerts).iter().copied().collect();
            let view = view(bay);
            let write_protected = match &view.state {
                BayState::Loaded(loaded) | BayState::Mounted { loaded, .. } => Some(loaded.cartridge.write_protected),
                BayState::Unreachable(_) | BayState::Free | BayState::Busy(_) => None,
            };
            let last = library.last_inventory();
            let there = last.at(bay.element);
            Ok(DriveStatus {
                library: library.name.clone(),
                barcode: there.and_then(|element| element.barcode.clone()),
                wants_cleaning: wants || health.wants_cleaning() || alerts.iter().any(|alert| alert.wants_cleaning()),
                bay: view,
                alerts,
                health,
                write_protected,
                trouble,
            })
        })
    }
}

/// The drive's counters, and whether it asked for cleaning beside an answer.
fn ask(bay: &Bay, way: &Way) -> Result<(Health, bool), DriveError> {
    let mut drive = way.drive();
    bay.ask_alerts(&mut drive)?;
    Ok((drive.health()?, drive.wants_cleaning()))
}

fn view(bay: &Bay) -> BayView {
    let way = bay.way.as_ref();
    BayView {
        name: bay.name.clone(),
        element: bay.element,
        serial: bay.serial.clone(),
        identity: way.ok().map(|way| way.identity.clone()),
        generation: way.ok().and_then(|way| way.generation),
        state: match (way, &*locked(&bay.usage)) {
            (Err(why), _) => BayState::Unreachable(why.clone()),
            (Ok(_), Use::Free) => BayState::Free,
            (Ok(_), Use::Busy(doing)) => BayState::Busy(doing),
            (Ok(_), Use::Loaded(loaded)) => BayState::Loaded(loaded.clone()),
            (Ok(_), Use::Mounted { loaded, medium }) => BayState::Mounted {
                loaded: loaded.clone(),
                medium: medium.clone(),
            },
        },
    }
}
