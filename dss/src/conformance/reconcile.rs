//! E-16: a catalogue that was restored from an older backup finds out which media saw more than it did, destroys nothing
//! before they are reconciled, and never points a layout to bytes that are not the same.

use super::World;
use super::import::{found, found_again};
use super::support::{Put, all, at, is_conflict, is_fenced, is_not_found, oid};
use crate::catalogue::{Adopt, CatalogueError, Found, Result};
use crate::model::{
    Address, AdmState, Blake3, Compared, EventHead, Extent, ExtentId, ExtentState, Generation, Health, Hold, JobState,
    MediumId, NewEvent, Revision, Seen, SessionId, Stamp, Standing, Version,
};

fn is_in_doubt<T>(answer: &Result<T>) -> bool {
    matches!(answer, Err(CatalogueError::InDoubt(_)))
}

fn bears(stamp: Stamp) -> Seen {
    Seen {
        generation: Generation(0),
        revision: stamp.revision,
        head: Some(stamp.head),
    }
}

/// What a medium bears that this catalogue's other future wrote to.
fn of_a_lost_future(stamp: Stamp) -> Seen {
    let hash = Blake3([7; 32]);
    Seen {
        head: Some(EventHead { hash, ..stamp.head }),
        ..bears(stamp)
    }
}

async fn ahead(w: &World, name: &str) -> MediumId {
    let disk = w.medium(name).await;
    put_ahead(w, disk).await;
    disk
}

pub(super) async fn put_ahead(w: &World, disk: MediumId) {
    let seen = of_a_lost_future(w.catalogue.stamp().await.unwrap());
    let compared = w.catalogue.compare_medium(disk, seen, at(10)).await.unwrap();
    assert!(matches!(compared, Compared::Ahead { .. }), "{compared:?}");
}

pub(super) async fn level_again(w: &World, disk: MediumId) {
    let step = (Standing::Ahead, Standing::Level);
    let row = w
        .catalogue
        .set_standing(disk, step, "reconciled", at(99))
        .await
        .unwrap();
    assert_eq!(row.standing, Standing::Level);
}

/// Every earlier stamp of a catalogue is known to it, whatever happened since.
pub async fn e16_a_catalogue_knows_its_own_stamps(w: &World) {
    let disk = w.medium("disk").await;
    let first = w.catalogue.stamp().await.unwrap();
    w.put_one("a", disk, "x").await;
    let second = w.catalogue.stamp().await.unwrap();
    assert!(second.head.link > first.head.link && second.revision > first.revision);
    for stamp in [first, second] {
        let compared = w.catalogue.compare_medium(disk, bears(stamp), at(10)).await.unwrap();
        assert_eq!(compared, Compared::Level);
    }
    assert_eq!(w.row(disk).await.standing, Standing::Level);
    assert_eq!(
        w.catalogue.seal_events(10).await.unwrap(),
        0,
        "a stamp seals all that is committed"
    );
}

/// A revision or an end of the log that the catalogue does not have puts a medium ahead, and it stays so.
pub async fn e16_a_medium_of_another_history_is_ahead(w: &World) {
    let (one, two, three) = (w.medium("one").await, w.medium("two").await, w.medium("three").await);
    let stamp = w.catalogue.stamp().await.unwrap();
    let beyond = EventHead {
        link: stamp.head.link + 1,
        ..stamp.head
    };
    let later = Seen {
        revision: Revision(stamp.revision.0 + 100),
        ..bears(stamp)
    };
    let longer = Seen {
        head: Some(beyond),
        ..bears(stamp)
    };
    for (disk, seen) in [(one, later), (two, longer), (three, of_a_lost_future(stamp))] {
        w.catalogue.compare_medium(disk, seen, at(10)).await.unwrap();
        assert_eq!(w.row(disk).await.standing, Standing::Ahead);
        // Nothing but a reconciliation takes that back.
        w.catalogue.compare_medium(disk, bears(stamp), at(11)).await.unwrap();
        assert_eq!(w.row(disk).await.standing, Standing::Ahead);
    }
    let events = w.catalogue.events(all()).await.unwrap();
    assert_eq!(events.iter().filter(|event| event.kind == "medium.ahead").count(), 3);
    w.catalogue.raise_revision(later.revision).await.unwrap();
    assert!(w.catalogue.identity().await.unwrap().revision > later.revision);
    for disk in [one, two, three] {
        level_again(w, disk).await;
    }
    let compared = w.catalogue.compare_medium(one, later, at(12)).await.unwrap();
    assert_eq!(compared, Compared::Level, "its revision is below the raised one");
}

