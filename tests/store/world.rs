//! A host with media in memory, and shorthand for what a client does.

use crate::volume::{MemVolume, Platter, Shared};
use bytes::Bytes;
use dss::catalogue::{Catalogue, MediumChange, NewMedium, Overwrite};
use dss::mem::MemCatalogue;
use dss::model::{
    Blake3, ByteCount, CatalogueId, Family, FsState, Generation, Holder, HolderId, Location, Medium, MediumId,
    Metadata, NoDrill, ObjectDetail, Oid, Revision, Version,
};
use jiff::Timestamp;
use lrs::ldm::MediaResult;
use lrs::ldm::fs::{Label, Volume, dir};
use lrs::service::{AgeClock, Berth, Drives, Lrs, Mounter, Settings};
use respool::api::Problem;
use respool::api::requests::{PutHeader, StreamEnd};
use respool::config::Config;
use respool::host::Host;
use respool::store::put::{PutFrame, PutOptions, PutResult, PutSession};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Shelf(Mutex<BTreeMap<MediumId, Shared>>);

impl Mounter for Shelf {
    fn mount(&self, medium: &Medium, _berth: &Berth) -> MediaResult<Box<dyn Volume>> {
        let platter = self.0.lock().unwrap().get(&medium.id).cloned();
        if let Some(platter) = platter {
            return Ok(Box::new(MemVolume::mount(&platter)));
        }
        let expected = dir::Expected {
            medium: medium.id,
            name: medium.name.clone(),
            generations: vec![medium.generation],
            capacity: medium.capacity,
        };
        dir::mount(
            dir::open_disk(&medium.name, Path::new(&medium.location.path))?,
            expected,
        )
    }
}

/// One second later whenever it is asked.
#[derive(Default)]
struct Ticking(AtomicI64);

impl AgeClock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + self.0.fetch_add(1, Ordering::Relaxed)).unwrap()
    }
}

pub struct World {
    pub host: Arc<Host>,
    pub catalogue: Arc<MemCatalogue>,
    shelf: Arc<Shelf>,
    pub media: BTreeMap<String, Shared>,
}

impl World {
    /// Media of so many bytes each.
    pub async fn new(media: &[(&str, u64)]) -> Self {
        Self::with(media, Config::default()).await
    }

    pub async fn with(media: &[(&str, u64)], config: Config) -> Self {
        let id = CatalogueId::fresh();
        let catalogue = Arc::new(MemCatalogue::new(id, true, Arc::new(NoDrill)));
        let (shelf, clock) = (Arc::new(Shelf::default()), Arc::new(Ticking::default()));
        let settings = Settings {
            holder: Holder {
                id: HolderId::fresh(),
                seat: "test".to_owned(),
            },
            lease_seconds: 60,
            margin_seconds: 1,
            drives: Drives::Threads,
        };
        let lrs = Lrs::start(settings, catalogue.clone(), shelf.clone(), clock.clone());
        let host = Arc::new(Host {
            catalogue: catalogue.clone(),
            lrs,
            clock,
            checkpoints: Arc::new(NoDrill),
            config: Arc::new(config),
            catalogue_id: id,
            spool: Default::default(),
            stopping: Default::default(),
        });
        let mut world = Self {
            host,
            catalogue,
            shelf,
            media: BTreeMap::new(),
        };
        for (name, capacity) in media {
            world.add(name, *capacity).await;
        }
        world
    }

    /// A medium in memory.
    async fn add(&mut self, name: &str, capacity: u64) {
        let label = self
            .row(name, &format!("/media/{name}"), Some(capacity), "memory")
            .await;
        let id = label.medium;
        let platter: Shared = Arc::new(Mutex::new(Platter {
            label: Some(label),
            capacity,
            ..Platter::default()
        }));
        self.shelf.0.lock().unwrap().insert(id, Arc::clone(&platter));
        self.media.insert(name.to_owned(), platter);
        self.is_labelled(id).await;
    }

    /// A directory as a medium.
    pub async fn add_dir(&mut self, name: &str, path: &Path) {
        std::fs::create_dir(path).unwrap();
        let label = self.row(name, path.to_str().unwrap(), None, dir::FORMAT).await;
        dir::format(dir::open_disk(name, path).unwrap(), &label).unwrap();
        self.is_labelled(label.medium).await;
    }

