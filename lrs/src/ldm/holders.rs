//! Who on this host has a file or a device open, as far as the kernel tells this user.

use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// Of how many is told.
const MOST: usize = 3;

/// In words: programs with their numbers, or that it is none that this user may look into.
pub fn told(path: &Path) -> String {
    let mut found = of(path);
    let more = found.len().saturating_sub(MOST);
    found.truncate(MOST);
    match (found.is_empty(), more) {
        (true, _) => "a program that this user may not look into".to_owned(),
        (false, 0) => found.join(", "),
        (false, more) => format!("{} and {more} more", found.join(", ")),
    }
}

/// What tells one file from another, and one device from another whatever its nodes are called.
fn identity(found: &Metadata) -> (bool, u64, u64) {
    let kind = found.file_type();
    match kind.is_char_device() || kind.is_block_device() {
        true => (true, 0, found.rdev()),
        false => (false, found.dev(), found.ino()),
    }
}

/// Every process that has it open and that this user may look into, by number.
fn of(path: &Path) -> Vec<String> {
    let Ok(wanted) = std::fs::metadata(path).map(|found| identity(&found)) else {
        return Vec::new();
    };
    let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let number = |name: std::ffi::OsString| name.to_str()?.parse::<u32>().ok();
    let mut pids: Vec<u32> = entries(Path::new("/proc"))
        .filter_map(|entry| number(entry.file_name()))
        .collect();
    pids.sort_unstable();
    let has = |pid: &u32| {
        let mut open = entries(&Path::new("/proc").join(pid.to_string()).join("fd"));
        open.any(|entry| std::fs::metadata(entry.path()).is_ok_and(|found| identity(&found) == wanted))
    };
    pids.into_iter().filter(has).map(named).collect()
}

/// A process by its name and number.
fn named(pid: u32) -> String {
    match std::fs::read_to_string(format!("/proc/{pid}/comm")) {
        Ok(name) => format!("{} (pid {pid})", name.trim()),
        Err(_) => format!("pid {pid}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_it_open_is_named_with_his_number() {
        let folder = tempfile::tempdir().unwrap();
        let own = std::process::id();
        assert_eq!(told(folder.path()), "a program that this user may not look into");
        let held = std::fs::File::open(folder.path()).unwrap();
        assert!(
            told(folder.path()).ends_with(&format!("(pid {own})")),
            "{}",
            told(folder.path())
        );
        drop(held);
        assert_eq!(of(folder.path()), Vec::<String>::new());
        assert_eq!(of(&folder.path().join("nowhere")), Vec::<String>::new());
        // A device is the same by whatever node it was opened.
        let _null = std::fs::File::open("/dev/null").unwrap();
        assert!(
            of(Path::new("/dev/null"))
                .iter()
                .any(|one| one.contains(&format!("(pid {own})")))
        );
    }
}
