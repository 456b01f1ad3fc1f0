//! What may become a medium, and which medium is there.

use super::support::{Bench, label, names};
use crate::volume::{entries, get, put};
use dss::model::{Generation, MediumId};
use lrs::ldm::disk::{Disk, DiskResult, FileId, Replace, Role, Room, Standing, Stat};
use lrs::ldm::fs::ReadFrom;
use lrs::ldm::fs::dir::{format, mount, open_disk, read_label};
use lrs::ldm::{Blame, Fault};
use nix::errno::Errno;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn empty() -> (tempfile::TempDir, impl Fn() -> Box<dyn Disk>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    (folder, move || open_disk("disk-a", &path).unwrap())
}

#[test]
fn a_directory_that_holds_anything_is_refused_and_left_as_it_was() {
    let (folder, disk) = empty();
    fs::write(folder.path().join("thesis.txt"), "x").unwrap();
    let refused = format(disk(), &label()).unwrap_err();
    assert!(
        matches!(&refused.fault, Fault::Unfit(why) if why.contains("thesis.txt")),
        "{refused}"
    );
    assert_eq!(refused.blame(), Blame::Operator);
    assert_eq!(names(folder.path()), ["thesis.txt"]);
}

#[test]
fn lost_and_found_is_no_content() {
    let (folder, disk) = empty();
    fs::create_dir(folder.path().join("lost+found")).unwrap();
    format(disk(), &label()).unwrap();
}

#[test]
fn a_medium_is_not_formatted_over_and_says_who_it_is() {
    let (_folder, disk) = empty();
    format(disk(), &label()).unwrap();
    let refused = format(disk(), &label()).unwrap_err();
    assert!(
        matches!(&refused.fault, Fault::Unfit(why) if why.contains("disk-a")),
        "{refused}"
    );
}

#[test]
fn a_symlink_a_file_and_nothing_are_no_directories() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link, file) = (
        folder.path().join("d"),
        folder.path().join("l"),
        folder.path().join("f"),
    );
    fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    fs::write(&file, "").unwrap();
    for path in [link, file] {
        let refused = open_disk("disk-a", &path).err().unwrap();
        assert!(matches!(refused.fault, Fault::Unfit(_)), "{refused}");
    }
    let refused = open_disk("disk-a", &folder.path().join("no")).err().unwrap();
    assert!(matches!(refused.fault, Fault::Unlabelled(_)), "{refused}");
}

/// Fails one of the calls that change anything, and whatever needs a file handle while there is none.
struct Failing {
    disk: Box<dyn Disk>,
    left: usize,
    no_handles: Arc<AtomicBool>,
}

impl Failing {
    fn at(left: usize, disk: Box<dyn Disk>) -> Self {
        Self {
            disk,
            left,
            no_handles: Arc::default(),
        }
    }

    fn count(&mut self) -> DiskResult<()> {
        self.left = self.left.wrapping_sub(1);
        if self.left == 0 { Err(Errno::EIO) } else { Ok(()) }
    }
}

