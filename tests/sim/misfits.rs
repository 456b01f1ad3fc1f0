//! Objects of which more is said than a tape can say, put onto one by a client that says whatever it likes.

use crate::crash::seed;
use crate::life::{Left, frames, header, live};
use crate::universe::Universe;
use dss::model::{FsState, Health, LtfsAttributes, LtfsKind, LtfsTimes, LtfsValue, LtfsXattr, Metadata};
use respool::store::put::{PutOptions, PutSession};

/// Two attributes of one name.
fn twice() -> Metadata {
    let time = || "2019-03-04T05:06:07.000000001Z".to_owned();
    let xattr = |value: &str| LtfsXattr {
        key: "colour".to_owned(),
        value: LtfsValue::Text(value.to_owned()),
    };
    Metadata {
        ltfs: Some(LtfsAttributes {
            path: "of another tape".to_owned(),
            kind: LtfsKind::File,
            readonly: false,
            times: LtfsTimes {
                creation: time(),
                change: time(),
                modify: time(),
                access: time(),
                backup: time(),
            },
            xattrs: vec![xattr("red"), xattr("blue")],
            unknown: vec![],
        }),
        ..Metadata::default()
    }
}

/// More words than a line of the notes takes.
fn long() -> Metadata {
    Metadata {
        user: [("note".to_owned(), "x".repeat(17 << 20))].into(),
        ..Metadata::default()
    }
}

/// each is refused alone, as the client's own matter, whether its bytes are gathered with others' or come in
/// several extents; the tape keeps everything else, and takes what comes next.
#[test]
fn x01_an_object_of_which_no_tape_can_say_all_is_refused_alone() {
    let sent = [
        ("one", 100, None),
        ("twice", 100, Some(twice())),
        ("none", 0, None),
        ("long", 10, Some(long())),
        ("large", 60_000, None),
        ("large-twice", 60_000, Some(twice())),
        ("large-long", 60_000, Some(long())),
        ("last", 5_000, None),
    ];
    let universe = Universe::new(seed());
    live(&universe, async |life| {
        life.add_library(1).await;
        life.add_tape("a").await;
        let mut session = PutSession::begin(&life.host, PutOptions::default());
        let mut results = Vec::new();
        for (name, length, metadata) in &sent {
            let bytes = vec![7; *length];
            let mut header = header(name, &bytes, 1);
            header.metadata = metadata.clone().unwrap_or_default();
            for frame in frames(header, &bytes) {
                results.extend(session.feed(frame).await.unwrap());
            }
        }
        results.extend(session.finish().await);
        assert_eq!(results.len(), sent.len());
        for (result, (name, length, metadata)) in results.into_iter().zip(&sent) {
            assert_eq!(result.oid.as_str(), *name, "results come in order");
            match (result.outcome, metadata) {
                (Ok(_), None) => assert_eq!(life.get(name, None).await.unwrap(), vec![7; *length]),
                (Err(failure), Some(_)) => {
                    let told = (failure.problem.code.as_str(), failure.problem.exit, failure.again);
                    assert_eq!(told, ("unrepresentable", 2, false), "{name}: {}", failure.problem);
                }
                (outcome, _) => panic!("{name}: {outcome:?}"),
            }
        }
        let tape = life.medium("a").await;
        assert_eq!((tape.health, tape.fs_state), (Health::Ok, FsState::Used));
        life.put(&[("next", b"next".to_vec())], 1).await;
        life.is_sound(Left::Nothing).await;
    });
}
