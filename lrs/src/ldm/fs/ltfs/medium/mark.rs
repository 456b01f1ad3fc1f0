//! What the cartridge's memory says while its tape is erased, which cannot say so itself for a while: which medium it is,
//! and for which generation it is being erased. A mark of a generation that came to be is no word on the next erasure.

use crate::ldm::drive::{Drive, Partition};
use crate::ldm::fs::Label;
use crate::ldm::fs::ltfs::attributes;
use crate::ldm::fs::ltfs::volume::{LtfsError, LtfsResult, is_unknown};
use dss::model::{Generation, MediumId};

/// Begins the text; the number of the generation and the medium's name follow.
const ERASING: &str = "respool: erasing for generation ";

/// The text that is in the place of the volume's name.
pub(super) fn words(label: &Label) -> String {
    format!("{ERASING}{} of {}", label.generation.0, label.name)
}

/// Which generation a text says is being made; None: it says nothing of the kind.
fn generation(text: &[u8]) -> Option<Generation> {
    let text = std::str::from_utf8(text).ok()?;
    let (number, _) = text.strip_prefix(ERASING)?.split_once(' ')?;
    number.parse().ok().map(Generation)
}

/// Marks the cartridge. Nothing on the tape is touched before.
///
/// # Errors
/// `Refused`: the drive writes nothing into a cartridge's memory, so that an erasure that is cut off could not be told
/// from a tape of somebody else.
pub(in crate::ldm::fs::ltfs) fn set(drive: &mut dyn Drive, label: &Label, barcode: &str) -> LtfsResult<()> {
    for attribute in [
        attributes::medium_id(label.medium.0),
        attributes::barcode(barcode),
        attributes::text(attributes::VOLUME_NAME, &words(label)),
    ] {
        drive
            .set_attribute(Partition(0), &attribute)
            .map_err(|error| match is_unknown(&error.fault) {
                true => LtfsError::Refused(
                    "this drive keeps no memory of the cartridge, and so an erasure that is cut off could not be ended; \
                     another drive is wanted for it"
                        .to_owned(),
                ),
                false => error.into(),
            })?;
    }
    Ok(())
}

/// Gives the volume its name back.
pub(super) fn clear(drive: &mut dyn Drive, label: &Label) -> LtfsResult<()> {
    Ok(drive.set_attribute(Partition(0), &attributes::text(attributes::VOLUME_NAME, &label.name))?)
}

/// The same where a mark was left although the tape has its label.
pub(super) fn clear_left(drive: &mut dyn Drive, label: &Label) -> LtfsResult<()> {
    let words = drive.attribute(Partition(0), attributes::VOLUME_NAME)?;
    match words.and_then(|words| generation(&words.value)) {
        Some(_) => clear(drive, label),
        None => Ok(()),
    }
}

/// Whether the cartridge says that it is this medium, and being erased for this generation.
pub(super) fn is_set(drive: &mut dyn Drive, medium: MediumId, wanted: Generation) -> LtfsResult<bool> {
    let id = drive.attribute(Partition(0), attributes::MEDIUM_ID)?;
    let words = drive.attribute(Partition(0), attributes::VOLUME_NAME)?;
    let is_ours = id.is_some_and(|id| id.value == attributes::medium_id(medium.0).value);
    Ok(is_ours && words.and_then(|words| generation(&words.value)) == Some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text of somebody else, or of another generation, is no mark of this erasure.
    #[test]
    fn a_mark_says_its_generation_and_no_other_text_does() {
        let label = Label {
            format: super::super::FORMAT.to_owned(),
            medium: MediumId::fresh(),
            name: "of 5 ".repeat(80),
            generation: Generation(12),
            catalogue: dss::model::CatalogueId::fresh(),
            revision: dss::model::Revision(1),
            created_at: jiff::Timestamp::UNIX_EPOCH,
        };
        let told = attributes::text(attributes::VOLUME_NAME, &words(&label));
        assert_eq!(generation(&told.value), Some(Generation(12)));
        for other in [
            "",
            "holidays",
            "respool: erasing",
            "respool: erasing for generation x of y",
        ] {
            assert_eq!(generation(other.as_bytes()), None, "{other}");
        }
    }
}
