//! A life with a tape library: opened as respoold opens it, filled with tapes that become media, and looked at apart from
//! what the life itself thinks of them.

use crate::life::Life;
use crate::robot::{Hears, LIBRARY};
use crate::tape::{self, Elsewhere};
use dss::model::{AdmState, Extent, ExtentId, ExtentState, Family, Medium};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Life {
    /// A new library with so many drives.
    pub async fn add_library(&self, drives: u16) {
        self.universe.add_robot(drives);
        let now = self.host.clock.now();
        self.host.catalogue.add_library(tape::library_row(), now).await.unwrap();
        self.open_library().await;
    }

    /// Opens the library, if there is one.
    pub async fn open_library(&self) {
        if let Some(robot) = self.universe.robot() {
            let hears: Arc<dyn Hears> = self.universe.clone();
            tape::open(&self.host, &self.libraries, &robot, &hears).await.unwrap();
        }
    }

    /// A tape that is a medium.
    pub async fn add_tape(&self, name: &str) {
        let library = self.libraries.get(LIBRARY).unwrap();
        let robot = self.universe.robot().expect("a library was added");
        tape::add(&self.host, &library, &robot, (name, tape::ROOMY))
            .await
            .unwrap();
    }

    pub async fn media_of(&self, family: Family) -> Vec<Medium> {
        let mut media = self.host.catalogue.media().await.unwrap();
        media.retain(|medium| medium.family == family);
        media
    }

    /// What the catalogue calls *sync* is on its tape and in the tape's own index or log, also after what drives had in
    /// their buffers is lost (I1, I5, E-06). A tape that is being erased holds nothing of anybody's.
    pub async fn what_is_sync_is_on_its_tape(&self) {
        let Some(robot) = self.universe.robot() else { return };
        let elsewhere = Elsewhere::of(&robot);
        for medium in self.media_of(Family::Tape).await {
            if medium.adm_state == AdmState::Erasing {
                continue;
            }
            let rows = self.extents(&medium).await;
            let end = self.host.catalogue.durable_end(medium.id).await.unwrap();
            let missing = elsewhere.missing(&medium, &rows, end);
            assert!(missing.is_empty(), "{missing:?}");
            for row in rows.iter().filter(|row| row.state == ExtentState::Sync) {
                assert!(
                    tape::has(&robot, &medium.name, row),
                    "I1: {} is not durable",
                    row.address
                );
            }
        }
    }

    /// Every *sync* extent of the rows is named by the tape, and nothing else is but orphans; all bytes are good, and the
    /// volume is sound.
    pub async fn tape_holds(&self, medium: &Medium, rows: &[Extent]) {
        let elsewhere = Elsewhere::of(&self.universe.robot().expect("a tape is in a library"));
        let end = self.host.catalogue.durable_end(medium.id).await.unwrap();
        let found = elsewhere.all(medium, end);
        let found = found.unwrap_or_else(|words| panic!("{}: {words}", medium.name));
        let known: BTreeMap<ExtentId, &Extent> = rows.iter().map(|row| (row.id, row)).collect();
        for id in found.named.keys() {
            assert!(known.contains_key(id), "{} names {id}, which has no row", medium.name);
        }
        for row in rows.iter().filter(|row| row.state == ExtentState::Sync) {
            let digest = row.digests.as_ref().expect("a sync extent has digests").blake3;
            assert_eq!(
                found.named.get(&row.id),
                Some(&digest),
                "{} on {}",
                row.address,
                medium.name
            );
        }
        assert_eq!(found.findings, [], "the volume on {} is not sound", medium.name);
    }
}
