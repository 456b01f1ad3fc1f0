//! Makes a medium of an empty directory, and finds one again. Nothing that lies in a directory is ever removed to make
//! room for a medium.

use super::ground::Ground;
use super::label::{self, HOME, LabelFile};
use super::lines::{self, FOLDER};
use super::removal::ISOLATED;
use super::survey::segments;
use super::volume::DirVolume;
use super::writer::Writer;
use super::{Expected, FORMAT};
use crate::ldm::disk::{Disk, LabelRead, OsDisk, ROOT, Role};
use crate::ldm::fs::name::OBJECTS;
use crate::ldm::fs::{Label, Volume, describe, meant};
use crate::ldm::{Fault, MediaResult, Op};
use nix::errno::Errno;
use std::path::Path;

/// Folders of a medium, each after the one that holds it.
const FOLDERS: [&str; 4] = [HOME, FOLDER, ISOLATED, OBJECTS];

/// What file systems put into an empty directory of their own.
const ALLOWED: &str = "lost+found";

/// Opens the directory that a medium is, or is to be, in. `medium` is its name, for messages.
pub fn open_disk(medium: &str, path: &Path) -> MediaResult<Box<dyn Disk>> {
    match OsDisk::open(path) {
        Ok(disk) => Ok(Box::new(disk)),
        Err(errno) => {
            let fault = match errno {
                Errno::ENOENT => Fault::Unlabelled("there is no such directory".to_owned()),
                Errno::ENOTDIR | Errno::ELOOP => Fault::Unfit("it is not a directory, or a symlink to one".to_owned()),
                other => Fault::Io(other),
            };
            Err(crate::ldm::MediaError {
                op: Op::Mount,
                medium: medium.to_owned(),
                at: Some(path.display().to_string()),
                fault,
            })
        }
    }
}

/// The label in a directory, whichever medium it names. `medium` is for messages.
pub fn read_label(disk: Box<dyn Disk>, medium: &str) -> MediaResult<Label> {
    label::read(&Ground::new(disk, medium), LabelRead::Mount).map(|file| file.label)
}

/// Mounts the medium that is expected, or says which one is there.
pub fn mount(disk: Box<dyn Disk>, expected: Expected) -> MediaResult<Box<dyn Volume>> {
    let ground = Ground::new(disk, &expected.name);
    let label = label::read(&ground, LabelRead::Mount)?;
    if let Err(fault) = meant(&label.label, expected.medium, &expected.name, &expected.generations) {
        return Err(ground.fault(Op::Mount, Some(label::PATH), fault));
    }
    Ok(Box::new(DirVolume::mount(ground, label, expected.capacity)?))
}

/// Whether a medium can be made of a directory, before anything is: refuses one that holds anything. `medium` is for
/// messages.
pub fn look(disk: Box<dyn Disk>, medium: &str) -> MediaResult<()> {
    clear_the_way(&Ground::new(disk, medium))
}

/// Makes a medium of an empty directory. After a failure the directory is as empty as it was.
pub fn format(disk: Box<dyn Disk>, label: &Label) -> MediaResult<()> {
    let ground = Ground::new(disk, &label.name);
    if label.format != FORMAT {
        let fault = Fault::Unfit(format!("a directory cannot be of format '{}'", label.format));
        return Err(ground.fault(Op::Mount, None, fault));
    }
    clear_the_way(&ground)?;
    let file = LabelFile {
        label: label.clone(),
        first_segment: 1,
    };
    let made = make(&ground, &file);
    if made.is_err() {
        undo(&ground);
    }
    made
}

fn make(ground: &Ground, file: &LabelFile) -> MediaResult<()> {
    for folder in FOLDERS {
        ground.call(Op::Mount, folder, |disk| disk.mkdir(folder))?;
    }
    Writer::new(ground, file, None, file.first_segment).seal(None)?;
    for folder in [OBJECTS, ISOLATED, HOME, ROOT] {
        ground.call(Op::Mount, folder, |disk| disk.sync_dir(folder))?;
    }
    label::write(ground, file, Op::Mount)?;
    let found = label::read(ground, LabelRead::Identify)?;
    if found == *file {
        Ok(())
    } else {
        Err(ground.damaged(
            Op::Mount,
            label::PATH,
            "the label reads back otherwise than it was written",
        ))
    }
}