/// A history that ran on after the restore reaches the same length with other events: the hash tells them apart.
pub async fn e16_a_catalogue_that_ran_on_is_told_by_the_hash(w: &World) {
    let disk = w.medium("disk").await;
    let stamp = w.catalogue.stamp().await.unwrap();
    for number in 0..50 {
        let event = NewEvent {
            kind: "test.noted",
            subject: number.to_string(),
            detail: serde_json::json!({}),
        };
        w.catalogue.note(event, at(number)).await.unwrap();
    }
    let now = w.catalogue.stamp().await.unwrap();
    let within = EventHead {
        link: stamp.head.link + 5,
        hash: Blake3([9; 32]),
    };
    let seen = Seen {
        head: Some(within),
        ..bears(now)
    };
    let compared = w.catalogue.compare_medium(disk, seen, at(60)).await.unwrap();
    assert!(matches!(compared, Compared::Ahead { .. }), "{compared:?}");
    level_again(w, disk).await;
}

/// While any medium is ahead nothing is swept, purged or erased anywhere, and nothing new lands on that one.
pub async fn e16_nothing_is_destroyed_while_a_medium_is_ahead(w: &World) {
    let other = w.medium("other").await;
    w.put_one("gone", other, "x").await;
    w.catalogue.delete_object(&oid("gone"), at(5)).await.unwrap();
    let late = ahead(w, "late").await;
    let (wanted, epochs) = (vec![w.new_extent("a", late, "x")], w.epochs());
    let refused = w.catalogue.record_put(SessionId::fresh(), wanted, &epochs, at(11));
    assert!(is_fenced(&refused.await));
    assert!(w.row(late).await.may_take_extents().is_err());
    assert!(is_in_doubt(&w.catalogue.purge(at(100), 10, at(100)).await));
    assert!(is_in_doubt(&w.catalogue.removable(other, all(), at(100)).await));
    let fence = w.catalogue.fence_medium(other, None, false, w.epoch(other), at(100));
    assert!(is_in_doubt(&fence.await));
    assert_eq!(w.row(other).await.adm_state, AdmState::InService);
    w.put_one("b", other, "elsewhere puts go on").await;
    let found = w.catalogue.findings(at(100)).await.unwrap();
    assert!(found.iter().any(|finding| finding.invariant == "E-16"), "{found:?}");
    level_again(w, late).await;
    assert_eq!(w.catalogue.purge(at(100), 10, at(100)).await.unwrap(), 1);
}

/// A medium that was not compared since the restore holds everything up likewise, until it was or is dead.
pub async fn e16_a_medium_not_seen_since_the_restore_holds_everything_up(w: &World) {
    let (disk, lost) = (w.medium("disk").await, w.medium("lost").await);
    for medium in [disk, lost] {
        let step = (Standing::Level, Standing::Unseen);
        w.catalogue.set_standing(medium, step, "restored", at(5)).await.unwrap();
    }
    let stamp = w.catalogue.stamp().await.unwrap();
    let compared = w.catalogue.compare_medium(disk, bears(stamp), at(6)).await.unwrap();
    assert_eq!(compared, Compared::Level);
    assert_eq!(
        w.row(disk).await.standing,
        Standing::Unseen,
        "its index was not looked at"
    );
    assert!(is_in_doubt(&w.catalogue.purge(at(100), 10, at(100)).await));
    let step = (Standing::Unseen, Standing::Level);
    w.catalogue.set_standing(disk, step, "looked at", at(7)).await.unwrap();
    assert!(is_conflict(&w.catalogue.set_standing(disk, step, "again", at(7)).await));
    assert!(is_in_doubt(&w.catalogue.purge(at(100), 10, at(100)).await));
    let dead = crate::catalogue::MediumChange {
        adm_state: Some(AdmState::Dead),
        ..Default::default()
    };
    w.catalogue.change_medium(lost, dead, at(8)).await.unwrap();
    assert_eq!(w.catalogue.purge(at(100), 10, at(100)).await.unwrap(), 0);
}

