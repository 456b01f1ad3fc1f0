//! The import of an LTFS volume of other software (E-05) beside one plain parse of its index: events to the end, from
//! memory, by the XML library that respool reads indexes with. The volume has 100,000 small files; what an import does
//! with each is that it is found, proved and in the catalogue.

use crate::figure::{Figure, Target};
use crate::house::{processes, run as command, site};
use crate::measure::{median, pairs, peak_memory, processor, processor_of_commands, resident_memory, timed};
use crate::stranger::{Stranger, barcode};
use quick_xml::Reader;
use quick_xml::events::Event;
use respool_test_support::Site;

const FILES: u64 = 100_000;
/// As long as so many parses.
const MOST: f64 = 3.0;
/// What respoold may grow by, beside what each file takes.
const BASE: u64 = 64 << 20;
/// For each file of the volume.
const EACH: u64 = 1 << 10;

pub fn run(count: u32) -> [Figure; 3] {
    eprintln!("import: {FILES} files");
    let site = site();
    let volumes = filled(&site, count + 1);
    let (mut growth, mut spent) = (vec![], vec![]);
    let times = pairs(
        count,
        |number| {
            let import = import(&site, number);
            growth.push(import.bytes);
            spent.push(import.cost.processor);
            import.cost.seconds
        },
        |number| parse(&volumes[number as usize].index()),
    );
    // The last volume stays unknown.
    let tried: Vec<Cost> = (0..count).map(|_| try_out(&site, count)).collect();
    let (tried, spent_on_it) = (
        median(tried.iter().map(|cost| cost.seconds).collect()),
        median(tried.iter().map(|cost| cost.processor).collect()),
    );
    let ours = median(times.iter().map(|pair| pair.0).collect());
    let theirs = median(times.iter().map(|pair| pair.1).collect());
    let mib = |bytes: f64| bytes / f64::from(1 << 20);
    [
        Figure {
            name: format!("import of {FILES} files over one parse of their index"),
            value: median(times.iter().map(|(ours, theirs)| ours / theirs).collect()),
            unit: "",
            target: Target::AtMost(MOST),
            detail: format!(
                "{ours:.2} s beside {theirs:.2} s, {:.2} s of processor; {:.0} MiB of index",
                median(spent),
                mib(volumes[0].index().len() as f64)
            ),
        },
        Figure {
            name: "the same with --dry-run".to_owned(),
            value: tried / theirs,
            unit: "",
            target: Target::Told,
            detail: format!("{tried:.2} s, {spent_on_it:.2} s of processor: the tape is read, and no row is made"),
        },
        Figure {
            name: format!("memory of respoold, import of {FILES} files"),
            value: mib(growth.into_iter().fold(0.0, f64::max)),
            unit: "MiB",
            target: Target::AtMost(mib((BASE + EACH * FILES) as f64).round()),
            detail: "the most it ever had (VmHWM), less what it had before".to_owned(),
        },
    ]
}

/// A site whose library holds so many of these volumes.
fn filled(site: &Site, count: u32) -> Vec<Stranger> {
    let (folder, slots) = (site.root().join("lib").display().to_string(), (count + 1).to_string());
    let made = ["library", "add", "virtual", "lib", &folder, "--drives", "1"];
    let of = ["--technology", "lto9", "--slots", &slots, "--cartridges", "0"];
    command(site, &[&made[..], &of].concat());
    let volume = |number| {
        let volume = Stranger::write(site.root().join(barcode(number)), number, FILES);
        let folder = volume.folder.display().to_string();
        command(
            site,
            &["library", "insert", "lib", &folder, "--barcode", &barcode(number)],
        );
        volume
    };
    (0..count).map(volume).collect()
}

/// What a command took: on the clock, and of respoold, PostgreSQL and the client on the processor.
struct Cost {
    seconds: f64,
    processor: f64,
}

fn cost(site: &Site, work: impl FnOnce()) -> Cost {
    let roots = processes(site);
    let so_far = || processor(&roots) + processor_of_commands();
    let before = so_far();
    let seconds = timed(work);
    Cost {
        seconds,
        processor: so_far().saturating_sub(before).as_secs_f64(),
    }
}

struct Import {
    cost: Cost,
    /// By how much respoold grew.
    bytes: f64,
}

/// By a respoold that has done nothing else.
fn import(site: &Site, number: u32) -> Import {
    site.stop();
    command(site, &["job", "list"]);
    let pid = site.pid().expect("respoold runs");
    let before = resident_memory(pid);
    let cost = cost(site, || {
        let report = command(
            site,
            &["tape", "import", &barcode(number), "--under", &format!("v{number}")],
        );
        assert_eq!(report["files"], FILES, "{report:#}");
        assert_eq!(report["not_imported"].as_array().map(Vec::len), Some(0));
    });
    let growth = peak_memory(pid).zip(before).map(|(peak, before)| peak - before);
    Import {
        cost,
        bytes: growth.map_or(f64::NAN, |bytes| bytes as f64),
    }
}

fn try_out(site: &Site, number: u32) -> Cost {
    cost(site, || {
        let report = command(site, &["tape", "import", &barcode(number), "--dry-run"]);
        assert_eq!(report["files"], FILES, "{report:#}");
    })
}

/// Seconds to the last event.
fn parse(index: &[u8]) -> f64 {
    let text = std::str::from_utf8(index).expect("an index is text");
    let mut files = 0;
    let seconds = timed(|| {
        let mut reader = Reader::from_str(text);
        loop {
            match reader.read_event().expect("an index is well formed") {
                Event::Start(tag) if tag.name().0 == "file" => files += 1,
                Event::Eof => break,
                _ => {}
            }
        }
    });
    assert_eq!(files, FILES, "every file was passed");
    seconds
}
