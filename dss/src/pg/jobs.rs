//! Jobs: asked for, advanced, steered, and what they could not do.

use super::PgCatalogue;
use super::codec::{all, stamp, to_json};
use super::events::append;
use super::job_rows::{self, MoveRow};
use super::quarantine;
use super::records;
use super::retry::{Stop, reading, repeat};
use crate::catalogue::{CatalogueError, MoveIntent, Page, Result};
use crate::model::{
    AdmState, Epoch, Extent, ExtentId, ExtentState, Job, JobControl, JobError, JobId, JobKind, JobSpec, JobState,
    Medium, MediumFormat, MediumId, Move, MoveState, Owner, ReadBack, Recorded, Skip, Step, Tally,
};
use jiff::Timestamp;
use serde_json::json;
use sqlx::PgConnection;
use sqlx::types::Uuid;
use std::collections::{BTreeMap, BTreeSet};

/// Inserts a job and takes its sources out of service.
pub(super) async fn create(catalogue: &PgCatalogue, kind: JobKind, spec: JobSpec, now: Timestamp) -> Result<Job> {
    let job = repeat!(catalogue, "create_job", tx => {
        claim_sources(tx.on(), kind, &spec).await?;
        let id = sqlx::query_scalar!(
            "INSERT INTO job (kind, state, control, spec, tally, created_at)
             VALUES (($1::text)::job_kind, 'queued', 'run', $2, $3, $4) RETURNING id",
            kind.as_str(), to_json(&spec), to_json(&Tally::default()), stamp(now) as _
        )
        .fetch_one(tx.on())
        .await?;
        let sources: Vec<Uuid> = spec.sources.iter().map(|medium| medium.0).collect();
        sqlx::query!(
            "INSERT INTO job_source (job, medium, position, active)
             SELECT $1, s.medium, s.position, true FROM unnest($2::uuid[]) WITH ORDINALITY AS s (medium, position)",
            id, &sources
        )
        .execute(tx.on())
        .await
        .map_err(taken)?;
        append(tx.on(), now, "job.queued", &id.to_string(), json!({ "kind": kind, "sources": spec.sources })).await?;
        let job = job_rows::fetch(tx.on(), JobId(id)).await?;
        tx.commit_at(Some(Step::RequestBeforeCommit)).await?;
        job
    });
    catalogue.checkpoints.reach(Step::RequestAfterCommit);
    Ok(job)
}

/// A source that another active job has.
fn taken(error: sqlx::Error) -> Stop {
    let constraint = error.as_database_error().and_then(|database| database.constraint());
    match constraint {
        Some("job_source_one_active") => CatalogueError::Conflict {
            subject: "a source".into(),
            why: "an active job has it; wait for that job, or cancel it".into(),
        }
        .into(),
        Some("job_source_pkey") => CatalogueError::Conflict {
            subject: "a source".into(),
            why: "it is named twice".into(),
        }
        .into(),
        _ => error.into(),
    }
}

/// Locks the sources by id, refuses those that are in no state to be emptied, and makes them *read_only*. A migration
/// of single extents leaves its medium in use.
async fn claim_sources(on: &mut PgConnection, kind: JobKind, spec: &JobSpec) -> std::result::Result<(), Stop> {
    let ids: BTreeSet<MediumId> = spec.sources.iter().copied().collect();
    for id in &ids {
        let medium = super::media::lock(on, *id).await?;
        let holder = sqlx::query_scalar!("SELECT job FROM job_source WHERE medium = $1 AND active", id.0)
            .fetch_optional(&mut *on)
            .await?;
        let why = match (medium.adm_state, holder) {
            (_, Some(job)) => format!("job {job} has it; wait for that job, or cancel it"),
            (AdmState::Quarantined | AdmState::Erasing | AdmState::Dead, None) => format!("it is {}", medium.adm_state),
            (
                AdmState::InService
                | AdmState::ReadOnly
                | AdmState::Draining
                | AdmState::AbandonShip
                | AdmState::Retired,
                None,
            ) => continue,
        };
        let subject = format!("medium {}", medium.name);
        return Err(CatalogueError::Conflict { subject, why }.into());
    }
    if kind == JobKind::Repack {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        // Draining, abandon_ship and retired say more than read_only, and take nothing new either.
        sqlx::query!(
            "UPDATE medium SET adm_state = 'read_only', operator_state = 'in_service'
              WHERE id = ANY ($1) AND adm_state = 'in_service'",
            &ids
        )
        .execute(on)
        .await?;
    }
    Ok(())
}

