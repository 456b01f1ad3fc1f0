//! Storage that fails halfway.

use super::*;

#[test]
fn a_failed_flush_is_not_retried_into_success() {
    let folder = tempfile::tempdir().unwrap();
    FolderCartridge::create(folder.path(), Card::blank("A", Technology::Lto8)).unwrap();
    let mut tape = FolderCartridge::open(folder.path(), "A", Technology::Lto8).unwrap();
    let at = |block| Position::at(0, block);
    tape.write(at(0), b"kept").unwrap();
    tape.flush().unwrap();
    tape.write(at(1), b"lost").unwrap();
    let file = tape.open[0].2;
    tape.disk.close(file);
    assert_eq!(tape.flush(), Err(Errno::EBADF));
    tape.open.clear();
    assert_eq!(tape.flush(), Err(Errno::EIO));
    tape.power_cut();
    assert_eq!((tape.flush(), tape.map(0).end()), (Ok(()), 1));
    tape.write(at(1), b"again").unwrap();
    tape.flush().unwrap();
}

#[test]
fn what_cannot_be_taken_away_is_void_until_it_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    FolderCartridge::create(folder.path(), Card::blank("A", Technology::Lto8)).unwrap();
    let mut tape = FolderCartridge::open(folder.path(), "A", Technology::Lto8).unwrap();
    for block in 0..4 {
        tape.write(Position::at(0, block), b"old").unwrap();
    }
    tape.flush().unwrap();
    // A folder is in the way of unlinking.
    let stuck = folder.path().join("0_2_R");
    std::fs::remove_file(&stuck).unwrap();
    std::fs::create_dir(&stuck).unwrap();
    assert!(tape.write(Position::at(0, 1), b"new").is_err());
    assert_eq!((tape.map(0).end(), tape.durable_end(0)), (1, 1));
    assert!(tape.write(Position::at(0, 1), b"new").is_err());
    std::fs::remove_dir(&stuck).unwrap();
    tape.write(Position::at(0, 1), b"new").unwrap();
    tape.flush().unwrap();
    let again = FolderCartridge::open(folder.path(), "A", Technology::Lto8).unwrap();
    assert_eq!((again.map(0).end(), again.parts[0].void.len()), (2, 0));
}
