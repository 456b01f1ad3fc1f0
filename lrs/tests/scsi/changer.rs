//! Changers: elements kind by kind, and moves that are never sent twice. Layouts: SMC-3, tables 27 to 38.

use super::script::*;
use lrs::ldm::changer::{Changer, ElementAddress, ElementKind, ScsiChanger};
use lrs::ldm::drive::DriveFault;
use lrs::ldm::scsi::cdb::ElementQuery;
use lrs::ldm::scsi::{Cdb, Sense};
use lrs::ldm::{Blame, Disposition};

type TestChanger = ScsiChanger<Device, TestClock>;

fn opened() -> (Device, TestChanger) {
    let device = Device::default();
    device
        .on(Cdb::test_unit_ready(), check(6, 0x29, 1))
        .on(Cdb::test_unit_ready(), good())
        .on(Cdb::inquiry(252), data(&inquiry(8)));
    let changer = ScsiChanger::with_clock(device.clone(), TestClock::default()).unwrap();
    (device, changer)
}

fn ask(kind: ElementKind, start: u16, current_data: bool, allocation: u32) -> Cdb {
    Cdb::read_element_status(ElementQuery {
        kind,
        start: ElementAddress(start),
        current_data,
        device_id: kind == ElementKind::Drive,
        allocation,
    })
}

const ROOM: u32 = 16 << 10;

