//! Extents, as `extent list` and `extent show` print them.

use dss::model::{
    Address, ByteCount, CopyNo, Extent, ExtentId, ExtentIndex, ExtentState, Hold, MediumId, Oid, Version,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One extent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExtentView {
    /// Its identity, also on its medium.
    pub id: ExtentId,
    /// The object it was written for.
    pub oid: Oid,
    /// Its version.
    pub version: Version,
    /// The copy.
    pub copy: CopyNo,
    /// The position in the copy.
    pub index: ExtentIndex,
    /// How far it is trusted.
    pub state: ExtentState,
    /// The medium that holds it, by name.
    pub medium: String,
    /// Where on the medium.
    pub address: Address,
    /// Its size.
    pub bytes: ByteCount,
    /// BLAKE3-256 of its bytes.
    pub blake3: Option<String>,
    /// CRC-32/ISO-HDLC of its bytes, in base 16.
    pub crc32: Option<String>,
    /// orphan: `until TIME` or `forever` while its bytes are held.
    pub held: Option<String>,
    /// Whether the medium's own index names it.
    pub indexed: bool,
    /// When its bytes were last read back from the medium and found good.
    pub verified_at: Option<Timestamp>,
    /// When it was recorded.
    pub created_at: Timestamp,
}

/// What `extent release` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseReport {
    /// The object's name.
    pub oid: Oid,
    /// Its version.
    pub version: Version,
    /// Which copy was given up.
    pub copy: CopyNo,
    /// How many extents became orphans.
    pub extents: u64,
    /// Their bytes.
    pub bytes: ByteCount,
    /// How many verified copies remain on media that stay, are in reach and trusted.
    pub copies_left: u64,
    /// How many copies were asked for when it was put.
    pub copies_asked: CopyNo,
}

/// Composes the view of an extent, one of some of which these are named by no index.
pub fn view(extent: Extent, unindexed: &BTreeSet<ExtentId>, names: &BTreeMap<MediumId, String>) -> ExtentView {
    ExtentView {
        id: extent.id,
        medium: names
            .get(&extent.medium)
            .cloned()
            .unwrap_or_else(|| extent.medium.to_string()),
        oid: extent.origin.oid,
        version: extent.origin.version,
        copy: extent.origin.copy,
        index: extent.origin.index,
        state: extent.state,
        address: extent.address,
        bytes: extent.bytes,
        blake3: extent.digests.as_ref().map(|digests| digests.blake3.to_string()),
        crc32: extent.digests.as_ref().map(|digests| format!("{:08x}", digests.crc32)),
        held: match extent.hold {
            Hold::None => None,
            Hold::Until(end) => Some(format!("until {end}")),
            Hold::Forever => Some("forever".to_owned()),
        },
        indexed: !unindexed.contains(&extent.id),
        verified_at: extent.verified_at,
        created_at: extent.created_at,
    }
}