/// Moves a job from one of the expected states.
pub(super) async fn advance(
    catalogue: &PgCatalogue,
    id: JobId,
    expected: &[JobState],
    to: JobState,
    tally: &Tally,
    error: Option<&JobError>,
    now: Timestamp,
) -> Result<Job> {
    let rests = !to.is_active() || to == JobState::Quarantined;
    Ok(repeat!(catalogue, "advance_job", tx => {
        if to == JobState::Restored {
            quarantine::end_within(tx.on(), id, now).await?;
        }
        let job = job_rows::lock(tx.on(), id).await?;
        if !expected.contains(&job.state) {
            let why = format!("it is {}", job.state);
            return Err(CatalogueError::Conflict { subject: format!("job {id}"), why }.into());
        }
        sqlx::query!(
            "UPDATE job SET state = ($2::text)::job_state, tally = $3, error = coalesce(error, $4),
                    finished_at = CASE WHEN $5 THEN $6::timestamptz END,
                    control = CASE WHEN $7 THEN control ELSE 'run' END WHERE id = $1",
            id.0, to.as_str(), to_json(tally), error.map(to_json), rests, stamp(now) as _, to.heeds_control()
        )
        .execute(tx.on())
        .await?;
        if job.kind == JobKind::Migrate && to == JobState::Done {
            let_go(tx.on(), id).await?;
        }
        sqlx::query!("UPDATE job_source SET active = $2 WHERE job = $1 AND active <> $2", id.0, to.is_active())
            .execute(tx.on())
            .await
            .map_err(taken)?;
        if job.state != to {
            let detail = json!({ "from": job.state, "to": to, "error": error });
            append(tx.on(), now, &format!("job.{to}"), &id.to_string(), detail).await?;
        }
        let job = job_rows::fetch(tx.on(), id).await?;
        tx.commit().await?;
        job
    }))
}

/// The old bytes of a migration are held until it was read back and is done; their medium stays in use.
async fn let_go(on: &mut PgConnection, job: JobId) -> std::result::Result<(), Stop> {
    let ids = sqlx::query_scalar!(
        "SELECT e.id FROM extent e JOIN job_move v ON v.old_extent = e.id
          WHERE v.job = $1 AND v.state IN ('swapped', 'read_back') AND e.state = 'orphan' AND e.hold_forever
          ORDER BY e.id FOR UPDATE OF e",
        job.0
    )
    .fetch_all(&mut *on)
    .await?;
    sqlx::query!("UPDATE extent SET hold_forever = false WHERE id = ANY ($1)", &ids)
        .execute(on)
        .await?;
    Ok(())
}

/// What the operator wants next.
pub(super) async fn control(catalogue: &PgCatalogue, id: JobId, control: JobControl, now: Timestamp) -> Result<Job> {
    Ok(repeat!(catalogue, "control_job", tx => {
        let job = job_rows::lock(tx.on(), id).await?;
        if control != JobControl::Run && !job.state.heeds_control() {
            let why = format!("it is {} and cannot be stopped", job.state);
            return Err(CatalogueError::Conflict { subject: format!("job {id}"), why }.into());
        }
        sqlx::query!("UPDATE job SET control = ($2::text)::job_control WHERE id = $1", id.0, control.as_str())
            .execute(tx.on())
            .await?;
        let job = job_rows::fetch(tx.on(), id).await?;
        append(tx.on(), now, "job.control", &id.to_string(), json!({ "control": control })).await?;
        tx.commit().await?;
        job
    }))
}

/// Adds to what a job could not move.
pub(super) async fn add_skips(catalogue: &PgCatalogue, id: JobId, skips: &[Skip], now: Timestamp) -> Result<()> {
    // The last word on an extent counts; one statement may not touch a row twice.
    let skips: BTreeMap<ExtentId, &Skip> = skips.iter().map(|skip| (skip.extent, skip)).collect();
    let extents: Vec<Uuid> = skips.keys().map(|extent| extent.0).collect();
    let oids: Vec<String> = skips.values().map(|skip| skip.oid.as_str().to_owned()).collect();
    let media: Vec<Uuid> = skips.values().map(|skip| skip.medium.0).collect();
    let reasons: Vec<String> = skips.values().map(|skip| skip.reason.clone()).collect();
    let integrity: Vec<bool> = skips.values().map(|skip| skip.integrity).collect();
    repeat!(catalogue, "add_skips", tx => {
        job_rows::share(tx.on(), id).await?;
        sqlx::query!(
            "INSERT INTO job_skip (job, extent, oid, medium, reason, integrity)
             SELECT $1, s.* FROM unnest($2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::boolean[]) AS s
             ON CONFLICT (job, extent) DO UPDATE SET oid = excluded.oid, medium = excluded.medium,
                reason = excluded.reason, integrity = excluded.integrity",
            id.0, &extents, &oids, &media, &reasons, &integrity
        )
        .execute(tx.on())
        .await?;
        append(tx.on(), now, "job.skipped", &id.to_string(), json!({ "extents": extents.len() })).await?;
        tx.commit().await?
    });
    Ok(())
}

