//! What was recorded and that nobody began to write is taken back.

use super::World;
use super::support::{all, at};
use crate::catalogue::MoveIntent;
use crate::model::{ExtentId, ExtentState, Generation, MoveState, NewExtent, Owner};

/// What nobody began to write leaves no row, and its address is free; what became something else meanwhile stays.
pub async fn what_is_withdrawn_leaves_no_row(w: &World) {
    let (a, b) = (w.medium("a").await, w.medium("b").await);
    let generation = w.catalogue.medium_by_id(b).await.unwrap().generation;
    let (one, two) = (w.put_one("x", a, "x").await, w.put_one("y", a, "y").await);
    let job = w.repack(&[a]).await;
    let intents = vec![w.intent(&one, b), w.intent(&two, b)];
    let recorded = w
        .catalogue
        .record_moves(job, intents, &w.epochs(), at(4))
        .await
        .unwrap();
    let ids: Vec<ExtentId> = recorded.iter().map(|one| one.extent().id).collect();
    let addresses: Vec<_> = recorded.iter().map(|one| one.extent().address.clone()).collect();
    let taken = async |generation| w.catalogue.taken(b, generation, &addresses).await.unwrap();
    assert_eq!(taken(generation).await.len(), 2);
    let only = Some(&ids[1..]);
    w.catalogue.abandon(Owner::Move(job), only, at(5)).await.unwrap();
    assert_eq!(w.catalogue.withdraw(recorded).await.unwrap(), 1);
    assert!(w.catalogue.extent(ids[0]).await.is_err(), "its row is gone");
    assert_eq!(w.state(ids[1]).await, ExtentState::Orphan);
    assert_eq!(taken(generation).await, [addresses[1].clone()].into());
    let other = Generation(generation.0 + 1);
    assert!(taken(other).await.is_empty(), "another generation has other addresses");
}

/// A move that is withdrawn came to nothing, and the same extent can be moved to the same address.
pub async fn a_withdrawn_move_can_be_recorded_again(w: &World) {
    let (a, b) = (w.medium("a").await, w.medium("b").await);
    let extent = w.put_one("x", a, "x").await;
    let job = w.repack(&[a]).await;
    let record = async |intent| w.catalogue.record_moves(job, vec![intent], &w.epochs(), at(4)).await;
    let first = record(w.intent(&extent, b)).await.unwrap();
    let address = first[0].extent().address.clone();
    assert_eq!(w.catalogue.withdraw(first).await.unwrap(), 1);
    let again = w.intent(&extent, b);
    let new = NewExtent { address, ..again.new };
    let second = record(MoveIntent { new, ..again }).await.unwrap();
    let states = [MoveState::Recorded, MoveState::Dropped];
    let recorded = w.catalogue.moves(job, &states, all()).await.unwrap();
    let recorded: Vec<ExtentId> = recorded.iter().map(|one| one.new).collect();
    assert_eq!(recorded, [second[0].extent().id]);
}
