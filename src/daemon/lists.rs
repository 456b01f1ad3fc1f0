//! Listings and reports that only read the catalogue.

use super::answer::{Answer, ClientLeft, Failure, lines};
use super::server::Daemon;
use crate::api::check::CheckReport;
use crate::api::events::EventList;
use crate::api::objects::ObjectView;
use crate::api::requests::{EventsRequest, ExtentListRequest, ExtentRequest, ObjectListRequest, ObjectRequest};
use crate::api::wire::Nothing;
use crate::api::{Problem, extents, objects};
use crate::host::Host;
use crate::store;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use dss::catalogue::{ExtentFilter, Finding, ObjectFilter, Page, Severity};
use dss::model::{AdmState, Event, ExtentId, MediumId, ObjectDetail};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows of one page of a listing.
const PAGE: u32 = 2_000;

/// The names of all media.
pub async fn names(host: &Host) -> Result<BTreeMap<MediumId, String>, Problem> {
    let media = host.catalogue.media().await?;
    Ok(media.into_iter().map(|medium| (medium.id, medium.name)).collect())
}

/// What must be known of all media to tell about objects.
pub async fn for_objects(host: &Host) -> Result<objects::Names, Problem> {
    let mut names = objects::Names::default();
    for medium in host.catalogue.media().await? {
        if medium.adm_state == AdmState::Dead {
            names.dead.insert(medium.id);
        }
        names.of.insert(medium.id, medium.name);
    }
    Ok(names)
}

/// `object show`.
pub async fn object_show(State(daemon): State<Arc<Daemon>>, Json(request): Json<ObjectRequest>) -> Answer<ObjectView> {
    let detail = store::list::show(&daemon.host, &request.oid, request.version).await?;
    Ok(Json(version_view(&daemon.host, detail).await?))
}

/// One object, as it is told.
pub async fn object_view(host: &Host, detail: ObjectDetail) -> Result<ObjectView, Problem> {
    let unindexed = host.catalogue.unindexed(&extents_of(&detail)).await?;
    Ok(objects::view(detail, &unindexed, &for_objects(host).await?))
}

/// One version, live or not, as it is told.
pub async fn version_view(host: &Host, detail: ObjectDetail) -> Result<ObjectView, Problem> {
    let overwritten_by = match detail.object.deleted_at {
        Some(_) => store::deleted::overwritten_by(host, &detail.object).await?,
        None => None,
    };
    let told = object_view(host, detail).await?;
    Ok(ObjectView { overwritten_by, ..told })
}

fn extents_of(detail: &ObjectDetail) -> Vec<ExtentId> {
    detail.entries.iter().map(|entry| entry.extent.id).collect()
}

/// `object list`.
pub async fn object_list(State(daemon): State<Arc<Daemon>>, Json(request): Json<ObjectListRequest>) -> Response {
    let host = Arc::clone(&daemon.host);
    lines::<_, Nothing, _>(|sink| async move {
        let names = for_objects(&host).await?;
        let filter = ObjectFilter {
            prefix: request.prefix,
            deleted: request.deleted,
        };
        let mut after = None;
        let mut pages = Pages::default();
        loop {
            let page = host.catalogue.list_objects(&filter, after, PAGE).await?;
            after = page.last().map(|last| (last.object.oid.clone(), last.object.version));
            let whole = pages.next(page);
            let extents: Vec<ExtentId> = whole.iter().flat_map(extents_of).collect();
            let unindexed = host.catalogue.unindexed(&extents).await?;
            for told in objects::views(whole, &unindexed, &names) {
                if sink.item(told).await == Err(ClientLeft) {
                    return Ok(Nothing {});
                }
            }
            if after.is_none() {
                return Ok(Nothing {});
            }
        }
    })
}

/// Pages of versions, so that all of one name are together: how one ended is seen from those after it.
#[derive(Default)]
struct Pages {
    /// The versions of the last name, of which the next page may have more.
    held: Vec<ObjectDetail>,
}

impl Pages {
    /// Takes a page; answers all names that are complete. After the last one comes an empty page.
    fn next(&mut self, page: Vec<ObjectDetail>) -> Vec<ObjectDetail> {
        let last = page.last().map(|last| last.object.oid.clone());
        self.held.extend(page);
        let complete = last.and_then(|last| self.held.iter().position(|held| held.object.oid == last));
        let rest = self.held.split_off(complete.unwrap_or(self.held.len()));
        std::mem::replace(&mut self.held, rest)
    }
}

