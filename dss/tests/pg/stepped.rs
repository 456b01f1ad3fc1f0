//! The program's own calls on two connections, the first held before each of its statements in turn (`gate`): what
//! locks, rechecks and guards keep apart together. One test for each rule, in both orders.

use crate::gate::{Met, at_every_statement};
use crate::support::{self, Fresh};
use dss::catalogue::{
    Catalogue, CatalogueError, Fence, MediumChange, NewObject, Overwrite, Released, Result, ReturnOutcome, Sure,
    SwapEntry, SwapOutcome,
};
use dss::conformance::World;
use dss::conformance::support::Put;
use dss::model::{
    Epoch, Extent, ExtentId, ExtentState, FsState, Generation, JobId, JobState, Lease, MediumId, Move, NewExtent,
    NoDrill, Object, ReadBack, Recorded, Resource, SessionId,
};
use dss::pg::PgCatalogue;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::Arc;

/// A catalogue, and the short ways of doing the usual things with it.
async fn both() -> (Fresh, World) {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let world = World::new(Box::new(fresh.clone()), Arc::default());
    (fresh, world)
}

fn now() -> jiff::Timestamp {
    support::now()
}

/// Names are the caller's for as long as the test runs.
fn name(what: &str, at: u32) -> &'static str {
    Box::leak(format!("{what}-{at}").into_boxed_str())
}

/// A medium that is not the first time written to: that takes its row for update, and would hide what other locks do.
async fn used(w: &World, what: &str, at: u32) -> MediumId {
    let medium = w.medium(name(what, at)).await;
    let change = MediumChange {
        fs_state: Some(FsState::Used),
        ..MediumChange::default()
    };
    w.catalogue.change_medium(medium, change, now()).await.unwrap();
    medium
}

async fn state(fresh: &Fresh, extent: ExtentId) -> ExtentState {
    fresh.pg.extent(extent).await.unwrap().state
}

// ------------------------------------------------------------------------------------------------- compare-and-set

/// One old extent, and two moves of it that are ready to be swapped.
struct Rivals {
    job: JobId,
    old: Extent,
    entries: [[SwapEntry; 1]; 2],
}

fn swap_of(pg: Arc<PgCatalogue>, scene: Arc<Rivals>, which: usize) -> BoxFuture<'static, Result<Vec<SwapOutcome>>> {
    let terms = move |scene: &Rivals| dss::catalogue::SwapTerms {
        job: scene.job,
        hold: dss::model::Hold::Forever,
        now: now(),
    };
    async move { pg.swap_batch(terms(&scene), &scene.entries[which]).await }.boxed()
}

/// E-07: of two swaps of one extent, one repoints the layout and the other finds that it moved on. Neither fails.
#[tokio::test]
async fn e07_of_two_swaps_of_one_extent_the_second_finds_it_moved_on() {
    let (fresh, w) = both().await;
    let scene = async |at| {
        let (a, b, c) = (name("a", at), name("b", at), name("c", at));
        let (source, one, two) = (w.medium(a).await, w.medium(b).await, w.medium(c).await);
        let old = w.put_one(name("object", at), source, "abc").await;
        let job = w.repack(&[source]).await;
        let entries = [
            [w.copy(job, &old, one, "abc").await],
            [w.copy(job, &old, two, "abc").await],
        ];
        Rivals { job, old, entries }
    };
    let check = async |scene: Arc<Rivals>, met: Met<_, _>| {
        let at = met.at;
        let outcomes: [Vec<SwapOutcome>; 2] = [met.first, met.second].map(|answer: Result<_>| {
            answer.unwrap_or_else(|error| panic!("a swap that came second failed at statement {at}: {error}"))
        });
        let winner = outcomes
            .iter()
            .position(|one| *one == [SwapOutcome::Swapped])
            .expect("one swaps");
        assert_eq!(outcomes[1 - winner], [SwapOutcome::Vanished], "at statement {at}");
        let news = [0, 1].map(|which| scene.entries[which][0].new.extent().id);
        assert_eq!(state(&fresh, news[winner]).await, ExtentState::Sync);
        assert_eq!(state(&fresh, news[1 - winner]).await, ExtentState::Orphan);
        assert_eq!(state(&fresh, scene.old.id).await, ExtentState::Orphan);
        let filled = fresh.pg.references(&news).await.unwrap();
        assert_eq!(filled.len(), 1, "at statement {at}");
    };
    let first = |pg, scene| swap_of(pg, scene, 0);
    let second = |pg, scene| swap_of(pg, scene, 1);
    at_every_statement(&fresh, scene, first, second, check).await;
    w.must_be_sound().await;
}

