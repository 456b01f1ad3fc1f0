//! Folders: put whole and read whole, gone on with where they were cut short, and told about in few words however many
//! files they hold.

use crate::site::{Said, Site, contents};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

/// With a medium.
fn ready() -> Site {
    let site = Site::new();
    site.add_dir("disk-a");
    site
}

/// With a folder `tree` of these files of 1,000 bytes, stored below `t`.
fn stored(files: &[&str]) -> Site {
    let site = ready();
    fs::create_dir_all(site.path("tree/sub/deep")).unwrap();
    for name in files {
        site.file(&format!("tree/{name}"), 1000);
    }
    put_tree(&site, &[]).exits(0);
    site
}

fn put_tree(site: &Site, more: &[&str]) -> Said {
    site.run(&[&["put", "--recursive", &site.at("tree"), "t"][..], more].concat())
}

fn get_tree(site: &Site, more: &[&str]) -> Said {
    site.run(&[&["get", "--recursive", "t", &site.at("out")][..], more].concat())
}

/// The names in a list of the result.
fn names<'a>(said: &'a Said, list: &str) -> Vec<&'a str> {
    let all = said.json[list].as_array().unwrap().iter();
    all.map(|one| one["oid"].as_str().or(one.as_str()).unwrap()).collect()
}

/// Whether a file came back as `stored` made it.
fn is_back(site: &Site, name: &str) -> bool {
    fs::read(site.path(&format!("out/{name}"))).is_ok_and(|bytes| bytes == contents(&format!("tree/{name}"), 1000))
}

#[test]
fn a_folder_comes_back_with_the_attributes_of_its_files() {
    let site = ready();
    fs::create_dir_all(site.path("tree/sub/deep")).unwrap();
    let files = ["1", "sub/2", "sub/deep/3"];
    for name in files {
        let file = site.file(&format!("tree/{name}"), 1000);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    }
    let attributes = xattr::set(site.path("tree/sub/2"), "user.colour", b"blue").is_ok();
    put_tree(&site, &[]).exits(0);
    site.put("t2/beside", 10);
    let got = get_tree(&site, &[]).exits(0);
    assert_eq!(names(&got, "objects"), ["t/1", "t/sub/2", "t/sub/deep/3"]);
    assert_eq!(got.text("/objects/1/file"), site.at("out/sub/2"));
    assert_eq!(got.json["existing"], serde_json::json!([]));
    for name in files {
        assert!(is_back(&site, name), "{name}");
        let (before, after) = (
            fs::metadata(site.path(&format!("tree/{name}"))).unwrap(),
            fs::metadata(site.path(&format!("out/{name}"))).unwrap(),
        );
        assert_eq!(after.mode() & 0o7777, 0o640);
        assert_eq!(
            (before.mtime(), before.mtime_nsec()),
            (after.mtime(), after.mtime_nsec())
        );
    }
    if attributes {
        let colour = xattr::get(site.path("out/sub/2"), "user.colour").unwrap();
        assert_eq!(colour.as_deref(), Some(&b"blue"[..]));
    }
    let left: Vec<_> = fs::read_dir(site.path("out")).unwrap().collect();
    assert_eq!(left.len(), 2, "no part is left: {left:?}");
}

#[test]
fn files_that_exist_are_left_unless_they_are_to_be_replaced() {
    let site = stored(&["1", "2", "sub/3"]);
    fs::create_dir(site.path("out")).unwrap();
    site.file("out/1", 7);
    let refused = get_tree(&site, &[]).exits(1);
    assert_eq!(names(&refused, "refused"), ["t/1"]);
    assert_eq!(refused.text("/refused/0/problem/code"), "file_exists");
    let next = refused.text("/refused/0/problem/next");
    assert!(
        next.contains("--skip-existing") && next.contains("--overwrite"),
        "{next}"
    );
    assert!(is_back(&site, "2") && is_back(&site, "sub/3"));
    fs::remove_file(site.path("out/sub/3")).unwrap();
    let skipped = get_tree(&site, &["--skip-existing"]).exits(0);
    assert_eq!(names(&skipped, "existing"), ["t/1", "t/2"]);
    assert_eq!(names(&skipped, "objects"), ["t/sub/3"]);
    assert_eq!(fs::metadata(site.path("out/1")).unwrap().len(), 7, "it was left");
    let all = get_tree(&site, &[]).exits(2);
    assert_eq!(names(&all, "refused").len(), 3);
    get_tree(&site, &["--overwrite"]).exits(0);
    assert!(is_back(&site, "1"));
    get_tree(&site, &["--overwrite", "--skip-existing"]).exits(2);
    get_tree(&site, &["--version", "1"]).exits(2);
    site.say(&["get", "t/1", &site.at("alone"), "--skip-existing"]).exits(2);
    let told = site.say(&["get", "--recursive", "t", &site.at("out"), "--skip-existing"]);
    assert_eq!(
        told.exits(0).stdout,
        "0 objects read, 0 B\n3 files existed already and were left as they are\n"
    );
}

