//! A world to begin with: labelled media, some of them in docks, and what is put there before anything goes wrong.

use super::actors;
use super::disk::ShakyDisk;
use super::life;
use super::scenario::Scenario;
use super::tapes;
use super::world::{Slot, There, World};
use crate::chance::mix;
use crate::platter::Platter;
use dss::catalogue::{Catalogue, MediumChange, NewMedium};
use dss::model::{CatalogueId, Family, FsState, Generation, Location, MediumId, Revision};
use lrs::ldm::fs::{Label, dir};
use lrs::service::AgeClock;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

pub fn world(seed: u64, trace: bool, scenario: &mut Scenario) -> Arc<World> {
    let slots = scenario.media.iter().map(|plan| {
        let slot = Slot {
            platter: Platter::default(),
            other: Platter::default(),
            there: There::Itself,
            visits: 0,
            room: plan.room,
        };
        (plan.name.clone(), slot)
    });
    let world = World::new(seed, trace, slots.collect(), scenario.victim.clone());
    let parcels = scenario.beginning();
    life::live(&world, &scenario.config.clone(), None, async |life| {
        world.inner().seen.making = true;
        for plan in &scenario.media {
            let (id, now) = (MediumId::fresh(), world.now());
            let new = NewMedium {
                id,
                name: plan.name.clone(),
                family: Family::Dir,
                technology: "dir".to_owned(),
                location: Location {
                    path: format!("/media/{}", plan.name),
                    dock: plan.dock.clone(),
                    library: None,
                },
                tags: BTreeSet::new(),
                class: None,
                capacity: plan.capacity,
            };
            world.catalogue.add_medium(new, now).await.expect("a new medium");
            let label = Label {
                format: dir::FORMAT.to_owned(),
                medium: id,
                name: plan.name.clone(),
                generation: Generation(0),
                catalogue: world.id,
                revision: Revision(0),
                created_at: now,
            };
            format(&world, &label);
            world.put_there(&plan.name, There::Another);
            let other = Label {
                medium: MediumId::fresh(),
                catalogue: CatalogueId(Uuid::from_u128(u128::from(mix(seed, 95)))),
                ..label
            };
            format(&world, &other);
            world.put_there(&plan.name, There::Itself);
            let change = MediumChange {
                fs_state: Some(FsState::Empty),
                why: "formatted".to_owned(),
                ..MediumChange::default()
            };
            world
                .catalogue
                .change_medium(id, change, now)
                .await
                .expect("a new medium");
        }
        if let Some(plan) = &scenario.library {
            tapes::make(life, plan).await;
        }
        world.inner().seen.making = false;
        let life = Arc::new(life.clone());
        life.start().await;
        actors::put(&life, parcels, None).await;
        life.stop().await;
    });
    world.next(Duration::from_secs(5))
}

fn format(world: &Arc<World>, label: &Label) {
    let disk = ShakyDisk::open_at(world, &label.name).expect("a new disk");
    dir::format(Box::new(disk), label).expect("a new disk is formatted");
}
