//! `drive`.

use super::table::{pairs, table, words};
use super::visible::on_one_line;
use super::{Context, Done};
use crate::api::library::{DriveList, DriveRequest, DrivesRequest, TapeDriveView};
use crate::api::{Problem, exit};
use clap::ValueHint;

#[derive(Debug, clap::Subcommand)]
pub enum Drive {
    /// All drives of all libraries, and what is in them
    List,
    /// Ask drives how they are: alerts, cleaning, write protection
    Status(Status),
    /// Let nobody use a drive until it is unlocked
    Lock(Lock),
    /// Let a drive be used again
    Unlock(Which),
}

#[derive(Debug, clap::Args)]
pub struct Status {
    /// Only this one: LIBRARY/DRIVE, or DRIVE alone where only one library has one of that name
    #[arg(value_parser = parse_drive, value_hint = ValueHint::Other)]
    drive: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct Which {
    /// LIBRARY/DRIVE, or DRIVE alone where only one library has one of that name
    #[arg(value_parser = parse_drive, value_hint = ValueHint::Other)]
    drive: String,
}

#[derive(Debug, clap::Args)]
pub struct Lock {
    #[command(flatten)]
    which: Which,
    /// Why, for whoever asks later
    #[arg(long, value_name = "TEXT", value_hint = ValueHint::Other)]
    why: Option<String>,
}

/// The name of a drive, with or without its library.
fn parse_drive(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split('/').collect();
    match parts[..] {
        [drive] | [_, drive] if !drive.is_empty() && !text.starts_with('/') => Ok(text.to_owned()),
        [..] => {
            Err("a drive is given as LIBRARY/DRIVE, for example lib0/drv0; `respool drive list` shows them".to_owned())
        }
    }
}

/// Whether drives were asked how they are: only then the lack of an alert says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Yes,
    No,
}

impl Drive {
    pub async fn run(self, context: &Context) -> Done {
        match self {
            Self::List => {
                let list = drives(context, &DrivesRequest::default()).await?;
                context.output.result(&list, |list| brief(&list.drives));
                Ok(exit::DONE)
            }
            Self::Status(status) => {
                let request = DrivesRequest {
                    drive: status.drive,
                    ask: true,
                };
                let list = drives(context, &request).await?;
                context.output.result(&list, blocks);
                Ok(exit::DONE)
            }
            Self::Lock(lock) => one(context, "/v1/drive/lock", lock.which, lock.why).await,
            Self::Unlock(which) => one(context, "/v1/drive/unlock", which, None).await,
        }
    }
}

async fn drives(context: &Context, request: &DrivesRequest) -> Result<DriveList, Problem> {
    context.client().await?.call("/v1/drive/list", request).await
}

async fn one(context: &Context, path: &str, which: Which, why: Option<String>) -> Done {
    let request = DriveRequest {
        drive: which.drive,
        why,
    };
    let drive: TapeDriveView = context.client().await?.call(path, &request).await?;
    context.output.result(&drive, |drive| block(drive, Asked::No));
    Ok(exit::DONE)
}

/// Drives in a table, for people.
pub fn brief(drives: &[TapeDriveView]) -> String {
    let rows = drives.iter().map(|drive| {
        [
            full_name(drive),
            drive.element.to_string(),
            text(&drive.technology),
            drive.state.clone(),
            text(&drive.barcode),
            text(&drive.medium),
            troubles(drive),
        ]
    });
    table(
        ["name", "element", "type", "state", "barcode", "medium", "trouble"],
        rows,
    )
}

/// By which it can be told from those of other libraries.
fn full_name(drive: &TapeDriveView) -> String {
    format!("{}/{}", drive.library, drive.name)
}

/// Why it does not serve as it should.
fn troubles(drive: &TapeDriveView) -> String {
    let locked = drive.locked.as_ref().map(|why| format!("locked: {}", reason(why)));
    let out = drive.out_of_service.clone();
    let all: Vec<String> = [locked, out, drive.trouble.clone()].into_iter().flatten().collect();
    if all.is_empty() { "-".to_owned() } else { all.join("; ") }
}

/// None need be given.
fn reason(why: &str) -> String {
    match why.is_empty() {
        true => "nobody said why".to_owned(),
        false => why.to_owned(),
    }
}

fn text(word: &Option<String>) -> String {
    word.clone().unwrap_or_else(|| "-".to_owned())
}

/// A block for each drive that was asked.
fn blocks(list: &DriveList) -> String {
    let blocks: Vec<String> = list.drives.iter().map(|drive| block(drive, Asked::Yes)).collect();
    match blocks.is_empty() {
        true => "no library has a drive".to_owned(),
        false => blocks.join("\n\n"),
    }
}

