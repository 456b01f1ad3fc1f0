//! Sense data: what a device has to say beside its status, typed, with who is to blame and what to do.

use crate::ldm::error::{Blame, Disposition};
use std::fmt;

/// Sense, of either format (SPC-4, 4.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sense {
    /// Sense key.
    pub key: u8,
    /// Additional sense code.
    pub asc: u8,
    /// Its qualifier.
    pub ascq: u8,
    /// It is of an earlier command (response codes 71h and 73h).
    pub deferred: bool,
    /// A filemark was met.
    pub filemark: bool,
    /// End of partition or early warning.
    pub end_of_medium: bool,
    /// The record's length was another one.
    pub incorrect_length: bool,
    /// The information field, where it is valid: for a record of another length the asked length less the found one.
    pub information: Option<i64>,
}

impl Sense {
    /// Who is to blame, as far as one answer tells.
    pub fn blame(&self) -> Blame {
        Blame::Drive
    }

    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        Disposition::Stop
    }
}

impl fmt::Display for Sense {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}/{:02x}/{:02x}", self.key, self.asc, self.ascq)
    }
}
