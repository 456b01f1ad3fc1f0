//! Reading and writing records: lengths, filemarks, ends, protection.

use super::support::{DRIVE, Host, Rig, SLOT, card, six};
use lrs::ldm::virt::{Card, Kind, Tab, Technology};

#[test]
fn a_record_reads_as_it_was_written() {
    let (_rig, mut drive) = Rig::small();
    let record: Vec<u8> = (0..70_000_u32).map(|at| at as u8).collect();
    drive.write(&record).good();
    drive.rewind();
    assert_eq!(drive.read(70_000).good(), record);
}

#[test]
fn a_record_of_another_length_is_told_with_the_difference_and_passed() {
    let (_rig, mut drive) = Rig::small();
    drive.write(&[1; 100]).good();
    drive.write(&[2; 50]).good();
    drive.rewind();
    let long = drive.read(60);
    assert_eq!((long.says(), long.flags), ((0, 0, 0), (false, false, true)));
    assert_eq!((long.information, long.data.len()), (Some(-40), 60));
    let short = drive.read(80);
    assert_eq!(
        (short.flags.2, short.information, short.data),
        (true, Some(30), vec![2; 50])
    );
    assert_eq!(drive.stands(), (0, 2, 0));
}

#[test]
fn suppressed_lengths_are_not_told() {
    let (_rig, mut drive) = Rig::small();
    drive.write(&[1; 100]).good();
    drive.rewind();
    assert_eq!(drive.ask(&six(0x08, 2, 60), 60).good().len(), 60);
    drive.rewind();
    assert_eq!(drive.ask(&six(0x08, 2, 200), 200).good().len(), 100);
}

#[test]
fn a_filemark_stops_a_read_behind_it_and_the_end_is_blank() {
    let (_rig, mut drive) = Rig::small();
    drive.write(&[1; 10]).good();
    drive.marks(1).good();
    drive.rewind();
    drive.read(10).good();
    let mark = drive.read(10);
    assert_eq!(
        (mark.says(), mark.flags, mark.information),
        ((0, 0, 1), (true, false, false), Some(10))
    );
    assert_eq!(drive.stands(), (0, 2, 1));
    assert_eq!(drive.read(10).says(), (8, 0, 5));
    assert_eq!(drive.stands(), (0, 2, 1));
}

#[test]
fn fixed_blocks_are_counted() {
    let (_rig, mut drive) = Rig::small();
    assert_eq!(drive.tell(&six(0x0a, 1, 1), &[0; 16]).says(), (5, 0x24, 0));
    let select = [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 16];
    drive.tell(&[0x15, 0x10, 0, 0, 12, 0], &select).good();
    drive.tell(&six(0x0a, 1, 3), &[7; 48]).good();
    drive.marks(1).good();
    drive.rewind();
    assert_eq!(drive.ask(&six(0x08, 1, 2), 32).good(), vec![7; 32]);
    let ended = drive.ask(&six(0x08, 1, 4), 64);
    assert_eq!(
        (ended.says(), ended.information, ended.data.len()),
        ((0, 0, 1), Some(3), 16)
    );
}

#[test]
fn early_warning_is_told_at_every_write_and_the_end_is_hard() {
    let (_rig, mut drive) = Rig::small();
    let (mut warned, mut written) = (0, 0);
    let ended = loop {
        let answer = drive.write(&[3; 10_000]);
        match answer.sense {
            (0, 0, 0) => assert_eq!(warned, 0),
            (0, 0, 2) => warned += 1,
            _ => break answer,
        }
        written += 1;
    };
    assert_eq!(
        (ended.says(), ended.flags.1, ended.information),
        ((0xd, 0, 2), true, Some(10_000))
    );
    // 1,000,000 bytes, of which 62,500 lie behind early warning.
    assert_eq!((written, warned), (100, 7));
    assert_eq!(drive.stands(), (0, 100, 0));
    assert_eq!(drive.space(3, 0).good(), Vec::<u8>::new());
    assert_eq!(drive.stands().1, 100);
}

#[test]
fn filemarks_and_flushes_are_warned_of_too() {
    let (_rig, mut drive) = Rig::small();
    for _ in 0..95 {
        drive.write(&[3; 10_000]);
    }
    let flushed = drive.flush();
    assert_eq!((flushed.says(), flushed.flags.1), ((0, 0, 2), true));
    assert_eq!(drive.flush().good(), Vec::<u8>::new());
    assert_eq!(drive.marks(1).says(), (0, 0, 2));
    assert_eq!(drive.stands(), (0, 96, 1));
}

#[test]
fn a_write_before_the_end_takes_what_is_behind_it_away() {
    let (rig, mut drive) = Rig::small();
    for number in 0..5 {
        drive.write(&[number; 100]).good();
    }
    drive.marks(1).good();
    drive.locate(0, 2).good();
    drive.write(&[9; 100]).good();
    assert_eq!(drive.read(100).says(), (8, 0, 5));
    drive.flush().good();
    assert_eq!(names(&rig), ["0_0_R", "0_1_R", "0_2_R", "0_3_E"]);
}

#[test]
fn what_was_not_flushed_is_lost_with_the_power_and_the_rest_is_kept() {
    let (rig, mut drive) = Rig::small();
    drive.write(&[1; 100]).good();
    drive.flush().good();
    drive.write(&[2; 100]).good();
    // Immediate filemarks flush nothing.
    drive.does(&six(0x10, 1, 1)).good();
    rig.library.power_cut();
    assert_eq!(drive.ready().says(), (6, 0x29, 0));
    assert_eq!(drive.ready().says(), (2, 4, 1));
    assert_eq!(drive.ready().says(), (6, 0x28, 0));
    drive.ready().good();
    assert_eq!(drive.stands(), (0, 0, 0));
    assert_eq!(drive.read(100).good(), vec![1; 100]);
    assert_eq!(drive.read(100).says(), (8, 0, 5));
    assert_eq!(names(&rig), ["0_0_R", "0_1_E"]);
}

