//! Leases: taken, prolonged, given back. An epoch never comes twice for one resource.

use super::PgCatalogue;
use super::codec::{Stamp, stamp};
use super::retry::repeat;
use crate::catalogue::{CatalogueError, Result};
use crate::model::{Epoch, Holder, HolderId, Lease, MediumId, Resource};
use jiff::{SignedDuration, Timestamp};

fn later(now: Timestamp, seconds: u32) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(i64::from(seconds)))
        .expect("a signed duration has no calendar units")
}

/// Takes a lease.
pub(super) async fn take(
    catalogue: &PgCatalogue,
    resource: &Resource,
    holder: &Holder,
    seconds: u32,
    margin_seconds: u32,
    now: Timestamp,
) -> Result<Lease> {
    let key = resource.key();
    let until = later(now, seconds);
    Ok(repeat!(catalogue, "take_lease", tx => {
        if let Resource::Medium(id) = resource {
            super::media::fetch(tx.on(), *id).await?;
        }
        let made = sqlx::query!(
            "INSERT INTO lease (key, holder, seat, epoch, expires_at) VALUES ($1, $2, $3, 1, $4) ON CONFLICT DO NOTHING",
            key, holder.id.0, holder.seat, stamp(until) as _
        )
        .execute(tx.on())
        .await?
        .rows_affected() == 1;
        let epoch = if made {
            1
        } else {
            let row = sqlx::query!(
                r#"SELECT holder, seat, epoch, expires_at AS "expires_at: Stamp" FROM lease WHERE key = $1 FOR UPDATE"#,
                key
            )
            .fetch_one(tx.on())
            .await?;
            let free_at = later(row.expires_at.to_jiff(), margin_seconds);
            let epoch = match row.holder {
                None => row.epoch + 1,
                // Our own seat: an earlier life that is over, or ourselves, who begin anew.
                Some(_) if row.seat == holder.seat || free_at <= now => row.epoch + 1,
                Some(_) => {
                    return Err(CatalogueError::LeaseHeld { resource: key.clone(), until: free_at }.into());
                }
            };
            sqlx::query!(
                "UPDATE lease SET holder = $2, seat = $3, epoch = $4, expires_at = $5 WHERE key = $1",
                key, holder.id.0, holder.seat, epoch, stamp(until) as _
            )
            .execute(tx.on())
            .await?;
            epoch
        };
        tx.commit().await?;
        Lease {
            resource: resource.clone(),
            holder: holder.id,
            epoch: Epoch(epoch),
            expires_at: super::codec::kept(until),
        }
    }))
}

/// Prolongs what a holder still has.
pub(super) async fn renew(
    catalogue: &PgCatalogue,
    holder: &Holder,
    seconds: u32,
    now: Timestamp,
) -> Result<Vec<Lease>> {
    let until = later(now, seconds);
    let rows = repeat!(catalogue, "renew_leases", tx => {
        let rows = sqlx::query!(
            r#"UPDATE lease SET expires_at = $2 WHERE key IN
                (SELECT key FROM lease WHERE holder = $1 ORDER BY key FOR UPDATE) AND holder = $1
                RETURNING key, holder AS "holder!", epoch, expires_at AS "expires_at: Stamp""#,
            holder.id.0, stamp(until) as _
        )
        .fetch_all(tx.on())
        .await?;
        tx.commit().await?;
        rows
    });
    rows.into_iter()
        .map(|row| {
            Ok(Lease {
                resource: resource_of(&row.key)?,
                holder: HolderId(row.holder),
                epoch: Epoch(row.epoch),
                expires_at: row.expires_at.to_jiff(),
            })
        })
        .collect()
}

fn resource_of(key: &str) -> Result<Resource> {
    let resource = match key.split_once('/') {
        Some(("medium", id)) => id.parse::<MediumId>().ok().map(Resource::Medium),
        Some(("drive", name)) => Some(Resource::Drive(name.to_owned())),
        _ => None,
    };
    resource.ok_or_else(|| super::codec::corrupt(format!("a lease on '{key}'")))
}

/// Gives a lease back, when it is still ours.
pub(super) async fn release(catalogue: &PgCatalogue, lease: &Lease) -> Result<()> {
    let key = lease.resource.key();
    repeat!(catalogue, "release_lease", tx => {
        sqlx::query!(
            "UPDATE lease SET holder = NULL WHERE key = $1 AND holder = $2 AND epoch = $3",
            key, lease.holder.0, lease.epoch.0
        )
        .execute(tx.on())
        .await?;
        tx.commit().await?
    });
    Ok(())
}
