//! What every mounted medium must do, whatever it is made of. Each function is one rule and panics when it is broken;
//! `volume_conformance!` makes a test of each.

mod puts;
mod reading;
mod removing;
mod writing;

pub use puts::*;
// Who tests more than the rules takes only the extents.
#[allow(unused_imports)]
pub use reading::*;
#[allow(unused_imports)]
pub use removing::*;
#[allow(unused_imports)]
pub use writing::*;

use dss::model::{ByteCount, Generation, Revision};
use lrs::ldm::fs::{Label, Volume};
use lrs::ldm::{Fault, MediaResult};
use puts::ROOM;

/// What a family cannot do, or does in its own way. A rule that depends on it says what then holds instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nature {
    /// What a deletion does for the room.
    pub deletion: Deletion,
    /// What is left of an attempt that was never finished.
    pub remnant: Remnant,
    /// How exactly a medium is as large as was asked for, and its room told.
    pub measure: Measure,
}

/// What a deletion does for the room.
// Each family is tested by itself, and declares one of both.
#[allow(dead_code)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// The bytes' room is free again.
    Frees,
    /// Only the name goes; the room is free after the next erasure.
    Keeps,
}

/// What is left of an attempt that was never finished.
// Each family is tested by itself, and declares one of both.
#[allow(dead_code)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remnant {
    /// A file that is told as a stranger until it is deleted.
    File,
    /// Bytes without a name, which only an erasure takes.
    Nothing,
}

/// How exactly room is told.
// Each family is tested by itself, and declares one of both.
#[allow(dead_code)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// To the byte.
    Exact,
    /// In units of a device, and less than was asked for, as it keeps some to itself.
    Rough,
}

/// Makes media for the suite.
pub trait Maker {
    /// What its family cannot do.
    fn nature(&self) -> Nature;
    /// Formats a fresh medium that holds this much, and answers its label.
    fn fresh(&mut self, capacity: ByteCount) -> Label;
    /// Mounts the medium made last; this generation and the one after it will do.
    fn mount(&mut self) -> MediaResult<Box<dyn Volume>>;
}

/// Makes a test of every rule; the argument makes a [`Maker`].
macro_rules! volume_conformance {
    ($maker:expr) => {
        volume_conformance!(@each $maker;
            a_fresh_medium_is_empty, what_was_synced_is_found_by_the_next_mount, no_bytes_are_an_extent_too,
            what_was_not_synced_is_not_in_the_index, a_sync_covers_the_writes_before_it_and_no_others,
            an_address_is_given_once, a_name_that_nothing_came_to_is_taken_back, other_bytes_than_were_meant_are_refused,
            x01_what_cannot_be_said_of_an_extent_is_its_own_fault_and_harms_no_other,
            an_abandoned_extent_is_a_stranger, a_deletion_is_of_one_extent_and_generation,
            an_orphan_never_takes_the_bytes_of_another_extent, what_is_evidently_another_file_is_not_opened,
            bytes_are_read_in_any_pieces, isolated_bytes_are_out_of_the_way, an_index_commit_is_remembered,
            what_does_not_fit_is_not_begun, an_erasure_takes_what_is_named_and_tells_the_rest,
            an_erasure_may_be_repeated, an_index_in_many_windows_is_whole, a_deletion_frees_what_its_nature_says,
            extents_side_by_side_are_each_whole, what_is_written_after_a_read_lies_where_it_is_found,
            a_place_says_where_the_bytes_are, a_read_goes_on_after_others_were_written,
        );
    };
    (@each $maker:expr; $($rule:ident),+ $(,)?) => {
        $(
            #[test]
            fn $rule() {
                crate::volume::$rule(&mut $maker);
            }
        )+
    };
}

fn mounted(maker: &mut dyn Maker) -> (Label, Box<dyn Volume>) {
    let label = maker.fresh(ROOM);
    let volume = maker.mount().expect("a fresh medium mounts");
    (label, volume)
}

fn again(maker: &mut dyn Maker, volume: Box<dyn Volume>) -> Box<dyn Volume> {
    drop(volume);
    maker.mount().expect("the medium mounts again")
}

fn refused_as_another(fault: &Fault) -> bool {
    matches!(fault, Fault::NotThisExtent(_))
}

fn next(label: &Label) -> Label {
    Label {
        generation: Generation(label.generation.0 + 1),
        revision: Revision(label.revision.0 + 100),
        ..label.clone()
    }
}
