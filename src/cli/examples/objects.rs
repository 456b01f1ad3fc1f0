//! The words below the help of what is done to objects.

use super::Words;

pub const TEXTS: &[Words] = &[
    (
        "put",
        &[
            "Names have 1 to 1,023 bytes of UTF-8, no newline, no leading '/', and no part '.' or '..'.",
            "Ctrl-C stops the sending; what was sent whole is stored and counted, and --skip-existing goes on with the rest. A \
             second one returns at once.",
            "Examples:
  respool put report.pdf reports/2019.pdf
  respool put report.pdf reports/2019.pdf --overwrite --copies 2
  respool put photos album --recursive --tags offsite --meta owner=me
  respool put photos album --recursive --skip-existing
  respool put disk.img images/disk.img --split",
        ],
    ),
    (
        "get",
        &[
            "With --recursive album, the object album/2019/1.jpg becomes the file 2019/1.jpg below the folder. One that fails \
             stops none of the others, and is named; --skip-existing goes on where it was cut short.",
            "Examples:
  respool get reports/2019.pdf report.pdf
  respool get reports/2019.pdf old.pdf --version 1
  respool get --recursive album photos
  respool get --recursive album photos --skip-existing",
        ],
    ),
    (
        "delete",
        &[
            "The window is [store] undelete_window in the config, 30 days unless set.",
            "Examples:
  respool delete reports/2019.pdf
  respool delete reports/2019.pdf reports/2020.pdf",
        ],
    ),
    (
        "undelete",
        &[
            "For an object that was deleted. An older version of one that exists is read with `respool get OID FILE --version \
             N`, and becomes the live one with `respool put FILE OID --overwrite`.",
            "Example:
  respool undelete reports/2019.pdf",
        ],
    ),
    (
        "object list",
        &[
            "A row: bytes, copies, name@version; with --deleted also how a version ended that is not live any more.",
            "Examples:
  respool object list --prefix reports/
  respool object list --deleted",
        ],
    ),
    (
        "object show",
        &["Examples:
  respool object show reports/2019.pdf
  respool object show reports/2019.pdf --version 1"],
    ),
];