/// `extent list`.
pub async fn extent_list(
    State(daemon): State<Arc<Daemon>>,
    Json(request): Json<ExtentListRequest>,
) -> Result<Response, Failure> {
    let host = Arc::clone(&daemon.host);
    let medium = match &request.medium {
        Some(name) => Some(host.catalogue.medium(name).await?.id),
        None => None,
    };
    Ok(lines::<_, Nothing, _>(move |sink| async move {
        let names = names(&host).await?;
        let filter = ExtentFilter {
            medium,
            oid: request.oid,
            state: request.state,
            indexed: None,
        };
        let mut after = None;
        loop {
            let page = host.catalogue.extents(&filter, Page { after, limit: PAGE }).await?;
            let Some(last) = page.last() else { return Ok(Nothing {}) };
            after = Some(last.id);
            let ids: Vec<ExtentId> = page.iter().map(|extent| extent.id).collect();
            let unindexed = host.catalogue.unindexed(&ids).await?;
            for extent in page {
                if sink.item(extents::view(extent, &unindexed, &names)).await == Err(ClientLeft) {
                    return Ok(Nothing {});
                }
            }
        }
    }))
}

/// `extent show`.
pub async fn extent_show(
    State(daemon): State<Arc<Daemon>>,
    Json(request): Json<ExtentRequest>,
) -> Answer<extents::ExtentView> {
    let extent = daemon.host.catalogue.extent(request.extent).await?;
    let unindexed = daemon.host.catalogue.unindexed(&[extent.id]).await?;
    Ok(Json(extents::view(extent, &unindexed, &names(&daemon.host).await?)))
}

/// Why nothing is destroyed by its age now, and what to do, if that is so.
pub async fn clock_in_doubt(host: &Host) -> Result<Option<String>, Problem> {
    match host.may_destroy_by_age().await {
        Ok(()) => Ok(None),
        Err(problem) if problem.code == "clock_jumped" => Ok(Some(format!("{}: {}", problem.message, problem.next))),
        Err(problem) => Err(problem),
    }
}

/// `check`.
pub async fn check(State(daemon): State<Arc<Daemon>>, Json(Nothing {}): Json<Nothing>) -> Answer<CheckReport> {
    let now = daemon.host.clock.now();
    let mut findings = daemon.host.catalogue.findings(now).await?;
    if let Some(doubt) = clock_in_doubt(&daemon.host).await? {
        findings.push(Finding {
            severity: Severity::Warning,
            invariant: "clock".to_owned(),
            subject: "clock".to_owned(),
            detail: doubt,
        });
    } else {
        // While the clock is in doubt no age means anything.
        findings.extend(daemon.backups.finding(daemon.host.catalogue_id, now));
    }
    Ok(Json(CheckReport::of(findings)))
}

/// `events`.
pub async fn events(State(daemon): State<Arc<Daemon>>, Json(request): Json<EventsRequest>) -> Answer<EventList> {
    let host = &daemon.host;
    let limit = request.limit.unwrap_or(PAGE).min(10 * PAGE);
    let events = match request.after {
        after @ Some(_) => host.catalogue.events(Page { after, limit }).await?,
        None => newest(host, limit).await?,
    };
    Ok(Json(EventList::of(events, &names(host).await?)))
}

/// So many of the newest events, in their order. The log is asked by number alone, and not every number is there: more
/// of them are asked for until there are enough.
async fn newest(host: &Host, count: u32) -> Result<Vec<Event>, Problem> {
    let last = last_event(host).await?;
    let mut back = i64::from(count);
    loop {
        let after = last.saturating_sub(back).max(0);
        let page = Page {
            after: Some(after),
            limit: u32::try_from(back).unwrap_or(u32::MAX),
        };
        let mut found = host.catalogue.events(page).await?;
        let spare = found.len().checked_sub(count as usize);
        if after == 0 || spare.is_some() {
            return Ok(found.split_off(spare.unwrap_or_default()));
        }
        back = back.saturating_mul(2);
    }
}

/// The number of the last event, 0 when there is none: felt for in steps that double as long as something comes after
/// them, and halve where nothing does.
async fn last_event(host: &Host) -> Result<i64, Problem> {
    let (mut last, mut step) = (0_i64, 1_i64);
    loop {
        let page = Page {
            after: Some(last.saturating_add(step)),
            limit: 1,
        };
        match host.catalogue.events(page).await?.first() {
            Some(event) => (last, step) = (event.seq, step.saturating_mul(2)),
            None if step == 0 => return Ok(last),
            None => step /= 2,
        }
    }
}
