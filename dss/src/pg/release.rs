//! A surplus copy is given up (I10): media and objects are locked first, everything is counted behind the locks.

use super::PgCatalogue;
use super::codec::count;
use super::events::append;
use super::locks;
use super::media;
use super::objects::orphan_unreferenced;
use super::retry::{Stop, repeat};
use crate::catalogue::{CatalogueError, Released, Result, Sure, not_surplus};
use crate::model::{CopyNo, ExtentId, ExtentIndex, MediumId};
use crate::release::{Filled, is_relied_on, remaining};
use jiff::Timestamp;
use serde_json::json;
use sqlx::PgConnection;
use sqlx::types::Uuid;
use std::collections::BTreeSet;

/// Gives up the copy that an extent is a part of.
pub(super) async fn release(catalogue: &PgCatalogue, extent: ExtentId, sure: Sure, now: Timestamp) -> Result<Released> {
    Ok(repeat!(catalogue, "release_copy", tx => {
        super::reconcile::refuse_in_doubt(tx.on()).await?;
        let (object, copy) = whose(tx.on(), extent).await?;
        // A swap may take a copy to another medium meanwhile; it waits for the object, or this begins anew.
        let locked = media_of(tx.on(), object).await?;
        locks::media(tx.on(), &locked).await?;
        locks::objects(tx.on(), &[object]).await?;
        if whose(tx.on(), extent).await? != (object, copy) || !media_of(tx.on(), object).await?.is_subset(&locked) {
            return Err(Stop::RolledBack);
        }
        let mut released = judge(tx.on(), object, copy, &locked).await?;
        let extents = sqlx::query_scalar!(
            "SELECT extent FROM layout WHERE object_id = $1 AND copy_no = $2", object, copy.0
        )
        .fetch_all(tx.on())
        .await?;
        locks::extents(tx.on(), &extents).await?;
        sqlx::query!("DELETE FROM layout WHERE object_id = $1 AND copy_no = $2", object, copy.0)
            .execute(tx.on())
            .await?;
        orphan_unreferenced(tx.on(), &extents).await?;
        let freed = sqlx::query!(
            r#"SELECT count(*) AS "extents!", coalesce(sum(bytes), 0)::bigint AS "bytes!" FROM extent
                WHERE id = ANY ($1) AND state = 'orphan'"#,
            &extents
        )
        .fetch_one(tx.on())
        .await?;
        released.extents = count(freed.extents);
        released.bytes = crate::model::ByteCount::from_i64(freed.bytes);
        let detail = json!({ "version": released.version, "copy": copy, "remaining": released.remaining });
        append(tx.on(), now, "copy.released", released.oid.as_str(), detail).await?;
        // A rehearsal is rolled back.
        if sure == Sure::Yes {
            tx.commit().await?;
        }
        released
    }))
}

/// The one copy that an extent is a part of.
async fn whose(on: &mut PgConnection, extent: ExtentId) -> std::result::Result<(Uuid, CopyNo), Stop> {
    let rows = sqlx::query!(
        "SELECT l.object_id, l.copy_no FROM layout l WHERE l.extent = $1 ORDER BY l.object_id, l.copy_no LIMIT 2",
        extent.0
    )
    .fetch_all(&mut *on)
    .await?;
    match &rows[..] {
        [one] => Ok((one.object_id, CopyNo(one.copy_no))),
        [] => {
            let state = sqlx::query_scalar!(r#"SELECT state::text AS "state!" FROM extent WHERE id = $1"#, extent.0)
                .fetch_optional(on)
                .await?;
            Err(match state {
                None => CatalogueError::NotFound {
                    what: "extent",
                    name: extent.to_string(),
                }
                .into(),
                Some(state) => not_surplus(extent, format!("it is {state}, and no copy needs it")).into(),
            })
        }
        _ => Err(not_surplus(extent, "it serves several objects".to_owned()).into()),
    }
}

async fn media_of(on: &mut PgConnection, object: Uuid) -> std::result::Result<BTreeSet<MediumId>, Stop> {
    let media = sqlx::query_scalar!(
        "SELECT DISTINCT e.medium FROM layout l JOIN extent e ON e.id = l.extent WHERE l.object_id = $1",
        object
    )
    .fetch_all(on)
    .await?;
    Ok(media.into_iter().map(MediumId).collect())
}

/// What giving this copy up leaves; refused when that is nothing.
async fn judge(
    on: &mut PgConnection,
    object: Uuid,
    copy: CopyNo,
    media: &BTreeSet<MediumId>,
) -> std::result::Result<Released, Stop> {
    let mut relied_on = BTreeSet::new();
    let mut generations = std::collections::BTreeMap::new();
    for id in media {
        let row = media::fetch(&mut *on, *id).await?;
        let is_source = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM job_source WHERE medium = $1 AND active) AS "source!""#,
            id.0
        )
        .fetch_one(&mut *on)
        .await?;
        generations.insert(*id, row.generation.0);
        if is_relied_on(&row, is_source) {
            relied_on.insert(*id);
        }
    }
    let rows = sqlx::query!(
        r#"SELECT l.copy_no, l.index, e.id, e.medium, e.generation, e.verified_at IS NOT NULL AS "verified!",
                  o.oid, o.version, o.copies
             FROM layout l JOIN extent e ON e.id = l.extent JOIN object o ON o.id = l.object_id
            WHERE l.object_id = $1 ORDER BY l.copy_no, l.index"#,
        object
    )
    .fetch_all(on)
    .await?;
    let places: Vec<Filled> = rows
        .iter()
        .map(|row| Filled {
            copy: CopyNo(row.copy_no),
            index: ExtentIndex(row.index),
            medium: MediumId(row.medium),
            verified: row.verified && generations.get(&MediumId(row.medium)) == Some(&row.generation),
        })
        .collect();
    let first = rows.first().ok_or(Stop::RolledBack)?;
    let released = Released {
        oid: super::codec::oid(first.oid.clone())?,
        version: crate::model::Version(first.version),
        copy,
        extents: 0,
        bytes: crate::model::ByteCount::ZERO,
        remaining: remaining(&places, copy, &relied_on),
        asked: CopyNo(first.copies),
    };
    released.or_refuse().map_err(Stop::from)
}
