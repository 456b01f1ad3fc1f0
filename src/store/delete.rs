//! Deleting and undeleting. Both only mark versions: bytes stay until the undelete window ends and a purge or repack
//! lets them go.

use super::deleted::{or_deleted, or_not_deleted};
use crate::api::Problem;
use crate::host::Host;
use dss::model::{Object, Oid};

/// Marks the live version deleted.
pub async fn delete(host: &Host, oid: &Oid) -> Result<Object, Problem> {
    match host.catalogue.delete_object(oid, host.clock.now()).await {
        Ok(object) => Ok(object),
        Err(error) => Err(or_deleted(host, oid, error).await),
    }
}

/// Makes the newest deleted version live again.
pub async fn undelete(host: &Host, oid: &Oid) -> Result<Object, Problem> {
    match host.catalogue.undelete_object(oid, host.clock.now()).await {
        Ok(object) => Ok(object),
        Err(error) => Err(or_not_deleted(host, oid, error).await),
    }
}
