//! The catalogue in memory does what any catalogue must.

mod evidence;

use dss::catalogue::Catalogue;
use dss::conformance::{Backend, Trap};
use dss::mem::MemCatalogue;
use dss::model::evidence::{DigestReceipt, EvidenceError};
use dss::model::{
    CatalogueId, Digested, Digests, Extent, ExtentId, KnownHash, Object, ReadBack, Recorded, Span, Synced,
};
use std::sync::Arc;

struct Mem(Arc<MemCatalogue>);

#[async_trait::async_trait]
impl Backend for Mem {
    fn catalogue(&self) -> Arc<dyn Catalogue> {
        Arc::clone(&self.0) as Arc<dyn Catalogue>
    }
    async fn share(&self, extent: ExtentId, object: Object) {
        self.0.share(extent, object);
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
    Box::new(Mem(Arc::new(MemCatalogue::new(CatalogueId::fresh(), true, trap))))
}

dss::conformance!(fresh);
