//! Whether a medium has seen more of this catalogue's history than the catalogue itself has: the sign of a catalogue that
//! was restored from an older backup (E-16). Pure.

use super::words::words;
use super::{Blake3, Generation, Revision};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

words! {
    /// How a medium's own stamps compare with the catalogue.
    Standing = "standing" {
        /// The catalogue knows all that the medium has seen.
        Level = "level",
        /// The medium saw a history that the catalogue does not have. It is read only, and nothing is destroyed anywhere,
        /// until it was reconciled.
        Ahead = "ahead",
        /// The catalogue was restored, and the medium was not compared with it since. Likewise, until it was.
        Unseen = "unseen",
    }
}

/// The end of the sealed event chain: whoever knows it knows everything before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventHead {
    /// Its place in the chain, from 1; 0: nothing was sealed yet.
    pub link: i64,
    /// The hash of the event there.
    pub hash: Blake3,
}

/// What goes on a medium so that an older catalogue is found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The catalogue's revision.
    pub revision: Revision,
    /// The end of its sealed events.
    pub head: EventHead,
}

/// What a mounted medium says of the history it has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The generation on its label.
    pub generation: Generation,
    /// The highest revision on it.
    pub revision: Revision,
    /// The head of the last stamp; None: only its label was written, or the stamp had none.
    pub head: Option<EventHead>,
}

/// What the catalogue knows, to be compared with that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The medium's generation. While it is *erasing*, the next one.
    pub generation: Generation,
    /// The highest revision that was written to the medium.
    pub written: Revision,
    /// The catalogue's revision now.
    pub revision: Revision,
    /// Whether the chain holds the medium's head, where it has one.
    pub head: bool,
}

/// What a comparison comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compared {
    /// The catalogue knows all the medium has seen.
    Level,
    /// The medium has seen what the catalogue has not.
    Ahead {
        /// In words.
        why: String,
    },
    /// The catalogue wrote more to the medium than it shows: an old image of it was put back.
    Behind {
        /// In words.
        why: String,
    },
}

impl Known {
    /// Compares. Any one sign of a history that the catalogue lacks is enough.
    pub fn compare(&self, seen: &Seen) -> Compared {
        let why = if seen.generation > self.generation {
            format!(
                "it was erased since: its label says generation {}, the catalogue knows {}",
                seen.generation, self.generation
            )
        } else if seen.revision > self.revision {
            format!(
                "revision {} wrote to it, and the catalogue is at {}",
                seen.revision, self.revision
            )
        } else if let Some(head) = seen.head.filter(|_| !self.head) {
            format!(
                "it bears the end of the event log at entry {}, and the catalogue has another log there",
                head.link
            )
        } else if seen.generation == self.generation && seen.revision < self.written {
            let why = format!(
                "the catalogue wrote revision {} to it, and it shows {}: an old image of it was put back",
                self.written, seen.revision
            );
            return Compared::Behind { why };
        } else {
            return Compared::Level;
        };
        Compared::Ahead { why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        Known {
            generation: Generation(2),
            written: Revision(30),
            revision: Revision(40),
            head: true,
        }
    }

    fn seen() -> Seen {
        Seen {
            generation: Generation(2),
            revision: Revision(30),
            head: Some(EventHead {
                link: 7,
                hash: Blake3([1; 32]),
            }),
        }
    }

    #[test]
    fn e16_any_sign_of_a_later_history_puts_a_medium_ahead() {
        assert_eq!(known().compare(&seen()), Compared::Level);
        let generation = Generation(3);
        let revision = Revision(41);
        for (known, seen) in [
            (known(), Seen { generation, ..seen() }),
            (known(), Seen { revision, ..seen() }),
            (Known { head: false, ..known() }, seen()),
        ] {
            assert!(matches!(known.compare(&seen), Compared::Ahead { .. }), "{seen:?}");
        }
    }

    #[test]
    fn e16_a_medium_without_a_stamp_is_told_by_its_label_alone() {
        let blank = Seen {
            revision: Revision(40),
            head: None,
            ..seen()
        };
        assert_eq!(Known { head: false, ..known() }.compare(&blank), Compared::Level);
    }

    #[test]
    fn an_old_image_of_a_medium_is_behind() {
        let old = Seen {
            revision: Revision(29),
            ..seen()
        };
        assert!(matches!(known().compare(&old), Compared::Behind { .. }));
        // A medium that is about to be erased again shows the generation before.
        let earlier = Seen {
            generation: Generation(1),
            ..old
        };
        assert_eq!(known().compare(&earlier), Compared::Level);
    }
}
