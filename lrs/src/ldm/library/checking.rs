//! Everything that is wrong with the volume on a cartridge, whoever wrote it. Nothing is written.

use super::Library;
use super::bay::{Use, Want};
use super::error::{LibraryResult, Trouble};
use super::mounting::{release, reserve};
use crate::ldm::drive::Drive;
use crate::ldm::fs::ltfs::finding::Finding;
use crate::ldm::fs::ltfs::index::{Node, walk};
use crate::ldm::fs::ltfs::volume::{self, Contents, LtfsError, LtfsResult, State};
use crate::ldm::{Fault, MediaError, Op};
use uuid::Uuid;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Which volume.
    pub volume: Uuid,
    /// The name in its root.
    pub name: String,
    /// The serial number in its VOL1 label.
    pub serial: String,
    /// The generation of the index that counts.
    pub generation: u64,
    /// Length of a full record in bytes.
    pub block_size: u32,
    /// How many files its tree has.
    pub files: u64,
    /// Their lengths together.
    pub bytes: u64,
    /// How it was left.
    pub state: State,
    /// All that is wrong.
    pub findings: Vec<Finding>,
}

impl Library {
    /// Brings a cartridge into a bay and checks the volume on it: labels, every index, the cartridge's memory, every extent's
    /// place. The files' bytes are not read.
    ///
    /// # Errors
    /// As of `put_in`; `Drive`: the drive failed; `Media`: there is no volume that could be checked.
    pub fn check(&self, bay: &str, barcode: &str) -> LibraryResult<Checked> {
        self.told(|library| {
            let mut claim = library.bay(bay)?.claim(Want::Hold(barcode), "a tape is checked")?;
            let loaded = library.bring(&claim, barcode)?;
            claim.keep(Use::Loaded(loaded));
            let (bay, way) = (claim.bay, claim.bay.way()?);
            reserve(bay, way, barcode)?;
            let checked = checked(&mut *way.drive());
            release(bay, way);
            checked.map_err(|error| match error {
                LtfsError::Drive(error) => bay.trouble(Some(barcode), error),
                other => Trouble::Media(MediaError {
                    op: Op::Mount,
                    medium: barcode.to_owned(),
                    at: None,
                    fault: Fault::Damaged(other.to_string()),
                }),
            })
        })
    }
}

fn checked(drive: &mut dyn Drive) -> LtfsResult<Checked> {
    drive.take_up();
    let mounted = volume::mount(drive)?;
    let findings = volume::check(drive, &mounted, Contents::Unread)?;
    let (mut files, mut bytes) = (0, 0_u64);
    walk(&mounted.tree.root, |_, node| {
        if let Node::File(file) = node {
            files += 1;
            bytes = bytes.saturating_add(file.length);
        }
    });
    Ok(Checked {
        volume: mounted.labels.label.volume,
        name: mounted.tree.root.meta.name.clone(),
        serial: mounted.labels.serial.clone(),
        generation: mounted.tree.head.generation,
        block_size: mounted.labels.label.block_size,
        files,
        bytes,
        state: mounted.state,
        findings,
    })
}
