//! What a client says in a stream of puts, and what it is answered.

use crate::api::Problem;
use crate::api::requests::{PutHeader, StreamEnd};
use bytes::Bytes;
use dss::model::{ObjectDetail, Oid};

/// One step of a stream.
#[derive(Clone, Debug)]
pub enum PutFrame {
    /// An object begins.
    Begin(Box<PutHeader>),
    /// Some of its bytes.
    Data(Bytes),
    /// It is complete: what the client read, which must be what arrived.
    End(StreamEnd),
    /// The client cannot complete it: its file cannot be read, or changed meanwhile.
    GiveUp(Box<Problem>),
}

/// What became of one object of a stream. Results come in the order of the objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutResult {
    /// Which object.
    pub oid: Oid,
    /// Stored for good, every copy *sync* and named by its medium's index; or why not.
    pub outcome: Result<Box<ObjectDetail>, PutFailure>,
}

/// Why an object was not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutFailure {
    /// What failed.
    pub problem: Problem,
    /// Whether sending it again may succeed: a medium failed after the bytes had gone by, and others are left.
    pub again: bool,
}

impl PutFailure {
    /// Sending it again changes nothing.
    pub(super) fn last(problem: Problem) -> Self {
        Self { problem, again: false }
    }

    /// Another medium may take it.
    pub(super) fn again(problem: Problem) -> Self {
        Self { problem, again: true }
    }
}
