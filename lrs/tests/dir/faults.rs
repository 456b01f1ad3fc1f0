//! What the faults of a drill mean on a directory.

use super::support::Bench;
use crate::volume::{get, pattern, put};
use dss::model::{Checkpoints, Step};
use lrs::ldm::faults::{CrashCheckpoints, FaultPlan};
use lrs::ldm::fs::Accepted;
use lrs::ldm::{Blame, Fault, MediaError};
use nix::errno::Errno;
use std::os::unix::process::ExitStatusExt;

fn filled(faults: &str) -> (Bench, Vec<crate::volume::Put>) {
    let mut bench = Bench::formatted();
    let mut volume = bench.mounted();
    let puts = ["a", "b", "c"]
        .map(|oid| put(&mut *volume, oid, &pattern(200_000, oid.as_bytes()[0])).unwrap())
        .into();
    volume.sync().unwrap();
    drop(volume);
    bench.with_faults(faults);
    (bench, puts)
}

fn reads(bench: &Bench, puts: &[crate::volume::Put]) -> Vec<Result<bool, MediaError>> {
    let mut volume = bench.mounted();
    puts.iter()
        .map(|put| get(&mut *volume, &put.wanted(bench.label.generation)).map(|bytes| bytes == put.bytes))
        .collect()
}

#[test]
fn a_fault_is_of_one_object_once_unless_it_is_said_otherwise() {
    let fault = "[[fault]]\nmedium = 'disk-a'\nop = 'read'\noid = 'b'\nerror = 'eio'\n";
    let (bench, puts) = filled(fault);
    let first = reads(&bench, &puts);
    assert!(first[0] == Ok(true) && first[2] == Ok(true));
    let error = first[1].as_ref().unwrap_err();
    assert_eq!(
        (error.fault.clone(), error.blame()),
        (Fault::Io(Errno::EIO), Blame::Extent)
    );
    assert_eq!(reads(&bench, &puts)[1], Ok(true), "once");
    let (bench, puts) = filled(&format!("{fault}times = 0\n"));
    assert!((0..3).all(|_| reads(&bench, &puts)[1].is_err()), "always");
    let (bench, puts) = filled(&fault.replace("disk-a", "disk-b"));
    assert!(
        reads(&bench, &puts).iter().all(|read| *read == Ok(true)),
        "another medium's"
    );
}

#[test]
fn nth_after_bytes_block_and_extent_choose_the_operation() {
    let rest = "medium = 'disk-a'\nop = 'read'\nerror = 'eio'\n";
    // Three reads an extent, of 70,001 bytes each but the last.
    let (bench, puts) = filled(&format!("[[fault]]\n{rest}nth = 4\n"));
    assert_eq!(
        reads(&bench, &puts).iter().map(Result::is_ok).collect::<Vec<_>>(),
        [true, false, true]
    );
    for filter in ["after_bytes = 150000", "block = 40", "oid = 'c'"] {
        let (bench, puts) = filled(&format!("[[fault]]\n{rest}{filter}\n"));
        let mut volume = bench.mounted();
        let failed = puts
            .iter()
            .filter_map(|put| get(&mut *volume, &put.wanted(bench.label.generation)).err())
            .collect::<Vec<_>>();
        assert_eq!(failed.len(), 1, "{filter}");
        let at = failed[0].at.clone().unwrap();
        let expected = if filter.starts_with("oid") {
            "byte 0"
        } else {
            "byte 140002"
        };
        assert!(at.ends_with(expected), "{filter}: {at}");
    }
    let (mut bench, puts) = filled("");
    bench.with_faults(&format!("[[fault]]\n{rest}extent = '{}'\n", puts[2].tag.extent));
    assert_eq!(
        reads(&bench, &puts).iter().map(Result::is_ok).collect::<Vec<_>>(),
        [true, true, false]
    );
}

