//! What lies where in the tree of a tape, and what an extent of it is.

use crate::format::{STAMP, judged};
use crate::rigged::{Reel, Rigged};
use crate::volume::{Put, entries, get, pattern, put, put_as, tag};
use dss::model::{LtfsAttributes, LtfsKind, LtfsTimes, LtfsValue, LtfsXattr};
use lrs::ldm::Fault;
use lrs::ldm::fs::ExtentTag;
use lrs::ldm::fs::ltfs::index::{Entry, Node, walk};
use lrs::ldm::fs::ltfs::volume::{self as ltfs, Commit, Mounted};
use std::collections::BTreeMap;

/// What came from a tape of other software.
pub fn imported(path: &str, kind: LtfsKind, bytes: u64) -> ExtentTag {
    let mut tag = tag("imported", bytes);
    tag.header.metadata.ltfs = Some(LtfsAttributes {
        path: path.to_owned(),
        kind,
        readonly: true,
        times: LtfsTimes {
            creation: "2019-03-04T05:06:07.000000001Z".to_owned(),
            change: "2019-03-04T05:06:07.000000002Z".to_owned(),
            modify: "2019-03-04T05:06:07.000000003Z".to_owned(),
            access: "2106-02-07T06:28:17.123456789Z".to_owned(),
            backup: "1969-12-31T23:59:58.000000001Z".to_owned(),
        },
        xattrs: vec![LtfsXattr {
            key: "a".to_owned(),
            value: LtfsValue::Text(path.to_owned()),
        }],
        unknown: vec![format!("<vendor><of>{}</of></vendor>", path.len())],
    });
    tag
}

fn raw(reel: &Reel) -> Mounted {
    ltfs::mount(&mut Rigged::open(reel.folder(), reel.capacity)).unwrap()
}

/// Paths of a tree, with a slash behind directories and how many unknown elements are kept.
fn listed(reel: &Reel) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    walk(&raw(reel).tree.root, |path, node| {
        let slash = if matches!(node, Node::Directory(_)) { "/" } else { "" };
        all.insert(format!("{path}{slash}"), node.meta().unknown.len());
    });
    all
}

fn paths(reel: &Reel) -> Vec<String> {
    listed(reel).into_keys().collect()
}

#[test]
fn two_tapes_of_others_lie_on_one_and_each_is_whole() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    let mut puts: Vec<Put> = Vec::new();
    for seed in 0..2 {
        for (path, kind) in [
            ("", LtfsKind::Directory),
            ("d", LtfsKind::Directory),
            ("d/f", LtfsKind::File),
            ("d/l", LtfsKind::Symlink { target: "f".to_owned() }),
        ] {
            let bytes = match kind {
                LtfsKind::File => pattern(30_000, seed),
                LtfsKind::Directory | LtfsKind::Symlink { .. } => Vec::new(),
            };
            let tag = imported(path, kind, bytes.len() as u64);
            puts.push(put_as(&mut *volume, tag, &bytes).unwrap());
        }
    }
    volume.commit_index(STAMP).unwrap();
    drop(volume);
    judged(reel.folder());
    let expected = [
        "./",
        "d/",
        "d/f",
        "d/f@1.0.0",
        "d/l",
        "d/l@1.0.0",
        "d@1.0.0/",
        "imported@1.0.0/",
    ];
    assert_eq!(paths(&reel), expected);
    assert!(listed(&reel).values().all(|unknown| *unknown == 1));
    assert_eq!(raw(&reel).tree.root.meta.name, "TAP001L8");
    let mut volume = reel.mounted();
    assert_eq!(entries(&mut *volume).len(), 8);
    for put in &puts {
        assert_eq!(
            get(&mut *volume, &put.wanted(reel.label.generation)).unwrap(),
            put.bytes
        );
    }
}

