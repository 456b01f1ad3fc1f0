//! A repack beside `cp -r` of the same files to a new folder of the same file system, plus one `sync -f`.

use crate::figure::{Figure, Target};
use crate::house::{add_medium, make_files, processes, run as command, site};
use crate::measure::{copy, median, pairs, processor, processor_of_commands, read_from_devices};
use respool_test_support::Site;
use std::fs;

/// What is repacked, and how much longer it may take, read back or not.
struct Shape {
    name: &'static str,
    bytes: u64,
    unverified: f64,
    verified: f64,
}

const SHAPES: [Shape; 3] = [
    Shape {
        name: "1 GiB",
        bytes: 1 << 30,
        unverified: 1.10,
        verified: 2.2,
    },
    Shape {
        name: "1 MiB",
        bytes: 1 << 20,
        unverified: 1.15,
        verified: 2.4,
    },
    Shape {
        name: "64 KiB",
        bytes: 64 << 10,
        unverified: 1.5,
        verified: 3.0,
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
            eprintln!("repack: {files} extents of {}, --verify {verify}", shape.name);
            figures.extend(one(count, (files, bytes), verify, (shape.name, most)));
        }
    }
    figures
}

/// Each pair empties the medium that the one before it filled.
fn one(count: u32, (files, bytes): (u64, u64), verify: &str, (name, most): (&str, f64)) -> Vec<Figure> {
    let site = filled(files, bytes);
    for number in 1..=count {
        add_medium(&site, &format!("m{number}"), room(files, bytes));
    }
    let mut spent = vec![];
    let mut read = vec![];
    let times = pairs(
        count,
        |number| {
            let (cpu, device) = repack(&site, number, verify);
            spent.push(cpu);
            read.extend(device);
        },
        |number| {
            let to = site.disk("copy");
            copy(&site.disk(&format!("m{number}")).join("objects"), &to);
            fs::remove_dir_all(&to).expect("it is ours");
        },
    );
    let total = (files * bytes) as f64;
    let ours = median(times.iter().map(|pair| pair.0).collect());
    let theirs = median(times.iter().map(|pair| pair.1).collect());
    let device = match median(read) {
        bytes if bytes > 0.0 => format!("{:.2} times its bytes read from the device", bytes / total),
        _ => "bytes read from the device not measurable".to_owned(),
    };
    let mut figures = vec![Figure {
        name: format!("repack over cp, {files} of {name}, --verify {verify}"),
        value: median(times.iter().map(|(ours, theirs)| ours / theirs).collect()),
        unit: "",
        target: Target::AtMost(most),
        detail: format!("{ours:.2} s beside {theirs:.2} s; {device}"),
    }];
    let cpu = median(spent) / (total / 1e9);
    figures.push(Figure {
        name: format!("processor of a repack, {files} of {name}, --verify {verify}"),
        value: cpu,
        unit: "s/GB",
        target: match (name, verify) {
            ("1 GiB", "none") => Target::AtMost(PROCESSOR),
            _ => Target::Told,
        },
        detail: "respoold, PostgreSQL and the client".to_owned(),
    });
    figures
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

/// Processor seconds, and bytes read from the device.
fn repack(site: &Site, number: u32, verify: &str) -> (f64, Option<f64>) {
    let roots = processes(site);
    let before = (processor(&roots) + processor_of_commands(), read_from_devices(roots[0]));
    let (from, to) = (format!("m{number}"), format!("m{}", number + 1));
    command(
        site,
        &["repack", &from, "--to", &to, "--verify", verify, "--keep-source"],
    );
    let after = (processor(&roots) + processor_of_commands(), read_from_devices(roots[0]));
    let device = after.1.zip(before.1).map(|(after, before)| (after - before) as f64);
    ((after.0 - before.0).as_secs_f64(), device)
}
