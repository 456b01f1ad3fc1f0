//! What all media hold, and what of it could go nowhere.

use super::World;
use super::support::{Put, at, oid};
use crate::catalogue::{MediumChange, Overwrite, STRANDED_MAX, SwapTerms};
use crate::model::{ByteCount, Health, Hold, Holding, MediumId, SessionId};
use std::collections::{BTreeMap, BTreeSet};

async fn holding(w: &World, medium: MediumId, now: i64) -> Holding {
    let all = w.catalogue.holdings(at(now)).await.unwrap();
    all.into_iter()
        .find(|one| one.medium == medium)
        .expect("every medium is told of")
}

async fn health(w: &World, medium: MediumId, health: Health, now: i64) {
    let change = MediumChange {
        health: Some(health),
        ..MediumChange::default()
    };
    w.catalogue.change_medium(medium, change, at(now)).await.unwrap();
}

/// All media are told of, by name, those without an extent too.
pub async fn holdings_are_told_of_every_medium(w: &World) {
    let (b, a) = (w.medium("b").await, w.medium("a").await);
    w.put_one("x", b, "12345").await;
    let all = w.catalogue.holdings(at(9)).await.unwrap();
    assert_eq!(all.iter().map(|one| one.medium).collect::<Vec<_>>(), [a, b]);
    assert_eq!((all[0].used, all[0].written_at), (ByteCount(0), None));
    assert_eq!(
        (all[1].used, all[1].live, all[1].live_extents),
        (ByteCount(5), ByteCount(5), 1)
    );
}

/// Every byte is counted under what may become of it, with the last time at which it may.
pub async fn holdings_tell_when_bytes_may_go(w: &World) {
    let (disk, other) = (w.medium("disk").await, w.medium("other").await);
    w.put_one("live", disk, "1").await;
    for (name, bytes, when) in [("early", "22", 30), ("late", "4444", 40)] {
        w.put_one(name, disk, bytes).await;
        w.catalogue.delete_object(&oid(name), at(when)).await.unwrap();
    }
    let abandoned = w.stage(&w.simple("dead", disk, "88888888"), SessionId::fresh()).await;
    let owner = abandoned.places[0].1.owner();
    w.catalogue.abandon(owner, None, at(3)).await.unwrap();
    let (soon, kept) = (
        w.put_one("soon", disk, "3333").await,
        w.put_one("kept", disk, "55555").await,
    );
    let job = w.repack(&[disk]).await;
    for (old, bytes, hold) in [(&soon, "3333", Hold::Until(at(100))), (&kept, "55555", Hold::Forever)] {
        let entry = w.copy(job, old, other, bytes).await;
        let terms = SwapTerms { job, hold, now: at(5) };
        w.catalogue.swap_batch(terms, &[entry]).await.unwrap();
    }
    let found = holding(w, disk, 50).await;
    assert_eq!(
        (found.used, found.live, found.live_extents),
        (ByteCount(24), ByteCount(7), 3)
    );
    assert_eq!((found.largest, found.written_at), (ByteCount(4), Some(at(1))));
    assert_eq!((found.deleted, found.deleted_at), (ByteCount(6), Some(at(40))));
    assert_eq!((found.dead, found.kept, found.pending), (ByteCount(8), ByteCount(5), 0));
    assert_eq!((found.held, found.held_until), (ByteCount(4), Some(at(100))));
    let over = holding(w, disk, 100).await;
    assert_eq!(
        (over.dead, over.held, over.held_until),
        (ByteCount(12), ByteCount(0), None)
    );
}

/// What another, live version needs as well is not deleted; what is being written is counted.
pub async fn holdings_count_what_is_shared_and_pending(w: &World) {
    let disk = w.medium("disk").await;
    let shared = w.put_one("a", disk, "shared").await;
    w.share(shared.id, "b", 6).await;
    w.stage(&w.simple("pending", disk, "x"), SessionId::fresh()).await;
    w.catalogue.delete_object(&oid("a"), at(10)).await.unwrap();
    let found = holding(w, disk, 50).await;
    assert_eq!(
        (found.deleted, found.deleted_at, found.pending),
        (ByteCount(0), None, 1)
    );
    w.catalogue.delete_object(&oid("b"), at(20)).await.unwrap();
    let found = holding(w, disk, 50).await;
    assert_eq!((found.deleted, found.deleted_at), (ByteCount(6), Some(at(20))));
}

/// A health is as old as the change that made it; saying it again changes nothing.
pub async fn holdings_tell_since_when_a_medium_is_ill(w: &World) {
    let disk = w.medium("disk").await;
    assert_eq!(holding(w, disk, 1).await.health_since, None);
    w.catalogue.suspect(disk, "it lied", at(10)).await.unwrap();
    w.catalogue.suspect(disk, "again", at(20)).await.unwrap();
    health(w, disk, Health::Suspect, 30).await;
    assert_eq!(holding(w, disk, 40).await.health_since, Some(at(10)));
    health(w, disk, Health::Failing, 50).await;
    w.catalogue
        .suspect(disk, "a worse opinion stays", at(60))
        .await
        .unwrap();
    assert_eq!(holding(w, disk, 70).await.health_since, Some(at(50)));
}

/// The live extents that rely on old bytes here are counted.
pub async fn holdings_count_the_last_good_bytes(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let old = w.put_one("a", source, "x").await;
    let job = w.repack(&[source]).await;
    w.relocate(job, &old, target, "x").await;
    assert_eq!(holding(w, source, 50).await.last_good, 0);
    health(w, target, Health::Suspect, 50).await;
    assert_eq!(holding(w, source, 60).await.last_good, 1);
    assert_eq!(holding(w, target, 60).await.last_good, 0);
}

/// I10: what has another copy on every medium that could take it goes nowhere.
pub async fn i10_bytes_with_a_copy_on_every_target_are_stranded(w: &World) {
    let (a, b, c) = (w.medium("a").await, w.medium("b").await, w.medium("c").await);
    w.put_one("single", a, "1").await;
    w.put(Put {
        oid: "twice",
        copies: vec![vec![(a, "22")], vec![(b, "22")]],
        grouping: None,
        overwrite: Overwrite::Refuse,
    })
    .await;
    let stranded = async |targets: &[MediumId]| {
        let targets: BTreeSet<MediumId> = targets.iter().copied().collect();
        w.catalogue.stranded(&targets).await.unwrap()
    };
    let of = |pairs: &[(MediumId, u64)]| {
        let pairs = pairs.iter().map(|(medium, bytes)| (*medium, ByteCount(*bytes)));
        pairs.collect::<BTreeMap<_, _>>()
    };
    assert_eq!(stranded(&[b]).await, of(&[(a, 2)]));
    assert_eq!(stranded(&[a, b]).await, of(&[(a, 2), (b, 2)]));
    assert_eq!(stranded(&[a, b, c]).await, of(&[]));
    assert_eq!(stranded(&[]).await, of(&[]));
    let many: Vec<MediumId> = (0..=STRANDED_MAX).map(|_| MediumId::fresh()).collect();
    assert_eq!(stranded(&many).await, of(&[]));
}
