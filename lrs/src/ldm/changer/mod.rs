//! A media changer: slots, mail slots, drives and an arm between them. One conformance suite holds every implementation.

mod scsi;

pub use scsi::ScsiChanger;

use crate::ldm::drive::DriveResult;
use std::fmt;

/// An element's address in the changer (SMC-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ElementAddress(pub u16);

impl fmt::Display for ElementAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What an element is: the codes of READ ELEMENT STATUS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ElementKind {
    /// 1: the arm.
    Transport,
    /// 2: a slot.
    Slot,
    /// 3: a mail slot.
    MailSlot,
    /// 4: a drive.
    Drive,
}

/// One element, as the changer describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Its address.
    pub address: ElementAddress,
    /// What it is.
    pub kind: ElementKind,
    /// Whether a cartridge is in it.
    pub full: bool,
    /// Whether the arm can reach it.
    pub accessible: bool,
    /// What is wrong with it (additional sense code and qualifier), where something is.
    pub exception: Option<(u8, u8)>,
    /// The barcode of what is in it, where it was read.
    pub barcode: Option<String>,
    /// Where what is in it came from.
    pub source: Option<ElementAddress>,
    /// A drive's serial number (DVCID), where the changer knows it.
    pub drive_serial: Option<String>,
}

/// A media changer. Calls block; one thread calls.
pub trait Changer: Send {
    /// What it is called, for messages.
    fn name(&self) -> &str;

    /// Every element of it, in order of kind and address, asked kind by kind (one answer with all kinds is broken in some
    /// changers).
    fn elements(&mut self) -> DriveResult<Vec<Element>>;

    /// Has it look at all its slots again (INITIALIZE ELEMENT STATUS). May take minutes.
    fn scan(&mut self) -> DriveResult<()>;

    /// Moves a cartridge. The destination is full or the source empty: an error that says which, and that the inventory is
    /// stale.
    fn move_medium(&mut self, from: ElementAddress, to: ElementAddress) -> DriveResult<()>;
}
