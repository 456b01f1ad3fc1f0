//! Extents of respool's own, written to a medium of its own format.

use dss::catalogue::ObjectHeader;
use dss::model::{
    Address, ByteCount, CopyNo, Digests, ExtentId, ExtentIndex, Metadata, ObjectId, Oid, Origin, Revision, Version,
};
use lrs::ldm::fs::{Accepted, ExtentTag, IndexStamp, Volume};

/// Writes one, and commits the index.
pub fn put(volume: &mut dyn Volume, oid: &str, bytes: &[u8]) -> (Address, ExtentId) {
    let size = ByteCount(bytes.len() as u64);
    let origin = Origin {
        object: ObjectId::fresh(),
        oid: Oid::new(oid).unwrap(),
        version: Version(1),
        copy: CopyNo(0),
        index: ExtentIndex(0),
    };
    let tag = ExtentTag {
        extent: ExtentId::fresh(),
        origin,
        bytes: size,
        header: ObjectHeader {
            bytes: size,
            copies: CopyNo(1),
            copy_extents: 1,
            grouping: None,
            metadata: Metadata::default(),
            created_at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
        },
    };
    let extent = tag.extent;
    let address = volume.reserve(&tag).unwrap();
    let handle = volume.create(tag, &address).unwrap().expect("there is room");
    assert_eq!(volume.write(handle, bytes).unwrap(), Accepted::All);
    volume.finish(handle, Digests::of(bytes)).unwrap();
    let stamp = IndexStamp {
        revision: Revision(9),
        event_head: None,
    };
    volume.commit_index(stamp).unwrap();
    (address, extent)
}
