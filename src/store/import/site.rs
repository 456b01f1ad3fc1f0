//! Which medium is meant by a name or a path, and its row: found, corrected when the disk is mounted elsewhere, or added
//! from the label. Reads labels only; nothing on a medium changes here.

use crate::api::Problem;
use crate::host::Host;
use dss::catalogue::{Adopt, CatalogueError, MediumChange, NewMedium};
use dss::model::{AdmState, Family, FsState, Location, Medium, MediumFormat, Presence};
use lrs::core::{Priority, Request};
use lrs::ldm::fs::{Label, dir};
use std::collections::BTreeSet;
use std::path::Path;

/// A medium to be imported.
pub struct Site {
    /// Its row.
    pub medium: Medium,
    /// What it says of itself.
    pub label: Label,
    /// Whether the row is new.
    pub added: bool,
}

/// A tape in a library, and what its label says.
pub struct Cartridge {
    /// Which library.
    pub library: String,
    /// Its barcode.
    pub barcode: String,
    /// Its generation of LTO.
    pub technology: String,
    /// What it says of itself.
    pub label: Label,
}

/// Finds the row of a tape that is where no row says, or makes one from its label.
pub async fn of_cartridge(host: &Host, cartridge: Cartridge, adopt: Adopt) -> Result<Site, Problem> {
    let Cartridge {
        library,
        barcode,
        technology,
        label,
    } = cartridge;
    let location = Location {
        path: barcode.clone(),
        dock: None,
        library: Some(library.clone()),
    };
    let medium = match host.catalogue.medium_by_id(label.medium).await {
        Ok(medium) => medium,
        Err(CatalogueError::NotFound { .. }) => {
            return add(host, label, (Family::Tape, technology), location, adopt).await;
        }
        Err(error) => return Err(error.into()),
    };
    if medium.location.path != barcode || medium.location.library.is_some() {
        let message = format!(
            "{barcode} says that it is medium {}, which is {} by the catalogue; nothing was imported",
            medium.name, medium.location.path
        );
        return Err(Problem::refused("medium_twice", &medium.name, message)
            .next("two media with one identity cannot both be used: keep the copy out of the library"));
    }
    let change = MediumChange {
        presence: Some(Presence::Near),
        library: Some(Some(library)),
        why: "found by an import".to_owned(),
        ..MediumChange::default()
    };
    let medium = change_row(host, &medium, change).await?;
    known(host, medium, label, barcode).await
}

