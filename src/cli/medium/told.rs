//! What is told of media, for people.

use crate::api::candidates::{CandidateList, WhyNot};
use crate::api::import::{ImportReport, Reconciled};
use crate::api::loss::LossReport;
use crate::api::media::{DriveView, MediaList, MediumView};
use crate::cli::table::{pairs, size, table, time, words};
use crate::cli::visible::on_one_line;
use dss::model::{Family, MediumFormat, Standing};

/// How a medium is laid out, where respool did not do it.
fn format_of(medium: &MediumView) -> Option<String> {
    match medium.format {
        MediumFormat::Respool => None,
        MediumFormat::Ltfs => Some("an LTFS volume of other software, which is only read".to_owned()),
    }
}

pub(super) fn candidates(list: &CandidateList) -> String {
    let rows = list.candidates.iter().map(|one| {
        [
            one.rank.to_string(),
            one.medium.clone(),
            size(Some(one.reclaimable_bytes)),
            size(Some(one.live_bytes)),
            one.health.to_string(),
            one.reason.clone(),
        ]
    });
    let mut text = match list.candidates.is_empty() {
        true => "no medium is worth emptying now".to_owned(),
        false => table(["rank", "name", "reclaimable", "live", "health", "reason"], rows),
    };
    text.extend(list.next.iter().map(|next| format!("\n  next: {next}")));
    text.extend(list.why_not.iter().map(why_not));
    text
}

fn why_not(told: &WhyNot) -> String {
    let WhyNot { medium, reasons, .. } = told;
    let mut text = match told.candidate {
        true => format!("\n{medium} is a candidate: {}", reasons.join("; ")),
        false => format!("\n{medium} is no candidate: {}", reasons.join("; ")),
    };
    text.extend(told.next.iter().map(|next| format!("\n  next: {next}")));
    text
}

pub(super) fn losses(report: &LossReport) -> String {
    let (lost, fewer) = (report.lost, report.fewer);
    let mut lines = vec![format!(
        "without {}: {} objects ({}) would be lost, {} ({}) would have fewer copies",
        report.media.join(" and "),
        lost.objects,
        lost.bytes,
        fewer.objects,
        fewer.bytes
    )];
    lines.extend(report.objects.iter().map(|one| {
        let deleted = if one.deleted { ", deleted" } else { "" };
        let what = match one.copies_left {
            0 => "lost".to_owned(),
            left => format!("{left} of {} copies", one.copies_now),
        };
        let (bytes, name) = (one.bytes, on_one_line(one.oid.as_str()));
        format!("{what}: {name} version {} ({bytes}{deleted})", one.version)
    }));
    if report.not_listed > 0 {
        lines.push(format!("and {} more", report.not_listed));
    }
    lines.join("\n")
}

/// All media, for people.
pub fn brief(list: &MediaList) -> String {
    let rows = list.media.iter().map(|medium| {
        [
            medium.name.clone(),
            medium.technology.clone(),
            state(medium),
            medium.health.to_string(),
            medium.presence.to_string(),
            size(Some(medium.live_bytes)),
            size(medium.free_bytes),
            words(&medium.tags),
        ]
    });
    table(
        ["name", "type", "state", "health", "presence", "live", "free", "tags"],
        rows,
    )
}

pub(super) fn imported(report: &ImportReport) -> String {
    let found = &report.imported;
    let mut lines = vec![
        format!(
            "{}: {} extents, {} of them read whole ({})",
            report.medium, report.extents, report.extents_read, report.bytes_read
        ),
        format!(
            "{} known already, {} added and held, {} objects and {} copies adopted, {} extents of unknown objects",
            found.known, found.added, found.objects_adopted, found.copies_adopted, found.unknown
        ),
    ];
    let bad = report.bad.iter();
    lines.extend(bad.map(|bad| format!("bad: {} ({}): {}", bad.oid, bad.extent, bad.reason)));
    let clashes = found.clashes.iter();
    lines.extend(clashes.map(|oid| format!("not touched: another object here is called {oid}")));
    let contradictions = found.contradictions.iter();
    lines.extend(
        contradictions.map(|oid| format!("clash: files of {oid} for one place have different bytes; none was taken")),
    );
    let unadopted = found.unadopted_names.iter();
    lines.extend(unadopted.map(|oid| format!("not adopted: extents of {oid}")));
    let more = found.unadopted - found.unadopted_names.len() as u64;
    if more > 0 {
        lines.push(format!("not adopted: extents of {more} more objects"));
    }
    if report.relabelled {
        lines.push("its label names this catalogue now".to_owned());
    }
    if report.medium_added {
        lines.push(format!(
            "it has no capacity of its own now; `respool medium set {} capacity=N` gives it one",
            report.medium
        ));
    }
    if let Some(done) = &report.reconciled {
        lines.extend(reconciled(&report.medium, done));
    }
    lines.push(format!("it is {}", report.adm_state));
    lines.extend(report.next.iter().map(|next| format!("  next: {next}")));
    lines.join("\n")
}

