//! The file of a backup: written beside its place under a name nobody else has, checked without a server. It is opened
//! once, and what PostgreSQL's programs are fed is digested on its way.

use super::{BackupError, io_error, plain};
use crate::model::backup::{BACKUP_FORMAT, BackupManifest, HEADER_BYTES};
use crate::pg::embedded::Binaries;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};

/// Bytes moved at once.
const CHUNK: usize = 1 << 20;
/// How names of files end that are being written.
pub const UNFINISHED: &str = ".part";
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
    // Nobody else has this name, so that a failure here removes nobody else's file.
    let written = write_beside(dump, &beside, manifest).and_then(|()| put_in_place(&beside, path));
    if written.is_err() {
        // The first failure is told; what is left is never taken for a backup.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}{UNFINISHED}", uuid::Uuid::now_v7().simple()));
    name.into()
}

fn put_in_place(beside: &Path, path: &Path) -> Result<(), BackupError> {
    // A link fails where a rename would replace what appeared meanwhile.
    match fs::hard_link(beside, path) {
        Ok(()) => fs::remove_file(beside).map_err(io_error("remove", beside))?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(BackupError::Exists(path.to_owned()));
        }
        // A file system without links: the name is taken first, so that the rename replaces nothing but that.
        Err(_) => {
            claim(path)?;
            fs::rename(beside, path).map_err(|error| {
                // Empty, and ours.
                let _ = fs::remove_file(path);
                io_error("rename", beside)(error)
            })?;
        }
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(io_error("sync", folder))
}

fn claim(path: &Path) -> Result<(), BackupError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(BackupError::Exists(path.to_owned())),
        Err(error) => Err(io_error("make", path)(error)),
    }
}

fn write_beside(mut dump: Command, beside: &Path, manifest: &mut BackupManifest) -> Result<(), BackupError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
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

/// A backup's file, open. Whatever is done with its path meanwhile, and to its bytes, what is fed from here is what its
/// header says, or an error.
pub struct BackupFile {
    file: File,
    path: PathBuf,
    manifest: BackupManifest,
}

impl BackupFile {
    /// Opens a regular file and reads its header. Anything else is refused at once: a pipe would be waited for for ever,
    /// and a link may point elsewhere the next time.
    pub fn open(path: &Path) -> Result<Self, BackupError> {
        let mut file = open_regular(path)?;
        let manifest = read_header(&mut file, path)?;
        Ok(Self {
            file,
            path: path.to_owned(),
            manifest,
        })
    }

    /// What its header says.
    pub fn manifest(&self) -> &BackupManifest {
        &self.manifest
    }

    /// Whether the file is as long as its header says: quick, and finds what was cut short.
    pub fn require_length(&self) -> Result<(), BackupError> {
        let found = self.file.metadata().map_err(io_error("look at", &self.path))?.len();
        self.require_bytes(found.saturating_sub(HEADER_BYTES))
    }

    /// Checks that it is whole, and that PostgreSQL's own program can read its list, without a server.
    pub(super) fn verify(&mut self) -> Result<(), BackupError> {
        let mut list = plain(&Binaries::newest()?, "pg_restore");
        list.arg("--list");
        self.feed(list)
    }

    /// Runs `pg_restore` on the dump. What the program makes of it counts only when this returns well: it was given
    /// exactly the bytes that were written.
    pub(super) fn feed(&mut self, mut restore: Command) -> Result<(), BackupError> {
        self.file
            .seek(SeekFrom::Start(HEADER_BYTES))
            .map_err(io_error("read", &self.path))?;
        let mut child = restore
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(io_error("run", Path::new("pg_restore")))?;
        let mut said = child.stderr.take().expect("stderr is piped");
        let words = std::thread::spawn(move || last_words(&mut said));
        let fed = self.pass_on(child.stdin.take().expect("stdin is piped"));
        let status = child.wait().map_err(io_error("run", Path::new("pg_restore")))?;
        let (bytes, digest) = fed?;
        // Before the program's own words: damage is why it failed.
        self.require_bytes(bytes)?;
        if digest.to_hex().as_str() != self.manifest.blake3 {
            return Err(self.damaged("its bytes are not those that were written".to_owned()));
        }
        match status.success() {
            true => Ok(()),
            false => Err(failed("pg_restore", &status, words)),
        }
    }

    /// Digests the dump to its end, also when the program has read all it needs earlier.
    fn pass_on(&mut self, stdin: ChildStdin) -> Result<(u64, blake3::Hash), BackupError> {
        let mut stdin = Some(stdin);
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; CHUNK];
        let mut bytes = 0;
        loop {
            let count = self.file.read(&mut buffer).map_err(io_error("read", &self.path))?;
            if count == 0 {
                return Ok((bytes, hasher.finalize()));
            }
            hasher.update(&buffer[..count]);
            bytes += count as u64;
            let Some(open) = &mut stdin else { continue };
            match open.write_all(&buffer[..count]) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => stdin = None,
                Err(error) => return Err(io_error("pass on", &self.path)(error)),
            }
        }
    }

    fn require_bytes(&self, found: u64) -> Result<(), BackupError> {
        if found == self.manifest.dump_bytes {
            return Ok(());
        }
        let said = self.manifest.dump_bytes;
        Err(self.damaged(format!("{found} bytes follow the header, which says {said}")))
    }

    fn damaged(&self, why: String) -> BackupError {
        BackupError::Damaged {
            path: self.path.clone(),
            why,
        }
    }
}