/// what an older catalogue takes for an orphan is held; what it takes for an unfinished put is not its to judge.
pub async fn e16_orphans_on_a_medium_ahead_are_held(w: &World) {
    let (disk, target) = (w.medium("disk").await, w.medium("target").await);
    let old = w.put_one("a", disk, "x").await;
    let session = SessionId::fresh();
    let unfinished = w
        .catalogue
        .record_put(session, vec![w.new_extent("b", disk, "y")], &w.epochs(), at(3))
        .await
        .unwrap();
    let unfinished = unfinished[0].extent().id;
    let owner = crate::model::Owner::Put(session);
    w.catalogue.abandon(owner, None, at(4)).await.unwrap();
    let job = w.repack(&[disk]).await;
    w.relocate(job, &old, target, "x").await;
    w.advance(job, crate::model::JobState::Cancelled).await;
    put_ahead(w, disk).await;
    assert_eq!(w.catalogue.extent(old.id).await.unwrap().hold, Hold::Forever);
    assert!(is_not_found(&w.catalogue.extent(unfinished).await));
    level_again(w, disk).await;
    assert!(w.catalogue.removable(disk, all(), at(1_000)).await.unwrap().is_empty());
}

/// An image of a medium from before the catalogue's last write to it is suspect.
pub async fn an_old_image_of_a_medium_is_suspect(w: &World) {
    let disk = w.medium("disk").await;
    let early = w.catalogue.stamp().await.unwrap();
    let extent = w.put_one("a", disk, "x").await;
    let late = w.catalogue.stamp().await.unwrap();
    w.catalogue
        .mark_indexed(disk, late.revision, &[extent.id])
        .await
        .unwrap();
    let compared = w.catalogue.compare_medium(disk, bears(late), at(5)).await.unwrap();
    assert_eq!(compared, Compared::Level);
    let compared = w.catalogue.compare_medium(disk, bears(early), at(5)).await.unwrap();
    assert!(matches!(compared, Compared::Behind { .. }), "{compared:?}");
    let row = w.row(disk).await;
    assert_eq!((row.health, row.standing), (Health::Suspect, Standing::Level));
}

/// What was read back from a medium does not count when an old image of it is found there, also when it was suspect or
/// failing before: the extents may not be on it.
pub async fn an_old_image_takes_read_backs_away_whatever_the_health(w: &World) {
    let (source, disk) = (w.medium("source").await, w.medium("disk").await);
    let early = w.catalogue.stamp().await.unwrap();
    let old = w.put_one("a", source, "x").await;
    let job = w.repack(&[source]).await;
    let moved = w.relocate(job, &old, disk, "x").await;
    let late = w.catalogue.stamp().await.unwrap();
    w.catalogue
        .mark_indexed(disk, late.revision, &[moved.id])
        .await
        .unwrap();
    for health in [Health::Suspect, Health::Failing, Health::Failed, Health::Ok] {
        let change = crate::catalogue::MediumChange {
            health: Some(health),
            ..Default::default()
        };
        w.catalogue.change_medium(disk, change, at(5)).await.unwrap();
        let proof = w.read_back(&moved);
        let noted = w
            .catalogue
            .mark_read_back(job, &w.row(disk).await, &[proof], at(6))
            .await;
        assert!(noted.unwrap());
        assert!(w.catalogue.extent(moved.id).await.unwrap().verified_at.is_some());
        let compared = w.catalogue.compare_medium(disk, bears(early), at(7)).await.unwrap();
        assert!(matches!(compared, Compared::Behind { .. }), "{compared:?}");
        assert_eq!(
            w.catalogue.extent(moved.id).await.unwrap().verified_at,
            None,
            "{health}"
        );
        assert_eq!(w.row(disk).await.health, health.max(Health::Suspect));
    }
    w.advance(job, JobState::Cancelled).await;
}

