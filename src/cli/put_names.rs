//! Files below a folder whose names no object can have: all of them are told together, before anything is sent.

use super::put::refuse;
use super::several::NAMED_MAX;
use super::visible::on_one_line;
use crate::api::Problem;
use dss::model::ids::OidError;
use std::path::{Path, PathBuf};

/// Why a file's name is none for an object.
pub enum Unfit {
    /// It breaks a rule.
    Oid(OidError),
    /// It is no text.
    NotUtf8,
}

impl Unfit {
    fn why(&self) -> String {
        match self {
            Self::Oid(error) => format!("cannot be called so: {error}"),
            Self::NotUtf8 => "has a name that is not UTF-8".to_owned(),
        }
    }

    fn way(&self) -> &'static str {
        match self {
            Self::Oid(_) => "rename it",
            Self::NotUtf8 => "rename it, or store it alone under another name",
        }
    }
}

/// Those that were met so far.
#[derive(Default)]
pub struct Unnameable {
    first: Vec<(PathBuf, Unfit)>,
    count: usize,
}

impl Unnameable {
    /// One more.
    pub fn add(&mut self, path: &Path, unfit: Unfit) {
        self.count += 1;
        if self.first.len() < NAMED_MAX {
            self.first.push((path.to_owned(), unfit));
        }
    }

    /// Why nothing is stored, if there was any.
    pub fn problem(&self) -> Option<Problem> {
        let (path, unfit) = self.first.first()?;
        if self.count == 1 {
            return Some(refuse(path, &unfit.why()).next(unfit.way()));
        }
        let told =
            |(path, unfit): &(PathBuf, Unfit)| format!("{} {}", on_one_line(&path.display().to_string()), unfit.why());
        let mut named: Vec<String> = self.first.iter().map(told).collect();
        let more = self.count - named.len();
        if more > 0 {
            named.push(format!("and {more} more"));
        }
        let message = format!(
            "{} files have names that no object can have; nothing was stored: {}",
            self.count,
            named.join("; ")
        );
        let path = on_one_line(&path.display().to_string());
        Some(Problem::refused("not_a_file", path, message).next("rename them, or store them alone under other names"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(count: usize) -> Problem {
        let mut met = Unnameable::default();
        for number in 0..count {
            met.add(&PathBuf::from(format!("folder/{number}")), Unfit::NotUtf8);
        }
        met.problem().unwrap()
    }

    #[test]
    fn all_are_named_up_to_a_number_and_the_rest_is_counted() {
        assert_eq!(Unnameable::default().problem(), None);
        assert!(met(1).message.starts_with("folder/0 has a name"), "{}", met(1).message);
        let all = met(NAMED_MAX).message;
        assert_eq!(all.matches("folder/").count(), NAMED_MAX, "{all}");
        assert!(!all.contains("more"), "{all}");
        let some = met(NAMED_MAX + 2).message;
        assert_eq!(some.matches("folder/").count(), NAMED_MAX, "{some}");
        assert!(some.starts_with("22 files") && some.ends_with("; and 2 more"), "{some}");
    }
}
