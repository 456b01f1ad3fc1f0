//! The first locks of every transaction, in the order all share: leases, then media, then objects, each by id.

use super::codec::word;
use super::retry::Stop;
use crate::catalogue::CatalogueError;
use crate::model::{AdmState, Epoch, Generation, MediumFormat, MediumId, Resource, Standing};
use sqlx::PgConnection;
use sqlx::types::Uuid;
use std::collections::{BTreeMap, BTreeSet};

/// Takes the lease rows of these media `FOR SHARE` and compares their epochs: a takeover waits, or was first.
pub(super) async fn leases(on: &mut PgConnection, epochs: &BTreeMap<MediumId, Epoch>) -> Result<(), Stop> {
    let asked: BTreeSet<(MediumId, Epoch)> = epochs.iter().map(|(medium, epoch)| (*medium, *epoch)).collect();
    match lost_leases(on, &asked).await?.first() {
        Some((medium, _)) => Err(lease_lost(*medium).into()),
        None => Ok(()),
    }
}

/// The same; which of them are over.
pub(super) async fn lost_leases(
    on: &mut PgConnection,
    epochs: &BTreeSet<(MediumId, Epoch)>,
) -> Result<BTreeSet<(MediumId, Epoch)>, Stop> {
    let keys: Vec<String> = epochs
        .iter()
        .map(|(medium, _)| Resource::Medium(*medium).key())
        .collect();
    let rows = sqlx::query!(
        "SELECT key, holder, epoch FROM lease WHERE key = ANY ($1) ORDER BY key FOR SHARE",
        &keys
    )
    .fetch_all(on)
    .await?;
    let alive: BTreeSet<(String, i64)> = rows
        .into_iter()
        .filter(|row| row.holder.is_some())
        .map(|row| (row.key, row.epoch))
        .collect();
    let lost = |(medium, epoch): &&(MediumId, Epoch)| !alive.contains(&(Resource::Medium(*medium).key(), epoch.0));
    Ok(epochs.iter().filter(lost).copied().collect())
}

/// What a holder is told whose lease is over.
pub(super) fn lease_lost(medium: MediumId) -> CatalogueError {
    CatalogueError::LeaseLost {
        resource: Resource::Medium(medium).key(),
    }
}

/// A medium's row while it is locked.
pub(super) struct LockedMedium {
    pub name: String,
    pub format: MediumFormat,
    pub adm_state: AdmState,
    pub locked: bool,
    pub standing: Standing,
    pub generation: Generation,
}

impl LockedMedium {
    /// Refuses unless new extents may be recorded on it.
    pub(super) fn takes_extents(&self, medium: MediumId, generation: Generation) -> Result<(), CatalogueError> {
        let why = if self.locked {
            "it is locked".to_owned()
        } else if self.format != MediumFormat::Respool {
            "it is an LTFS volume of other software".to_owned()
        } else if self.standing != Standing::Level {
            format!("it is {}", self.standing)
        } else if self.adm_state != AdmState::InService {
            format!("it is {}", self.adm_state)
        } else if self.generation != generation {
            format!("it is at generation {}, not {generation}", self.generation)
        } else {
            return Ok(());
        };
        Err(CatalogueError::Fenced { medium, why })
    }
}

/// Takes media rows `FOR SHARE`: their states and generations stay until the transaction ends.
pub(super) async fn media(
    on: &mut PgConnection,
    ids: &BTreeSet<MediumId>,
) -> Result<BTreeMap<MediumId, LockedMedium>, Stop> {
    let keys: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"SELECT id, name, format::text AS "format!", adm_state::text AS "adm_state!", locked, standing::text AS "standing!",
                  generation FROM medium
            WHERE id = ANY ($1) ORDER BY id FOR SHARE"#,
        &keys
    )
    .fetch_all(on)
    .await?;
    let mut found = BTreeMap::new();
    for row in rows {
        let medium = LockedMedium {
            name: row.name,
            format: word(&row.format)?,
            adm_state: word(&row.adm_state)?,
            locked: row.locked,
            standing: word(&row.standing)?,
            generation: Generation(row.generation),
        };
        found.insert(MediumId(row.id), medium);
    }
    match ids.iter().find(|id| !found.contains_key(id)) {
        Some(missing) => Err(no_medium(*missing).into()),
        None => Ok(found),
    }
}

/// Notes, before the rows are shared, that media are not empty any more. Once in the life of a generation.
pub(super) async fn mark_used(on: &mut PgConnection, ids: &BTreeSet<MediumId>) -> Result<(), Stop> {
    let keys: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    sqlx::query!(
        "UPDATE medium SET fs_state = 'used' WHERE id IN
            (SELECT id FROM medium WHERE id = ANY ($1) AND fs_state = 'empty' ORDER BY id FOR UPDATE)
            AND fs_state = 'empty'",
        &keys
    )
    .execute(on)
    .await?;
    Ok(())
}

/// Takes object rows, so that nothing is deleted, purged or given another copy meanwhile.
pub(super) async fn objects(on: &mut PgConnection, ids: &[Uuid]) -> Result<(), Stop> {
    sqlx::query!(
        "SELECT id FROM object WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE",
        ids
    )
    .fetch_all(on)
    .await?;
    Ok(())
}

/// Takes extent rows.
pub(super) async fn extents(on: &mut PgConnection, ids: &[Uuid]) -> Result<(), Stop> {
    sqlx::query!("SELECT id FROM extent WHERE id = ANY ($1) ORDER BY id FOR UPDATE", ids)
        .fetch_all(on)
        .await?;
    Ok(())
}

/// Adds to what groupings media carry.
pub(super) async fn groupings(on: &mut PgConnection, pairs: &BTreeSet<(MediumId, String)>) -> Result<(), Stop> {
    if pairs.is_empty() {
        return Ok(());
    }
    let media: Vec<Uuid> = pairs.iter().map(|(medium, _)| medium.0).collect();
    let names: Vec<String> = pairs.iter().map(|(_, name)| name.clone()).collect();
    sqlx::query!(
        "INSERT INTO medium_grouping (medium, name) SELECT * FROM unnest($1::uuid[], $2::text[])
            ON CONFLICT DO NOTHING",
        &media,
        &names
    )
    .execute(on)
    .await?;
    Ok(())
}

/// A medium that is not there.
pub(super) fn no_medium(id: MediumId) -> CatalogueError {
    CatalogueError::NotFound {
        what: "medium",
        name: id.to_string(),
    }
}
