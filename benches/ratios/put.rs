//! Many small files put at once, beside copying them and one `sync -f`.

use crate::figure::{Figure, Target};
use crate::house::{add_medium, make_files, run as command, site};
use crate::measure::{copy, median, pairs, timed};

const FILES: u64 = 10_000;
const BYTES: u64 = 4 << 10;
/// Of the speed of copying.
const LEAST: f64 = 0.5;

pub fn run(count: u32) -> Vec<Figure> {
    eprintln!("put: {FILES} files of {BYTES} bytes");
    let site = site();
    add_medium(&site, "a", 8 << 30);
    let given = site.folder("given");
    make_files(&given, FILES, BYTES);
    let folder = given.display().to_string();
    let times = pairs(
        count,
        |number| {
            timed(|| {
                let prefix = format!("things-{number}");
                command(&site, &["put", "--recursive", &folder, &prefix]);
            })
        },
        |_| copy(&given, &site.disk("copy")),
    );
    let ours = median(times.iter().map(|pair| pair.0).collect());
    let theirs = median(times.iter().map(|pair| pair.1).collect());
    vec![Figure {
        name: format!("speed of a batch put over cp, {FILES} files of 4 KiB"),
        value: median(times.iter().map(|(ours, theirs)| theirs / ours).collect()),
        unit: "",
        target: Target::AtLeast(LEAST),
        detail: format!("{ours:.2} s beside {theirs:.2} s"),
    }]
}
