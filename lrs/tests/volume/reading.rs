//! Rules of reading: every byte is its own, and the index says where.

use super::puts::STAMP;
use super::{Maker, Put, again, entries, get, mounted, pattern, put, refused_as_another, tag};
use dss::model::{ByteCount, Digests, Generation, Revision};
use lrs::ldm::Fault;
use lrs::ldm::fs::{ExtentTag, IndexStamp, ReadFrom};

/// Another size, generation, address or owner.
pub fn what_is_evidently_another_file_is_not_opened(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let one = put(&mut *volume, "one", b"111").unwrap();
    let two = put(&mut *volume, "two", b"222").unwrap();
    volume.sync().unwrap();
    let good = one.wanted(label.generation);
    let mut other = good.clone();
    other.bytes = ByteCount(4);
    let short = volume.open(&other, ReadFrom::Anywhere).unwrap_err();
    assert_eq!(short.fault, Fault::Short { expected: 4, got: 3 });
    let mut other = good.clone();
    other.generation = Generation(label.generation.0 + 1);
    assert!(refused_as_another(
        &volume.open(&other, ReadFrom::Anywhere).unwrap_err().fault
    ));
    let mut other = good.clone();
    other.address = two.address;
    assert!(refused_as_another(
        &volume.open(&other, ReadFrom::Anywhere).unwrap_err().fault
    ));
    volume.delete(&good).unwrap();
    volume.sync().unwrap();
    assert_eq!(volume.open(&good, ReadFrom::Anywhere).unwrap_err().fault, Fault::Absent);
}

/// Several at once, with seeks, of one extent and of two.
pub fn bytes_are_read_in_any_pieces(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let put = put(&mut *volume, "pieces", &pattern(200_003, 9)).unwrap();
    volume.sync().unwrap();
    let wanted = put.wanted(label.generation);
    let (one, two) = (
        volume.open(&wanted, ReadFrom::Medium).unwrap(),
        volume.open(&wanted, ReadFrom::Anywhere).unwrap(),
    );
    for (handle, offset, length) in [
        (one, 5, 7_usize),
        (two, 199_999, 100),
        (one, 100_000, 60_000),
        (two, 200_003, 9),
    ] {
        volume.seek(handle, offset).unwrap();
        let mut buffer = vec![0xee; length];
        let count = volume.read(handle, &mut buffer).unwrap();
        let start = offset as usize;
        let end = (start + length).min(put.bytes.len());
        assert_eq!(&buffer[..count], &put.bytes[start..end]);
    }
    volume.close(one);
    assert!(volume.read(one, &mut [0]).is_err());
    volume.close(two);
}

/// The highest revision stays, whatever comes later.
pub fn an_index_commit_is_remembered(maker: &mut dyn Maker) {
    let (_, mut volume) = mounted(maker);
    put(&mut *volume, "one", b"1").unwrap();
    for revision in [41, 40] {
        let stamp = IndexStamp {
            revision: Revision(revision),
            event_head: None,
        };
        volume.commit_index(stamp).unwrap();
        volume.commit_index(stamp).unwrap();
        assert_eq!(volume.revision(), Revision(41));
    }
    put(&mut *volume, "two", b"2").unwrap();
    volume.sync().unwrap();
    let mut volume = again(maker, volume);
    assert_eq!(volume.revision(), Revision(41));
    assert_eq!(entries(&mut *volume).len(), 2);
}

/// Windows, mounts, deletions and open handles mixed.
pub fn an_index_in_many_windows_is_whole(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let mut expected = Vec::new();
    for round in 0..12_u8 {
        let mut puts = Vec::new();
        for number in 0..20 {
            puts.push(put(&mut *volume, &format!("r{round}/o{number}"), &pattern(200, round)).unwrap());
        }
        let gone = puts.swap_remove(7);
        volume.delete(&gone.wanted(label.generation)).unwrap();
        volume.sync().unwrap();
        let gone = puts.swap_remove(3);
        volume.delete(&gone.wanted(label.generation)).unwrap();
        volume.sync().unwrap();
        expected.extend(puts.into_iter().map(|put| put.tag));
        if round % 3 == 0 {
            volume = again(maker, volume);
        }
    }
    expected.sort_by_key(|tag| tag.extent);
    let found: Vec<ExtentTag> = entries(&mut *volume).into_iter().map(|entry| entry.tag).collect();
    assert!(
        found == expected,
        "{} entries, {} expected",
        found.len(),
        expected.len()
    );
    for tag in &expected {
        assert!(volume.lookup(tag.extent).unwrap().is_some());
    }
}

