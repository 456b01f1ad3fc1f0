//! Between rows and the model. Words travel as text and are cast in SQL, so the model's one list is what both sides
//! know; a test compares it with the database. A row that does not fit the model is `Corrupt`, never guessed at.

use crate::catalogue::{CatalogueError, Result};
use crate::model::{
    Address, Blake3, ByteCount, CopyNo, Digests, Epoch, Extent, ExtentId, ExtentIndex, Generation, Hold, JobId,
    MediumId, Metadata, Object, ObjectId, Oid, Origin, Owner, SessionId, Span, UnknownWord, Version,
};
use jiff::Timestamp;
use serde_json::Value;
use sqlx::types::Uuid;

/// A time as sqlx takes it.
pub(super) use jiff_sqlx::Timestamp as Stamp;

/// A time as PostgreSQL keeps it, in microseconds: what a method returns equals what a later read returns.
pub(super) fn stamp(time: Timestamp) -> Stamp {
    Stamp::from(kept(time))
}

/// The same, still a time of ours.
pub(super) fn kept(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).expect("a time truncated is a time")
}

/// A word of one of the model's lists.
pub(super) fn word<T: std::str::FromStr<Err = UnknownWord>>(text: &str) -> Result<T> {
    text.parse().map_err(|error: UnknownWord| corrupt(error.to_string()))
}

/// What contradicts the model.
pub(super) fn corrupt(why: impl Into<String>) -> CatalogueError {
    CatalogueError::Corrupt(why.into())
}

/// JSON that the model wrote.
pub(super) fn from_json<T: serde::de::DeserializeOwned>(what: &str, value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|error| corrupt(format!("{what}: {error}")))
}

/// JSON of the model's own types.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("the model's types are plain JSON")
}

/// An unsigned number in a signed column, bit for bit.
pub(super) fn inode_to_sql(inode: Option<u64>) -> Option<i64> {
    inode.map(u64::cast_signed)
}

/// A count or sum, which SQL never makes negative.
pub(super) fn count(value: i64) -> u64 {
    u64::try_from(value).expect("counts are not negative")
}

/// A hold as its two columns.
pub(super) fn hold_to_sql(hold: Hold) -> (Option<Stamp>, bool) {
    match hold {
        Hold::None => (None, false),
        Hold::Until(end) => (Some(stamp(end)), false),
        Hold::Forever => (None, true),
    }
}

/// A row of `extent`.
pub(super) struct ExtentRow {
    pub id: Uuid,
    pub state: String,
    pub object_id: Uuid,
    pub oid: String,
    pub version: i32,
    pub copy_no: i16,
    pub index: i32,
    pub medium: Uuid,
    pub generation: i64,
    pub address: String,
    pub bytes: i64,
    pub blake3: Option<Vec<u8>>,
    pub crc32: Option<i64>,
    pub chunk_crcs: Option<Vec<u8>>,
    pub owner_job: Option<i64>,
    pub owner_session: Option<Uuid>,
    pub owner_epoch: Option<i64>,
    pub inode: Option<i64>,
    pub span: Option<String>,
    pub hold_until: Option<Stamp>,
    pub hold_forever: bool,
    pub verified_at: Option<Stamp>,
    pub created_at: Stamp,
}

/// Selects extents, as `e`, with what follows FROM's table.
macro_rules! extent_rows {
    ($tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            crate::pg::codec::ExtentRow,
            r#"SELECT e.id, e.state::text AS "state!", e.object_id, e.oid, e.version, e.copy_no, e.index, e.medium,
                e.generation, e.address, e.bytes, e.blake3, e.crc32, e.chunk_crcs, e.owner_job, e.owner_session,
                e.owner_epoch, e.inode, e.span, e.hold_until AS "hold_until: crate::pg::codec::Stamp",
                e.hold_forever, e.verified_at AS "verified_at: crate::pg::codec::Stamp",
                e.created_at AS "created_at: crate::pg::codec::Stamp" FROM extent e "# + $tail
            $(, $arg)*
        )
    };
}
pub(super) use extent_rows;

impl TryFrom<ExtentRow> for Extent {
    type Error = CatalogueError;

