//! The names of what is planned, packed one behind the other: what a plan shows to people is told without asking the
//! catalogue again, as long as the names are short enough to be kept.

use dss::catalogue::ManifestRow;
use dss::model::{ExtentId, MediumId, Oid};

/// The bytes of names that are kept for each extent, on average. With an extent's id and its place here that leaves more
/// than half of the 300 bytes that an extent may cost (DESIGN, section 8) to the plan itself.
const EACH: usize = 96;
/// And so many at once, so that a few long names of a small medium are kept.
const SPARE: usize = 1 << 20;

/// The names of the extents of some sources.
#[derive(Debug)]
pub struct Names {
    sources: Vec<MediumId>,
    runs: Vec<Run>,
}

/// Those of one source, by id.
#[derive(Debug, Default)]
struct Run {
    ids: Vec<ExtentId>,
    /// Where each name ends in `text`; a name that is not kept ends where the one before it does.
    ends: Vec<u32>,
    text: String,
}

impl Names {
    /// None yet.
    pub fn none(sources: &[MediumId]) -> Self {
        Self {
            sources: sources.to_vec(),
            runs: sources.iter().map(|_| Run::default()).collect(),
        }
    }

    /// Keeps the name of a row, if there is room. Rows of a source come in the order of their ids.
    pub fn keep(&mut self, row: &ManifestRow) {
        let source = self.sources.iter().position(|medium| *medium == row.medium);
        self.runs[source.expect("a manifest row is of a source")].keep(row.extent, row.oid.as_str());
    }

    /// The name of an extent of a source, by the source's position; None: it was not kept.
    pub fn of(&self, source: u16, extent: ExtentId) -> Option<Oid> {
        self.runs[usize::from(source)].name(extent)
    }
}

impl Run {
    fn keep(&mut self, extent: ExtentId, name: &str) {
        assert!(
            self.ids.last().is_none_or(|last| *last < extent),
            "a manifest comes by id"
        );
        self.ids.push(extent);
        if self.text.len() + name.len() <= SPARE + EACH * self.ids.len()
            && u32::try_from(self.text.len() + name.len()).is_ok()
        {
            self.text.push_str(name);
        }
        let end = u32::try_from(self.text.len()).expect("it was made sure of");
        self.ends.push(end);
    }

    fn name(&self, extent: ExtentId) -> Option<Oid> {
        let at = self.ids.binary_search(&extent).ok()?;
        let from = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        let text = &self.text[from as usize..self.ends[at] as usize];
        text.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dss::model::{ByteCount, CopyNo, ObjectId};

    fn row(medium: MediumId, name: &str) -> ManifestRow {
        ManifestRow {
            extent: ExtentId::fresh(),
            medium,
            object: ObjectId::fresh(),
            oid: name.parse().unwrap(),
            copy: CopyNo(0),
            bytes: ByteCount(1),
            deleted_only: false,
            avoid: Default::default(),
            grouping: None,
            spot: None,
        }
    }

    #[test]
    fn every_name_is_found_by_source_and_extent() {
        let media = [MediumId::fresh(), MediumId::fresh()];
        let mut names = Names::none(&media);
        let rows: Vec<ManifestRow> = (0..100)
            .map(|n| row(media[n % 2], &"é".repeat(n + 1)))
            .inspect(|row| names.keep(row))
            .collect();
        for (n, row) in rows.iter().enumerate() {
            let source = u16::try_from(n % 2).unwrap();
            assert_eq!(names.of(source, row.extent).as_ref(), Some(&row.oid));
            assert_eq!(names.of(1 - source, row.extent), None);
        }
    }

    #[test]
    fn x23_names_that_would_cost_too_much_are_not_kept() {
        let medium = MediumId::fresh();
        let mut names = Names::none(&[medium]);
        let long = "x".repeat(1_000);
        let rows: Vec<ManifestRow> = (0..5_000)
            .map(|_| row(medium, &long))
            .inspect(|row| names.keep(row))
            .collect();
        let kept = rows.iter().filter(|row| names.of(0, row.extent).is_some()).count();
        assert!((1_000..2_000).contains(&kept), "{kept} were kept");
        let short = row(medium, "short");
        names.keep(&short);
        assert_eq!(names.of(0, short.extent), Some(short.oid), "a short one still fits");
        assert!(names.runs[0].text.len() <= SPARE + EACH * names.runs[0].ids.len());
    }
}
