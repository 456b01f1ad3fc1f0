//! The swap: new extents to *sync*, layouts from old to new, old extents to *orphan*, all or nothing.

use super::PgCatalogue;
use super::events::append;
use super::locks;
use super::records::{self, KnownDigests, Pending, SyncColumns};
use super::retry::{Stop, is_contention, repeat};
use crate::catalogue::{CatalogueError, Result, SWAP_MAX, SwapEntry, SwapOutcome, SwapTerms};
use crate::model::{ExtentId, Hold, MediumId, MoveState, Owner, Step};
use serde_json::json;
use sqlx::PgConnection;
use sqlx::types::Uuid;
use std::collections::{BTreeMap, BTreeSet};

/// Swaps entries atomically. Only when others get in the way again and again is a batch split in half: each half is
/// then atomic by itself.
pub(super) async fn batch(
    catalogue: &PgCatalogue,
    terms: SwapTerms,
    entries: &[SwapEntry],
) -> Result<Vec<SwapOutcome>> {
    if entries.len() > SWAP_MAX {
        return Err(CatalogueError::Conflict {
            subject: format!("job {}", terms.job),
            why: format!("a swap has at most {SWAP_MAX} entries, not {}", entries.len()),
        });
    }
    let mut outcomes = Vec::with_capacity(entries.len());
    let mut parts = vec![entries];
    while let Some(part) = parts.pop() {
        if part.is_empty() {
            continue;
        }
        match whole(catalogue, terms, part).await {
            Ok(mut done) => outcomes.append(&mut done),
            Err(error) if part.len() > 1 && is_contention(&error) => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.push(second);
                parts.push(first);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(outcomes)
}

async fn whole(catalogue: &PgCatalogue, terms: SwapTerms, entries: &[SwapEntry]) -> Result<Vec<SwapOutcome>> {
    let outcomes = repeat!(catalogue, "swap_batch", tx => {
        let outcomes = once(tx.on(), terms, entries).await?;
        tx.commit_at(Some(Step::SwapBeforeCommit)).await?;
        outcomes
    });
    catalogue.checkpoints.reach(Step::SwapAfterCommit);
    Ok(outcomes)
}

async fn once(
    on: &mut PgConnection,
    terms: SwapTerms,
    entries: &[SwapEntry],
) -> std::result::Result<Vec<SwapOutcome>, Stop> {
    let olds: Vec<Uuid> = entries.iter().map(|entry| entry.old.0).collect();
    let news: Vec<Uuid> = entries.iter().map(|entry| entry.new.extent().id.0).collect();
    let pending = lock(on, entries, &olds, &news).await?;
    let earlier = earlier_outcomes(on, terms, &news).await?;
    // Read again behind the locks: what pointed to an old extent before may not any more.
    let referenced: BTreeSet<Uuid> =
        sqlx::query_scalar!("SELECT DISTINCT extent FROM layout WHERE extent = ANY ($1)", &olds)
            .fetch_all(&mut *on)
            .await?
            .into_iter()
            .collect();
    let plan = Plan::of(terms, entries, &pending, &earlier, referenced)?;
    plan.write(on, terms).await?;
    Ok(plan.outcomes)
}

/// Leases, media, objects, extents and layouts, each by id.
async fn lock(
    on: &mut PgConnection,
    entries: &[SwapEntry],
    olds: &[Uuid],
    news: &[Uuid],
) -> std::result::Result<BTreeMap<ExtentId, Pending>, Stop> {
    let epochs: BTreeMap<MediumId, _> = entries
        .iter()
        .map(|entry| (entry.new.extent().medium, entry.new.epoch()))
        .collect();
    locks::leases(on, &epochs).await?;
    let sources = sqlx::query_scalar!("SELECT DISTINCT medium FROM extent WHERE id = ANY ($1)", olds)
        .fetch_all(&mut *on)
        .await?;
    let media: BTreeSet<MediumId> = sources
        .into_iter()
        .map(MediumId)
        .chain(epochs.keys().copied())
        .collect();
    locks::media(on, &media).await?;
    let objects = sqlx::query_scalar!("SELECT DISTINCT object_id FROM layout WHERE extent = ANY ($1)", olds)
        .fetch_all(&mut *on)
        .await?;
    locks::objects(on, &objects).await?;
    let both: Vec<Uuid> = olds.iter().chain(news).copied().collect();
    let pending = records::lock_pending(on, &both).await?;
    sqlx::query!(
        "SELECT extent FROM layout WHERE extent = ANY ($1) ORDER BY object_id, copy_no, index FOR UPDATE",
        olds
    )
    .fetch_all(on)
    .await?;
    Ok(pending)
}

/// What an earlier swap of the same entries did, whose answer nobody kept.
async fn earlier_outcomes(
    on: &mut PgConnection,
    terms: SwapTerms,
    news: &[Uuid],
) -> std::result::Result<BTreeMap<ExtentId, MoveState>, Stop> {
    let rows = sqlx::query!(
        r#"SELECT new_extent, state::text AS "state!" FROM job_move WHERE job = $1 AND new_extent = ANY ($2)"#,
        terms.job.0,
        news
    )
    .fetch_all(on)
    .await?;
    let mut states = BTreeMap::new();
    for row in rows {
        states.insert(ExtentId(row.new_extent), super::codec::word(&row.state)?);
    }
    Ok(states)
}

#[derive(Default)]
struct Plan {
    outcomes: Vec<SwapOutcome>,
    synced: SyncColumns,
    /// What old extents digest to that were imported, and read for the first time to be moved.
    digested: KnownDigests,
    from: Vec<Uuid>,
    to: Vec<Uuid>,
    vanished: Vec<Uuid>,
}

impl Plan {
    fn of(
        terms: SwapTerms,
        entries: &[SwapEntry],
        rows: &BTreeMap<ExtentId, Pending>,
        earlier: &BTreeMap<ExtentId, MoveState>,
        mut referenced: BTreeSet<Uuid>,
    ) -> Result<Self> {
        let mut plan = Self::default();
        for entry in entries {
            let new = entry.new.extent().id;
            let ours = rows.get(&new).is_some_and(|row| {
                row.pending && row.owner == Some(Owner::Move(terms.job)) && row.epoch == Some(entry.new.epoch())
            });
            if !ours {
                plan.outcomes
                    .push(answered(new, earlier.get(&new), referenced.contains(&entry.old.0))?);
            // The first entry that names an old extent gets its layouts.
            } else if referenced.remove(&entry.old.0) {
                plan.synced.push(&entry.new, None);
                if entry.new.extent().digests.is_none() {
                    plan.digested.push(entry.old, entry.new.digests());
                }
                plan.from.push(entry.old.0);
                plan.to.push(new.0);
                plan.outcomes.push(SwapOutcome::Swapped);
            } else {
                plan.vanished.push(new.0);
                plan.outcomes.push(SwapOutcome::Vanished);
            }
        }
        Ok(plan)
    }

    async fn write(&self, on: &mut PgConnection, terms: SwapTerms) -> std::result::Result<(), Stop> {
        self.synced.apply(on).await?;
        self.digested.note(on).await?;
        self.digested.require_same(on).await?;
        sqlx::query!(
            "UPDATE layout SET extent = s.new FROM unnest($1::uuid[], $2::uuid[]) AS s (old, new)
              WHERE layout.extent = s.old",
            &self.from,
            &self.to
        )
        .execute(&mut *on)
        .await?;
        records::orphan(on, &self.from, terms.hold).await?;
        records::orphan(on, &self.vanished, Hold::None).await?;
        sqlx::query!(
            "UPDATE job_move SET state = 'swapped' WHERE new_extent = ANY ($1)",
            &self.to
        )
        .execute(&mut *on)
        .await?;
        super::puts::drop_moves(on, &self.vanished).await?;
        sqlx::query!(
            r#"INSERT INTO medium_grouping (medium, name)
               SELECT DISTINCT e.medium, o."grouping" FROM extent e JOIN layout l ON l.extent = e.id
                 JOIN object o ON o.id = l.object_id WHERE e.id = ANY ($1) AND o."grouping" IS NOT NULL
               ON CONFLICT DO NOTHING"#,
            &self.to
        )
        .execute(&mut *on)
        .await?;
        let detail = json!({ "swapped": self.to.len(), "vanished": self.vanished.len() });
        append(&mut *on, terms.now, "job.swap", &terms.job.to_string(), detail).await?;
        super::substitutions::tell(on, &self.to, terms.now).await
    }
}

/// An entry whose new extent is not pending any more: answered from what was done with it.
fn answered(new: ExtentId, state: Option<&MoveState>, old_is_live: bool) -> Result<SwapOutcome> {
    match state {
        Some(MoveState::Swapped | MoveState::ReadBack) => Ok(SwapOutcome::Swapped),
        Some(MoveState::Dropped) if !old_is_live => Ok(SwapOutcome::Vanished),
        Some(MoveState::Recorded | MoveState::Dropped | MoveState::Returned) | None => Err(CatalogueError::Conflict {
            subject: format!("extent {new}"),
            why: "it is not pending for this job any more".into(),
        }),
    }
}
