//! A tape of another archive, in this one.

use super::house::{RESPOOL, all_is_well, all_readable, barcode, cartridge, fill, loft, mixed};
use respool_test_support::Site;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The blocks of a cartridge. What its memory counts, loads say.
fn blocks(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    all.filter_map(|entry| {
        let name = entry.file_name().into_string().unwrap();
        let is_block = name.starts_with("0_") || name.starts_with("1_");
        is_block.then(|| (name, fs::read(entry.path()).unwrap()))
    })
    .collect()
}

/// X-25, E-16: an operator may say that it is in service. It is read, and no byte of it changes; the archive that it belongs
/// to goes on with it.
#[test]
fn x25_a_tape_of_another_archive_takes_nothing_whatever_an_operator_says() {
    let site = loft(1, &["a"]);
    let mut held = fill(&site, "things", &mixed(16), &["--tags", "a"]);
    site.ok(&["tape", "unload", "a"]);
    let (library, tape) = (site.root().join("lib0").display().to_string(), cartridge(&site, "a"));
    site.stop();
    let before = blocks(Path::new(&tape));
    let other = Site::another(RESPOOL);
    other.ok(&["library", "add", "virtual", "lib0", &library]);
    other.ok(&["tape", "import", &barcode(0)]);
    other.ok(&["medium", "set", "a", "adm_state=in_service", "tags=a"]);
    let refused = other.try_put("more", b"more", &["--tags", "a"]);
    assert_ne!(refused.code, 0, "{refused:?}");
    all_readable(&other, &held);
    other.ok(&["tape", "unload", "a"]);
    other.stop();
    assert_eq!(blocks(Path::new(&tape)), before);
    site.put("more", b"more", &["--tags", "a"]);
    held.insert("more".to_owned(), b"more".to_vec());
    all_is_well(&site, &held);
}
