//! Listings a page at a time, so that no list is ever held whole.

use super::deleted::or_deleted;
use crate::api::Problem;
use crate::host::Host;
use dss::catalogue::{ExtentFilter, ObjectFilter, Page};
use dss::model::{Extent, ExtentId, MediumId, ObjectDetail, Oid, Version};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The rows of one page.
pub const PAGE: u32 = 1000;

/// Objects by name and version.
pub struct Objects {
    host: Arc<Host>,
    filter: ObjectFilter,
    after: Option<(Oid, Version)>,
    ended: bool,
}

impl Objects {
    /// From the first on.
    pub fn new(host: &Arc<Host>, filter: ObjectFilter) -> Self {
        Self {
            host: Arc::clone(host),
            filter,
            after: None,
            ended: false,
        }
    }

    /// The next page; empty after the last.
    pub async fn next(&mut self) -> Result<Vec<ObjectDetail>, Problem> {
        if self.ended {
            return Ok(Vec::new());
        }
        let page = self
            .host
            .catalogue
            .list_objects(&self.filter, self.after.take(), PAGE)
            .await?;
        self.ended = page.len() < PAGE as usize;
        self.after = page.last().map(|last| (last.object.oid.clone(), last.object.version));
        Ok(page)
    }
}

/// Extents by id.
pub struct Extents {
    host: Arc<Host>,
    filter: ExtentFilter,
    after: Option<ExtentId>,
    ended: bool,
}

impl Extents {
    /// From the first on.
    pub fn new(host: &Arc<Host>, filter: ExtentFilter) -> Self {
        Self {
            host: Arc::clone(host),
            filter,
            after: None,
            ended: false,
        }
    }

    /// The next page; empty after the last.
    pub async fn next(&mut self) -> Result<Vec<Extent>, Problem> {
        if self.ended {
            return Ok(Vec::new());
        }
        let page = Page {
            after: self.after,
            limit: PAGE,
        };
        let page = self.host.catalogue.extents(&self.filter, page).await?;
        self.ended = page.len() < PAGE as usize;
        self.after = page.last().map(|last| last.id);
        Ok(page)
    }
}

/// One version of an object; without a version, the live one.
pub async fn show(host: &Host, oid: &Oid, version: Option<Version>) -> Result<ObjectDetail, Problem> {
    match host.catalogue.object(oid, version).await {
        Ok(detail) => Ok(detail),
        Err(error) => Err(or_deleted(host, oid, error).await),
    }
}

/// What the operator calls the media.
pub async fn media_names(host: &Host) -> Result<BTreeMap<MediumId, String>, Problem> {
    let media = host.catalogue.media().await?;
    Ok(media.into_iter().map(|medium| (medium.id, medium.name)).collect())
}
