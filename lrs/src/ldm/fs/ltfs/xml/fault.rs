//! What is wrong with a document, and where.

use crate::ldm::fs::ltfs::name::EncodingFault;

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlFault {
    /// Its bytes could not be read.
    #[error("it cannot be read: {_0}")]
    Source(String),
    /// It is not well-formed XML, or not in UTF-8.
    #[error("not well formed: {_0}")]
    Malformed(String),
    /// It has a document type or an entity of its own; both are refused, as they may stand for anything of any size.
    #[error("{_0} is refused")]
    Entity(String),
    /// More than a reader takes.
    #[error("{what} of more than {most} bytes")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// The limit.
        most: u64,
    },
    /// More elements inside each other than a reader takes.
    #[error("more than {_0} elements inside each other")]
    TooDeep(usize),
    /// Another document.
    #[error("its top element is <{_0}>")]
    OtherRoot(String),
    /// A version that is not known yet.
    #[error("its version is {_0}, and this program reads up to 2.x")]
    Newer(String),
    /// A version that is not known any more.
    #[error("its version is {_0}, and this program reads 2.0.0 and later")]
    Older(String),
    /// No version, or none that can be read.
    #[error("its version is {_0:?}, which is none")]
    NoVersion(String),
    /// A mandatory element is missing.
    #[error("<{element}> is missing in <{within}>")]
    Missing {
        /// Which.
        element: &'static str,
        /// In which.
        within: &'static str,
    },
    /// An element occurs twice where it may occur once.
    #[error("<{_0}> occurs twice")]
    Twice(String),
    /// A value means nothing.
    #[error("<{element}> is {value:?}: {why}")]
    Value {
        /// Of which element.
        element: String,
        /// Its beginning.
        value: String,
        /// What it should be.
        why: &'static str,
    },
    /// A percent-encoded name is wrong.
    #[error("<{element}>: {fault}")]
    Name {
        /// Of which element.
        element: String,
        /// In which way.
        fault: EncodingFault,
    },
}

/// A document that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {fault}")]
pub struct XmlError {
    /// Bytes before the place where it was noticed.
    pub at: u64,
    /// What is wrong.
    pub fault: XmlFault,
}

/// What readers of documents answer.
pub type XmlResult<T> = Result<T, XmlError>;