    async fn row(&self, name: &str, path: &str, capacity: Option<u64>, format: &str) -> Label {
        let (id, now) = (MediumId::fresh(), self.host.clock.now());
        let medium = NewMedium {
            id,
            name: name.to_owned(),
            family: Family::Dir,
            technology: "dir".to_owned(),
            location: Location {
                path: path.to_owned(),
                dock: None,
                library: None,
            },
            tags: BTreeSet::new(),
            class: None,
            capacity: capacity.map(ByteCount),
        };
        self.catalogue.add_medium(medium, now).await.unwrap();
        Label {
            format: format.to_owned(),
            medium: id,
            name: name.to_owned(),
            generation: Generation(0),
            catalogue: self.host.catalogue_id,
            revision: Revision(0),
            created_at: now,
        }
    }

    async fn is_labelled(&self, id: MediumId) {
        let change = MediumChange {
            fs_state: Some(FsState::Empty),
            why: "test".to_owned(),
            ..MediumChange::default()
        };
        self.catalogue
            .change_medium(id, change, self.host.clock.now())
            .await
            .unwrap();
    }

    pub fn platter(&self, name: &str) -> std::sync::MutexGuard<'_, Platter> {
        self.media[name].lock().unwrap()
    }

    /// The name of the medium that holds a copy.
    pub async fn medium_of(&self, detail: &ObjectDetail, copy: usize) -> String {
        let id = detail.entries[copy].extent.medium;
        self.catalogue.medium_by_id(id).await.unwrap().name
    }

    pub fn session(&self) -> PutSession {
        PutSession::begin(&self.host, PutOptions::default())
    }

    pub async fn put(&self, header: PutHeader, bytes: &[u8]) -> PutResult {
        let mut results = self.put_all(vec![(header, bytes.to_vec())]).await;
        assert_eq!(results.len(), 1);
        results.remove(0)
    }

    pub async fn put_all(&self, objects: Vec<(PutHeader, Vec<u8>)>) -> Vec<PutResult> {
        let frames = objects.into_iter().flat_map(|(header, bytes)| frames(header, &bytes));
        self.feed(frames.collect()).await
    }

    pub async fn feed(&self, frames: Vec<PutFrame>) -> Vec<PutResult> {
        let mut session = self.session();
        let mut results = Vec::new();
        for frame in frames {
            results.extend(session.feed(frame).await.unwrap());
        }
        results.extend(session.finish().await);
        results
    }

    pub async fn get(&self, name: &str, version: Option<i32>) -> Result<Vec<u8>, Problem> {
        let mut stream = respool::store::get::open(&self.host, &oid(name), version.map(Version)).await?;
        let mut all = Vec::new();
        while let Some(piece) = stream.next().await {
            all.extend_from_slice(&piece?);
        }
        Ok(all)
    }

    /// The invariants hold and nothing is left pending.
    pub async fn is_sound(&self) {
        assert_eq!(self.catalogue.violations(), []);
        for medium in self.catalogue.media().await.unwrap() {
            let usage = self.catalogue.usage(medium.id, self.host.clock.now()).await.unwrap();
            assert_eq!(usage.extents.pending, 0, "pending extents on {}", medium.name);
        }
    }
}

pub fn oid(name: &str) -> Oid {
    Oid::new(name).unwrap()
}

pub fn header(name: &str, bytes: usize, copies: u8) -> PutHeader {
    PutHeader {
        oid: oid(name),
        bytes: ByteCount(bytes as u64),
        copies: Some(copies),
        overwrite: Overwrite::Refuse,
        tags: BTreeSet::new(),
        grouping: None,
        metadata: Metadata::default(),
    }
}

pub fn frames(header: PutHeader, bytes: &[u8]) -> Vec<PutFrame> {
    let mut frames = vec![PutFrame::Begin(Box::new(header))];
    frames.extend(
        bytes
            .chunks(300_000)
            .map(|piece| PutFrame::Data(Bytes::copy_from_slice(piece))),
    );
    frames.push(PutFrame::End(StreamEnd {
        bytes: ByteCount(bytes.len() as u64),
        blake3: Blake3(*blake3::hash(bytes).as_bytes()),
    }));
    frames
}

/// Bytes that differ everywhere.
pub fn data(seed: u8, bytes: usize) -> Vec<u8> {
    (0..bytes)
        .map(|at| ((at as u64 * 2_654_435_761) >> 7) as u8 ^ seed)
        .collect()
}
