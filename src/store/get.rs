//! Reading objects back: every chunk is compared with its stored CRC-32 before it is handed out, and every extent with
//! its BLAKE3 before its last chunk is. Of what was imported and never read only the length is known, and what other software
//! said of the whole, which is compared before the last chunk. What fails in one place is read in another: another copy, then orphans that are
//! still held, then wherever the layout points meanwhile.
//!
//! `reader` holds the grant and reads chunks, `sources` says where else to look.

mod reader;
mod sources;

use crate::api::Problem;
use crate::api::objects::FailedRead;
use crate::api::standing::in_doubt;
use crate::host::Host;
use crate::mover::Hashes;
use bytes::Bytes;
use dss::model::{
    CHUNK_BYTES, Digester, Expected, Extent, ExtentId, ExtentIndex, KnownHash, MediumId, NewEvent, Object,
    ObjectDetail, Oid, Version,
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
    /// What other software said of those that nobody read yet.
    hashes: BTreeMap<ExtentId, Vec<KnownHash>>,
    /// The position of the extent under way.
    index: usize,
    /// Chunks of it that were handed out.
    chunk: usize,
    digested: Digested,
    sources: Sources,
    seat: Seat,
    names: BTreeMap<MediumId, String>,
    /// Of extents that were read elsewhere in the end.
    failed_reads: Vec<FailedRead>,
    ended: bool,
}

/// Digests of the chunks of an extent that were handed out.
#[derive(Clone)]
struct Digested {
    digester: Digester,
    hashes: Hashes,
}

