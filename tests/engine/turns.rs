//! Giving way to gets, and not for ever.

use crate::rig::Rig;
use dss::model::{JobState, Step};
use lrs::core::{Priority, Request};
use respool::repack::turn::YIELDS_MAX;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A dock whose other disk is wanted all the time: every grant of the repack is asked back before the first bytes of its
/// only extent are read, when the rest seems to take for ever, so nothing of it would ever be moved.
#[tokio::test(flavor = "multi_thread")]
async fn constant_gets_on_a_dock_do_not_keep_a_very_large_extent_from_ending() {
    let rig = Rig::new(&["a"]).await;
    let large = BTreeMap::from([("large".to_owned(), vec![7_u8; 24 << 20])]);
    rig.put(&large, 1).await;
    rig.add_in("b", None, Some("dock")).await;
    let wanted = rig.add_in("c", None, Some("dock")).await;
    rig.change("c", |change| change.adm_state = Some(dss::model::AdmState::ReadOnly))
        .await;
    let begun = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&begun);
    rig.at_steps(move |step| {
        if step == Step::ReadMiddle {
            count.fetch_add(1, Ordering::Relaxed);
            // Long enough for the next get to ask for the dock.
            std::thread::sleep(Duration::from_millis(300));
        }
    });
    let lrs = rig.host.lrs.clone();
    let served = Arc::new(AtomicU32::new(0));
    let gets = Arc::clone(&served);
    let getting = tokio::spawn(async move {
        loop {
            let get = Request {
                purpose: "get of x".to_owned(),
                priority: Priority::Get,
                reads: vec![wanted],
                writes: vec![],
                exclusive: vec![],
            };
            let allocation = lrs.allocate(get).await.unwrap();
            gets.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(10)).await;
            allocation.release().await;
        }
    });
    let job = rig.repack(rig.spec("a").await).await;
    getting.abort();
    let _ = getting.await;
    assert_eq!(job.state, JobState::Done, "{:?}", job.error);
    let begun = begun.load(Ordering::Relaxed);
    assert!(
        begun <= YIELDS_MAX + 1,
        "begun {begun} times: it gives way, and not for ever"
    );
    assert!(served.load(Ordering::Relaxed) > YIELDS_MAX, "others had their turns");
    rig.all_are_there(&large).await;
}