/// Reading between writes takes nothing from either, whether what is read was synced or not.
pub fn what_is_written_after_a_read_lies_where_it_is_found(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let old = put(&mut *volume, "old", &pattern(70_000, 5)).unwrap();
    volume.sync().unwrap();
    let young = put(&mut *volume, "young", &pattern(50_000, 6)).unwrap();
    let bytes = pattern(90_000, 7);
    let tag = tag("under way", bytes.len() as u64);
    let address = volume.reserve(&tag).unwrap();
    let handle = volume.create(tag.clone(), &address).unwrap().unwrap();
    for piece in bytes.chunks(30_000) {
        volume.write(handle, piece).unwrap();
        for read in [&old, &young] {
            assert_eq!(get(&mut *volume, &read.wanted(label.generation)).unwrap(), read.bytes);
        }
    }
    volume.finish(handle, Digests::of(&bytes)).unwrap();
    let last = put(&mut *volume, "last", &pattern(10, 8)).unwrap();
    volume.sync().unwrap();
    let mut volume = again(maker, volume);
    for read in [&old, &young, &last] {
        assert_eq!(get(&mut *volume, &read.wanted(label.generation)).unwrap(), read.bytes);
    }
    let found = volume.lookup(tag.extent).unwrap().expect("it was synced");
    let mut wanted = last.wanted(label.generation);
    (wanted.extent, wanted.address, wanted.bytes) = (tag.extent, address, tag.bytes);
    wanted.span = found.span;
    assert_eq!(get(&mut *volume, &wanted).unwrap(), bytes);
}

/// Whatever is done between two parts of a read, the second one goes on where the first ended.
pub fn a_read_goes_on_after_others_were_written(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let read = put(&mut *volume, "read", &pattern(600_000, 3)).unwrap();
    volume.sync().unwrap();
    let handle = volume.open(&read.wanted(label.generation), ReadFrom::Medium).unwrap();
    let mut bytes = Vec::new();
    for between in 0..6_u8 {
        let mut piece = vec![0; 100_000];
        let count = volume.read(handle, &mut piece).unwrap();
        bytes.extend_from_slice(&piece[..count]);
        let other = put(&mut *volume, &format!("other {between}"), &pattern(70_000, between)).unwrap();
        match between {
            0 => {}
            1 => drop(volume.sync().unwrap()),
            2 => {
                volume.sync().unwrap();
                assert!(volume.lookup(other.tag.extent).unwrap().is_some());
            }
            3 => volume.commit_index(STAMP).unwrap(),
            _ => {
                let wanted = other.wanted(label.generation);
                assert_eq!(get(&mut *volume, &wanted).unwrap(), other.bytes);
            }
        }
    }
    assert!(bytes == read.bytes, "every byte is its own");
}

/// Where a family tells one, it is the same everywhere, no other is believed, and no two share a byte.
pub fn a_place_says_where_the_bytes_are(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let puts: Vec<Put> = [0, 1, 40_000, 200_000, 7]
        .iter()
        .enumerate()
        .map(|(number, length)| put(&mut *volume, &format!("o{number}"), &pattern(*length, number as u8)).unwrap())
        .collect();
    volume.sync().unwrap();
    let mut volume = again(maker, volume);
    for put in &puts {
        let Some(span) = volume.lookup(put.tag.extent).unwrap().unwrap().span else {
            continue;
        };
        assert_eq!(span.bytes(), Some(put.tag.bytes.0));
        let mut wanted = put.wanted(label.generation);
        wanted.span = Some(span.clone());
        assert_eq!(get(&mut *volume, &wanted).unwrap(), put.bytes);
        if let Some(first) = wanted.span.as_mut().and_then(|span| span.0.first_mut()) {
            first.start_block += 1;
            assert!(refused_as_another(
                &volume.open(&wanted, ReadFrom::Medium).unwrap_err().fault
            ));
            assert!(refused_as_another(&volume.delete(&wanted).unwrap_err().fault));
        }
    }
}
