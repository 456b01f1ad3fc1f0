//! A process that is killed while it brings a cartridge in.

use super::insertion::{cartridge, files, folders};
use super::support::{Rig, opened, room};
use lrs::ldm::virt::Technology;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const LIBRARY: &str = "RESPOOL_TEST_KILLED_LIBRARY";
const FROM: &str = "RESPOOL_TEST_KILLED_FROM";

/// The process that is killed: this program, told by its environment.
#[test]
fn child() {
    let (Some(library), Some(from)) = (std::env::var_os(LIBRARY), std::env::var_os(FROM)) else {
        return;
    };
    let library = opened(&PathBuf::from(library), "").unwrap();
    library.insert(&PathBuf::from(from), "FXT001L9", None).unwrap();
}

/// Records of so many bytes, so that copying them takes a while.
fn large(folder: &Path, records: u64) {
    for block in 0..records {
        std::fs::write(folder.join(format!("0_{block}_R")), block.to_be_bytes()).unwrap();
    }
    std::fs::write(folder.join(format!("0_{records}_E")), "").unwrap();
}

#[test]
fn in_the_middle_of_an_insertion_nothing_is_half_there() {
    let from = room();
    large(from.path(), 4000);
    let (mut midway, mut whole) = (0, 0);
    for delay in [0, 0, 1, 2, 4, 8, 16, 32, 64] {
        let rig = Rig::new(Technology::Lto9);
        let Rig { library, folder } = rig;
        drop(library);
        let draft = folder.path().join("cartridges/.FXT001L9.new");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "library::killed::child", "--test-threads=1"])
            .env(LIBRARY, folder.path())
            .env(FROM, from.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while !draft.exists() && child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(60), "it never begins");
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        midway += u32::from(draft.exists());

        let library = opened(folder.path(), "").unwrap();
        let there = library.inventory().unwrap().find("FXT001L9").is_ok();
        whole += u32::from(there);
        if !there {
            library.insert(from.path(), "FXT001L9", None).unwrap();
        }
        assert_eq!(files(&library.cartridge_path("FXT001L9").unwrap()), files(from.path()));
        assert_eq!(folders(folder.path()).len(), 5, "what was left is gone");
        library.put_in("drv0", "FXT001L9").unwrap();
    }
    println!("{midway} killed midway, {whole} whole");
    assert!(midway > 0, "none was killed midway");
}

/// The folder has its name, and the inventory does not have it yet.
#[test]
fn between_the_name_and_the_inventory() {
    let rig = Rig::new(Technology::Lto9);
    let from = room();
    cartridge(from.path());
    let rig = rig.again("", |folder| {
        let left = folder.join("cartridges/FXT001L9");
        std::fs::create_dir(&left).unwrap();
        std::fs::write(left.join("0_0_R"), "of an earlier attempt").unwrap();
        std::fs::write(left.join("0_9_R"), "of an earlier attempt").unwrap();
    });
    assert!(rig.library.inventory().unwrap().find("FXT001L9").is_err());
    assert!(rig.library.cartridge_path("FXT001L9").is_none());
    rig.library.insert(from.path(), "FXT001L9", None).unwrap();
    assert_eq!(
        files(&rig.library.cartridge_path("FXT001L9").unwrap()),
        files(from.path())
    );
}
