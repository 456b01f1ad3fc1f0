//! The scenes whose every instant is crashed, with tapes: every command to a drive or to the arm is an instant, within labels,
//! formats, both indexes, and between a flush and an index.

use crate::crash::{Failures, live_as, seed, survive};
use crate::life::Life;
use crate::scene::{Scene, objects};
use crate::scenes::Repack;
use crate::universe::{Crash, Universe};
use async_trait::async_trait;
use dss::catalogue::MediumChange;
use dss::model::{ByteCount, FsState, Health, JobKind, JobState, Quarantine};
use respool::config::Config;
use respool::engine;

/// Where the bytes of a scene's repack come from and go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// In a library of two drives.
    TapeToTape,
    /// In a library of one drive, by way of the spool.
    OneDrive,
    DiskToTape,
    TapeToDisk,
}

/// The repack of a tape or a disk, until it is erased.
pub struct TapeRepack(pub Way);

#[async_trait(?Send)]
impl Scene for TapeRepack {
    fn name(&self) -> &'static str {
        match self.0 {
            Way::TapeToTape => "repack tape to tape",
            Way::OneDrive => "repack tape to tape in one drive",
            Way::DiskToTape => "repack disk to tape",
            Way::TapeToDisk => "repack tape to disk",
        }
    }

    fn configure(&self, config: &mut Config) {
        config.memory.spool = ByteCount(12 << 10);
    }

    async fn before(&self, life: &Life) {
        let drives = match self.0 {
            Way::OneDrive => 1,
            Way::TapeToTape | Way::DiskToTape | Way::TapeToDisk => 2,
        };
        life.add_library(drives).await;
        match self.0 {
            Way::TapeToTape | Way::OneDrive | Way::TapeToDisk => life.add_tape("a").await,
            Way::DiskToTape => life.add_medium("a").await,
        }
        life.put(&objects(&["empty", "deleted", "pages"]), 1).await;
        life.delete("deleted").await;
        match self.0 {
            Way::TapeToTape | Way::OneDrive | Way::DiskToTape => life.add_tape("b").await,
            Way::TapeToDisk => life.add_medium("b").await,
        }
        let spec = life.spec("a", Quarantine::None).await;
        let staged = engine::plan(&life.host, &spec).await.unwrap().staged;
        assert_eq!(staged.is_some(), self.0 == Way::OneDrive, "the scene is what it says");
    }

    async fn act(&self, life: &Life) {
        Repack.act(life).await;
    }

    async fn again(&self, life: &Life) {
        Repack.again(life).await;
    }

    async fn holds(&self, life: &Life) {
        Repack.holds(life).await;
    }
}

/// The same of a job that trouble may have failed, or may have kept from an extent or from its target: then an operator
/// trusts his tapes, and repacks once more.
struct Repeated;

#[async_trait(?Send)]
impl Scene for Repeated {
    fn name(&self) -> &'static str {
        "repack tape to tape, repeated"
    }

    async fn before(&self, life: &Life) {
        TapeRepack(Way::TapeToTape).before(life).await;
    }

    async fn act(&self, life: &Life) {
        Repack.act(life).await;
    }

    async fn again(&self, life: &Life) {
        let host = &life.host;
        for medium in host.catalogue.media().await.unwrap() {
            let trusted = MediumChange {
                health: Some(Health::Ok),
                why: "the operator trusts it".to_owned(),
                ..MediumChange::default()
            };
            host.catalogue
                .change_medium(medium.id, trusted, host.clock.now())
                .await
                .unwrap();
            host.lrs.medium_changed(medium.id).await.unwrap();
        }
        // What began to be erased was erased by the recovery, whatever became of its job.
        let jobs = host.catalogue.jobs(100).await.unwrap();
        let is_over = |state| matches!(state, JobState::Failed | JobState::DoneWithSkips);
        if life.medium("a").await.generation.0 == 0 && jobs.iter().all(|job| is_over(job.state)) {
            self.act(life).await;
        }
    }

    async fn holds(&self, life: &Life) {
        let source = life.medium("a").await;
        assert_eq!((source.fs_state, source.generation.0), (FsState::Empty, 1));
        assert_eq!(life.extents(&source).await, []);
    }
}

/// Puts in two copies on two tapes, and a deletion.
pub struct TapePuts;

#[async_trait(?Send)]
impl Scene for TapePuts {
    fn name(&self) -> &'static str {
        "puts to tapes"
    }

    async fn before(&self, life: &Life) {
        life.add_library(2).await;
        life.add_tape("a").await;
        life.add_tape("b").await;
    }

    async fn act(&self, life: &Life) {
        life.put(&objects(&["one", "pages", "deleted"]), 2).await;
        life.delete("deleted").await;
    }
}

/// E-06, I7, X-27: a drive whose power went has lost its buffer and its place, says so once, and is believed in nothing
/// that came before. Nothing is written before somebody looked where it stands, and the repack ends.
#[test]
fn e06_i7_a_drive_that_is_reset_before_any_command_of_a_repack_costs_nothing_but_time() {
    let scene = Repeated;
    let universe = Universe::new(seed());
    live_as(&scene, &universe, async |life| scene.before(life).await);
    let beginning = universe.now("the beginning");
    let (mut failures, mut number, mut is_over) = (Failures::default(), 0, false);
    while !is_over {
        let place = || format!("a reset, SIM_SEED={}, before command {number}", seed());
        is_over = failures.run(place, || {
            let universe = Universe::after(&beginning, Crash::Kill);
            live_as(&scene, &universe, async |life| {
                universe.reset_before(number);
                let spec = life.spec("a", Quarantine::None).await;
                if let Ok(job) = engine::submit(&life.host, JobKind::Repack, spec).await {
                    // How it ends is the next life's matter.
                    let _ = life.run(job.id).await;
                }
                assert_eq!(universe.catalogue.violations(), []);
                life.what_is_sync_is_there().await;
            });
            let is_over = universe.awaits_reset();
            survive(&scene, &universe.now("after the reset"), Crash::Kill);
            is_over
        });
        number += 1;
    }
    println!("SIM_SEED={}: a reset before each of {number} commands", seed());
    failures.must_be_none();
    assert!(number > 300, "{number} commands are no repack");
}
