//! The rows of jobs, their sources, moves and skips, and how jobs are looked up.

use super::PgCatalogue;
use super::codec::{Stamp, from_json, oid, word};
use super::retry::{Stop, reading};
use crate::catalogue::{CatalogueError, Result};
use crate::model::{ExtentId, Job, JobId, JobState, MediumId, Move, Skip, Substitution};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Uuid;
use std::collections::BTreeMap;

pub(super) struct JobRow {
    pub id: i64,
    pub kind: String,
    pub state: String,
    pub control: String,
    pub spec: Value,
    pub tally: Value,
    pub error: Option<Value>,
    pub created_at: Stamp,
    pub finished_at: Option<Stamp>,
    /// Whether it has skips, when its row was looked at.
    pub skipped: bool,
    /// The same of substitutions.
    pub substituted: bool,
}

/// Selects jobs, as `j`, with what follows FROM's table.
macro_rules! job_query {
    ($tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            crate::pg::job_rows::JobRow,
            r#"SELECT j.id, j.kind::text AS "kind!", j.state::text AS "state!", j.control::text AS "control!", j.spec,
                j.tally, j.error, j.created_at AS "created_at: crate::pg::codec::Stamp",
                j.finished_at AS "finished_at: crate::pg::codec::Stamp",
                EXISTS (SELECT FROM job_skip k WHERE k.job = j.id) AS "skipped!",
                EXISTS (SELECT FROM job_substitution b WHERE b.job = j.id) AS "substituted!" FROM job j "# + $tail
            $(, $arg)*
        )
    };
}

impl JobRow {
    /// A row that was waited for: what its lock kept from us may have skipped and substituted.
    fn waited_for(self) -> Self {
        Self {
            skipped: true,
            substituted: true,
            ..self
        }
    }

    fn job(self, skips: Vec<Skip>, substitutions: Vec<Substitution>) -> Result<Job> {
        Ok(Job {
            id: JobId(self.id),
            kind: word(&self.kind)?,
            state: word(&self.state)?,
            control: word(&self.control)?,
            spec: from_json("a job's spec", self.spec)?,
            tally: from_json("a job's tally", self.tally)?,
            skips,
            substitutions,
            error: self.error.map(|error| from_json("a job's error", error)).transpose()?,
            created_at: self.created_at.to_jiff(),
            finished_at: self.finished_at.map(Stamp::to_jiff),
        })
    }
}

/// One job.
pub(super) async fn by_id(catalogue: &PgCatalogue, id: JobId) -> Result<Job> {
    Ok(reading!(catalogue, conn => { fetch(conn, id).await? }))
}

/// All jobs, newest first.
pub(super) async fn list(catalogue: &PgCatalogue, limit: u32) -> Result<Vec<Job>> {
    Ok(reading!(catalogue, conn => {
        let rows = job_query!("ORDER BY j.id DESC LIMIT $1", i64::from(limit)).fetch_all(&mut *conn).await?;
        with_skips(conn, rows).await?
    }))
}

/// The jobs that hold their sources, newest first. The states stand in the index `job_active`, too.
pub(super) async fn active(catalogue: &PgCatalogue) -> Result<Vec<Job>> {
    Ok(reading!(catalogue, conn => {
        let rows = job_query!(
            "WHERE j.state IN ('queued', 'running', 'paused', 'verifying', 'quarantined', 'reclaiming')
              ORDER BY j.id DESC"
        )
        .fetch_all(&mut *conn)
        .await?;
        with_skips(conn, rows).await?
    }))
}

/// Jobs by what they empty or emptied, and their state, newest first.
pub(super) async fn of_sources(catalogue: &PgCatalogue, media: &[MediumId], states: &[JobState]) -> Result<Vec<Job>> {
    let media: Vec<Uuid> = media.iter().map(|id| id.0).collect();
    let states: Vec<String> = states.iter().map(ToString::to_string).collect();
    Ok(reading!(catalogue, conn => {
        let rows = job_query!(
            "WHERE j.id IN (SELECT s.job FROM job_source s WHERE s.medium = ANY ($1)) AND j.state::text = ANY ($2)
              ORDER BY j.id DESC",
            &media, &states
        )
        .fetch_all(&mut *conn)
        .await?;
        with_skips(conn, rows).await?
    }))
}

