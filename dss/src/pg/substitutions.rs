//! What jobs moved from another copy, because the source's own bytes could not be had (E-12).

use super::PgCatalogue;
use super::codec::oid;
use super::events::append;
use super::job_rows;
use super::retry::{Stop, repeat};
use crate::catalogue::{CatalogueError, Result};
use crate::model::{ExtentId, JobId, MediumId, Substitution};
use jiff::Timestamp;
use serde_json::json;
use sqlx::PgConnection;
use sqlx::types::Uuid;
use std::collections::BTreeMap;

/// A row, as it is selected.
struct Row {
    job: i64,
    new_extent: Uuid,
    old_extent: Uuid,
    oid: String,
    medium: Uuid,
    read_from: Uuid,
    reason: String,
    wrong_bytes: bool,
}

impl TryFrom<Row> for Substitution {
    type Error = CatalogueError;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            extent: ExtentId(row.old_extent),
            new: ExtentId(row.new_extent),
            oid: oid(row.oid)?,
            medium: MediumId(row.medium),
            read_from: MediumId(row.read_from),
            reason: row.reason,
            wrong_bytes: row.wrong_bytes,
        })
    }
}

/// Notes substitutions of moves that are recorded.
pub(super) async fn note(catalogue: &PgCatalogue, job: JobId, noted: &[Substitution]) -> Result<()> {
    let column = |of: fn(&Substitution) -> Uuid| -> Vec<Uuid> { noted.iter().map(of).collect() };
    let (olds, news) = (column(|one| one.extent.0), column(|one| one.new.0));
    let (media, others) = (column(|one| one.medium.0), column(|one| one.read_from.0));
    let oids: Vec<String> = noted.iter().map(|one| one.oid.as_str().to_owned()).collect();
    let reasons: Vec<String> = noted.iter().map(|one| one.reason.clone()).collect();
    let wrong: Vec<bool> = noted.iter().map(|one| one.wrong_bytes).collect();
    repeat!(catalogue, "note_substitutions", tx => {
        job_rows::share(tx.on(), job).await?;
        let known = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM job_move v
                 JOIN unnest($2::uuid[], $3::uuid[]) AS s (old, new) ON v.new_extent = s.new AND v.old_extent = s.old
                WHERE v.job = $1"#,
            job.0, &olds, &news
        )
        .fetch_one(tx.on())
        .await?;
        if usize::try_from(known) != Ok(noted.len()) {
            let why = "an extent noted as substituted is none of its moves".to_owned();
            return Err(CatalogueError::Conflict { subject: format!("job {job}"), why }.into());
        }
        sqlx::query!(
            "INSERT INTO job_substitution (job, old_extent, new_extent, oid, medium, read_from, reason, wrong_bytes)
             SELECT $1, s.* FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::uuid[], $7::text[],
                                        $8::boolean[]) AS s
             ON CONFLICT DO NOTHING",
            job.0, &olds, &news, &oids, &media, &others, &reasons, &wrong
        )
        .execute(tx.on())
        .await?;
        tx.commit().await?
    });
    Ok(())
}

/// The event of every substitution that is swapped just now.
pub(super) async fn tell(on: &mut PgConnection, swapped: &[Uuid], now: Timestamp) -> std::result::Result<(), Stop> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT job, new_extent, old_extent, oid, medium, read_from, reason, wrong_bytes FROM job_substitution
          WHERE new_extent = ANY ($1) ORDER BY new_extent",
        swapped
    )
    .fetch_all(&mut *on)
    .await?;
    for row in rows {
        let one = Substitution::try_from(row)?;
        append(&mut *on, now, "extent.substituted", &one.extent.to_string(), json!(one)).await?;
    }
    Ok(())
}

/// Those of some jobs that were swapped, by job.
pub(super) async fn of_jobs(
    on: &mut PgConnection,
    jobs: &[i64],
) -> std::result::Result<BTreeMap<i64, Vec<Substitution>>, Stop> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT s.job, s.new_extent, s.old_extent, s.oid, s.medium, s.read_from, s.reason, s.wrong_bytes
           FROM job_substitution s JOIN job_move v ON v.new_extent = s.new_extent
          WHERE s.job = ANY ($1) AND v.state IN ('swapped', 'read_back', 'returned') ORDER BY s.job, s.new_extent",
        jobs
    )
    .fetch_all(on)
    .await?;
    let mut found: BTreeMap<i64, Vec<Substitution>> = BTreeMap::new();
    for row in rows {
        found.entry(row.job).or_default().push(row.try_into()?);
    }
    Ok(found)
}