/// Forgets skips.
pub(super) async fn clear_skips(catalogue: &PgCatalogue, id: JobId) -> Result<()> {
    repeat!(catalogue, "clear_skips", tx => {
        sqlx::query!("DELETE FROM job_skip WHERE job = $1", id.0).execute(tx.on()).await?;
        tx.commit().await?
    });
    Ok(())
}

/// Inserts the target extents of a batch.
pub(super) async fn record_moves(
    catalogue: &PgCatalogue,
    job: JobId,
    moves: Vec<MoveIntent>,
    epochs: &BTreeMap<MediumId, Epoch>,
    now: Timestamp,
) -> Result<Vec<Recorded>> {
    let owner = Owner::Move(job);
    let (olds, mut news): (Vec<ExtentId>, Vec<_>) = moves.into_iter().map(|intent| (intent.old, intent.new)).unzip();
    let old_ids: Vec<Uuid> = olds.iter().map(|id| id.0).collect();
    let new_ids: Vec<Uuid> = news.iter().map(|extent| extent.id.0).collect();
    let mut hashes = repeat!(catalogue, "record_moves", tx => {
        let row = job_rows::share(tx.on(), job).await?;
        if !row.state.is_active() {
            let why = format!("it is {} and moves nothing", row.state);
            return Err(CatalogueError::Conflict { subject: format!("job {job}"), why }.into());
        }
        records::lock_targets(tx.on(), &news, epochs).await?;
        let objects = sqlx::query_scalar!("SELECT DISTINCT object_id FROM layout WHERE extent = ANY ($1)", &old_ids)
            .fetch_all(tx.on())
            .await?;
        super::locks::objects(tx.on(), &objects).await?;
        compare(tx.on(), &olds, &old_ids, &mut news).await?;
        let hashes = super::volume::hashes_of(tx.on(), &old_ids).await?;
        copies_apart(tx.on(), &old_ids, &news).await?;
        records::insert_pending(tx.on(), &news, owner, epochs, now).await?;
        sqlx::query!(
            "INSERT INTO job_move (new_extent, job, old_extent, state)
             SELECT m.new, $1, m.old, 'recorded' FROM unnest($2::uuid[], $3::uuid[]) AS m (new, old)",
            job.0, &new_ids, &old_ids
        )
        .execute(tx.on())
        .await?;
        tx.commit_at(Some(Step::RecordBeforeCommit)).await?;
        hashes
    });
    catalogue.checkpoints.reach(Step::RecordAfterCommit);
    let recorded = records::recorded(news, owner, epochs).into_iter().zip(&olds);
    Ok(recorded
        .map(|(one, old)| one.knowing(hashes.remove(old).unwrap_or_default()))
        .collect())
}

/// I3: size, digests and position are those of the old extent. Of imported bytes it may have become known what they digest
/// to since the caller looked.
async fn compare(
    on: &mut PgConnection,
    olds: &[ExtentId],
    old_ids: &[Uuid],
    news: &mut [crate::model::NewExtent],
) -> std::result::Result<(), Stop> {
    let rows = super::codec::extent_rows!("WHERE e.id = ANY ($1)", old_ids)
        .fetch_all(&mut *on)
        .await?;
    let known: BTreeMap<ExtentId, Extent> = all::<_, Extent>(rows)?.into_iter().map(|one| (one.id, one)).collect();
    for (old, new) in olds.iter().zip(news) {
        let Some(extent) = known.get(old) else {
            let why = "it is gone".to_owned();
            return Err(CatalogueError::Conflict {
                subject: format!("extent {old}"),
                why,
            }
            .into());
        };
        if extent.state != ExtentState::Sync {
            let why = "it is live no more; look again".to_owned();
            let subject = format!("extent {old}");
            return Err(CatalogueError::Conflict { subject, why }.into());
        }
        let missing = new.digests.is_none() && extent.digests.is_some();
        if missing && super::media::fetch(&mut *on, extent.medium).await?.format == MediumFormat::Ltfs {
            new.digests.clone_from(&extent.digests);
        }
        let same_place = (extent.origin.object, extent.origin.copy, extent.origin.index)
            == (new.origin.object, new.origin.copy, new.origin.index);
        if extent.bytes != new.bytes || extent.digests != new.digests || !same_place {
            let detail = format!(
                "extent {old} and its copy {} differ in size, digests or position",
                new.id
            );
            return Err(CatalogueError::Invariant {
                invariant: "I3",
                detail,
            }
            .into());
        }
    }
    Ok(())
}

