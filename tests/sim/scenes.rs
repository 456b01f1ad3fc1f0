//! The scenes whose every instant is crashed.

use crate::life::{Left, Life, oid};
use crate::scene::{Scene, bytes_of, objects};
use crate::universe::Universe;
use async_trait::async_trait;
use dss::catalogue::{Adopt, MediumChange};
use dss::model::{
    AdmState, ByteCount, CopyNo, ExtentState, FsState, JobState, Metadata, Object, ObjectId, Quarantine, Version,
};
use respool::config::Config;
use respool::engine::{self, Erased};
use respool::store::import::import;
use std::sync::Arc;
use std::time::Duration;

/// Five puts in two copies on two media, and a deletion.
pub struct Puts;

#[async_trait(?Send)]
impl Scene for Puts {
    fn name(&self) -> &'static str {
        "puts"
    }

    async fn before(&self, life: &Life) {
        life.add_medium("a").await;
        life.add_medium("b").await;
    }

    async fn act(&self, life: &Life) {
        life.put(&objects(&["empty", "one", "deleted", "pages", "split"]), 2)
            .await;
        life.delete("deleted").await;
    }
}

/// Three media. On the first: an object in one copy, four in two, one of them empty, one of three extents, one deleted
/// within its window, and an extent that two objects share: seven extents, which are three windows.
async fn shelf(life: &Life) {
    life.add_medium("a").await;
    life.put(&objects(&["one"]), 1).await;
    life.add_medium("b").await;
    life.put(&objects(&["empty", "deleted", "pages", "split"]), 2).await;
    share(life).await;
    life.delete("deleted").await;
    life.add_medium("c").await;
}

/// Has "shared" be of the extent of "pages" on medium a.
async fn share(life: &Life) {
    let source = life.medium("a").await;
    let extents = life.extents(&source).await;
    let pages = extents.iter().find(|extent| extent.origin.oid == oid("pages"));
    let extent = pages.expect("two copies are on two media");
    let object = Object {
        id: ObjectId::fresh(),
        oid: oid("shared"),
        version: Version(1),
        bytes: extent.bytes,
        copies: CopyNo(1),
        grouping: None,
        metadata: Metadata::default(),
        created_at: extent.created_at,
        deleted_at: None,
    };
    life.universe.catalogue.share(extent.id, object);
    life.universe.tell(|told| _ = told.stored.insert("shared".to_owned()));
}

/// The repack of the first medium, until it is erased.
pub struct Repack;

#[async_trait(?Send)]
impl Scene for Repack {
    fn name(&self) -> &'static str {
        "repack"
    }

    async fn before(&self, life: &Life) {
        shelf(life).await;
        let held = life.extents(&life.medium("a").await).await;
        assert_eq!(held.len(), 7, "the scene is what it says: {held:?}");
    }

    async fn act(&self, life: &Life) {
        let job = life.submit("a", Quarantine::None).await;
        let job = life.run(job.id).await.unwrap();
        assert_eq!(job.state, JobState::Done, "{:?}", job.error);
    }

    async fn again(&self, life: &Life) {
        if life.host.catalogue.jobs(1).await.unwrap().is_empty() {
            self.act(life).await;
        }
    }

    async fn holds(&self, life: &Life) {
        for job in life.host.catalogue.jobs(100).await.unwrap() {
            assert_eq!(job.state, JobState::Done, "{:?}", job.error);
            assert!(job.skips.is_empty(), "{:?}", job.skips);
        }
        let source = life.medium("a").await;
        assert_eq!(
            (source.adm_state, source.fs_state, source.generation.0),
            (AdmState::InService, FsState::Empty, 1)
        );
        assert_eq!(life.extents(&source).await, []);
    }
}

/// A repack between two disks of one dock: two batches by way of the spool. X-10.
pub struct Staged;

