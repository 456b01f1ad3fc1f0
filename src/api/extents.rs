//! Extents, as `extent list` and `extent show` print them.

use dss::model::{
    Address, ByteCount, CopyNo, Extent, ExtentId, ExtentIndex, ExtentState, Hold, MediumId, Oid, Span, Version,
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
    /// tape: the partition that its bytes begin on, from 0. Left out where it is not known, as the next three are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<u8>,
    /// tape: the block that they begin in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_block: Option<u64>,
    /// tape: the byte of that block that they begin at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte_offset: Option<u64>,
    /// tape: how many blocks they touch, wherever the rest of them lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<u64>,
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
    let first = extent.span.as_ref().and_then(Span::first);
    ExtentView {
        partition: first.map(|stretch| stretch.partition),
        start_block: first.map(|stretch| stretch.start_block),
        byte_offset: first.map(|stretch| stretch.byte_offset),
        blocks: extent.span.as_ref().map(Span::blocks),
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

#[cfg(test)]
mod tests {
    use super::*;
    use dss::model::{Generation, ObjectId, Origin};
    use serde_json::{Value, json};

    /// What is printed of an extent that lies there.
    fn printed(span: Option<&str>) -> Value {
        let extent = Extent {
            id: ExtentId::fresh(),
            origin: Origin {
                object: ObjectId::fresh(),
                oid: Oid::new("a").unwrap(),
                version: Version(1),
                copy: CopyNo(0),
                index: ExtentIndex(0),
            },
            medium: MediumId::fresh(),
            generation: Generation(1),
            address: Address("objects/a@1.0.0".to_owned()),
            bytes: ByteCount(3),
            digests: None,
            state: ExtentState::Sync,
            owner: None,
            inode: None,
            span: span.map(|text| text.parse().unwrap()),
            hold: Hold::None,
            verified_at: None,
            created_at: Timestamp::UNIX_EPOCH,
        };
        serde_json::to_value(view(extent, &BTreeSet::new(), &BTreeMap::new())).unwrap()
    }

    /// DESIGN, section 7: tape adds four keys.
    #[test]
    fn where_a_tape_has_an_extent_is_printed() {
        let told = printed(Some("1:17+40*2=2,1:30+0*3=1"));
        let four = ["partition", "start_block", "byte_offset", "blocks"].map(|key| told[key].clone());
        assert_eq!(four, [json!(1), json!(17), json!(40), json!(5)]);
    }

    #[test]
    fn nothing_is_printed_of_a_place_that_is_not_known() {
        let keys = |told: &Value| told.as_object().unwrap().len();
        let file = printed(None);
        assert!(file.get("partition").is_none() && file.get("blocks").is_none());
        let empty = printed(Some(""));
        assert_eq!((empty.get("partition"), &empty["blocks"]), (None, &json!(0)));
        assert_eq!(keys(&printed(Some("1:17+0*1=3"))), keys(&file) + 4);
    }
}
