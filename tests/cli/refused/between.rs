//! Something between the clients of a site and its respoold, which are the real programs: what a client says of its own
//! version is replaced on the way, as if it came from an older or a newer build. Everything else passes unchanged.

use respool::state::StateFolder;
use respool_test_support::Site;
use std::fs;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// The version of the program under test.
const OURS: &str = env!("CARGO_PKG_VERSION");

/// Another version of as many digits: the length of a request stays what its head says.
pub fn version_of_all(digit: char) -> String {
    let replaced = |c: char| if c.is_ascii_digit() { digit } else { c };
    OURS.chars().map(replaced).collect()
}

/// Stands in the place of respoold's socket until it is dropped.
pub struct Between {
    place: PathBuf,
    aside: PathBuf,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Between {
    /// From now on, clients say that they have this version.
    pub fn saying(site: &Site, version: &str) -> Self {
        assert!(version != OURS && version.len() == OURS.len(), "{version}");
        let state = StateFolder::resolve(Some(&site.state())).unwrap();
        let place = state.socket().expect("respoold runs");
        let aside = place.with_file_name("aside");
        fs::rename(&place, &aside).unwrap();
        let listener = UnixListener::bind(&place).unwrap();
        listener.set_nonblocking(true).unwrap();
        let ends = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (aside, ends, version) = (aside.clone(), Arc::clone(&ends), version.to_owned());
            move || serve(&listener, &aside, &ends, &version)
        });
        Self {
            place,
            aside,
            ends,
            thread: Some(thread),
        }
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        let ended = self.thread.take().map(JoinHandle::join);
        let left = !self.place.exists();
        let cleared = if left {
            // respoold has removed its socket, and would have removed the folder.
            fs::remove_file(&self.aside).and_then(|()| fs::remove_dir(self.place.parent().expect("it has a folder")))
        } else {
            fs::rename(&self.aside, &self.place)
        };
        if !std::thread::panicking() {
            assert!(matches!(ended, Some(Ok(()))), "it ended in a panic");
            cleared.unwrap();
        }
    }
}

/// One client after the other. Looks now and then whether it is to end: the place may be gone by then, and nobody could
/// knock there.
fn serve(listener: &UnixListener, respoold: &Path, ends: &AtomicBool, version: &str) {
    while !ends.load(Ordering::SeqCst) {
        match listener.accept() {
            // A client that goes away in the middle is answered no more.
            Ok((client, _)) => drop(pass(client, respoold, version)),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// One request, and its answer to the end.
fn pass(mut client: UnixStream, respoold: &Path, version: &str) -> io::Result<()> {
    let mut upstream = UnixStream::connect(respoold)?;
    upstream.write_all(&with_version(read_request(&mut client)?, version))?;
    let (mut rest, closing) = (client.try_clone()?, upstream.try_clone()?);
    let until_it_leaves = std::thread::spawn(move || {
        // Nothing more is asked. Its end is what ends the answer: respoold keeps a connection open.
        let _ = io::copy(&mut rest, &mut io::sink());
        let _ = closing.shutdown(Shutdown::Both);
    });
    io::copy(&mut upstream, &mut client)?;
    client.shutdown(Shutdown::Both)?;
    until_it_leaves.join().expect("it only waits");
    Ok(())
}

/// Head and body of a request that says how long it is.
fn read_request(client: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        if whole_length(&bytes).is_some_and(|length| bytes.len() >= length) {
            return Ok(bytes);
        }
        match client.read(&mut piece)? {
            0 => return Ok(bytes),
            read => bytes.extend_from_slice(&piece[..read]),
        }
    }
}

/// How long a request is, once its head is there.
fn whole_length(bytes: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(bytes);
    let (head, _) = text.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    Some(head.len() + 4 + length.unwrap_or(0))
}

fn with_version(request: Vec<u8>, version: &str) -> Vec<u8> {
    let said = |version: &str| format!("\"version\":\"{version}\"");
    match String::from_utf8(request) {
        Ok(text) => text.replace(&said(OURS), &said(version)).into_bytes(),
        Err(other) => other.into_bytes(),
    }
}
