//! Bytes that failed a digest: the file in which they are kept out of the way. What is said of an extent may stand on a
//! tape that anybody wrote, and so that they can be kept at all is found before anything is said of it. Pure.

use super::{paths, tag};
use crate::ldm::fs::IndexEntry;
use crate::ldm::fs::ltfs::Time;
use crate::ldm::fs::ltfs::index::{File, Meta, Times};
use crate::ldm::fs::ltfs::volume::Labels;

/// The file in which an extent's bytes are kept under this name. None: nothing is called so, or the note names no place
/// for so many bytes; an index that is to name it could not be written.
pub(super) fn file(note: &IndexEntry, name: &str, labels: &Labels) -> Option<File> {
    if !paths::is_name(name) {
        return None;
    }
    let put = Time::from(note.tag.header.created_at);
    let meta = Meta {
        name: name.to_owned(),
        readonly: true,
        times: Times::all(put),
        ..Meta::default()
    };
    let (length, extents) = (note.tag.bytes.0, tag::placed(note, labels)?);
    Some(File {
        meta,
        length,
        extents,
        ..File::default()
    })
}

#[cfg(test)]
mod tests {
    use super::super::shelf::Shelf;
    use super::super::tag::tests::{entry, imported, labels, noted};
    use super::super::tag::{Isolation, Record};
    use super::*;
    use dss::model::{ByteCount, LtfsKind};

    /// Isolates an extent that the shelf has as this note says, and lays out what an index is to name.
    fn isolated(shelf: &mut Shelf, note: &IndexEntry, kept: &str) -> Result<u64, String> {
        let isolation = Record::Isolated(Isolation {
            extent: note.tag.extent,
            address: note.address.clone(),
            kept: kept.to_owned(),
            reason: "its digest is another one".to_owned(),
        });
        let done = shelf.apply(&isolation, &isolation.to_line(), &labels());
        assert_eq!(
            done.is_err(),
            shelf.holds(note.tag.extent),
            "it is there, or it is kept"
        );
        shelf.laid(&labels()).for_each(drop);
        done
    }

    fn shelf(notes: &[&IndexEntry]) -> Shelf {
        let mut shelf = Shelf::default();
        for note in notes {
            let extent = Record::Extent(Box::new((*note).clone()));
            shelf.apply(&extent, &extent.to_line(), &labels()).expect("it fits");
        }
        shelf
    }

    /// A directory whose digests say that it has bytes: its entry in the tree needs no place, and a file of them does.
    #[test]
    fn what_has_no_place_for_its_bytes_is_not_isolated() {
        let mut hostile = noted(imported("d", LtfsKind::Directory), 0);
        hostile.digests.bytes = ByteCount(5);
        assert_eq!(file(&hostile, "kept", &labels()), None);
        let told = isolated(&mut shelf(&[&hostile]), &hostile, "kept");
        assert!(told.is_err_and(|words| words.contains("cannot be kept")));
        let honest = noted(imported("d", LtfsKind::Directory), 0);
        assert_eq!(isolated(&mut shelf(&[&honest]), &honest, "kept"), Ok(0));
    }

    #[test]
    fn bytes_are_kept_under_a_name_that_a_file_can_have_and_no_other_one_has() {
        let (one, other) = (entry("one", 10), entry("other", 11));
        for wrong in ["", ".", "..", "a/b", "a\0", "e\u{301}", &"x".repeat(256)] {
            assert!(isolated(&mut shelf(&[&one]), &one, wrong).is_err(), "{wrong:?}");
        }
        let mut shelf = shelf(&[&one, &other]);
        assert_eq!(isolated(&mut shelf, &one, "kept"), Ok(0));
        assert!(isolated(&mut shelf, &other, "kept").is_err());
        assert_eq!(isolated(&mut shelf, &other, "kept+2"), Ok(0));
    }
}