/// I10 for every object that shares the old extent; the guard on the insert knows only the one it was written for.
async fn copies_apart(
    on: &mut PgConnection,
    old_ids: &[Uuid],
    news: &[crate::model::NewExtent],
) -> std::result::Result<(), Stop> {
    let targets: Vec<Uuid> = news.iter().map(|new| new.medium.0).collect();
    let shared = sqlx::query!(
        r#"SELECT o.oid, o.version, m.name
             FROM (SELECT array_agg(l.object_id) AS objects, array_agg(l.copy_no) AS copies, array_agg(n.medium) AS media
                     FROM unnest($1::uuid[], $2::uuid[]) AS n (old, medium)
                    CROSS JOIN LATERAL
                          (SELECT l.object_id, l.copy_no FROM layout l WHERE l.extent = n.old OFFSET 0) l) a
            CROSS JOIN LATERAL copies_that_share(a.objects, a.copies, a.media) s
             JOIN object o ON o.id = s.object_id JOIN medium m ON m.id = s.medium"#,
        old_ids,
        &targets
    )
    .fetch_optional(on)
    .await?;
    match shared {
        None => Ok(()),
        Some(row) => Err(CatalogueError::Invariant {
            invariant: "I10",
            detail: format!(
                "another copy of {} version {} is on medium {}",
                row.oid, row.version, row.name
            ),
        }
        .into()),
    }
}

/// A page of a job's moves.
pub(super) async fn moves(
    catalogue: &PgCatalogue,
    job: JobId,
    states: &[MoveState],
    page: Page<ExtentId>,
) -> Result<Vec<Move>> {
    let states: Vec<String> = states.iter().map(|state| state.as_str().to_owned()).collect();
    Ok(reading!(catalogue, conn => {
        let rows = sqlx::query_as!(
            MoveRow,
            r#"SELECT job, old_extent, new_extent, state::text AS "state!" FROM job_move
                WHERE job = $1 AND state = ANY ($2::text[]::move_state[]) AND new_extent > $3
                ORDER BY new_extent LIMIT $4"#,
            job.0, &states, page.after.map_or(Uuid::nil(), |id| id.0), i64::from(page.limit)
        )
        .fetch_all(&mut *conn)
        .await?;
        all(rows)?
    }))
}

/// Notes what was read back and is good, unless something spoke against the medium since the reading began.
pub(super) async fn mark_read_back(
    catalogue: &PgCatalogue,
    job: JobId,
    medium: &Medium,
    extents: &[ReadBack],
    now: Timestamp,
) -> Result<bool> {
    let ids: Vec<Uuid> = extents.iter().map(|read| read.extent().0).collect();
    Ok(repeat!(catalogue, "mark_read_back", tx => {
        // Held until the commit: whoever doubts the medium comes before the note, or finds it.
        let doubts = sqlx::query_scalar!("SELECT doubts FROM medium WHERE id = $1 FOR SHARE", medium.id.0)
            .fetch_one(tx.on())
            .await?;
        let holds = doubts == medium.doubts;
        if holds {
            note_read_back(tx.on(), job, medium.id, &ids, now).await?;
        }
        tx.commit().await?;
        holds
    }))
}

async fn note_read_back(
    on: &mut PgConnection,
    job: JobId,
    medium: MediumId,
    ids: &[Uuid],
    now: Timestamp,
) -> std::result::Result<(), Stop> {
    super::locks::extents(on, ids).await?;
    let noted = sqlx::query_scalar!(
        "UPDATE extent SET verified_at = $3 WHERE id = ANY ($1) AND medium = $2 RETURNING id",
        ids,
        medium.0,
        stamp(now) as _
    )
    .fetch_all(&mut *on)
    .await?;
    sqlx::query!(
        "UPDATE job_move SET state = 'read_back' WHERE job = $1 AND new_extent = ANY ($2) AND state = 'swapped'",
        job.0,
        &noted
    )
    .execute(on)
    .await?;
    Ok(())
}
