//! Swaps with all that they prove and tell (leases, fences, locks, moves, events), beside the three bare statements on
//! rows of the same tables in the same cluster: new extents to *sync*, layouts to the new ones, old extents to *orphan*.

use crate::figure::{Figure, Target};
use crate::house::{FIRST, rows_like_the_first};
use crate::measure::median;
use dss::catalogue::{
    Catalogue, ExtentFilter, MediumChange, MoveIntent, NewObject, Overwrite, Page, SWAP_MAX, SwapEntry, SwapOutcome,
    SwapTerms,
};
use dss::model::object::Place;
use dss::model::{
    Address, ByteCount, CopyNo, Epoch, Extent, ExtentId, ExtentIndex, ExtentState, FsState, Generation, Hold, Holder,
    HolderId, JobId, JobKind, JobState, MediumId, Metadata, NewExtent, NoDrill, Object, ObjectId, Oid, Origin,
    Resource, SessionId, Tally, Version,
};
use dss::pg::{Limits, PgCatalogue, Settings};
use jiff::Timestamp;
use respool_test_support::TestDatabase;
use sqlx::{Connection, PgConnection};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

// A swap needs no proof of a read-back.
#[allow(dead_code)]
#[path = "../../dss/tests/evidence/mod.rs"]
mod evidence;

const EXTENTS: usize = 100_000;
const CONTENT: &[u8] = &[7; 4_096];
/// Of the speed of the bare statements.
const LEAST: f64 = 0.6;

pub fn run(count: u32) -> Vec<Figure> {
    eprintln!("swap: {EXTENTS} extents");
    let runtime = tokio::runtime::Runtime::new().expect("threads can be had");
    let (ours, theirs) = runtime.block_on(pairs(count));
    let speed = |times: &[f64]| SWAP_MAX as f64 / median(times.to_vec());
    let ratios = ours.iter().zip(&theirs).map(|(ours, theirs)| theirs / ours);
    vec![Figure {
        name: "speed of swaps over three bare statements".to_owned(),
        value: median(ratios.collect()),
        unit: "",
        target: Target::AtLeast(LEAST),
        detail: format!(
            "{:.0} extents/s beside {:.0}, {SWAP_MAX} at a time; both with fsync off",
            speed(&ours),
            speed(&theirs)
        ),
    }]
}

/// Seconds of each batch of ours and of theirs, by turns, until all extents are moved or there are enough pairs: each
/// pair is of several batches.
async fn pairs(count: u32) -> (Vec<f64>, Vec<f64>) {
    let bench = Bench::new().await;
    let mut raw = PgConnection::connect_with(&bench.database.connect_options())
        .await
        .expect("a connection");
    let (mut ours, mut theirs) = (vec![], vec![]);
    let mut after = None;
    for number in 0..(EXTENTS / SWAP_MAX / 2).max(count as usize) {
        for turn in 0..2 {
            let (entries, last) = bench.written(after).await;
            after = last;
            if entries.is_empty() {
                return (ours, theirs);
            }
            let begun = Instant::now();
            if (number + turn) % 2 == 0 {
                bench.swap(&entries).await;
                ours.push(begun.elapsed().as_secs_f64());
            } else {
                bare(&mut raw, &entries).await;
                theirs.push(begun.elapsed().as_secs_f64());
            }
        }
    }
    (ours, theirs)
}

struct Bench {
    database: TestDatabase,
    catalogue: PgCatalogue,
    source: MediumId,
    target: MediumId,
    epochs: BTreeMap<MediumId, Epoch>,
    job: JobId,
}

impl Bench {
    async fn new() -> Self {
        let database = respool_test_support::fresh_database().await;
        let settings = Settings {
            allow_unsafe: true,
            checkpoints: Arc::new(NoDrill),
            max_connections: 4,
            limits: Limits::default(),
        };
        let conninfo = database.conninfo().to_owned();
        let catalogue = PgCatalogue::init(database.connect_options(), conninfo, settings, true).await;
        let catalogue = catalogue.expect("a fresh catalogue");
        let mut epochs = BTreeMap::new();
        let source = medium(&catalogue, "source", &mut epochs).await;
        let target = medium(&catalogue, "target", &mut epochs).await;
        add_objects(&database, &catalogue, (source, &epochs)).await;
        let spec = dss::conformance::support::spec(&[source]);
        let job = catalogue
            .create_job(JobKind::Repack, spec, now())
            .await
            .expect("a job")
            .id;
        let begun = catalogue
            .advance_job(job, JobState::ALL, JobState::Running, &Tally::default(), None, now())
            .await;
        begun.expect("it begins");
        Self {
            database,
            catalogue,
            source,
            target,
            epochs,
            job,
        }
    }

    /// A batch that was recorded, and whose bytes are durable as far as the catalogue can know.
    async fn written(&self, after: Option<ExtentId>) -> (Vec<SwapEntry>, Option<ExtentId>) {
        let filter = ExtentFilter {
            medium: Some(self.source),
            state: Some(ExtentState::Sync),
            ..ExtentFilter::default()
        };
        let page = Page {
            after,
            limit: SWAP_MAX as u32,
        };
        let olds = self.catalogue.extents(&filter, page).await.expect("a page");
        let intents = olds.iter().map(|old| self.intent(old)).collect();
        let recorded = self
            .catalogue
            .record_moves(self.job, intents, &self.epochs, now())
            .await
            .expect("recorded");
        let entries = olds.iter().zip(recorded).map(|(old, recorded)| SwapEntry {
            old: old.id,
            new: evidence::synced(recorded, CONTENT),
        });
        (entries.collect(), olds.last().map(|old| old.id))
    }