impl Disk for Failing {
    fn create(&mut self, path: &str, role: &Role) -> DiskResult<FileId> {
        self.count()?;
        self.disk.create(path, role)
    }
    fn open(&mut self, path: &str, role: &Role) -> DiskResult<FileId> {
        match self.no_handles.load(Ordering::Relaxed) {
            true => Err(Errno::EMFILE),
            false => self.disk.open(path, role),
        }
    }
    fn close(&mut self, file: FileId) {
        self.disk.close(file);
    }
    fn stat_file(&mut self, file: FileId) -> DiskResult<Stat> {
        self.disk.stat_file(file)
    }
    fn read_at(&mut self, file: FileId, offset: u64, buffer: &mut [u8]) -> DiskResult<usize> {
        self.disk.read_at(file, offset, buffer)
    }
    fn write_at(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> DiskResult<()> {
        self.count()?;
        self.disk.write_at(file, offset, bytes)
    }
    fn sync_file(&mut self, file: FileId) -> DiskResult<()> {
        self.count()?;
        self.disk.sync_file(file)
    }
    fn drop_cache(&mut self, file: FileId, offset: u64, bytes: u64) {
        self.disk.drop_cache(file, offset, bytes);
    }
    fn stat(&mut self, path: &str) -> DiskResult<Option<Stat>> {
        self.disk.stat(path)
    }
    fn unlink(&mut self, path: &str, role: &Role) -> DiskResult<()> {
        self.disk.unlink(path, role)
    }
    fn rename(&mut self, from: &str, to: &str, replace: Replace) -> DiskResult<()> {
        self.count()?;
        self.disk.rename(from, to, replace)
    }
    fn mkdir(&mut self, path: &str) -> DiskResult<()> {
        self.count()?;
        self.disk.mkdir(path)
    }
    fn rmdir(&mut self, path: &str) -> DiskResult<()> {
        self.disk.rmdir(path)
    }
    fn sync_dir(&mut self, path: &str) -> DiskResult<()> {
        self.count()?;
        self.disk.sync_dir(path)
    }
    fn list(&mut self, path: &str, visit: &mut dyn FnMut(String)) -> DiskResult<()> {
        self.disk.list(path, visit)
    }
    fn room(&mut self) -> DiskResult<Room> {
        self.disk.room()
    }
    fn standing(&mut self) -> DiskResult<Standing> {
        self.disk.standing()
    }
}

#[test]
fn a_format_that_fails_anywhere_leaves_an_empty_directory() {
    for left in 1.. {
        let (folder, disk) = empty();
        let outcome = format(Box::new(Failing::at(left, disk())), &label());
        if outcome.is_ok() {
            // The line that confirms the first seal may fail without harm; everything else may not.
            let settled = format(Box::new(Failing::at(1, disk())), &label());
            assert!(settled.is_err());
            if left > 30 {
                return;
            }
            continue;
        }
        assert_eq!(names(folder.path()), Vec::<String>::new(), "call {left}");
    }
}

#[test]
fn what_a_cut_off_format_left_is_in_nobodys_way() {
    for missing in [".respool/label.json", ".respool/manifest", "objects"] {
        let (folder, disk) = empty();
        format(disk(), &label()).unwrap();
        fs::remove_file(folder.path().join(".respool/label.json")).unwrap();
        let path = folder.path().join(missing);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        }
        format(disk(), &label()).unwrap();
    }
}

#[test]
fn extents_without_a_label_are_never_formatted_over() {
    let bench = Bench::formatted();
    let mut volume = bench.mounted();
    put(&mut *volume, "a", b"1").unwrap();
    volume.sync().unwrap();
    fs::remove_file(bench.path().join(".respool/label.json")).unwrap();
    assert!(matches!(
        format(bench.disk(), &label()).unwrap_err().fault,
        Fault::Unfit(_)
    ));
    assert_eq!(bench.objects().len(), 1);
    assert!(matches!(bench.try_mount().err().unwrap().fault, Fault::Unlabelled(_)));
}

#[test]
fn x_25_another_medium_is_neither_read_nor_written() {
    let bench = Bench::formatted();
    assert_eq!(read_label(bench.disk(), "?").unwrap(), bench.label);
    let mut other = bench.expected();
    other.medium = MediumId::fresh();
    let refused = mount(bench.disk(), other).err().unwrap();
    assert!(matches!(refused.fault, Fault::WrongMedium { .. }), "{refused}");
    let mut other = bench.expected();
    other.generations = vec![Generation(5), Generation(4)];
    let refused = mount(bench.disk(), other).err().unwrap();
    assert!(matches!(refused.fault, Fault::WrongMedium { .. }), "{refused}");
    let (_folder, disk) = empty();
    let refused = mount(disk(), bench.expected()).err().unwrap();
    assert!(matches!(refused.fault, Fault::Unlabelled(_)), "{refused}");
}