#[test]
fn a_deletion_takes_its_path_out_of_the_next_index() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    let directory = put_as(&mut *volume, imported("d", LtfsKind::Directory, 0), b"").unwrap();
    let kept = put(&mut *volume, "d/kept", b"1").unwrap();
    let gone = put(&mut *volume, "d/e/gone", b"2").unwrap();
    volume.commit_index(STAMP).unwrap();
    assert_eq!(paths(&reel), ["./", "d/", "d/e/", "d/e/gone", "d/kept"]);
    assert_eq!(listed(&reel)["d/"], 1);
    let uid = |path: &str| {
        let mut uid = 0;
        walk(&raw(&reel).tree.root, |at, node| {
            if at == path {
                uid = node.meta().uid;
            }
        });
        uid
    };
    let uids = ["d", "d/kept"].map(uid);
    for put in [&directory, &gone] {
        volume.delete(&put.wanted(reel.label.generation)).unwrap();
    }
    volume.commit_index(STAMP).unwrap();
    assert_eq!(paths(&reel), ["./", "d/", "d/kept"]);
    assert_eq!(
        listed(&reel)["d/"],
        0,
        "it stays for what lies in it, and nothing is said of it"
    );
    assert_eq!(["d", "d/kept"].map(uid), uids, "what stays keeps its uid");
    volume.delete(&kept.wanted(reel.label.generation)).unwrap();
    volume.commit_index(STAMP).unwrap();
    drop(volume);
    assert_eq!(paths(&reel), ["./"]);
    judged(reel.folder());
    assert!(entries(&mut *reel.mounted()).is_empty());
}

/// Whoever reads an index without what respool knows of it finds nothing of respool's there.
#[test]
fn a_path_that_is_taken_gives_way_to_one_beside_it_on_the_tape() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    let mut addresses = Vec::new();
    for oid in ["a/b", "a/b", "a", "a/b/c", ".respool/x"] {
        addresses.push(put(&mut *volume, oid, oid.as_bytes()).unwrap().address.0);
    }
    assert_eq!(
        addresses,
        ["a/b", "a/b@1.0.0", "a@1.0.0", "a%2Fb%2Fc@1.0.0", "%2Erespool%2Fx@1.0.0"]
    );
    volume.commit_index(STAMP).unwrap();
    drop(volume);
    judged(reel.folder());
    // The next mount knows of all of them.
    let mut volume = reel.mounted();
    assert_eq!(put(&mut *volume, "a/b", b"1").unwrap().address.0, "a/b@1.0.0+2");
    assert_eq!(put(&mut *volume, "a", b"1").unwrap().address.0, "a@1.0.0+2");
}

/// Other software writes this tree, as an index of its own.
/// Other software changes the tree, and adds an index.
pub fn rewritten(reel: &Reel, change: impl FnOnce(&mut Vec<Entry>)) {
    let mut drive = Rigged::open(reel.folder(), reel.capacity);
    let mut mounted = ltfs::mount(&mut drive).unwrap();
    change(&mut mounted.tree.root.contents);
    let what = Commit {
        expected_end: mounted.data.end,
        creator: "other - Linux - other - Unmount".to_owned(),
        now: mounted.tree.head.update_time,
    };
    ltfs::commit(&mut drive, &mut mounted, &what).unwrap();
}

/// An extent counts only where what respool knows of it and what the tree says agree.
#[test]
fn a_file_that_differs_from_what_is_known_of_it_is_no_extent() {
    let changes: [fn(&mut Entry); 4] = [
        |entry| {
            if let Entry::File(file) = entry {
                file.length -= 1;
                file.extents[0].bytes -= 1;
            }
        },
        |entry| {
            if let Entry::File(file) = entry {
                file.extents[0].byte_offset += 1;
            }
        },
        |entry| {
            if let Entry::File(file) = entry {
                file.extents.clear();
            }
        },
        |entry| {
            if let Entry::File(file) = entry {
                (file.symlink, file.extents) = (Some("x".to_owned()), Vec::new());
            }
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut reel = Reel::formatted();
        let mut volume = reel.mounted();
        let ours = put(&mut *volume, "ours", &pattern(50_000, 1)).unwrap();
        let other = put(&mut *volume, "other", &pattern(10, 2)).unwrap();
        volume.commit_index(STAMP).unwrap();
        let span = volume.lookup(ours.tag.extent).unwrap().unwrap().span;
        drop(volume);
        rewritten(&reel, |contents| {
            let is_ours = |entry: &&mut Entry| matches!(entry, Entry::File(file) if file.meta.name == "ours");
            change(contents.iter_mut().find(is_ours).unwrap());
        });
        let mut volume = reel.mounted();
        let found = entries(&mut *volume);
        assert_eq!(found.len(), 1, "{number}");
        assert_eq!(found[0].tag, other.tag);
        assert_eq!(volume.strangers().unwrap()[0].0, "ours");
        let mut wanted = ours.wanted(reel.label.generation);
        wanted.span = span;
        assert_eq!(
            get(&mut *volume, &wanted).unwrap(),
            ours.bytes,
            "its bytes lie where they lay"
        );
    }
}

/// Others write again and again: what was ours is known by the last notes, and what they took away is not there.
#[test]
fn notes_are_found_behind_any_number_of_indexes_of_others() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    let kept = put(&mut *volume, "kept", b"1").unwrap();
    put(&mut *volume, "gone", b"2").unwrap();
    volume.commit_index(STAMP).unwrap();
    drop(volume);
    for round in 0..3 {
        rewritten(&reel, |contents| {
            contents.retain(|entry| !matches!(entry, Entry::File(file) if file.meta.name == "gone"));
        });
        let mut volume = reel.mounted();
        assert_eq!(entries(&mut *volume).len(), 1, "{round}");
        assert_eq!(get(&mut *volume, &kept.wanted(reel.label.generation)).unwrap(), b"1");
        assert_eq!(volume.stamp(), Some(STAMP));
        let refused = put(&mut *volume, "more", b"1").unwrap_err();
        assert!(
            matches!(&refused.fault, Fault::Unfit(why) if why.contains("other software")),
            "{refused}"
        );
    }
}