#[async_trait(?Send)]
impl Scene for Staged {
    fn name(&self) -> &'static str {
        "staged"
    }

    fn configure(&self, config: &mut Config) {
        config.memory.spool = ByteCount(10 << 10);
    }

    async fn before(&self, life: &Life) {
        life.add_medium_in("a", Some("dock")).await;
        life.put(&objects(&["back", "empty", "pages"]), 1).await;
        life.add_medium_in("b", Some("dock")).await;
        let spec = life.spec("a", Quarantine::None).await;
        let staged = engine::plan(&life.host, &spec)
            .await
            .unwrap()
            .staged
            .expect("there is one dock");
        assert!(staged.rounds >= 2, "the scene is what it says: {staged:?}");
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

/// A repack whose source is quarantined.
pub struct Quarantined;

#[async_trait(?Send)]
impl Scene for Quarantined {
    fn name(&self) -> &'static str {
        "quarantine"
    }

    async fn before(&self, life: &Life) {
        life.add_medium("a").await;
        life.put(&objects(&["one"]), 1).await;
        life.add_medium("b").await;
        life.put(&objects(&["pages"]), 2).await;
        life.add_medium("c").await;
    }

    async fn act(&self, life: &Life) {
        let job = life.submit("a", WEEK).await;
        let job = life.run(job.id).await.unwrap();
        assert_eq!(job.state, JobState::Quarantined, "{:?}", job.error);
    }

    async fn again(&self, life: &Life) {
        if life.host.catalogue.jobs(1).await.unwrap().is_empty() {
            self.act(life).await;
        }
    }

    fn left(&self) -> Left {
        Left::HeldOrphans
    }

    async fn holds(&self, life: &Life) {
        let job = life.host.catalogue.jobs(1).await.unwrap().remove(0);
        let source = life.medium("a").await;
        assert_eq!(
            (job.state, source.adm_state, source.generation.0),
            (JobState::Quarantined, AdmState::Quarantined, 0)
        );
        let held = life.extents(&source).await;
        assert_eq!(held.len(), 2, "the old bytes stay: {held:?}");
    }
}

const WEEK: Quarantine = Quarantine::Seconds(7 * 86_400);

/// The way back of a repack whose source is quarantined.
pub struct Restore;

#[async_trait(?Send)]
impl Scene for Restore {
    fn name(&self) -> &'static str {
        "restore"
    }

    async fn before(&self, life: &Life) {
        shelf(life).await;
        let job = life.submit("a", WEEK).await;
        let job = life.run(job.id).await.unwrap();
        assert_eq!(job.state, JobState::Quarantined, "{:?}", job.error);
    }

    async fn act(&self, life: &Life) {
        let job = life.host.catalogue.jobs(1).await.unwrap().remove(0);
        let done = engine::restore(&life.host, job.id).await.unwrap();
        assert_eq!((done.moved_on, done.failed), (vec![], vec![]));
    }

    async fn again(&self, life: &Life) {
        let job = life.host.catalogue.jobs(1).await.unwrap().remove(0);
        if job.state != JobState::Restored {
            self.act(life).await;
        }
    }

    fn left(&self) -> Left {
        Left::HeldOrphans
    }

    async fn holds(&self, life: &Life) {
        let job = life.host.catalogue.jobs(1).await.unwrap().remove(0);
        assert_eq!(job.state, JobState::Restored);
        let source = life.medium("a").await;
        assert_eq!((source.adm_state, source.generation.0), (AdmState::ReadOnly, 0));
        let live = life.extents(&source).await;
        assert_eq!(live.len(), 7, "everything is back on its old bytes: {live:?}");
        assert!(live.iter().all(|extent| extent.state == ExtentState::Sync), "{live:?}");
    }
}

/// How long a deleted object can be had back where that matters.
const WINDOW: Duration = Duration::from_secs(3_600);

/// Deletions, one taken back, and the end of the others' window.
pub struct Deletes;