/// An extent of an object that a later history copied to this medium.
async fn copied_later(w: &World, old: &Extent, medium: MediumId, read: bool) -> Extent {
    let mut item: Found = found_again(w, old).await;
    item.extent = ExtentId::fresh();
    item.address = Address(format!("objects/later@{}", item.extent));
    item.read = item.read.filter(|_| read);
    let id = item.extent;
    w.catalogue.import(medium, vec![item], Adopt::No, at(60)).await.unwrap();
    w.catalogue.extent(id).await.unwrap()
}

/// Layouts follow to an extent of the same place and bytes that was read; the old one is held.
pub async fn e16_layouts_follow_to_the_same_bytes(w: &World) {
    let (disk, target) = (w.medium("disk").await, w.medium("target").await);
    let old = w.put_one("a", disk, "x").await;
    let new = copied_later(w, &old, target, false).await;
    let pair = (old.id, w.read_back(&new));
    let done = w.catalogue.repoint_found(&[pair], at(70)).await.unwrap();
    assert_eq!(done, [true]);
    let filled = w.first("a").await;
    assert_eq!(
        (filled.id, filled.state, filled.verified_at),
        (new.id, ExtentState::Sync, Some(at(70)))
    );
    let held = w.catalogue.extent(old.id).await.unwrap();
    assert_eq!((held.state, held.hold), (ExtentState::Orphan, Hold::Forever));
    let pair = (old.id, w.read_back(&new));
    assert_eq!(w.catalogue.repoint_found(&[pair], at(71)).await.unwrap(), [false]);
}

/// I3: other bytes, or another place, are never taken.
pub async fn e16_layouts_never_follow_to_other_bytes(w: &World) {
    let (disk, target) = (w.medium("disk").await, w.medium("target").await);
    let old = w.put_one("a", disk, "x").await;
    let other = w.put_one("b", disk, "x").await;
    let mut different = found_again(w, &old).await;
    different.extent = ExtentId::fresh();
    different.digests = crate::model::Digests::of(b"y");
    let id = different.extent;
    w.catalogue
        .import(target, vec![different], Adopt::No, at(60))
        .await
        .unwrap();
    let different = w.catalogue.extent(id).await.unwrap();
    let elsewhere = copied_later(w, &other, target, true).await;
    for wrong in [different, elsewhere] {
        let pair = (old.id, w.read_back(&wrong));
        assert_eq!(w.catalogue.repoint_found(&[pair], at(70)).await.unwrap(), [false]);
    }
    assert_eq!(w.first("a").await, old);
}

/// I10: a layout does not follow to where another copy is.
pub async fn e16_layouts_never_follow_to_another_copys_medium(w: &World) {
    let (one, two) = (w.medium("one").await, w.medium("two").await);
    let put = Put {
        copies: vec![vec![(one, "x")], vec![(two, "x")]],
        ..w.simple("a", one, "")
    };
    let detail = w.put(put).await;
    let old = detail.entries[0].extent.clone();
    let new = copied_later(w, &old, two, true).await;
    let pair = (old.id, w.read_back(&new));
    assert_eq!(w.catalogue.repoint_found(&[pair], at(70)).await.unwrap(), [false]);
}

/// What the label of a medium says that was erased since.
async fn erased_since(w: &World, disk: MediumId) {
    let erased = Seen {
        generation: Generation(1),
        ..bears(w.catalogue.stamp().await.unwrap())
    };
    w.catalogue.compare_medium(disk, erased, at(10)).await.unwrap();
    assert_eq!(w.row(disk).await.standing, Standing::Ahead);
}

