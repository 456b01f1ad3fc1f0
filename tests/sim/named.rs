//! Crashes that once lost something, by name.

use crate::crash::{instants, survive};
use crate::scenes::{Puts, Repack};
use crate::universe::{Crash, Instant};

/// A process was killed between the new label's rename and its folder's sync. The next life saw the new label and had
/// the catalogue expect it; a power cut then brought the old one back, and the medium was another one for ever.
#[test]
fn a_label_that_a_killed_process_left_in_memory_is_made_durable_before_it_counts() {
    let instants = instants(&Repack);
    let renamed: Vec<&Instant> = instants
        .iter()
        .filter(|instant| instant.before == "a: sync_dir .respool")
        .collect();
    assert!(!renamed.is_empty(), "the source gets a new label");
    for instant in renamed {
        survive(&Repack, instant, Crash::Kill);
    }
}

/// A sweep was killed before it was durable: before the sync of the folder, or after the seal's write and before its
/// sync. The next one found nothing left to do and forgot the rows; a power cut then brought the files back, or their
/// lines in the index.
#[test]
fn a_removal_that_a_killed_process_left_in_memory_is_made_durable_before_the_rows_go() {
    let instants = instants(&Puts);
    let synced = instants.iter().rfind(|instant| instant.before == "put.after_sync");
    let recovery = survive(&Puts, synced.expect("puts sync"), Crash::Kill);
    for call in ["sync_dir objects", "sync_file "] {
        let removed: Vec<&Instant> = recovery
            .iter()
            .filter(|instant| instant.before.ends_with(call))
            .collect();
        assert!(!removed.is_empty(), "what was not acknowledged is swept");
        for instant in removed {
            survive(&Puts, instant, Crash::Kill);
        }
    }
}
