//! Reading objects back: every chunk is compared with its stored CRC-32 before it is handed out, and every extent with
//! its BLAKE3 before its last chunk is. What fails in one place is read in another: another copy, then orphans that are
//! still held, then wherever the layout points meanwhile.
//!
//! `reader` holds the grant and reads chunks, `sources` says where else to look.

mod reader;
mod sources;

use crate::api::Problem;
use crate::api::objects::FailedRead;
use crate::api::standing::in_doubt;
use crate::host::Host;
use bytes::Bytes;
use dss::model::{
    CHUNK_BYTES, Digester, Digests, Extent, ExtentIndex, MediumId, NewEvent, Object, ObjectDetail, Oid, Version,
};
use reader::{Fault, Seat};
use sources::Sources;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An object that is being read.
pub struct GetStream {
    host: Arc<Host>,
    detail: ObjectDetail,
    /// Digests and size of the extents, in order.
    extents: Vec<Extent>,
    /// The position of the extent under way.
    index: usize,
    /// Chunks of it that were handed out.
    chunk: usize,
    digester: Digester,
    sources: Sources,
    seat: Seat,
    names: BTreeMap<MediumId, String>,
    /// Of extents that were read elsewhere in the end.
    failed_reads: Vec<FailedRead>,
    ended: bool,
}

/// Finds an object and prepares to read it. No medium is asked for before its first byte is.
pub async fn open(host: &Arc<Host>, oid: &Oid, version: Option<Version>) -> Result<GetStream, Problem> {
    let detail = super::list::show(host, oid, version).await?;
    let extents = outline(&detail)?;
    let media = host.catalogue.media().await?;
    Ok(GetStream {
        sources: Sources::new(&detail, ExtentIndex(0)),
        seat: Seat::new(host, oid),
        host: Arc::clone(host),
        names: media.into_iter().map(|medium| (medium.id, medium.name)).collect(),
        detail,
        extents,
        index: 0,
        chunk: 0,
        digester: Digester::new(),
        failed_reads: Vec::new(),
        ended: false,
    })
}

/// One extent for every position, of whichever copy is complete. All copies of an object are cut alike.
fn outline(detail: &ObjectDetail) -> Result<Vec<Extent>, Problem> {
    let object = &detail.object;
    for copy in detail.copy_numbers() {
        let entries: Vec<_> = detail.entries.iter().filter(|entry| entry.copy == copy).collect();
        let in_order = entries
            .iter()
            .enumerate()
            .all(|(position, entry)| usize::try_from(entry.index.0) == Ok(position));
        let bytes: u64 = entries.iter().map(|entry| entry.extent.bytes.0).sum();
        let known = entries.iter().all(|entry| entry.extent.digests.is_some());
        if in_order && known && bytes == object.bytes.0 && !entries.is_empty() {
            return Ok(entries.into_iter().map(|entry| entry.extent.clone()).collect());
        }
    }
    let message = format!(
        "no copy of '{}' version {} is complete in the catalogue; nothing was read",
        object.oid, object.version
    );
    Err(Problem::integrity("incomplete_layout", "us", object.oid.as_str(), message).next("run `respool check`"))
}

impl GetStream {
    /// What is being read.
    pub fn object(&self) -> &Object {
        &self.detail.object
    }

    /// With its layouts, as they were when it was opened.
    pub fn detail(&self) -> &ObjectDetail {
        &self.detail
    }

    /// Where bytes could not be read before they were read elsewhere; known at the end.
    pub fn failed_reads(&self) -> &[FailedRead] {
        &self.failed_reads
    }

    /// The next verified bytes; None after the last. After an error there are no more.
    pub async fn next(&mut self) -> Option<Result<Bytes, Problem>> {
        while !self.ended {
            let expected = self.expected();
            if self.chunk == expected.chunk_crcs.len() {
                // Also the proof of an extent without bytes: it must be there all the same.
                match self.end_extent(&expected).await {
                    Ok(()) => continue,
                    Err(problem) => return Some(Err(problem)),
                }
            }
            let piece = self.piece(&expected).await;
            self.ended = piece.is_err();
            return Some(piece);
        }
        None
    }

    /// Gives the medium back early. Done by itself at the end, and after a while without progress.
    pub async fn close(self) {
        self.seat.leave().await;
    }

    fn expected(&self) -> Digests {
        self.extents[self.index]
            .digests
            .clone()
            .expect("an outline has only extents with digests")
    }

    async fn end_extent(&mut self, expected: &Digests) -> Result<(), Problem> {
        if expected.chunk_crcs.is_empty() {
            self.read_chunk(expected).await?;
        }
        self.failed_reads.extend(self.sources.failed_reads().cloned());
        self.index += 1;
        self.chunk = 0;
        self.digester = Digester::new();
        self.ended = self.index == self.extents.len();
        if self.ended {
            self.seat.leave().await;
        } else {
            let index = ExtentIndex(i32::try_from(self.index).expect("an object has less than 2^31 extents"));
            self.sources = Sources::new(&self.detail, index);
            self.seat.give_way().await;
        }
        Ok(())
    }