impl Digested {
    /// Before the first chunk.
    fn new(expected: &Expected) -> Self {
        Self {
            digester: Digester::new(),
            hashes: Hashes::like(&expected.hashes),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.digester.update(bytes);
        self.hashes.update(bytes);
    }

    /// Whether these chunks are all of it, and what is expected.
    fn are(self, expected: &Expected) -> bool {
        expected.admits(&self.digester.finish(), &self.hashes.finish())
    }
}

/// Finds an object and prepares to read it. No medium is asked for before its first byte is.
pub async fn open(host: &Arc<Host>, oid: &Oid, version: Option<Version>) -> Result<GetStream, Problem> {
    let detail = super::list::show(host, oid, version).await?;
    let extents = outline(&detail)?;
    let unread = extents.iter().filter(|extent| extent.digests.is_none());
    let unread: Vec<ExtentId> = unread.map(|extent| extent.id).collect();
    let hashes = match unread.is_empty() {
        true => BTreeMap::new(),
        false => host.catalogue.known_hashes(&unread).await?,
    };
    let media = host.catalogue.media().await?;
    let first = expected_of(&extents[0], &hashes);
    Ok(GetStream {
        sources: Sources::new(&detail, ExtentIndex(0)),
        seat: Seat::new(host, oid),
        host: Arc::clone(host),
        names: media.into_iter().map(|medium| (medium.id, medium.name)).collect(),
        detail,
        extents,
        hashes,
        index: 0,
        chunk: 0,
        digested: Digested::new(&first),
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
        if in_order && bytes == object.bytes.0 && !entries.is_empty() {
            return Ok(entries.into_iter().map(|entry| entry.extent.clone()).collect());
        }
    }
    let message = format!(
        "no copy of '{}' version {} is complete in the catalogue; nothing was read",
        object.oid, object.version
    );
    Err(Problem::integrity("incomplete_layout", "us", object.oid.as_str(), message).next("run `respool check`"))
}

/// All that is known of the bytes of an extent.
fn expected_of(extent: &Extent, hashes: &BTreeMap<ExtentId, Vec<KnownHash>>) -> Expected {
    Expected {
        bytes: extent.bytes,
        digests: extent.digests.clone(),
        hashes: hashes.get(&extent.id).cloned().unwrap_or_default(),
    }
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
            if self.chunk == chunks(&expected) {
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

    fn expected(&self) -> Expected {
        expected_of(&self.extents[self.index], &self.hashes)
    }

    async fn end_extent(&mut self, expected: &Expected) -> Result<(), Problem> {
        if chunks(expected) == 0 {
            self.read_chunk(expected).await?;
        }
        self.failed_reads.extend(self.sources.failed_reads().cloned());
        self.index += 1;
        self.chunk = 0;
        self.ended = self.index == self.extents.len();
        if self.ended {
            self.seat.leave().await;
        } else {
            self.digested = Digested::new(&self.expected());
            let index = ExtentIndex(i32::try_from(self.index).expect("an object has less than 2^31 extents"));
            self.sources = Sources::new(&self.detail, index);
            self.seat.give_way().await;
        }
        Ok(())
    }

    /// The chunk at the present position, from wherever it can be had.
    async fn piece(&mut self, expected: &Expected) -> Result<Bytes, Problem> {
        let bytes = self.read_chunk(expected).await?;
        self.digested.update(&bytes);
        self.chunk += 1;
        Ok(bytes)
    }

    async fn read_chunk(&mut self, expected: &Expected) -> Result<Bytes, Problem> {
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

    /// The chunk against its CRC-32, and with the last chunk the whole extent against all that is known of it.
    fn verify(&self, bytes: &Bytes, expected: &Expected) -> Result<(), Fault> {
        let crcs = expected.digests.as_ref().map(|digests| &digests.chunk_crcs);
        if let Some(crc) = crcs.and_then(|crcs| crcs.get(self.chunk))
            && crc32fast::hash(bytes) != *crc
        {
            return Err(Fault::Corrupt(format!(
                "chunk {} does not digest to what was stored",
                self.chunk
            )));
        }
        if self.chunk + 1 < chunks(expected) {
            return Ok(());
        }
        let mut whole = self.digested.clone();
        whole.update(bytes);
        match whole.are(expected) {
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
                .next("bring back, unlock or repair one of these media, then repeat the get"),
        }
    }
}

/// How many chunks there are.
fn chunks(expected: &Expected) -> usize {
    usize::try_from(expected.bytes.0.div_ceil(CHUNK_BYTES)).expect("an extent has less than 2^32 chunks")
}

fn chunk_size(expected: &Expected, chunk: usize) -> usize {
    let rest = expected.bytes.0 - (chunk as u64 * CHUNK_BYTES).min(expected.bytes.0);
    usize::try_from(rest.min(CHUNK_BYTES)).expect("a chunk fits in memory")
}

#[cfg(test)]
mod tests {
    use super::*;
    use dss::model::{ByteCount, Digests, HashAlgorithm};

    #[test]
    fn the_last_chunk_is_as_long_as_what_is_left() {
        let expected = Expected::from(Digests::of(&vec![0; CHUNK_BYTES as usize + 5]));
        assert_eq!(
            [0, 1, 2].map(|chunk| chunk_size(&expected, chunk)),
            [CHUNK_BYTES as usize, 5, 0]
        );
        assert_eq!(chunks(&expected), 2);
        let nothing = Expected::from(Digests::of(b""));
        assert_eq!((chunk_size(&nothing, 0), chunks(&nothing)), (0, 0));
    }

    /// Bytes that nobody read before are compared with what other software said of them.
    #[test]
    fn x07_known_hashes_are_compared_before_the_last_chunk_is_handed_out() {
        let expected = Expected {
            bytes: ByteCount(3),
            digests: None,
            hashes: vec![KnownHash {
                algorithm: HashAlgorithm::Sha1,
                value: "a9993e364706816aba3e25717850c26c9cd0d89d".to_owned(),
            }],
        };
        let are = |bytes: &[u8]| {
            let mut digested = Digested::new(&expected);
            digested.update(bytes);
            digested.are(&expected)
        };
        assert!(are(b"abc"));
        assert!(!are(b"abd") && !are(b"ab"));
    }
}
