//! Libraries as people are shown them: a row for each, or the drives and the cartridges of one.

use super::super::drive;
use super::super::table::{pairs, table};
use super::super::visible::on_one_line;
use crate::api::library::{ElementView, LibraryList, LibraryView};
use crate::api::typed::Typed;

const MODELLED: &str = "a device model answers, there is no hardware";

/// All libraries.
pub fn brief(list: &LibraryList) -> String {
    let rows = list.libraries.iter().map(|library| {
        [
            library.name.clone(),
            library.kind.clone(),
            library.place.clone(),
            library.drives.len().to_string(),
            format!("{}/{}", library.free_slots, slots(library)),
            trouble(library),
        ]
    });
    let mut text = table(["name", "kind", "place", "drives", "free slots", "trouble"], rows);
    let modelled = list.libraries.iter().filter(|library| library.modelled);
    text.extend(modelled.map(|library| format!("\n{}: {MODELLED}", on_one_line(&library.name))));
    text
}

fn slots(library: &LibraryView) -> usize {
    let slots = library.elements.iter().filter(|element| element.kind == "slot");
    slots.count()
}

fn trouble(library: &LibraryView) -> String {
    library.trouble.clone().unwrap_or_else(|| "-".to_owned())
}

/// One library: what it is, its drives, then what is where.
pub fn details(library: &LibraryView) -> String {
    let mut parts = vec![about(library)];
    if !library.drives.is_empty() {
        parts.push(drive::brief(&library.drives));
    }
    parts.push(places(library));
    parts.join("\n\n")
}

fn about(library: &LibraryView) -> String {
    let kind = match library.modelled {
        true => format!("{} ({MODELLED})", library.kind),
        false => library.kind.clone(),
    };
    pairs(&[
        ("name", library.name.clone()),
        ("kind", kind),
        ("place", library.place.clone()),
        ("free slots", format!("{} of {}", library.free_slots, slots(library))),
        ("trouble", trouble(library)),
    ])
}

/// Places with a cartridge, or with something wrong, one a row; the others are counted. Then what is not touched.
fn places(library: &LibraryView) -> String {
    let (listed, others): (Vec<_>, Vec<_>) = library.elements.iter().partition(|element| is_listed(element));
    let mut lines = Vec::new();
    if !listed.is_empty() {
        let rows = listed.into_iter().map(|element| row(element, library));
        lines.push(table(["element", "kind", "barcode", "medium", "trouble"], rows));
    }
    lines.push(format!("empty: {}", counted(&others)));
    lines.extend(library.duplicates.iter().map(|barcode| {
        let barcode = on_one_line(barcode);
        format!("not touched: more than one cartridge has the barcode {barcode}")
    }));
    lines.join("\n")
}

/// An arm is not reached by itself, which says nothing.
fn is_listed(element: &ElementView) -> bool {
    element.full || element.exception.is_some() || (!element.accessible && element.kind != "transport")
}

fn row(element: &ElementView, library: &LibraryView) -> [String; 5] {
    let unread = library.without_barcode.contains(&element.address);
    let troubles = [
        unread.then(|| "its barcode was not read".to_owned()),
        (!element.accessible && element.kind != "transport").then(|| "the arm does not get there".to_owned()),
        element.exception.as_ref().map(|code| format!("exception {code}")),
    ];
    let troubles: Vec<String> = troubles.into_iter().flatten().collect();
    let text = |word: &Option<String>| word.clone().unwrap_or_else(|| "-".to_owned());
    [
        element.address.to_string(),
        kind(element),
        text(&element.barcode),
        text(&element.medium),
        if troubles.is_empty() {
            "-".to_owned()
        } else {
            troubles.join("; ")
        },
    ]
}

/// What an element is, in words.
fn kind(element: &ElementView) -> String {
    match element.kind.as_str() {
        "transport" => "arm".to_owned(),
        other => other.replace('_', " "),
    }
}

/// What became of a library that is no longer known, and the way back.
pub fn forgotten(library: &LibraryView) -> String {
    let (name, place) = (on_one_line(&library.name), on_one_line(&library.place));
    let again = Typed::verb(&format!("library add {}", library.kind)).names([&library.name, &library.place]);
    let way = again.way("makes it known again", "`respool library add` makes it known again");
    format!("library {name} is forgotten; {place} and all cartridges stay as they are\n  next: {way}")
}

