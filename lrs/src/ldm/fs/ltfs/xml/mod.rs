//! XML as labels and indexes use it: elements with text, read as a stream in bounded memory and written with the few
//! escapes there are. White space in values is kept. No document types and no entities but XML's own five.

mod fault;
mod meter;
mod read;
mod tag;
mod write;

pub use fault::{XmlError, XmlFault, XmlResult};
pub use read::Xml;
pub use tag::{Name, Tag};
pub use write::XmlWriter;

/// How much a document may ask of its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole document.
    pub document: u64,
    /// Bytes of one value, one tag or one unknown element.
    pub piece: u64,
    /// Elements inside each other.
    pub depth: usize,
}

impl Limits {
    /// Of a label: it is of a kilobyte.
    pub const LABEL: Self = Self {
        document: 1 << 20,
        piece: 1 << 16,
        depth: 16,
    };

    /// Of an index: 64 GiB are 100 million files and more; a value is at most an attribute of 64 KiB in base64, a comment,
    /// or what others have put between; a directory is two elements (itself and its contents), and 512 of them are more
    /// than a path of 4,096 bytes is ever made of in earnest.
    pub const INDEX: Self = Self {
        document: 64 << 30,
        piece: 1 << 20,
        depth: 1040,
    };
}