// -------------------------------------------------------------------------------------------------------- releases

/// The first extents of the two copies of one object, both read back.
struct Surplus([ExtentId; 2]);

fn release_of(pg: Arc<PgCatalogue>, scene: Arc<Surplus>, which: usize) -> BoxFuture<'static, Result<Released>> {
    async move { pg.release_copy(scene.0[which], Sure::Yes, now()).await }.boxed()
}

/// I10: of two releases of the two copies of one object, one is refused, whatever the other has done so far.
#[tokio::test]
async fn i10_of_two_releases_of_the_two_copies_one_is_refused() {
    let (fresh, w) = both().await;
    let scene = async |at| {
        let (one, two) = (w.medium(name("one", at)).await, w.medium(name("two", at)).await);
        let detail = w
            .put(Put {
                oid: name("object", at),
                copies: vec![vec![(one, "abc")], vec![(two, "abc")]],
                grouping: None,
                overwrite: Overwrite::Refuse,
            })
            .await;
        let job = w.repack(&[one]).await;
        let proofs: Vec<ReadBack> = detail.entries.iter().map(|entry| w.read_back(&entry.extent)).collect();
        for medium in [one, two] {
            let row = w.row(medium).await;
            assert!(fresh.pg.mark_read_back(job, &row, &proofs, now()).await.unwrap());
        }
        w.advance(job, JobState::Cancelled).await;
        Surplus([detail.entries[0].extent.id, detail.entries[1].extent.id])
    };
    let check = async |scene: Arc<Surplus>, met: Met<Result<Released>, Result<Released>>| {
        let at = met.at;
        let won = [&met.first, &met.second].map(Result::is_ok);
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "at statement {at}");
        let refused = if won[0] { met.second } else { met.first };
        assert!(
            matches!(refused, Err(CatalogueError::Conflict { .. })),
            "at statement {at}: {refused:?}"
        );
        let left = fresh.pg.references(&scene.0).await.unwrap();
        assert_eq!(left.len(), 1, "at statement {at}");
    };
    let first = |pg, scene| release_of(pg, scene, 0);
    let second = |pg, scene| release_of(pg, scene, 1);
    at_every_statement(&fresh, scene, first, second, check).await;
    w.must_be_sound().await;
}

// ---------------------------------------------------------------------------------------------------- lease epochs

/// Everything that a holder may be about to do when another one takes its media over.
struct Seat {
    world: Arc<World>,
    source: MediumId,
    target: MediumId,
    /// With nothing on it.
    spare: MediumId,
    job: JobId,
    old: Extent,
    entry: [SwapEntry; 1],
    staged: std::sync::Mutex<Option<NewObject>>,
    stale: std::collections::BTreeMap<MediumId, Epoch>,
    late: NewExtent,
}

async fn seat(w: &Arc<World>, at: u32) -> Seat {
    let (source, target) = (w.medium(name("source", at)).await, w.medium(name("target", at)).await);
    let old = w.put_one(name("object", at), source, "abc").await;
    let job = w.repack(&[source]).await;
    let entry = [w.copy(job, &old, target, "abc").await];
    let spare = used(w, "spare", at).await;
    let put = w.simple(name("put", at), target, "x");
    let staged = std::sync::Mutex::new(Some(w.stage(&put, SessionId::fresh()).await));
    Seat {
        world: Arc::clone(w),
        late: w.new_extent(name("late", at), target, "late"),
        stale: [source, target, spare].map(|medium| (medium, w.epoch(medium))).into(),
        source,
        target,
        spare,
        job,
        old,
        entry,
        staged,
    }
}

/// A respoold that starts in the same seat takes the media over.
fn take_over(pg: Arc<PgCatalogue>, seat: Arc<Seat>) -> BoxFuture<'static, Vec<Lease>> {
    async move {
        let mut leases = vec![];
        for medium in [seat.source, seat.target, seat.spare] {
            let resource = Resource::Medium(medium);
            let lease = pg.take_lease(&resource, &seat.world.holder, 60, 30, now()).await;
            leases.push(lease.unwrap());
        }
        leases
    }
    .boxed()
}