fn reconciled(medium: &str, done: &Reconciled) -> Vec<String> {
    let mut lines = vec![];
    if done.erased_since {
        lines.push(format!(
            "{medium} was erased since the backup; the catalogue knows it now"
        ));
    }
    if done.repointed > 0 {
        lines.push(format!(
            "{} extents were moved off it since; they were found elsewhere, read, and are used there now",
            done.repointed
        ));
    }
    let missing = done.missing.iter();
    lines.extend(missing.map(|gone| format!("gone and not found elsewhere: {} version {}", gone.oid, gone.version)));
    let forgotten = done.forgotten.iter();
    lines.extend(forgotten.map(|version| format!("forgotten, its bytes are nowhere: {version}")));
    if done.forgotten_copies > 0 {
        lines.push(format!(
            "{} copies were forgotten; each has another one",
            done.forgotten_copies
        ));
    }
    lines.push(match (done.missing.is_empty(), &done.in_doubt[..]) {
        (false, _) => format!("{medium} stays ahead of the catalogue"),
        (true, []) => "all media are level with the catalogue; erasing, sweeping and purging go on".to_owned(),
        (true, others) => format!("{medium} is level with the catalogue; not yet: {}", others.join(", ")),
    });
    lines
}

fn state(medium: &MediumView) -> String {
    let locked = if medium.locked { ",locked" } else { "" };
    format!("{},{}{locked}", medium.adm_state, medium.fs_state)
}

pub(super) fn room(list: &MediaList) -> String {
    let rows = list.media.iter().map(|medium| {
        [
            medium.name.clone(),
            size(medium.capacity_bytes),
            size(Some(medium.used_bytes)),
            size(medium.free_bytes),
            size(Some(medium.live_bytes)),
            size(Some(medium.dead_bytes)),
            size(Some(medium.held_bytes)),
        ]
    });
    table(["name", "capacity", "used", "free", "live", "dead", "held"], rows)
}

pub(super) fn counts(list: &MediaList) -> String {
    let rows = list.media.iter().map(|medium| {
        [
            medium.name.clone(),
            medium.extents.pending.to_string(),
            medium.extents.sync.to_string(),
            medium.extents.orphan.to_string(),
        ]
    });
    table(["name", "pending", "sync", "orphan"], rows)
}

fn drive(drive: &DriveView) -> String {
    let mut words = vec![match &drive.medium {
        Some(medium) => format!("{}: {} {medium}", drive.name, drive.state),
        None => format!("{}: {}", drive.name, drive.state),
    }];
    words.extend(drive.used_by.iter().cloned());
    words.extend(drive.out_of_service.iter().map(|why| format!("serves nobody: {why}")));
    words.join("; ")
}

/// How a medium compares with the catalogue.
fn standing(medium: &MediumView) -> String {
    match medium.standing {
        Standing::Level => "level with the catalogue".to_owned(),
        Standing::Ahead => format!(
            "ahead of the catalogue, read only: run `respool medium import {} --reconcile`",
            medium.name
        ),
        Standing::Unseen => "not compared since the catalogue was restored".to_owned(),
    }
}

/// Where a medium is looked for.
pub(super) fn place(medium: &MediumView) -> &str {
    let of_tape = medium.library.as_deref().unwrap_or("the place that it had");
    medium.path.as_deref().unwrap_or(of_tape)
}

/// Where a medium is: a directory by its path, a tape by its barcode.
fn whereabouts(medium: &MediumView) -> Vec<(&'static str, String)> {
    let path = medium.path.clone().unwrap_or_default();
    match medium.family {
        Family::Dir => vec![("path", path)],
        Family::Tape => vec![
            ("library", medium.library.clone().unwrap_or_default()),
            ("barcode", medium.barcode.clone().unwrap_or_default()),
            ("path", path),
        ],
    }
}

/// One medium, for people.
pub fn details(medium: &MediumView) -> String {
    let mut rows = vec![
        ("name", medium.name.clone()),
        ("id", medium.id.to_string()),
        ("family", medium.family.to_string()),
        ("technology", medium.technology.clone()),
    ];
    rows.extend(format_of(medium).map(|format| ("format", format)));
    rows.extend(whereabouts(medium));
    rows.extend([
        ("tags", words(&medium.tags)),
        ("groupings", words(&medium.groupings)),
        ("state", state(medium)),
        ("standing", standing(medium)),
        ("health", medium.health.to_string()),
        ("presence", medium.presence.to_string()),
        ("generation", medium.generation.to_string()),
        ("capacity", size(medium.capacity_bytes)),
        ("used", size(Some(medium.used_bytes))),
        ("free", size(medium.free_bytes)),
        ("live", size(Some(medium.live_bytes))),
        ("dead", size(Some(medium.dead_bytes))),
        ("held", size(Some(medium.held_bytes))),
        ("unindexed", size(Some(medium.unindexed_bytes))),
        (
            "extents",
            format!(
                "{} sync, {} pending, {} orphan",
                medium.extents.sync, medium.extents.pending, medium.extents.orphan
            ),
        ),
        ("quarantined until", time(medium.quarantined_until)),
        ("drive", medium.drive.as_ref().map_or_else(String::new, drive)),
    ]);
    pairs(&rows)
}