/// Jobs with what they could not move, and what they moved from another copy. Most jobs have neither, and who follows one
/// asks again and again: that costs a statement.
pub(super) async fn with_skips(on: &mut PgConnection, rows: Vec<JobRow>) -> std::result::Result<Vec<Job>, Stop> {
    let which =
        |has: fn(&JobRow) -> bool| -> Vec<i64> { rows.iter().filter(|row| has(row)).map(|row| row.id).collect() };
    let mut skips = skips_of(on, &which(|row| row.skipped)).await?;
    let substituted = which(|row| row.substituted);
    let mut substitutions = match substituted.is_empty() {
        true => BTreeMap::new(),
        false => super::substitutions::of_jobs(on, &substituted).await?,
    };
    let mut jobs = Vec::with_capacity(rows.len());
    for row in rows {
        let skips = skips.remove(&row.id).unwrap_or_default();
        let substitutions = substitutions.remove(&row.id).unwrap_or_default();
        jobs.push(row.job(skips, substitutions)?);
    }
    Ok(jobs)
}

async fn skips_of(on: &mut PgConnection, jobs: &[i64]) -> std::result::Result<BTreeMap<i64, Vec<Skip>>, Stop> {
    let mut skips: BTreeMap<i64, Vec<Skip>> = BTreeMap::new();
    if jobs.is_empty() {
        return Ok(skips);
    }
    let found = sqlx::query!(
        "SELECT job, extent, oid, medium, reason, integrity FROM job_skip WHERE job = ANY ($1) ORDER BY job, extent",
        jobs
    )
    .fetch_all(&mut *on)
    .await?;
    for row in found {
        skips.entry(row.job).or_default().push(Skip {
            extent: ExtentId(row.extent),
            oid: oid(row.oid)?,
            medium: MediumId(row.medium),
            reason: row.reason,
            integrity: row.integrity,
        });
    }
    Ok(skips)
}

/// One job, its row locked against a change of its state.
pub(super) async fn share(on: &mut PgConnection, id: JobId) -> std::result::Result<Job, Stop> {
    let row = job_query!("WHERE j.id = $1 FOR SHARE OF j", id.0)
        .fetch_optional(&mut *on)
        .await?;
    one(on, id, row.map(JobRow::waited_for)).await
}

/// One job, its row locked for a change of its state.
pub(super) async fn lock(on: &mut PgConnection, id: JobId) -> std::result::Result<Job, Stop> {
    let row = job_query!("WHERE j.id = $1 FOR NO KEY UPDATE OF j", id.0)
        .fetch_optional(&mut *on)
        .await?;
    one(on, id, row.map(JobRow::waited_for)).await
}

/// One job.
pub(super) async fn fetch(on: &mut PgConnection, id: JobId) -> std::result::Result<Job, Stop> {
    let row = job_query!("WHERE j.id = $1", id.0).fetch_optional(&mut *on).await?;
    one(on, id, row).await
}

async fn one(on: &mut PgConnection, id: JobId, row: Option<JobRow>) -> std::result::Result<Job, Stop> {
    match row {
        Some(row) => Ok(with_skips(on, vec![row]).await?.remove(0)),
        None => Err(CatalogueError::NotFound {
            what: "job",
            name: id.to_string(),
        }
        .into()),
    }
}

pub(super) struct MoveRow {
    pub job: i64,
    pub old_extent: Uuid,
    pub new_extent: Uuid,
    pub state: String,
}

impl TryFrom<MoveRow> for Move {
    type Error = CatalogueError;

    fn try_from(row: MoveRow) -> Result<Self> {
        Ok(Self {
            job: JobId(row.job),
            old: ExtentId(row.old_extent),
            new: ExtentId(row.new_extent),
            state: word(&row.state)?,
        })
    }
}
