//! What a client sent, against what it announced and read, and against what its media can keep.

use crate::api::convert::UNREPRESENTABLE_ADVICE;
use crate::api::requests::StreamEnd;
use crate::api::{Problem, exit};
use dss::model::{Blake3, ByteCount, Oid};
use lrs::ldm::MediaError;

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
    let message = format!("'{oid}' changed while it was read: {what}; nothing of it counts");
    Problem::refused("changed_while_read", oid.as_str(), message).next("put it again when nobody writes to the file")
}

/// A medium cannot keep what is said of it. Neither the medium nor any other object is concerned.
pub(super) fn unrepresentable(oid: &Oid, error: &MediaError) -> Problem {
    let message = format!("{error}; nothing of '{oid}' counts");
    Problem::refused("unrepresentable", oid.as_str(), message).next(UNREPRESENTABLE_ADVICE)
}

/// The client gave it up. Its word is passed on: only it knows whether its file changed or its disk failed.
pub(super) fn given_up(oid: &Oid, why: &Problem) -> Problem {
    let message = format!("{}; nothing of '{oid}' counts", why.message);
    let told = match why.exit {
        exit::REFUSED => Problem::refused(&why.code, oid.as_str(), message),
        _ => Problem::environment(&why.code, &why.blame, oid.as_str(), message),
    };
    told.next(&why.next)
}

/// The client went away, and nobody hears this but the log.
pub(super) fn cut_short(oid: &Oid) -> Problem {
    let message = format!("'{oid}' was not sent whole: the stream ended within it; nothing of it counts");
    Problem::environment("unsent", "operator", oid.as_str(), message).next("put it again")
}

pub(super) fn out_of_order(oid: &Oid, what: &str) -> Problem {
    Problem::bug(oid.as_str(), format!("object '{oid}' {what}"))
}
