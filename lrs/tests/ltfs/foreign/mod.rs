//! Volumes of other software as media that are only read, and as a source of imports.

mod damage;
mod doubts;
mod erasing;
mod manifests;
mod mutations;
mod own;
mod refusals;

use crate::folder_drive::FolderDrive;
use dss::model::{Address, ByteCount, ExtentId, Generation, MediumId, Oid};
use lrs::ldm::MediaResult;
use lrs::ldm::drive::{Drive, Position};
use lrs::ldm::fs::ltfs::foreign::{ForeignEntry, ForeignExpected, ForeignKind, mount};
use lrs::ldm::fs::ltfs::index::{self, Index};
use lrs::ldm::fs::ltfs::medium::SharedDrive;
use lrs::ldm::fs::{ReadFrom, Volume, Wanted};
use std::path::Path;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// The medium's generation in the catalogue.
const GENERATION: Generation = Generation(4);

/// A cartridge in a drive of folders.
fn drive(cartridge: &Path) -> SharedDrive {
    Arc::new(Mutex::new(FolderDrive::open(cartridge)))
}

fn expected(volume: Uuid) -> ForeignExpected {
    ForeignExpected {
        medium: MediumId(Uuid::from_u128(7)),
        name: "FXT001L8".to_owned(),
        volume,
        generation: GENERATION,
        index_generation: None,
    }
}

fn mounted(cartridge: &Path, volume: Uuid) -> Box<dyn Volume> {
    mount(&drive(cartridge), expected(volume)).unwrap()
}

/// The extent that an import makes of an entry; a link is one of no bytes.
fn wanted(entry: &ForeignEntry) -> Option<Wanted> {
    let (bytes, span) = match &entry.kind {
        ForeignKind::File { bytes, span, .. } => (*bytes, Some(span.clone())),
        ForeignKind::Symlink { .. } => (0, None),
        ForeignKind::Directory => return None,
    };
    Some(Wanted {
        extent: ExtentId::fresh(),
        oid: Oid::new("imported").unwrap(),
        address: Address(entry.path.clone()),
        bytes: ByteCount(bytes),
        generation: GENERATION,
        inode: None,
        span,
    })
}

/// A volume's last tree is another one in both partitions, whatever its rules are.
fn retold(cartridge: &Path, change: impl FnOnce(&mut Index)) {
    let mut drive = FolderDrive::open(cartridge);
    let mounted = lrs::ldm::fs::ltfs::volume::mount(&mut drive).unwrap();
    let mut tree = mounted.tree.clone();
    change(&mut tree);
    for view in [&mounted.data, &mounted.index] {
        let last = &view.last.as_ref().unwrap().head;
        (tree.head.location, tree.head.previous) = (last.location, last.previous);
        let mut text = Vec::new();
        index::write(&tree, &mut text).unwrap();
        let at = Position {
            partition: view.number,
            block: last.location.block,
        };
        drive.locate(at).unwrap();
        for record in text.chunks(mounted.labels.label.block_size as usize) {
            drive.write(record).unwrap();
        }
        drive.write_filemarks(1).unwrap();
    }
}

/// All bytes of an extent, in pieces of a length.
fn read_whole(volume: &mut dyn Volume, wanted: &Wanted, piece: usize) -> MediaResult<Vec<u8>> {
    let handle = volume.open(wanted, ReadFrom::Medium)?;
    let (mut all, mut buffer) = (Vec::new(), vec![0xee; piece]);
    let read = loop {
        match volume.read(handle, &mut buffer) {
            Ok(0) => break Ok(all),
            Ok(length) => all.extend_from_slice(&buffer[..length]),
            Err(error) => {
                assert!(
                    buffer.iter().all(|byte| *byte == 0),
                    "a failed read leaves nothing that could be taken for data"
                );
                break Err(error);
            }
        }
    };
    volume.close(handle);
    read
}
