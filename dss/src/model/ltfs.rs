//! What an LTFS index says of an entry besides where its bytes lie: it travels with the bytes, so that a tape written later
//! says the same of them to every reader. Only words; what is legal in an index is decided where one is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the tree of an LTFS volume said of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LtfsAttributes {
    /// Its path in the tree, decoded, with `/` between its parts; empty for the root.
    pub path: String,
    /// What it is.
    pub kind: LtfsKind,
    /// Whether its bytes may not be changed.
    pub readonly: bool,
    /// Its times, as they stood in the index.
    pub times: LtfsTimes,
    /// Its extended attributes, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub xattrs: Vec<LtfsXattr>,
    /// Elements that no standard names: each one's XML text, to be kept as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// What an entry of a tree is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LtfsKind {
    /// A file with bytes, perhaps none.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Where it leads, as it stood in the index.
        target: String,
    },
}

/// The times of an entry, each as the index wrote it: no digit is lost by reading and writing it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LtfsTimes {
    /// When it was made.
    pub creation: String,
    /// When its attributes changed last.
    pub change: String,
    /// When its bytes changed last.
    pub modify: String,
    /// When it was read last.
    pub access: String,
    /// When it was last saved elsewhere.
    pub backup: String,
}

/// An extended attribute of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LtfsXattr {
    /// Its key, decoded.
    pub key: String,
    /// Its value.
    pub value: LtfsValue,
}

/// The value of an extended attribute, in the form in which the index has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LtfsValue {
    /// Text.
    Text(String),
    /// Bytes, in base 64 as they stood there.
    Base64(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Metadata;

    #[test]
    fn attributes_are_the_same_after_a_catalogue_has_kept_them() {
        let times = LtfsTimes {
            creation: "2019-03-04T05:06:07.000000008Z".to_owned(),
            change: "2019-03-04T05:06:07.100000000Z".to_owned(),
            modify: "2019-03-04T05:06:07.000000000Z".to_owned(),
            access: "2020-01-01T00:00:00.123456789Z".to_owned(),
            backup: "1969-12-31T23:59:59.999999999Z".to_owned(),
        };
        for kind in [
            LtfsKind::File,
            LtfsKind::Directory,
            LtfsKind::Symlink {
                target: "../a b".to_owned(),
            },
        ] {
            let xattrs = vec![
                LtfsXattr {
                    key: "a".to_owned(),
                    value: LtfsValue::Text("<&".to_owned()),
                },
                LtfsXattr {
                    key: "b".to_owned(),
                    value: LtfsValue::Base64("/w==".to_owned()),
                },
            ];
            let ltfs = LtfsAttributes {
                path: "one/two".to_owned(),
                kind,
                readonly: true,
                times: times.clone(),
                xattrs,
                unknown: vec!["<x:y>1</x:y>".to_owned()],
            };
            let metadata = Metadata {
                ltfs: Some(ltfs),
                ..Metadata::default()
            };
            let text = serde_json::to_string(&metadata).unwrap();
            assert_eq!(serde_json::from_str::<Metadata>(&text).unwrap(), metadata, "{text}");
            let typo = text.replacen("readonly", "readOnly", 1);
            serde_json::from_str::<Metadata>(&typo).unwrap_err();
        }
    }

    #[test]
    fn metadata_without_attributes_of_a_tape_is_written_as_ever() {
        assert_eq!(serde_json::to_string(&Metadata::default()).unwrap(), "{}");
        assert_eq!(serde_json::from_str::<Metadata>("{}").unwrap().ltfs, None);
    }
}
