//! What a client sent, against what it announced and read.

use crate::api::Problem;
use crate::api::requests::StreamEnd;
use dss::model::{Blake3, ByteCount, Oid};

/// What came, what was announced and what the client read must be the same.
pub(super) fn agrees(
    oid: &Oid,
    announced: ByteCount,
    (received, digest): (ByteCount, Blake3),
    end: StreamEnd,
) -> Result<(), Problem> {
    if received != announced || end.bytes != announced {
        let what = format!(
            "{} bytes were announced, {} read and {} received",
            announced.0, end.bytes.0, received.0
        );
        return Err(changed(oid, &what));
    }
    if end.blake3 != digest {
        let message = format!("'{oid}' arrived with other bytes than the client read; nothing of it was stored");
        return Err(Problem::integrity("digest_mismatch", "us", oid.as_str(), message)
            .next("repeat the put; if it happens again, test this machine's memory"));
    }
    Ok(())
}

pub(super) fn changed(oid: &Oid, what: &str) -> Problem {
    let message = format!("'{oid}' changed while it was read: {what}; nothing of it was stored");
    Problem::environment("changed_while_read", "operator", oid.as_str(), message)
        .next("put it again when nobody writes to the file")
}

pub(super) fn unsent(oid: &Oid, why: &str) -> Problem {
    let message = format!("'{oid}' was not sent whole: {why}; nothing of it was stored");
    Problem::environment("unsent", "operator", oid.as_str(), message).next("put it again")
}

pub(super) fn out_of_order(oid: &Oid, what: &str) -> Problem {
    Problem::bug(oid.as_str(), format!("object '{oid}' {what}"))
}