#[test]
fn a_damaged_or_foreign_label_is_told_apart() {
    let bench = Bench::formatted();
    let path = bench.path().join(".respool/label.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"revision\": 3", "\"revision\": 4")).unwrap();
    assert!(matches!(bench.try_mount().err().unwrap().fault, Fault::Damaged(_)));
    fs::write(&path, "").unwrap();
    assert!(matches!(bench.try_mount().err().unwrap().fault, Fault::Damaged(_)));
    fs::write(&path, text.replace("respool-dir-1", "respool-dir-2")).unwrap();
    assert!(matches!(bench.try_mount().err().unwrap().fault, Fault::Unfit(why) if why.contains("respool-dir-2")));
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
    assert!(matches!(bench.try_mount().err().unwrap().fault, Fault::Unlabelled(_)));
}

fn moved_aside(bench: &Bench) -> std::path::PathBuf {
    let aside = bench.path().with_extension("aside");
    fs::rename(bench.path(), &aside).unwrap();
    aside
}

#[test]
fn x_31_nothing_lands_in_what_took_the_directorys_place() {
    let bench = Bench::formatted();
    let mut volume = bench.mounted();
    let written = put(&mut *volume, "before", b"1").unwrap();
    let aside = moved_aside(&bench);
    fs::create_dir(bench.path()).unwrap();
    let refused = volume.sync().unwrap_err();
    assert!(matches!(refused.fault, Fault::WrongMedium { .. }), "{refused}");
    assert_eq!(volume.sync().unwrap_err().fault, Fault::NeedsReopen);
    assert_eq!(put(&mut *volume, "after", b"2").unwrap_err().fault, Fault::NeedsReopen);
    assert_eq!(names(bench.path()), Vec::<String>::new());
    drop(volume);
    fs::remove_dir(bench.path()).unwrap();
    fs::rename(aside, bench.path()).unwrap();
    let mut volume = bench.mounted();
    assert!(entries(&mut *volume).is_empty());
    assert_eq!(volume.strangers().unwrap(), [written.address]);
}

#[test]
fn x_31_a_directory_that_is_gone_is_noticed_before_anything_is_recorded() {
    let bench = Bench::formatted();
    let mut volume = bench.mounted();
    volume.identify().unwrap();
    let aside = moved_aside(&bench);
    assert!(matches!(
        volume.identify().unwrap_err().fault,
        Fault::WrongMedium { .. }
    ));
    fs::rename(aside, bench.path()).unwrap();
    assert_eq!(
        put(&mut *volume, "x", b"").unwrap_err().fault,
        Fault::NeedsReopen,
        "only a new mount may"
    );
}

/// Puts the label of another medium in the place of this one's.
fn relabel(bench: &Bench) {
    let mut foreign = bench.label.clone();
    foreign.medium = MediumId::fresh();
    let folder = tempfile::tempdir().unwrap();
    format(open_disk("x", folder.path()).unwrap(), &foreign).unwrap();
    let label = ".respool/label.json";
    fs::copy(folder.path().join(label), bench.path().join(label)).unwrap();
}

#[test]
fn x_25_a_label_changed_under_us_stops_writing() {
    let bench = Bench::formatted();
    let mut volume = bench.mounted();
    relabel(&bench);
    assert!(matches!(
        volume.identify().unwrap_err().fault,
        Fault::WrongMedium { .. }
    ));
    assert_eq!(volume.sync().unwrap_err().fault, Fault::NeedsReopen);
}

/// What was written before the label changed may lie on either medium: the sync counts for none of it.
#[test]
fn x_25_a_label_changed_after_the_writes_voids_their_sync() {
    let bench = Bench::formatted();
    let mut volume = bench.mounted();
    put(&mut *volume, "before", b"1").unwrap();
    relabel(&bench);
    let refused = volume.sync().expect_err("another medium's sync is none");
    assert!(matches!(refused.fault, Fault::WrongMedium { .. }), "{refused}");
    assert_eq!(volume.sync().unwrap_err().fault, Fault::NeedsReopen);
}

