//! What a target cannot keep of one extent costs that extent and nothing else: it is listed with its reason, the others
//! move, the target is as good as before, and the source keeps what lives on it.

use crate::choosy::When;
use crate::rig::{Rig, objects};
use crate::safety::stored;
use dss::model::{AdmState, ExtentState, FsState, Health, Job, JobState};
use respool::api::jobs::exit_code;
use std::collections::{BTreeMap, BTreeSet};

/// Nothing, what is read in groups, and what is read piece by piece.
const SIZES: [(&str, usize); 4] = [("none", 0), ("small", 100), ("middle", 70_000), ("large", 3 << 20)];

fn named(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The job left these where they were, moved the others, and did no harm.
async fn has_left(rig: &Rig, job: &Job, objects: &BTreeMap<String, Vec<u8>>, left: &BTreeSet<String>) {
    assert_eq!(job.state, JobState::DoneWithSkips, "{:?}", job.error);
    assert_eq!(exit_code(job), 1);
    assert_eq!(job.tally.moved, (objects.len() - left.len()) as u64);
    let skipped: BTreeSet<String> = job.skips.iter().map(|skip| skip.oid.to_string()).collect();
    assert_eq!((&skipped, job.skips.len()), (left, left.len()));
    let (source, target) = (rig.medium("a").await, rig.medium("b").await);
    for skip in &job.skips {
        assert!(skip.reason.ends_with("a key occurs twice"), "{}", skip.reason);
        assert_eq!((skip.medium, skip.integrity), (source.id, false));
    }
    assert_eq!((target.health, source.health), (Health::Ok, Health::Ok));
    assert_eq!(target.adm_state, AdmState::InService);
    assert_ne!(target.fs_state, FsState::Full);
    assert_eq!((source.adm_state, source.generation.0), (AdmState::ReadOnly, 0));
    let live = rig.extents(Some("a"), Some(ExtentState::Sync)).await;
    let live: BTreeSet<String> = live.iter().map(|extent| extent.origin.oid.to_string()).collect();
    assert_eq!(&live, left, "they live where they were");
    rig.all_are_there(objects).await;
}

#[tokio::test]
async fn x01_what_a_target_cannot_keep_is_skipped_alone_whenever_it_says_so() {
    for when in [When::Named, When::Begun, When::Ended] {
        for (size, _) in SIZES {
            let rig = Rig::new(&["a"]).await;
            let pair = |(name, bytes): (&str, usize)| {
                let filled = |which: &str| (format!("{name}-{which}"), vec![7; bytes]);
                ["1", "2", "3"].map(filled)
            };
            let objects: BTreeMap<String, Vec<u8>> = SIZES.into_iter().flat_map(pair).collect();
            rig.put(&objects, 1).await;
            rig.add("b", None).await;
            let bad = format!("{size}-2");
            rig.refusals.add("b", &bad, when);
            let job = rig.repack(rig.spec("a").await).await;
            println!("{bad} {when:?}");
            has_left(&rig, &job, &objects, &named(&[&bad])).await;
            // What the medium takes some day is moved then, and the source can be erased.
            rig.refusals.clear();
            let job = rig.repack(rig.spec("a").await).await;
            assert_eq!((job.state, job.tally.moved), (JobState::Done, 1), "{:?}", job.error);
            assert_eq!(rig.medium("a").await.generation.0, 1);
            rig.all_are_there(&objects).await;
        }
    }
}

/// Windows are recorded ahead of their turn: what is refused there is told when it is their turn, and once.
#[tokio::test]
async fn x01_what_is_refused_in_any_window_is_listed_once() {
    for when in [When::Named, When::Begun, When::Ended] {
        let rig = Rig::new(&["a"]).await;
        let objects = (0..40).map(|n| (format!("d/{n:02}"), vec![n; 100])).collect();
        rig.put(&objects, 1).await;
        rig.add("b", None).await;
        let bad = ["d/00", "d/07", "d/15", "d/16", "d/20", "d/39"];
        bad.iter().for_each(|oid| rig.refusals.add("b", oid, when));
        let job = rig.repack(rig.spec("a").await).await;
        has_left(&rig, &job, &objects, &named(&bad)).await;
    }
}

/// Not even where nothing else is left: every window is refused whole.
#[tokio::test]
async fn x01_a_target_that_can_keep_nothing_of_a_source_ends_the_job_with_every_extent_listed() {
    for when in [When::Named, When::Begun, When::Ended] {
        let (rig, objects) = stored(20).await;
        let all: BTreeSet<String> = objects.keys().cloned().collect();
        all.iter().for_each(|oid| rig.refusals.add("b", oid, when));
        let job = rig.repack(rig.spec("a").await).await;
        has_left(&rig, &job, &objects, &all).await;
    }
}

/// One dock: what is read into the spool is refused where it is written.
#[tokio::test]
async fn x01_what_went_into_the_spool_in_vain_is_skipped_alone() {
    for when in [When::Named, When::Begun, When::Ended] {
        let rig = Rig::new(&[]).await;
        rig.add_in("a", None, Some("dock")).await;
        let objects = objects(12);
        rig.put(&objects, 1).await;
        rig.add_in("b", None, Some("dock")).await;
        for oid in ["d/0003", "d/0004"] {
            rig.refusals.add("b", oid, when);
        }
        let job = rig.repack(rig.spec("a").await).await;
        has_left(&rig, &job, &objects, &named(&["d/0003", "d/0004"])).await;
    }
}

/// Exit 4 stays where its own bytes were bad as well: somebody must look at that medium.
#[tokio::test]
async fn x01_e12_bad_bytes_are_told_although_another_copy_of_them_fits_nowhere() {
    let rig = Rig::new(&["a", "c"]).await;
    let objects = objects(6);
    rig.put(&objects, 2).await;
    rig.add("b", None).await;
    let rig = rig
        .restarted("[[fault]]\nmedium = \"a\"\nop = \"read\"\noid = \"d/0003\"\nerror = \"flip\"\ntimes = 1\n")
        .await;
    rig.refusals.add("b", "d/0003", When::Begun);
    // It is read wrong first; then from the other copy, which the target refuses.
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!(job.state, JobState::DoneWithSkips, "{:?}", job.error);
    assert_eq!(exit_code(&job), 4);
    assert_eq!(job.skips.len(), 1);
    let reason = &job.skips[0].reason;
    assert!(
        reason.contains("digest") && reason.ends_with("a key occurs twice"),
        "{reason}"
    );
    assert_eq!(rig.medium("b").await.health, Health::Ok);
}
