//! What a repack would do, told line by line.

use super::answer::{ClientLeft, Failure, Sink, lines};
use super::jobs::spec;
use super::lists::names;
use super::server::Daemon;
use crate::api::plan::{Action, NotMoved, PlanLine, PlanStaging, PlanTarget};
use crate::api::{PlanStep, PlanSummary, Problem, RepackRequest};
use crate::engine::{self, Planned};
use crate::host::Host;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use dss::model::{JobSpec, MediumId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// `repack --plan`.
pub(super) async fn plan(
    State(daemon): State<Arc<Daemon>>,
    Json(request): Json<RepackRequest>,
) -> Result<Response, Failure> {
    let host = Arc::clone(&daemon.host);
    let spec = spec(&host, request).await?;
    let told = Told {
        planned: engine::plan(&host, &spec).await?,
        names: names(&host).await?,
        host,
    };
    Ok(lines(move |sink| async move {
        if told.steps(&sink).await?.is_ok() {
            // Whoever left wants no summary either, and nobody reads it.
            let _ = told.stays(&sink).await?;
        }
        Ok(told.summary(&spec))
    }))
}

type Lines = Sink<PlanLine, PlanSummary>;

/// A plan and the names of media.
struct Told {
    host: Arc<Host>,
    planned: Planned,
    names: BTreeMap<MediumId, String>,
}

impl Told {
    fn name(&self, id: &MediumId) -> String {
        self.names.get(id).cloned().unwrap_or_else(|| id.to_string())
    }

    async fn steps(&self, sink: &Lines) -> Result<Result<(), ClientLeft>, Problem> {
        let steps = &self.planned.steps;
        for page in steps.pages() {
            for step in steps.named(&self.host, page).await? {
                let step = PlanStep {
                    extent: step.extent,
                    oid: step.oid,
                    medium: self.name(&step.medium),
                    bytes: step.bytes,
                    action: Action::Locate,
                    start_block: step.start_block,
                };
                if let Err(left) = sink.item(PlanLine::Step(step)).await {
                    return Ok(Err(left));
                }
            }
        }
        Ok(Ok(()))
    }

    async fn stays(&self, sink: &Lines) -> Result<Result<(), ClientLeft>, Problem> {
        let mut reasons = self.planned.stays.reasons();
        while let Some(page) = engine::named_stays(&self.host, &mut reasons).await? {
            for one in page {
                let stays = NotMoved {
                    extent: one.extent,
                    oid: one.oid,
                    dropped: one.why.is_dropped(),
                    why: one.why.to_string(),
                };
                if let Err(left) = sink.item(PlanLine::Stays(stays)).await {
                    return Ok(Err(left));
                }
            }
        }
        Ok(Ok(()))
    }

    fn summary(&self, spec: &JobSpec) -> PlanSummary {
        let planned = &self.planned;
        let target = |(medium, extents, bytes): &(MediumId, u64, _)| PlanTarget {
            medium: self.name(medium),
            extents: *extents,
            bytes: *bytes,
        };
        PlanSummary {
            sources: spec.sources.iter().map(|source| self.name(source)).collect(),
            targets: planned.targets.iter().map(target).collect(),
            bytes: planned.bytes,
            predicted_seconds: planned.predicted_seconds,
            // A directory has no order that costs more than another.
            block_order_seconds: planned.predicted_seconds,
            lower_bound_seconds: planned.predicted_seconds,
            reclaimed_bytes: planned.reclaimed,
            dropped_bytes: planned.dropped,
            staged: planned.staged.map(|staging| PlanStaging {
                spool_bytes: staging.spool,
                rounds: staging.rounds,
                mounts: staging.mounts,
            }),
            error: planned.refusal.clone(),
        }
    }
}
