//! I5: live objects that no medium can give are found.

use super::World;
use super::support::{Put, at, oid};
use crate::catalogue::{Finding, MediumChange, Overwrite, Severity};
use crate::model::{AdmState, Health, JobState, MediumId, Presence};

async fn change(w: &World, medium: MediumId, change: MediumChange) {
    w.catalogue.change_medium(medium, change, at(20)).await.unwrap();
}

async fn health(w: &World, medium: MediumId, health: Health) {
    let health = Some(health);
    change(
        w,
        medium,
        MediumChange {
            health,
            ..MediumChange::default()
        },
    )
    .await;
}

async fn found(w: &World) -> Vec<Finding> {
    let mut found = w.catalogue.findings(at(30)).await.unwrap();
    found.retain(|one| one.invariant == "I5");
    found
}

/// Which live objects are told to have no readable copy.
async fn lost(w: &World) -> Vec<String> {
    let found = found(w).await.into_iter();
    let errors = found.filter(|one| one.severity == Severity::Error);
    errors.map(|one| one.subject).collect()
}

/// Dead and failed media alike, also for what may still be undeleted; one other copy is enough. A missing medium may be
/// brought back: what is on it alone is counted, and no invariant is broken.
pub async fn i5_objects_whose_every_copy_is_on_lost_media_are_named(w: &World) {
    let (one, two) = (w.medium("one").await, w.medium("two").await);
    w.put_one("alone", one, "x").await;
    w.put_one("deleted", one, "y").await;
    w.put_one("elsewhere", two, "z").await;
    w.put(Put {
        oid: "twice",
        copies: vec![vec![(one, "t")], vec![(two, "t")]],
        grouping: None,
        overwrite: Overwrite::Refuse,
    })
    .await;
    w.catalogue.delete_object(&oid("deleted"), at(10)).await.unwrap();
    assert!(found(w).await.is_empty());
    let both = ["alone version 1", "deleted version 1"];
    health(w, one, Health::Failed).await;
    assert_eq!(lost(w).await, both);
    health(w, one, Health::Ok).await;
    let presence = Some(Presence::Missing);
    change(
        w,
        one,
        MediumChange {
            presence,
            ..MediumChange::default()
        },
    )
    .await;
    assert!(lost(w).await.is_empty());
    let told = found(w).await;
    assert!(
        told.iter().any(|one| one.detail.starts_with("2 live objects")),
        "{told:?}"
    );
    health(w, one, Health::Failed).await;
    health(w, two, Health::Failed).await;
    assert_eq!(lost(w).await.len(), 4);
    health(w, one, Health::Ok).await;
    health(w, two, Health::Ok).await;
    let presence = Some(Presence::Attached);
    let adm_state = Some(AdmState::Dead);
    change(
        w,
        one,
        MediumChange {
            presence,
            adm_state,
            ..MediumChange::default()
        },
    )
    .await;
    assert_eq!(lost(w).await, both);
    let adm_state = Some(AdmState::ReadOnly);
    change(
        w,
        one,
        MediumChange {
            adm_state,
            ..MediumChange::default()
        },
    )
    .await;
    assert!(found(w).await.is_empty());
}

/// A part that one copy lost may come from another, as long as it has the same bytes.
pub async fn i5_copies_make_up_for_one_another_part_by_part(w: &World) {
    let [a, b, c, d] = [
        w.medium("a").await,
        w.medium("b").await,
        w.medium("c").await,
        w.medium("d").await,
    ];
    for (name, last) in [("same", "yz"), ("split", "z")] {
        let other = if last == "z" { "xy" } else { "x" };
        w.put(Put {
            oid: name,
            copies: vec![vec![(a, "x"), (b, "yz")], vec![(c, other), (d, last)]],
            grouping: None,
            overwrite: Overwrite::Refuse,
        })
        .await;
    }
    health(w, a, Health::Failed).await;
    assert!(found(w).await.is_empty());
    health(w, d, Health::Failed).await;
    assert_eq!(lost(w).await, ["split version 1"]);
    for medium in [a, d] {
        health(w, medium, Health::Ok).await;
    }
}

/// Only suspect and failing media: a warning with their number, and no error.
pub async fn i5_objects_on_doubtful_media_alone_are_counted(w: &World) {
    let (one, two) = (w.medium("one").await, w.medium("two").await);
    for (name, medium) in [("a", one), ("b", one), ("c", two)] {
        w.put_one(name, medium, "x").await;
    }
    w.catalogue.suspect(one, "it lied", at(9)).await.unwrap();
    let warned = found(w).await;
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert_eq!(warned[0].severity, Severity::Warning);
    assert!(warned[0].detail.starts_with("2 live objects"), "{warned:?}");
    health(w, two, Health::Failing).await;
    assert!(found(w).await[0].detail.starts_with("3 live objects"));
    health(w, two, Health::Failed).await;
    let told = found(w).await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(
        (told[0].severity, told[0].subject.as_str()),
        (Severity::Error, "c version 1")
    );
    assert!(told[1].detail.starts_with("2 live objects"), "{told:?}");
    health(w, two, Health::Ok).await;
}

/// Old bytes that a job left behind, and how they come back.
pub async fn i5_old_bytes_that_could_save_an_object_are_named(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let old = w.put_one("a", source, "x").await;
    let job = w.repack(&[source]).await;
    w.relocate(job, &old, target, "x").await;
    w.advance(job, JobState::Cancelled).await;
    health(w, target, Health::Failed).await;
    let told = found(w).await;
    assert_eq!(told.len(), 1, "{told:?}");
    let detail = &told[0].detail;
    assert!(
        detail.contains("target") && detail.contains(&old.id.to_string()),
        "{detail}"
    );
    assert!(detail.contains(&format!("`respool job restore {job}`")), "{detail}");
    health(w, source, Health::Failed).await;
    assert!(
        !found(w).await[0].detail.contains("job restore"),
        "its medium is lost, too"
    );
    for medium in [source, target] {
        health(w, medium, Health::Ok).await;
    }
}