    /// The chunk at the present position, from wherever it can be had.
    async fn piece(&mut self, expected: &Digests) -> Result<Bytes, Problem> {
        let bytes = self.read_chunk(expected).await?;
        self.digester.update(&bytes);
        self.chunk += 1;
        Ok(bytes)
    }

    async fn read_chunk(&mut self, expected: &Digests) -> Result<Bytes, Problem> {
        loop {
            let Some(extent) = self.sources.next(&self.host, expected).await? else {
                self.seat.leave().await;
                self.ended = true;
                return Err(self.exhausted().await);
            };
            let read = self
                .seat
                .read(&extent, self.chunk, chunk_size(expected, self.chunk))
                .await;
            let fault = match read {
                Ok(bytes) => match self.verify(&bytes, expected) {
                    Ok(()) => return Ok(bytes),
                    Err(fault) => fault,
                },
                Err(fault) => fault,
            };
            self.seat.forget().await;
            self.note(&extent, &fault).await;
            let name = self
                .names
                .get(&extent.medium)
                .cloned()
                .unwrap_or_else(|| extent.medium.to_string());
            self.sources.failed(extent, name, fault);
        }
    }

    /// The chunk against its CRC-32, and with the last chunk the whole extent against its BLAKE3.
    fn verify(&self, bytes: &Bytes, expected: &Digests) -> Result<(), Fault> {
        if let Some(crc) = expected.chunk_crcs.get(self.chunk)
            && crc32fast::hash(bytes) != *crc
        {
            return Err(Fault::Corrupt(format!(
                "chunk {} does not digest to what was stored",
                self.chunk
            )));
        }
        if self.chunk + 1 < expected.chunk_crcs.len() {
            return Ok(());
        }
        let mut whole = self.digester.clone();
        whole.update(bytes);
        match whole.finish() == *expected {
            true => Ok(()),
            false => Err(Fault::Corrupt("its bytes do not digest to what was stored".to_owned())),
        }
    }

    /// A failure becomes an event; wrong bytes also count against the medium. The get goes on either way.
    async fn note(&self, extent: &Extent, fault: &Fault) {
        let now = self.host.clock.now();
        // Its bytes are not damaged: they went when the medium was erased, and a reconciliation finds them (E-16).
        let medium = self.host.catalogue.medium_by_id(extent.medium).await;
        if medium.is_ok_and(|medium| medium.generation > extent.generation) {
            return;
        }
        let kind = match fault {
            Fault::Corrupt(_) => "extent.corrupt",
            Fault::Unreadable(error) if error.fault.is_of_host() => return,
            Fault::Unreadable(_) => "extent.unreadable",
            Fault::Moved | Fault::Unavailable(_) => return,
        };
        let event = NewEvent {
            kind,
            subject: extent.id.to_string(),
            detail: serde_json::json!({
                "oid": extent.origin.oid, "medium": extent.medium, "why": fault.to_string(), "found_by": "get",
            }),
        };
        let mut noted = self.host.catalogue.note(event, now).await;
        if let Fault::Unreadable(error) = fault {
            self.host.lrs.report(extent.medium, error).await;
        }
        if fault.is_integrity() {
            let why = format!("extent {} of '{}': {fault}", extent.id, extent.origin.oid);
            noted = noted.and(self.host.catalogue.suspect(extent.medium, &why, now).await);
        }
        if let Err(error) = noted {
            tracing::warn!(extent = %extent.id, %fault, %error, "a bad extent was found and could not be noted");
        }
    }

    async fn exhausted(&self) -> Problem {
        let object = &self.detail.object;
        let tried = self.sources.tried();
        let message = format!(
            "'{}' version {} cannot be read at extent {}: {}",
            object.oid,
            object.version,
            self.index,
            match tried.is_empty() {
                true => "no medium holds it".to_owned(),
                false => tried.iter().map(FailedRead::to_string).collect::<Vec<_>>().join("; "),
            }
        );
        // An older catalogue may look for it where it was, and the media know better.
        let media = self.host.catalogue.media().await.unwrap_or_default();
        if let Some(problem) = in_doubt(&media, &message) {
            return problem;
        }
        match self.sources.saw_damage() {
            true => Problem::integrity("extent_corrupt", "extent", object.oid.as_str(), message)
                .next("look at these media with `respool medium show`; attach another that holds a copy"),
            false => Problem::environment("extent_unreadable", "medium", object.oid.as_str(), message)
                .next("attach, unlock or repair one of these media, then repeat the get"),
        }
    }
}

fn chunk_size(digests: &Digests, chunk: usize) -> usize {
    let rest = digests.bytes.0 - (chunk as u64 * CHUNK_BYTES).min(digests.bytes.0);
    usize::try_from(rest.min(CHUNK_BYTES)).expect("a chunk fits in memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_chunk_is_as_long_as_what_is_left() {
        let digests = Digests::of(&vec![0; CHUNK_BYTES as usize + 5]);
        assert_eq!(
            [0, 1, 2].map(|chunk| chunk_size(&digests, chunk)),
            [CHUNK_BYTES as usize, 5, 0]
        );
        assert_eq!(chunk_size(&Digests::of(b""), 0), 0);
    }
}
