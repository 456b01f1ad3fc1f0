//! Extents that are written and read, for the rules and for whoever tests more.

use dss::catalogue::ObjectHeader;
use dss::model::evidence::{DigestReceipt, RecordReceipt, SyncReceipt, WriteReceipt, WriteSerial};
use dss::model::{
    Address, ByteCount, CopyNo, Digests, Epoch, ExtentId, ExtentIndex, Generation, JobId, Metadata, NewExtent,
    ObjectId, Oid, Origin, Owner, Recorded, Revision, Synced, Verified, Version, Written,
};
use lrs::ldm::MediaResult;
use lrs::ldm::fs::{Accepted, ExtentTag, IndexEntry, IndexStamp, Label, ReadFrom, Volume, Wanted};

/// Of a receipt that is only carried.
pub(super) const SERIAL: WriteSerial = WriteSerial { mount: 0, count: 0 };

pub(super) const STAMP: IndexStamp = IndexStamp {
    revision: Revision(9),
    event_head: None,
};

pub(super) const ROOM: ByteCount = ByteCount(64 << 20);

/// Bytes that differ from place to place.
pub fn pattern(length: usize, seed: u8) -> Vec<u8> {
    (0..length)
        .map(|at| ((at as u64).wrapping_mul(2_654_435_761) >> 7) as u8 ^ seed)
        .collect()
}

/// A tag for an extent of this object.
pub fn tag(oid: &str, bytes: u64) -> ExtentTag {
    ExtentTag {
        extent: ExtentId::fresh(),
        origin: Origin {
            object: ObjectId::fresh(),
            oid: Oid::new(oid).expect("an OID"),
            version: Version(1),
            copy: CopyNo(0),
            index: ExtentIndex(0),
        },
        bytes: ByteCount(bytes),
        header: ObjectHeader {
            bytes: ByteCount(bytes),
            copies: CopyNo(1),
            copy_extents: 1,
            grouping: Some("runs".to_owned()),
            metadata: Metadata {
                user: [("who".to_owned(), "Ünïcode".to_owned())].into(),
                ..Metadata::default()
            },
            created_at: "2026-01-02T03:04:05.678Z".parse().expect("a time"),
        },
    }
}

/// An extent that was written whole.
#[derive(Debug)]
pub struct Put {
    /// Its tag.
    pub tag: ExtentTag,
    /// Where.
    pub address: Address,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What the medium answered.
    pub receipt: WriteReceipt,
}

impl Put {
    /// As the catalogue would ask for it, its inode not known.
    pub fn wanted(&self, generation: Generation) -> Wanted {
        Wanted {
            extent: self.tag.extent,
            oid: self.tag.origin.oid.clone(),
            address: self.address.clone(),
            bytes: self.tag.bytes,
            generation,
            inode: None,
            span: None,
        }
    }
}

/// Writes one extent, not synced.
pub fn put(volume: &mut dyn Volume, oid: &str, bytes: &[u8]) -> MediaResult<Put> {
    put_as(volume, tag(oid, bytes.len() as u64), bytes)
}

/// The same as this extent.
pub fn put_as(volume: &mut dyn Volume, tag: ExtentTag, bytes: &[u8]) -> MediaResult<Put> {
    let address = volume.reserve(&tag)?;
    let handle = volume.create(tag.clone(), &address)?.expect("there is room");
    for piece in bytes.chunks(100_000) {
        assert_eq!(volume.write(handle, piece)?, Accepted::All);
    }
    let receipt = volume.finish(handle, Digests::of(bytes))?;
    Ok(Put {
        tag,
        address,
        bytes: bytes.to_vec(),
        receipt,
    })
}

/// Reads an extent whole, through a buffer that does not divide it.
pub fn get(volume: &mut dyn Volume, wanted: &Wanted) -> MediaResult<Vec<u8>> {
    let handle = volume.open(wanted, ReadFrom::Medium)?;
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 70_001];
    let outcome = loop {
        match volume.read(handle, &mut buffer) {
            Ok(0) => break Ok(bytes),
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) => break Err(error),
        }
    };
    volume.close(handle);
    outcome
}

/// The index, in the order of the extents' ids.
pub fn entries(volume: &mut dyn Volume) -> Vec<IndexEntry> {
    let mut entries: Vec<IndexEntry> = volume
        .index()
        .expect("an index")
        .map(|entry| entry.expect("an entry"))
        .collect();
    entries.sort_by_key(|entry| entry.tag.extent);
    entries
}

/// Takes a write through all its evidence. Whether the sync covers it.
pub fn is_covered(label: &Label, put: Put, sync: &SyncReceipt) -> bool {
    synced(label, put, sync).is_some()
}

/// The same; what a catalogue knows of it afterwards. None: the sync does not cover it.
pub fn synced(label: &Label, put: Put, sync: &SyncReceipt) -> Option<Synced> {
    let digests = Digests::of(&put.bytes);
    let new = NewExtent {
        id: put.tag.extent,
        origin: put.tag.origin,
        medium: label.medium,
        generation: label.generation,
        address: put.address,
        bytes: put.tag.bytes,
        digests: Some(digests.clone()),
    };
    let recorded = Recorded::committed(new, Owner::Move(JobId(1)), Epoch(1), RecordReceipt::after_commit());
    let verified = Verified::checked(recorded, DigestReceipt::of_stream(digests)).expect("these are the bytes");
    let written = Written::accepted(verified, put.receipt).expect("a receipt for these bytes");
    Synced::durable(written, sync).ok()
}