/// One drive, for people: what it is, and then an alert a line.
fn block(drive: &TapeDriveView, asked: Asked) -> String {
    let state = pairs(&[
        ("name", full_name(drive)),
        ("element", drive.element.to_string()),
        ("serial", text(&drive.serial)),
        ("model", text(&drive.model)),
        ("technology", text(&drive.technology)),
        ("state", drive.state.clone()),
        ("barcode", text(&drive.barcode)),
        ("medium", text(&drive.medium)),
        ("used by", words(&drive.used_by)),
        (
            "locked",
            drive.locked.as_ref().map_or_else(|| "no".to_owned(), |why| reason(why)),
        ),
        ("serves nobody", text(&drive.out_of_service)),
        ("wants cleaning", yes_or_no(drive.wants_cleaning)),
        ("write-protected", yes_or_no(drive.write_protected)),
        ("trouble", text(&drive.trouble)),
        ("alerts", alerts(drive, asked)),
    ]);
    let alerts = drive.alerts.iter().map(|alert| on_one_line(&alert.text));
    let lines = alerts.map(|alert| format!("\n  alert: {alert}"));
    state + &lines.collect::<String>()
}

/// A drive that could not be asked has not said that all is well.
fn alerts(drive: &TapeDriveView, asked: Asked) -> String {
    let quiet = asked == Asked::Yes && drive.trouble.is_none();
    match drive.alerts.len() {
        0 if quiet => "none".to_owned(),
        0 => "-".to_owned(),
        count => count.to_string(),
    }
}

fn yes_or_no(known: Option<bool>) -> String {
    match known {
        Some(true) => "yes".to_owned(),
        Some(false) => "no".to_owned(),
        None => "-".to_owned(),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::api::library::AlertView;

    /// An idle drive of `lib0`.
    pub fn drive(name: &str) -> TapeDriveView {
        TapeDriveView {
            name: name.to_owned(),
            library: "lib0".to_owned(),
            element: 256,
            serial: Some("S1".to_owned()),
            model: None,
            technology: Some("LTO-9".to_owned()),
            state: "empty".to_owned(),
            barcode: None,
            medium: None,
            used_by: vec![],
            locked: None,
            out_of_service: None,
            alerts: vec![],
            wants_cleaning: None,
            write_protected: None,
            trouble: None,
        }
    }

    #[test]
    fn a_drive_is_named_with_or_without_its_library() {
        for good in ["drv0", "lib0/drv0"] {
            assert_eq!(parse_drive(good), Ok(good.to_owned()));
        }
        for wrong in ["", "/", "/drv0", "lib0/", "a/b/c"] {
            assert!(parse_drive(wrong).unwrap_err().contains("lib0/drv0"), "{wrong}");
        }
    }

    #[test]
    fn a_table_of_drives_tells_why_one_serves_nobody() {
        let mut bad = drive("drv1");
        bad.locked = Some("it grinds".to_owned());
        bad.out_of_service = Some("it let go of no cartridge".to_owned());
        let table = brief(&[drive("drv0"), bad]);
        let lines: Vec<&str> = table.lines().map(str::trim).collect();
        assert_eq!(lines.len(), 3, "{table}");
        assert!(lines[1].starts_with("lib0/drv0") && lines[1].ends_with('-'), "{table}");
        assert!(
            lines[2].ends_with("locked: it grinds; it let go of no cartridge"),
            "{table}"
        );
    }

    #[test]
    fn a_lock_is_told_whether_or_not_somebody_said_why() {
        let mut one = drive("drv0");
        for (locked, line, cell) in [
            (None, "no", "-"),
            (Some(""), "nobody said why", "locked: nobody said why"),
            (Some("it grinds"), "it grinds", "locked: it grinds"),
        ] {
            one.locked = locked.map(str::to_owned);
            let block = block(&one, Asked::No);
            assert!(block.contains(&format!("\nlocked           {line}\n")), "{block}");
            assert_eq!(troubles(&one), cell);
        }
    }

    #[test]
    fn only_a_drive_that_was_asked_has_no_alerts() {
        let line = |drive: &TapeDriveView, asked| {
            let block = block(drive, asked);
            let found = block.lines().find(|line| line.starts_with("alerts"));
            found.unwrap().split_whitespace().last().unwrap().to_owned()
        };
        let mut one = drive("drv0");
        assert_eq!(line(&one, Asked::Yes), "none");
        assert_eq!(line(&one, Asked::No), "-");
        one.trouble = Some("it did not answer".to_owned());
        assert_eq!(line(&one, Asked::Yes), "-");
    }

    #[test]
    fn every_alert_has_a_line_of_its_own() {
        let mut one = drive("drv0");
        one.alerts = [(3, "hard error"), (20, "clean\nnow")]
            .map(|(number, text)| AlertView {
                number,
                text: text.to_owned(),
            })
            .to_vec();
        one.wants_cleaning = Some(true);
        let text = blocks(&DriveList {
            drives: vec![one, drive("drv1")],
        });
        let blocks: Vec<&str> = text.split("\n\n").collect();
        assert_eq!(blocks.len(), 2, "{text}");
        assert!(
            blocks[0].ends_with("alerts           2\n  alert: hard error\n  alert: clean\\nnow"),
            "{text}"
        );
        assert!(blocks[0].contains("wants cleaning   yes"), "{text}");
        assert!(blocks[1].ends_with("none"), "{text}");
    }
}
