//! A repack beside `cp -r` of the same files to a new folder of the same file system, plus one `sync -f`.

use crate::figure::{Figure, Target};
use crate::floor::{digests, moving};
use crate::house::{add_medium, make_files, processes, run as command, site};
use crate::measure::{copy, median, pairs, processor, processor_of_commands, read_from_devices, timed};
use dss::model::ByteCount;
use respool_test_support::Site;
use std::fs;

/// What is repacked, how much longer it may take, read back or not, and whether its processor time is judged: that is for
/// bytes, where those for each extent count for nothing.
struct Shape {
    bytes: u64,
    unverified: f64,
    verified: f64,
    of_bytes: bool,
}

const SHAPES: [Shape; 3] = [
    Shape {
        bytes: 1 << 30,
        unverified: 1.10,
        verified: 2.2,
        of_bytes: true,
    },
    Shape {
        bytes: 1 << 20,
        unverified: 1.15,
        verified: 2.4,
        of_bytes: false,
    },
    Shape {
        bytes: 64 << 10,
        unverified: 1.5,
        verified: 3.0,
        of_bytes: false,
    },
];

/// Processor seconds for 10^9 bytes.
const PROCESSOR: f64 = 0.35;

pub fn run(count: u32, mib: u64) -> Vec<Figure> {
    let mut figures = vec![];
    for shape in &SHAPES {
        let bytes = shape.bytes.min(mib << 20);
        let files = (mib << 20) / bytes;
        for (verify, most) in [("none", shape.unverified), ("full", shape.verified)] {
            let processor = match (shape.of_bytes, verify) {
                (true, "none") => Target::AtMost(PROCESSOR),
                _ => Target::Told,
            };
            figures.extend(one(count, (files, bytes), verify, (Target::AtMost(most), processor)));
        }
    }
    figures
}

/// Each pair empties the medium that the one before it filled.
fn one(count: u32, (files, bytes): (u64, u64), verify: &str, targets: (Target, Target)) -> Vec<Figure> {
    let what = format!("{files} of {}, --verify {verify}", ByteCount(bytes));
    eprintln!("repack: {what}");
    let site = filled(files, bytes);
    for number in 1..=count {
        add_medium(&site, &format!("m{number}"), room(files, bytes));
    }
    let mut spent = vec![];
    let mut copying = vec![];
    let mut read = vec![];
    let times = pairs(
        count,
        |number| {
            let repacked = repack(&site, number, verify);
            spent.push(repacked.processor);
            read.extend(repacked.read);
            repacked.seconds
        },
        |number| {
            let from = site.disk(&format!("m{number}")).join("objects");
            let before = processor_of_commands();
            let seconds = copy(&from, &site.disk("copy"));
            copying.push(processor_of_commands().saturating_sub(before).as_secs_f64());
            seconds
        },
    );
    let total = (files * bytes) as f64;
    let ours = median(times.iter().map(|pair| pair.0).collect());
    let theirs = median(times.iter().map(|pair| pair.1).collect());
    let device = match median(read) {
        bytes if bytes > 0.0 => format!("{:.2} times its bytes read from the device", bytes / total),
        _ => "bytes read from the device not measurable".to_owned(),
    };
    vec![
        Figure {
            name: format!("repack over cp, {what}"),
            value: median(times.iter().map(|(ours, theirs)| ours / theirs).collect()),
            unit: "",
            target: targets.0,
            detail: format!("{ours:.2} s beside {theirs:.2} s; {device}"),
        },
        Figure {
            name: format!("processor of a repack, {what}"),
            value: median(spent) / (total / 1e9),
            unit: "s/GB",
            target: targets.1,
            detail: format!(
                "respoold, PostgreSQL and the client; cp alone {:.2}, reading and writing past the cache alone {}, the \
                 digests alone {:.2}, {:.2} while every core does the same",
                median(copying) / (total / 1e9),
                moving(&site.folder("floor")).map_or("not measurable".to_owned(), |spent| format!("{spent:.2}")),
                digests(1),
                digests(std::thread::available_parallelism().map_or(1, usize::from)),
            ),
        },
    ]
}

fn room(files: u64, bytes: u64) -> u64 {
    files * (bytes + (16 << 10)) + (1 << 30)
}

/// A site whose one medium holds these files.
fn filled(files: u64, bytes: u64) -> Site {
    let site = site();
    add_medium(&site, "m0", room(files, bytes));
    let given = site.folder("given");
    make_files(&given, files, bytes);
    command(&site, &["put", "--recursive", &given.display().to_string(), "things"]);
    fs::remove_dir_all(&given).expect("it is ours");
    site
}

/// What one repack took.
struct Repacked {
    seconds: f64,
    /// Seconds of all processors.
    processor: f64,
    /// Bytes from the device, where that can be measured.
    read: Option<f64>,
}

fn repack(site: &Site, number: u32, verify: &str) -> Repacked {
    let roots = processes(site);
    let spent = || processor(&roots) + processor_of_commands();
    let before = (spent(), read_from_devices(roots[0]));
    let (from, to) = (format!("m{number}"), format!("m{}", number + 1));
    let seconds = timed(|| {
        command(
            site,
            &["repack", &from, "--to", &to, "--verify", verify, "--keep-source"],
        );
    });
    let after = (spent(), read_from_devices(roots[0]));
    Repacked {
        seconds,
        processor: after.0.saturating_sub(before.0).as_secs_f64(),
        read: after.1.zip(before.1).map(|(after, before)| (after - before) as f64),
    }
}
