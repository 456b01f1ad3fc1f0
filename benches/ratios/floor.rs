//! What no repack on this machine can do without: the digests of the bytes, and the system calls that read and write them,
//! each by itself. The processor time of a repack is told beside it.

use nix::fcntl::OFlag;
use nix::sys::resource::{UsageWho, getrusage};
use std::fs::{self, File, OpenOptions};
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;

/// Digested by each thread, in pieces as the copying has them.
const BYTES: usize = 1 << 30;
const PIECE: usize = 1 << 20;

/// Processor seconds for 10^9 bytes: BLAKE3 and the chunks' CRC-32 of what was read, and the CRC-32 that the target's file
/// system keeps of what it was given. So many threads do it at the same time.
pub fn digests(threads: usize) -> f64 {
    let one = || {
        let piece: Vec<u8> = (0..PIECE).map(|n| (n % 251) as u8).collect();
        let (mut whole, mut chunk, mut given) = (
            blake3::Hasher::new(),
            crc32fast::Hasher::new(),
            crc32fast::Hasher::new(),
        );
        let before = spent();
        for _ in 0..BYTES / PIECE {
            whole.update(&piece);
            chunk.update(&piece);
            given.update(&piece);
        }
        black_box((whole.finalize(), chunk.finalize(), given.finalize()));
        (spent() - before) / (BYTES as f64 / 1e9)
    };
    let sum: f64 = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        running.into_iter().map(|one| one.join().expect("it only counts")).sum()
    });
    sum / threads as f64
}

/// Read and written at once, as large as a repack does it, from a border that any device takes.
const MOVED: usize = 4 << 20;
const BORDER: usize = 4096;

/// Processor seconds for 10^9 bytes that are read from one file and written to another, both straight from and to the
/// device, and nothing else; None where the file system does not do that.
pub fn moving(folder: &Path) -> Option<f64> {
    let (from, to) = (folder.join("floor.from"), folder.join("floor.to"));
    let taken = filled(&from).and_then(|()| moved(&from, &to));
    for made in [from, to] {
        // One that was not made needs no removal.
        let _ = fs::remove_file(made);
    }
    taken.ok()
}

fn filled(path: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    let piece: Vec<u8> = (0..PIECE).map(|n| (n % 251) as u8).collect();
    for _ in 0..BYTES / PIECE {
        file.write_all(&piece)?;
    }
    file.sync_all()
}

fn moved(from: &Path, to: &Path) -> io::Result<f64> {
    let direct = OFlag::O_DIRECT.bits();
    let mut source = OpenOptions::new().read(true).custom_flags(direct).open(from)?;
    let mut target = OpenOptions::new()
        .write(true)
        .create_new(true)
        .custom_flags(direct)
        .open(to)?;
    let mut storage = vec![0; MOVED + BORDER];
    let start = storage.as_ptr().align_offset(BORDER);
    let piece = &mut storage[start..start + MOVED];
    let before = spent();
    for _ in 0..BYTES / MOVED {
        source.read_exact(piece)?;
        target.write_all(piece)?;
    }
    target.sync_all()?;
    Ok((spent() - before) / (BYTES as f64 / 1e9))
}

/// Processor seconds of this thread.
fn spent() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).expect("one may ask");
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}
