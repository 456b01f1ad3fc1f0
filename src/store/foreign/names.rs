//! The names of objects that were files of an LTFS volume. A path is its own name where it can be: what no OID may hold is
//! written with a percent sign, so that every name leads back to one path. Pure.

use dss::model::Oid;
use dss::model::ids::OidError;

/// What is written otherwise, and how.
const ESCAPES: [(char, &str); 3] = [('\n', "0A"), ('\r', "0D"), ('%', "25")];

/// The name for a path, below another one where that is given.
pub fn oid_of(path: &str, under: Option<&Oid>) -> Result<Oid, OidError> {
    let name = escaped(path);
    Oid::new(match under {
        Some(under) => format!("{under}/{name}"),
        None => name,
    })
}

/// A path without line breaks. A percent sign that would be read as the beginning of an escape is one.
fn escaped(path: &str) -> String {
    let mut name = String::with_capacity(path.len());
    for (at, one) in path.char_indices() {
        let rest = &path[at + one.len_utf8()..];
        let ambiguous = one != '%' || ESCAPES.iter().any(|(_, digits)| rest.starts_with(digits));
        match ESCAPES.iter().find(|(of, _)| *of == one) {
            Some((_, digits)) if ambiguous => {
                name.push('%');
                name.push_str(digits);
            }
            Some(_) | None => name.push(one),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The path that a name was made of.
    fn unescaped(name: &str) -> String {
        let mut path = String::new();
        let mut rest = name;
        while let Some(one) = rest.chars().next() {
            let escape = ESCAPES
                .iter()
                .find(|(_, digits)| rest.strip_prefix('%').is_some_and(|behind| behind.starts_with(digits)));
            match escape {
                Some((of, digits)) => {
                    path.push(*of);
                    rest = &rest[1 + digits.len()..];
                }
                None => {
                    path.push(one);
                    rest = &rest[one.len_utf8()..];
                }
            }
        }
        path
    }

    #[test]
    fn a_path_is_its_own_name_unless_it_cannot_be() {
        for (path, name) in [
            ("docs/readme.txt", "docs/readme.txt"),
            ("100%/a b", "100%/a b"),
            ("two\nlines\r", "two%0Alines%0D"),
            ("a%0Ab", "a%250Ab"),
            ("%25", "%2525"),
            ("%0a", "%0a"),
        ] {
            assert_eq!(oid_of(path, None).unwrap().as_str(), name);
            assert_eq!(unescaped(name), path);
        }
        let under = Oid::new("old/tape").unwrap();
        assert_eq!(oid_of("a\n", Some(&under)).unwrap().as_str(), "old/tape/a%0A");
    }

    #[test]
    fn what_is_no_name_even_so_is_refused() {
        assert_eq!(oid_of(&"n".repeat(1_024), None), Err(OidError::TooLong(1_024)));
        assert_eq!(oid_of(&"\n".repeat(342), None), Err(OidError::TooLong(1_026)));
        assert!(oid_of("a/../b", None).is_err() && oid_of("", None).is_err() && oid_of("/a", None).is_err());
    }

    proptest! {
        #[test]
        fn every_name_leads_back_to_its_path(path in "[%025ADa\n\r/ü]{0,20}") {
            let name = escaped(&path);
            prop_assert!(!name.contains(['\n', '\r']));
            prop_assert_eq!(unescaped(&name), path);
        }

        #[test]
        fn two_paths_never_have_one_name(one in "[%025AD\n\r]{0,6}", other in "[%025AD\n\r]{0,6}") {
            prop_assert_eq!(escaped(&one) == escaped(&other), one == other);
        }
    }
}
