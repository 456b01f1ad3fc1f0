use crate::world::{World, data, header, oid};
use dss::catalogue::{Catalogue, Page};
use dss::model::Health;

const CHUNK: usize = 16 << 20;

#[tokio::test]
async fn a_bad_chunk_is_read_from_the_other_copy_and_noted() {
    let world = World::new(&[("a", 1 << 30), ("b", 1 << 30)]).await;
    let bytes = data(5, CHUNK + 1000);
    for at in [100, CHUNK + 10] {
        let name = format!("o{at}");
        let stored = world.put(header(&name, bytes.len(), 2), &bytes).await.outcome.unwrap();
        let first = world.medium_of(&stored, 0).await;
        world.platter(&first).flip(stored.entries[0].extent.id, at);
        assert_eq!(world.get(&name, None).await.unwrap(), bytes);
        assert_eq!(world.catalogue.medium(&first).await.unwrap().health, Health::Suspect);
        let id = world.catalogue.medium(&first).await.unwrap().id;
        let well = dss::catalogue::MediumChange {
            health: Some(Health::Ok),
            why: "test".to_owned(),
            ..Default::default()
        };
        world
            .catalogue
            .change_medium(id, well, world.host.clock.now())
            .await
            .unwrap();
    }
    let page = Page {
        after: None,
        limit: 1000,
    };
    let events = world.catalogue.events(page).await.unwrap();
    assert_eq!(events.iter().filter(|event| event.kind == "extent.corrupt").count(), 2);
}

#[tokio::test]
async fn wrong_bytes_everywhere_are_an_integrity_failure_and_never_handed_out() {
    let world = World::new(&[("a", 1 << 30)]).await;
    let stored = world.put(header("o", 1000, 1), &data(6, 1000)).await.outcome.unwrap();
    world.platter("a").flip(stored.entries[0].extent.id, 999);
    let mut stream = respool::store::get::open(&world.host, &oid("o"), None).await.unwrap();
    let problem = stream.next().await.unwrap().unwrap_err();
    assert_eq!(problem.exit, 4);
    assert!(
        problem.message.contains(&stored.entries[0].extent.id.to_string()),
        "{problem}"
    );
    assert!(problem.message.contains("on a:"), "{problem}");
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn an_unreadable_medium_is_the_environment_and_another_copy_serves() {
    let world = World::new(&[("a", 1 << 30), ("b", 1 << 30)]).await;
    let stored = world.put(header("two", 1000, 2), &data(7, 1000)).await.outcome.unwrap();
    for entry in &stored.entries[..1] {
        let name = world.catalogue.medium_by_id(entry.extent.medium).await.unwrap().name;
        world.platter(&name).unreadable.insert(entry.extent.id);
    }
    assert_eq!(world.get("two", None).await.unwrap(), data(7, 1000));
    let name = world.medium_of(&stored, 1).await;
    world.platter(&name).unreadable.insert(stored.entries[1].extent.id);
    let problem = world.get("two", None).await.unwrap_err();
    assert_eq!(problem.exit, 3);
}

#[tokio::test]
async fn a_get_gives_its_medium_back() {
    let world = World::new(&[("a", 1 << 30)]).await;
    let bytes = data(8, 2 * CHUNK);
    world.put(header("o", bytes.len(), 1), &bytes).await.outcome.unwrap();
    let mut stream = respool::store::get::open(&world.host, &oid("o"), None).await.unwrap();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    let id = world.catalogue.medium("a").await.unwrap().id;
    let request = lrs::core::Request {
        purpose: "test".to_owned(),
        priority: lrs::core::Priority::Put,
        reads: Vec::new(),
        writes: Vec::new(),
        exclusive: vec![id],
    };
    let granted = tokio::time::timeout(std::time::Duration::from_secs(5), world.host.lrs.allocate(request)).await;
    granted.expect("nobody holds it").unwrap();
}