#[async_trait(?Send)]
impl Scene for Deletes {
    fn name(&self) -> &'static str {
        "deletes"
    }

    fn configure(&self, config: &mut Config) {
        config.store.undelete_window = WINDOW;
    }

    async fn before(&self, life: &Life) {
        life.add_medium("a").await;
        life.add_medium("b").await;
        life.put(&objects(&["deleted", "back", "pages"]), 2).await;
    }

    async fn act(&self, life: &Life) {
        life.delete("deleted").await;
        life.delete("back").await;
        life.undelete("back").await;
        life.universe.tell(|told| _ = told.ending.insert("deleted".to_owned()));
        tokio::time::sleep(WINDOW + Duration::from_secs(60)).await;
        life.upkeep().await.unwrap();
        engine::sweep(&life.host).await.unwrap();
    }
}

/// An operator's format of a medium that holds nothing but orphans, as two others do.
pub struct Format;

#[async_trait(?Send)]
impl Scene for Format {
    fn name(&self) -> &'static str {
        "format"
    }

    fn configure(&self, config: &mut Config) {
        config.store.undelete_window = WINDOW;
    }

    async fn before(&self, life: &Life) {
        for name in ["a", "b", "c"] {
            life.add_medium(name).await;
        }
        life.put(&objects(&["deleted", "back"]), 3).await;
        for name in ["deleted", "back"] {
            life.delete(name).await;
            life.universe.tell(|told| _ = told.ending.insert(name.to_owned()));
        }
        tokio::time::sleep(WINDOW + Duration::from_secs(60)).await;
        life.upkeep().await.unwrap();
    }

    async fn act(&self, life: &Life) {
        let medium = life.medium("a").await;
        assert!(matches!(
            engine::erase(&life.host, medium.id, None).await.unwrap(),
            Erased::Done
        ));
    }

    async fn again(&self, life: &Life) {
        if life.medium("a").await.generation.0 == 0 {
            self.act(life).await;
        }
    }

    async fn holds(&self, life: &Life) {
        let medium = life.medium("a").await;
        assert_eq!(
            (medium.adm_state, medium.fs_state, medium.generation.0),
            (AdmState::InService, FsState::Empty, 1)
        );
    }
}

/// A disk of another catalogue is taken over with all that is on it.
pub struct Import;

#[async_trait(?Send)]
impl Scene for Import {
    fn name(&self) -> &'static str {
        "import"
    }

    fn set(&self, universe: &Arc<Universe>) {
        let elsewhere = Universe::new(universe.seed());
        crate::life::live(&elsewhere, async |life| {
            life.add_medium("c").await;
            life.put(&objects(&["foreign", "empty"]), 1).await;
        });
        universe.take_disk(&elsewhere, "c");
    }

    async fn before(&self, life: &Life) {
        life.add_medium("a").await;
        life.put(&objects(&["pages"]), 1).await;
    }

    async fn act(&self, life: &Life) {
        let report = import(&life.host, "/media/c", Adopt::Yes).await.unwrap();
        assert!(report.bad.is_empty(), "{:?}", report.bad);
        let advised = report.next.is_some_and(|next| next.contains("adm_state=in_service"));
        assert_eq!(
            advised,
            report.adm_state == AdmState::ReadOnly,
            "X-18: it says what is left to do"
        );
        let names = ["foreign", "empty"].map(str::to_owned);
        life.universe.tell(|told| told.stored.extend(names));
    }

    /// An operator repeats it, and puts a medium that was added before and stayed *read_only* in service, as told.
    async fn again(&self, life: &Life) {
        self.act(life).await;
        let medium = life.medium("c").await;
        if medium.adm_state == AdmState::ReadOnly {
            let change = MediumChange {
                expect_adm_state: Some(AdmState::ReadOnly),
                adm_state: Some(AdmState::InService),
                why: "told so by the import".to_owned(),
                ..MediumChange::default()
            };
            life.host
                .catalogue
                .change_medium(medium.id, change, life.host.clock.now())
                .await
                .unwrap();
        }
    }

    async fn holds(&self, life: &Life) {
        let medium = life.medium("c").await;
        assert_eq!(medium.adm_state, AdmState::InService);
        assert_eq!(life.get("foreign", None).await.unwrap(), bytes_of("foreign"));
    }
}
