//! Names on media that rows have of which the medium knows nothing: of attempts that ended before a byte was there. What
//! is recorded gives way to them, name by name.

use dss::catalogue::{Catalogue, CatalogueError};
use dss::model::{Address, ExtentId, Generation, MediumId};
use lrs::ldm::MediaResult;
use lrs::ldm::fs::{ExtentTag, Volume};
use std::collections::{BTreeMap, BTreeSet};

/// How many names an extent is tried under. Each attempt in the past that nothing is known of costs one.
pub const MOST_NAMES: u32 = 10_000;

/// How often a window is recorded whose names others took in between.
pub const MOST_RECORDS: u32 = 64;

/// A name on a medium, or why it has none for this extent alone.
pub type Named = MediaResult<(ExtentId, Address)>;

/// A medium as it is between two erasures: within it a name is given once.
pub type Ground = (MediumId, Generation);

/// Makes sure that it is the medium it should be, and takes a name on it for each of these.
pub fn reserve(volume: &mut dyn Volume, wanted: Vec<(usize, ExtentTag)>) -> MediaResult<Vec<(usize, Named)>> {
    volume.identify()?;
    let name = |(position, tag): (usize, ExtentTag)| match volume.reserve(&tag) {
        Ok(address) => Ok((position, Ok((tag.extent, address)))),
        Err(error) if error.fault.is_of_extent() => Ok((position, Err(error))),
        Err(error) => Err(error),
    };
    wanted.into_iter().map(name).collect()
}

/// Of the names at these positions those that a row has already, whatever became of it: one question for each medium.
pub async fn taken(
    catalogue: &dyn Catalogue,
    names: &[Named],
    ground: impl Fn(usize) -> Ground,
    asked: &[usize],
) -> Result<Vec<usize>, CatalogueError> {
    let named = |position: &usize| names[*position].as_ref().ok().map(|(_, address)| address);
    let mut wanted: BTreeMap<Ground, Vec<Address>> = BTreeMap::new();
    for position in asked {
        if let Some(address) = named(position) {
            wanted.entry(ground(*position)).or_default().push(address.clone());
        }
    }
    let mut found: BTreeMap<Ground, BTreeSet<Address>> = BTreeMap::new();
    for (ground, addresses) in wanted {
        let (medium, generation) = ground;
        let these = catalogue.taken(medium, generation, &addresses).await?;
        found.insert(ground, these);
    }
    let is_taken = |position: &usize| {
        let names = found.get(&ground(*position));
        named(position).is_some_and(|address| names.is_some_and(|names| names.contains(address)))
    };
    Ok(asked.iter().copied().filter(is_taken).collect())
}
