//! The file of a backup: written beside its place, checked without a server.

use super::{BackupError, io_error, plain};
use crate::model::backup::{BACKUP_FORMAT, BackupManifest, HEADER_BYTES};
use crate::pg::embedded::Binaries;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Bytes moved at once.
const CHUNK: usize = 1 << 20;
/// As much of a program's last words as a message holds.
const LAST_WORDS: usize = 600;

/// The header's text, with a digest of its own.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    manifest: BackupManifest,
    blake3: String,
}

fn digest_of(manifest: &BackupManifest) -> String {
    let text = serde_json::to_vec(manifest).expect("a manifest is plain JSON");
    blake3::hash(&text).to_hex().to_string()
}

/// Runs a dump into a new file, and fills in what only its end tells. Nothing is left after a failure.
pub(super) fn write(dump: Command, path: &Path, manifest: &mut BackupManifest) -> Result<(), BackupError> {
    let beside = beside(path);
    let written = write_beside(dump, &beside, manifest).and_then(|()| put_in_place(&beside, path));
    if written.is_err() {
        // The first failure is told; what is left is never taken for a backup.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    name.into()
}

fn put_in_place(beside: &Path, path: &Path) -> Result<(), BackupError> {
    // A link fails where a rename would replace what appeared meanwhile.
    match fs::hard_link(beside, path) {
        Ok(()) => fs::remove_file(beside).map_err(io_error("remove", beside))?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(BackupError::Exists(path.to_owned()));
        }
        // A file system without links.
        Err(_) => fs::rename(beside, path).map_err(io_error("rename", beside))?,
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(io_error("sync", folder))
}

fn write_beside(mut dump: Command, beside: &Path, manifest: &mut BackupManifest) -> Result<(), BackupError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(beside)
        .map_err(io_error("make", beside))?;
    file.seek(SeekFrom::Start(HEADER_BYTES))
        .map_err(io_error("write", beside))?;
    let mut child = dump
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(io_error("run", Path::new("pg_dump")))?;
    let mut said = child.stderr.take().expect("stderr is piped");
    let words = std::thread::spawn(move || last_words(&mut said));
    let mut stdout = child.stdout.take().expect("stdout is piped");
    let copied = copy(&mut stdout, &mut file, beside);
    drop(stdout);
    let status = child.wait().map_err(io_error("run", Path::new("pg_dump")))?;
    let (bytes, digest) = copied?;
    if !status.success() {
        return Err(failed("pg_dump", &status, words));
    }
    manifest.dump_bytes = bytes;
    manifest.blake3 = digest.to_hex().to_string();
    let header = Header {
        blake3: digest_of(manifest),
        manifest: manifest.clone(),
    };
    let mut text = serde_json::to_vec(&header).expect("a header is plain JSON");
    assert!(text.len() < HEADER_BYTES as usize, "a header has its room");
    text.resize(HEADER_BYTES as usize - 1, b' ');
    text.push(b'\n');
    file.rewind()
        .and_then(|()| file.write_all(&text))
        .and_then(|()| file.sync_all())
        .map_err(io_error("write", beside))
}

fn copy(from: &mut impl Read, to: &mut File, path: &Path) -> Result<(u64, blake3::Hash), BackupError> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; CHUNK];
    let mut bytes = 0;
    loop {
        let count = from.read(&mut buffer).map_err(io_error("read the dump for", path))?;
        if count == 0 {
            return Ok((bytes, hasher.finalize()));
        }
        hasher.update(&buffer[..count]);
        to.write_all(&buffer[..count]).map_err(io_error("write", path))?;
        bytes += count as u64;
    }
}

fn last_words(said: &mut impl Read) -> String {
    let mut text = Vec::new();
    // What cannot be read is not told; the status is.
    let _ = said.read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    let start = text.len().saturating_sub(LAST_WORDS);
    let start = (start..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text[start..].to_owned()
}

pub(super) fn failed(
    program: &'static str,
    status: &std::process::ExitStatus,
    words: std::thread::JoinHandle<String>,
) -> BackupError {
    let words = words.join().unwrap_or_default();
    let said = match words.is_empty() {
        true => status.to_string(),
        false => words,
    };
    BackupError::Program { program, said }
}

/// Reads the header.
fn open(path: &Path) -> Result<(File, BackupManifest), BackupError> {
    let damaged = |why: &str| BackupError::Damaged {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    let mut file = File::open(path).map_err(io_error("open", path))?;
    let mut text = vec![0; HEADER_BYTES as usize];
    match file.read_exact(&mut text) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Err(damaged("it is too short")),
        Err(error) => return Err(io_error("read", path)(error)),
    }
    let header: Header = serde_json::from_slice(&text).map_err(|_| damaged("it has no header of a backup"))?;
    if header.manifest.format != BACKUP_FORMAT {
        return Err(damaged("its format is another one"));
    }
    if header.blake3 != digest_of(&header.manifest) {
        return Err(damaged("its header is damaged"));
    }
    Ok((file, header.manifest))
}

/// Checks that a backup is whole and that PostgreSQL's own program can read its list, without a server.
pub fn verify(path: &Path) -> Result<BackupManifest, BackupError> {
    let binaries = Binaries::newest()?;
    let (mut file, manifest) = open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; CHUNK];
    let mut bytes = 0;
    loop {
        let count = file.read(&mut buffer).map_err(io_error("read", path))?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        bytes += count as u64;
    }
    let damaged = |why: String| BackupError::Damaged {
        path: path.to_owned(),
        why,
    };
    if bytes != manifest.dump_bytes {
        let why = format!("{bytes} bytes follow the header, which says {}", manifest.dump_bytes);
        return Err(damaged(why));
    }
    if hasher.finalize().to_hex().as_str() != manifest.blake3 {
        return Err(damaged("its bytes are not those that were written".to_owned()));
    }
    let mut list = plain(&binaries, "pg_restore");
    list.arg("--list");
    feed(list, path)?;
    Ok(manifest)
}

/// Runs `pg_restore` on the dump in a backup.
pub(super) fn feed(mut restore: Command, path: &Path) -> Result<(), BackupError> {
    let (mut file, _) = open(path)?;
    let mut child = restore
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(io_error("run", Path::new("pg_restore")))?;
    let mut said = child.stderr.take().expect("stderr is piped");
    let words = std::thread::spawn(move || last_words(&mut said));
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let fed = std::io::copy(&mut file, &mut stdin);
    drop(stdin);
    let status = child.wait().map_err(io_error("run", Path::new("pg_restore")))?;
    if !status.success() {
        return Err(failed("pg_restore", &status, words));
    }
    match fed {
        Ok(_) => Ok(()),
        // It had read all it needed.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(io_error("read", path)(error)),
    }
}
