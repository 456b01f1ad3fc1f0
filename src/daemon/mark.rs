//! Which catalogue belongs to a state folder: its id, in a file, from the moment it was made or put back here. Where there
//! is a mark nothing is made, and no other catalogue is used: a disk that is not mounted, an emptied server and another
//! one at the same address look like a first start otherwise. Called where a catalogue is opened or put back.

use super::seat::write_durably;
use crate::api::Problem;
use crate::config::Config;
use crate::state::StateFolder;
use dss::model::CatalogueId;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

const MISSING: &str = "catalogue_missing";
const ANOTHER: &str = "another_catalogue";

/// The catalogue of this folder; None: none was made or put back here yet.
pub fn read(state: &StateFolder) -> Result<Option<CatalogueId>, Problem> {
    let path = state.catalogue_mark();
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(state.unusable("read", &error)),
    };
    text.trim().parse().map(Some).map_err(|_| {
        Problem::environment(
            "mark_damaged",
            "us",
            path.display().to_string(),
            format!(
                "{} should name the catalogue that belongs here, and holds no id; nothing was made or opened",
                path.display()
            ),
        )
        .next(
            "write the catalogue's id into it (`respool catalogue verify FILE` tells it from a backup), or put a backup \
             back with `respool catalogue restore FILE`",
        )
    })
}

/// Notes which catalogue belongs here from now on.
pub fn write(state: &StateFolder, id: CatalogueId) -> Result<(), Problem> {
    write_durably(&state.catalogue_mark(), &format!("{id}\n")).map_err(|error| state.unusable("written", &error))
}

/// Refuses another catalogue than the one that belongs here.
pub fn require(state: &StateFolder, known: Option<CatalogueId>, found: CatalogueId) -> Result<(), Problem> {
    match known {
        Some(known) if known != found => Err(another(state, known, found)),
        Some(_) | None => Ok(()),
    }
}

/// That the catalogue of this folder is not in its database.
pub fn missing(state: &StateFolder, config: &Config, id: CatalogueId) -> Problem {
    let path = state.path().display();
    let (place, mend) = match &config.catalogue.url {
        Some(_) => (
            "the database that [catalogue] url names".to_owned(),
            "correct [catalogue] url, or see what became of that database",
        ),
        None => (
            format!("{path}/pg"),
            "mount the disk that it lies on (stop the service first, where one runs)",
        ),
    };
    Problem::environment(
        MISSING,
        "us",
        id.to_string(),
        format!("catalogue {id} belongs to {path}, and {place} holds none; no new one was made in its place"),
    )
    .next(format!(
        "{mend}; if it is lost put a backup back: `respool catalogue restore FILE`; a new catalogue is made in another \
         folder, with --state"
    ))
}

fn another(state: &StateFolder, known: CatalogueId, found: CatalogueId) -> Problem {
    let mark = state.catalogue_mark();
    Problem::environment(
        ANOTHER,
        "us",
        known.to_string(),
        format!(
            "catalogue {known} belongs to {}, and its database holds catalogue {found}; nothing was done with that one",
            state.path().display()
        ),
    )
    .next(format!(
        "mount the right disk or correct [catalogue] url; or put a backup of {known} back in its place: `respool catalogue \
         restore FILE --force`; if {found} is the one that you want here, write its id into {}",
        mark.display()
    ))
}

/// Whether a problem is that the right catalogue is not there.
pub fn is_at_odds(problem: &Problem) -> bool {
    [MISSING, ANOTHER].contains(&problem.code.as_str())
}

/// Whether a cluster would be made in this folder: there is none, or it is a place where none is mounted.
pub fn is_nothing(cluster: &Path) -> bool {
    match fs::read_dir(cluster) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_an_id_or_nothing_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::resolve(Some(folder.path())).unwrap();
        assert_eq!(read(&state).unwrap(), None);
        let id = CatalogueId::fresh();
        write(&state, id).unwrap();
        assert_eq!(read(&state).unwrap(), Some(id));
        for damaged in ["", "yes\n"] {
            fs::write(state.catalogue_mark(), damaged).unwrap();
            assert_eq!(read(&state).unwrap_err().exit, 3, "{damaged:?}");
        }
    }

    #[test]
    fn only_the_catalogue_of_a_folder_is_used_there() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::resolve(Some(folder.path())).unwrap();
        let (ours, other) = (CatalogueId::fresh(), CatalogueId::fresh());
        assert!(require(&state, None, other).is_ok(), "a first start");
        assert!(require(&state, Some(ours), ours).is_ok());
        let problem = require(&state, Some(ours), other).unwrap_err();
        assert!(problem.exit == 3 && is_at_odds(&problem));
        assert!([ours, other].iter().all(|id| problem.message.contains(&id.to_string())));
    }
}
