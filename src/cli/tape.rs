//! `tape`.

use super::medium::details;
use super::patience::{self, Doing};
use super::several::named;
use super::table::{pairs, table};
use super::volume::{Compact, Import};
use super::{Context, Done};
use crate::api::exit;
use crate::api::library::{
    TapeAddRequest, TapeCheck, TapeFinding, TapeList, TapeRequest, TapeView, TapesRequest, VolumeView,
};
use crate::api::media::MediumView;
use crate::api::units::parse_tag;
use clap::ValueHint;

/// How long a cartridge takes that is fetched and brought back.
const MINUTES: &str = "minutes";
/// LTO-9 cartridges are measured when they are formatted for the first time.
const FORMAT: &str = "up to two hours";

#[derive(Debug, clap::Subcommand)]
pub enum Tape {
    /// All cartridges in the libraries, and all tapes that the catalogue knows
    List(List),
    /// Make a medium of a blank cartridge
    Add(New),
    /// Format a cartridge: erase a tape that the catalogue knows, make a medium of a blank one that it does not know
    Format(New),
    /// Make objects of what other LTFS software wrote to a tape
    Import(Import),
    /// Move what lives on tapes, other software's included, onto one tape
    Compact(Compact),
    /// Check the LTFS volume on a cartridge: labels, indexes, memory; changes nothing
    Check(Which),
    /// Bring a cartridge from its drive back into a slot
    Unload(Which),
}

