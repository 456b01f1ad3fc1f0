//! The age clock, the log, the revision.

use super::World;
use super::support::{all, at, oid};
use crate::catalogue::{ClockVerdict, Page};
use crate::model::NewEvent;
use serde_json::json;

/// DESIGN 6, *Time*: exactly 1 h back is good, one second more is not.
pub async fn a_clock_may_go_back_one_hour(w: &World) {
    assert_eq!(
        w.catalogue.observe_clock(at(100_000)).await.unwrap(),
        ClockVerdict::Good
    );
    assert_eq!(w.catalogue.observe_clock(at(96_400)).await.unwrap(), ClockVerdict::Good);
    let back = ClockVerdict::Back { seen: at(100_000) };
    assert_eq!(
        w.catalogue.observe_clock(at(96_399)).await.unwrap(),
        back,
        "the mark was not lowered"
    );
}

/// DESIGN 6, *Time*: exactly 24 h forward is good, one second more is not, and does not raise the mark.
pub async fn a_clock_may_jump_one_day_forward(w: &World) {
    assert_eq!(w.catalogue.observe_clock(at(0)).await.unwrap(), ClockVerdict::Good);
    let forward = ClockVerdict::Forward { seen: at(0) };
    assert_eq!(w.catalogue.observe_clock(at(86_401)).await.unwrap(), forward);
    assert_eq!(w.catalogue.observe_clock(at(86_401)).await.unwrap(), forward);
    assert_eq!(w.catalogue.observe_clock(at(86_400)).await.unwrap(), ClockVerdict::Good);
    assert_eq!(
        w.catalogue.observe_clock(at(172_800)).await.unwrap(),
        ClockVerdict::Good
    );
}

/// DESIGN 6, *Time*: an operator may vouch for a time before or after.
pub async fn an_accepted_clock_is_the_new_mark(w: &World) {
    w.catalogue.observe_clock(at(0)).await.unwrap();
    w.catalogue.accept_clock(at(1_000_000)).await.unwrap();
    assert_eq!(
        w.catalogue.observe_clock(at(1_000_010)).await.unwrap(),
        ClockVerdict::Good
    );
    w.catalogue.accept_clock(at(0)).await.unwrap();
    assert_eq!(w.catalogue.observe_clock(at(10)).await.unwrap(), ClockVerdict::Good);
}

/// Events come in order, by page, and each is sealed once.
pub async fn events_are_kept_in_order_and_sealed_once(w: &World) {
    for number in 0..5 {
        let event = NewEvent {
            kind: "test.noted",
            subject: format!("thing {number}"),
            detail: json!({ "number": number }),
        };
        w.catalogue.note(event, at(number)).await.unwrap();
    }
    let events = w.catalogue.events(all()).await.unwrap();
    let noted: Vec<_> = events.iter().filter(|event| event.kind == "test.noted").collect();
    let subjects: Vec<_> = noted.iter().map(|event| event.subject.as_str()).collect();
    assert_eq!(subjects, ["thing 0", "thing 1", "thing 2", "thing 3", "thing 4"]);
    assert_eq!((noted[3].at, &noted[3].detail), (at(3), &json!({ "number": 3 })));
    let page = Page {
        after: Some(noted[1].seq),
        limit: 2,
    };
    let page = w.catalogue.events(page).await.unwrap();
    assert_eq!(page, [noted[2].clone(), noted[3].clone()]);
    let mut sealed = w.catalogue.seal_events(2).await.unwrap();
    assert_eq!(sealed, 2);
    sealed += w.catalogue.seal_events(10_000).await.unwrap();
    assert_eq!(sealed, events.len() as u64);
    assert_eq!(w.catalogue.seal_events(10_000).await.unwrap(), 0);
}

/// A medium that saw a later revision is ahead of its catalogue: every change of state raises it.
pub async fn every_change_raises_the_revision(w: &World) {
    let disk = w.medium("disk").await;
    let mut seen = vec![w.catalogue.identity().await.unwrap().revision];
    w.put_one("a", disk, "x").await;
    seen.push(w.catalogue.identity().await.unwrap().revision);
    w.catalogue.delete_object(&oid("a"), at(6)).await.unwrap();
    seen.push(w.catalogue.identity().await.unwrap().revision);
    w.catalogue.undelete_object(&oid("a"), at(7)).await.unwrap();
    seen.push(w.catalogue.identity().await.unwrap().revision);
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
}
