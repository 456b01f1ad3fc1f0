//! Whether an orphan is the last that is known to be good: the view `last_good` of the schema.

use super::PgCatalogue;
use super::codec::{all, extent_rows};
use super::retry::{Stop, reading};
use crate::catalogue::Result;
use crate::model::{Extent, MediumId};
use sqlx::PgConnection;

/// The live extents that a medium's orphans may have to stand in for.
pub(super) async fn doubtful(catalogue: &PgCatalogue, medium: MediumId) -> Result<Vec<Extent>> {
    Ok(reading!(catalogue, conn => {
        let rows = extent_rows!(
            "WHERE e.id IN (SELECT g.live FROM last_good g WHERE g.medium = $1) ORDER BY e.id",
            medium.0
        )
        .fetch_all(&mut *conn)
        .await?;
        all(rows)?
    }))
}

/// How many there are, within a transaction that is about to give the orphans up.
pub(super) async fn count(on: &mut PgConnection, medium: MediumId) -> std::result::Result<u64, Stop> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(DISTINCT live) AS "count!" FROM last_good WHERE medium = $1"#,
        medium.0
    )
    .fetch_one(on)
    .await?;
    Ok(count.unsigned_abs())
}