/// I7: once a takeover was answered, nothing under the epoch before it is committed any more.
async fn holds_against_a_takeover<T: Send + 'static>(
    first: fn(Arc<PgCatalogue>, Arc<Seat>) -> BoxFuture<'static, Result<T>>,
) {
    let (fresh, w) = both().await;
    let w = Arc::new(w);
    let check = async |seat: Arc<Seat>, met: Met<Result<T>, Vec<Lease>>| {
        let lost = matches!(met.first, Err(CatalogueError::LeaseLost { .. }));
        assert!(
            lost || !met.passed,
            "committed after a takeover was answered, at statement {}",
            met.at
        );
        assert!(
            lost || met.first.is_ok(),
            "at statement {}: {:?}",
            met.at,
            met.first.err()
        );
        // The next scene begins with leases that are ours.
        w.lease(seat.source).await;
        w.lease(seat.target).await;
        w.lease(seat.spare).await;
    };
    at_every_statement(&fresh, async |at| seat(&w, at).await, first, take_over, check).await;
    w.must_be_sound().await;
}

#[tokio::test]
async fn i7_a_swap_and_a_takeover_at_every_statement() {
    holds_against_a_takeover(|pg, seat| {
        let terms = dss::catalogue::SwapTerms {
            job: seat.job,
            hold: dss::model::Hold::Forever,
            now: now(),
        };
        async move { pg.swap_batch(terms, &seat.entry).await }.boxed()
    })
    .await;
}

#[tokio::test]
async fn i7_a_record_of_a_put_and_a_takeover_at_every_statement() {
    holds_against_a_takeover(|pg, seat| {
        async move {
            pg.record_put(SessionId::fresh(), vec![seat.late.clone()], &seat.stale, now())
                .await
        }
        .boxed()
    })
    .await;
}

#[tokio::test]
async fn i7_a_record_of_moves_and_a_takeover_at_every_statement() {
    holds_against_a_takeover(|pg, seat| {
        let intent = seat.world.intent(&seat.old, seat.target);
        async move { pg.record_moves(seat.job, vec![intent], &seat.stale, now()).await }.boxed()
    })
    .await;
}

#[tokio::test]
async fn i7_a_put_s_commit_and_a_takeover_at_every_statement() {
    holds_against_a_takeover(|pg, seat| {
        let staged = seat.staged.lock().unwrap().take().expect("one scene, one commit");
        async move { pg.commit_put(vec![staged], now()).await?.remove(0) }.boxed()
    })
    .await;
}

#[tokio::test]
async fn i7_a_fence_and_a_takeover_at_every_statement() {
    holds_against_a_takeover(|pg, seat| {
        let epoch = seat.stale[&seat.spare];
        async move { pg.fence_medium(seat.spare, None, false, epoch, now()).await }.boxed()
    })
    .await;
}

// ------------------------------------------------------------------------------------------------------- the fence

/// A medium that is about to be erased, and an extent that is about to be recorded there.
struct Doomed {
    medium: MediumId,
    epoch: Epoch,
    late: NewExtent,
}

fn record(pg: Arc<PgCatalogue>, scene: Arc<Doomed>) -> BoxFuture<'static, Result<Vec<Recorded>>> {
    let epochs = [(scene.medium, scene.epoch)].into();
    async move {
        pg.record_put(SessionId::fresh(), vec![scene.late.clone()], &epochs, now())
            .await
    }
    .boxed()
}

fn fence(pg: Arc<PgCatalogue>, scene: Arc<Doomed>) -> BoxFuture<'static, Result<Fence>> {
    async move { pg.fence_medium(scene.medium, None, false, scene.epoch, now()).await }.boxed()
}

async fn doomed(w: &World, at: u32) -> Doomed {
    let medium = used(w, "medium", at).await;
    Doomed {
        medium,
        epoch: w.epoch(medium),
        late: w.new_extent(name("late", at), medium, "late"),
    }
}

/// recorded and kept, or fenced and refused.
fn one_of_both(at: u32, recorded: &Result<Vec<Recorded>>, fenced: &Result<Fence>) {
    match (recorded, fenced) {
        (Ok(_), Ok(Fence::InUse { live: 0, pending: 1 })) => {}
        (Err(CatalogueError::Fenced { .. }), Ok(Fence::Erasing(Generation(1)))) => {}
        (Ok(_), Ok(Fence::Erasing(_))) => panic!("both went through at statement {at}"),
        other => panic!("at statement {at}: {other:?}"),
    }
}

#[tokio::test]
async fn x28_a_record_held_at_every_statement_while_the_fence_comes() {
    let (fresh, w) = both().await;
    let check = async |_, met: Met<_, _>| one_of_both(met.at, &met.first, &met.second);
    at_every_statement(&fresh, async |at| doomed(&w, at).await, record, fence, check).await;
    w.must_be_sound().await;
}