/// The same for a medium that may be ahead of the catalogue: it may have been erased since.
pub async fn find_ahead(host: &Host, what: &str, adopt: Adopt) -> Result<Site, Problem> {
    let (medium, path) = match host.catalogue.medium(what).await {
        Ok(medium) => {
            let path = medium.location.path.clone();
            (medium, path)
        }
        Err(CatalogueError::NotFound { .. }) if what.starts_with('/') => {
            let label = read_label(host, what, what).await?;
            match host.catalogue.medium_by_id(label.medium).await {
                Ok(medium) => (medium, what.to_owned()),
                Err(CatalogueError::NotFound { .. }) => return add_dir(host, label, what, adopt).await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(error) => return Err(error.into()),
    };
    let label = label_of(host, &medium, &path).await?;
    if label.medium == medium.id && label.catalogue == host.catalogue_id && label.generation > medium.generation {
        refuse_twice(host, &medium, &path).await?;
        let change = MediumChange {
            presence: Some(Presence::Attached),
            path: Some(path),
            why: "found by a reconciliation".to_owned(),
            ..MediumChange::default()
        };
        return Ok(Site {
            medium: change_row(host, &medium, change).await?,
            label,
            added: false,
        });
    }
    find(host, what, adopt).await
}

/// Finds the medium that a name or an absolute path means.
pub async fn find(host: &Host, what: &str, adopt: Adopt) -> Result<Site, Problem> {
    match host.catalogue.medium(what).await {
        Ok(medium) => {
            let path = medium.location.path.clone();
            let label = label_of(host, &medium, &path).await?;
            known(host, medium, label, path).await
        }
        Err(CatalogueError::NotFound { .. }) if what.starts_with('/') => by_path(host, what, adopt).await,
        Err(error) => Err(error.into()),
    }
}

async fn by_path(host: &Host, path: &str, adopt: Adopt) -> Result<Site, Problem> {
    let label = read_label(host, path, path).await?;
    match host.catalogue.medium_by_id(label.medium).await {
        Ok(medium) => known(host, medium, label, path.to_owned()).await,
        Err(CatalogueError::NotFound { .. }) => add_dir(host, label, path, adopt).await,
        Err(error) => Err(error.into()),
    }
}

/// What a known medium says of itself. A tape says it when it is mounted.
async fn label_of(host: &Host, medium: &Medium, path: &str) -> Result<Label, Problem> {
    if medium.family == Family::Dir {
        return read_label(host, &medium.name, path).await;
    }
    if medium.format != MediumFormat::Respool {
        let message = format!(
            "medium {} is a volume of other software; nothing was imported",
            medium.name
        );
        return Err(Problem::refused("foreign_volume", &medium.name, message).next(format!(
            "`respool tape import {} --verify` reads what it holds",
            medium.location.path
        )));
    }
    let request = Request {
        purpose: format!("reading the label of {}", medium.name),
        priority: Priority::Background,
        reads: vec![medium.id],
        writes: Vec::new(),
        exclusive: Vec::new(),
    };
    let allocation = host.lrs.allocate(request).await?;
    let label = allocation.volume(medium.id).run(|volume| volume.label().clone()).await;
    allocation.release().await;
    Ok(label?)
}

async fn read_label(host: &Host, name: &str, path: &str) -> Result<Label, Problem> {
    let medium = name.to_owned();
    let read = move |disk| dir::read_label(disk, &medium);
    let read = host.lrs.look_at(name, Path::new(path), read).await;
    Ok(read.map_err(|panic| Problem::bug("import", panic.to_string()))??)
}

/// The row stays what it is, but for where the medium is.
async fn known(host: &Host, medium: Medium, label: Label, path: String) -> Result<Site, Problem> {
    let right = label.medium == medium.id && label.generation == medium.generation;
    if !right {
        let message = format!(
            "the label at {path} says {} ({}) generation {}; the catalogue expects {} ({}) generation {}; nothing was \
             imported",
            label.name, label.medium, label.generation, medium.name, medium.id, medium.generation
        );
        return Err(Problem::environment("wrong_medium", "medium", &medium.name, message)
            .next("mount the right disk; if the catalogue was restored from an older backup, add --reconcile"));
    }
    refuse_twice(host, &medium, &path).await?;
    let medium = match path != medium.location.path || !medium.in_reach() {
        false => medium,
        true => {
            let change = MediumChange {
                presence: Some(Presence::Attached),
                path: Some(path),
                why: "found by an import".to_owned(),
                ..MediumChange::default()
            };
            change_row(host, &medium, change).await?
        }
    };
    Ok(Site {
        medium,
        label,
        added: false,
    })
}

/// A disk with the identity of one that is where the catalogue has it is a copy, whatever else its label says.
async fn refuse_twice(host: &Host, medium: &Medium, path: &str) -> Result<(), Problem> {
    if path != medium.location.path
        && let Ok(other) = read_label(host, &medium.name, &medium.location.path).await
        && other.medium == medium.id
    {
        let message = format!(
            "{path} is a copy of medium {}, which is attached at {}; nothing was imported",
            medium.name, medium.location.path
        );
        return Err(Problem::refused("medium_twice", &medium.name, message)
            .next("detach one of them; two media with one identity cannot both be used"));
    }
    Ok(())
}

async fn add_dir(host: &Host, label: Label, path: &str, adopt: Adopt) -> Result<Site, Problem> {
    let location = Location {
        path: path.to_owned(),
        dock: None,
        library: None,
    };
    add(host, label, (Family::Dir, "dir".to_owned()), location, adopt).await
}

/// The row is made from the label. Until the import is through, the medium takes nothing new.
async fn add(
    host: &Host,
    label: Label,
    (family, technology): (Family, String),
    location: Location,
    adopt: Adopt,
) -> Result<Site, Problem> {
    let ours = label.catalogue == host.catalogue_id;
    if !ours && adopt == Adopt::No {
        let message = format!(
            "medium {} at {} belongs to another catalogue ({}); nothing was imported",
            label.name, location.path, label.catalogue
        );
        return Err(Problem::refused("foreign_medium", location.path, message)
            .next("add --adopt to take it over: its extents are read whole, then its label names this catalogue"));
    }
    let medium = NewMedium {
        id: label.medium,
        name: free_name(host, &label).await?,
        family,
        technology,
        location,
        tags: BTreeSet::new(),
        class: None,
        capacity: None,
    };
    let medium = host.catalogue.add_medium(medium, host.clock.now()).await?;
    let change = MediumChange {
        adm_state: Some(AdmState::ReadOnly),
        fs_state: Some(FsState::Used),
        presence: Some(match family {
            Family::Dir => Presence::Attached,
            Family::Tape => Presence::Near,
        }),
        generation: Some(label.generation),
        why: "added by an import, which is under way".to_owned(),
        ..MediumChange::default()
    };
    Ok(Site {
        medium: change_row(host, &medium, change).await?,
        label,
        added: true,
    })
}

/// The label's name, with a part of its id when another medium is called so.
async fn free_name(host: &Host, label: &Label) -> Result<String, Problem> {
    match host.catalogue.medium(&label.name).await {
        Err(CatalogueError::NotFound { .. }) => Ok(label.name.clone()),
        Err(error) => Err(error.into()),
        Ok(_) => {
            let id = label.medium.0.simple().to_string();
            // The end of a UUIDv7 is random; its beginning is the time, which media added together share.
            Ok(format!("{}-{}", label.name, &id[id.len() - 8..]))
        }
    }
}

/// Changes a row, and lets the scheduler know.
pub async fn change_row(host: &Host, medium: &Medium, change: MediumChange) -> Result<Medium, Problem> {
    let changed = host
        .catalogue
        .change_medium(medium.id, change, host.clock.now())
        .await?;
    host.lrs.medium_changed(medium.id).await?;
    Ok(changed)
}
