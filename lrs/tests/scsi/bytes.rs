//! Whatever bytes a device sends, the decoders answer or refuse: none of them panics, and none makes room by a length that
//! the device says.

use lrs::ldm::scsi::log::{Page, Parameters};
use lrs::ldm::scsi::{Sense, element, inquiry, limits, log, mam, mode, opcodes, position, reservation};
use proptest::prelude::*;

const PAGES: [Page; 6] = [
    Page::WriteErrors,
    Page::ReadErrors,
    Page::SequentialAccess,
    Page::VolumeStatistics,
    Page::TapeAlert,
    Page::TapeCapacity,
];

fn read_all(bytes: &[u8]) {
    if let Some(sense) = Sense::parse(bytes) {
        let _ = (sense.blame(), sense.disposition(), sense.words(), sense.to_string());
    }
    let _ = (inquiry::standard(bytes), inquiry::designators(bytes));
    let _ = (inquiry::can_worm(bytes), inquiry::known_alerts(bytes));
    let _ = (inquiry::serial(0x80, bytes), inquiry::serial(0xb1, bytes));
    let _ = (
        limits::block_limits(bytes),
        position::long(bytes),
        opcodes::opcodes(bytes),
    );
    let _ = (reservation::reservation(bytes), reservation::keys(bytes));
    if let Ok(mam::First::Whole(attribute)) = mam::first(bytes) {
        assert!(attribute.value.len() <= bytes.len());
    }
    if let Ok(status) = element::elements(bytes) {
        assert!(status.elements.len() <= bytes.len() / 12);
    }
    if let Ok(mode) = mode::Mode::read(bytes) {
        for page in 0..0x40 {
            let _ = (mode.page(page, 0), mode.page(page, 1));
        }
    }
    let _ = (
        mode::compression(bytes),
        mode::active_partition(bytes),
        mode::early_warning_mb(bytes),
    );
    if let Ok(page) = mode::medium_partitions(bytes) {
        let _ = page.split(bytes[0]);
    }
    for page in PAGES {
        let _ = (Parameters::read(page, bytes), log::error_counters(page, bytes));
    }
    let _ = (log::sequential_access(bytes), log::volume_statistics(bytes));
    let _ = (log::tape_capacity(bytes), log::alerts::alerts(bytes));
}

/// Answers as they should be, to be spoilt.
fn answers() -> Vec<Vec<u8>> {
    let mut elements = vec![
        0, 0, 0, 1, 0, 0, 0, 64, 4, 0x80, 0, 56, 0, 0, 0, 56, 1, 0xf4, 9, 0, 0, 0, 0, 0, 0, 0x80, 3, 0xe8,
    ];
    elements.extend([b'T'; 36]);
    elements.extend([2, 0, 0, 4, b'D', b'R', b'V', b'1']);
    let statistics = [
        0x17, 0, 0, 46, 0, 1, 3, 2, 0, 9, 2, 2, 3, 16, 7, 0, 0, 0, 0, 0, 0, 9, 7, 0, 0, 1, 0, 0, 0, 5, 2, 4, 3, 16, 7,
        0, 0, 0, 0, 0, 0, 9, 7, 0, 0, 1, 0, 0, 0, 5,
    ];
    let mode = [
        0, 26, 0x88, 0x10, 0, 0, 0, 8, 0x5e, 0, 0, 0, 0, 0, 0, 0, 0x91, 0x0a, 3, 1, 0x1c, 3, 9, 0, 0, 0x26, 0x2e, 0xb8,
    ];
    vec![
        elements,
        statistics.to_vec(),
        mode.to_vec(),
        vec![0xf0, 0, 0x23, 0, 0, 2, 0, 10, 0, 0, 0, 0, 0x11, 0, 0, 0, 0, 0],
        vec![
            0x72, 3, 0x11, 0, 0, 0, 0, 16, 0, 10, 0x80, 0, 0, 0, 0, 0, 0, 0, 2, 0, 4, 2, 0, 0xe0,
        ],
        vec![1, 0x83, 0, 12, 1, 3, 0, 8, 0x50, 1, 2, 3, 4, 5, 6, 7],
        vec![
            0, 0, 0, 13, 8, 6, 1, 0, 8, b'T', b'A', b'P', b'0', b'0', b'1', b'L', b'8',
        ],
        vec![0, 0, 0, 16, 0xa3, 0, 0, 0x1d, 0, 1, 0, 12, 8, 0, 0, 0, 0, 0, 0, 6],
    ]
}

#[test]
fn answers_cut_short_anywhere_are_survived() {
    for answer in answers() {
        for end in 0..=answer.len() {
            read_all(&answer[..end]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_all(&bytes);
    }

    #[test]
    fn spoilt_answers_are_survived(
        which in any::<prop::sample::Index>(),
        spoilt in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        tail in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let answers = answers();
        let mut bytes = which.get(&answers).clone();
        bytes.extend(tail);
        for (at, value) in spoilt {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        read_all(&bytes);
    }
}