    fn intent(&self, old: &Extent) -> MoveIntent {
        MoveIntent {
            old: old.id,
            new: NewExtent {
                id: ExtentId::fresh(),
                address: Address(format!("{}+", old.address.0)),
                origin: old.origin.clone(),
                medium: self.target,
                generation: old.generation,
                bytes: ByteCount(CONTENT.len() as u64),
                digests: old.digests.clone(),
            },
        }
    }

    async fn swap(&self, entries: &[SwapEntry]) {
        let terms = SwapTerms {
            job: self.job,
            hold: Hold::Forever,
            now: now(),
        };
        let outcomes = self.catalogue.swap_batch(terms, entries).await.expect("a swap");
        assert!(outcomes.iter().all(|outcome| *outcome == SwapOutcome::Swapped));
    }
}

/// The least that makes these extents live and the old ones orphans.
async fn bare(raw: &mut PgConnection, entries: &[SwapEntry]) {
    let olds: Vec<_> = entries.iter().map(|entry| entry.old.0).collect();
    let news: Vec<_> = entries.iter().map(|entry| entry.new.extent().id.0).collect();
    let mut transaction = raw.begin().await.expect("it begins");
    for statement in [
        "UPDATE extent SET state = 'sync', blake3 = o.blake3, crc32 = o.crc32, chunk_crcs = o.chunk_crcs,
                owner_job = NULL, owner_session = NULL, owner_epoch = NULL
           FROM unnest($1::uuid[], $2::uuid[]) AS s (old, new) JOIN extent o ON o.id = s.old WHERE extent.id = s.new",
        "UPDATE layout SET extent = s.new FROM unnest($1::uuid[], $2::uuid[]) AS s (old, new) WHERE layout.extent = s.old",
        "UPDATE extent SET state = 'orphan' WHERE id = ANY ($1) AND $2::uuid[] IS NOT NULL",
    ] {
        let done = sqlx::query(statement)
            .bind(&olds)
            .bind(&news)
            .execute(&mut *transaction)
            .await;
        assert_eq!(done.expect("the tables allow it").rows_affected(), entries.len() as u64);
    }
    transaction.commit().await.expect("it commits");
}

/// A medium that is labelled, empty and leased to us.
async fn medium(catalogue: &PgCatalogue, name: &str, epochs: &mut BTreeMap<MediumId, Epoch>) -> MediumId {
    let wanted = dss::conformance::support::new_medium(name);
    let medium = catalogue.add_medium(wanted, now()).await.expect("a medium").id;
    let labelled = MediumChange {
        fs_state: Some(FsState::Empty),
        ..MediumChange::default()
    };
    catalogue.change_medium(medium, labelled, now()).await.expect("a label");
    let holder = Holder {
        id: HolderId::fresh(),
        seat: "bench".to_owned(),
    };
    let lease = catalogue
        .take_lease(&Resource::Medium(medium), &holder, 3_600, 30, now())
        .await;
    epochs.insert(medium, lease.expect("a lease").epoch);
    medium
}

/// The first object by the catalogue's own ways, and rows after its model.
async fn add_objects(database: &TestDatabase, catalogue: &PgCatalogue, on: (MediumId, &BTreeMap<MediumId, Epoch>)) {
    let object = Object {
        id: ObjectId::fresh(),
        oid: Oid::new(FIRST).expect("a good name"),
        version: Version(1),
        bytes: ByteCount(CONTENT.len() as u64),
        copies: CopyNo(1),
        grouping: None,
        metadata: Metadata::default(),
        created_at: now(),
        deleted_at: None,
    };
    let extent = NewExtent {
        id: ExtentId::fresh(),
        address: Address(format!("objects/{FIRST}")),
        origin: Origin {
            object: object.id,
            oid: object.oid.clone(),
            version: object.version,
            copy: CopyNo(0),
            index: ExtentIndex(0),
        },
        medium: on.0,
        generation: Generation(0),
        bytes: object.bytes,
        digests: None,
    };
    let recorded = catalogue
        .record_put(SessionId::fresh(), vec![extent], on.1, now())
        .await
        .expect("recorded");
    let place = Place {
        copy: CopyNo(0),
        index: ExtentIndex(0),
    };
    let places = recorded
        .into_iter()
        .map(|recorded| (place, evidence::synced(recorded, CONTENT)));
    let put = NewObject {
        object,
        overwrite: Overwrite::Refuse,
        places: places.collect(),
    };
    catalogue
        .commit_put(vec![put], now())
        .await
        .expect("committed")
        .remove(0)
        .expect("it is new");
    let mut raw = PgConnection::connect_with(&database.connect_options())
        .await
        .expect("a connection");
    let statements = rows_like_the_first(1, EXTENTS as u64 - 1) + "VACUUM ANALYZE;";
    for part in statements.split_inclusive("COMMIT;") {
        sqlx::raw_sql(sqlx::AssertSqlSafe(part.to_owned()))
            .execute(&mut raw)
            .await
            .expect("the tables allow it");
    }
}

fn now() -> Timestamp {
    Timestamp::now()
}
