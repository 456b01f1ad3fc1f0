//! The label: which medium this is, and where its present generation's manifest begins. It is replaced in one step, and
//! that step is what makes a format or an erasure true.

use super::FORMAT;
use super::ground::Ground;
use crate::ldm::disk::{LabelRead, ROOT, Replace, Role};
use crate::ldm::fs::Label;
use crate::ldm::{Fault, MediaResult, Op};
use nix::errno::Errno;
use serde::{Deserialize, Serialize};

/// The folder of everything that is not an extent.
pub(super) const HOME: &str = ".respool";
pub(super) const PATH: &str = ".respool/label.json";
const NEW: &str = ".respool/label.json.new";

/// More cannot be a label.
const LONGEST: usize = 64 << 10;

/// What the label's file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LabelFile {
    pub(super) label: Label,
    /// The manifest segment that this generation begins with. Lower ones are of earlier generations.
    pub(super) first_segment: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    label: Label,
    first_segment: u32,
    /// CRC-32/ISO-HDLC of the compact JSON of the fields above.
    crc32: String,
}

fn crc_of(file: &LabelFile) -> String {
    let text = serde_json::to_vec(file).expect("a label is plain data");
    format!("{:08x}", crc32fast::hash(&text))
}

pub(super) fn encode(file: &LabelFile) -> Vec<u8> {
    let sealed = Sealed {
        label: file.label.clone(),
        first_segment: file.first_segment,
        crc32: crc_of(file),
    };
    let mut text = serde_json::to_vec_pretty(&sealed).expect("a label is plain data");
    text.push(b'\n');
    text
}

/// Why a label's text is none.
pub(super) enum Illegible {
    /// It is a label of another format.
    Foreign(String),
    /// It is damaged.
    Damaged(String),
}

pub(super) fn decode(text: &[u8]) -> Result<LabelFile, Illegible> {
    let loose: serde_json::Value =
        serde_json::from_slice(text).map_err(|error| Illegible::Damaged(error.to_string()))?;
    match loose.pointer("/label/format").and_then(serde_json::Value::as_str) {
        Some(FORMAT) | None => {}
        // A digit flipped in the format's name is not told from a later format: either way nothing is touched.
        Some(other) => return Err(Illegible::Foreign(other.to_owned())),
    }
    let sealed: Sealed = serde_json::from_value(loose).map_err(|error| Illegible::Damaged(error.to_string()))?;
    let file = LabelFile {
        label: sealed.label,
        first_segment: sealed.first_segment,
    };
    if crc_of(&file) != sealed.crc32 {
        return Err(Illegible::Damaged("its checksum does not match".to_owned()));
    }
    Ok(file)
}

/// A label's text as it would be on another medium, for drills; None when the text is no label.
pub(crate) fn mislabelled(text: &[u8]) -> Option<Vec<u8>> {
    let mut file = decode(text).ok()?;
    file.label.medium = dss::model::MediumId::fresh();
    Some(encode(&file))
}

/// Reads the label from the medium.
pub(super) fn read(ground: &Ground, why: LabelRead) -> MediaResult<LabelFile> {
    let op = Op::Mount;
    let mut disk = ground.disk();
    let file = match disk.open(PATH, &Role::Label(why)) {
        Ok(file) => file,
        Err(Errno::ENOENT | Errno::ENOTDIR) => {
            let fault = Fault::Unlabelled(format!("{PATH} does not exist"));
            return Err(ground.fault(op, Some(PATH), fault));
        }
        Err(Errno::ELOOP | Errno::EXDEV | Errno::EINVAL) => {
            let fault = Fault::Unlabelled(format!("{PATH} is not a regular file of this directory"));
            return Err(ground.fault(op, Some(PATH), fault));
        }
        Err(other) => return Err(ground.error(op, PATH, other)),
    };
    disk.drop_cache(file, 0, 0);
    let mut text = vec![0; LONGEST + 1];
    let mut filled = 0;
    let outcome = loop {
        match disk.read_at(file, filled as u64, &mut text[filled..]) {
            Ok(0) => break Ok(()),
            Ok(count) => filled += count,
            Err(errno) => break Err(errno),
        }
        if filled == text.len() {
            break Ok(());
        }
    };
    disk.close(file);
    drop(disk);
    outcome.map_err(|errno| ground.error(op, PATH, errno))?;
    decode(&text[..filled]).map_err(|why| match why {
        Illegible::Foreign(format) => {
            let fault = Fault::Unfit(format!(
                "the label is of format '{format}', this program knows {FORMAT}"
            ));
            ground.fault(op, Some(PATH), fault)
        }
        Illegible::Damaged(what) => ground.damaged(op, PATH, format!("the label: {what}")),
    })
}

/// Writes the label: a new file, durable, moved over the old one, the folders durable.
pub(super) fn write(ground: &Ground, label: &LabelFile, op: Op) -> MediaResult<()> {
    let role = Role::Label(LabelRead::Identify);
    let text = encode(label);
    ground.call(op, NEW, |disk| {
        match disk.unlink(NEW, &role) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(other) => return Err(other),
        }
        let file = disk.create(NEW, &role)?;
        let written = disk.write_at(file, 0, &text).and_then(|()| disk.sync_file(file));
        disk.close(file);
        written?;
        disk.rename(NEW, PATH, Replace::Yes)?;
        disk.sync_dir(HOME)?;
        disk.sync_dir(ROOT)
    })
}

/// Makes the label durable that is there. A process that died before its syncs may have left it in the host's memory
/// only, where the device still has the one before.
pub(super) fn confirm(ground: &Ground, op: Op) -> MediaResult<()> {
    ground.call(op, PATH, |disk| {
        let file = disk.open(PATH, &Role::Label(LabelRead::Identify))?;
        let synced = disk.sync_file(file);
        disk.close(file);
        synced?;
        disk.sync_dir(HOME)?;
        disk.sync_dir(ROOT)
    })
}

/// Removes what a format that failed has written of a label. The first failure is told elsewhere.
pub(super) fn undo(ground: &Ground) {
    let role = Role::Label(LabelRead::Identify);
    let mut disk = ground.disk();
    let _ = disk.unlink(NEW, &role);
    let _ = disk.unlink(PATH, &role);
}

#[cfg(test)]
mod tests {
    use super::*;
    use dss::model::{CatalogueId, Generation, MediumId, Revision};

    #[test]
    fn a_flipped_bit_is_never_another_label() {
        let file = LabelFile {
            label: Label {
                format: FORMAT.to_owned(),
                medium: MediumId::fresh(),
                name: "disk-a".to_owned(),
                generation: Generation(4),
                catalogue: CatalogueId::fresh(),
                revision: Revision(17),
                created_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            },
            first_segment: 9,
        };
        let text = encode(&file);
        assert!(decode(&text).is_ok_and(|found| found == file));
        for position in 0..text.len() {
            for bit in 0..8 {
                let mut damaged = text.clone();
                damaged[position] ^= 1 << bit;
                // White space, and the case of a hexadecimal digit of an id, may change without a change of meaning.
                assert!(decode(&damaged).map_or(true, |found| found == file), "{position} {bit}");
            }
        }
    }
}
