//! The suite that every catalogue passes.

use crate::evidence;
use crate::support::{self, Fresh};
use dss::catalogue::Catalogue;
use dss::conformance::{Backend, Trap};
use dss::model::evidence::{DigestReceipt, EvidenceError};
use dss::model::{Digested, Digests, Extent, ExtentId, KnownHash, Object, ReadBack, Recorded, Span, Synced};
use std::sync::Arc;

#[async_trait::async_trait]
impl Backend for Fresh {
    fn catalogue(&self) -> Arc<dyn Catalogue> {
        Arc::clone(&self.pg) as Arc<dyn Catalogue>
    }

    async fn share(&self, extent: ExtentId, object: Object) {
        let mut raw = self.raw().await;
        let stamp = |time| jiff_sqlx::Timestamp::from(time);
        sqlx::query(
            "WITH o AS (INSERT INTO object (id, oid, version, bytes, copies, \"grouping\", metadata, created_at,
                                            deleted_at)
                        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id),
                  c AS (INSERT INTO copy SELECT id, 0, 'simple', '{}', 1 FROM o RETURNING object_id)
             INSERT INTO layout SELECT object_id, 0, 0, $10 FROM c",
        )
        .bind(object.id.0)
        .bind(object.oid.as_str())
        .bind(object.version.0)
        .bind(object.bytes.as_i64())
        .bind(object.copies.0)
        .bind(&object.grouping)
        .bind(serde_json::to_value(&object.metadata).expect("plain JSON"))
        .bind(stamp(object.created_at))
        .bind(object.deleted_at.map(stamp))
        .bind(extent.0)
        .execute(&mut raw)
        .await
        .expect("the tables allow it");
    }

    fn synced(&self, recorded: Recorded, bytes: &[u8]) -> Synced {
        evidence::synced(recorded, bytes)
    }

    fn synced_at(&self, recorded: Recorded, bytes: &[u8], span: Span) -> Synced {
        evidence::synced_at(recorded, bytes, Some(span))
    }

    fn read_back(&self, extent: &Extent) -> ReadBack {
        evidence::read_back(extent)
    }

    fn digested(&self, extent: &Extent, bytes: &[u8], known: &[KnownHash]) -> Result<Digested, EvidenceError> {
        let receipt = DigestReceipt::of_stream(Digests::of(bytes)).with_hashes(known.to_vec());
        Digested::checked(extent, known, receipt)
    }
}

async fn fresh(trap: Arc<Trap>) -> Box<dyn Backend> {
    Box::new(support::fresh(trap).await)
}

dss::conformance!(fresh);
