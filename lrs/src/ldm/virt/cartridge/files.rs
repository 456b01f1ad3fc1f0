//! Small things done to files of a cartridge's folder.

use super::CartridgeResult;

use crate::ldm::disk::{Disk, FileId, OsDisk, ROOT, Replace, Role};
use nix::errno::Errno;

/// Writes a small file whole, durably, in the place of an older one.
pub(super) fn replace(disk: &mut OsDisk, name: &str, bytes: &[u8]) -> CartridgeResult<()> {
    let draft = format!("{name}.new");
    unlink(disk, &draft)?;
    let file = disk.create(&draft, &Role::Manifest)?;
    let written = disk.write_at(file, 0, bytes).and_then(|()| disk.sync_file(file));
    disk.close(file);
    written?;
    disk.rename(&draft, name, Replace::Yes)?;
    disk.sync_dir(ROOT)
}

/// Removes a file that need not be there.
pub(super) fn unlink(disk: &mut OsDisk, name: &str) -> CartridgeResult<()> {
    match disk.unlink(name, &Role::Manifest) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(error) => Err(error),
    }
}

pub(super) fn read_all(disk: &mut OsDisk, name: &str, most: u64) -> CartridgeResult<Vec<u8>> {
    let file = disk.open(name, &Role::Manifest)?;
    let bytes = disk.stat_file(file)?.bytes.min(most);
    let mut buffer = vec![0; usize::try_from(bytes).map_err(|_| Errno::EFBIG)?];
    let filled = fill(disk, file, &mut buffer);
    disk.close(file);
    filled.map(|()| buffer)
}

pub(super) fn fill(disk: &mut OsDisk, file: FileId, buffer: &mut [u8]) -> CartridgeResult<()> {
    let mut at = 0;
    while at < buffer.len() {
        match disk.read_at(file, at as u64, &mut buffer[at..])? {
            0 => return Err(Errno::EIO),
            count => at += count,
        }
    }
    Ok(())
}