/// Elements of one kind, with a barcode and, where one is given, a drive's serial number.
fn answer(kind: ElementKind, addresses: impl Iterator<Item = u16>, serial: &str) -> Vec<u8> {
    let mut body = Vec::new();
    let (mut count, mut length) = (0u16, 0);
    for address in addresses {
        let before = body.len();
        body.extend(address.to_be_bytes());
        body.extend([0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        body.extend(format!("{:<32}", format!("T{address:05}L8")).bytes());
        body.extend([0; 4]);
        if !serial.is_empty() {
            body.extend([2, 0, 0, serial.len() as u8]);
            body.extend(serial.bytes());
        }
        (count, length) = (count + 1, body.len() - before);
    }
    let u24 = |value: usize| (value as u32).to_be_bytes()[1..].to_vec();
    let mut bytes = vec![0, 0];
    bytes.extend(count.to_be_bytes());
    bytes.push(0);
    bytes.extend(u24(body.len() + 8));
    bytes.extend([kind.code(), 0x80]);
    bytes.extend((length as u16).to_be_bytes());
    bytes.push(0);
    bytes.extend(u24(body.len()));
    bytes.extend(body);
    bytes
}

#[test]
fn another_device_is_no_changer() {
    let device = Device::default();
    device
        .on(Cdb::test_unit_ready(), good())
        .on(Cdb::inquiry(252), data(&inquiry(1)));
    let error = ScsiChanger::with_clock(device, TestClock::default()).unwrap_err();
    assert!(matches!(error.fault, DriveFault::Unfit(_)), "{error}");
}

#[test]
fn every_kind_is_asked_for_by_itself_and_drives_are_matched_by_serial() {
    let (device, mut changer) = opened();
    device
        .on(
            ask(ElementKind::Transport, 0, true, ROOM),
            data(&answer(ElementKind::Transport, 1..2, "")),
        )
        .on(
            ask(ElementKind::Slot, 0, true, ROOM),
            data(&answer(ElementKind::Slot, 1000..1003, "")),
        )
        // No mail slots.
        .on(ask(ElementKind::MailSlot, 0, true, ROOM), check(5, 0x21, 1))
        .on(
            ask(ElementKind::Drive, 0, true, ROOM),
            data(&answer(ElementKind::Drive, 500..501, "1013000001")),
        );
    let elements = changer.elements().unwrap();
    device.done();
    assert_eq!(
        elements.iter().map(|element| element.address.0).collect::<Vec<_>>(),
        [1, 1000, 1001, 1002, 500]
    );
    assert_eq!(elements[1].barcode.as_deref(), Some("T01000L8"));
    assert_eq!(
        TestChanger::drive_of(&elements, "1013000001"),
        Some(ElementAddress(500))
    );
    assert_eq!(TestChanger::drive_of(&elements, "1013000002"), None);
    let twice = [elements.clone(), elements].concat();
    assert_eq!(TestChanger::drive_of(&twice, "1013000001"), None);
}

fn expect_nothing_else(device: &Device, current_data: bool) {
    device
        .on(ask(ElementKind::MailSlot, 0, current_data, ROOM), check(5, 0x21, 1))
        .on(ask(ElementKind::Drive, 0, current_data, ROOM), data(&[0; 8]));
}

#[test]
fn a_large_library_is_asked_with_more_room_and_then_in_parts() {
    let (device, mut changer) = opened();
    let whole = answer(ElementKind::Slot, 1000..31_000, "");
    let room = TRANSFER_MAX as u32;
    device
        .on(ask(ElementKind::Transport, 0, true, ROOM), data(&[0; 8]))
        .on(ask(ElementKind::Slot, 0, true, ROOM), data(&whole[..ROOM as usize]))
        .on(ask(ElementKind::Slot, 0, true, room), data(&whole[..TRANSFER_MAX]));
    let came = ((TRANSFER_MAX - 16) / 48) as u16;
    let rest = answer(ElementKind::Slot, 1000 + came..31_000, "");
    device.on(ask(ElementKind::Slot, 1000 + came, true, room), data(&rest));
    expect_nothing_else(&device, true);
    let elements = changer.elements().unwrap();
    device.done();
    let addresses: Vec<u16> = elements.iter().map(|element| element.address.0).collect();
    assert!(addresses.into_iter().eq(1000..31_000));
}

#[test]
fn a_changer_that_refuses_details_is_asked_without_them() {
    let (device, mut changer) = opened();
    device
        .on(ask(ElementKind::Transport, 0, true, ROOM), check(5, 0x24, 0))
        .on(ask(ElementKind::Transport, 0, false, ROOM), data(&[0; 8]))
        .on(ask(ElementKind::Slot, 0, false, ROOM), data(&[0; 8]));
    expect_nothing_else(&device, false);
    assert_eq!(changer.elements(), Ok(Vec::new()));
    device.done();
}

#[test]
fn an_attention_while_the_inventory_is_read_has_it_read_again() {
    let (device, mut changer) = opened();
    device
        .on(ask(ElementKind::Transport, 0, true, ROOM), check(6, 0x28, 1))
        .on(Cdb::test_unit_ready(), good())
        .on(ask(ElementKind::Transport, 0, true, ROOM), data(&[0; 8]))
        .on(ask(ElementKind::Slot, 0, true, ROOM), data(&[0; 8]));
    expect_nothing_else(&device, true);
    changer.elements().unwrap();
    device.done();
}

#[test]
fn an_answer_that_cannot_be_read_is_an_error_and_no_empty_library() {
    let (device, mut changer) = opened();
    device.on(ask(ElementKind::Transport, 0, true, ROOM), data(&[0; 3]));
    assert!(matches!(changer.elements().unwrap_err().fault, DriveFault::Nonsense(_)));
    // Nor is one that says that there is more, and brings nothing.
    let (device, mut changer) = opened();
    let more = answer(ElementKind::Transport, 1..2, "");
    device.on(ask(ElementKind::Transport, 0, true, ROOM), data(&more[..20]));
    assert!(changer.elements().is_err());
}

#[test]
fn a_full_destination_and_an_empty_source_say_that_the_inventory_is_stale() {
    let (from, to) = (ElementAddress(1000), ElementAddress(500));
    for (ascq, words) in [(0x0d, "the destination is full"), (0x0e, "the source is empty")] {
        let (device, mut changer) = opened();
        device.on(Cdb::move_medium(from, to), check(5, 0x3b, ascq));
        let error = changer.move_medium(from, to).unwrap_err();
        assert!(error.stale_inventory());
        assert_eq!(
            (error.blame(), error.disposition()),
            (Blame::Library, Disposition::Retry)
        );
        let code = format!("5/3b/{ascq:02x}");
        assert_eq!(
            error.to_string(),
            format!(
                "moving a cartridge from 1000 to 500 failed in drive0: {words}: the inventory is stale and must be read \
                 anew ({code})"
            )
        );
    }
}

#[test]
fn a_move_is_not_sent_again_after_somebody_may_have_opened_the_door() {
    let (from, to) = (ElementAddress(1000), ElementAddress(500));
    for (asc, ascq) in [(0x28, 1), (0x29, 0)] {
        let (device, mut changer) = opened();
        device
            .on(Cdb::move_medium(from, to), check(6, asc, ascq))
            .on(Cdb::test_unit_ready(), good());
        let error = changer.move_medium(from, to).unwrap_err();
        assert_eq!(error.fault, DriveFault::StaleInventory(Sense::of(6, asc, ascq)));
        device.done();
    }
}

#[test]
fn other_refusals_are_what_they_are() {
    let (from, to) = (ElementAddress(1000), ElementAddress(500));
    let (device, mut changer) = opened();
    device
        .on(Cdb::move_medium(from, to), check(5, 0x53, 2))
        .on(Cdb::move_medium(from, to), good())
        .on(Cdb::initialize_element_status(), good());
    let error = changer.move_medium(from, to).unwrap_err();
    assert!(!error.stale_inventory());
    assert!(error.to_string().contains("somebody prevents the removal"), "{error}");
    changer.move_medium(from, to).unwrap();
    changer.scan().unwrap();
    device.done();
}
