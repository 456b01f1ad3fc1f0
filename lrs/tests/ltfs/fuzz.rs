//! Bytes that nobody wrote: nothing panics, nothing takes all memory, and what may stand for anything is refused.

use crate::fixtures::{each, folder, unpack};
use lrs::ldm::fs::ltfs::index::{self, Keep, fuzz_index};
use lrs::ldm::fs::ltfs::label::{self, PartitionId, fuzz_label};
use lrs::ldm::fs::ltfs::xml::XmlFault;
use lrs::ldm::fs::ltfs::{Code, coherency, name, vol1};
use proptest::prelude::*;

const LABEL: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<ltfslabel version="2.4.0"><creator>c</creator><formattime>2026-11-20T10:21:26.224782323Z</formattime>
<volumeuuid>8153b068-4751-4c58-9f33-5814bae56e73</volumeuuid><location><partition>a</partition></location>
<partitions><index>a</index><data>b</data></partitions><blocksize>524288</blocksize><compression>true</compression>
</ltfslabel>"#;

const META: &str = "<readonly>false</readonly><creationtime>1969-12-31T23:59:58.000000001Z</creationtime>\
<changetime>2026-11-20T10:21:26.224782323Z</changetime><modifytime>2106-02-07T06:28:17.999999999Z</modifytime>\
<accesstime>2026-11-20T10:21:26.224782323Z</accesstime><backuptime>2026-11-20T10:21:26.224782323Z</backuptime>";

/// An index around the contents of its root.
pub fn document(contents: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<ltfsindex version="2.4.0" xmlns:v="urn:v"><creator>c</creator><comment>&lt;&#13;</comment>
<volumeuuid>8153b068-4751-4c58-9f33-5814bae56e73</volumeuuid><generationnumber>2</generationnumber>
<updatetime>2026-11-20T10:21:26.310209220Z</updatetime><location><partition>a</partition><startblock>5</startblock></location>
<previousgenerationlocation><partition>b</partition><startblock>40</startblock></previousgenerationlocation>
<allowpolicyupdate>true</allowpolicyupdate><dataplacementpolicy><indexpartitioncriteria><size>100</size><name>*.txt</name>
</indexpartitioncriteria></dataplacementpolicy><highestfileuid>44</highestfileuid><volumelockstate>locked</volumelockstate>
<directory><name>v</name>{META}<fileuid>1</fileuid><contents>{contents}</contents><v:own a="1">x &amp; y</v:own></directory>
<other><![CDATA[<]]></other></ltfsindex>"#
    )
}

pub fn file(length: &str, extents: &str) -> String {
    format!(
        "<file><name percentencoded=\"true\">a%3A</name><length>{length}</length>{META}<fileuid>2</fileuid>\
         <extendedattributes><xattr><key>k</key><value type=\"base64\">AAH+/w==</value></xattr></extendedattributes>\
         <extentinfo>{extents}</extentinfo></file>"
    )
}

pub fn extent(block: &str, bytes: &str) -> String {
    format!(
        "<extent><fileoffset>0</fileoffset><partition>b</partition><startblock>{block}</startblock>\
         <byteoffset>0</byteoffset><bytecount>{bytes}</bytecount></extent>"
    )
}

fn fault(document: &str) -> XmlFault {
    index::read(document.as_bytes(), Keep::Tree).unwrap_err().fault
}

#[test]
fn document_types_and_entities_are_refused() {
    let laughs =
        "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;\">]>";
    let whole = document(&file("0", "")).replace("<ltfsindex", &format!("{laughs}<ltfsindex"));
    assert!(matches!(fault(&whole), XmlFault::Entity(_)));
    let label = LABEL.replace("<ltfslabel", &format!("{laughs}<ltfslabel"));
    assert!(matches!(
        label::read(label.as_bytes()).unwrap_err().fault,
        XmlFault::Entity(_)
    ));
    for words in ["&a;", "&nbsp;"] {
        assert!(matches!(
            fault(&document("").replace("<creator>c", &format!("<creator>{words}"))),
            XmlFault::Entity(_)
        ));
        assert!(matches!(
            fault(&document("").replace("x &amp; y", words)),
            XmlFault::Entity(_)
        ));
    }
    for words in ["&#0;", "&#x1f;", "&#xFFFF;", "&#xD800;", "&", "\u{1}", "\u{ffff}"] {
        let found = fault(&document("").replace("<creator>c", &format!("<creator>{words}")));
        assert!(matches!(found, XmlFault::Malformed(_)), "{words:?}: {found}");
    }
}