/// Removes what `make` made; only empty folders and files of its own. Failures are left: the first one is told.
fn undo(ground: &Ground) {
    label::undo(ground);
    let numbers = segments(ground, Op::Mount).unwrap_or_default();
    let mut disk = ground.disk();
    for number in numbers {
        let _ = disk.unlink(&lines::path(number), &Role::Manifest);
    }
    for folder in FOLDERS.iter().rev() {
        let _ = disk.rmdir(folder);
    }
    let _ = disk.sync_dir(ROOT);
}

/// Refuses a directory that holds anything. What a format that was cut off has left is removed: it has no label and
/// no extent, so it cannot be anybody's medium.
fn clear_the_way(ground: &Ground) -> MediaResult<()> {
    let names = list(ground, ROOT)?;
    let foreign: Vec<&String> = names.iter().filter(|name| *name != ALLOWED).collect();
    if foreign.is_empty() {
        return Ok(());
    }
    let ours = foreign.iter().all(|name| *name == HOME || *name == OBJECTS);
    if ours && is_remnant(ground, &names)? {
        undo(ground);
        return Ok(());
    }
    let why = if names.iter().any(|name| name == HOME) {
        match label::read(ground, LabelRead::Identify) {
            Ok(found) => format!("it is a medium already: {}", describe(&found.label)),
            Err(_) => "it holds the remains of a medium".to_owned(),
        }
    } else {
        let more = if foreign.len() > 1 { " and more" } else { "" };
        format!("the directory is not empty: it holds '{}'{more}", foreign[0])
    };
    Err(ground.fault(Op::Mount, None, Fault::Unfit(why)))
}

fn is_remnant(ground: &Ground, root: &[String]) -> MediaResult<bool> {
    if !root.iter().any(|name| name == HOME) {
        return Ok(false);
    }
    let home = list(ground, HOME)?;
    let known = ["manifest", "isolated", "label.json.new"];
    if home.iter().any(|name| !known.contains(&name.as_str())) {
        return Ok(false);
    }
    let has = |name: &str| home.iter().any(|found| found == name);
    let folders = [
        (OBJECTS, root.iter().any(|name| name == OBJECTS)),
        (ISOLATED, has("isolated")),
    ];
    for (folder, exists) in folders {
        if exists && !list(ground, folder)?.is_empty() {
            return Ok(false);
        }
    }
    Ok(!has("manifest") || list(ground, FOLDER)?.iter().all(|name| name == "0001.jsonl"))
}

fn list(ground: &Ground, folder: &str) -> MediaResult<Vec<String>> {
    let mut names = Vec::new();
    ground.call(Op::Mount, folder, |disk| {
        disk.list(folder, &mut |name| names.push(name))
    })?;
    names.sort();
    Ok(names)
}

/// Gives a medium another catalogue and name: it is the same medium in the same generation, and nothing on it changes
/// but its label. Whoever has it mounted must mount it anew.
pub fn relabel(disk: Box<dyn Disk>, label: &Label) -> MediaResult<()> {
    let ground = Ground::new(disk, &label.name);
    let present = label::read(&ground, LabelRead::Mount)?;
    let identity = |label: &Label| (label.format.clone(), label.medium, label.generation);
    if identity(&present.label) != identity(label) {
        let fault = Fault::WrongMedium {
            expected: describe(label),
            found: describe(&present.label),
        };
        return Err(ground.fault(Op::Mount, Some(label::PATH), fault));
    }
    let file = LabelFile {
        label: label.clone(),
        first_segment: present.first_segment,
    };
    label::write(&ground, &file, Op::Mount)?;
    match label::read(&ground, LabelRead::Identify)? == file {
        true => Ok(()),
        false => Err(ground.damaged(
            Op::Mount,
            label::PATH,
            "the label reads back otherwise than it was written",
        )),
    }
}
