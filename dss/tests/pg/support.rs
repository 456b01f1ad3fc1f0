//! A catalogue in a database of its own, and connections beside it for raw SQL.

use dss::catalogue::{Catalogue, Found, ObjectHeader};
use dss::model::{
    Address, ByteCount, Checkpoints, CopyNo, Digests, Epoch, ExtentId, ExtentIndex, FsState, Generation, Holder,
    HolderId, MediumId, Metadata, NewExtent, ObjectId, Oid, Origin, Resource, Version,
};
use dss::pg::{Limits, PgCatalogue, Settings};
use jiff::Timestamp;
use respool_test_support::TestDatabase;
use sqlx::{Connection, PgConnection};
use std::sync::Arc;

/// The database lives as long as this and its clones do.
#[derive(Clone)]
pub struct Fresh {
    pub pg: Arc<PgCatalogue>,
    pub database: Arc<TestDatabase>,
}

pub fn settings(checkpoints: Arc<dyn Checkpoints>) -> Settings {
    Settings {
        allow_unsafe: true,
        checkpoints,
        max_connections: 4,
        limits: Limits::default(),
    }
}

pub async fn fresh(checkpoints: Arc<dyn Checkpoints>) -> Fresh {
    let database = respool_test_support::fresh_database().await;
    let options = database.connect_options();
    let conninfo = database.conninfo().to_owned();
    let pg = PgCatalogue::init(options, conninfo, settings(checkpoints), true)
        .await
        .expect("a fresh catalogue");
    Fresh {
        pg: Arc::new(pg),
        database: Arc::new(database),
    }
}

impl Fresh {
    pub async fn raw(&self) -> PgConnection {
        PgConnection::connect_with(&self.database.connect_options())
            .await
            .expect("a connection")
    }

    /// A formatted medium, and the epoch of a lease on it.
    pub async fn medium(&self, name: &str) -> (MediumId, Epoch) {
        let medium = dss::conformance::support::new_medium(name);
        let made = self.pg.add_medium(medium, now()).await.expect("a medium");
        let labelled = dss::catalogue::MediumChange {
            fs_state: Some(FsState::Empty),
            ..Default::default()
        };
        self.pg.change_medium(made.id, labelled, now()).await.expect("a label");
        let holder = Holder {
            id: HolderId::fresh(),
            seat: "test".into(),
        };
        let lease = self
            .pg
            .take_lease(&Resource::Medium(made.id), &holder, 60, 10, now())
            .await
            .expect("a lease");
        (made.id, lease.epoch)
    }
}

pub fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("it is in range")
}

/// An extent to be recorded for the first copy of a new object.
pub fn extent(medium: MediumId, bytes: &[u8]) -> NewExtent {
    let id = ExtentId::fresh();
    NewExtent {
        id,
        origin: Origin {
            object: ObjectId::fresh(),
            oid: Oid::new(format!("object-{id}")).expect("a good name"),
            version: Version(1),
            copy: CopyNo(0),
            index: ExtentIndex(0),
        },
        medium,
        generation: Generation(0),
        address: Address(format!("objects/{id}")),
        bytes: Digests::of(bytes).bytes,
        digests: Some(Digests::of(bytes)),
    }
}

/// An extent of one byte that a medium holds and names, of an object of its own.
pub fn found(number: usize) -> Found {
    let extent = ExtentId::fresh();
    Found {
        extent,
        origin: Origin {
            object: ObjectId::fresh(),
            oid: Oid::new(format!("bulk/{number:06}")).unwrap(),
            version: Version(1),
            copy: CopyNo(0),
            index: ExtentIndex(0),
        },
        address: Address(format!("objects/{number}")),
        digests: Digests::of(b"x"),
        inode: Some(u64::MAX),
        span: None,
        header: ObjectHeader {
            bytes: ByteCount(1),
            copies: CopyNo(1),
            copy_extents: 1,
            grouping: Some("bulk".into()),
            metadata: Metadata::default(),
            created_at: now(),
        },
        read: Some(now()),
    }
}
