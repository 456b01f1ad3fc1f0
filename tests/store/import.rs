use crate::world::{World, data, header, oid};
use dss::catalogue::{Adopt, Catalogue, ObjectFilter, Overwrite};
use dss::model::{AdmState, Metadata, Object};
use respool::store::import::import;
use std::collections::BTreeMap;
use std::path::Path;

/// A catalogue and two directories with everything that an object can be.
async fn stocked(root: &Path) -> World {
    let mut world = World::new(&[]).await;
    world.add_dir("a", &root.join("a")).await;
    world.add_dir("b", &root.join("b")).await;
    for n in 0..40 {
        let mut header = header(&format!("dir {n}/Ünï"), n * 1000, 2);
        header.grouping = (n % 2 == 0).then(|| "even".to_owned());
        header.metadata = Metadata {
            user: BTreeMap::from([("n".to_owned(), n.to_string())]),
            xattrs: BTreeMap::from([("user.x".to_owned(), "00ff".to_owned())]),
            mode: Some(0o640),
            mtime: Some("2019-03-04T05:06:07.123456789Z".parse().unwrap()),
            ltfs: None,
        };
        let bytes = data(n as u8, n * 1000);
        world.put(header.clone(), &bytes).await.outcome.unwrap();
        if n % 5 == 0 {
            header.overwrite = Overwrite::NewVersion;
            world.put(header, &bytes).await.outcome.unwrap();
        }
    }
    world
}

async fn objects(world: &World) -> Vec<Object> {
    let filter = ObjectFilter {
        prefix: None,
        deleted: true,
    };
    let details = world.catalogue.list_objects(&filter, None, 10_000).await.unwrap();
    details.into_iter().map(|detail| detail.object).collect()
}

#[tokio::test]
async fn x06_media_alone_rebuild_every_object() {
    let root = tempfile::tempdir().unwrap();
    let old = stocked(root.path()).await;
    let before = objects(&old).await;
    old.host.lrs.stop().await;
    let new = World::new(&[]).await;
    for name in ["a", "b"] {
        let path = root.path().join(name);
        let path = path.to_str().unwrap();
        let refused = import(&new.host, path, Adopt::No).await.unwrap_err();
        assert_eq!((refused.exit, refused.code.as_str()), (2, "foreign_medium"));
        let report = import(&new.host, path, Adopt::Yes).await.unwrap();
        assert_eq!((report.extents, report.extents_read), (48, 48));
        assert_eq!((report.imported.unknown, report.exit()), (0, 0), "{report:?}");
        assert!(report.medium_added && report.relabelled);
        assert_eq!(report.adm_state, AdmState::InService);
    }
    // When a version was superseded is the one thing that media do not tell; the next version's time stands for it.
    let lived = |objects: Vec<Object>| {
        let mut objects = objects;
        for object in &mut objects {
            object.deleted_at = object.deleted_at.map(|_| object.created_at);
        }
        objects
    };
    assert_eq!(lived(objects(&new).await), lived(before));
    for n in 0..40 {
        let bytes = new.get(&format!("dir {n}/Ünï"), None).await.unwrap();
        assert_eq!(bytes, data(n as u8, n * 1000));
    }
    new.is_sound().await;
    // The media are this catalogue's now: they take new extents, and another import finds nothing new.
    new.put(header("later", 3, 2), b"new").await.outcome.unwrap();
    let again = import(&new.host, "a", Adopt::Yes).await.unwrap();
    assert_eq!((again.imported.known, again.imported.objects_adopted), (49, 0));
    assert!(!again.relabelled);
}

#[tokio::test]
async fn a_bad_extent_is_not_adopted_and_keeps_its_medium_from_new_ones() {
    let root = tempfile::tempdir().unwrap();
    let old = stocked(root.path()).await;
    let victim = old.catalogue.object(&oid("dir 7/Ünï"), None).await.unwrap();
    let entry = victim.entries.iter().find(|entry| entry.copy.0 == 0).unwrap();
    let medium = old.catalogue.medium_by_id(entry.extent.medium).await.unwrap();
    old.host.lrs.stop().await;
    let file = Path::new(&medium.location.path).join(&entry.extent.address.0);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[3] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let new = World::new(&[]).await;
    let report = import(&new.host, &medium.location.path, Adopt::Yes).await.unwrap();
    assert_eq!(report.exit(), 4);
    assert_eq!(report.bad.len(), 1);
    assert_eq!(report.bad[0].extent, entry.extent.id);
    assert_eq!(report.adm_state, AdmState::ReadOnly);
    assert_eq!(new.get("dir 7/Ünï", None).await.unwrap_err().exit, 2);
    assert_eq!(new.get("dir 8/Ünï", None).await.unwrap(), data(8, 8000));
    new.is_sound().await;
}

#[tokio::test]
async fn a_copy_of_an_attached_medium_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let world = stocked(root.path()).await;
    world.host.lrs.stop().await;
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .args([root.path().join("a"), root.path().join("copy")])
        .status();
    assert!(copied.unwrap().success());
    let copy = root.path().join("copy");
    let refused = import(&world.host, copy.to_str().unwrap(), Adopt::No)
        .await
        .unwrap_err();
    assert_eq!((refused.exit, refused.code.as_str()), (2, "medium_twice"));
}
