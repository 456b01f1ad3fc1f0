//! The evidence that a data path gathers, made by hand for catalogues that are tested without one.

use dss::model::evidence::{DigestReceipt, SyncReceipt, WriteReceipt, WriteSerial};
use dss::model::{Digests, Extent, ReadBack, Recorded, Span, Synced, Verified, Written};

/// Everything up to *Synced* for bytes that were recorded.
pub fn synced(recorded: Recorded, bytes: &[u8]) -> Synced {
    synced_at(recorded, bytes, None)
}

/// The same for bytes that lie there on a tape.
pub fn synced_at(recorded: Recorded, bytes: &[u8], span: Option<Span>) -> Synced {
    let digests = Digests::of(bytes);
    let (medium, generation, id) = {
        let extent = recorded.extent();
        (extent.medium, extent.generation, extent.id)
    };
    let serial = WriteSerial { mount: 1, count: 1 };
    let verified = Verified::checked(recorded, DigestReceipt::of_stream(digests.clone())).expect("the same bytes");
    let receipt = WriteReceipt::accepted(id, digests, Some(1), serial);
    let receipt = match span {
        Some(span) => receipt.at(span),
        None => receipt,
    };
    let written = Written::accepted(verified, receipt).expect("the same extent");
    Synced::durable(written, &SyncReceipt::durable(medium, generation, serial)).expect("the same mount")
}

/// The proof that an extent was read back whole.
pub fn read_back(extent: &Extent) -> ReadBack {
    let digests = extent.digests.clone().expect("a sync extent has digests");
    ReadBack::checked(extent, &DigestReceipt::of_stream(digests)).expect("its own digests")
}
