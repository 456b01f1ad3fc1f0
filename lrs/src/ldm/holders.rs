//! Who on this host has a file or a device open, as far as the kernel tells this user. What processes have open is never
//! asked itself: one whose file system does not answer would hold up whoever asks.

use std::fs::FileType;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Of how many is told.
const MOST: usize = 3;

/// In words: programs with their numbers, or that none was found.
pub fn told(path: &Path) -> String {
    let mut found = of(path);
    let more = found.len().saturating_sub(MOST);
    found.truncate(MOST);
    match (found.is_empty(), more) {
        (true, _) => "by whom is not to be seen from here".to_owned(),
        (false, 0) => found.join(", "),
        (false, more) => format!("{} and {more} more", found.join(", ")),
    }
}

/// What is looked for: a device whatever its nodes are called, anything else by its path.
enum Wanted {
    Device(u64),
    Path(PathBuf),
}

fn is_device(kind: FileType) -> bool {
    kind.is_char_device() || kind.is_block_device()
}

impl Wanted {
    fn of(path: &Path) -> Option<Self> {
        let found = std::fs::metadata(path).ok()?;
        match is_device(found.file_type()) {
            true => Some(Self::Device(found.rdev())),
            false => std::fs::canonicalize(path).ok().map(Self::Path),
        }
    }

    /// Whether what a process has open by this name is it. Nodes below /dev answer at once.
    fn is(&self, opened: &Path) -> bool {
        match self {
            Self::Path(path) => path == opened,
            Self::Device(number) => {
                opened.starts_with("/dev")
                    && std::fs::metadata(opened)
                        .is_ok_and(|found| is_device(found.file_type()) && found.rdev() == *number)
            }
        }
    }
}

/// Every process that has it open and that this user may look into, by number.
fn of(path: &Path) -> Vec<String> {
    let Some(wanted) = Wanted::of(path) else {
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
        open.any(|entry| std::fs::read_link(entry.path()).is_ok_and(|opened| wanted.is(&opened)))
    };
    pids.into_iter().filter(has).map(named).collect()
}

/// A process by its name and number.
fn named(pid: u32) -> String {
    if pid == std::process::id() {
        return format!("this respoold itself (pid {pid})");
    }
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
        let own = format!("this respoold itself (pid {})", std::process::id());
        assert_eq!(told(folder.path()), "by whom is not to be seen from here");
        let held = std::fs::File::open(folder.path()).unwrap();
        assert_eq!(told(folder.path()), own);
        let link = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(folder.path(), link.path().join("link")).unwrap();
        assert_eq!(told(&link.path().join("link")), own);
        drop(held);
        assert!(of(&folder.path().join("nowhere")).is_empty());
        // A device is the same by whatever node it was opened.
        let _null = std::fs::File::open("/dev/null").unwrap();
        assert!(of(Path::new("/dev/null")).contains(&own));
        let mut other = std::process::Command::new("sleep")
            .arg("60")
            .stdin(std::fs::File::open(folder.path()).unwrap())
            .spawn()
            .unwrap();
        let words = told(folder.path());
        other.kill().unwrap();
        other.wait().unwrap();
        assert!(words.contains(&format!("sleep (pid {})", other.id())), "{words}");
    }
}