/// I6: a medium that was erased since and is ahead stands at its new generation before its layouts follow, since what
/// they follow to may be on it; it is level only when nothing needs what was on the last one.
pub async fn e16_a_generation_is_taken_and_its_layouts_follow(w: &World) {
    let (disk, target) = (w.medium("disk").await, w.medium("target").await);
    let old = w.put_one("a", disk, "x").await;
    assert!(is_conflict(
        &w.catalogue.take_generation(disk, Generation(1), at(9)).await
    ));
    erased_since(w, disk).await;
    let row = w.catalogue.take_generation(disk, Generation(1), at(11)).await.unwrap();
    assert_eq!((row.generation, row.standing), (Generation(1), Standing::Ahead));
    assert_eq!(w.first("a").await.id, old.id, "its layout stays until it follows");
    let step = (Standing::Ahead, Standing::Level);
    assert!(is_conflict(
        &w.catalogue.set_standing(disk, step, "early", at(12)).await
    ));
    let found = w.catalogue.findings(at(12)).await.unwrap();
    assert!(found.iter().all(|finding| finding.invariant != "I6"), "{found:?}");
    let new = copied_later(w, &old, target, true).await;
    let stand_ins = w.catalogue.stand_ins(&[old.id, ExtentId::fresh()]).await.unwrap();
    assert_eq!(stand_ins, [(old.id, new.clone())]);
    let pair = (old.id, w.read_back(&new));
    assert_eq!(w.catalogue.repoint_found(&[pair], at(70)).await.unwrap(), [true]);
    level_again(w, disk).await;
    assert!(is_not_found(&w.catalogue.extent(old.id).await), "its bytes are gone");
    assert!(is_conflict(
        &w.catalogue.take_generation(disk, Generation(2), at(72)).await
    ));
}

/// Two media that were emptied into each other in turn hold what the other's layouts need, both in a new generation.
pub async fn e16_layouts_follow_to_a_medium_that_was_erased_and_filled_again(w: &World) {
    let (one, two) = (w.medium("one").await, w.medium("two").await);
    let (first, second) = (w.put_one("a", one, "x").await, w.put_one("b", two, "y").await);
    for disk in [one, two] {
        erased_since(w, disk).await;
        w.catalogue.take_generation(disk, Generation(1), at(11)).await.unwrap();
    }
    for (old, target) in [(&first, two), (&second, one)] {
        let new = copied_later(w, old, target, true).await;
        assert_eq!(new.generation, Generation(1));
        let pair = (old.id, w.read_back(&new));
        assert_eq!(w.catalogue.repoint_found(&[pair], at(70)).await.unwrap(), [true]);
    }
    for disk in [one, two] {
        level_again(w, disk).await;
    }
    assert_eq!(w.first("a").await.medium, two);
    assert_eq!(w.first("b").await.medium, one);
}

/// A job that waited to erase media, in a catalogue that is older than their being erased, is over with the last of them.
pub async fn e16_a_job_ends_whose_sources_were_erased_since(w: &World) {
    let (one, two) = (w.medium("one").await, w.medium("two").await);
    let job = w.repack(&[one, two]).await;
    for source in [one, two] {
        w.catalogue.quarantine(job, source, Hold::Forever, at(5)).await.unwrap();
    }
    w.advance(job, JobState::Quarantined).await;
    for (disk, state) in [(one, JobState::Quarantined), (two, JobState::Failed)] {
        erased_since(w, disk).await;
        w.catalogue.take_generation(disk, Generation(1), at(11)).await.unwrap();
        assert_eq!(w.catalogue.job(job).await.unwrap().state, state);
    }
    let ended = w.catalogue.job(job).await.unwrap();
    assert_eq!(ended.error.expect("it says why").code, "erased_since");
    for disk in [one, two] {
        level_again(w, disk).await;
    }
    w.repack(&[one]).await;
}

