//! Every decoder of what a tape, a cartridge's memory or a device says, fed with what the reference wrote, what the model
//! answers and what is laid out by hand, as it is and spoilt. None panics, and none keeps more than it was given.

use crate::clock::TestClock;
use crate::fixtures::each;
use crate::model::rig::{Rig, TAPE};
use crate::spoil::{spoils, spoilt};
use crate::writing::{options, session};
use lrs::ldm::drive::{Attribute, AttributeFormat, Drive, Partition, ScsiDrive};
use lrs::ldm::fs::ltfs::index::fuzz_index;
use lrs::ldm::fs::ltfs::label::fuzz_label;
use lrs::ldm::fs::ltfs::volume::format;
use lrs::ldm::fs::ltfs::{attributes, coherency, vol1};
use lrs::ldm::scsi::cdb::{AttributeQuery, ElementQuery};
use lrs::ldm::scsi::log::{Page, Parameters};
use lrs::ldm::scsi::{Cdb, Sense, Transfer, Transport, element, inquiry, limits, log, mam, mode, position};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// A decoder, the longest answer that it is ever given in bytes, and how whatever bytes are fed to it.
type Decoder = (&'static str, usize, fn(&[u8]));

/// No device is asked for more at once.
const ANSWER: usize = 16 << 10;

/// What a record holds.
const RECORD: usize = 1 << 20;

const DECODERS: &[Decoder] = &[
    ("vol1", RECORD, vol1_record),
    ("label", RECORD, fuzz_label),
    ("index", RECORD, fuzz_index),
    ("attribute", RECORD, attribute_list),
    ("coherency", RECORD, coherency_value),
    ("sense", 252, sense_data),
    ("elements", ANSWER, element_status),
    ("log", ANSWER, log_page),
    ("mode", 512, mode_page),
    ("position", ANSWER, long_position),
    ("inquiry", 252, inquiry_data),
];

fn vol1_record(bytes: &[u8]) {
    if let Ok(serial) = vol1::decode(bytes) {
        let again = vol1::encode(&serial).expect("what was read can be written");
        assert_eq!(vol1::decode(&again), Ok(serial));
    }
}

fn attribute_list(bytes: &[u8]) {
    match mam::first(bytes) {
        Ok(mam::First::Whole(found)) => {
            assert!(found.value.len() <= bytes.len());
            let again = mam::list(&found).expect("what was read can be written");
            assert_eq!(mam::first(&again), Ok(mam::First::Whole(found.clone())));
            let _ = attributes::fault(&found);
            coherency_value(&found.value);
        }
        Ok(mam::First::Cut(needed)) => {
            assert!(needed as usize > bytes.len() && needed as usize <= mam::ONE_MAX)
        }
        Ok(mam::First::None) | Err(_) => {}
    }
}

fn coherency_value(bytes: &[u8]) {
    if let Ok(found) = coherency::decode(bytes) {
        assert_eq!(coherency::decode(&coherency::encode(&found)), Ok(found));
    }
    let _ = coherency::change_reference(bytes);
}

fn sense_data(bytes: &[u8]) {
    if let Some(sense) = Sense::parse(bytes) {
        assert!(sense.key < 16);
        let _ = (
            sense.class(),
            sense.blame(),
            sense.disposition(),
            sense.words(),
            sense.to_string(),
        );
    }
}

fn element_status(bytes: &[u8]) {
    if let Ok(status) = element::elements(bytes) {
        assert!(status.elements.len() <= bytes.len() / 12);
        assert!(status.cut == ((bytes.len() as u64) < status.bytes));
        for found in &status.elements {
            let texts = [&found.barcode, &found.drive_serial];
            assert!(
                texts
                    .into_iter()
                    .flatten()
                    .all(|text| text.len() <= bytes.len() && !text.contains('\n'))
            );
        }
    }
}

fn log_page(bytes: &[u8]) {
    let pages = [
        Page::WriteErrors,
        Page::ReadErrors,
        Page::SequentialAccess,
        Page::VolumeStatistics,
        Page::TapeAlert,
        Page::TapeCapacity,
    ];
    for page in pages {
        if let Ok(parameters) = Parameters::read(page, bytes) {
            assert!(parameters.iter().count() <= bytes.len() / 4);
        }
        let _ = log::error_counters(page, bytes);
    }
    if let Ok(found) = log::volume_statistics(bytes) {
        assert!(found.rooms.len() <= bytes.len() / 8);
    }
    let _ = (
        log::sequential_access(bytes),
        log::tape_capacity(bytes),
        log::alerts::alerts(bytes),
    );
}

fn mode_page(bytes: &[u8]) {
    let Ok(found) = mode::Mode::read(bytes) else { return };
    for (page, subpage) in (0..0x40).flat_map(|page| [(page, 0), (page, 1)]) {
        let Ok(page) = found.page(page, subpage) else { continue };
        assert!(page.len() <= bytes.len());
        let _ = (
            mode::compression(page),
            mode::active_partition(page),
            mode::early_warning_mb(page),
        );
        if let Ok(partitions) = mode::medium_partitions(page) {
            assert!(partitions.split(found.device_specific).len() <= bytes.len() + 20);
        }
    }
}

fn long_position(bytes: &[u8]) {
    if let Ok(found) = position::long(bytes) {
        assert!(bytes.len() >= position::BYTES && bytes[0] & 0x04 == 0);
        assert_eq!(found.position.block.to_be_bytes(), bytes[8..16]);
    }
}

fn inquiry_data(bytes: &[u8]) {
    let _ = (
        inquiry::standard(bytes),
        inquiry::designators(bytes),
        inquiry::serial(0x80, bytes),
    );
    let _ = (
        inquiry::can_worm(bytes),
        inquiry::known_alerts(bytes),
        limits::block_limits(bytes),
    );
}

/// What is given to every decoder: by name where it comes from, so that a failure can be found again.
type Corpus = BTreeMap<String, Vec<u8>>;

/// Labels, indexes and attributes of the fixtures.
fn of_the_reference() -> Corpus {
    let mut corpus = Corpus::new();
    each(|fixture| {
        let mut add = |name: &str, bytes: Vec<u8>| corpus.insert(format!("{} {name}", fixture.name()), bytes);
        for name in ["0_0_R", "0_2_R", "1_0_R", "1_2_R"] {
            add(name, std::fs::read(fixture.cartridge.join(name)).unwrap());
        }
        // The last index of the index partition, all of its records.
        let first = fixture.manifest["last_index"]["a"]["startblock"].as_u64();
        let records = first.into_iter().flat_map(|first| first..);
        let index: Vec<u8> = records
            .map_while(|block| std::fs::read(fixture.cartridge.join(format!("0_{block}_R"))).ok())
            .flatten()
            .collect();
        // A larger one is spoilt no better, and takes its time.
        if index.len() < 10_000 {
            add("index", index);
        }
        for name in ["attr_0_9", "attr_0_80c", "attr_1_80c", "attr_0_803", "attr_0_806"] {
            let Ok(file) = std::fs::read(fixture.cartridge.join(name)) else {
                continue;
            };
            // As a device answers it: behind the length of the list.
            add(name, [&(file.len() as u32).to_be_bytes()[..], &file].concat());
            add(&format!("{name} value"), file[5..].to_vec());
        }
    });
    corpus
}

/// What a changer and a drive with a volume answer.
fn of_the_model() -> Corpus {
    let rig = Rig::new();
    rig.library.blank(TAPE).unwrap();
    rig.library.blank("TAP002L8").unwrap();
    let mut tape = rig.load(TAPE, 0);
    let mut mounted = format(&mut tape, &options()).unwrap();
    session(&mut tape, &mut mounted, "first", &[10, 5000]);
    let mut corpus = Corpus::new();
    let mut changer = rig.library.changer_transport();
    drain(&mut changer);
    for kind in 1..=4 {
        let kind = lrs::ldm::changer::ElementKind::from_code(kind).unwrap();
        let cdb = Cdb::read_element_status(ElementQuery {
            kind,
            start: lrs::ldm::changer::ElementAddress(0),
            current_data: true,
            device_id: true,
            allocation: 4096,
        });
        corpus.insert(format!("elements of {kind:?}"), ask(&mut changer, cdb));
    }
    let mut drive = rig.library.drive_transport(0).unwrap();
    drain(&mut drive);
    let mut questions: Vec<(String, Cdb)> = vec![
        ("position".to_owned(), Cdb::read_position()),
        ("limits".to_owned(), Cdb::read_block_limits()),
        ("inquiry".to_owned(), Cdb::inquiry(252)),
    ];
    for page in [0x02, 0x03, 0x0c, 0x17, 0x2e, 0x31] {
        let page = [
            Page::WriteErrors,
            Page::ReadErrors,
            Page::SequentialAccess,
            Page::VolumeStatistics,
            Page::TapeAlert,
            Page::TapeCapacity,
        ]
        .into_iter()
        .find(|known| known.code() == page)
        .unwrap();
        questions.push((format!("log {page:?}"), Cdb::log_sense(page, 4096)));
    }
    for page in [0x00, 0x0f, 0x10, 0x11] {
        questions.push((format!("mode {page:02x}"), Cdb::mode_sense(page, 0, 512)));
    }
    for page in [0x00, 0x80, 0x83, 0xb0, 0xb1] {
        questions.push((format!("vital {page:02x}"), Cdb::inquiry_page(page, 252)));
    }
    for (partition, first) in [(0, 0), (0, 0x0401), (0, 0x0806), (1, 0x080c)] {
        let query = AttributeQuery {
            partition: Partition(partition),
            first,
            allocation: 4096,
        };
        questions.push((format!("attribute {partition} {first:04x}"), Cdb::read_attribute(query)));
    }
    for (name, cdb) in questions {
        corpus.insert(name, ask(&mut drive, cdb));
    }
    corpus
}

fn drain(device: &mut dyn Transport) {
    for _ in 0..8 {
        let _ = device.execute(
            Cdb::test_unit_ready().as_bytes(),
            Transfer::None,
            Duration::from_secs(60),
        );
    }
}

fn ask(device: &mut dyn Transport, cdb: Cdb) -> Vec<u8> {
    let mut buffer = vec![0; 4096];
    let done = device
        .execute(cdb.as_bytes(), Transfer::In(&mut buffer), Duration::from_secs(60))
        .unwrap();
    assert_eq!(done.status, lrs::ldm::scsi::Status::Good, "{cdb:?}: {:x?}", done.sense);
    buffer.truncate(done.transferred);
    assert!(!buffer.is_empty());
    buffer
}

/// Laid out by hand: sense of both formats, and what neither the reference nor the model says.
fn by_hand() -> Corpus {
    let long = Attribute {
        id: 0x0803,
        format: AttributeFormat::Text,
        value: vec![b'x'; 4000],
    };
    let all: [(&str, Vec<u8>); 7] = [
        (
            "fixed sense",
            vec![0xf0, 0, 0x23, 0, 0, 2, 0, 10, 0, 0, 0, 0, 0x11, 0, 0, 0, 0, 0],
        ),
        (
            "descriptor sense",
            vec![
                0x72, 3, 0x11, 0, 0, 0, 0, 16, 0, 10, 0x80, 0, 0, 0, 0, 0, 0, 0, 2, 0, 4, 2, 0, 0xe0,
            ],
        ),
        (
            "deferred sense",
            vec![0x71, 0, 3, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x0c, 0, 0, 0, 0, 0],
        ),
        ("a long attribute", mam::list(&long).unwrap()),
        ("a subpage", vec![0, 14, 0, 0, 0, 0, 0, 0, 0x50, 1, 0, 4, 0, 0, 1, 2]),
        ("zeros", vec![0; 80]),
        ("nothing", Vec::new()),
    ];
    all.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect()
}

fn corpus() -> Corpus {
    let mut all = of_the_model();
    all.extend(by_hand());
    all.extend(of_the_reference());
    all
}

#[test]
fn every_decoder_takes_the_whole_corpus_and_each_beginning_of_it() {
    let corpus = corpus();
    println!("{} decoders, {} samples", DECODERS.len(), corpus.len());
    for (name, bytes) in &corpus {
        println!("{name}: {} bytes", bytes.len());
        for (_, most, feed) in DECODERS {
            let bytes = &bytes[..bytes.len().min(*most)];
            feed(bytes);
            // Every beginning of what is short, and some of what is long.
            let step = (bytes.len() / 50).max(1);
            for end in (0..bytes.len()).step_by(step) {
                feed(&bytes[..end]);
            }
        }
    }
}

/// Each sample goes to every decoder: one that is given another's bytes must say so.
#[test]
fn every_decoder_survives_spoilt_samples() {
    let corpus: Vec<_> = corpus().into_iter().collect();
    let pick = any::<prop::sample::Index>();
    let config = ProptestConfig {
        cases: 600,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(base in pick, other in any::<prop::sample::Index>(), spoils in spoils())| {
        let (base, other) = (base.get(&corpus), other.get(&corpus));
        let bytes = spoilt(&base.1, &other.1, &spoils);
        for (_, most, feed) in DECODERS {
            feed(&bytes[..bytes.len().min(*most)]);
        }
    });
}

/// A driver over a device whose every answer is spoilt: whatever it says, the driver answers or fails.
struct Spoiling {
    inner: lrs::ldm::virt::DeviceTransport,
    spoils: Vec<crate::spoil::Spoil>,
    next: usize,
}

impl Transport for Spoiling {
    fn execute(
        &mut self,
        cdb: &[u8],
        mut transfer: Transfer<'_>,
        timeout: Duration,
    ) -> Result<lrs::ldm::scsi::Completion, lrs::ldm::scsi::TransportError> {
        let again = match &mut transfer {
            Transfer::None => Transfer::None,
            Transfer::In(buffer) => Transfer::In(buffer),
            Transfer::Out(bytes) => Transfer::Out(bytes),
        };
        let mut done = self.inner.execute(cdb, again, timeout)?;
        let spoil = self.spoils[self.next % self.spoils.len()].clone();
        self.next += 1;
        if let Transfer::In(buffer) = transfer {
            let whole = buffer[..done.transferred].to_vec();
            let bytes = spoilt(&whole, &whole, std::slice::from_ref(&spoil));
            done.transferred = bytes.len().min(buffer.len());
            buffer[..done.transferred].copy_from_slice(&bytes[..done.transferred]);
        }
        done.sense = spoilt(&done.sense, &[0x70, 0, 6, 0x29], &[spoil]);
        Ok(done)
    }

    fn transfer_max(&self) -> usize {
        self.inner.transfer_max()
    }

    fn name(&self) -> &str {
        "spoilt"
    }
}

#[test]
fn a_drive_whose_every_answer_is_spoilt_is_no_reason_to_panic() {
    let (rig, _) = crate::model::promise::base();
    rig.carry(TAPE, crate::model::rig::To::Drive(0));
    let config = ProptestConfig {
        cases: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let key = lrs::ldm::scsi::reservation::Key::new(1).unwrap();
    proptest!(config, |(spoils in spoils())| {
        let wire = Spoiling { inner: rig.library.drive_transport(0).unwrap(), spoils, next: 0 };
        if let Ok(mut drive) = ScsiDrive::with_clock(wire, key, TestClock::default()) {
            let _ = drive.load();
            let _ = (drive.position(), drive.alerts(), drive.volume_statistics(), drive.room(Partition(1)));
            let _ = lrs::ldm::fs::ltfs::volume::mount(&mut drive);
        }
    });
}
