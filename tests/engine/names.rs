//! Names on a target that rows have of which the target knows nothing.

use crate::rig::Rig;
use dss::catalogue::{Catalogue, ObjectHeader};
use dss::model::{
    ByteCount, CopyNo, ExtentId, ExtentIndex, ExtentState, FsState, Job, JobKind, JobState, Metadata, NewExtent,
    ObjectId, Oid, Origin, Owner, SessionId, Step, Version,
};
use lrs::core::{Priority, Request};
use lrs::ldm::fs::ExtentTag;
use respool::engine;
use respool::repack::machine::Stop;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::{Notify, watch};

async fn one_window() -> (Rig, BTreeMap<String, Vec<u8>>) {
    let rig = Rig::new(&["a"]).await;
    let objects = (0..10).map(|n| (format!("d/{n}"), vec![n; 100])).collect();
    rig.put(&objects, 1).await;
    rig.add("b", None).await;
    (rig, objects)
}

/// A life that ends, as by a kill, when its first window is recorded and not a byte of it is written.
async fn ends_before_a_byte(rig: &Rig, job: &Job) {
    let recorded = Arc::new(Notify::new());
    let told = Arc::clone(&recorded);
    rig.at_steps(move |step| {
        if step == Step::ReadMiddle {
            told.notify_one();
        }
    });
    tokio::select! {
        biased;
        () = recorded.notified() => {}
        ended = rig.run(job.clone()) => panic!("it ended before it read anything: {ended:?}"),
    }
    rig.at_steps(|_| {});
}

/// E-07: each life of respoold that ends between a row and its first byte leaves the row's name taken. However many there
/// are, the next life finds free ones, and asks the catalogue to record the window twice, not once for each.
#[tokio::test]
async fn e07_names_that_only_rows_have_hold_nothing_up() {
    const LIVES: usize = 100;
    let (mut rig, objects) = one_window().await;
    let mut job = engine::submit(&rig.host, JobKind::Repack, rig.spec("a").await)
        .await
        .unwrap();
    for _ in 0..LIVES {
        ends_before_a_byte(&rig, &job).await;
        let now = rig.host.clock.now();
        assert!(rig.catalogue.abandon(Owner::Move(job.id), None, now).await.unwrap() > 0);
        rig = rig.restarted("").await;
        job = rig.catalogue.job(job.id).await.unwrap();
    }
    let before = job.tally.transactions;
    let job = rig.run(job).await;
    assert_eq!((job.state, job.tally.moved), (JobState::Done, 10), "{:?}", job.error);
    assert!(
        job.tally.transactions - before < 20,
        "{}",
        job.tally.transactions - before
    );
    rig.all_are_there(&objects).await;
}

/// A name that is free stays what it is when another one in its window is taken.
#[tokio::test]
async fn only_names_that_are_taken_give_way() {
    let (rig, objects) = one_window().await;
    let job = engine::submit(&rig.host, JobKind::Repack, rig.spec("a").await)
        .await
        .unwrap();
    ends_before_a_byte(&rig, &job).await;
    // One of the ten keeps its row; those of the others are forgotten.
    let rows = rig.extents(Some("b"), None).await;
    let (now, target) = (rig.host.clock.now(), rig.medium("b").await);
    rig.catalogue.abandon(Owner::Move(job.id), None, now).await.unwrap();
    let others: Vec<_> = rows[1..].iter().map(|row| row.id).collect();
    let forgotten = rig
        .catalogue
        .forget_orphans(target.id, target.generation, &others)
        .await
        .unwrap();
    assert_eq!(forgotten, 9);
    let rig = rig.restarted("").await;
    let job = rig.run(rig.catalogue.job(job.id).await.unwrap()).await;
    assert_eq!((job.state, job.tally.moved), (JobState::Done, 10), "{:?}", job.error);
    let before: BTreeSet<String> = rows.iter().map(|row| row.address.0.clone()).collect();
    let sync = rig.extents(Some("b"), Some(ExtentState::Sync)).await;
    let after: BTreeSet<String> = sync.iter().map(|row| row.address.0.clone()).collect();
    assert_eq!(before.intersection(&after).count(), 9, "{before:?} {after:?}");
    rig.all_are_there(&objects).await;
}

/// A job that gives way leaves a row of what it had begun to read, and none of what it did not come to, however often it
/// does.
#[tokio::test]
async fn a_job_that_is_stopped_again_and_again_leaves_no_rows() {
    let rig = Rig::new(&["a"]).await;
    // Too large to be read together.
    let objects = (0..10).map(|n| (format!("d/{n}"), vec![n; 3 << 20])).collect();
    rig.put(&objects, 1).await;
    rig.add("b", None).await;
    let mut job = engine::submit(&rig.host, JobKind::Repack, rig.spec("a").await)
        .await
        .unwrap();
    for pauses in 1..=5 {
        let (ask, asked) = watch::channel(None);
        rig.at_steps(move |step| {
            if step == Step::ReadMiddle {
                ask.send_replace(Some(Stop::Pause));
            }
        });
        job = rig.run_until(job, asked).await;
        assert_eq!(job.state, JobState::Paused, "{:?}", job.error);
        rig.at_steps(|_| {});
        let rows = rig.extents(Some("b"), None).await;
        let left = rows.iter().filter(|row| row.state != ExtentState::Sync).count();
        assert!(left <= pauses, "{rows:?}");
    }
    let job = rig.run(job).await;
    assert_eq!((job.state, job.tally.moved), (JobState::Done, 10), "{:?}", job.error);
    let sync = rig.extents(Some("b"), Some(ExtentState::Sync)).await;
    let renamed = sync.iter().filter(|row| row.address.0.contains('+')).count();
    assert!(renamed <= 5, "only what was begun has another name: {sync:?}");
    rig.all_are_there(&objects).await;
}

