//! A repack from tape to tape, in a library of model drives, beside `cp -r` of the source cartridge's record files to a new
//! folder of the same file system, plus one `sync -f`.

use crate::figure::{Figure, Target};
use crate::house::{make_files, processes, run as command, site};
use crate::measure::{copy, median, pairs, processor, processor_of_commands, timed};
use dss::model::ByteCount;
use respool_test_support::Site;
use std::fs;
use std::path::PathBuf;

/// What is repacked, how much longer it may take, and whether its processor time is judged: that is for bytes.
struct Shape {
    bytes: u64,
    most: f64,
    of_bytes: bool,
}

const SHAPES: [Shape; 3] = [
    Shape {
        bytes: 1 << 30,
        most: 1.15,
        of_bytes: true,
    },
    Shape {
        bytes: 1 << 20,
        most: 1.25,
        of_bytes: false,
    },
    Shape {
        bytes: 64 << 10,
        most: 1.6,
        of_bytes: false,
    },
];

/// Processor seconds for 10^9 bytes.
const PROCESSOR: f64 = 0.35;

pub fn run(count: u32, mib: u64) -> Vec<Figure> {
    let mut figures = vec![];
    for shape in &SHAPES {
        let bytes = shape.bytes.min(mib << 20);
        figures.extend(one(count, ((mib << 20) / bytes, bytes), shape));
    }
    figures
}

/// Each pair repacks the tape that the one before it wrote.
fn one(count: u32, (files, bytes): (u64, u64), shape: &Shape) -> [Figure; 2] {
    let what = format!("{files} of {}", ByteCount(bytes));
    eprintln!("tape: {what}");
    let site = filled(count, files, bytes);
    let (mut spent, mut spent_on_copy) = (vec![], vec![]);
    let times = pairs(
        count,
        |number| {
            let roots = processes(&site);
            let so_far = || processor(&roots) + processor_of_commands();
            let before = so_far();
            let (from, to) = (name(number), name(number + 1));
            let seconds = timed(|| {
                let words = ["repack", &from, "--to", &to, "--verify", "none", "--keep-source"];
                command(&site, &words);
            });
            spent.push(so_far().saturating_sub(before).as_secs_f64());
            seconds
        },
        |number| {
            let (from, before) = (cartridge(&site, number), processor_of_commands());
            let seconds = copy(&from, &site.disk("copy"));
            spent_on_copy.push(processor_of_commands().saturating_sub(before).as_secs_f64());
            seconds
        },
    );
    let total = (files * bytes) as f64;
    let ours = median(times.iter().map(|pair| pair.0).collect());
    let theirs = median(times.iter().map(|pair| pair.1).collect());
    [
        Figure {
            name: format!("tape to tape over cp of the records, {what}"),
            value: median(times.iter().map(|(ours, theirs)| ours / theirs).collect()),
            unit: "",
            target: Target::AtMost(shape.most),
            detail: format!("{ours:.2} s beside {theirs:.2} s; model drives, --verify none --keep-source"),
        },
        Figure {
            name: format!("processor of a repack from tape to tape, {what}"),
            value: median(spent) / (total / 1e9),
            unit: "s/GB",
            target: match shape.of_bytes {
                true => Target::AtMost(PROCESSOR),
                false => Target::Told,
            },
            detail: format!(
                "respoold with its model drives, PostgreSQL and the client; cp and sync of the records took {:.2} s/GB",
                median(spent_on_copy) / (total / 1e9)
            ),
        },
    ]
}

fn name(number: u32) -> String {
    format!("m{number}")
}

fn cartridge(site: &Site, number: u32) -> PathBuf {
    let medium = command(site, &["medium", "show", &name(number)]);
    PathBuf::from(medium["path"].as_str().expect("a virtual cartridge has a folder"))
}

/// A site with a library of two drives, whose first tape holds these files.
fn filled(count: u32, files: u64, bytes: u64) -> Site {
    let site = site();
    let (folder, tapes) = (site.root().join("lib").display().to_string(), count + 1);
    let (slots, cartridges) = ((tapes + 1).to_string(), tapes.to_string());
    let made = [
        "library",
        "add",
        "virtual",
        "lib",
        &folder,
        "--drives",
        "2",
        "--technology",
        "lto9",
    ];
    command(
        &site,
        &[&made[..], &["--slots", &slots, "--cartridges", &cartridges]].concat(),
    );
    for number in 0..tapes {
        let barcode = format!("RSP{number:03}L9");
        command(
            &site,
            &[
                "tape",
                "add",
                &barcode,
                "--name",
                &name(number),
                "--tags",
                &name(number),
            ],
        );
    }
    let given = site.folder("given");
    make_files(&given, files, bytes);
    command(
        &site,
        &[
            "put",
            "--recursive",
            &given.display().to_string(),
            "things",
            "--tags",
            &name(0),
        ],
    );
    fs::remove_dir_all(&given).expect("it is ours");
    site
}
