//! Directory media in temporary folders.

use crate::volume::{Deletion, Maker, Measure, Nature, Remnant};
use dss::model::{ByteCount, CatalogueId, Generation, MediumId, Revision};
use lrs::ldm::MediaResult;
use lrs::ldm::disk::Disk;
use lrs::ldm::faults::{FaultPlan, FaultyDisk};
use lrs::ldm::fs::dir::{Expected, FORMAT, format, mount, open_disk};
use lrs::ldm::fs::{Label, Volume};
use std::path::{Path, PathBuf};

pub struct Bench {
    _folder: tempfile::TempDir,
    path: PathBuf,
    made: u32,
    pub label: Label,
    pub capacity: ByteCount,
    pub plan: FaultPlan,
}

pub fn label() -> Label {
    Label {
        format: FORMAT.to_owned(),
        medium: MediumId::fresh(),
        name: "disk-a".to_owned(),
        generation: Generation(0),
        catalogue: CatalogueId::fresh(),
        revision: Revision(3),
        created_at: "2026-01-02T03:04:05Z".parse().unwrap(),
    }
}

impl Bench {
    /// Nothing is made yet.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            path: folder.path().to_owned(),
            _folder: folder,
            made: 0,
            label: label(),
            capacity: ByteCount(64 << 20),
            plan: FaultPlan::none(),
        }
    }

    /// A formatted medium.
    pub fn formatted() -> Self {
        let mut bench = Self::new();
        bench.fresh(ByteCount(64 << 20));
        bench
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn disk(&self) -> Box<dyn Disk> {
        let disk = open_disk("disk-a", &self.path).unwrap();
        if self.plan.is_empty() {
            disk
        } else {
            Box::new(FaultyDisk::new(disk, self.plan.clone(), "disk-a").hanging_for(std::time::Duration::ZERO))
        }
    }

    pub fn with_faults(&mut self, text: &str) -> &mut Self {
        self.plan = FaultPlan::parse(text, "faults.toml").unwrap();
        self
    }

    pub fn without_faults(&mut self) -> &mut Self {
        self.plan = FaultPlan::none();
        self
    }

    pub fn expected(&self) -> Expected {
        let generation = self.label.generation;
        Expected {
            medium: self.label.medium,
            name: "disk-a".to_owned(),
            generations: vec![generation, Generation(generation.0 + 1)],
            capacity: Some(self.capacity),
        }
    }

    pub fn try_mount(&self) -> MediaResult<Box<dyn Volume>> {
        mount(self.disk(), self.expected())
    }

    pub fn mounted(&self) -> Box<dyn Volume> {
        self.try_mount().unwrap()
    }

    /// The files among the extents.
    pub fn objects(&self) -> Vec<String> {
        names(&self.path.join("objects"))
    }

    pub fn segment(&self, number: u32) -> PathBuf {
        self.path.join(format!(".respool/manifest/{number:04}.jsonl"))
    }
}

pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

impl Maker for Bench {
    fn nature(&self) -> Nature {
        Nature {
            deletion: Deletion::Frees,
            remnant: Remnant::File,
            measure: Measure::Exact,
        }
    }

    fn fresh(&mut self, capacity: ByteCount) -> Label {
        self.made += 1;
        self.path = self._folder.path().join(self.made.to_string());
        std::fs::create_dir(&self.path).unwrap();
        self.capacity = capacity;
        format(open_disk("disk-a", &self.path).unwrap(), &self.label).unwrap();
        self.label.clone()
    }

    fn mount(&mut self) -> MediaResult<Box<dyn Volume>> {
        self.try_mount()
    }
}