#[tokio::test]
async fn x28_a_fence_held_at_every_statement_while_a_record_comes() {
    let (fresh, w) = both().await;
    let check = async |_, met: Met<_, _>| one_of_both(met.at, &met.second, &met.first);
    at_every_statement(&fresh, async |at| doomed(&w, at).await, fence, record, check).await;
    w.must_be_sound().await;
}

/// An emptied source whose old bytes a restore is about to bring back.
struct Emptied {
    source: MediumId,
    epoch: Epoch,
    job: JobId,
    back: [(Move, ReadBack); 1],
}

fn give_back(pg: Arc<PgCatalogue>, scene: Arc<Emptied>) -> BoxFuture<'static, Result<Vec<ReturnOutcome>>> {
    async move { pg.return_batch(scene.job, &scene.back, now()).await }.boxed()
}

fn fence_emptied(pg: Arc<PgCatalogue>, scene: Arc<Emptied>) -> BoxFuture<'static, Result<Fence>> {
    async move {
        pg.fence_medium(scene.source, Some(scene.job), false, scene.epoch, now())
            .await
    }
    .boxed()
}

async fn emptied(w: &World, at: u32) -> Emptied {
    let (source, target) = (w.medium(name("source", at)).await, w.medium(name("target", at)).await);
    let old = w.put_one(name("object", at), source, "abc").await;
    let job = w.repack(&[source]).await;
    let new = w.relocate(job, &old, target, "abc").await;
    Emptied {
        source,
        epoch: w.epoch(source),
        job,
        back: [w.return_of(job, old.id, new.id).await],
    }
}

/// I6: brought back and kept, or fenced and refused.
fn kept_or_erased(at: u32, returned: &Result<Vec<ReturnOutcome>>, fenced: &Result<Fence>) {
    match (returned, fenced) {
        (Ok(outcomes), Ok(Fence::InUse { live: 1, pending: 0 })) if *outcomes == [ReturnOutcome::Returned] => {}
        (Err(CatalogueError::Fenced { .. }), Ok(Fence::Erasing(Generation(1)))) => {}
        (Ok(_), Ok(Fence::Erasing(_))) => panic!("both went through at statement {at}"),
        other => panic!("at statement {at}: {other:?}"),
    }
}

#[tokio::test]
async fn i6_a_restore_held_at_every_statement_while_the_fence_comes() {
    let (fresh, w) = both().await;
    let check = async |_, met: Met<_, _>| kept_or_erased(met.at, &met.first, &met.second);
    at_every_statement(
        &fresh,
        async |at| emptied(&w, at).await,
        give_back,
        fence_emptied,
        check,
    )
    .await;
    w.must_be_sound().await;
}

#[tokio::test]
async fn i6_a_fence_held_at_every_statement_while_a_restore_comes() {
    let (fresh, w) = both().await;
    let check = async |_, met: Met<_, _>| kept_or_erased(met.at, &met.second, &met.first);
    at_every_statement(
        &fresh,
        async |at| emptied(&w, at).await,
        fence_emptied,
        give_back,
        check,
    )
    .await;
    w.must_be_sound().await;
}

// ---------------------------------------------------------------------------------------------- copies stay apart

/// An object of two copies, each about to be moved to the same medium by a job of its own.
struct Copies {
    world: Arc<World>,
    moves: [(JobId, Extent); 2],
    target: MediumId,
}

fn move_copy(pg: Arc<PgCatalogue>, scene: Arc<Copies>, which: usize) -> BoxFuture<'static, Result<Vec<Recorded>>> {
    let (job, old) = scene.moves[which].clone();
    let intent = scene.world.intent(&old, scene.target);
    let epochs = [(scene.target, scene.world.epoch(scene.target))].into();
    async move { pg.record_moves(job, vec![intent], &epochs, now()).await }.boxed()
}

