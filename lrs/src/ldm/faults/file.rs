//! The fault file: TOML, checked whole before anything runs. A drill that would silently never fire proves nothing, so
//! whatever cannot mean anything is refused with its file and line.

use super::{Count, Crash, Effect, End, Fault, Filter, Inner, Place, Sense};
use crate::ldm::Op;
use dss::model::{ExtentId, Oid, Step};
use serde::Deserialize;
use std::path::PathBuf;
use toml::Spanned;

/// A fault file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", whereabouts(file, *line))]
pub struct FaultFileError {
    /// Which file.
    pub file: String,
    /// The line, counted from 1; 0 when the file could not be read.
    pub line: usize,
    /// What is wrong there.
    pub why: String,
}

/// Where it is wrong.
fn whereabouts(file: &str, line: usize) -> String {
    match line {
        0 => format!("the file {file} cannot be read"),
        line => format!("{file}:{line}"),
    }
}

impl FaultFileError {
    pub(super) fn unreadable(file: &str, error: &std::io::Error) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            why: error.to_string(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    fault: Vec<Spanned<RawFault>>,
    trace: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFault {
    medium: Option<String>,
    drive: Option<String>,
    library: Option<String>,
    op: Option<Spanned<Op>>,
    oid: Option<Spanned<String>>,
    extent: Option<Spanned<String>>,
    nth: Option<Spanned<u64>>,
    after_bytes: Option<u64>,
    block: Option<u64>,
    error: Option<Spanned<String>>,
    times: Option<u64>,
    crash: Option<Spanned<String>>,
    panic: Option<Spanned<String>>,
}

/// What is wrong, and at which byte.
struct Wrong(usize, String);

pub(super) fn parse(text: &str, name: &str) -> Result<Inner, FaultFileError> {
    let located = |Wrong(at, why): Wrong| FaultFileError {
        file: name.to_owned(),
        line: text[..at.min(text.len())].matches('\n').count() + 1,
        why,
    };
    let raw: Raw = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        located(Wrong(at, error.message().to_owned()))
    })?;
    let mut inner = Inner {
        trace: raw.trace,
        ..Inner::default()
    };
    for fault in raw.fault {
        let at = fault.span().start;
        add(&mut inner, at, fault.into_inner()).map_err(located)?;
    }
    Ok(inner)
}

fn add(inner: &mut Inner, at: usize, raw: RawFault) -> Result<(), Wrong> {
    let nth = match &raw.nth {
        Some(nth) if *nth.get_ref() == 0 => return Err(Wrong(nth.span().start, "nth counts from 1".to_owned())),
        Some(nth) => *nth.get_ref(),
        None => 1,
    };
    let ends = [(&raw.crash, End::Kill), (&raw.panic, End::Panic)];
    if let Some((crash, end)) = ends.into_iter().find_map(|(step, end)| Some((step.as_ref()?, end))) {
        let others = raw.medium.is_some() || raw.drive.is_some() || raw.library.is_some() || raw.op.is_some();
        if others || raw.error.is_some() || raw.crash.is_some() && raw.panic.is_some() {
            return Err(Wrong(
                at,
                "a crash or panic has a step and may have nth, nothing else".to_owned(),
            ));
        }
        let step: Step = crash.get_ref().parse().map_err(|_| {
            let why = format!("'{}' is no step; `respool drill steps` lists them", crash.get_ref());
            Wrong(crash.span().start, why)
        })?;
        let count = counted(nth, 1);
        inner.crashes.push(Crash { step, end, count });
        return Ok(());
    }
    let place = place(at, &raw)?;
    let op = raw
        .op
        .as_ref()
        .ok_or_else(|| Wrong(at, "a fault needs op".to_owned()))?;
    let error = raw
        .error
        .as_ref()
        .ok_or_else(|| Wrong(at, "a fault needs error".to_owned()))?;
    let effect = effect(error)?;
    check_together(*op.get_ref(), effect).map_err(|why| Wrong(error.span().start, why))?;
    let oid = raw.oid.map(|oid| parsed::<Oid>(&oid)).transpose()?;
    let extent = raw.extent.map(|extent| parsed::<ExtentId>(&extent)).transpose()?;
    inner.faults.push(Fault {
        filter: Filter {
            place,
            op: *op.get_ref(),
            oid,
            extent,
            after_bytes: raw.after_bytes,
            block: raw.block,
        },
        effect,
        count: counted(nth, raw.times.unwrap_or(1)),
    });
    Ok(())
}

fn counted(nth: u64, times: u64) -> Count {
    Count {
        nth,
        times,
        matched: 0,
        fired: 0,
    }
}

fn place(at: usize, raw: &RawFault) -> Result<Place, Wrong> {
    match (&raw.medium, &raw.drive, &raw.library) {
        (Some(name), None, None) => Ok(Place::Medium(name.clone())),
        (None, Some(name), None) => Ok(Place::Drive(name.clone())),
        (None, None, Some(name)) => Ok(Place::Library(name.clone())),
        _ => Err(Wrong(
            at,
            "a fault needs one of medium, drive and library, or crash".to_owned(),
        )),
    }
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &Spanned<String>) -> Result<T, Wrong> {
    text.get_ref()
        .parse()
        .map_err(|error: T::Err| Wrong(text.span().start, error.to_string()))
}

