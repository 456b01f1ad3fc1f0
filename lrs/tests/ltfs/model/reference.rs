//! Cartridges that the reference wrote, in model drives: what their manifests say is read, and they are written on.

use super::rig::{Rig, TAPE, To};
use super::travels::blocks;
use crate::fixtures::each;
use crate::reading::as_the_manifest_says;
use crate::recovering::recovered;
use crate::writing::append;
use lrs::ldm::drive::Drive;
use lrs::ldm::fs::ltfs::volume::mount;
use lrs::ldm::virt::Technology;

#[test]
fn every_fixture_is_what_its_manifest_says_through_both_drives() {
    each(|fixture| {
        let rig = Rig::new();
        rig.library
            .insert(&fixture.cartridge, TAPE, Some(Technology::Lto8))
            .unwrap();
        for number in [0, 1] {
            let mut tape = rig.load(TAPE, number);
            as_the_manifest_says(fixture, &mut tape);
            tape.unload().unwrap();
        }
        let before = blocks(&fixture.cartridge);
        assert_eq!(blocks(&rig.path(TAPE)), before, "reading changes nothing");
    });
}

#[test]
fn every_fixture_is_recovered_and_appended_to_in_a_drive() {
    each(|fixture| {
        let rig = Rig::new();
        rig.library
            .insert(&fixture.cartridge, TAPE, Some(Technology::Lto8))
            .unwrap();
        rig.carry(TAPE, To::Drive(0));
        recovered(fixture, &rig.path(TAPE), || {
            let mut tape = rig.drive(0);
            tape.load().unwrap();
            tape
        });
    });
}

/// Of the generation that it says it is of, in drives that may only read it.
#[test]
fn a_volume_of_an_older_generation_is_read_and_not_written() {
    each(|fixture| {
        if fixture.name() != "simple" {
            return;
        }
        let rig = Rig::of(Technology::Lto7);
        rig.library.insert(&fixture.cartridge, "SMP001L5", None).unwrap();
        let mut tape = rig.load("SMP001L5", 0);
        as_the_manifest_says(fixture, &mut tape);
        let mut mounted = mount(&mut tape).unwrap();
        let error = append(&mut tape, &mut mounted, "never", &[10]).unwrap_err();
        assert!(error.to_string().contains("7/30/05"), "{error}");
        assert_eq!(blocks(&rig.path("SMP001L5")), blocks(&fixture.cartridge));
    });
}
