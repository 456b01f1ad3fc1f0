//! What respool costs beside the plainest way to do the same, as ratios within one run: absolute times say more about
//! the machine than about the program. Each figure is the median of alternated pairs that begin with cold caches.
//! `scripts/bench` runs it.

mod figure;
mod floor;
mod house;
mod import;
mod many;
mod measure;
mod plan;
mod put;
mod repack;
mod stranger;
mod swap;
mod tape;

use clap::Parser;
use figure::{Figure, Verdict};
use std::process::ExitCode;

/// The benchmarks of respool: ratios within one run, with their targets.
#[derive(Parser)]
#[command(name = "scripts/bench")]
struct Args {
    /// Which benchmarks; all unless told otherwise
    #[arg(value_enum)]
    names: Vec<Name>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// How many alternated pairs a median is of
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pairs: u32,
    /// How many MiB a repack moves
    #[arg(long, value_name = "MIB", default_value_t = 4_096, value_parser = clap::value_parser!(u64).range(1..))]
    mib: u64,
    /// How many extents the large medium of `plan` has
    #[arg(long, value_name = "N", default_value_t = 5_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    extents: u64,
    /// `cargo bench` says so
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Name {
    /// A repack beside `cp -r` and `sync -f`
    Repack,
    /// 100,000 small extents: transactions
    Many,
    /// Swaps beside three bare statements
    Swap,
    /// Many small files put beside `cp -r` and `sync -f`
    Put,
    /// A repack from tape to tape beside `cp -r` of the records and `sync -f`
    Tape,
    /// The import of a tape of other software beside one parse of its index
    Import,
    /// The plan of a very large medium: memory and time
    Plan,
}

const ALL: [Name; 7] = [
    Name::Repack,
    Name::Many,
    Name::Swap,
    Name::Put,
    Name::Tape,
    Name::Import,
    Name::Plan,
];

fn main() -> ExitCode {
    let args = Args::parse();
    let names = if args.names.is_empty() {
        ALL.to_vec()
    } else {
        args.names.clone()
    };
    let mut figures: Vec<Figure> = vec![];
    for name in names {
        figures.extend(match name {
            Name::Repack => repack::run(args.pairs, args.mib),
            Name::Many => many::run(),
            Name::Swap => swap::run(args.pairs),
            Name::Put => put::run(args.pairs),
            Name::Tape => tape::run(args.pairs, args.mib),
            Name::Import => import::run(args.pairs).into(),
            Name::Plan => plan::run(args.extents),
        });
    }
    let surroundings = measure::surroundings();
    match args.json {
        true => println!("{:#}", figure::json(&figures, &surroundings)),
        false => println!("{surroundings}\n{}", figure::table(&figures)),
    }
    match figures.iter().any(|figure| figure.verdict() == Verdict::Missed) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}