fn effect(error: &Spanned<String>) -> Result<Effect, Wrong> {
    let text = error.get_ref().as_str();
    match text {
        "eio" => Ok(Effect::Eio),
        "enospc" => Ok(Effect::Enospc),
        "short" => Ok(Effect::Short),
        "flip" => Ok(Effect::Flip),
        "hang" => Ok(Effect::Hang),
        "lost_write" => Ok(Effect::LostWrite),
        "label_mismatch" => Ok(Effect::LabelMismatch),
        _ => sense(text).map(Effect::Sense).ok_or_else(|| {
            let known = "eio, enospc, short, flip, hang, lost_write, label_mismatch or a SCSI sense such as 3/11/00";
            Wrong(error.span().start, format!("'{text}' is none of {known}"))
        }),
    }
}

fn sense(text: &str) -> Option<Sense> {
    let parts: Vec<u8> = text
        .split('/')
        .map(|part| u8::from_str_radix(part, 16).ok())
        .collect::<Option<_>>()?;
    match parts[..] {
        [key, asc, ascq] if key < 16 => Some(Sense { key, asc, ascq }),
        _ => None,
    }
}

/// An error that its operation cannot have would never fire.
fn check_together(op: Op, effect: Effect) -> Result<(), String> {
    let (fits, word, ops) = match effect {
        Effect::Eio | Effect::Enospc | Effect::Hang | Effect::Sense(_) => return Ok(()),
        Effect::Short => (op == Op::Read, "short", "read"),
        Effect::Flip => (matches!(op, Op::Read | Op::Write), "flip", "read or write"),
        Effect::LostWrite => (op == Op::Write, "lost_write", "write"),
        Effect::LabelMismatch => (
            matches!(op, Op::Mount | Op::Load | Op::Open | Op::Write | Op::Sync),
            "label_mismatch",
            "mount, load, open, write or sync",
        ),
    };
    if fits {
        Ok(())
    } else {
        Err(format!("{word} is an error of {ops}, not of {op}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::FaultPlan;
    use super::*;

    fn refused(text: &str) -> String {
        FaultPlan::parse(text, "faults.toml").unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_fire_is_refused_with_file_and_line() {
        let cases = [
            (
                "[[fault]]\nmedium = 'a'\nop = 'read'\nerror = 'eio'\ncolour = 1\n",
                "faults.toml:5",
            ),
            ("[[fault]]\nmedium = 'a'\nop = 'reed'\nerror = 'eio'\n", "faults.toml:3"),
            ("[[fault]]\nmedium = 'a'\nop = 'read'\nerror = 'eoi'\n", "faults.toml:4"),
            (
                "[[fault]]\nmedium = 'a'\nop = 'delete'\nerror = 'flip'\n",
                "faults.toml:4: flip",
            ),
            (
                "\n[[fault]]\nop = 'read'\nerror = 'eio'\n",
                "faults.toml:2: a fault needs one of",
            ),
            (
                "[[fault]]\nmedium = 'a'\ndrive = 'b'\nop = 'read'\nerror = 'eio'\n",
                "faults.toml:1",
            ),
            (
                "[[fault]]\nmedium = 'a'\nop = 'read'\nerror = 'eio'\nnth = 0\n",
                "faults.toml:5: nth",
            ),
            (
                "[[fault]]\nmedium = 'a'\nop = 'read'\nerror = 'eio'\noid = '/x'\n",
                "faults.toml:5: an OID",
            ),
            (
                "\n[[fault]]\ncrash = 'swap.sometime'\n",
                "faults.toml:3: 'swap.sometime'",
            ),
            (
                "[[fault]]\ncrash = 'swap.after_commit'\nmedium = 'a'\n",
                "faults.toml:1: a crash",
            ),
            ("[[fault]\n", "faults.toml:1"),
            ("[faults]\n", "faults.toml:1"),
        ];
        for (text, begins) in cases {
            let message = refused(text);
            assert!(message.starts_with(begins), "{text:?}: {message}");
        }
    }

    #[test]
    fn sense_is_hexadecimal() {
        assert_eq!(
            sense("3/11/0a"),
            Some(Sense {
                key: 3,
                asc: 0x11,
                ascq: 10
            })
        );
        assert_eq!(sense("3/11"), None);
        assert_eq!(sense("10/11/00"), None);
    }

    #[test]
    fn a_step_is_counted_and_died_at_once() {
        let plan = FaultPlan::parse("[[fault]]\ncrash = 'swap.before_commit'\nnth = 2\n", "f").unwrap();
        assert_eq!(plan.crash_at(Step::SwapAfterCommit), None);
        let answers = [(); 3].map(|()| plan.crash_at(Step::SwapBeforeCommit));
        assert_eq!(answers, [None, Some(End::Kill), None]);
    }
}
