//! What seeds found, as cases of their own that name the rule.

use super::faults::Kind;
use super::life::{self, Life};
use super::operators::submit;
use super::scenario::{Repack, Scenario};
use super::{making, verdict};
use crate::chance::{Chance, mix};
use dss::model::{ByteCount, JobControl, JobState, Quarantine, VerifyMode};
use respool::daemon::control;
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

fn repack(source: &str) -> Repack {
    Repack {
        sources: vec![source.to_owned()],
        to: None,
        quarantine: Quarantine::None,
        verify: VerifyMode::Full,
        drop_deleted: false,
        limit_bytes: None,
        limit_seconds: None,
    }
}

/// One life in a small world, which must be sound after it.
fn with_life(work: impl AsyncFn(&Arc<Life>)) {
    let mut scenario = Scenario::new(Chance::new(mix(3, 1)));
    scenario.media.iter_mut().for_each(|medium| {
        (medium.dock, medium.capacity, medium.room) = (None, None, 1 << 30);
    });
    scenario.config.repack.batch_extents = 1;
    let world = making::world(3, false, &mut scenario);
    life::live(&world, &scenario.config.clone(), None, async |life| {
        let life: Arc<Life> = Arc::new(life.clone());
        life.start().await;
        work(&life).await;
        verdict::comes_to_rest(&life).await;
        verdict::is_sound(&life).await;
    });
    assert_eq!(world.inner().run.violations, Vec::<String>::new());
}

/// Until no job is at work, with something beside it.
async fn at_work(life: &Arc<Life>, beside: impl Fn()) {
    while life.world.jobs().iter().any(|job| life.jobs.watch(job.id).is_some()) {
        beside();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// An erasure that misread the index took it for empty: it wrote the new label and forgot the rows, and the files stayed
/// for ever.
#[test]
fn i11_an_index_that_is_misread_while_its_medium_is_erased_leaves_no_bytes_without_a_row() {
    let mut nth = 0;
    loop {
        let struck = Cell::new(false);
        with_life(async |life| {
            life.world.inner().run.trouble.once(Kind::FlippedRead, nth);
            submit(life, repack("m0")).await.ok();
            at_work(life, || {}).await;
            struck.set(
                life.world
                    .inner()
                    .run
                    .trouble
                    .histogram
                    .contains_key(&Kind::FlippedRead),
            );
        });
        if !struck.get() {
            break;
        }
        nth += 1;
    }
    assert!(nth > 50, "{nth} reads are no repack");
}

/// A job that was to read back what it moved was cancelled before it did; the next repack of its source, without a
/// read-back of its own, erased the old bytes unread. The rule stands in `rules`.
#[test]
fn old_bytes_outlive_the_read_back_that_a_cancelled_job_wished() {
    with_life(async |life| {
        let mut first = repack("m0");
        first.limit_bytes = Some(ByteCount(1));
        submit(life, first).await.expect("a repack is accepted");
        at_work(life, || {}).await;
        let paused = life.world.jobs()[0].clone();
        assert_eq!((paused.state, paused.tally.moved > 0), (JobState::Paused, true));
        control::cancel(&life.host, &life.jobs, paused.id)
            .await
            .expect("it is cancelled");
        let mut second = repack("m0");
        second.verify = VerifyMode::None;
        submit(life, second).await.expect("a repack is accepted");
        at_work(life, || {}).await;
        assert_eq!(life.world.jobs()[0].state, JobState::Done);
        assert!(life.world.jobs()[0].tally.read_back > 0, "what was left unread is read");
    });
}

/// A paused job was cancelled, and respoold ended after the wish was noted and before it was carried out: the job could
/// neither be resumed nor did it end.
#[test]
fn a_paused_job_whose_cancellation_was_cut_short_is_cancelled_at_the_next_start() {
    with_life(async |life| {
        let mut first = repack("m0");
        first.limit_bytes = Some(ByteCount(1));
        submit(life, first).await.expect("a repack is accepted");
        at_work(life, || {}).await;
        let id = life.world.jobs()[0].id;
        let noted = life
            .host
            .catalogue
            .control_job(id, JobControl::Cancel, life.host.clock.now())
            .await;
        assert_eq!(noted.expect("it is noted").state, JobState::Paused);
        life.start().await;
        assert_eq!(life.world.jobs()[0].state, JobState::Cancelled);
    });
}

/// A repack without a quarantine ended as failed when the clock was set back between the end of its copying and the
/// fence: the hold that nobody had asked for was not over.
#[test]
fn a_clock_that_goes_back_does_not_fail_a_repack_without_quarantine() {
    with_life(async |life| {
        submit(life, repack("m0")).await.expect("a repack is accepted");
        at_work(life, || life.world.set_clock(-100)).await;
        let jobs = life.world.jobs();
        assert_eq!(jobs[0].state, JobState::Done, "{:?}", jobs[0].error);
    });
}
