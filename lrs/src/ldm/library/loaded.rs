//! A cartridge that was put into a bay, and whether it is the one that was asked for. Pure.

use super::barcode;
use crate::ldm::changer::{Element, ElementAddress};
use crate::ldm::drive::Cartridge;

/// A cartridge in a drive, threaded, at its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Its barcode.
    pub barcode: String,
    /// What the drive says of it.
    pub cartridge: Cartridge,
    /// Whether the arm brought it.
    pub moved: Moved,
    /// What an operator should know about it.
    pub remark: Option<String>,
}

/// Whether the arm brought a cartridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// It was in the bay already.
    No,
    /// From this element.
    From(ElementAddress),
}

/// What is known of a cartridge in a bay.
#[derive(Clone, Copy, Debug)]
pub(super) struct Witness<'a> {
    /// The barcode that was asked for.
    pub(super) asked: &'a str,
    /// What the changer says of the bay.
    pub(super) there: &'a Element,
    /// What the cartridge's memory says (MAM 0806), where it says anything.
    pub(super) memory: Option<&'a str>,
    /// Whether the arm brought it just now, from where the changer said it was.
    pub(super) moved: Moved,
}

/// Whether it is the one that was asked for. The changer has read the label; the memory has what some software once wrote,
/// and that a label was replaced since is no mistake. A changer that tells no barcodes of its drives is believed in what it
/// moved; of what lay there before, the memory must say it.
///
/// # Errors
/// In words, why it is not, or is not known to be.
pub(super) fn confirm(witness: &Witness<'_>) -> Result<Option<String>, String> {
    let Witness { asked, there, .. } = *witness;
    if !there.full {
        return Err("the changer says that nothing is in it".to_owned());
    }
    let remark = match witness.memory {
        Some(memory) if !barcode::is_same(asked, memory) => {
            Some(format!("the cartridge's memory calls itself {memory}"))
        }
        Some(_) | None => None,
    };
    match (&there.barcode, witness.moved) {
        (Some(found), _) if found != asked => Err(format!("the changer says that {found} is in it")),
        (Some(_), _) | (None, Moved::From(_)) => Ok(remark),
        (None, Moved::No) => match (witness.memory, remark) {
            (Some(_), None) => Ok(None),
            (Some(_), Some(remark)) => Err(remark),
            (None, _) => Err("neither the changer nor the cartridge's memory says which cartridge it is".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::inventory::tests::element;
    use super::*;
    use crate::ldm::changer::ElementKind;

    /// Columns: the memory says nothing, the same, the same without the medium, another one. Rows: what the changer says, and
    /// whether the arm brought it. y: it is; r: it is, with a remark; n: it is not, or not known.
    #[test]
    fn which_cartridge_it_is_the_changer_says_and_else_the_memory() {
        let row = |there: Option<&str>, moved: Moved| -> String {
            let memories = [None, Some("RSP001L9"), Some("RSP001"), Some("RSP002L9")];
            let letter = |memory| {
                let there = element(ElementKind::Drive, 256, there);
                let witness = Witness {
                    asked: "RSP001L9",
                    there: &there,
                    memory,
                    moved,
                };
                match confirm(&witness) {
                    Ok(None) => 'y',
                    Ok(Some(_)) => 'r',
                    Err(_) => 'n',
                }
            };
            memories.map(letter).iter().collect()
        };
        let from = Moved::From(ElementAddress(1024));
        let table = [
            row(Some("RSP001L9"), from),
            row(Some("RSP001L9"), Moved::No),
            row(Some("RSP002L9"), from),
            row(Some(""), from),
            row(Some(""), Moved::No),
            row(None, from),
        ];
        assert_eq!(table, ["yyyr", "yyyr", "nnnn", "yyyr", "nyyn", "nnnn"]);
    }
}