    fn try_from(row: ExtentRow) -> Result<Self> {
        let id = ExtentId(row.id);
        let digests = match (row.blake3, row.crc32, row.chunk_crcs) {
            (Some(blake3), Some(crc32), Some(chunks)) => Some(Digests {
                bytes: ByteCount::from_i64(row.bytes),
                blake3: Blake3::from_slice(&blake3).ok_or_else(|| corrupt(format!("extent {id}: its digest")))?,
                crc32: u32::try_from(crc32).map_err(|_| corrupt(format!("extent {id}: its CRC")))?,
                chunk_crcs: Digests::chunk_crcs_from_bytes(&chunks)
                    .ok_or_else(|| corrupt(format!("extent {id}: its chunk CRCs")))?,
            }),
            _ => None,
        };
        Ok(Self {
            id,
            origin: Origin {
                object: ObjectId(row.object_id),
                oid: oid(row.oid)?,
                version: Version(row.version),
                copy: CopyNo(row.copy_no),
                index: ExtentIndex(row.index),
            },
            medium: MediumId(row.medium),
            generation: Generation(row.generation),
            address: Address(row.address),
            bytes: ByteCount::from_i64(row.bytes),
            digests,
            state: word(&row.state)?,
            owner: owner(row.owner_job, row.owner_session).zip(row.owner_epoch.map(Epoch)),
            inode: row.inode.map(i64::cast_unsigned),
            span: row.span.as_deref().map(|text| span(id, text)).transpose()?,
            hold: match (row.hold_forever, row.hold_until) {
                (true, _) => Hold::Forever,
                (false, Some(end)) => Hold::Until(end.to_jiff()),
                (false, None) => Hold::None,
            },
            verified_at: row.verified_at.map(Stamp::to_jiff),
            created_at: row.created_at.to_jiff(),
        })
    }
}

/// A place on a tape that the model wrote.
pub(super) fn span(extent: ExtentId, text: &str) -> Result<Span> {
    text.parse()
        .map_err(|error| corrupt(format!("extent {extent}: its place: {error}")))
}

/// A place on a tape, as it is kept.
pub(super) fn span_to_sql(span: Option<&Span>) -> Option<String> {
    span.map(ToString::to_string)
}

/// Who owns a pending extent.
pub(super) fn owner(job: Option<i64>, session: Option<Uuid>) -> Option<Owner> {
    match (job, session) {
        (Some(job), _) => Some(Owner::Move(JobId(job))),
        (None, Some(session)) => Some(Owner::Put(SessionId(session))),
        (None, None) => None,
    }
}

/// A name that the model wrote.
pub(super) fn oid(text: String) -> Result<Oid> {
    Oid::new(text).map_err(|error| corrupt(error.to_string()))
}

/// A row of `object`.
pub(super) struct ObjectRow {
    pub id: Uuid,
    pub oid: String,
    pub version: i32,
    pub bytes: i64,
    pub copies: i16,
    pub grouping: Option<String>,
    pub metadata: Value,
    pub created_at: Stamp,
    pub deleted_at: Option<Stamp>,
}

/// Selects object versions, as `o`, with what follows FROM's table.
macro_rules! object_rows {
    ($tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            crate::pg::codec::ObjectRow,
            r#"SELECT o.id, o.oid, o.version, o.bytes, o.copies, o."grouping", o.metadata,
                o.created_at AS "created_at: crate::pg::codec::Stamp",
                o.deleted_at AS "deleted_at: crate::pg::codec::Stamp" FROM object o "# + $tail
            $(, $arg)*
        )
    };
}
pub(super) use object_rows;

impl TryFrom<ObjectRow> for Object {
    type Error = CatalogueError;

    fn try_from(row: ObjectRow) -> Result<Self> {
        Ok(Self {
            id: ObjectId(row.id),
            oid: oid(row.oid)?,
            version: Version(row.version),
            bytes: ByteCount::from_i64(row.bytes),
            copies: CopyNo(row.copies),
            grouping: row.grouping,
            metadata: from_json::<Metadata>("an object's metadata", row.metadata)?,
            created_at: row.created_at.to_jiff(),
            deleted_at: row.deleted_at.map(Stamp::to_jiff),
        })
    }
}

/// Turns rows into the model's type.
pub(super) fn all<Row, T: TryFrom<Row, Error = CatalogueError>>(rows: Vec<Row>) -> Result<Vec<T>> {
    rows.into_iter().map(T::try_from).collect()
}
