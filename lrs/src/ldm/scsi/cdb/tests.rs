//! Command blocks against their tables in SPC-4, SSC-4 and SMC-3, and TAPE.md, section 4, written out by hand.

use super::*;
use crate::ldm::changer::{ElementAddress, ElementKind};
use crate::ldm::drive::{Partition, Position};
use crate::ldm::scsi::log::Page;

#[test]
fn every_command_is_laid_out_as_its_standard_says() {
    let elements = ElementQuery {
        kind: ElementKind::Drive,
        start: ElementAddress(0x0102),
        current_data: true,
        device_id: true,
        allocation: 0x1_0000,
    };
    let attribute = AttributeQuery {
        partition: Partition(1),
        first: 0x080c,
        allocation: 0x1000,
    };
    let far = Position::at(1, 0x0102_0304_0506_0708);
    let cases: &[(Cdb, &str)] = &[
        (Cdb::test_unit_ready(), "000000000000"),
        (Cdb::request_sense(252), "03000000fc00"),
        (Cdb::inquiry(96), "120000006000"),
        (Cdb::inquiry_page(0x80, 0x1fc), "12018001fc00"),
        (Cdb::rewind(), "010000000000"),
        (Cdb::load_unload(LoadAction::Load, Immediate::Yes), "1b0100000100"),
        (Cdb::load_unload(LoadAction::Unload, Immediate::No), "1b0000000000"),
        (Cdb::read_block_limits(), "050000000000"),
        (Cdb::read(0x080000), "080008000000"),
        (Cdb::write(0x080001), "0a0008000100"),
        (Cdb::write_filemarks(0, Immediate::No), "100000000000"),
        (Cdb::write_filemarks(1, Immediate::Yes), "100100000100"),
        (Cdb::space(SpaceCode::Filemarks, -1), "1101ffffff00"),
        (Cdb::space(SpaceCode::Blocks, 0x7fffff), "11007fffff00"),
        (
            Cdb::space(SpaceCode::Filemarks, -0x80_0001),
            "91010000ffffffffff7fffff00000000",
        ),
        (Cdb::space(SpaceCode::EndOfData, 0), "110300000000"),
        (Cdb::locate(far), "92020001010203040506070800000000"),
        (Cdb::locate_end(Partition(1)), "921a0001000000000000000000000000"),
        (Cdb::read_position(), "34060000000000000000"),
        (Cdb::mode_sense(0x11, 0, 0x100), "5a001100000000010000"),
        (Cdb::mode_sense(0x10, 1, 0x100), "5a001001000000010000"),
        (Cdb::mode_select(20), "55100000000000001400"),
        (Cdb::format_medium(FormatType::Partitions), "040001000000"),
        (Cdb::set_capacity(0xffff), "0b0000ffff00"),
        (Cdb::log_sense(Page::VolumeStatistics, 0x4000), "4d005700000000400000"),
        (Cdb::read_attribute(attribute), "8c00000000000001080c000010000000"),
        (
            Cdb::write_attribute(Partition(0), 9),
            "8d010000000000000000000000090000",
        ),
        (Cdb::read_keys(8), "5e000000000000000800"),
        (Cdb::read_reservation(24), "5e010000000000001800"),
        (Cdb::persistent_reserve(ReserveAction::Reserve), "5f010300000000001800"),
        (
            Cdb::persistent_reserve(ReserveAction::RegisterIgnoringExisting),
            "5f060000000000001800",
        ),
        (Cdb::removal(Removal::Prevent), "1e0000000100"),
        (Cdb::supported_opcodes(0x4000), "a30c00000000000040000000"),
        (
            Cdb::allow_overwrite(OverwriteMode::CurrentPosition, Position::at(1, 5)),
            "82000101000000000000000500000000",
        ),
        (Cdb::initialize_element_status(), "070000000000"),
        (Cdb::read_element_status(elements), "b8140102ffff030100000000"),
        (
            Cdb::move_medium(ElementAddress(1000), ElementAddress(500)),
            "a500000003e801f400000000",
        ),
    ];
    for (cdb, expected) in cases {
        let hex: String = cdb.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(&hex, expected);
    }
}

#[test]
#[should_panic(expected = "24 bits")]
fn a_length_beyond_its_field_is_never_sent() {
    let _ = Cdb::read(U24_MAX + 1);
}
