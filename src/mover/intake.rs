//! The evidence for bytes that a client sends: there is nothing to compare them with yet, so what passed in stream is
//! what they are from now on.

use dss::model::evidence::{DigestReceipt, EvidenceError, WriteReceipt};
use dss::model::{Digests, Recorded, Verified, Written};

/// An extent of a put that its medium took whole. `stream` was computed over the very bytes that went to the medium; the
/// medium's receipt must name the same.
pub fn taken(recorded: Recorded, stream: Digests, receipt: WriteReceipt) -> Result<Written, EvidenceError> {
    let verified = Verified::checked(recorded, DigestReceipt::of_stream(stream))?;
    Written::accepted(verified, receipt)
}
