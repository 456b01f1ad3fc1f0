//! What is wrong with the volume on a cartridge.

use super::support::{Rig, formatted, trouble};
use crate::fixtures::each;
use lrs::ldm::library::Trouble;
use lrs::ldm::virt::Technology;

#[test]
fn nothing_is_wrong_with_a_tape_that_was_just_formatted() {
    let Rig { library, folder: _room } = Rig::new(Technology::Lto9);
    let label = formatted(&library, "RSP001L9");
    library.take_out("drv0").unwrap();
    let checked = library.check("drv1", "RSP001L9").unwrap();
    assert_eq!(checked.findings, []);
    assert!(checked.state.is_clean());
    assert_eq!((checked.name.as_str(), checked.files), (label.name.as_str(), 0));
    library.take_out("drv1").unwrap();
    assert!(
        matches!(trouble(library.check("drv0", "RSP000L9")), Trouble::Media(_)),
        "it is blank"
    );
}

/// What a structural check cannot see (a flipped bit, a short record) is not found here; everything else is.
#[test]
fn a_check_finds_fault_with_what_is_not_as_it_was_written_and_with_nothing_else() {
    each(|fixture| {
        let Rig { library, folder: _room } = Rig::new(Technology::Lto8);
        library
            .insert(&fixture.cartridge, "FXT001L8", Some(Technology::Lto8))
            .unwrap();
        let checked = library.check("drv0", "FXT001L8").unwrap();
        let words: Vec<String> = checked.findings.iter().map(ToString::to_string).collect();
        let state = fixture.manifest["state"].as_str().unwrap();
        let by_structure = match fixture.manifest["damage"]["kind"].as_str() {
            None => state != "clean",
            Some(kind) => kind.contains("xml") || fixture.name().contains("badxml"),
        };
        // Both unclean fixtures have a known flaw of their writer in the cartridge's memory as well.
        assert_eq!(!words.is_empty(), by_structure, "{}: {words:?}", fixture.name());
        if state == "clean" {
            let entries = fixture.manifest["entries"].as_array().unwrap();
            let files = entries.iter().filter(|entry| entry["type"] != "dir").count() as u64;
            assert_eq!(checked.files, files, "{}", fixture.name());
        }
        assert_eq!(
            checked.volume.to_string(),
            fixture.manifest["volume"]["uuid"].as_str().unwrap()
        );
    });
}
