//! `get`: reads one object into a file; `get_folder` reads all below a name. `landing` writes beside and renames.

use super::fetch::{fetch, read_elsewhere};
use super::landing::{Existing, Place, folder_of};
use super::object::details;
use super::progress::Bar;
use super::{Context, Done, interrupts};
use crate::api::requests::ObjectRequest;
use crate::api::{Problem, exit};
use dss::model::{ByteCount, Oid, Version};
use nix::unistd::{AccessFlags, access};
use std::fs;
use std::io;
use std::io::ErrorKind::{NotADirectory, NotFound};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct Get {
    /// The object's name, or with --recursive that of a folder of names: every OID/PATH becomes FILE/PATH. It ends
    /// without a slash
    pub(super) oid: Oid,
    /// The file to write, or with --recursive the folder, which is made if it is missing
    pub(super) file: PathBuf,
    /// Read every object below the name into a file below the folder
    #[arg(long)]
    pub(super) recursive: bool,
    /// Replace an existing file
    #[arg(long)]
    pub(super) overwrite: bool,
    /// With --recursive: leave files that exist as they are, whatever they hold, and count them
    #[arg(long, requires = "recursive", conflicts_with = "overwrite")]
    pub(super) skip_existing: bool,
    /// Which version [default: the live one]
    #[arg(long, value_name = "N", conflicts_with = "recursive")]
    version: Option<Version>,
}

impl Get {
    pub async fn run(self, context: &Context) -> Done {
        match self.recursive {
            true => self.folder(context).await,
            false => self.one(context).await,
        }
    }

    /// What becomes of files that are there.
    pub(super) fn existing(&self) -> Existing {
        match self.overwrite {
            true => Existing::Replaced,
            false => Existing::Stays,
        }
    }

    async fn one(self, context: &Context) -> Done {
        self.check_place()?;
        let place = Place::at(&self.file, self.existing()).map_err(|error| no_place(&self.file, &error))?;
        let client = context.client().await?;
        let mut interrupts = interrupts()?;
        let request = ObjectRequest {
            oid: self.oid,
            version: self.version,
        };
        let mut bar = Bar::new(&context.output);
        let watch = |done: ByteCount, whole: ByteCount| bar.bytes(done, whole, "received");
        let (got, missed) = fetch(&client, &request, &place, &mut interrupts, watch).await?;
        bar.end();
        if !missed.is_empty() {
            context
                .output
                .note(&format!("respool: not restored: {}", missed.join(", ")));
        }
        for failed in &got.failed_reads {
            context.output.note(&read_elsewhere(failed));
        }
        context.output.result(&got, |got| details(&got.object));
        Ok(exit::DONE)
    }

    fn check_place(&self) -> Result<(), Problem> {
        let path = self.file.display().to_string();
        match fs::symlink_metadata(&self.file) {
            Ok(found) if found.is_dir() => {
                Err(
                    Problem::refused("is_a_folder", &path, format!("{path} is a folder; nothing was read"))
                        .next("name a file, or add --recursive to read all objects below a name into it"),
                )
            }
            Ok(_) if !self.overwrite => {
                Err(
                    Problem::refused("file_exists", &path, format!("{path} exists already; nothing was read"))
                        .next("add --overwrite, or name another file"),
                )
            }
            Ok(_) => may_write(folder_of(&self.file), &self.file),
            // With a slash behind it the name is one of a folder.
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => match folder_of(&self.file).is_dir() {
                true if !self.file.as_os_str().as_bytes().ends_with(b"/") => {
                    may_write(folder_of(&self.file), &self.file)
                }
                true | false => Err(missing_folder(&self.file)),
            },
            Err(error) => Err(no_place(&self.file, &error)),
        }
    }
}

/// Before a medium is asked for: nobody should wait for one only to hear that its bytes can be put nowhere.
pub(super) fn may_write(folder: &Path, path: &Path) -> Result<(), Problem> {
    access(folder, AccessFlags::W_OK | AccessFlags::X_OK).map_err(|errno| no_place(path, &errno.into()))
}

pub(super) fn missing_folder(path: &Path) -> Problem {
    let path = path.display().to_string();
    let message = format!("the folder of {path} does not exist; nothing was read");
    Problem::refused("no_folder", path, message).next("make the folder first")
}

pub(super) fn no_place(path: &Path, error: &io::Error) -> Problem {
    let path = path.display().to_string();
    let message = format!("the folder of {path} cannot be written: {error}; nothing was read");
    Problem::refused("no_place", path, message).next("correct its permissions, or name a file in another folder")
}
