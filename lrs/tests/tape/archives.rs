//! Tapes of another archive: it has them in its catalogue, and may write to them as well. Here they are read, and no more.

use crate::format::STAMP;
use crate::rigged::{Reel, expected};
use crate::volume::{Put, entries, get, pattern, put, tag};
use dss::model::{CatalogueId, Generation};
use lrs::ldm::fs::ltfs::medium::{Expected, mount};
use lrs::ldm::fs::{Label, Volume};
use lrs::ldm::{Fault, MediaResult};
use std::collections::BTreeMap;
use std::path::Path;

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    all.map(|entry| {
        let name = entry.file_name().into_string().unwrap();
        (name, std::fs::read(entry.path()).unwrap())
    })
    .collect()
}

/// Mounts the medium as the archive of this catalogue does.
fn mounted_by(reel: &mut Reel, catalogue: CatalogueId) -> Box<dyn Volume> {
    let drive = reel.load();
    let expected = Expected {
        catalogue: Some(catalogue),
        ..expected(&reel.label)
    };
    mount(&drive, expected).unwrap()
}

/// How far the archive that a tape belongs to had come when it was stopped.
#[derive(Clone, Copy, Debug)]
enum Left {
    /// Its index names everything.
    Indexed,
    /// Its log names something that its index does not: whoever writes next commits that first.
    Logged,
}

/// A tape with two extents of its own archive.
fn theirs(left: Left) -> (Reel, [Put; 2]) {
    let mut reel = Reel::formatted();
    let own = reel.label.catalogue;
    let mut volume = mounted_by(&mut reel, own);
    let one = put(&mut *volume, "one", &pattern(40_000, 1)).unwrap();
    volume.commit_index(STAMP).unwrap();
    let two = put(&mut *volume, "two", &pattern(20_000, 2)).unwrap();
    match left {
        Left::Indexed => volume.commit_index(STAMP).unwrap(),
        Left::Logged => drop(volume.sync().unwrap()),
    }
    drop(volume);
    (reel, [one, two])
}

fn is_refused<T>(answer: MediaResult<T>) {
    let refused = answer.err().expect("it is only read").fault;
    assert!(
        matches!(&refused, Fault::Unfit(why) if why.contains("another archive")),
        "{refused}"
    );
}

/// whatever is asked of it, not a byte of the tape or of the cartridge's memory is other than before. Its own archive
/// goes on where it was.
#[test]
fn x25_a_tape_of_another_archive_is_read_and_never_written() {
    for left in [Left::Indexed, Left::Logged] {
        let (mut reel, [one, two]) = theirs(left);
        let (before, generation) = (files(reel.folder()), reel.label.generation);
        let mut volume = mounted_by(&mut reel, CatalogueId::fresh());
        assert_eq!(entries(&mut *volume).len(), 2, "{left:?}");
        for put in [&one, &two] {
            assert_eq!(get(&mut *volume, &put.wanted(generation)).unwrap(), put.bytes);
        }
        volume.identify().unwrap();
        is_refused(volume.reserve(&tag("more", 1)));
        is_refused(put(&mut *volume, "more", b"1"));
        is_refused(volume.delete(&one.wanted(generation)));
        is_refused(volume.isolate(&one.wanted(generation), "a reason"));
        is_refused(volume.commit_index(STAMP));
        drop(volume);
        assert_eq!(files(reel.folder()), before, "{left:?}");
        let own = reel.label.catalogue;
        let mut volume = mounted_by(&mut reel, own);
        put(&mut *volume, "three", b"3").unwrap();
        volume.commit_index(STAMP).unwrap();
        assert_eq!(entries(&mut *volume).len(), 3, "{left:?}");
    }
}

/// The way to make it one's own: emptied into this archive it is erased here, and its label says whose it is.
#[test]
fn x25_a_tape_of_another_archive_that_was_erased_here_is_written() {
    let (mut reel, _) = theirs(Left::Logged);
    let ours = CatalogueId::fresh();
    let label = Label {
        generation: Generation(reel.label.generation.0 + 1),
        catalogue: ours,
        ..reel.label.clone()
    };
    let mut volume = mounted_by(&mut reel, ours);
    volume
        .erase(label.clone(), &mut std::iter::empty(), &mut |_| {})
        .unwrap();
    put(&mut *volume, "ours", b"1").unwrap();
    volume.commit_index(STAMP).unwrap();
    drop(volume);
    reel.label = label;
    let mut volume = mounted_by(&mut reel, ours);
    put(&mut *volume, "more", b"2").unwrap();
    volume.sync().unwrap();
    assert_eq!(entries(&mut *volume).len(), 2);
    let theirs = CatalogueId::fresh();
    drop(volume);
    is_refused(put(&mut *mounted_by(&mut reel, theirs), "theirs", b"3"));
}
