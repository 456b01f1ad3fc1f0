//! The rules of a platter: what a power cut may leave, and what it may not.

use super::cut::PAGE;
use super::*;

const SEEDS: u64 = 300;

/// What may be left of a disk, one answer for each seed.
fn outcomes<T: Ord>(platter: &Platter, look: impl Fn(&Platter) -> T) -> BTreeSet<T> {
    let cut = |seed| platter.clone().cut(&mut Chance::new(seed));
    (0..SEEDS).map(|seed| look(&cut(seed))).collect()
}

fn content(platter: &Platter, path: &str) -> Option<Vec<u8>> {
    platter.content(path).unwrap().map(<[u8]>::to_vec)
}

fn with_file(bytes: &[u8]) -> (Platter, Key) {
    let mut platter = Platter::default();
    let key = platter.create("f").unwrap();
    platter.write(key, 0, bytes).unwrap();
    (platter, key)
}

#[test]
fn what_was_synced_with_its_name_stays() {
    let (mut platter, key) = with_file(b"abc");
    platter.sync_file(key).unwrap();
    platter.sync_dir(ROOT).unwrap();
    let left = outcomes(&platter, |left| content(left, "f"));
    assert_eq!(left, BTreeSet::from([Some(b"abc".to_vec())]));
}

#[test]
fn a_synced_file_without_a_synced_folder_may_be_gone() {
    let (mut platter, key) = with_file(b"abc");
    platter.sync_file(key).unwrap();
    let left = outcomes(&platter, |left| content(left, "f"));
    assert_eq!(left, BTreeSet::from([None, Some(b"abc".to_vec())]));
}

#[test]
fn a_synced_name_without_a_synced_file_may_lead_to_any_part() {
    let (mut platter, _) = with_file(b"abc");
    platter.sync_dir(ROOT).unwrap();
    let left = outcomes(&platter, |left| content(left, "f").unwrap());
    let parts: [&[u8]; 3] = [b"", b"abc", &[0; 3]];
    assert_eq!(left, parts.iter().map(|part| part.to_vec()).collect());
}

#[test]
fn a_later_write_may_survive_an_earlier_one_and_pages_come_down_one_by_one() {
    let (mut platter, key) = with_file(&[1; 3 * PAGE as usize]);
    platter.sync_dir(ROOT).unwrap();
    platter.write(key, 3 * PAGE, &[2; 10]).unwrap();
    let left = outcomes(&platter, |left| {
        let bytes = content(left, "f").unwrap();
        bytes.chunks(PAGE as usize).map(|page| page[0]).collect::<Vec<u8>>()
    });
    assert!(left.contains(&vec![0, 0, 0, 2]) && left.contains(&vec![1, 0, 1]) && left.contains(&vec![]));
}

#[test]
fn what_was_synced_of_a_file_stays_when_it_grows() {
    let (mut platter, key) = with_file(b"abc");
    platter.sync_file(key).unwrap();
    platter.sync_dir(ROOT).unwrap();
    platter.write(key, 3, b"def").unwrap();
    let left = outcomes(&platter, |left| content(left, "f").unwrap());
    let parts: [&[u8]; 3] = [b"abc", b"abcdef", b"abc\0\0\0"];
    assert_eq!(left, parts.iter().map(|part| part.to_vec()).collect());
}

#[test]
fn a_renamed_name_is_the_old_or_the_new_file_and_the_old_name_goes_with_it() {
    let (mut platter, key) = with_file(b"old");
    platter.sync_file(key).unwrap();
    let new = platter.create("f.new").unwrap();
    platter.write(new, 0, b"new").unwrap();
    platter.sync_file(new).unwrap();
    platter.sync_dir(ROOT).unwrap();
    platter.rename("f.new", "f", Replace::Yes).unwrap();
    let left = outcomes(&platter, |left| (content(left, "f").unwrap(), content(left, "f.new")));
    let (old, new) = (b"old".to_vec(), b"new".to_vec());
    assert_eq!(left, BTreeSet::from([(old, Some(new.clone())), (new, None)]));
}

#[test]
fn a_removed_file_may_be_back_until_the_folder_is_synced() {
    let (mut platter, key) = with_file(b"abc");
    platter.sync_file(key).unwrap();
    platter.sync_dir(ROOT).unwrap();
    platter.close(key);
    platter.unlink("f").unwrap();
    assert_eq!(outcomes(&platter, |left| content(left, "f").is_some()).len(), 2);
    platter.sync_dir(ROOT).unwrap();
    assert_eq!(outcomes(&platter, |left| content(left, "f")), BTreeSet::from([None]));
}

#[test]
fn files_in_a_folder_that_is_lost_are_lost() {
    let mut platter = Platter::default();
    platter.mkdir("d").unwrap();
    let key = platter.create("d/f").unwrap();
    platter.sync_file(key).unwrap();
    platter.sync_dir("d").unwrap();
    let left = outcomes(&platter, |left| left.stat("d/f").unwrap().is_some());
    assert_eq!(left, BTreeSet::from([false, true]));
}

#[test]
fn a_kill_loses_nothing_and_makes_nothing_durable() {
    let (platter, _) = with_file(b"abc");
    let killed = platter.killed();
    assert_eq!(content(&killed, "f"), Some(b"abc".to_vec()));
    assert!(outcomes(&killed, |left| content(left, "f")).contains(&None));
}

#[test]
fn an_inode_comes_again_only_when_nothing_can_be_it_any_more() {
    let (mut platter, key) = with_file(b"abc");
    let inode = platter.stat_key(key).unwrap().inode;
    platter.sync_dir(ROOT).unwrap();
    platter.unlink("f").unwrap();
    platter.sync_dir(ROOT).unwrap();
    let held = platter.create("g").unwrap();
    assert_ne!(platter.stat_key(held).unwrap().inode, inode, "it is open");
    platter.close(key);
    let next = platter.create("h").unwrap();
    assert_eq!(platter.stat_key(next).unwrap().inode, inode);
}

#[test]
fn one_seed_is_one_outcome() {
    let (platter, _) = with_file(&[7; 20_000]);
    for seed in 0..20 {
        let cut = || content(&platter.clone().cut(&mut Chance::new(seed)), "f");
        assert_eq!(cut(), cut());
    }
}