/// I2: a drive that goes away in the middle of a group may have written what nobody heard of. Those rows stay: without
/// them there would be bytes on the medium that no row announces.
#[tokio::test]
async fn i2_what_a_lost_drive_may_have_written_keeps_its_rows() {
    let (rig, objects) = one_window().await;
    let job = engine::submit(&rig.host, JobKind::Repack, rig.spec("a").await)
        .await
        .unwrap();
    let mut begun = 0;
    rig.at_steps(move |step| {
        if step == Step::WriteMiddle {
            begun += 1;
            assert!(begun != 4, "the drive dies");
        }
    });
    let job = rig.run(job).await;
    assert_eq!((job.state, job.tally.moved), (JobState::Failed, 0), "{:?}", job.error);
    rig.at_steps(|_| {});
    let rows = rig.extents(Some("b"), None).await;
    let announced: BTreeSet<String> = rows.iter().map(|row| row.address.0.clone()).collect();
    let there: Vec<String> = files(&rig.path("b"))
        .into_iter()
        .filter(|path| path.contains('@'))
        .collect();
    assert!((1..10).contains(&there.len()), "it died in the middle: {there:?}");
    assert!(
        there.iter().all(|path| announced.contains(path)),
        "{there:?} {announced:?}"
    );
    let rig = rig.restarted("").await;
    rig.all_are_there(&objects).await;
}

/// small extents are given to a target together. Those behind the one that it had no room for were not begun, and
/// leave no rows that would count as used until it is erased.
#[tokio::test]
async fn x15_what_a_full_target_did_not_come_to_leaves_no_rows() {
    let (rig, objects) = one_window().await;
    let fault = "[[fault]]\nmedium = \"b\"\nop = \"write\"\nnth = 4\nerror = \"enospc\"\n";
    let rig = rig.restarted(fault).await;
    // With less room, so that b is the first.
    rig.add("c", Some(8 << 20)).await;
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!((job.state, job.tally.moved), (JobState::Done, 10), "{:?}", job.error);
    assert_eq!(rig.medium("b").await.fs_state, FsState::Full);
    let left = rig.extents(Some("b"), Some(ExtentState::Orphan)).await;
    assert!(left.len() <= 1, "{left:?}");
    rig.all_are_there(&objects).await;
}

/// Every file below a folder, by its path there.
fn files(folder: &std::path::Path) -> Vec<String> {
    let files = walkdir::WalkDir::new(folder).into_iter().map(|entry| entry.unwrap());
    let files = files.filter(|entry| entry.file_type().is_file());
    let name = |entry: walkdir::DirEntry| entry.path().strip_prefix(folder).unwrap().display().to_string();
    files.map(name).collect()
}

/// Rows on a medium of so many puts of a name that ended before a byte of it was written.
async fn puts_that_wrote_nothing(rig: &Rig, medium: &str, oid: &str, count: usize) {
    let (medium, now) = (rig.medium(medium).await, rig.host.clock.now());
    let request = Request {
        purpose: "rows without bytes".to_owned(),
        priority: Priority::Put,
        reads: vec![],
        writes: vec![],
        exclusive: vec![medium.id],
    };
    let allocation = rig.host.lrs.allocate(request).await.unwrap();
    let epochs = BTreeMap::from([(medium.id, allocation.grant().exclusive[0].epoch)]);
    for _ in 0..count {
        let (session, extent) = (SessionId::fresh(), ExtentId::fresh());
        let origin = Origin {
            object: ObjectId::fresh(),
            oid: Oid::new(oid).unwrap(),
            version: Version(1),
            copy: CopyNo(0),
            index: ExtentIndex(0),
        };
        let tag = ExtentTag {
            extent,
            origin: origin.clone(),
            bytes: ByteCount(100),
            header: ObjectHeader {
                bytes: ByteCount(100),
                copies: CopyNo(1),
                copy_extents: 1,
                grouping: None,
                metadata: Metadata::default(),
                created_at: now,
            },
        };
        let reserved = allocation
            .volume(medium.id)
            .run(move |volume| volume.reserve(&tag))
            .await;
        let row = NewExtent {
            id: extent,
            origin,
            medium: medium.id,
            generation: medium.generation,
            address: reserved.unwrap().unwrap(),
            bytes: ByteCount(100),
            digests: None,
        };
        rig.catalogue
            .record_put(session, vec![row], &epochs, now)
            .await
            .unwrap();
        rig.catalogue.abandon(Owner::Put(session), None, now).await.unwrap();
    }
    allocation.release().await;
}

/// E-07: the same for a put, whose other objects keep the names that they were given first.
#[tokio::test]
async fn e07_a_put_finds_names_that_no_row_has() {
    let rig = Rig::new(&["a"]).await;
    puts_that_wrote_nothing(&rig, "a", "d/5", 100).await;
    let rig = rig.restarted("").await;
    let objects = (0..10).map(|n| (format!("d/{n}"), vec![n; 100])).collect();
    rig.put(&objects, 1).await;
    let sync = rig.extents(Some("a"), Some(ExtentState::Sync)).await;
    let renamed = sync.iter().filter(|row| row.address.0.contains('+'));
    let renamed: Vec<_> = renamed.map(|row| row.origin.oid.as_str()).collect();
    assert_eq!(renamed, ["d/5"], "{sync:?}");
    rig.all_are_there(&objects).await;
}