#[test]
fn an_object_that_cannot_be_read_stops_none_of_the_others() {
    let site = stored(&["1", "2", "3"]);
    let shown = site.run(&["object", "show", "t/2"]).exits(0);
    let path = Path::new(&site.at("disk-a")).join(shown.text("/extents/0/address"));
    let mut bytes = fs::read(&path).unwrap();
    bytes[400] ^= 1;
    fs::write(&path, bytes).unwrap();
    let got = get_tree(&site, &[]).exits(4);
    assert_eq!(names(&got, "objects"), ["t/1", "t/3"]);
    assert_eq!(names(&got, "refused"), ["t/2"]);
    assert_eq!(fs::read_dir(site.path("out")).unwrap().count(), 2, "no part is left");
}

#[test]
fn no_symlink_leads_a_file_out_of_the_folder() {
    let site = stored(&["1", "sub/2", "sub/deep/3"]);
    for folder in ["out", "elsewhere"] {
        fs::create_dir(site.path(folder)).unwrap();
    }
    symlink(site.path("elsewhere"), site.path("out/sub")).unwrap();
    symlink(site.path("elsewhere/file"), site.path("out/1")).unwrap();
    let got = get_tree(&site, &["--overwrite"]).exits(1);
    assert_eq!(names(&got, "refused"), ["t/sub/2", "t/sub/deep/3"]);
    assert_eq!(got.text("/refused/0/problem/code"), "no_folder");
    assert!(is_back(&site, "1"), "the symlink itself was replaced");
    assert_eq!(fs::read_dir(site.path("elsewhere")).unwrap().count(), 0);
}

#[test]
fn a_name_that_would_be_a_file_and_a_folder_is_told_with_the_way_to_both() {
    let site = stored(&["1", "2"]);
    site.put("t/1/x", 10);
    let got = get_tree(&site, &[]).exits(1);
    assert_eq!(names(&got, "refused"), ["t/1/x"]);
    let message = got.text("/refused/0/problem/message");
    assert!(message.contains("'t/1' is an object"), "{message}");
    let next = got.text("/refused/0/problem/next");
    assert!(next.contains("`respool get t/1 FILE`"), "{next}");
    assert!(is_back(&site, "1") && is_back(&site, "2"));
}

#[test]
fn where_nothing_is_to_be_read_no_folder_is_made() {
    let site = stored(&["1"]);
    let refused = site.run(&["get", "--recursive", "nothing", &site.at("out")]).exits(2);
    assert_eq!(refused.text("/error/code"), "not_found");
    let one = site.run(&["get", "--recursive", "t/1", &site.at("out")]).exits(2);
    assert!(
        one.text("/error/next").contains("leave out --recursive"),
        "{}",
        one.stdout
    );
    assert!(!site.path("out").exists());
    site.run(&["get", "--recursive", "t", &site.at("no/such/out")]).exits(2);
    let file = site.file("file", 1);
    site.run(&["get", "--recursive", "t", &file, "--overwrite"]).exits(2);
    assert_eq!(fs::metadata(file).unwrap().len(), 1);
}

