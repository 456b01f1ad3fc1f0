//! What would become of objects if media were lost: asked, and nothing is changed.

use super::World;
use super::support::{Put, at, oid};
use crate::catalogue::{MediumChange, Overwrite};
use crate::model::loss::{Loss, Share};
use crate::model::{ByteCount, Health, MediumId};
use std::collections::BTreeSet;

async fn what_if(w: &World, media: &[MediumId]) -> Loss {
    let media: BTreeSet<MediumId> = media.iter().copied().collect();
    w.catalogue.what_if_lost(&media, 100).await.unwrap()
}

fn share(objects: u64, bytes: u64) -> Share {
    Share {
        objects,
        bytes: ByteCount(bytes),
    }
}

/// Names, versions, and copies now and then.
fn listed(loss: &Loss) -> Vec<(String, i32, u64, u64)> {
    let told = loss.listed.iter();
    told.map(|one| (one.oid.to_string(), one.version.0, one.copies_now, one.copies_left))
        .collect()
}

fn twice(name: &'static str, one: MediumId, two: MediumId) -> Put {
    Put {
        oid: name,
        copies: vec![vec![(one, "tt")], vec![(two, "tt")]],
        grouping: None,
        overwrite: Overwrite::NewVersion,
    }
}

/// What has its only copy there is lost, what has another one keeps that; deleted versions count while they are live.
pub async fn what_if_tells_what_is_lost_and_what_has_fewer_copies(w: &World) {
    let (a, b) = (w.medium("a").await, w.medium("b").await);
    w.put_one("alone", a, "x").await;
    w.put_one("deleted", a, "yyy").await;
    w.put_one("elsewhere", b, "zzzz").await;
    w.put(twice("twice", a, b)).await;
    w.catalogue.delete_object(&oid("deleted"), at(10)).await.unwrap();
    let loss = what_if(w, &[a]).await;
    assert_eq!((loss.lost, loss.fewer), (share(2, 4), share(1, 2)));
    let expected = [("alone", 1, 1, 0), ("deleted", 1, 1, 0), ("twice", 1, 2, 1)];
    assert_eq!(
        listed(&loss),
        expected.map(|(name, v, now, left)| (name.to_owned(), v, now, left))
    );
    assert_eq!(
        loss.listed.iter().map(|one| one.deleted).collect::<Vec<_>>(),
        [false, true, false]
    );
    let both = what_if(w, &[a, b]).await;
    assert_eq!((both.lost, both.fewer), (share(4, 10), share(0, 0)));
    assert_eq!(what_if(w, &[]).await, Loss::default());
    assert_eq!(what_if(w, &[w.medium("empty").await]).await, Loss::default());
}

/// What is lost already is not lost again, and a copy on lost media is none.
pub async fn what_if_counts_from_what_can_be_read_now(w: &World) {
    let (a, b) = (w.medium("a").await, w.medium("b").await);
    w.put_one("alone", a, "x").await;
    w.put(twice("twice", a, b)).await;
    let health = async |health| {
        let change = MediumChange {
            health: Some(health),
            ..MediumChange::default()
        };
        w.catalogue.change_medium(a, change, at(20)).await.unwrap();
    };
    health(Health::Failed).await;
    assert_eq!(what_if(w, &[a]).await, Loss::default());
    let loss = what_if(w, &[b]).await;
    assert_eq!(listed(&loss), [("twice".to_owned(), 1, 1, 0)]);
    health(Health::Ok).await;
}

/// Parts of two copies make up for one another; the part with the fewest copies decides.
pub async fn what_if_puts_copies_together_part_by_part(w: &World) {
    let (a, b, c) = (w.medium("a").await, w.medium("b").await, w.medium("c").await);
    let d = w.medium("d").await;
    w.put(Put {
        oid: "parts",
        copies: vec![vec![(a, "11"), (b, "2")], vec![(c, "11"), (d, "2")]],
        grouping: None,
        overwrite: Overwrite::Refuse,
    })
    .await;
    assert_eq!(listed(&what_if(w, &[a, d]).await), [("parts".to_owned(), 1, 2, 1)]);
    let loss = what_if(w, &[a, c]).await;
    assert_eq!(
        (listed(&loss), loss.lost),
        (vec![("parts".to_owned(), 1, 2, 0)], share(1, 3))
    );
}

/// The list is bounded and begins with what would be lost; the numbers are whole.
pub async fn what_if_lists_no_more_than_asked(w: &World) {
    let (a, b) = (w.medium("a").await, w.medium("b").await);
    w.put(twice("a-twice", a, b)).await;
    w.put_one("m", a, "x").await;
    w.put_one("m", a, "y").await;
    w.put_one("k", a, "z").await;
    let loss = w.catalogue.what_if_lost(&BTreeSet::from([a]), 2).await.unwrap();
    assert_eq!((loss.lost, loss.fewer), (share(3, 3), share(1, 2)));
    assert_eq!(listed(&loss), [("k".to_owned(), 1, 1, 0), ("m".to_owned(), 1, 1, 0)]);
}