#[test]
fn absurd_lengths_and_depths_are_refused() {
    let bounds = index::Bounds {
        block_size: 4096,
        ends: vec![(PartitionId::A, Some(7)), (PartitionId::B, Some(50))],
        indexes: vec![(PartitionId::B, 40, 41)],
    };
    let found = |length: &str, extents: &str| -> Vec<Code> {
        let read = index::read(document(&file(length, extents)).as_bytes(), Keep::Tree).unwrap();
        index::findings(&read.index, &bounds)
            .iter()
            .map(|finding| finding.code)
            .collect()
    };
    let absurd = "1000000000000000000";
    assert_eq!(found("10", &extent("7", "10")), []);
    assert_eq!(found(absurd, ""), [Code::Length]);
    assert_eq!(found("10", &extent("7", absurd)), [Code::Extent, Code::Length]);
    assert_eq!(found("10", &extent("18446744073709551615", "10")), [Code::Extent]);
    assert_eq!(
        found("10", &extent("7", "18446744073709551615")),
        [Code::Extent, Code::Length]
    );
    assert_eq!(found("10", &extent("40", "10")), [Code::Extent]);
    assert_eq!(found("10", &extent("3", "10")), [Code::Extent]);
    assert_eq!(found("10", &extent("49", "10")), []);
    assert_eq!(found("5000", &extent("49", "5000")), [Code::Extent]);
    assert_eq!(found("10", &extent("7", "0")), [Code::Extent]);
    assert_eq!(found("20", &(extent("7", "10") + &extent("8", "10"))), [Code::Extent]);
    let number = document(&file("18446744073709551616", ""));
    assert!(matches!(fault(&number), XmlFault::Value { .. }));

    let deep = |depth: usize| {
        let open = format!("<directory><name>d</name>{META}<fileuid>3</fileuid><contents>");
        document(&(open.repeat(depth) + &"</contents></directory>".repeat(depth)))
    };
    fuzz_index(deep(500).as_bytes());
    assert!(matches!(fault(&deep(100_000)), XmlFault::TooDeep(_)));
    let long = document("").replace("<creator>c", &format!("<creator>{}", "c".repeat(2 << 20)));
    assert!(matches!(fault(&long), XmlFault::TooLarge { .. }));
    let long = document("").replace("<creator>c", &format!("<creator>{}", "c&amp;".repeat(1 << 20)));
    assert!(matches!(fault(&long), XmlFault::TooLarge { .. }));
    let long = document("").replace("x &amp; y", &"<v/>".repeat(1 << 20));
    assert!(matches!(fault(&long), XmlFault::TooLarge { .. }));
}

/// A document that goes on for ever after a beginning, and how much of it was taken.
struct Endless {
    begin: Vec<u8>,
    again: &'static [u8],
    taken: u64,
}

impl std::io::Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        for byte in &mut *buffer {
            let at = self.taken as usize;
            *byte = match at.checked_sub(self.begin.len()) {
                None => self.begin[at],
                Some(behind) => self.again[behind % self.again.len()],
            };
            self.taken += 1;
        }
        Ok(buffer.len())
    }
}