/// So many of each kind, in the order of the changer.
fn counted(elements: &[&ElementView]) -> String {
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for kind in elements.iter().map(|element| kind(element)) {
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    let words = kinds.iter().map(|(kind, count)| match count {
        1 => format!("1 {kind}"),
        many => format!("{many} {kind}s"),
    });
    match kinds.is_empty() {
        true => "no place".to_owned(),
        false => words.collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::drive::tests::drive;

    fn element(address: u16, kind: &str, barcode: Option<&str>) -> ElementView {
        ElementView {
            address,
            kind: kind.to_owned(),
            full: barcode.is_some(),
            barcode: barcode.map(str::to_owned),
            medium: None,
            accessible: kind != "transport",
            exception: None,
        }
    }

    fn library() -> LibraryView {
        LibraryView {
            name: "lib0".to_owned(),
            kind: "virtual".to_owned(),
            place: "/srv/tapes".to_owned(),
            modelled: true,
            trouble: None,
            drives: vec![drive("drv0")],
            elements: vec![
                element(0, "transport", None),
                element(1024, "slot", Some("A00000L9")),
                element(1025, "slot", None),
                element(1026, "slot", None),
                element(16, "mail_slot", None),
                element(256, "drive", None),
            ],
            free_slots: 2,
            duplicates: vec![],
            without_barcode: vec![],
        }
    }

    /// Nobody takes what a model says for what a machine did.
    #[test]
    fn a_model_is_told_from_hardware_wherever_a_library_is_shown() {
        let modelled = library();
        let real = LibraryView {
            modelled: false,
            name: "big".to_owned(),
            ..library()
        };
        assert!(details(&modelled).contains(MODELLED));
        assert!(!details(&real).contains(MODELLED));
        let list = brief(&LibraryList {
            libraries: vec![modelled, real],
        });
        assert_eq!(
            list.lines().last(),
            Some("lib0: a device model answers, there is no hardware")
        );
        assert_eq!(list.lines().count(), 4, "{list}");
        assert!(list.contains("2/3"), "{list}");
    }

    #[test]
    fn of_the_places_only_those_with_a_cartridge_are_listed() {
        let text = details(&library());
        let parts: Vec<&str> = text.split("\n\n").collect();
        assert_eq!(parts.len(), 3, "{text}");
        assert!(parts[1].contains("lib0/drv0"), "drives come first: {text}");
        let places: Vec<&str> = parts[2].lines().map(str::trim).collect();
        assert_eq!(places.len(), 3, "{text}");
        assert!(
            places[1].starts_with("1024") && places[1].contains("A00000L9"),
            "{text}"
        );
        assert_eq!(places[2], "empty: 1 arm, 2 slots, 1 mail slot, 1 drive");
    }

    /// an operator reads here where to look.
    #[test]
    fn a_place_with_something_wrong_is_listed_though_it_is_empty() {
        let mut bad = library();
        bad.elements[2].exception = Some("30/03".to_owned());
        bad.elements[4].accessible = false;
        bad.elements[1].barcode = None;
        bad.without_barcode = vec![1024];
        bad.duplicates = vec!["B00000L9".to_owned()];
        let text = details(&bad);
        for told in [
            "its barcode was not read",
            "exception 30/03",
            "the arm does not get there",
            "empty: 1 arm, 1 slot, 1 drive",
            "not touched: more than one cartridge has the barcode B00000L9",
        ] {
            assert!(text.contains(told), "{told} is missing:\n{text}");
        }
    }

    #[test]
    fn who_forgets_a_library_is_told_the_way_back() {
        let spaced = LibraryView {
            place: "/srv/my tapes".to_owned(),
            ..library()
        };
        assert_eq!(
            forgotten(&spaced),
            "library lib0 is forgotten; /srv/my tapes and all cartridges stay as they are\n  next: `respool library add \
             virtual lib0 '/srv/my tapes'` makes it known again"
        );
        let strange = LibraryView {
            place: "/srv/\u{1b}".to_owned(),
            ..library()
        };
        let told = forgotten(&strange);
        assert!(told.ends_with("`respool library add` makes it known again"), "{told}");
    }

    #[test]
    fn a_library_that_does_not_answer_tells_why() {
        let gone = LibraryView {
            trouble: Some("/dev/sg2 is not there".to_owned()),
            drives: vec![],
            elements: vec![],
            ..library()
        };
        let text = details(&gone);
        assert!(text.contains("trouble     /dev/sg2 is not there"), "{text}");
        assert!(text.ends_with("empty: no place"), "{text}");
        let list = brief(&LibraryList { libraries: vec![gone] });
        assert!(list.contains("/dev/sg2 is not there"), "{list}");
    }
}
