//! The names of a volume that are nobody's any more, in attributes of the extents' directory. A volume has millions of them
//! in its life, and a reader takes values of a bounded length only: so there are many attributes, each of a bounded
//! length. Pure.

use super::tag;
use crate::ldm::fs::ltfs::index::Meta;
use crate::ldm::fs::name::NameKey;

/// Begins the key of each; its number follows.
const KEY: &str = "respool.spent.";

/// Names in one attribute: 3 KiB, which in base64 is the 4 KiB that file systems commonly take as a value.
const NAMES: usize = 192;

/// Says so of these names, and of no others.
pub(super) fn write(meta: &mut Meta, spent: &[NameKey]) {
    meta.xattrs.retain(|xattr| !xattr.key.starts_with(KEY));
    for (number, names) in spent.chunks(NAMES).enumerate() {
        let key = format!("{KEY}{number}");
        meta.xattrs.push(tag::xattr(&key, names.as_flattened()));
    }
}

/// The names of which it is said.
pub(super) fn read(meta: &Meta) -> Vec<NameKey> {
    let ours = meta.xattrs.iter().filter(|xattr| xattr.key.starts_with(KEY));
    ours.flat_map(|xattr| xattr.value.bytes().as_chunks().0)
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldm::fs::ltfs::index::{self, Index, Keep};
    use crate::ldm::fs::ltfs::volume;
    use std::io::BufReader;

    #[test]
    fn any_number_of_names_is_read_from_the_index_that_says_them() {
        for count in [0_u128, 1, 192, 193, 60_000] {
            let spent: Vec<NameKey> = (0..count)
                .map(|number| (number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)).to_be_bytes())
                .collect();
            let mut tree = empty();
            // Those of the commit before are not left beside them.
            write(&mut tree.root.meta, &[[1; 16]; 1000]);
            write(&mut tree.root.meta, &spent);
            let mut bytes = Vec::new();
            index::write(&tree, &mut bytes).expect("it can be written");
            let back = index::read(BufReader::new(&bytes[..]), Keep::Tree).expect("and read");
            assert!(read(&back.index.root.meta) == spent, "{count}");
            let longest = back.index.root.meta.xattrs.iter().map(|one| one.value.bytes().len());
            assert!(longest.max().unwrap_or(0) <= 3 << 10, "{count}");
        }
    }

    fn empty() -> Index {
        let label = tag::tests::labels().label;
        volume::empty_tree(&volume::Options {
            serial: "RSP001".to_owned(),
            barcode: String::new(),
            name: String::new(),
            pool: String::new(),
            volume: label.volume,
            block_size: label.block_size,
            compression: false,
            creator: "test".to_owned(),
            now: label.format_time,
        })
    }
}
