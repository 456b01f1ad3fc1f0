//! An object on its way in: what it will be called, how it is cut, and what has landed of it.

use crate::api::Problem;
use crate::api::requests::PutHeader;
use crate::store::placement;
use dss::catalogue::{ObjectHeader, Overwrite};
use dss::model::object::Place;
use dss::model::{
    Address, ByteCount, CopyNo, ExtentId, ExtentIndex, Metadata, NewExtent, Object, ObjectId, Oid, Origin, Versions,
    Written,
};
use jiff::Timestamp;
use lrs::core::WriteGrant;
use lrs::ldm::fs::ExtentTag;
use std::collections::BTreeSet;

/// Which result it is: counted from the begin of its stream.
pub type Ticket = u64;

/// An object that was announced, and has no version yet.
#[derive(Clone, Debug)]
pub struct Announced {
    /// Its place in the order of results.
    pub ticket: Ticket,
    /// What the client says of it.
    pub header: PutHeader,
    /// How many copies.
    pub copies: CopyNo,
    /// The sizes of its extents.
    pub sizes: Vec<ByteCount>,
}

impl Announced {
    /// Cuts it into extents of at most `extent_max`.
    pub fn new(ticket: Ticket, header: PutHeader, copies: CopyNo, extent_max: ByteCount) -> Self {
        Self {
            ticket,
            copies,
            sizes: placement::cut(header.bytes, extent_max),
            header,
        }
    }

    /// What it needs of its targets.
    pub fn need(&self) -> Need<'_> {
        Need {
            oid: &self.header.oid,
            bytes: self.header.bytes,
            sizes: &self.sizes,
            copies: count(self.copies),
            tags: &self.header.tags,
            grouping: self.header.grouping.as_deref(),
        }
    }

    /// Refuses a name that is taken.
    pub fn admit(&self, versions: Versions) -> Result<(), Problem> {
        let (oid, Some(version), Overwrite::Refuse) = (&self.header.oid, versions.live, self.header.overwrite) else {
            return Ok(());
        };
        Err(Problem::refused(
            "exists",
            oid.as_str(),
            format!("object '{oid}' exists already, as version {version}; nothing was stored"),
        )
        .next("choose another OID, or add --overwrite for a new version"))
    }

    /// Gives it the next version of its name, unless that is taken.
    pub fn named(self, versions: Versions, now: Timestamp) -> Result<Draft, (Ticket, Problem)> {
        self.admit(versions).map_err(|problem| (self.ticket, problem))?;
        let header = self.header;
        Ok(Draft {
            ticket: self.ticket,
            overwrite: header.overwrite,
            tags: header.tags,
            sizes: self.sizes,
            object: Object {
                id: ObjectId::fresh(),
                oid: header.oid,
                version: versions.next,
                bytes: header.bytes,
                copies: self.copies,
                grouping: header.grouping,
                metadata: header.metadata,
                created_at: now,
                deleted_at: None,
            },
        })
    }
}

/// What an object needs of the media that take it.
#[derive(Clone, Copy, Debug)]
pub struct Need<'a> {
    /// Its name.
    pub oid: &'a Oid,
    /// The bytes of one copy,
    pub bytes: ByteCount,
    /// in extents of these sizes.
    pub sizes: &'a [ByteCount],
    /// On so many media.
    pub copies: usize,
    /// Only those that carry all of these.
    pub tags: &'a BTreeSet<String>,
    /// Better those that carry it.
    pub grouping: Option<&'a str>,
}

fn count(copies: CopyNo) -> usize {
    usize::try_from(copies.0).expect("a session has at least one copy")
}

/// An object that was announced and accepted under a version.
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
    /// What it needs of its targets.
    pub fn need(&self) -> Need<'_> {
        Need {
            oid: &self.object.oid,
            bytes: self.object.bytes,
            sizes: &self.sizes,
            copies: self.copies(),
            tags: &self.tags,
            grouping: self.object.grouping.as_deref(),
        }
    }

    /// How many copies.
    pub fn copies(&self) -> usize {
        count(self.object.copies)
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