#[derive(Debug, clap::Args)]
pub struct List {
    /// Only those in this library
    #[arg(long, value_name = "L", value_hint = ValueHint::Other)]
    library: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct New {
    /// The barcode of the cartridge
    #[arg(value_hint = ValueHint::Other)]
    barcode: String,
    #[command(flatten)]
    place: Place,
    /// What it shall be called [default: as its barcode]
    #[arg(long, value_name = "N", value_hint = ValueHint::Other)]
    name: Option<String>,
    /// Words to choose media by
    #[arg(long, value_delimiter = ',', value_parser = parse_tag, value_name = "T,...", value_hint = ValueHint::Other)]
    tags: Vec<String>,
    /// Its class of storage
    #[arg(long, value_name = "C", value_hint = ValueHint::Other)]
    class: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct Which {
    /// The barcode of the cartridge, or the name of the medium that it is
    #[arg(value_name = "BARCODE", value_hint = ValueHint::Other)]
    tape: String,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Args)]
pub struct Place {
    /// The library that it is in, where more than one has such a barcode
    #[arg(long, value_name = "L", value_hint = ValueHint::Other)]
    library: Option<String>,
}

impl Place {
    /// As it was typed.
    pub fn library(self) -> Option<String> {
        self.library
    }
}

impl From<New> for TapeAddRequest {
    fn from(new: New) -> Self {
        Self {
            barcode: new.barcode,
            library: new.place.library,
            name: new.name,
            tags: new.tags.into_iter().collect(),
            class: new.class,
        }
    }
}

impl From<Which> for TapeRequest {
    fn from(which: Which) -> Self {
        Self {
            tape: which.tape,
            library: which.place.library,
        }
    }
}

impl Tape {
    pub async fn run(self, context: &Context) -> Done {
        match self {
            Self::List(list) => {
                let request = TapesRequest { library: list.library };
                let list: TapeList = context.client().await?.call("/v1/tape/list", &request).await?;
                context.output.result(&list, brief);
                Ok(exit::DONE)
            }
            Self::Add(new) => medium(context, "/v1/tape/add", ("adding", new.into())).await,
            Self::Format(new) => medium(context, "/v1/tape/format", ("formatting", new.into())).await,
            Self::Import(import) => import.run(context).await,
            Self::Compact(compact) => compact.run(context).await,
            Self::Check(which) => check(context, which.into()).await,
            Self::Unload(which) => unload(context, which.into()).await,
        }
    }
}

async fn medium(context: &Context, path: &str, (verb, request): (&str, TapeAddRequest)) -> Done {
    let doing = Doing {
        what: format!("{verb} {}", request.barcode),
        takes: FORMAT,
    };
    let medium: MediumView = patience::call(context, &doing, path, &request).await?;
    context.output.result(&medium, details);
    Ok(exit::DONE)
}

async fn unload(context: &Context, request: TapeRequest) -> Done {
    let doing = Doing {
        what: format!("unloading {}", request.tape),
        takes: MINUTES,
    };
    let tape: TapeView = patience::call(context, &doing, "/v1/tape/unload", &request).await?;
    context.output.result(&tape, one);
    Ok(exit::DONE)
}

async fn check(context: &Context, request: TapeRequest) -> Done {
    let doing = Doing {
        what: format!("checking {}", request.tape),
        takes: MINUTES,
    };
    let check: TapeCheck = patience::call(context, &doing, "/v1/tape/check", &request).await?;
    context
        .output
        .result(&check, |check| context.globals.within(&checked(check)));
    Ok(exit_of(&check))
}

fn exit_of(check: &TapeCheck) -> u8 {
    if check.ok { exit::DONE } else { exit::INTEGRITY }
}

/// Cartridges in a table, for people.
fn brief(list: &TapeList) -> String {
    let rows = list.tapes.iter().map(|tape| {
        [
            tape.barcode.clone(),
            tape.library.clone().unwrap_or_else(|| "-".to_owned()),
            place(tape),
            tape.medium.clone().unwrap_or_else(|| "-".to_owned()),
            holds(tape),
            tape.presence.to_string(),
        ]
    });
    table(["barcode", "library", "place", "medium", "state", "presence"], rows)
}

/// Where in its library.
fn place(tape: &TapeView) -> String {
    match (&tape.drive, tape.element) {
        (Some(drive), Some(_) | None) => format!("drive {drive}"),
        (None, Some(element)) => format!("element {element}"),
        (None, None) => "-".to_owned(),
    }
}

/// What is known to be on it.
fn holds(tape: &TapeView) -> String {
    match tape.fs_state {
        Some(state) => state.to_string(),
        None if tape.cleaning => "cleans drives".to_owned(),
        None => "not in the catalogue".to_owned(),
    }
}

/// One cartridge, for people.
pub fn one(tape: &TapeView) -> String {
    pairs(&[
        ("barcode", tape.barcode.clone()),
        ("library", tape.library.clone().unwrap_or_default()),
        ("place", place(tape)),
        ("medium", tape.medium.clone().unwrap_or_default()),
        ("state", holds(tape)),
        ("presence", tape.presence.to_string()),
        (
            "path",
            tape.path
                .as_ref()
                .map_or_else(String::new, |path| path.display().to_string()),
        ),
    ])
}

/// What is on a cartridge, what is wrong with it, and what that means.
fn checked(check: &TapeCheck) -> String {
    let mut rows = vec![
        ("barcode", check.barcode.clone()),
        ("library", check.library.clone()),
        ("holds", check.holds.clone()),
    ];
    rows.extend(check.volume.iter().flat_map(volume));
    let mut lines = vec![pairs(&rows)];
    lines.extend(named(&check.findings, "finding", finding));
    lines.push(verdict(check));
    lines.join("\n")
}

fn volume(volume: &VolumeView) -> [(&'static str, String); 8] {
    [
        ("volume", volume.name.clone()),
        ("uuid", volume.uuid.clone()),
        ("serial", volume.serial.clone()),
        ("generation", volume.generation.to_string()),
        ("block size", volume.block_size.to_string()),
        ("files", volume.files.to_string()),
        ("bytes", volume.bytes.to_string()),
        ("state", volume.state.clone()),
    ]
}

fn finding(finding: &TapeFinding) -> String {
    let TapeFinding { code, at, what } = finding;
    super::visible::on_one_line(&format!("{code} at {at}: {what}"))
}

fn verdict(check: &TapeCheck) -> String {
    if check.ok {
        return "ok: nothing is wrong with it".to_owned();
    }
    let count = match check.findings.len() {
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    };
    format!(
        "not ok: {count}; nothing was changed\n  next: `respool tape list` tells which medium it is; `respool repack MEDIUM` \
         moves what lives on it elsewhere, and `respool tape compact` what is on a tape of other software"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Args, Verb, command};
    use clap::FromArgMatches;
    use dss::model::{ByteCount, FsState, Presence};

    fn typed(words: &str) -> Tape {
        let words = ["respool", "tape"].into_iter().chain(words.split_whitespace());
        let matches = command().try_get_matches_from(words).unwrap();
        match Args::from_arg_matches(&matches).unwrap().verb {
            Verb::Tape(tape) => tape,
            other => panic!("{other:?}"),
        }
    }

    fn tape() -> TapeView {
        TapeView {
            barcode: "RSP000L9".to_owned(),
            library: Some("lib0".to_owned()),
            element: Some(1024),
            drive: None,
            medium: None,
            fs_state: None,
            presence: Presence::Near,
            cleaning: false,
            path: None,
        }
    }

    /// E-14: a tape becomes a medium with the same words as a directory.
    #[test]
    fn what_was_typed_of_a_new_medium_is_what_is_asked_for() {
        let words = "RSP000L9 --library lib0 --name vault --tags blue,offsite --class cold";
        let wanted = TapeAddRequest {
            barcode: "RSP000L9".to_owned(),
            library: Some("lib0".to_owned()),
            name: Some("vault".to_owned()),
            tags: ["blue", "offsite"].map(str::to_owned).into(),
            class: Some("cold".to_owned()),
        };
        let Tape::Add(add) = typed(&format!("add {words}")) else {
            panic!("it is no add")
        };
        assert_eq!(TapeAddRequest::from(add), wanted);
        let Tape::Format(format) = typed(&format!("format {words}")) else {
            panic!("it is no format")
        };
        assert_eq!(TapeAddRequest::from(format), wanted);
    }

    #[test]
    fn a_cartridge_is_where_its_drive_or_its_element_is() {
        let mut one = tape();
        assert_eq!(place(&one), "element 1024");
        one.drive = Some("drv1".to_owned());
        assert_eq!(place(&one), "drive drv1");
        (one.drive, one.element) = (None, None);
        assert_eq!(place(&one), "-");
    }

    #[test]
    fn a_list_tells_strangers_and_cleaning_cartridges_from_media() {
        let cleaning = TapeView {
            cleaning: true,
            ..tape()
        };
        let known = TapeView {
            medium: Some("vault".to_owned()),
            fs_state: Some(FsState::Used),
            ..tape()
        };
        let text = brief(&TapeList {
            tapes: vec![tape(), cleaning, known],
        });
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains("not in the catalogue"), "{text}");
        assert!(lines[2].contains("cleans drives"), "{text}");
        assert!(lines[3].contains("vault") && lines[3].contains("used"), "{text}");
    }

    fn check_of(findings: usize) -> TapeCheck {
        let finding = |number| TapeFinding {
            code: "tail".to_owned(),
            at: format!("partition b, block {number}"),
            what: "no index\ncovers it".to_owned(),
        };
        TapeCheck {
            barcode: "RSP000L9".to_owned(),
            library: "lib0".to_owned(),
            ok: findings == 0,
            holds: "an LTFS volume".to_owned(),
            volume: Some(VolumeView {
                uuid: "u".to_owned(),
                name: "vault".to_owned(),
                serial: "RSP000".to_owned(),
                generation: 7,
                block_size: 524_288,
                files: 3,
                bytes: ByteCount(5),
                state: "clean".to_owned(),
            }),
            findings: (0..findings).map(finding).collect(),
        }
    }

    #[test]
    fn a_check_without_findings_says_ok_in_its_last_line() {
        let check = check_of(0);
        assert_eq!(exit_of(&check), exit::DONE);
        let text = checked(&check);
        assert!(
            text.contains("generation  7\nblock size  524288\nfiles       3\n"),
            "{text}"
        );
        assert!(text.ends_with("\nok: nothing is wrong with it"), "{text}");
    }

    /// A check that found something is exit 4, whatever was printed.
    #[test]
    fn a_check_tells_each_finding_in_a_line_and_then_what_to_do() {
        let check = check_of(2);
        assert_eq!(exit_of(&check), exit::INTEGRITY);
        let text = checked(&check);
        let found: Vec<&str> = text.lines().filter(|line| line.starts_with("finding: ")).collect();
        assert_eq!(
            found,
            [
                r"finding: tail at partition b, block 0: no index\ncovers it",
                r"finding: tail at partition b, block 1: no index\ncovers it"
            ]
        );
        assert!(
            text.contains("\nnot ok: 2 findings; nothing was changed\n  next: "),
            "{text}"
        );
        assert!(checked(&check_of(1)).contains("1 finding;"), "one is not many");
    }

    #[test]
    fn a_cartridge_without_a_volume_has_no_lines_about_one() {
        let mut check = check_of(0);
        (check.volume, check.holds) = (None, "nothing: it is blank".to_owned());
        assert_eq!(checked(&check).lines().count(), 4, "{}", checked(&check));
    }
}
