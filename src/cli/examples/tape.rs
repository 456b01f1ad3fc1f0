//! The words below the help of what is done to libraries, drives and tapes.

use super::Words;

const KNOWN: &str = "A library that the catalogue knows is opened whenever respoold starts.";

pub const TEXTS: &[Words] = &[
    (
        "library add virtual",
        &[
            "A folder that is a library already is taken as it is, with all its cartridges; counts and a generation are for \
             one that is made. No hardware is needed: models of drives answer as real ones do, and a cartridge is a folder of \
             records that other LTFS software reads, too.",
            KNOWN,
            "Examples:
  respool library add virtual lib0 /srv/tapes --drives 2 --slots 20
  respool library add virtual /srv/tapes --cartridges 5 --technology lto8",
        ],
    ),
    (
        "library add scsi",
        &[
            "The drives are found by the serial numbers that the changer tells. Nothing is moved and nothing is written. \
             `lsscsi -g` shows the changers (mediumx) of this host.",
            KNOWN,
            "Examples:
  respool library add scsi lib0 /dev/sg2
  respool library add scsi /dev/sg2",
        ],
    ),
    (
        "library list",
        &[
            "Of one library the drives are shown, then the places with a cartridge or with something wrong; the others are \
             counted. It tells what was found when somebody looked last; `respool library scan` looks again.",
            "Examples:
  respool library list
  respool library list lib0",
        ],
    ),
    (
        "library scan",
        &[
            "After cartridges were put in or taken out by hand. It looks at barcodes, and loads nothing.",
            "Example:
  respool library scan lib0",
        ],
    ),
    (
        "library insert",
        &[
            "The folder is copied, and read as a cartridge only when all of it is there. No medium is made of it: `respool \
             tape list` shows it then.",
            "Examples:
  respool library insert lib0 /mnt/usb/tape --barcode A00001L9
  respool library insert lib0 tape --barcode A00001L8 --technology lto8",
        ],
    ),
    (
        "library forget",
        &[
            "Refused while media of the catalogue are in it. No cartridge is moved or changed, and a folder is not removed: \
             `respool library add` makes it known again.",
            "Example:
  respool library forget lib0",
        ],
    ),
    (
        "drive list",
        &[
            "The drives of disks are shown with their media: `respool medium show MEDIUM`.",
            "Example:
  respool drive list",
        ],
    ),
    (
        "drive status",
        &[
            "Alerts are what a drive has to tell since its cartridge came, each with how much it matters.",
            "Examples:
  respool drive status
  respool drive status lib0/drv0",
        ],
    ),
    (
        "drive lock",
        &["Examples:
  respool drive lock lib0/drv0 --why grinding
  respool drive lock drv0"],
    ),
    (
        "drive unlock",
        &["Example:
  respool drive unlock lib0/drv0"],
    ),
    (
        "tape list",
        &[
            "A cartridge that is not in the catalogue becomes a medium by `respool tape add` when it is blank, and by \
             `respool tape import` or `respool tape compact` when other LTFS software wrote it. Any other is left alone: nothing \
             is erased that the catalogue does not know.",
            "Examples:
  respool tape list
  respool tape list --library lib0",
        ],
    ),
    (
        "tape add",
        &[
            "As `respool dir add` does of an empty directory: the cartridge is loaded, looked at and formatted with LTFS. One \
             that is not blank is refused and not written to. It takes up to two hours, since drives measure some cartridges \
             when they are first formatted.",
            "Examples:
  respool tape add A00001L9
  respool tape add A00001L9 --library lib0 --name vault-1 --tags offsite",
        ],
    ),
    (
        "tape format",
        &[
            "A tape that the catalogue knows is erased as `respool medium format` does, under the same conditions, which \
             `respool medium check-erase` tells. Of a cartridge that it does not know a medium is made, as `respool tape \
             add` does: one that is not blank is refused and not written to. It takes up to two hours.",
            "Examples:
  respool tape format A00001L9
  respool tape format A00001L9 --name vault-1 --tags offsite",
        ],
    ),
    (
        "tape import",
        &[
            "The tape becomes a medium that is only read, and each of its files, directories and symbolic links an object \
             named as its path; the root is named `LTFS` and the volume's UUID. The bytes are not read for that: they are \
             compared with the digests that other software left, if it left any, by --verify, or when they are read first.",
            "Names that are taken refuse all of it, and are listed; --under gives them another beginning. A tape of respool's \
             own, whose catalogue was lost, is read whole and becomes known again.",
            "Exit 0 when all that the index names was imported, 1 when some of it was not or could not be read, 2 when \
             nothing was done, 4 when bytes differ from what is known of them.",
            "Examples:
  respool tape import A00001L8 --dry-run
  respool tape import A00001L8 --name old-1 --under old-1 --verify",
        ],
    ),
    (
        "tape compact",
        &[
            "What is no medium yet is imported first, and a blank cartridge is made one; then it is a repack: paths, times and \
             attributes are kept, every byte is read back, and Ctrl-C pauses it. The old bytes are kept until an operator \
             decides, unless --quarantine says for how long.",
            "Names that are taken, or that two of the tapes have, refuse it before anything is done: import one of them with \
             --under first.",
            super::SPANS,
            "Examples:
  respool tape compact A00001L8 --onto A00002L9
  respool tape compact A00001L8 old-2 --onto vault-1 --quarantine 7d",
        ],
    ),
    (
        "tape check",
        &[
            "Labels, indexes and the cartridge's memory are read and compared with each other. With --json every finding is \
             listed, else the first 20.",
            "Exit 0 when nothing is wrong, 4 when something is.",
            "Example:
  respool tape check A00001L9",
        ],
    ),
    (
        "tape unload",
        &[
            "Into the slot that it came from, or into another free one. Refused while somebody uses it.",
            "Example:
  respool tape unload A00001L9",
        ],
    ),
];
