//! `get`: writes beside the file and renames after the digest held; nobody ever sees a part under the file's name.

use super::object::details;
use super::progress::Bar;
use super::{Context, Done, interrupts};
use crate::api::frame::{Decoder, Frame, Kind};
use crate::api::objects::{FailedRead, Got, ObjectView};
use crate::api::requests::{GetEnd, ObjectRequest, StreamEnd};
use crate::api::{Problem, exit};
use crate::client::{decode, gone, json_body};
use dss::model::{Blake3, ByteCount, Metadata, Oid, Version};
use http_body_util::BodyExt;
use nix::unistd::{AccessFlags, access};
use std::fs::{self, File, FileTimes, Permissions};
use std::io::ErrorKind::{NotADirectory, NotFound};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

#[derive(Debug, clap::Args)]
pub struct Get {
    /// The object's name
    oid: Oid,
    /// The file to write
    file: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    overwrite: bool,
    /// Which version [default: the live one]
    #[arg(long, value_name = "N")]
    version: Option<Version>,
}

impl Get {
    pub async fn run(self, context: &Context) -> Done {
        self.check_place()?;
        let client = context.client().await?;
        let mut interrupts = interrupts()?;
        let request = ObjectRequest {
            oid: self.oid.clone(),
            version: self.version,
        };
        let mut body = client.send("/v1/object/get", json_body(&request)).await?.into_body();
        let mut bar = Bar::new(&context.output);
        let mut decoder = Decoder::default();
        let mut landing: Option<Landing> = None;
        loop {
            while let Some(frame) = decoder.next_frame().map_err(|error| gone(&error))? {
                if let Some((got, missed)) = self.take(frame, &mut landing)? {
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
                    return Ok(exit::DONE);
                }
            }
            if let Some(landing) = &landing {
                bar.bytes(ByteCount(landing.whole.count()), landing.object.bytes, "received");
            }
            let frame = tokio::select! {
                frame = body.frame() => frame,
                // Returns by itself, so that the part that was written goes too.
                _ = interrupts.recv() => {
                    let message = format!("the get of '{}' was interrupted; nothing was written", self.oid);
                    return Err(Problem::stopped("interrupted", self.oid.as_str(), message).next("repeat the get"));
                }
            };
            match frame {
                Some(Ok(piece)) => {
                    if let Ok(data) = piece.into_data() {
                        decoder.push(&data);
                    }
                }
                Some(Err(error)) => return Err(gone(&error)),
                None => return Err(gone(&"the object's bytes ended early; nothing was written")),
            }
        }
    }

    /// Takes one frame; the object when it is complete and in its place.
    fn take(&self, frame: Frame, landing: &mut Option<Landing>) -> Result<Option<(Got, Missed)>, Problem> {
        match (frame.kind, landing.as_mut()) {
            (Kind::Header, None) => *landing = Some(Landing::begin(&self.file, decode(&frame.payload)?)?),
            (Kind::Data, Some(landing)) => landing.write(&frame.payload)?,
            (Kind::End, Some(_)) => {
                let landing = landing.take().expect("just seen");
                let GetEnd { sent, failed_reads } = decode(&frame.payload)?;
                let (object, missed) = self.finish(landing, &sent)?;
                return Ok(Some((Got { object, failed_reads }, missed)));
            }
            (Kind::Problem, _) => return Err(decode(&frame.payload)?),
            (Kind::Header | Kind::Data | Kind::End, _) => {
                return Err(Problem::bug("respoold", "the frames of a get came out of order"));
            }
        }
        Ok(None)
    }

    fn check_place(&self) -> Result<(), Problem> {
        let path = self.file.display().to_string();
        match fs::symlink_metadata(&self.file) {
            Ok(found) if found.is_dir() => {
                Err(
                    Problem::refused("is_a_folder", &path, format!("{path} is a folder; nothing was read"))
                        .next("name a file"),
                )
            }
            Ok(_) if !self.overwrite => {
                Err(
                    Problem::refused("file_exists", &path, format!("{path} exists already; nothing was read"))
                        .next("add --overwrite, or name another file"),
                )
            }
            Ok(_) => self.check_folder(),
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => match folder_of(&self.file).is_dir() {
                true => self.check_folder(),
                false => Err(Problem::refused(
                    "no_folder",
                    &path,
                    format!("the folder of {path} does not exist; nothing was read"),
                )
                .next("make the folder first")),
            },
            Err(error) => Err(no_place(&self.file, &error)),
        }
    }

