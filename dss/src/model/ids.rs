//! Typed names of things. Two ids of different things can never be swapped by accident.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id, ordered by the time of its making (UUID version 7, RFC 9562).
            pub fn fresh() -> Self {
                Self(crate::mint::next().unwrap_or_else(Uuid::now_v7))
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, std::num::ParseIntError> {
                text.parse().map(Self)
            }
        }
    };
}

uuid_id!(
    /// One catalogue, for its whole life; every medium carries it.
    CatalogueId
);
uuid_id!(
    /// A cartridge, disk or directory.
    MediumId
);
uuid_id!(
    /// One attempt to put the bytes of an extent on one medium.
    ExtentId
);
uuid_id!(
    /// One version of an object.
    ObjectId
);
uuid_id!(
    /// One stream of puts that share allocation, syncs and transactions.
    SessionId
);
uuid_id!(
    /// One life of one process that holds leases.
    HolderId
);
number_id!(
    /// A job, counted from 1 in its catalogue.
    JobId(i64)
);
number_id!(
    /// The version of an object, counted from 1.
    Version(i32)
);
number_id!(
    /// Which complete copy of an object, counted from 0.
    CopyNo(i16)
);
number_id!(
    /// The position of an extent in its copy, counted from 0.
    ExtentIndex(i32)
);
number_id!(
    /// The number of times a lease changed hands. A write under an older epoch is refused.
    Epoch(i64)
);
number_id!(
    /// The number of times a medium was erased.
    Generation(i64)
);
number_id!(
    /// The catalogue's change counter: a medium that saw a higher one is ahead of its catalogue.
    Revision(i64)
);

/// What an operator calls an object: UTF-8, 1 to 1,023 bytes, no NUL or newline, no leading `/`,
/// no `.` or `..` part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Oid(String);

/// The most bytes an OID may have.
pub const OID_MAX_BYTES: usize = 1023;

/// Why a text is no OID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OidError {
    /// No text at all.
    #[error("an OID needs at least one byte")]
    Empty,
    /// More than [`OID_MAX_BYTES`].
    #[error("an OID holds at most {OID_MAX_BYTES} bytes, this one has {0}")]
    TooLong(usize),
    /// A NUL, newline or carriage return.
    #[error("an OID holds no NUL and no newline")]
    ControlCharacter,
    /// A leading slash.
    #[error("an OID does not begin with '/'")]
    LeadingSlash,
    /// A part that is `.`, `..` or empty.
    #[error("an OID has no '.', '..' or empty part between its slashes")]
    BadPart,
}

impl Oid {
    /// Checks and wraps a name.
    pub fn new(text: impl Into<String>) -> Result<Self, OidError> {
        let text = text.into();
        if text.is_empty() {
            return Err(OidError::Empty);
        }
        if text.len() > OID_MAX_BYTES {
            return Err(OidError::TooLong(text.len()));
        }
        if text.contains(['\0', '\n', '\r']) {
            return Err(OidError::ControlCharacter);
        }
        if text.starts_with('/') {
            return Err(OidError::LeadingSlash);
        }
        if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(OidError::BadPart);
        }
        Ok(Self(text))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Oid {
    type Err = OidError;
    fn from_str(text: &str) -> Result<Self, OidError> {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for Oid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_oid_keeps_what_an_operator_would_type() {
        for good in ["a", "reports/2019.tar", "Ünïcode ☃", "a..b/.c", &"x".repeat(1023)] {
            assert_eq!(Oid::new(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn an_oid_refuses_what_could_leave_its_folder_or_its_line() {
        for bad in [
            "",
            "/a",
            "a/../b",
            "./a",
            "a//b",
            "a/",
            "a\0b",
            "a\nb",
            &"x".repeat(1024),
        ] {
            assert!(Oid::new(bad).is_err(), "{bad:?}");
        }
    }
}
