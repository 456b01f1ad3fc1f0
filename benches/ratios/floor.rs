//! What no repack on this machine can do without: the digests of the bytes, by themselves. The processor time of a repack
//! is told beside it.

use nix::sys::resource::{UsageWho, getrusage};
use std::hint::black_box;
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

/// Processor seconds of this thread.
fn spent() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).expect("one may ask");
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}