/// Nothing that never ends is taken into memory: not more of it is read than one piece may have.
#[test]
fn what_never_ends_is_not_read_to_its_end() {
    let begin = |whole: &str| whole.split("<creator>").next().unwrap().to_owned();
    let (index, label) = (begin(&document("")), begin(LABEL));
    let kinds: [(&str, &'static [u8]); 12] = [
        ("<creator>", b"c"),
        ("<creator>", b"&amp;"),
        ("<creator>", b"c<!-- -->"),
        ("<creator><![CDATA[", b"c"),
        ("<creator", b"c"),
        ("<creator a=\"", b"c"),
        ("<creator a=\"\"", b" "),
        ("<!--", b"c"),
        ("<?i ", b"c"),
        ("<!DOCTYPE d [", b"c"),
        ("", b" "),
        ("</creator", b" "),
    ];
    for (words, again) in kinds {
        let endless = |begin: &str| Endless {
            begin: format!("{begin}{words}").into_bytes(),
            again,
            taken: 0,
        };
        let mut source = endless(&index);
        let read = index::read(std::io::BufReader::new(&mut source), Keep::Tree);
        let fault = read.unwrap_err().fault;
        assert!(!matches!(fault, XmlFault::Source(_)), "{words}: {fault}");
        // A label comes as one record.
        let mut record = vec![0; 2 << 20];
        std::io::Read::read_exact(&mut endless(&label), &mut record).unwrap();
        label::read(&record).unwrap_err();
        // What is small and comes again and again is counted by what is kept of it.
        let most = if again.len() > 1 {
            10 << 20
        } else {
            (1 << 20) + (64 << 10)
        };
        assert!(source.taken < most, "{words}{}: {}", again.escape_ascii(), source.taken);
    }
    let many: String = (0..150_000).map(|number| format!(" a{number}=\"\"")).collect();
    let whole = document("").replace("<creator>", &format!("<creator{}>", &many[..1_000_000]));
    let started = std::time::Instant::now();
    fuzz_index(whole.as_bytes());
    assert!(
        started.elapsed().as_secs() < 20,
        "as many attributes as fit cost {:?}",
        started.elapsed()
    );
}

#[test]
fn rules_of_names_and_uids_are_findings() {
    let two = file("0", "")
        + &file("0", "")
            .replace("a%3A", "cafe%CC%81")
            .replace("<fileuid>2", "<fileuid>45");
    let three = two
        + &file("0", "")
            .replace("a%3A", "a%3a")
            .replace("<fileuid>2", "<fileuid>1");
    let read = index::read(document(&three).as_bytes(), Keep::Tree).unwrap();
    let bounds = index::Bounds {
        block_size: 4096,
        ends: vec![],
        indexes: vec![],
    };
    let mut codes: Vec<_> = index::findings(&read.index, &bounds)
        .iter()
        .map(|f| (f.code, f.at.clone()))
        .collect();
    codes.sort();
    let expected = [
        (Code::Name, "a:"),
        (Code::Name, "cafe\u{301}"),
        (Code::Uid, "a:"),
        (Code::Uid, "a:"),
        (Code::Uid, "cafe\u{301}"),
    ];
    let expected: Vec<_> = expected.iter().map(|(code, at)| (*code, (*at).to_owned())).collect();
    assert_eq!(codes, expected);
}

#[test]
fn one_mandatory_element_missing_makes_an_index_none() {
    let whole = document(&file("10", &extent("7", "10")));
    for element in [
        "creator",
        "volumeuuid",
        "generationnumber",
        "updatetime",
        "location",
        "allowpolicyupdate",
        "highestfileuid",
        "readonly",
        "backuptime",
        "fileuid",
        "length",
        "bytecount",
        "value",
        "key",
    ] {
        let (open, close) = (format!("<{element}"), format!("</{element}>"));
        let from = whole.find(&open).unwrap();
        let to = whole[from..].find(&close).unwrap() + from + close.len();
        let without = format!("{}{}", &whole[..from], &whole[to..]);
        assert!(matches!(fault(&without), XmlFault::Missing { .. }), "{element}");
        let twice = format!("{}{}{}", &whole[..to], &whole[from..to], &whole[to..]);
        assert!(matches!(fault(&twice), XmlFault::Twice(_)), "{element}");
    }
    for version in ["3.0.0", "10.0.0"] {
        assert!(matches!(fault(&whole.replace("2.4.0", version)), XmlFault::Newer(_)));
    }
    assert!(matches!(fault(&whole.replace("2.4.0", "1.0")), XmlFault::Older(_)));
}

#[test]
fn a_flipped_bit_anywhere_never_panics() {
    let whole = document(&file("10", &extent("7", "10"))).into_bytes();
    for at in 0..whole.len() {
        for bit in [0, 2, 4, 7] {
            let mut wrong = whole.clone();
            wrong[at] ^= 1 << bit;
            fuzz_index(&wrong);
        }
        fuzz_index(&whole[..at]);
    }
    for at in 0..LABEL.len() {
        for bit in 0..8 {
            let mut wrong = LABEL.as_bytes().to_vec();
            wrong[at] ^= 1 << bit;
            fuzz_label(&wrong);
        }
    }
}

#[test]
fn the_fixtures_labels_and_records_are_taken_by_every_reader() {
    each(|fixture| {
        for entry in std::fs::read_dir(&fixture.cartridge).unwrap().take(40) {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            fuzz_label(&bytes);
            fuzz_index(&bytes);
            let _ = (
                vol1::decode(&bytes),
                coherency::decode(&bytes),
                coherency::decode(&bytes[bytes.len().min(5)..]),
            );
        }
    });
}

/// A piece of one document put into another place of it.
pub fn mutated(base: &[u8], changes: &[(usize, usize, usize, u8)]) -> Vec<u8> {
    let mut bytes = base.to_vec();
    for (at, from, length, byte) in changes {
        let at = at % (bytes.len() + 1);
        let from = from % base.len();
        let piece = &base[from..(from + length % 60).min(base.len())];
        match byte % 4 {
            0 => drop(bytes.splice(at..at, piece.iter().copied())),
            1 => drop(bytes.splice(at..(at + piece.len()).min(bytes.len()), piece.iter().copied())),
            2 => drop(bytes.drain(at..(at + piece.len()).min(bytes.len()))),
            _ => bytes.insert(at, *byte),
        }
    }
    bytes
}

pub fn changes() -> impl Strategy<Value = Vec<(usize, usize, usize, u8)>> {
    proptest::collection::vec((0usize..100_000, 0usize..100_000, 0usize..60, any::<u8>()), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_index_panics(changes in changes()) {
        fuzz_index(&mutated(document(&file("10", &extent("7", "10"))).as_bytes(), &changes));
    }

    #[test]
    fn no_label_panics(changes in changes()) {
        fuzz_label(&mutated(LABEL.as_bytes(), &changes));
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        fuzz_index(&bytes);
        fuzz_label(&bytes);
        let _ = (vol1::decode(&bytes), coherency::decode(&bytes), coherency::change_reference(&bytes));
        let _ = name::decode(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn mutations_of_a_real_index_never_panic() {
    let Some(folder) = folder() else {
        println!("not run: no fixtures");
        return;
    };
    let fixture = unpack(&folder, "simple");
    let real = std::fs::read(fixture.cartridge.join("0_5_R")).unwrap();
    proptest!(ProptestConfig::with_cases(64), |(changes in changes())| {
        fuzz_index(&mutated(&real, &changes));
    });
}
