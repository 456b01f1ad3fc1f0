//! Which files a demo stores: real ones, not too many, not too large, read once beforehand to know what they are.

use crate::api::Problem;
use dss::model::{Blake3, ByteCount, Oid};
use std::fs::File;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Larger files are left out: the demo is about many objects.
const FILE_MAX: u64 = 8 << 20;
/// All files together.
const TOTAL_MAX: u64 = 256 << 20;
/// Fewer show too little.
const AT_LEAST: usize = 20;

/// A file and what it holds.
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// What it is to be called.
    pub oid: Oid,
    /// Its size.
    pub bytes: ByteCount,
    /// What its bytes digest to.
    pub blake3: Blake3,
}

/// Chooses readable files below a folder, in the order of their names. Symlinks and unreadable files are left out.
pub fn choose(folder: &Path, most: usize) -> Result<Vec<Source>, Problem> {
    let mut chosen = Vec::new();
    let mut total = 0;
    let entries = WalkDir::new(folder).sort_by_file_name().into_iter().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_file()) {
        if chosen.len() >= most {
            break;
        }
        let Some(source) = look_at(folder, entry.path()) else {
            continue;
        };
        if source.bytes.0 <= FILE_MAX && total + source.bytes.0 <= TOTAL_MAX {
            total += source.bytes.0;
            chosen.push(source);
        }
    }
    match chosen.len() >= AT_LEAST.min(most.max(1)) {
        true => Ok(chosen),
        false => {
            let place = folder.display().to_string();
            let message = format!("{place} holds only {} readable files; nothing was done", chosen.len());
            Err(Problem::refused("too_few_files", place, message).next("name another folder with --from"))
        }
    }
}

fn look_at(folder: &Path, path: &Path) -> Option<Source> {
    let oid = Oid::new(path.strip_prefix(folder).ok()?.to_str()?).ok()?;
    let mut file = File::open(path).ok()?;
    if file.metadata().ok()?.len() > FILE_MAX {
        return None;
    }
    let mut whole = blake3::Hasher::new();
    let bytes = std::io::copy(&mut file, &mut whole).ok()?;
    Some(Source {
        path: path.to_owned(),
        oid,
        bytes: ByteCount(bytes),
        blake3: Blake3(*whole.finalize().as_bytes()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_chosen_in_order_and_links_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..30 {
            std::fs::write(folder.path().join(format!("f{number:02}")), [number; 10]).unwrap();
        }
        std::os::unix::fs::symlink("f00", folder.path().join("a-link")).unwrap();
        let chosen = choose(folder.path(), 25).unwrap();
        assert_eq!((chosen.len(), chosen[0].oid.as_str()), (25, "f00"));
        assert_eq!(chosen[3].blake3, Blake3(*blake3::hash(&[3; 10]).as_bytes()));
    }

    #[test]
    fn a_folder_with_next_to_nothing_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(choose(folder.path(), 1000).err().unwrap().exit, 2);
    }
}
