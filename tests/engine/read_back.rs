//! What was moved is read again from its medium, small extents in groups and large ones piece by piece: every one of
//! them, each with its own answer.

use crate::rig::Rig;
use crate::safety::stored;
use dss::model::{Health, JobKind, JobState, Step};
use respool::engine;
use respool::repack::machine::Stop;
use std::collections::BTreeMap;

/// Larger than one piece of the ring, and not a whole number of them.
const LARGE: usize = (3 << 20) + 777;

fn large(fill: u8) -> Vec<u8> {
    (0..LARGE).map(|at| (at % 251) as u8 ^ fill).collect()
}

/// Large objects among small ones, in the order in which they are read.
async fn mixed() -> (Rig, BTreeMap<String, Vec<u8>>) {
    let rig = Rig::new(&["a"]).await;
    let mut objects = crate::rig::objects(30);
    objects.insert("d/0007-large".to_owned(), large(1));
    objects.insert("d/0021-large".to_owned(), large(2));
    rig.put(&objects, 1).await;
    rig.add("b", None).await;
    (rig, objects)
}

#[tokio::test]
async fn x26_a_large_extent_that_does_not_read_back_is_swapped_back() {
    for error in ["lost_write", "flip"] {
        let (rig, objects) = mixed().await;
        let fault = format!(
            "[[fault]]\nmedium = \"b\"\nop = \"write\"\noid = \"d/0007-large\"\nerror = \"{error}\"\ntimes = 0\n"
        );
        let rig = rig.restarted(&fault).await;
        let job = rig.repack(rig.spec("a").await).await;
        assert_eq!(job.state, JobState::Failed, "{error}");
        assert_eq!((job.tally.read_back_failed, job.tally.failed), (1, 1), "{error}");
        assert_eq!(job.skips.len(), 1);
        assert_eq!(job.skips[0].oid.as_str(), "d/0007-large");
        assert_eq!(rig.medium("b").await.health, Health::Suspect);
        rig.all_are_there(&objects).await;
    }
}

#[tokio::test]
async fn x26_each_of_a_group_has_an_answer_of_its_own() {
    let (rig, objects) = mixed().await;
    let rig = rig
        .restarted("[[fault]]\nmedium = \"b\"\nop = \"read\"\noid = \"d/0004\"\nerror = \"eio\"\ntimes = 0\n")
        .await;
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!(job.state, JobState::Failed);
    let skipped: Vec<&str> = job.skips.iter().map(|skip| skip.oid.as_str()).collect();
    assert_eq!(skipped, ["d/0004"]);
    assert_eq!(job.tally.read_back as usize, objects.len() - 1);
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn x13_a_stop_within_a_group_leaves_the_rest_to_be_read_back() {
    for stop_at in [1, 5, 16, 17] {
        let (rig, objects) = stored(40).await;
        let job = engine::submit(&rig.host, JobKind::Repack, rig.spec("a").await)
            .await
            .unwrap();
        let (stop, asked) = tokio::sync::watch::channel(None);
        let mut seen = 0;
        rig.at_steps(move |step| {
            seen += u64::from(step == Step::ReadBackMiddle);
            if seen == stop_at {
                stop.send_replace(Some(Stop::Pause));
            }
        });
        let job = rig.run_until(job, asked).await;
        assert_eq!(job.state, JobState::Paused);
        assert_eq!(job.tally.read_back, stop_at, "what was read counts, and nothing else");
        rig.at_steps(|_| {});
        let job = rig.run(job).await;
        assert_eq!(
            (job.state, job.tally.read_back),
            (JobState::Done, 40),
            "{:?}",
            job.error
        );
        rig.all_are_there(&objects).await;
    }
}
