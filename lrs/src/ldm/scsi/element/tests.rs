//! Answers laid out by hand after SMC-3, tables 27 to 38.

use super::*;

/// An answer of one page.
fn answer(kind: u8, flags: u8, descriptors: &[Vec<u8>]) -> Vec<u8> {
    let length = descriptors.first().map_or(0, Vec::len);
    let body = descriptors.concat();
    let u24 = |value: usize| (value as u32).to_be_bytes()[1..].to_vec();
    let mut bytes = vec![0, 0, 0, descriptors.len() as u8, 0];
    bytes.extend(u24(body.len() + HEADER));
    bytes.extend([kind, flags, 0, length as u8, 0]);
    bytes.extend(u24(body.len()));
    bytes.extend(body);
    bytes
}

fn descriptor(address: u16, flags: u8, source: Option<u16>) -> Vec<u8> {
    let mut bytes = address.to_be_bytes().to_vec();
    bytes.extend([flags, 0, 0, 0, 0, 0, 0, if source.is_some() { 0x80 } else { 0 }]);
    bytes.extend(source.unwrap_or(0).to_be_bytes());
    bytes
}

fn tag(barcode: &str) -> Vec<u8> {
    let mut bytes = vec![b' '; BARCODE];
    bytes[..barcode.len()].copy_from_slice(barcode.as_bytes());
    bytes.extend([0; TAG - BARCODE]);
    bytes
}

fn identifier(kind: u8, identifier: &str) -> Vec<u8> {
    let mut bytes = vec![2, kind, 0, identifier.len() as u8];
    bytes.extend(identifier.as_bytes());
    bytes
}

#[test]
fn a_slot_tells_its_barcode_and_where_the_cartridge_came_from() {
    let full = [descriptor(1000, 0x09, Some(1003)), tag("TAP001L8")].concat();
    let empty = [descriptor(1001, 0x08, None), tag("STALE")].concat();
    let found = elements(&answer(2, 0x80, &[full, empty])).unwrap();
    assert!(!found.cut);
    let [full, empty] = &found.elements[..] else { panic!() };
    assert_eq!(
        (full.address, full.kind, full.full),
        (ElementAddress(1000), ElementKind::Slot, true)
    );
    assert_eq!(full.barcode.as_deref(), Some("TAP001L8"));
    assert_eq!(full.source, Some(ElementAddress(1003)));
    assert_eq!((empty.full, &empty.barcode, empty.source), (false, &None, None));
}

#[test]
fn a_drive_is_known_by_its_serial_number_in_either_form() {
    let whole = [
        descriptor(500, 0x08, None),
        tag(""),
        identifier(0, "DRV0000001                        "),
    ]
    .concat();
    let t10 = [
        descriptor(501, 0x08, None),
        tag(""),
        identifier(1, "IBM     ULT3580-TD8     DRV0000002"),
    ]
    .concat();
    let found = elements(&answer(4, 0x80, &[whole, t10])).unwrap();
    let serials: Vec<_> = found
        .elements
        .iter()
        .map(|drive| drive.drive_serial.as_deref())
        .collect();
    assert_eq!(serials, [Some("DRV0000001"), Some("DRV0000002")]);
}

#[test]
fn a_drive_without_an_identifier_is_still_an_element() {
    let found = elements(&answer(4, 0x00, &[descriptor(500, 0x0c, None)])).unwrap();
    assert_eq!(found.elements[0].drive_serial, None);
    assert_eq!(found.elements[0].exception, Some((0, 0)));
    let arm = elements(&answer(1, 0x00, &[descriptor(1, 0x00, None)])).unwrap();
    assert!(arm.elements[0].accessible);
}

#[test]
fn an_answer_cut_short_keeps_whole_elements_and_says_what_it_takes() {
    let whole = answer(2, 0x00, &[descriptor(1, 8, None), descriptor(2, 8, None)]);
    let cut = elements(&whole[..whole.len() - 1]).unwrap();
    assert!(cut.cut && cut.elements.len() == 1);
    assert_eq!(cut.bytes, whole.len() as u64);
    assert!(elements(&whole[..7]).is_err());
    let header = elements(&whole[..HEADER]).unwrap();
    assert!(header.cut && header.elements.is_empty());
}

#[test]
fn descriptors_too_short_for_what_they_promise_are_not_believed() {
    assert!(elements(&answer(2, 0x80, &[descriptor(1, 8, None)])).is_err());
    assert!(elements(&answer(7, 0x00, &[descriptor(1, 8, None)])).is_err());
    assert!(elements(&answer(2, 0x80, &[])).unwrap().elements.is_empty());
}
