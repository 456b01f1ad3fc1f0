//! Names of extents: readable, plain ASCII, at most 200 bytes before an attempt's suffix, and the same on every file
//! system. A name says for whom the bytes were written; identity is in the medium's index, never in the name.

use dss::model::{Address, ExtentId, Oid, Origin};
use std::collections::HashMap;
use std::fmt::Write;

/// The folder of the extents.
pub(super) const OBJECTS: &str = "objects";

/// Longer names are shortened: 255 bytes is what file systems take, and the attempt's suffix needs some of them.
const LONGEST: usize = 200;

/// What a folder's entry may be called at most.
const NAME_MAX: usize = 255;

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.,=~".contains(&byte)
}

fn escape(oid: &Oid) -> String {
    let mut out = String::with_capacity(oid.as_str().len());
    for (position, byte) in oid.as_str().bytes().enumerate() {
        // A leading dot would hide the file from whoever looks at the disk by hand.
        if is_plain(byte) && !(position == 0 && byte == b'.') {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a string takes what is written to it");
        }
    }
    out
}

/// The name of the first attempt.
pub(super) fn base(origin: &Origin) -> String {
    let place = format!("@{}.{}.{}", origin.version, origin.copy, origin.index);
    let mut name = escape(&origin.oid);
    if name.len() + place.len() > LONGEST {
        let digest = blake3::hash(origin.oid.as_str().as_bytes()).to_hex();
        let suffix = format!("~{}", &digest[..32]);
        let mut keep = LONGEST - place.len() - suffix.len();
        // Not within an escape.
        while name.as_bytes()[keep.saturating_sub(2)..keep].contains(&b'%') {
            keep -= 1;
        }
        name.truncate(keep);
        name.push_str(&suffix);
    }
    name + &place
}

/// The name of the n-th attempt, counted from 1.
pub(super) fn attempt(base: &str, number: u32) -> String {
    if number == 1 {
        base.to_owned()
    } else {
        format!("{base}+{number}")
    }
}

/// Where a name lies.
pub(super) fn address(name: &str) -> Address {
    Address(format!("{OBJECTS}/{name}"))
}

/// The name in an address; None: it could mean anything but one entry of the extents' folder.
pub(super) fn of_address(address: &Address) -> Option<&str> {
    address
        .0
        .strip_prefix(OBJECTS)
        .and_then(|rest| rest.strip_prefix('/'))
        .filter(|name| !matches!(*name, "" | "." | "..") && name.len() <= NAME_MAX)
        .filter(|name| !name.contains(['/', '\0']))
}

/// 128 bits of a name's BLAKE3: two names never share it, at a cost that does not grow with the name.
pub(super) type NameKey = [u8; 16];

/// The key of a name.
pub(super) fn key(name: &str) -> NameKey {
    *blake3::hash(name.as_bytes())
        .as_bytes()
        .first_chunk()
        .expect("a digest is longer than a key")
}

/// Who has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nobody, ever, in this generation.
    Free,
    /// Nobody now: it was deleted or isolated, or a stranger lies there.
    Spent,
    /// This extent.
    Extent(ExtentId),
}

/// Stands for "spent" among the owners: no extent has this id.
const NOBODY: ExtentId = ExtentId(uuid::Uuid::nil());

/// The names of one generation of one medium.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(HashMap<NameKey, ExtentId>);

impl Names {
    pub(super) fn owner(&self, name: &str) -> Owner {
        match self.0.get(&key(name)) {
            None => Owner::Free,
            Some(&NOBODY) => Owner::Spent,
            Some(extent) => Owner::Extent(*extent),
        }
    }

    /// The name is this extent's, and nobody else's in this generation.
    pub(super) fn claim(&mut self, name: &str, extent: ExtentId) {
        self.0.insert(key(name), extent);
    }

    /// The name is nobody's and is not given out again.
    pub(super) fn spend(&mut self, name: &str) {
        self.spend_key(key(name));
    }

    /// The same by its key.
    pub(super) fn spend_key(&mut self, key: NameKey) {
        self.0.insert(key, NOBODY);
    }

    /// Whose the name was is not known any more.
    pub(super) fn forget(&mut self, name: &str) {
        self.0.remove(&key(name));
    }

    /// The keys of all names that are spent, in order.
    pub(super) fn spent(&self) -> Vec<NameKey> {
        let spent = self.0.iter().filter(|(_, owner)| **owner == NOBODY);
        let mut keys: Vec<NameKey> = spent.map(|(key, _)| *key).collect();
        keys.sort_unstable();
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dss::model::{CopyNo, ExtentIndex, ObjectId, Version};
    use proptest::prelude::*;

    fn named(oid: &str) -> String {
        base(&Origin {
            object: ObjectId(uuid::Uuid::nil()),
            oid: Oid::new(oid).unwrap(),
            version: Version(3),
            copy: CopyNo(0),
            index: ExtentIndex(2),
        })
    }

    #[test]
    fn names_are_readable_and_plain() {
        assert_eq!(named("reports/2019.tar"), "reports%2F2019.tar@3.0.2");
        assert_eq!(named("a@1.0.0"), "a%401.0.0@3.0.2");
        assert_eq!(named("50%"), "50%25@3.0.2");
        assert_eq!(named(".hidden"), "%2Ehidden@3.0.2");
        assert_eq!(named("ü+\u{7f}"), "%C3%BC%2B%7F@3.0.2");
        assert_eq!(attempt("a@1.0.0", 1), "a@1.0.0");
        assert_eq!(attempt("a@1.0.0", 2), "a@1.0.0+2");
    }

    #[test]
    fn long_names_stay_apart() {
        let (one, two) = (format!("{}1", "x".repeat(1022)), format!("{}2", "x".repeat(1022)));
        assert_ne!(named(&one), named(&two));
        assert_eq!(named(&one).len(), 200);
    }

    #[test]
    fn a_name_is_free_once() {
        let mut names = Names::default();
        let extent = ExtentId::fresh();
        assert_eq!(names.owner("a"), Owner::Free);
        names.claim("a", extent);
        assert_eq!(names.owner("a"), Owner::Extent(extent));
        assert!(names.spent().is_empty());
        names.spend("a");
        assert_eq!(names.owner("a"), Owner::Spent);
        assert_eq!(names.spent(), [key("a")]);
    }

    #[test]
    fn an_address_is_one_entry_of_the_folder() {
        let of = |text: &str| of_address(&Address(text.to_owned())).map(str::to_owned);
        assert_eq!(of("objects/a@1.0.0").as_deref(), Some("a@1.0.0"));
        for wrong in [
            "",
            "objects",
            "objects/",
            "objects/..",
            "objects/a/b",
            "objects/a\0",
            "other/a",
            "objectsa",
        ] {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn every_name_is_plain_short_and_whole(oid in "\\PC{1,250}") {
            let Ok(oid) = Oid::new(oid) else { return Ok(()) };
            let name = named(oid.as_str());
            prop_assert!(name.len() <= LONGEST && name.bytes().all(|byte| is_plain(byte) || b"%@".contains(&byte)));
            let decoded = percent_encoding::percent_decode_str(&name).collect::<Vec<u8>>();
            prop_assert!(!decoded.is_empty() && !name.starts_with('.'));
            for (at, _) in name.match_indices('%') {
                prop_assert!(name.as_bytes()[at + 1..at + 3].iter().all(u8::is_ascii_hexdigit), "{name}");
            }
        }
    }
}