/// What this host lacks says nothing about the medium, and what is being written meanwhile counts.
#[test]
fn a_label_that_this_host_could_not_open_leaves_the_mount_as_it_was() {
    let bench = Bench::formatted();
    let disk = Failing::at(0, bench.disk());
    let no_handles = Arc::clone(&disk.no_handles);
    let mut volume = mount(Box::new(disk), bench.expected()).unwrap();
    put(&mut *volume, "before", b"1").unwrap();
    no_handles.store(true, Ordering::Relaxed);
    let error = volume.identify().unwrap_err();
    assert!(error.fault.is_of_host(), "{error}");
    no_handles.store(false, Ordering::Relaxed);
    volume.identify().unwrap();
    put(&mut *volume, "after", b"2").unwrap();
    volume.sync().unwrap();
}

#[test]
fn symlinks_among_the_extents_lead_nowhere() {
    let bench = Bench::formatted();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let mut volume = bench.mounted();
    let one = put(&mut *volume, "one", b"secret").unwrap();
    volume.sync().unwrap();
    let file = bench.path().join(&one.address.0);
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret"), &file).unwrap();
    let wanted = one.wanted(bench.label.generation);
    assert!(matches!(
        get(&mut *volume, &wanted).unwrap_err().fault,
        Fault::NotThisExtent(_)
    ));
    assert!(matches!(
        volume.delete(&wanted).unwrap_err().fault,
        Fault::NotThisExtent(_)
    ));
    for address in [
        "objects/../.respool/label.json",
        ".respool/label.json",
        "objects/",
        "/etc/passwd",
        "objects/a/b",
    ] {
        let mut other = wanted.clone();
        other.address = dss::model::Address(address.to_owned());
        other.extent = dss::model::ExtentId::fresh();
        assert!(matches!(
            volume.open(&other, ReadFrom::Anywhere).unwrap_err().fault,
            Fault::NotThisExtent(_)
        ));
        assert!(matches!(
            volume.delete(&other).unwrap_err().fault,
            Fault::NotThisExtent(_)
        ));
        assert!(matches!(
            volume.isolate(&other, "").unwrap_err().fault,
            Fault::NotThisExtent(_)
        ));
    }
    fs::remove_dir_all(bench.path().join("objects")).unwrap();
    std::os::unix::fs::symlink(outside.path(), bench.path().join("objects")).unwrap();
    assert!(put(&mut *volume, "two", b"2").is_err());
    assert_eq!(names(outside.path()), ["secret"]);
}

#[test]
fn odd_and_long_names_come_back_whole() {
    let bench = Bench::formatted();
    let mut volume = bench.mounted();
    let long = "ü".repeat(511) + "x";
    let names = [
        "a@1.0.0",
        "a%401.0.0",
        "50% +2",
        ".hidden",
        "tab\tbell\u{7}",
        "日本語/☃",
        &"x".repeat(1023),
        &long,
    ];
    let puts: Vec<_> = names
        .iter()
        .map(|name| put(&mut *volume, name, name.as_bytes()).unwrap())
        .collect();
    volume.sync().unwrap();
    drop(volume);
    let mut volume = bench.mounted();
    for (name, put) in names.iter().zip(&puts) {
        let found = volume.lookup(put.tag.extent).unwrap().unwrap();
        assert_eq!(found.tag.origin.oid.as_str(), *name);
        assert_eq!(
            get(&mut *volume, &put.wanted(bench.label.generation)).unwrap(),
            name.as_bytes()
        );
    }
    assert!(bench.objects().iter().all(|name| name.is_ascii() && name.len() <= 200));
}