#[test]
fn x_19_a_read_that_ends_early_is_an_error_and_leaves_no_bytes() {
    let (bench, puts) = filled("[[fault]]\nmedium = 'disk-a'\nop = 'read'\nafter_bytes = 150000\nerror = 'short'\n");
    let mut volume = bench.mounted();
    let wanted = puts[0].wanted(bench.label.generation);
    let handle = volume.open(&wanted, lrs::ldm::fs::ReadFrom::Medium).unwrap();
    let mut buffer = vec![0xaa; 100_000];
    assert_eq!(volume.read(handle, &mut buffer).unwrap(), 100_000);
    let error = volume.read(handle, &mut buffer).unwrap_err();
    assert_eq!(
        error.fault,
        Fault::Short {
            expected: 200_000,
            got: 100_000
        }
    );
    assert!(buffer.iter().all(|byte| *byte == 0));
    assert_eq!(
        volume.read(handle, &mut buffer).unwrap(),
        100_000,
        "the position stayed"
    );
    assert_eq!(buffer, puts[0].bytes[100_000..]);
}

#[test]
fn a_flip_changes_one_bit_and_only_the_digest_tells() {
    let (bench, puts) = filled("[[fault]]\nmedium = 'disk-a'\nop = 'read'\nerror = 'flip'\n");
    let got = get(&mut *bench.mounted(), &puts[0].wanted(bench.label.generation)).unwrap();
    let changed: u32 = got
        .iter()
        .zip(&puts[0].bytes)
        .map(|(one, two)| (one ^ two).count_ones())
        .sum();
    assert_eq!((got.len(), changed), (200_000, 1));
}

#[test]
fn a_lost_write_is_accepted_synced_and_not_there() {
    let (bench, _) = filled("[[fault]]\nmedium = 'disk-a'\nop = 'write'\noid = 'd'\nerror = 'lost_write'\ntimes = 0\n");
    let mut volume = bench.mounted();
    let lost = put(&mut *volume, "d", &pattern(1000, 1)).unwrap();
    volume.sync().unwrap();
    assert_eq!(
        get(&mut *volume, &lost.wanted(bench.label.generation)).unwrap(),
        [0; 1000]
    );
}

#[test]
fn x_15_a_full_medium_is_an_outcome_and_the_rest_of_it_holds() {
    let (bench, puts) = filled("[[fault]]\nmedium = 'disk-a'\nop = 'write'\nafter_bytes = 150000\nerror = 'enospc'\n");
    let mut volume = bench.mounted();
    let tag = crate::volume::tag("d", 200_000);
    let address = volume.reserve(&tag).unwrap();
    let handle = volume.create(tag, &address).unwrap().unwrap();
    assert_eq!(volume.write(handle, &[1; 100_000]).unwrap(), Accepted::All);
    assert_eq!(volume.write(handle, &[1; 100_000]).unwrap(), Accepted::EndOfMedium);
    assert!(
        volume.write(handle, &[1; 100_000]).is_err(),
        "an unknown part of it is there"
    );
    assert!(volume.finish(handle, dss::model::Digests::of(&[1; 200_000])).is_err());
    volume.sync().unwrap();
    assert!(puts.iter().all(|put| volume.lookup(put.tag.extent).unwrap().is_some()));
    assert_eq!(volume.strangers().unwrap(), [address]);
}

#[test]
fn x_21_a_question_for_room_that_fails_closes() {
    let (bench, _) = filled("[[fault]]\nmedium = 'disk-a'\nop = 'free_space'\nerror = 'eio'\ntimes = 0\n");
    let mut volume = bench.mounted();
    assert!(volume.space().is_err());
    assert!(put(&mut *volume, "d", b"1").is_err());
    assert_eq!(bench.objects().len(), 3);
}

