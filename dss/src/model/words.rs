//! Every closed list of words, once: the Rust enum, the SQL enum's labels and the JSON words come from the same line.

/// Declares an enum whose words are the same in Rust, SQL and JSON. `SQL_TYPE` names its type in the database, where
/// a test compares the labels.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident = $sql:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// The name of the enum type in the database.
            pub const SQL_TYPE: &'static str = $sql;
            /// Every value, in the order of the database's labels.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The one word for this value.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::model::words::UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(crate::model::words::UnknownWord {
                        of: $sql,
                        word: text.to_owned(),
                        known: &[$($word,)+],
                    }),
                }
            }
        }
    };
}
pub(crate) use words;

/// A word that is not on the list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{word}' is no {of}; write one of {}", .known.join(", "))]
pub struct UnknownWord {
    /// The list.
    pub of: &'static str,
    /// The word.
    pub word: String,
    /// Those that are.
    pub known: &'static [&'static str],
}