/// One record of the notes turns bad: the extents are read as the catalogue names them, and nothing else is done.
#[test]
fn notes_that_cannot_be_read_are_damage_and_no_extent_is_lost() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    let mut wanted = Vec::new();
    for number in 0..40 {
        let put = put(&mut *volume, &format!("o{number}"), &pattern(3000, number)).unwrap();
        wanted.push((put.tag.extent, put.wanted(reel.label.generation), put.bytes));
    }
    volume.commit_index(STAMP).unwrap();
    for (extent, wanted, _) in &mut wanted {
        wanted.span = volume.lookup(*extent).unwrap().expect("it is named").span;
    }
    drop(volume);
    let index = raw(&reel).data.last.unwrap().head.location.block;
    for block in index - 4..index - 1 {
        let aside = std::fs::read(reel.record(block)).unwrap();
        let mut flipped = aside.clone();
        flipped[aside.len() / 2] ^= 1;
        for damage in [None, Some(flipped)] {
            match &damage {
                None => std::fs::remove_file(reel.record(block)).unwrap(),
                Some(bytes) => std::fs::write(reel.record(block), bytes).unwrap(),
            }
            let mut volume = reel.mounted();
            assert_eq!(volume.label(), &reel.label);
            let failed = volume.index().err().map(|error| error.fault);
            assert!(
                matches!(&failed, Some(Fault::Damaged(why)) if why.contains("notes")),
                "{block}: {failed:?}"
            );
            let refused = put(&mut *volume, "more", b"1").unwrap_err();
            assert!(matches!(refused.fault, Fault::Damaged(_)), "{refused}");
            for (_, wanted, bytes) in &wanted {
                assert_eq!(get(&mut *volume, wanted).unwrap(), *bytes, "{block}");
            }
            std::fs::write(reel.record(block), &aside).unwrap();
        }
    }
    assert_eq!(entries(&mut *reel.mounted()).len(), 40);
}

/// what no index can say is refused where it is begun, and takes no other extent along.
#[test]
fn attributes_that_no_index_takes_are_refused_before_a_byte_is_written() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    put(&mut *volume, "good", b"1").unwrap();
    let end = reel.end();
    let changes: [fn(&mut LtfsAttributes); 3] = [
        |ltfs| ltfs.times.access = "never".to_owned(),
        |ltfs| ltfs.unknown = vec!["<open>".to_owned()],
        |ltfs| ltfs.xattrs = [ltfs.xattrs.clone(), ltfs.xattrs.clone()].concat(),
    ];
    for change in changes {
        let mut tag = imported("bad", LtfsKind::File, 1);
        change(tag.header.metadata.ltfs.as_mut().unwrap());
        let address = volume.reserve(&tag).unwrap();
        let refused = volume.create(tag, &address).unwrap_err();
        assert!(
            matches!(&refused.fault, Fault::Unrepresentable(why) if why.contains("no index of a tape")),
            "{refused}"
        );
    }
    assert_eq!(reel.end(), end);
    put(&mut *volume, "as good as before", b"2").unwrap();
    volume.commit_index(STAMP).unwrap();
    drop(volume);
    judged(reel.folder());
}