#[test]
fn a_buffer_that_cannot_be_written_is_told_with_the_next_command() {
    let (rig, mut drive) = Rig::small();
    drive.write(&[1; 100]).good();
    drive.flush().good();
    drive.write(&[2; 100]).good();
    rig.library.lose_buffer(0, lrs::ldm::virt::Say::new(3, 0x0c, 0));
    let told = drive.write(&[3; 100]);
    assert_eq!((told.says(), told.deferred), ((3, 0x0c, 0), true));
    assert_eq!(drive.stands(), (0, 1, 0));
}

#[test]
fn write_once_media_are_only_appended_to() {
    let mut rig = Rig::new(Technology::Lto8);
    let mut drive = rig.load(&card(1_000_000).of_kind(Kind::Worm));
    drive.write(&[1; 100]).good();
    drive.write(&[2; 100]).good();
    drive.rewind();
    assert_eq!(drive.write(&[3; 100]).says(), (7, 0x30, 0x0c));
    assert_eq!(drive.does(&[0x19, 1, 0, 0, 0, 0]).says(), (7, 0x30, 0x0c));
    drive.space(3, 0).good();
    drive.write(&[3; 100]).good();
    assert_eq!(drive.ask(&[0x1a, 0, 0, 0, 12, 0], 12).good()[1], 0x8c);
}

#[test]
fn a_tab_and_an_older_generation_forbid_writing() {
    let mut rig = Rig::new(Technology::Lto8);
    let mut drive = rig.load(&card(1_000_000).with_tab(Tab::Protected));
    assert_eq!(drive.write(&[1; 100]).says(), (7, 0x27, 0));
    assert_eq!(drive.ask(&[0x1a, 0, 0, 0, 12, 0], 12).good()[2] & 0x80, 0x80);
    let mut rig = Rig::new(Technology::Lto7);
    let mut drive = rig.load(&Card::blank("OLD001L5", Technology::Lto5));
    assert_eq!(drive.write(&[1; 100]).says(), (7, 0x30, 5));
    assert_eq!(drive.read(100).says(), (8, 0, 5));
}

#[test]
fn a_cartridge_of_the_wrong_generation_is_refused_and_let_out() {
    let mut rig = Rig::new(Technology::Lto9);
    let mut drive = rig.load(&Card::blank("OLD001L7", Technology::Lto7));
    assert_eq!(drive.ready().says(), (3, 0x30, 0));
    assert_eq!(drive.does(&[0x1b, 0, 0, 0, 1, 0]).says(), (3, 0x30, 0));
    drive.unload().good();
    assert_eq!(drive.ready().says(), (2, 0x3a, 0));
    rig.changer.moves(DRIVE, SLOT).good();
}

#[test]
fn an_append_only_drive_overwrites_where_it_is_allowed_to() {
    let (_rig, mut drive) = Rig::small();
    drive.write(&[1; 100]).good();
    let mut page = vec![0, 0, 0, 0, 0x50, 1, 0, 0x1c, 0, 0x10];
    page.resize(36, 0);
    drive.tell(&[0x15, 0x10, 0, 0, 36, 0], &page).good();
    drive.rewind();
    assert_eq!(drive.write(&[2; 100]).says(), (7, 0x30, 0x0c));
    drive.does(&[0x82, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).good();
    drive.write(&[2; 100]).good();
    drive.rewind();
    assert_eq!(drive.write(&[2; 100]).says(), (7, 0x30, 0x0c));
}

#[test]
fn unknown_commands_and_fields_are_refused() {
    let (_rig, mut drive) = Rig::small();
    assert_eq!(drive.does(&[0xee, 0, 0, 0, 0, 0]).says(), (5, 0x20, 0));
    assert_eq!(
        drive.does(&[0xa3, 0x1d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).says(),
        (5, 0x24, 0)
    );
    assert_eq!(drive.space(7, 1).says(), (5, 0x24, 0));
    let known = drive.ask(&[0xa3, 0x0c, 3, 0x92, 0, 0, 0, 0, 0, 64, 0, 0], 64).good();
    assert_eq!(known[..5], [0, 3, 0, 16, 0x92]);
    let unknown = drive.ask(&[0xa3, 0x0c, 3, 0xee, 0, 0, 0, 0, 0, 64, 0, 0], 64).good();
    assert_eq!(unknown[1], 1);
}

#[test]
fn two_drives_work_at_the_same_time() {
    let mut rig = Rig::new(Technology::Lto8);
    for (number, barcode) in ["TAP001L8", "TAP002L8"].into_iter().enumerate() {
        rig.library.blank(barcode).unwrap();
        rig.changer.drain();
        rig.changer.moves(SLOT, DRIVE + number as u16).good();
    }
    let work = |mut drive: Host, value: u8| {
        for _ in 0..50 {
            drive.write(&[value; 10_000]).good();
        }
        drive.flush().good();
        drive.stands().1
    };
    let (first, second) = (rig.drive(0), rig.drive(1));
    let ends = std::thread::scope(|scope| {
        let threads = [scope.spawn(|| work(first, 1)), scope.spawn(|| work(second, 2))];
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(ends, [50, 50]);
    assert!(rig.library.drive_time(0) > std::time::Duration::from_secs(15));
}

/// The blocks in the folder of the one cartridge, in order.
pub fn names(rig: &Rig) -> Vec<String> {
    let folder = rig.library.cartridge_path("TAP001L8").unwrap();
    let all = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = all.filter(|name| name.starts_with(['0', '1'])).collect();
    names.sort();
    names
}