    /// Before a medium is asked for: nobody should wait for one only to hear that its bytes can be put nowhere.
    fn check_folder(&self) -> Result<(), Problem> {
        access(folder_of(&self.file), AccessFlags::W_OK | AccessFlags::X_OK)
            .map_err(|errno| no_place(&self.file, &errno.into()))
    }

    fn finish(&self, landing: Landing, end: &StreamEnd) -> Result<(ObjectView, Missed), Problem> {
        let received = StreamEnd {
            bytes: ByteCount(landing.whole.count()),
            blake3: Blake3(*landing.whole.finalize().as_bytes()),
        };
        if received != *end || received.bytes != landing.object.bytes {
            return Err(Problem::integrity(
                "digest_mismatch",
                "us",
                self.oid.as_str(),
                format!(
                    "the bytes of '{}' changed on their way; {} was not written",
                    self.oid,
                    self.file.display()
                ),
            )
            .next("repeat the get"));
        }
        let fail = |error: io::Error| cannot("written", &self.file, &error);
        let missed = dress(&landing.file, &landing.beside.0, &landing.object.metadata);
        landing.file.sync_all().map_err(fail)?;
        if self.overwrite {
            fs::rename(&landing.beside.0, &self.file).map_err(fail)?;
        } else {
            // A file that came meanwhile is not replaced.
            fs::hard_link(&landing.beside.0, &self.file).map_err(fail)?;
        }
        // The name is durable when the folder is; a folder that cannot be synced keeps its files all the same.
        let _ = File::open(folder_of(&self.file)).and_then(|folder| folder.sync_all());
        Ok((landing.object, missed))
    }
}

/// The bytes that came are right all the same.
fn read_elsewhere(failed: &FailedRead) -> String {
    format!(
        "not read: {failed}; its bytes were read elsewhere, and are right\n  next: see what is known with `respool medium \
         show {}` and `respool events`",
        failed.medium
    )
}

/// A file that is being written beside its place.
struct Landing {
    object: ObjectView,
    file: File,
    place: PathBuf,
    beside: Beside,
    whole: blake3::Hasher,
}

/// Removed when it is not needed any more; after a rename nothing is there.
struct Beside(PathBuf);

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Landing {
    fn begin(place: &Path, object: ObjectView) -> Result<Self, Problem> {
        let name = format!(".respool-{}-{}", object.id, std::process::id());
        let beside = folder_of(place).join(name);
        let file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)
            .map_err(|error| cannot("written", place, &error))?;
        Ok(Self {
            object,
            file,
            place: place.to_owned(),
            beside: Beside(beside),
            whole: blake3::Hasher::new(),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.whole.update(bytes);
        self.file
            .write_all(bytes)
            .map_err(|error| cannot("written", &self.place, &error))
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

fn no_place(path: &Path, error: &io::Error) -> Problem {
    let path = path.display().to_string();
    let message = format!("the folder of {path} cannot be written: {error}; nothing was read");
    Problem::refused("no_place", path, message).next("correct its permissions, or name a file in another folder")
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Problem {
    let path = path.display().to_string();
    Problem::environment(
        "file_failed",
        "operator",
        &path,
        format!("{path} cannot be {what}: {error}; nothing was left there"),
    )
    .next("correct its folder, permissions or room, and repeat")
}

/// What a file could not be given back, by name.
type Missed = Vec<String>;

/// Gives the file back what it had when it was put. What a file system or a user may not set is told, not fatal: the
/// bytes are right.
fn dress(file: &File, path: &Path, metadata: &Metadata) -> Missed {
    let mut missed = Missed::new();
    for (name, hex) in &metadata.xattrs {
        let value = unhex(hex).unwrap_or_default();
        if xattr::set(path, name, &value).is_err() {
            missed.push(name.clone());
        }
    }
    if let Some(mode) = metadata.mode
        && file.set_permissions(Permissions::from_mode(mode)).is_err()
    {
        missed.push("mode".to_owned());
    }
    if let Some(mtime) = metadata.mtime
        && file
            .set_times(FileTimes::new().set_modified(SystemTime::from(mtime)))
            .is_err()
    {
        missed.push("mtime".to_owned());
    }
    missed
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8; 2]| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok();
    rest.is_empty().then(|| pairs.iter().map(byte).collect()).flatten()
}