fn open_regular(path: &Path) -> Result<File, BackupError> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(path);
    let file = match opened {
        Ok(file) => file,
        // A link, and a socket.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ELOOP | libc::ENXIO)) => {
            return Err(BackupError::NotAFile(path.to_owned()));
        }
        Err(error) => return Err(io_error("open", path)(error)),
    };
    match file.metadata().map_err(io_error("look at", path))?.is_file() {
        true => Ok(file),
        false => Err(BackupError::NotAFile(path.to_owned())),
    }
}

fn read_header(file: &mut File, path: &Path) -> Result<BackupManifest, BackupError> {
    let damaged = |why: &str| BackupError::Damaged {
        path: path.to_owned(),
        why: why.to_owned(),
    };
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
    Ok(header.manifest)
}

/// Checks that a backup is whole and that PostgreSQL's own program can read its list, without a server.
pub fn verify(path: &Path) -> Result<BackupManifest, BackupError> {
    let mut file = BackupFile::open(path)?;
    file.verify()?;
    Ok(file.manifest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Blake3, CatalogueId, EventHead, Revision};
    use jiff::Timestamp;
    use std::sync::mpsc;
    use std::time::Duration;

    fn manifest() -> BackupManifest {
        BackupManifest {
            format: BACKUP_FORMAT.to_owned(),
            catalogue: CatalogueId::fresh(),
            testing: true,
            revision: Revision(1),
            head: EventHead {
                link: 0,
                hash: Blake3([0; 32]),
            },
            schema: 1,
            server: 150_000,
            created_at: Timestamp::UNIX_EPOCH,
            dump_bytes: 0,
            blake3: String::new(),
        }
    }

    fn shell(script: &str, folder: &Path) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).current_dir(folder);
        command
    }

    fn made(folder: &Path, name: &str, content: &str) -> PathBuf {
        let path = folder.join(name);
        write(shell(&format!("printf {content}"), folder), &path, &mut manifest()).unwrap();
        path
    }

    /// Both are under way before either goes on.
    #[test]
    fn e16_two_backups_to_one_name_do_not_write_into_one_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.backup");
        let one = |me: &'static str, other: &'static str| {
            let script = format!(
                "printf {me}; : > {me}; while [ ! -e {other} ]; do sleep 0.01; done; head -c 3000000 /dev/zero; printf {me}"
            );
            let dump = shell(&script, folder.path());
            let path = path.clone();
            std::thread::spawn(move || write(dump, &path, &mut manifest()))
        };
        let both = [one("x", "y"), one("y", "x")];
        let ended = both.map(|thread| thread.join().unwrap());
        assert_eq!(ended.iter().filter(|end| end.is_ok()).count(), 1, "{ended:?}");
        let lost = ended.into_iter().find_map(Result::err).unwrap();
        assert!(matches!(lost, BackupError::Exists(_)), "{lost:?}");
        let mut file = BackupFile::open(&path).unwrap();
        file.feed(shell("cat > /dev/null", folder.path())).expect("it is whole");
        let left = fs::read_dir(folder.path()).unwrap().flatten();
        let left = left.filter(|entry| entry.file_name().to_string_lossy().ends_with(UNFINISHED));
        assert_eq!(left.count(), 0);
    }

    #[test]
    fn e16_what_is_no_regular_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let real = made(folder.path(), "real", "dump");
        let (pipe, link) = (folder.path().join("pipe"), folder.path().join("link"));
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink(real, &link).unwrap();
        for path in [pipe, link, folder.path().to_owned()] {
            let (tell, told) = mpsc::channel();
            let looked = path.clone();
            std::thread::spawn(move || tell.send(BackupFile::open(&looked).map(drop)));
            let opened = told.recv_timeout(Duration::from_secs(60)).expect("it does not hang");
            assert!(matches!(opened, Err(BackupError::NotAFile(_))), "{path:?}: {opened:?}");
        }
    }

    #[test]
    fn e16_what_is_fed_is_what_was_digested() {
        let folder = tempfile::tempdir().unwrap();
        let path = made(folder.path(), "a", "first");
        let mut file = BackupFile::open(&path).unwrap();
        file.feed(shell("true", folder.path()))
            .expect("a program may stop early");
        // Another file takes the name: what was opened is what is fed.
        let other = made(folder.path(), "b", "other");
        fs::rename(other, &path).unwrap();
        file.feed(shell("cat > fed", folder.path())).unwrap();
        assert_eq!(fs::read(folder.path().join("fed")).unwrap(), b"first");
        // The file itself is written to after it was looked at.
        let mut file = BackupFile::open(&path).unwrap();
        file.feed(shell("cat > fed", folder.path())).unwrap();
        let mut writer = OpenOptions::new().write(true).open(&path).unwrap();
        writer.seek(SeekFrom::Start(HEADER_BYTES)).unwrap();
        writer.write_all(b"O").unwrap();
        let fed = file.feed(shell("cat > fed", folder.path()));
        assert!(matches!(fed, Err(BackupError::Damaged { .. })), "{fed:?}");
        writer.set_len(HEADER_BYTES + 2).unwrap();
        assert!(file.require_length().is_err());
    }
}
