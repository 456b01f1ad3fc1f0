//! An object on its way in: what it will be called, how it is cut, and what has landed of it.

use crate::api::Problem;
use crate::api::requests::PutHeader;
use crate::store::placement;
use dss::catalogue::{Catalogue, CatalogueError, ObjectHeader, Overwrite};
use dss::model::object::Place;
use dss::model::{
    Address, ByteCount, CopyNo, ExtentId, ExtentIndex, Metadata, NewExtent, Object, ObjectId, Oid, Origin, Version,
    Written,
};
use jiff::Timestamp;
use lrs::core::WriteGrant;
use lrs::ldm::fs::ExtentTag;
use std::collections::BTreeSet;

/// Which result it is: counted from the begin of its stream.
pub type Ticket = u64;

/// An object that was announced and accepted.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its place in the order of results.
    pub ticket: Ticket,
    /// The row it is to become.
    pub object: Object,
    /// Whether it may supersede a live version.
    pub overwrite: Overwrite,
    /// Only media that carry all of these.
    pub tags: BTreeSet<String>,
    /// The sizes of its extents.
    pub sizes: Vec<ByteCount>,
}

impl Draft {
    /// Asks the catalogue for the next version of a name; refuses one that is taken.
    pub async fn accept(catalogue: &dyn Catalogue, header: PutHeader, terms: Terms) -> Result<Self, Problem> {
        let live = live_version(catalogue, &header.oid).await?;
        if let (Some(version), Overwrite::Refuse) = (live, header.overwrite) {
            return Err(Problem::refused(
                "exists",
                header.oid.as_str(),
                format!(
                    "object '{}' exists already, as version {version}; nothing was stored",
                    header.oid
                ),
            )
            .next("choose another OID, or add --overwrite for a new version"));
        }
        // Versions that were ended long ago count: their numbers may still stand on media.
        let version = catalogue.next_version(&header.oid).await?;
        Ok(Self {
            ticket: terms.ticket,
            overwrite: header.overwrite,
            tags: header.tags,
            sizes: placement::cut(header.bytes, terms.extent_max),
            object: Object {
                id: ObjectId::fresh(),
                oid: header.oid,
                version,
                bytes: header.bytes,
                copies: terms.copies,
                grouping: header.grouping,
                metadata: header.metadata,
                created_at: terms.now,
                deleted_at: None,
            },
        })
    }

    /// How many copies.
    pub fn copies(&self) -> usize {
        usize::try_from(self.object.copies.0).expect("a session has at least one copy")
    }

    /// What an extent of it is written for.
    pub fn origin(&self, place: Place) -> Origin {
        Origin {
            object: self.object.id,
            oid: self.object.oid.clone(),
            version: self.object.version,
            copy: place.copy,
            index: place.index,
        }
    }

    /// The size of the extent at a place.
    pub fn size(&self, place: Place) -> ByteCount {
        let index = usize::try_from(place.index.0).expect("positions are counted from 0");
        self.sizes[index]
    }

    /// The row to record before the first byte is written there.
    pub fn extent(&self, id: ExtentId, place: Place, grant: &WriteGrant, address: Address) -> NewExtent {
        NewExtent {
            id,
            origin: self.origin(place),
            medium: grant.medium,
            generation: grant.generation,
            address,
            bytes: self.size(place),
            digests: None,
        }
    }

    /// What goes to the medium with the bytes.
    pub fn tag(&self, id: ExtentId, place: Place) -> ExtentTag {
        let object = &self.object;
        ExtentTag {
            extent: id,
            origin: self.origin(place),
            bytes: self.size(place),
            header: ObjectHeader {
                bytes: object.bytes,
                copies: object.copies,
                copy_extents: i32::try_from(self.sizes.len()).expect("an object has less than 2^31 extents"),
                grouping: object.grouping.clone(),
                metadata: Metadata::clone(&object.metadata),
                created_at: object.created_at,
            },
        }
    }
}

/// What a session says of every object it accepts.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The place in the order of results.
    pub ticket: Ticket,
    /// How many copies.
    pub copies: CopyNo,
    /// The most bytes of one extent.
    pub extent_max: ByteCount,
    /// The age clock.
    pub now: Timestamp,
}

/// An object whose bytes were taken whole by all its media, and are not durable yet.
#[derive(Debug)]
pub struct Landed {
    /// The object.
    pub draft: Draft,
    /// Every extent of every copy, with the number of its target.
    pub extents: Vec<(Place, usize, Written)>,
}

/// The places of a draft's extents at one position, one per copy.
pub fn places(copies: usize, index: usize) -> impl Iterator<Item = Place> {
    let index = ExtentIndex(i32::try_from(index).expect("an object has less than 2^31 extents"));
    (0..copies).map(move |copy| Place {
        copy: CopyNo(i16::try_from(copy).expect("copies fit their number")),
        index,
    })
}

/// The live version of a name, if any.
async fn live_version(catalogue: &dyn Catalogue, oid: &Oid) -> Result<Option<Version>, Problem> {
    match catalogue.object(oid, None).await {
        Ok(detail) => Ok(Some(detail.object.version)),
        Err(CatalogueError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