/// Names are no folders, and whoever takes one for it is told what there is.
#[test]
fn a_name_that_others_begin_with_is_told_to_be_one() {
    let site = stored(&["1", "sub/2"]);
    for typed in [
        &["get", "t", &site.at("x")][..],
        &["object", "show", "t"],
        &["delete", "t"],
    ] {
        let refused = site.run(typed).exits(2);
        assert_eq!(refused.text("/error/code"), "not_found");
        assert_eq!(
            refused.text("/error/message"),
            "no object is called 't'; 2 objects begin with t/"
        );
        let next = refused.text("/error/next");
        for way in ["respool object list --prefix t/", "respool get t DIR --recursive"] {
            assert!(next.contains(way), "{next}");
        }
    }
    let absent = site.run(&["get", "t/s", &site.at("x")]).exits(2);
    assert_eq!(absent.text("/error/message"), "there is no object 't/s'");
}

#[test]
fn a_put_that_is_refused_since_objects_exist_says_how_to_go_on() {
    let site = stored(&["1", "2"]);
    let refused = put_tree(&site, &[]).exits(2);
    let next = refused.text("/refused/0/problem/next");
    assert!(
        next.contains("--skip-existing") && next.contains("--overwrite"),
        "{next}"
    );
    let told = site.say(&["put", "--recursive", &site.at("tree"), "t"]).exits(2).stdout;
    assert!(told.contains(next), "{told}");
}

#[test]
fn of_many_the_first_are_named_and_the_others_counted() {
    let site = ready();
    fs::create_dir(site.path("tree")).unwrap();
    for index in 0..25 {
        site.file(&format!("tree/{index:02}"), 10);
        symlink("nowhere", site.path(&format!("tree/link-{index:02}"))).unwrap();
    }
    let put = put_tree(&site, &[]).exits(0);
    assert_eq!(put.json["skipped"].as_array().unwrap().len(), 25);
    let told = site.say(&["put", "--recursive", &site.at("tree"), "t"]).exits(2).stdout;
    let count = |word: &str| told.lines().filter(|line| line.starts_with(word)).count();
    assert_eq!(count("skipped: "), 21, "{told}");
    assert_eq!(count("not stored: t/"), 20, "{told}");
    for line in [
        "skipped: 5 more",
        "not stored: 5 more",
        "25 skipped: not files",
        "25 not stored",
    ] {
        assert!(told.lines().any(|said| said == line), "{line} is not in\n{told}");
    }
    assert_eq!(count("  next: "), 1, "{told}");
}

/// Its exit code and stderr when nobody reads its stdout.
fn unread(site: &Site, typed: &[&str]) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = site.command(typed);
    let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// As `respool object list | head -1` does.
#[test]
fn whoever_closes_the_output_early_hears_no_complaint() {
    let site = ready();
    fs::create_dir(site.path("tree")).unwrap();
    // More than what is held back before it is written.
    for index in 0..100 {
        site.file(&format!("tree/{}-{index}", "long".repeat(40)), 1);
    }
    put_tree(&site, &[]).exits(0);
    for typed in [
        &["object", "list"][..],
        &["object", "list", "--json"],
        &["extent", "list"],
    ] {
        assert_eq!(unread(&site, typed), (Some(0), String::new()), "{typed:?}");
    }
}

/// A plan that cannot be carried out is none, however little of it was read.
#[test]
fn a_plan_that_would_be_refused_is_refused_whoever_reads_it() {
    let site = ready();
    fs::create_dir(site.path("tree")).unwrap();
    for index in 0..100 {
        site.file(&format!("tree/{}-{index}", "long".repeat(40)), 1000);
    }
    put_tree(&site, &[]).exits(0);
    site.add_dir("disk-b");
    site.run(&["medium", "set", "disk-b", "capacity=40000"]).exits(0);
    let plan = ["repack", "disk-a", "--plan"];
    assert!(site.run(&plan).exits(2).json["steps"].is_array());
    let json = [&plan[..], &["--json"]].concat();
    for typed in [&plan[..], &json[..]] {
        let (code, said) = unread(&site, typed);
        assert_eq!(code, Some(2), "{typed:?}: {said}");
        assert!(said.contains("next: "), "{said}");
    }
}

/// A result that nobody got is none, and a list that is cut short is no list that was printed.
#[test]
fn what_finds_no_room_on_stdout_is_no_success() {
    let site = stored(&["1"]);
    for typed in [
        &["object", "list"][..],
        &["object", "list", "--json"],
        &["object", "show", "t/1"],
        &["object", "show", "t/1", "--json"],
        &["help"],
    ] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = site.command(typed).stdout(full).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("No space left on device"), "{said}");
    }
}
