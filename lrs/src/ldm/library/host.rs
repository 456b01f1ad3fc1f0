//! Tape drives of this host: nodes of the generic SCSI driver whose devices say that they are some. Nothing is sent to a
//! device of which the kernel says that it is another kind; a drive is asked by INQUIRY alone, which disturbs nobody.

use super::wires::{Wire, Wires};
use crate::ldm::scsi::sg::{SgDevice, SgError};
use std::path::{Path, PathBuf};

/// Where the nodes are, and where the kernel says what is behind them.
pub(super) struct Host {
    nodes: PathBuf,
    kinds: PathBuf,
}

/// Peripheral device type of tape drives (SPC-4, table 142), as the kernel writes it.
const TAPE: &str = "1";

impl Default for Host {
    fn default() -> Self {
        Self {
            nodes: PathBuf::from("/dev"),
            kinds: PathBuf::from("/sys/class/scsi_generic"),
        }
    }
}

impl Host {
    /// Opens a changer, and every tape drive that can be opened.
    pub(super) fn wires(&self, changer: &Path) -> Result<Wires, SgError> {
        // A link to a node is followed once: both names are the same device.
        let node = std::fs::canonicalize(changer).unwrap_or_else(|_| changer.to_owned());
        let mut wires = Wires {
            changer: Box::new(SgDevice::open(&node)?),
            drives: Vec::new(),
            passed: Vec::new(),
        };
        for path in self.tapes() {
            if path == node {
                continue;
            }
            match SgDevice::open(&path) {
                Ok(device) => wires.drives.push(Box::new(device) as Wire),
                Err(error) => wires.passed.push(error.to_string()),
            }
        }
        Ok(wires)
    }

    /// Nodes of tape drives, by number. One of which the kernel does not say what it is may be one.
    fn tapes(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(&self.nodes) else {
            return Vec::new();
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut found: Vec<(u32, String)> = names
            .filter_map(|name| Some((name.strip_prefix("sg")?.parse().ok()?, name)))
            .filter(|(_, name)| self.kind(name).is_none_or(|kind| kind == TAPE))
            .collect();
        found.sort();
        found.into_iter().map(|(_, name)| self.nodes.join(name)).collect()
    }

    fn kind(&self, name: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.kinds.join(name).join("device/type")).ok()?;
        Some(text.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nodes_that_may_be_tape_drives_are_looked_at() {
        let room = tempfile::tempdir().unwrap();
        let host = Host {
            nodes: room.path().join("dev"),
            kinds: room.path().join("sys"),
        };
        std::fs::create_dir(&host.nodes).unwrap();
        for name in ["sg10", "sg2", "sg3", "sg4", "sgx", "sda", "nst0"] {
            std::fs::write(host.nodes.join(name), "").unwrap();
        }
        for (name, kind) in [("sg2", "1\n"), ("sg3", "0\n"), ("sg4", "8\n")] {
            let folder = host.kinds.join(name).join("device");
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("type"), kind).unwrap();
        }
        let names: Vec<_> = host
            .tapes()
            .iter()
            .map(|path| path.file_name().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["sg2", "sg10"]);
        // None of these is a node.
        assert!(host.wires(&host.nodes.join("sg4")).is_err());
    }
}