/// A medium that waited to be erased and is gone is given up, with the job that waited; one that is level is its job's.
pub async fn e16_a_medium_that_waited_to_be_erased_may_be_given_up(w: &World) {
    let (one, two) = (w.medium("one").await, w.medium("two").await);
    let job = w.repack(&[one, two]).await;
    for source in [one, two] {
        let hold = Hold::Until(at(7));
        w.catalogue.quarantine(job, source, hold, at(5)).await.unwrap();
    }
    w.advance(job, JobState::Reclaiming).await;
    let fence = w.catalogue.fence_medium(one, Some(job), false, w.epoch(one), at(8));
    assert_eq!(fence.await.unwrap(), crate::catalogue::Fence::Erasing(Generation(1)));
    for medium in [one, two] {
        assert!(is_conflict(&w.catalogue.give_up(medium, "gone", at(9)).await));
        let step = (Standing::Level, Standing::Unseen);
        w.catalogue.set_standing(medium, step, "restored", at(9)).await.unwrap();
    }
    for (medium, state) in [(one, JobState::Reclaiming), (two, JobState::Failed)] {
        assert!(is_in_doubt(&w.catalogue.purge(at(100), 10, at(100)).await));
        let row = w.catalogue.give_up(medium, "gone", at(10)).await.unwrap();
        assert_eq!((row.adm_state, row.health), (AdmState::Dead, Health::Failed));
        assert_eq!((row.emptied_by, row.quarantined_until), (None, None));
        assert_eq!(w.catalogue.job(job).await.unwrap().state, state);
        assert!(is_conflict(&w.catalogue.give_up(medium, "again", at(11)).await));
    }
    let ended = w.catalogue.job(job).await.unwrap();
    assert_eq!(ended.error.expect("it says why").code, "source_given_up");
    assert_eq!(w.catalogue.purge(at(100), 10, at(100)).await.unwrap(), 0);
}

/// only what is live on a medium that is not level is forgotten.
pub async fn e16_nothing_on_a_level_medium_is_forgotten(w: &World) {
    let (disk, other) = (w.medium("disk").await, w.medium("other").await);
    let (kept, elsewhere) = (w.put_one("a", disk, "x").await, w.put_one("b", other, "y").await);
    let asked = [kept.id, elsewhere.id];
    assert!(is_conflict(&w.catalogue.forget_gone(disk, &asked, at(10)).await));
    put_ahead(w, other).await;
    assert!(is_conflict(&w.catalogue.forget_gone(disk, &asked, at(10)).await));
    let forgotten = w.catalogue.forget_gone(other, &asked, at(11)).await.unwrap();
    assert_eq!(forgotten.versions, [(oid("b"), Version(1))]);
    assert_eq!(w.first("a").await, kept);
    level_again(w, other).await;
}

/// What is nowhere is forgotten by an operator's word only, without a tombstone: an import brings it back.
pub async fn e16_what_is_nowhere_may_come_back(w: &World) {
    let (one, two) = (w.medium("one").await, w.medium("two").await);
    let only = w.put_one("only", one, "x").await;
    let put = Put {
        copies: vec![vec![(one, "y")], vec![(two, "y")]],
        ..w.simple("twice", one, "")
    };
    let twice = w.put(put).await;
    let gone = [only.id, twice.entries[0].extent.id];
    let came = found_again(w, &only).await;
    put_ahead(w, one).await;
    let forgotten = w.catalogue.forget_gone(one, &gone, at(10)).await.unwrap();
    assert_eq!(forgotten.versions, [(oid("only"), Version(1))]);
    assert_eq!(forgotten.copies, 1);
    assert!(is_not_found(&w.catalogue.object(&oid("only"), None).await));
    let left = w.catalogue.object(&oid("twice"), None).await.unwrap();
    assert_eq!(left.entries.len(), 1);
    assert_eq!(left.entries[0].extent.medium, two);
    for id in gone {
        assert!(is_not_found(&w.catalogue.extent(id).await));
    }
    level_again(w, one).await;
    w.catalogue.import(two, vec![came], Adopt::Yes, at(60)).await.unwrap();
    assert_eq!(w.first("only").await.medium, two);
}

