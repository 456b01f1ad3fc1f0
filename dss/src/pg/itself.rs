//! The catalogue's own row: which it is, its revision, and the highest time it has seen.

use super::PgCatalogue;
use super::codec::{Stamp, stamp};
use super::events::append;
use super::retry::{reading, repeat};
use crate::catalogue::{ClockVerdict, Identity, Result};
use crate::model::{CatalogueId, Revision};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

const MOST_BACK: SignedDuration = SignedDuration::from_hours(1);
const MOST_FORWARD: SignedDuration = SignedDuration::from_hours(24);

/// Which catalogue this is.
pub(super) async fn identity(catalogue: &PgCatalogue) -> Result<Identity> {
    Ok(reading!(catalogue, conn => {
        let row = sqlx::query!(
            r#"SELECT c.id, c.testing, (CASE WHEN r.is_called THEN r.last_value ELSE 0 END) AS "revision!"
                 FROM catalogue c CROSS JOIN revision r"#
        )
        .fetch_one(&mut *conn)
        .await?;
        Identity {
            id: CatalogueId(row.id),
            testing: row.testing,
            revision: Revision(row.revision),
        }
    }))
}

/// Compares a time with the highest seen, and raises that when the time is good. Not a state change: the revision
/// stays.
pub(super) async fn observe_clock(catalogue: &PgCatalogue, now: Timestamp) -> Result<ClockVerdict> {
    Ok(reading!(catalogue, conn => {
        let row = sqlx::query!(r#"SELECT clock AS "clock: Stamp" FROM catalogue"#).fetch_one(&mut *conn).await?;
        let verdict = match row.clock.map(Stamp::to_jiff) {
            Some(seen) if now.duration_since(seen) < -MOST_BACK => ClockVerdict::Back { seen },
            Some(seen) if now.duration_since(seen) > MOST_FORWARD => ClockVerdict::Forward { seen },
            Some(_) | None => ClockVerdict::Good,
        };
        if verdict == ClockVerdict::Good {
            sqlx::query!("UPDATE catalogue SET clock = $1 WHERE clock IS NULL OR clock < $1", stamp(now) as _)
                .execute(&mut *conn)
                .await?;
        }
        verdict
    }))
}

/// Takes an operator's word for the time.
pub(super) async fn accept_clock(catalogue: &PgCatalogue, now: Timestamp) -> Result<()> {
    repeat!(catalogue, "accept_clock", tx => {
        sqlx::query!("UPDATE catalogue SET clock = $1", stamp(now) as _).execute(tx.on()).await?;
        append(tx.on(), now, "clock.accepted", "clock", json!({})).await?;
        tx.commit().await?
    });
    Ok(())
}
