//! Names that are no names, and files that cannot be stored.

use super::{Refusals, site};
use nix::sys::stat::Mode;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

#[test]
fn a_name_that_is_none_is_refused() {
    let site = site(&["a"]);
    fs::write(site.root().join("file"), "bytes").unwrap();
    let mut refusals = Refusals::new(&site, &["a"], "Names that no object can have");
    for oid in ["../a", "a/../b", "a/..", "./a", "a//b", "a/", "/a"] {
        refusals.run(&format!("put file {oid}"), 2);
    }
    let put = |oid: &[u8]| {
        let mut put = site.spoken(&["put", "file"]);
        put.arg(OsStr::from_bytes(oid));
        put
    };
    refusals.command("respool put file ''", put(b""), 2);
    refusals.command("respool put file $'a\\nb'", put(b"a\nb"), 2);
    refusals.command("respool put file $'a\\xff'", put(b"a\xff"), 2);
    let long = "x".repeat(1024);
    refusals.seen.hide(&long, "(1,024 times x)");
    refusals.command(&format!("respool put file {long}"), put(long.as_bytes()), 2);
    refusals.note("A NUL cannot be typed. This is what a program is told that sends one.");
    let before = refusals.everything();
    let told = super::starting::asked(&site, "/v1/object/show", &serde_json::json!({ "oid": "a\0b" }));
    refusals
        .seen
        .told("POST /v1/object/show {\"oid\":\"a\\u0000b\"}", &told);
    assert!(before == refusals.everything());
    refusals.matches("oids");
}

/// The names of files below a folder become those of objects; one that cannot stops all of them.
#[test]
fn a_folder_with_a_name_that_no_object_can_have_is_refused_whole() {
    let site = site(&["a"]);
    let folder = site.root().join("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("1"), "bytes").unwrap();
    let mut refusals = Refusals::new(&site, &["a"], "Folders with files whose names no object can have");
    let mut refused = |what: &str, name: &OsStr, typed: &str| {
        refusals.note(what);
        fs::write(folder.join(name), "bytes").unwrap();
        refusals.run(typed, 2);
        fs::remove_file(folder.join(name)).unwrap();
    };
    let put = "put folder f --recursive";
    refused("A name with a newline.", OsStr::new("a\nb"), put);
    refused("A name that is not UTF-8.", OsStr::from_bytes(b"a\xff"), put);
    refusals.note("Both, and a file whose name is one: all are told at once.");
    let both = [OsStr::new("a\nb"), OsStr::from_bytes(b"a\xff")].map(|name| folder.join(name));
    both.iter().for_each(|path| fs::write(path, "bytes").unwrap());
    refusals.run(put, 2);
    both.iter().for_each(|path| fs::remove_file(path).unwrap());
    let (prefix, name) = ("p".repeat(900), "n".repeat(200));
    refusals.seen.hide(&prefix, "(900 times p)");
    refusals.seen.hide(&name, "(200 times n)");
    refusals.note("A name that is too long with what all names begin with.");
    fs::write(folder.join(&name), "bytes").unwrap();
    refusals.run(&format!("put folder {prefix} --recursive"), 2);
    refusals.run("object list", 0);
    refusals.matches("oids-folder");
}

#[test]
fn what_is_no_file_is_not_stored() {
    let site = site(&["a"]);
    let root = site.root();
    fs::create_dir(root.join("folder")).unwrap();
    nix::unistd::mkfifo(&root.join("fifo"), Mode::S_IRWXU).unwrap();
    let _socket = UnixListener::bind(root.join("socket")).unwrap();
    symlink("file", root.join("link")).unwrap();
    fs::write(root.join("file"), "bytes").unwrap();
    site.put_on("a", "there", b"bytes");
    let mut refusals = Refusals::new(&site, &["a"], "What is no file, and files that are stored already");
    for file in ["missing", "folder", "fifo", "socket", "link", "/dev/null"] {
        refusals.run(&format!("put {file} new"), 2);
    }
    refusals.run("put file new --recursive", 2);
    refusals.run("put file there", 2);
    refusals.run("put file new --meta colour", 2);
    refusals.run("put file new --copies 0", 2);
    refusals.matches("files");
}