/// What was forgotten although its old bytes have a row is brought back from these: they are held from then on, whatever
/// was to become of them. A part of a copy, or bytes that were not read, make no object.
pub async fn e16_what_was_forgotten_comes_back_from_old_bytes(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let put = Put {
        copies: vec![vec![(source, "x"), (source, "y")]],
        ..w.simple("moved", source, "")
    };
    let detail = w.put(put).await;
    let olds: Vec<Extent> = detail.entries.iter().map(|entry| entry.extent.clone()).collect();
    let mut items = vec![];
    for old in &olds {
        items.push(found_again(w, old).await);
    }
    let job = w.repack(&[source]).await;
    let mut gone = vec![];
    for (old, bytes) in olds.iter().zip(["x", "y"]) {
        gone.push(w.relocate(job, old, target, bytes).await.id);
    }
    let hold = Hold::Until(at(50));
    w.catalogue.quarantine(job, source, hold, at(6)).await.unwrap();
    w.advance(job, JobState::Cancelled).await;
    put_ahead(w, target).await;
    let forgotten = w.catalogue.forget_gone(target, &gone, at(10)).await.unwrap();
    assert_eq!(forgotten.versions, [(oid("moved"), Version(1))]);
    level_again(w, target).await;
    for old in &olds {
        assert_eq!(w.catalogue.extent(old.id).await.unwrap().hold, Hold::Forever);
    }
    let mut unread = items.clone();
    unread[0].read = None;
    for part in [vec![items[0].clone()], unread] {
        let report = w.catalogue.import(source, part, Adopt::Yes, at(60)).await.unwrap();
        assert_eq!((report.objects_adopted, report.unknown), (0, 0), "{report:?}");
        assert_eq!(report.unadopted_names, [oid("moved")]);
        assert!(is_not_found(&w.catalogue.object(&oid("moved"), None).await));
    }
    for adopted in [1, 0] {
        let items = items.clone();
        let report = w.catalogue.import(source, items, Adopt::Yes, at(61)).await.unwrap();
        assert_eq!((report.objects_adopted, report.known, report.added), (adopted, 2, 0));
        assert!(report.is_complete(), "{report:?}");
    }
    let back = w.catalogue.object(&oid("moved"), None).await.unwrap();
    let ids: Vec<ExtentId> = back.entries.iter().map(|entry| entry.extent.id).collect();
    assert_eq!(ids, [olds[0].id, olds[1].id]);
    assert_eq!(back.object, detail.object);
}

/// A version that the lost history made is the newest one, unless a newer one was made since, or the object deleted.
pub async fn e16_a_reconciliation_brings_back_a_newer_version(w: &World) {
    let disk = w.medium("disk").await;
    w.put_one("a", disk, "one").await;
    w.put_one("deleted", disk, "one").await;
    w.catalogue.delete_object(&oid("deleted"), at(5)).await.unwrap();
    let mut later = found("a", 2, "two");
    later.header.created_at = at(20);
    let mut earlier = found("deleted", 2, "two");
    earlier.header.created_at = at(4);
    let report = w
        .catalogue
        .import(disk, vec![later.clone(), earlier], Adopt::Newer, at(60))
        .await
        .unwrap();
    assert_eq!(report.objects_adopted, 1);
    assert_eq!(report.clashes, [oid("deleted")]);
    assert_eq!(w.first("a").await.id, later.extent);
    let first = w.catalogue.object(&oid("a"), Some(Version(1))).await.unwrap();
    assert_eq!(first.object.deleted_at, Some(at(20)), "the lost history overwrote it");
    let mut stale = found("a", 3, "three");
    stale.header.created_at = at(15);
    let report = w
        .catalogue
        .import(disk, vec![stale], Adopt::Newer, at(61))
        .await
        .unwrap();
    assert_eq!(report.clashes, [oid("a")], "the present version was made after it");
}
