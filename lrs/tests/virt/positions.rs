//! Positions, formats, modes, logs and the cartridge's memory.

use super::support::{Host, Rig, six};

/// R F R R F F, and the end at 6.
fn mixed() -> (Rig, Host) {
    let (rig, mut drive) = Rig::small();
    drive.write(&[1; 10]).good();
    drive.marks(1).good();
    drive.write(&[2; 10]).good();
    drive.write(&[3; 10]).good();
    drive.marks(2).good();
    (rig, drive)
}

#[test]
fn spacing_stops_at_filemarks_and_at_both_ends() {
    let (_rig, mut drive) = mixed();
    drive.rewind();
    let mark = drive.space(0, 3);
    assert_eq!(
        (mark.says(), mark.flags.0, mark.information),
        ((0, 0, 1), true, Some(2))
    );
    assert_eq!(drive.stands(), (0, 2, 1));
    drive.space(1, 2).good();
    assert_eq!(drive.stands(), (0, 6, 3));
    let end = drive.space(1, 1);
    assert_eq!((end.says(), end.information), ((8, 0, 5), Some(1)));
    drive.space(1, -2).good();
    assert_eq!(drive.stands(), (0, 4, 1));
    let beginning = drive.space(1, -5);
    assert_eq!(
        (beginning.says(), beginning.flags.1, beginning.information),
        ((0, 0, 4), true, Some(4))
    );
    drive.space(3, 0).good();
    assert_eq!(drive.stands(), (0, 6, 3));
    let mut wide = [0; 16];
    (wide[0], wide[1]) = (0x91, 1);
    wide[4..12].copy_from_slice(&(-1_i64).to_be_bytes());
    drive.does(&wide).good();
    assert_eq!(drive.stands(), (0, 5, 2));
}

#[test]
fn locating_goes_to_blocks_files_and_the_end() {
    let (_rig, mut drive) = mixed();
    drive.does(&[0x2b, 0, 0, 0, 0, 0, 3, 0, 0, 0]).good();
    assert_eq!(drive.stands(), (0, 3, 1));
    let to = |what: u8, number: u8| [0x92, what << 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, number, 0, 0, 0, 0];
    drive.does(&to(1, 2)).good();
    assert_eq!(drive.stands(), (0, 5, 2));
    drive.does(&to(3, 0)).good();
    assert_eq!(drive.stands(), (0, 6, 3));
    assert_eq!(drive.locate(0, 7).says(), (8, 0, 5));
    assert_eq!(drive.stands().1, 6);
    assert_eq!(drive.locate(1, 0).says(), (5, 0x24, 0));
}

#[test]
fn the_short_position_tells_what_is_in_the_buffer() {
    let (_rig, mut drive) = Rig::small();
    drive.write(&[1; 10]).good();
    drive.flush().good();
    drive.write(&[2; 30]).good();
    let data = drive.ask(&[0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0], 20).good();
    assert_eq!(data[..16], [0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1]);
    assert_eq!(data[16..], [0, 0, 0, 30]);
    drive.rewind();
    assert_eq!(drive.ask(&[0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0], 20).good()[0], 0x80);
}

#[test]
fn a_format_makes_partitions_and_takes_everything_away() {
    let (rig, mut drive) = mixed();
    assert_eq!(drive.does(&[4, 0, 1, 0, 0, 0]).says(), (5, 0x3b, 0x0c));
    drive.rewind();
    drive.format_two();
    assert_eq!(super::records::names(&rig), ["0_0_E", "1_0_E"]);
    drive.locate(1, 0).good();
    drive.write(&[1; 10]).good();
    drive.marks(1).good();
    assert_eq!(drive.stands(), (1, 2, 1));
    let page = drive.ask(&[0x1a, 8, 0x11, 0, 64, 0], 64).good();
    assert_eq!((page[4], page[7]), (0x11, 1));
    drive.rewind();
    drive.does(&[4, 0, 0, 0, 0, 0]).good();
    assert_eq!(drive.locate(1, 0).says(), (5, 0x24, 0));
    assert_eq!(super::records::names(&rig), ["0_0_E"]);
}

#[test]
fn erasing_ends_the_partition_where_it_stands() {
    let (_rig, mut drive) = mixed();
    drive.locate(0, 3).good();
    drive.does(&[0x19, 1, 0, 0, 0, 0]).good();
    assert_eq!(drive.read(10).says(), (8, 0, 5));
    assert_eq!(drive.does(&[0x0b, 0, 0, 0xff, 0xff, 0]).says(), (5, 0x3b, 0x0c));
    drive.rewind();
    drive.does(&[0x0b, 0, 0, 0xff, 0xff, 0]).good();
    assert_eq!(drive.read(10).says(), (8, 0, 5));
}

#[test]
fn modes_tell_density_and_compression() {
    let (_rig, mut drive) = Rig::small();
    let data = drive.ask(&[0x1a, 0, 0x0f, 0, 64, 0], 64).good();
    assert_eq!(data[..5], [27, 0x88, 0x10, 8, 0x5e]);
    assert_eq!(data[12..15], [0x0f, 0x0e, 0xc0]);
    let long = drive.ask(&[0x5a, 0, 0x10, 1, 0, 0, 0, 0, 64, 0], 64).good();
    assert_eq!((long[2], long[16], long[17]), (0x88, 0x50, 1));
    assert_eq!(drive.ask(&[0x1a, 0, 0x0a, 0, 64, 0], 64).says(), (5, 0x24, 0));
}

