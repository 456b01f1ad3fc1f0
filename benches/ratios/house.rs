//! A site with the config that users have, and files to put.

use nix::unistd::Pid;
use respool_test_support::Site;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Stdio;

pub const RESPOOL: &str = env!("CARGO_BIN_EXE_respool");

/// Files of one folder: a folder of very many is slow by itself.
const FILES_OF_A_FOLDER: u64 = 1_000;

/// The object after which rows are made, of one extent.
pub const FIRST: &str = "first";

/// Nothing configured but that nobody leaves during a pause.
pub fn site() -> Site {
    Site::with_config(RESPOOL, "[daemon]\nidle_exit = \"2h\"\n")
}

/// Adds a medium that holds so much.
pub fn add_medium(site: &Site, name: &str, bytes: u64) {
    let path = site.folder(name).display().to_string();
    run(site, &["dir", "add", name, &path, "--capacity", &bytes.to_string()]);
}

/// Runs a command, however long it takes; it must succeed.
pub fn run(site: &Site, args: &[&str]) -> serde_json::Value {
    let output = site
        .command(args)
        .stdin(Stdio::null())
        .output()
        .expect("respool can be run");
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {}\n{messages}", output.status);
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

/// Makes a folder of files whose bytes cannot be compressed and are the same in every run.
pub fn make_files(folder: &Path, count: u64, bytes: u64) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut block = vec![0; 1 << 16];
    for number in 0..count {
        let inner = folder.join((number / FILES_OF_A_FOLDER).to_string());
        fs::create_dir_all(&inner).expect("there is room");
        let mut file = BufWriter::new(File::create(inner.join(number.to_string())).expect("there is room"));
        let mut left = bytes as usize;
        while left > 0 {
            for word in block.chunks_exact_mut(8) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                word.copy_from_slice(&state.to_le_bytes());
            }
            let now = left.min(block.len());
            file.write_all(&block[..now]).expect("there is room");
            left -= now;
        }
        file.flush().expect("there is room");
    }
}

/// respoold and its PostgreSQL.
pub fn processes(site: &Site) -> [Pid; 2] {
    let text = fs::read_to_string(site.state().join("pg/postmaster.pid")).expect("the database runs");
    let postmaster = text.lines().next().and_then(|line| line.trim().parse().ok());
    [
        site.pid().expect("respoold runs"),
        Pid::from_raw(postmaster.expect("its first line is its number")),
    ]
}

/// Statements that make objects of one extent each, whole and sound in the catalogue and nowhere else, on the medium of
/// the first and with its digests.
pub fn rows_like_the_first(from: u64, to: u64) -> String {
    format!(
        "BEGIN;
         SET LOCAL session_replication_role = replica;
         CREATE TEMP TABLE more ON COMMIT DROP AS
             SELECT overlay(gen_random_uuid()::text PLACING made FROM 1 FOR 15)::uuid AS object,
                    overlay(gen_random_uuid()::text PLACING made FROM 1 FOR 15)::uuid AS extent, n
               FROM generate_series({from}, {to}) n,
                    overlay(lpad(to_hex(1700000000000 + n), 12, '0') || '7' PLACING '-' FROM 9 FOR 0) a,
                    overlay(a PLACING '-' FROM 14 FOR 0) made;
         CREATE TEMP TABLE model ON COMMIT DROP AS
             SELECT e.*, c.params FROM extent e JOIN copy c USING (object_id, copy_no) WHERE e.oid = '{FIRST}';
         INSERT INTO object (id, oid, version, bytes, copies, metadata, created_at)
             SELECT more.object, 'more/' || n, 1, bytes, 1, '{{}}', created_at FROM more, model;
         INSERT INTO copy (object_id, copy_no, layout_type, params, extents)
             SELECT more.object, 0, 'simple', params, 1 FROM more, model;
         INSERT INTO extent (id, state, object_id, oid, version, copy_no, index, medium, generation, address, bytes,
                             blake3, crc32, chunk_crcs, created_at)
             SELECT more.extent, 'sync', more.object, 'more/' || n, 1, 0, 0, medium, generation, 'objects/more' || n,
                    bytes, blake3, crc32, chunk_crcs, created_at
               FROM more, model;
         DELETE FROM extent_unindexed;
         INSERT INTO layout (object_id, copy_no, index, extent) SELECT object, 0, 0, extent FROM more;
         COMMIT;"
    )
}
