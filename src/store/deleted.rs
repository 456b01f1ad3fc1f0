//! What is told of an object that was deleted and can still be had back: when, and how, instead of that there is none.

use crate::api::Problem;
use crate::host::Host;
use dss::catalogue::{CatalogueError, ObjectFilter};
use dss::model::{Object, Oid};

/// Versions of one page.
const PAGE: u32 = 100;

/// Why there is no live version of an object.
pub async fn or_deleted(host: &Host, oid: &Oid, error: CatalogueError) -> Problem {
    let CatalogueError::NotFound { what: "object", .. } = error else {
        return error.into();
    };
    let newest = match newest(host, oid).await {
        Ok(newest) => newest,
        // What failed first is told.
        Err(_) => return error.into(),
    };
    let Some((version, at)) = newest.and_then(|newest| Some((newest.version, newest.deleted_at?))) else {
        return error.into();
    };
    let message = format!("object '{oid}' was deleted at {at}; its version {version} can still be had back");
    Problem::refused("not_found", oid.as_str(), message).next(format!("`respool undelete {oid}` brings it back"))
}

/// The newest version of an object that was not purged.
async fn newest(host: &Host, oid: &Oid) -> Result<Option<Object>, CatalogueError> {
    let filter = ObjectFilter {
        prefix: Some(oid.to_string()),
        deleted: true,
    };
    let (mut newest, mut after) = (None, None);
    loop {
        // A name comes before all that only begin so.
        let page = host.catalogue.list_objects(&filter, after.take(), PAGE).await?;
        let whole = page.len() == PAGE as usize;
        let mut objects = page.into_iter().map(|detail| detail.object);
        let all_of_it = objects.all(|object| {
            let of_it = object.oid == *oid;
            if of_it {
                after = Some((object.oid.clone(), object.version));
                newest = Some(object);
            }
            of_it
        });
        if !(whole && all_of_it) {
            return Ok(newest);
        }
    }
}
