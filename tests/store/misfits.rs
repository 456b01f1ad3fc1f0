//! What a medium cannot keep of one object of a put refuses that object alone, with what it is (exit 2). The medium is as
//! good as before, and everything else that was sent is stored there.

use crate::volume::When;
use crate::world::{World, data, frames, header};
use dss::catalogue::Catalogue;
use dss::model::{ByteCount, FsState, Health};
use respool::config::Config;
use respool::store::put::PutResult;

const MIB: usize = 1 << 20;

/// The frame in the middle of the second one's first extent: an object of 5 MiB is sent in twenty.
const LATE: usize = 20 + 4;

/// Its own fault, which sending it again does not mend.
fn is_refused(result: &PutResult) {
    let failure = result.outcome.as_ref().expect_err("it is refused");
    let problem = &failure.problem;
    assert_eq!(
        (
            problem.code.as_str(),
            problem.exit,
            problem.subject.as_str(),
            failure.again
        ),
        ("unrepresentable", 2, result.oid.as_str(), false),
        "{problem}"
    );
    assert!(problem.message.contains("a key occurs twice"), "{problem}");
    assert!(problem.next.contains("directory"), "{problem}");
}

/// All are as good as before.
async fn are_well(world: &World) {
    world.is_sound().await;
    for medium in world.catalogue.media().await.unwrap() {
        assert_eq!((medium.health, medium.locked), (Health::Ok, false), "{}", medium.name);
        assert_ne!(medium.fs_state, FsState::Full, "{}", medium.name);
    }
}

#[tokio::test]
async fn x01_small_and_large_objects_are_refused_alone_whenever_a_medium_says_so() {
    for when in [When::Named, When::Begun, When::Ended] {
        let world = World::new(&[("a", 1 << 30)]).await;
        let sizes = [
            ("s1", 10),
            ("bad-small", 11),
            ("s2", 0),
            ("bad-empty", 0),
            ("l1", 3 * MIB),
        ];
        let more = [("bad-large", 3 * MIB + 1), ("l2", 2 * MIB), ("s3", 100)];
        let all: Vec<(&str, usize)> = sizes.into_iter().chain(more).collect();
        for (name, _) in all.iter().filter(|(name, _)| name.starts_with("bad")) {
            world.platter("a").misfits.insert((*name).to_owned(), when);
        }
        let sent = all
            .iter()
            .map(|(name, bytes)| (header(name, *bytes, 1), data(3, *bytes)));
        let results = world.put_all(sent.collect()).await;
        assert_eq!(results.len(), all.len());
        for (result, (name, bytes)) in results.iter().zip(&all) {
            assert_eq!(result.oid.as_str(), *name, "results come in order");
            match name.starts_with("bad") {
                true => is_refused(result),
                false => {
                    assert!(result.outcome.is_ok(), "{name} {when:?}: {:?}", result.outcome);
                    assert_eq!(world.get(name, None).await.unwrap(), data(3, *bytes));
                }
            }
        }
        are_well(&world).await;
        assert_eq!(world.platter("a").mounts, 1, "it was not opened anew");
        // What was refused is put as soon as nothing speaks against it.
        world.platter("a").misfits.clear();
        for name in ["bad-small", "bad-empty", "bad-large"] {
            world.put(header(name, 5, 1), b"again").await.outcome.unwrap();
        }
        are_well(&world).await;
    }
}

/// Of two copies one would be kept: there is none at all, and nothing of it is left pending.
#[tokio::test]
async fn x01_an_object_that_one_of_its_media_cannot_keep_is_stored_on_none() {
    for when in [When::Named, When::Begun, When::Ended] {
        for bytes in [9, 3 * MIB] {
            let world = World::new(&[("a", 1 << 30), ("b", 1 << 30)]).await;
            world.platter("b").misfits.insert("bad".to_owned(), when);
            let sent = ["one", "bad", "two"].map(|name| (header(name, bytes, 2), data(5, bytes)));
            let results = world.put_all(sent.to_vec()).await;
            is_refused(&results[1]);
            for number in [0, 2] {
                let stored = results[number].outcome.as_ref().expect("it is stored");
                assert_eq!(stored.entries.len(), 2);
            }
            assert_eq!(world.get("bad", None).await.unwrap_err().exit, 2);
            are_well(&world).await;
        }
    }
}

/// The first extent of an object is being written when its medium says so, of that one or of the next: nothing of the
/// object counts, and what was sent before and after it is stored.
#[tokio::test]
async fn x01_an_object_is_refused_whole_in_the_middle_of_its_bytes() {
    let mut config = Config::default();
    config.store.extent_max_bytes = ByteCount(2 * MIB as u64);
    for when in [When::Named, When::Begun, When::Ended] {
        let world = World::with(&[("a", 1 << 30)], config.clone()).await;
        let sent = ["before", "bad", "after"].map(|name| frames(header(name, 5 * MIB, 1), &data(1, 5 * MIB)));
        let mut session = world.session();
        let mut results = Vec::new();
        for (number, frame) in sent.into_iter().flatten().enumerate() {
            if number == LATE {
                world.platter("a").misfits.insert("bad".to_owned(), when);
            }
            results.extend(session.feed(frame).await.unwrap());
        }
        results.extend(session.finish().await);
        is_refused(&results[1]);
        for number in [0, 2] {
            assert!(
                results[number].outcome.is_ok(),
                "{when:?}: {:?}",
                results[number].outcome
            );
        }
        assert_eq!(world.get("after", None).await.unwrap(), data(1, 5 * MIB));
        are_well(&world).await;
    }
}