/// I10, X-29: two jobs at once never bring both copies of an object to one medium.
#[tokio::test]
async fn i10_two_moves_of_two_copies_to_one_medium_at_every_statement() {
    let (fresh, w) = both().await;
    let w = Arc::new(w);
    let scene = async |at| {
        let media = [w.medium(name("a", at)).await, w.medium(name("b", at)).await];
        let target = used(&w, "target", at).await;
        let put = Put {
            oid: name("object", at),
            copies: vec![vec![(media[0], "abc")], vec![(media[1], "abc")]],
            grouping: None,
            overwrite: Overwrite::Refuse,
        };
        let entries = w.put(put).await.entries;
        let extents = [0, 1].map(|copy| entries[copy].extent.clone());
        let jobs = [w.repack(&[media[0]]).await, w.repack(&[media[1]]).await];
        let [one, two] = extents;
        Copies {
            world: Arc::clone(&w),
            moves: [(jobs[0], one), (jobs[1], two)],
            target,
        }
    };
    let check = async |_, met: Met<Result<Vec<Recorded>>, Result<Vec<Recorded>>>| {
        let refused = |answer: &Result<_>| matches!(answer, Err(CatalogueError::Invariant { invariant: "I10", .. }));
        match [&met.first, &met.second] {
            [Ok(_), answer] | [answer, Ok(_)] if refused(answer) => {}
            [Ok(_), Ok(_)] => panic!("both copies come to one medium, at statement {}", met.at),
            other => panic!("at statement {}: {other:?}", met.at),
        }
    };
    let first = |pg, scene| move_copy(pg, scene, 0);
    let second = |pg, scene| move_copy(pg, scene, 1);
    at_every_statement(&fresh, scene, first, second, check).await;
    w.must_be_sound().await;
}

// -------------------------------------------------------------------------------------------- sweep of dead epochs

/// A put on a medium, recorded or to be recorded.
struct Putting {
    world: Arc<World>,
    medium: MediumId,
    new: NewExtent,
    staged: std::sync::Mutex<Option<NewObject>>,
}

async fn putting(w: &Arc<World>, at: u32) -> Putting {
    let medium = w.medium(name("medium", at)).await;
    // What an earlier epoch left, so that a sweep has something to do.
    let left = w.new_extent(name("left", at), medium, "left");
    let epochs = w.epochs();
    w.catalogue
        .record_put(SessionId::fresh(), vec![left], &epochs, now())
        .await
        .unwrap();
    w.lease(medium).await;
    let put = w.simple(name("put", at), medium, "x");
    Putting {
        world: Arc::clone(w),
        medium,
        new: w.new_extent(name("new", at), medium, "new"),
        staged: std::sync::Mutex::new(Some(w.stage(&put, SessionId::fresh()).await)),
    }
}

fn sweep(pg: Arc<PgCatalogue>, scene: Arc<Putting>) -> BoxFuture<'static, u64> {
    async move {
        let swept = pg.sweep_pending(Some(scene.medium), now()).await.unwrap();
        swept.values().map(|(extents, _)| extents).sum()
    }
    .boxed()
}

/// Records one more extent, then commits the put that is ready.
fn put(pg: Arc<PgCatalogue>, scene: Arc<Putting>) -> BoxFuture<'static, Result<Object>> {
    let epochs = [(scene.medium, scene.world.epoch(scene.medium))].into();
    let staged = scene.staged.lock().unwrap().take().expect("one scene, one commit");
    async move {
        pg.record_put(SessionId::fresh(), vec![scene.new.clone()], &epochs, now())
            .await?;
        pg.commit_put(vec![staged], now()).await?.remove(0)
    }
    .boxed()
}

/// I2: a sweep takes what the dead epoch left, and nothing of the living one, wherever they meet.
async fn only_the_dead_one_is_swept(fresh: &Fresh, scene: &Putting, at: u32, swept: u64, put: Result<Object>) {
    put.unwrap_or_else(|error| panic!("a living put was swept at statement {at}: {error}"));
    assert_eq!(swept, 1, "at statement {at}");
    assert_eq!(
        state(fresh, scene.new.id).await,
        ExtentState::Pending,
        "at statement {at}"
    );
}

#[tokio::test]
async fn i2_a_put_held_at_every_statement_while_a_sweep_comes() {
    let (fresh, w) = both().await;
    let w = Arc::new(w);
    let check = async |scene: Arc<Putting>, met: Met<_, _>| {
        only_the_dead_one_is_swept(&fresh, &scene, met.at, met.second, met.first).await;
    };
    at_every_statement(&fresh, async |at| putting(&w, at).await, put, sweep, check).await;
    w.must_be_sound().await;
}

#[tokio::test]
async fn i2_a_sweep_held_at_every_statement_while_a_put_comes() {
    let (fresh, w) = both().await;
    let w = Arc::new(w);
    let check = async |scene: Arc<Putting>, met: Met<_, _>| {
        only_the_dead_one_is_swept(&fresh, &scene, met.at, met.first, met.second).await;
    };
    at_every_statement(&fresh, async |at| putting(&w, at).await, sweep, put, check).await;
    w.must_be_sound().await;
}