pub fn log(drive: &mut Host, page: u8) -> Vec<u8> {
    drive.ask(&[0x4d, 0, 0x40 | page, 0, 0, 0, 0, 0x10, 0, 0], 4096).good()
}

/// The value of a parameter of a log page.
pub fn parameter(page: &[u8], code: u16) -> Vec<u8> {
    let mut rest = &page[4..];
    while rest.len() >= 4 {
        let end = 4 + usize::from(rest[3]);
        if rest[..2] == code.to_be_bytes() {
            return rest[4..end].to_vec();
        }
        rest = &rest[end..];
    }
    panic!("no parameter {code:x}");
}

#[test]
fn logs_tell_room_by_partition_and_alerts_once() {
    let mut rig = Rig::with_faults(
        lrs::ldm::virt::Technology::Lto8,
        "[[fault]]\nmedium = 'TAP001L8'\nop = 'read'\nerror = 'eio'\n",
    );
    let mut drive = rig.load(&super::support::card(800_000_000));
    assert_eq!(log(&mut drive, 0)[4..], [0, 2, 3, 0x0c, 0x17, 0x2e, 0x31]);
    drive.format_two();
    drive.locate(1, 0).good();
    for _ in 0..5 {
        drive.write(&[0; 1_000_000]).good();
    }
    let page = log(&mut drive, 0x17);
    assert_eq!(
        parameter(&page, 0x202),
        [7, 0, 0, 0, 0, 0, 0, 100, 7, 0, 0, 1, 0, 0, 2, 188]
    );
    assert_eq!(parameter(&page, 0x204)[12..], [0, 0, 2, 183]);
    let capacity = log(&mut drive, 0x31);
    assert_eq!(parameter(&capacity, 3), [0, 0, 0, 95]);
    drive.locate(1, 0).good();
    assert_eq!(drive.read(1_000_000).says(), (3, 0x11, 0));
    let alerts = log(&mut drive, 0x2e);
    assert_eq!((alerts.len(), parameter(&alerts, 5)), (4 + 64 * 5, vec![1]));
    assert_eq!(parameter(&log(&mut drive, 0x2e), 5), [0]);
    assert_eq!(parameter(&log(&mut drive, 3), 6), 1_u64.to_be_bytes());
    assert_eq!(
        drive.ask(&[0x4d, 0, 0x55, 0, 0, 0, 0, 1, 0, 0], 256).says(),
        (5, 0x24, 0)
    );
}

fn attribute(drive: &mut Host, action: u8, id: u16) -> super::support::Answer {
    let id = id.to_be_bytes();
    drive.ask(&[0x8c, action, 0, 0, 0, 0, 0, 0, id[0], id[1], 0, 0, 4, 0, 0, 0], 1024)
}

fn set_attribute(drive: &mut Host, id: u16, value: &[u8]) -> super::support::Answer {
    let mut list = (5 + value.len() as u32).to_be_bytes().to_vec();
    list.extend(id.to_be_bytes());
    list.extend([1, 0, value.len() as u8]);
    list.extend(value);
    let cdb = [0x8d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, list.len() as u8, 0, 0];
    drive.tell(&cdb, &list)
}

#[test]
fn the_cartridges_memory_keeps_what_the_host_writes() {
    let (rig, mut drive) = Rig::small();
    assert_eq!(attribute(&mut drive, 0, 0x806).says(), (5, 0x24, 0));
    set_attribute(&mut drive, 0x806, b"TAP001L8").good();
    let data = attribute(&mut drive, 0, 0x806).good();
    assert_eq!(data[4..17], *b"\x08\x06\x01\x00\x08TAP001L8");
    let list = attribute(&mut drive, 1, 0).good();
    let ids: Vec<u16> = list[4..]
        .chunks(2)
        .map(|id| u16::from_be_bytes([id[0], id[1]]))
        .collect();
    assert!(
        ids.contains(&0x401) && ids.contains(&0x806) && ids.is_sorted(),
        "{ids:x?}"
    );
    let file = rig.library.cartridge_path("TAP001L8").unwrap().join("attr_0_806");
    assert_eq!(std::fs::read(&file).unwrap(), b"\x08\x06\x01\x00\x08TAP001L8");
    set_attribute(&mut drive, 0x806, b"").good();
    assert!(!file.exists());
    assert_eq!(set_attribute(&mut drive, 0x401, b"x").says(), (5, 0x26, 0));
}

#[test]
fn the_change_reference_changes_once_a_mount_that_writes() {
    let (_rig, mut drive) = Rig::small();
    assert_eq!(attribute(&mut drive, 0, 9).says(), (5, 0x24, 0));
    for mount in 1..3 {
        drive.write(&[1; 10]).good();
        drive.does(&six(0x10, 0, 1)).good();
        drive.write(&[1; 10]).good();
        assert_eq!(attribute(&mut drive, 0, 9).good()[9..13], [0, 0, 0, mount]);
        drive.unload().good();
        drive.does(&[0x1b, 0, 0, 0, 1, 0]).good();
        assert_eq!(drive.ready().says(), (6, 0x28, 0));
    }
}