#[test]
fn x_25_a_label_mismatch_is_another_medium() {
    let (bench, _) = filled("[[fault]]\nmedium = 'disk-a'\nop = 'mount'\nerror = 'label_mismatch'\n");
    assert!(matches!(
        bench.try_mount().err().unwrap().fault,
        Fault::WrongMedium { .. }
    ));
    bench.try_mount().unwrap();
    let (bench, _) = filled("[[fault]]\nmedium = 'disk-a'\nop = 'sync'\nerror = 'label_mismatch'\n");
    let mut volume = bench.mounted();
    put(&mut *volume, "d", b"1").unwrap();
    assert!(matches!(volume.sync().unwrap_err().fault, Fault::WrongMedium { .. }));
    assert_eq!(volume.sync().unwrap_err().fault, Fault::NeedsReopen);
}

#[test]
fn open_delete_mount_and_hang_fail_where_they_are_named() {
    let faults = ["open", "delete", "mount"]
        .map(|op| format!("[[fault]]\nmedium = 'disk-a'\nop = '{op}'\nerror = 'eio'\n"))
        .concat();
    let (mut bench, puts) = filled(&faults);
    assert_eq!(bench.try_mount().err().unwrap().fault, Fault::Io(Errno::EIO));
    let mut volume = bench.mounted();
    let wanted = puts[0].wanted(bench.label.generation);
    assert_eq!(get(&mut *volume, &wanted).unwrap_err().fault, Fault::Io(Errno::EIO));
    assert!(get(&mut *volume, &wanted).is_ok());
    assert_eq!(volume.delete(&wanted).unwrap_err().fault, Fault::Io(Errno::EIO));
    volume.delete(&wanted).unwrap();
    drop(volume);
    bench.with_faults("[[fault]]\nmedium = 'disk-a'\nop = 'read'\nerror = 'hang'\n[[fault]]\nmedium = 'disk-a'\nop = 'read'\nerror = '3/11/00'\n");
    let mut volume = bench.mounted();
    let wanted = puts[1].wanted(bench.label.generation);
    // Both count; the first that fires decides.
    assert_eq!(
        get(&mut *volume, &wanted).unwrap_err().fault,
        Fault::Io(Errno::ETIMEDOUT)
    );
    assert!(get(&mut *volume, &wanted).is_ok());
}

#[test]
fn sync_faults_count_syncs_of_the_medium_or_of_one_file() {
    let (bench, _) = filled("[[fault]]\nmedium = 'disk-a'\nop = 'sync'\nnth = 2\nerror = 'eio'\n");
    let mut volume = bench.mounted();
    for (oid, good) in [("d", true), ("e", false)] {
        for part in 0..3 {
            put(&mut *volume, &format!("{oid}{part}"), b"1").unwrap();
        }
        assert_eq!(volume.sync().is_ok(), good, "{oid}");
    }
    drop(volume);
    let (bench, _) = filled("[[fault]]\nmedium = 'disk-a'\nop = 'sync'\noid = 'e'\nerror = 'eio'\n");
    let mut volume = bench.mounted();
    put(&mut *volume, "d", b"1").unwrap();
    volume.sync().unwrap();
    put(&mut *volume, "e", b"1").unwrap();
    assert_eq!(volume.sync().unwrap_err().fault, Fault::Io(Errno::EIO));
}

const CRASHING: &str = "LRS_TEST_CRASHES";

#[test]
fn a_crash_ends_the_process_as_sigkill_does() {
    let name = "dir::faults::a_crash_ends_the_process_as_sigkill_does";
    if std::env::var_os(CRASHING).is_some() {
        let plan = FaultPlan::parse("[[fault]]\ncrash = 'sync.after'\nnth = 2\n", "faults.toml").unwrap();
        let drill = CrashCheckpoints::new(plan).unwrap();
        drill.reach(Step::SyncAfter);
        println!("passed once");
        drill.reach(Step::SyncBefore);
        drill.reach(Step::SyncAfter);
        println!("passed twice");
        return;
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(CRASHING, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.signal(), Some(9), "{said}");
    assert!(said.contains("passed once") && !said.contains("passed twice"), "{said}");
}
